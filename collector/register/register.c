/* SPDX-License-Identifier: Apache-2.0 */
#include "register.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "internal.h"

#define FILES_LIMIT 256
#define BYTES_LIMIT (16 << 20) /* of all files; of one, conf.h's */

static const struct fw_option table[] = {
	{
		.name = "licences",
		.help = "how many hosts may have a software: a list of {name, packages, entitled, "
			"expires, note}",
		.type = FW_OPT_CUSTOM,
		.parse = register_parse_licences,
		.offset = offsetof(struct registry, licences),
	},
	{
		.name = "hosts",
		.help = "who looks after which host: a list of {host or match, supplier}",
		.type = FW_OPT_CUSTOM,
		.parse = register_parse_hosts,
		.offset = offsetof(struct registry, hosts),
	},
	{0},
};

/* What an editor keeps beside a file begins with a dot. */
static int is_part(const struct dirent *entry)
{
	static const char ending[] = ".yml";
	size_t length = strlen(entry->d_name);
	return entry->d_name[0] != '.' && length >= sizeof ending &&
		strcmp(entry->d_name + length - (sizeof ending - 1), ending) == 0;
}

/* Before it is opened, as a pipe would never end. */
static int check_file(const char *path, int64_t *bytes, struct fw_err *err)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return fw_fail_sys(err, -errno, "register: cannot read '%s'", path);
	if (!S_ISREG(st.st_mode))
		return fw_fail(err, -EINVAL, "register: '%s' is no file", path);
	*bytes += st.st_size;
	if (*bytes > BYTES_LIMIT)
		return fw_fail(err, -EFBIG, "register: with '%s' it is larger than %d MiB", path,
			BYTES_LIMIT >> 20);
	return 0;
}

static int load_file(struct registry *registry, const char *folder, const char *name,
	int64_t *bytes, struct fw_err *err)
{
	struct fw_arena *arena = &registry->arena;
	const char *slash = folder[strlen(folder) - 1] == '/' ? "" : "/";
	const char *path = fw_arena_format(arena, "%s%s%s", folder, slash, name);
	size_t first = registry->licences.count;
	int rc = check_file(path, bytes, err);
	if (rc == 0)
		rc = fw_conf_load(path, table, registry, arena, err);
	if (rc < 0)
		return rc;
	register_place_hosts(registry->hosts, name);
	rc = register_check_licences(&registry->licences, first, fw_arena_strdup(arena, name), err);
	return rc < 0 ? fw_fail_in(err, rc, "register '%s'", path) : 0;
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
	return rc;
}

int register_load(struct registry *out, const char *folder, struct fw_err *err)
{
	struct registry registry = {0};
	int rc = folder ? load_folder(&registry, folder, err) : 0;
	if (rc == 0)
		rc = register_check_hosts(registry.hosts, err);
	if (rc < 0)
		register_done(&registry);
	else
		*out = registry;
	return rc;
}

void register_done(struct registry *registry)
{
	register_hosts_drop(registry->hosts);
	fw_arena_done(&registry->arena);
	*registry = (struct registry){0};
}
