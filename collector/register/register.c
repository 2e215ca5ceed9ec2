/* SPDX-License-Identifier: Apache-2.0 */
#include "register.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <fenwatch/buf.h>
#include <fenwatch/file.h>

#include "internal.h"

#define FILES_LIMIT 256
#define FILE_LIMIT (1 << 20)
#define BYTES_LIMIT (16 << 20) /* of all files */

/* ---- what may stand in a file ---- */

#define LIST(name)                                                          \
	static int parse_##name##s(const struct fw_yaml *node, void *field, \
		struct fw_arena *arena, struct fw_err *err)                 \
	{                                                                   \
		return entries_read(field, &name##_kind, node, arena, err); \
	}
LIST(calendar)
LIST(site)
LIST(supplier)
LIST(target)
LIST(licence)

static int parse_maintenance(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	return entries_read(field, &maintenance_kind, node, arena, err);
}

#define AT(member) offsetof(struct registry, member)
static const struct fw_option table[] = {
	{
		.name = "calendars",
		.help = "when people work: a list of {name, hours, open_on_bank_holidays, days}",
		.type = FW_OPT_CUSTOM,
		.parse = parse_calendars,
		.offset = AT(calendars),
	},
	{
		.name = "sites",
		.help = "a list of {name, parent, tier, calendar, days, links, supplier, address, "
			"telephone}",
		.type = FW_OPT_CUSTOM,
		.parse = parse_sites,
		.offset = AT(sites),
	},
	{
		.name = "suppliers",
		.help = "a list of {name, towers, contacts, calendar}",
		.type = FW_OPT_CUSTOM,
		.parse = parse_suppliers,
		.offset = AT(suppliers),
	},
	{
		.name = "hosts",
		.help = "what is known of hosts: a list of {host or match, supplier, site, ...}",
		.type = FW_OPT_CUSTOM,
		.parse = register_parse_hosts,
		.offset = AT(hosts),
	},
	{
		.name = "priorities",
		.help = "how soon faults must be met: {matrix, impact, urgency}",
		.type = FW_OPT_CUSTOM,
		.parse = register_parse_priorities,
		.offset = AT(priorities),
	},
	{
		.name = "targets",
		.help = "what was agreed: a list of {supplier, tier, priority, respond, resolve, "
			"calendar}",
		.type = FW_OPT_CUSTOM,
		.parse = parse_targets,
		.offset = AT(targets),
	},
	{
		.name = "maintenance",
		.help = "when people work at hosts: a list of {name, hours, days, hosts, sites}",
		.type = FW_OPT_CUSTOM,
		.parse = parse_maintenance,
		.offset = AT(maintenance),
	},
	{
		.name = "licences",
		.help = "how many hosts may have a software: a list of {name, packages, entitled, "
			"expires, note}",
		.type = FW_OPT_CUSTOM,
		.parse = parse_licences,
		.offset = AT(licences),
	},
	{0},
};

static void place(struct registry *registry, const char *file)
{
	entries_place(&registry->calendars, &calendar_kind, file);
	entries_place(&registry->sites, &site_kind, file);
	entries_place(&registry->suppliers, &supplier_kind, file);
	entries_place(&registry->targets, &target_kind, file);
	entries_place(&registry->maintenance, &maintenance_kind, file);
	entries_place(&registry->licences, &licence_kind, file);
	register_place_hosts(&registry->hosts, file);
}

static int check(struct registry *registry, struct fw_err *err)
{
	int rc = entries_check(&registry->calendars, &calendar_kind, err);
	if (rc == 0)
		rc = entries_check(&registry->sites, &site_kind, err);
	if (rc == 0)
		rc = entries_check(&registry->suppliers, &supplier_kind, err);
	if (rc == 0)
		rc = entries_check(&registry->licences, &licence_kind, err);
	if (rc == 0)
		rc = entries_check(&registry->maintenance, &maintenance_kind, err);
	if (rc == 0)
		rc = register_join_sites(registry, err);
	if (rc == 0)
		rc = register_join_suppliers(registry, err);
	if (rc == 0)
		rc = register_join_targets(registry, err);
	if (rc == 0)
		rc = register_join_maintenance(registry, err);
	if (rc == 0)
		rc = register_join_hosts(registry, err);
	if (rc == 0)
		rc = register_join_lines(registry, err);
	return rc < 0 ? fw_fail_in(err, rc, "register") : 0;
}

/* ---- files ---- */

static bool ends_in(const char *name, const char *ending)
{
	size_t length = strlen(name);
	return length > strlen(ending) && strcmp(name + length - strlen(ending), ending) == 0;
}

/* A name that somebody may take for one of its files, as Windows or another program writes it. */
static bool is_near_part(const char *name)
{
	static const char *const endings[] = {".yml", ".yaml", ".csv"};
	size_t length = strlen(name);
	for (size_t i = 0; name[0] != '.' && i < sizeof endings / sizeof *endings; i++)
		if (length > strlen(endings[i]) &&
			strcasecmp(name + length - strlen(endings[i]), endings[i]) == 0)
			return true;
	return false;
}

/* What an editor keeps beside a file begins with a dot. */
static int is_part(const struct dirent *entry)
{
	const char *name = entry->d_name;
	return name[0] != '.' && (ends_in(name, ".yml") || ends_in(name, ".csv"));
}

static int is_passed_over(const struct dirent *entry)
{
	return !is_part(entry) && is_near_part(entry->d_name);
}

/* Before it is opened, as a pipe would never end. */
static int check_file(const char *path, int64_t *bytes, struct fw_err *err)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return fw_fail_sys(err, -errno, "cannot be read");
	if (!S_ISREG(st.st_mode))
		return fw_fail(err, -EINVAL, "is no file");
	*bytes += st.st_size;
	if (*bytes > BYTES_LIMIT)
		return fw_fail(err, -EFBIG, "the register is larger than %d MiB with it",
			BYTES_LIMIT >> 20);
	return 0;
}

/* As YAML. */
static int read_text(const char *path, struct fw_buf *out, struct fw_err *err)
{
	struct fw_buf text = {0};
	int rc = fw_file_read(path, FILE_LIMIT, &text, err);
	if (rc == 0 && ends_in(path, ".csv"))
		rc = register_csv_to_yaml((const char *)text.data, text.length, out, err);
	else if (rc == 0)
		fw_buf_append(out, text.data, text.length);
	fw_buf_done(&text);
	return rc;
}

static int read_file(struct registry *registry, const char *path, struct fw_err *err)
{
	struct fw_buf text = {0};
	const struct fw_yaml *root;
	int rc = read_text(path, &text, err);
	if (rc == 0)
		rc = fw_yaml_parse(
			(const char *)text.data, text.length, &registry->arena, &root, err);
	if (rc == 0)
		rc = fw_conf_bind(root, table, registry, &registry->arena, err);
	fw_buf_done(&text);
	return rc;
}

static int load_file(struct registry *registry, const char *folder, const char *name,
	int64_t *bytes, struct fw_err *err)
{
	const char *slash = ends_in(folder, "/") ? "" : "/";
	const char *path = fw_arena_format(&registry->arena, "%s%s%s", folder, slash, name);
	int rc = check_file(path, bytes, err);
	if (rc == 0)
		rc = read_file(registry, path, err);
	place(registry, fw_arena_strdup(&registry->arena, name));
	return rc < 0 ? fw_fail_in(err, rc, "register '%s'", path) : 0;
}

static void note_passed_over(struct registry *registry, const char *folder)
{
	struct dirent **entries;
	int n = scandir(folder, &entries, is_passed_over, alphasort);
	if (n < 0)
		return;
	struct fw_text_list *names = &registry->passed_over;
	names->items = fw_arena_alloc(&registry->arena, ((size_t)n + 1) * sizeof *names->items);
	for (int i = 0; i < n; i++)
		names->items[names->count++] =
			fw_arena_strdup(&registry->arena, entries[i]->d_name);
	while (n > 0)
		free(entries[--n]);
	free(entries);
}

static int load_folder(struct registry *registry, const char *folder, struct fw_err *err)
{
	struct dirent **entries;
	int64_t bytes = 0;
	int rc = 0, n = scandir(folder, &entries, is_part, alphasort);
	if (n < 0)
		return fw_fail_sys(err, -errno, "register: cannot read the folder '%s'", folder);
	if (n > FILES_LIMIT)
		rc = fw_fail(err, -E2BIG, "register: '%s' has %d files; %d are allowed", folder, n,
			FILES_LIMIT);
	for (int i = 0; rc == 0 && i < n; i++)
		rc = load_file(registry, folder, entries[i]->d_name, &bytes, err);
	while (n > 0)
		free(entries[--n]);
	free(entries);
	if (rc == 0)
		note_passed_over(registry, folder);
	return rc;
}

/* ---- life ---- */

int register_load(struct registry **out, const char *folder, struct fw_err *err)
{
	struct registry *registry = fw_alloc(sizeof *registry);
	atomic_init(&registry->holders, 1);
	int rc = folder ? load_folder(registry, folder, err) : 0;
	if (rc == 0 && registry->priorities.line == 0)
		rc = register_parse_priorities(NULL, &registry->priorities, &registry->arena, err);
	if (rc == 0)
		rc = check(registry, err);
	if (rc < 0)
		register_drop(registry);
	else
		*out = registry;
	return rc;
}

struct registry *register_hold(struct registry *registry)
{
	atomic_fetch_add(&registry->holders, 1);
	return registry;
}

void register_drop(struct registry *registry)
{
	if (!registry || atomic_fetch_sub(&registry->holders, 1) != 1)
		return;
	register_done_hosts(&registry->hosts);
	entries_done(&registry->calendars);
	entries_done(&registry->sites);
	entries_done(&registry->suppliers);
	entries_done(&registry->targets);
	entries_done(&registry->maintenance);
	entries_done(&registry->licences);
	fw_arena_done(&registry->arena);
	fw_free(registry);
}
