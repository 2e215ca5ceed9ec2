/* SPDX-License-Identifier: Apache-2.0 */
#include "rpmmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <fenwatch/file.h>

#include "parse.h"
#include "rpmname.h"
#include "rpmsqlite.h"
#include "xml.h"

#define FIELD 512
#define OBSOLETES_LIMIT 64 /* of one package, of what is installed */
#define FIXED_LIMIT 4096   /* packages of one advisory that are installed */

/* ---- primary.xml ---- */

struct obsoletes {
	char names[OBSOLETES_LIMIT][128], evrs[OBSOLETES_LIMIT][128];
	struct rpm_obsolete list[OBSOLETES_LIMIT];
	size_t n;
};

struct packages {
	struct rpm_set *set;
	const struct rpm_repo *repo;
	bool in_obsoletes;
	char name[FIELD], arch[64], evr[FIELD], vendor[FIELD], source[FIELD];
	struct obsoletes obsoletes;
};

static void take_obsolete(struct packages *p, const char *const *attributes)
{
	struct obsoletes *o = &p->obsoletes;
	const char *name = xml_attribute(attributes, "name");
	const char *flags = xml_attribute(attributes, "flags");
	if (o->n == OBSOLETES_LIMIT || strlen(name) >= sizeof o->names[0] ||
		!rpmset_has(p->set, name))
		return;
	snprintf(o->names[o->n], sizeof o->names[0], "%s", name);
	o->evrs[o->n][0] = '\0';
	if (flags[0])
		rpmname_write_evr(o->evrs[o->n], sizeof o->evrs[0],
			xml_attribute(attributes, "epoch"), xml_attribute(attributes, "ver"),
			xml_attribute(attributes, "rel"));
	o->list[o->n] = (struct rpm_obsolete){
		.name = o->names[o->n],
		.evr = o->evrs[o->n],
		.less = flags[0] == 'L',
		.equal = strcmp(flags, "EQ") == 0 || strcmp(flags, "LE") == 0 ||
			strcmp(flags, "GE") == 0,
		.greater = flags[0] == 'G',
	};
	o->n++;
}

static void on_package_start(const char *name, const char *const *attributes, void *arg)
{
	struct packages *p = arg;
	if (strcmp(name, "package") == 0) {
		p->name[0] = p->arch[0] = p->evr[0] = p->vendor[0] = p->source[0] = '\0';
		p->obsoletes.n = 0;
	} else if (strcmp(name, "version") == 0) {
		rpmname_write_evr(p->evr, sizeof p->evr, xml_attribute(attributes, "epoch"),
			xml_attribute(attributes, "ver"), xml_attribute(attributes, "rel"));
	} else if (strcmp(name, "obsoletes") == 0) {
		p->in_obsoletes = true;
	} else if (p->in_obsoletes && strcmp(name, "entry") == 0) {
		take_obsolete(p, attributes);
	}
}

static void take_source(struct packages *p, const char *text)
{
	snprintf(p->source, sizeof p->source, "%s", text);
	rpmname_cut_source(p->source);
}

static void give_package(struct packages *p)
{
	if (!p->name[0] || !p->evr[0] || strcmp(p->arch, "src") == 0 ||
		strcmp(p->arch, "nosrc") == 0)
		return;
	rpmset_add_listed(p->set, p->repo,
		&(struct rpm_listed){
			.name = p->name,
			.arch = p->arch,
			.evr = p->evr,
			.vendor = p->vendor,
			.source = p->source,
			.obsoletes = p->obsoletes.list,
			.n_obsoletes = p->obsoletes.n,
		});
}

static void on_package_end(const char *name, const char *text, void *arg)
{
	struct packages *p = arg;
	if (strcmp(name, "name") == 0)
		snprintf(p->name, sizeof p->name, "%s", text);
	else if (strcmp(name, "arch") == 0)
		snprintf(p->arch, sizeof p->arch, "%s", text);
	else if (strcmp(name, "vendor") == 0)
		snprintf(p->vendor, sizeof p->vendor, "%s", text);
	else if (strcmp(name, "sourcerpm") == 0)
		take_source(p, text);
	else if (strcmp(name, "obsoletes") == 0)
		p->in_obsoletes = false;
	else if (strcmp(name, "package") == 0)
		give_package(p);
}

int rpmmd_parse_packages(struct rpm_set *set, const struct rpm_repo *repo, struct fw_unpack *u)
{
	static const struct xml_reader reader = {on_package_start, on_package_end};
	struct packages *p = fw_alloc(sizeof *p);
	p->set = set;
	p->repo = repo;
	int rc = xml_read(u, &reader, p);
	fw_free(p);
	return rc;
}

/* ---- updateinfo.xml ---- */

struct fixed {
	char name[128], arch[64], evr[256];
};

struct advisories {
	struct rpm_set *set;
	const struct rpm_modules *modules;
	bool skip; /* a module's packages, and another stream is at work */
	bool in_collection;
	char id[128], self[128], type[32], severity[32], issued[64];
	bool reboot;
	struct fixed *fixed;
	struct rpm_fixed *list;
	size_t n, capacity;
};

static void begin_advisory(struct advisories *a, const char *const *attributes)
{
	a->id[0] = a->self[0] = a->severity[0] = a->issued[0] = '\0';
	a->reboot = a->skip = a->in_collection = false;
	a->n = 0;
	snprintf(a->type, sizeof a->type, "%s", xml_attribute(attributes, "type"));
}

/* SUSE's announcement goes by another name than its entry. */
static void take_reference(struct advisories *a, const char *const *attributes)
{
	const char *id = xml_attribute(attributes, "id");
	if (strcmp(xml_attribute(attributes, "type"), "self") == 0 && id[0] && !strchr(id, ' '))
		snprintf(a->self, sizeof a->self, "%s", id);
}

static bool is_other_stream(const struct advisories *a, const char *const *attributes)
{
	return a->modules &&
		!rpmmodules_is_active(a->modules, xml_attribute(attributes, "name"),
			xml_attribute(attributes, "stream"));
}

static void take_fixed(struct advisories *a, const char *const *attributes)
{
	const char *name = xml_attribute(attributes, "name");
	if (a->skip || a->n == FIXED_LIMIT || strlen(name) >= sizeof a->fixed[0].name ||
		!rpmset_knows(a->set, name))
		return;
	if (a->n == a->capacity) {
		a->capacity = a->capacity ? 2 * a->capacity : 16;
		a->fixed = fw_realloc(a->fixed, a->capacity * sizeof *a->fixed);
	}
	struct fixed *f = &a->fixed[a->n++];
	snprintf(f->name, sizeof f->name, "%s", name);
	snprintf(f->arch, sizeof f->arch, "%s", xml_attribute(attributes, "arch"));
	rpmname_write_evr(f->evr, sizeof f->evr, xml_attribute(attributes, "epoch"),
		xml_attribute(attributes, "version"), xml_attribute(attributes, "release"));
}

static void on_advisory_start(const char *name, const char *const *attributes, void *arg)
{
	struct advisories *a = arg;
	if (strcmp(name, "update") == 0)
		begin_advisory(a, attributes);
	else if (strcmp(name, "issued") == 0)
		snprintf(a->issued, sizeof a->issued, "%s", xml_attribute(attributes, "date"));
	else if (strcmp(name, "reference") == 0)
		take_reference(a, attributes);
	else if (strcmp(name, "collection") == 0)
		a->skip = false;
	else if (strcmp(name, "module") == 0)
		a->skip = is_other_stream(a, attributes);
	else if (strcmp(name, "package") == 0)
		take_fixed(a, attributes);
	else if (strcmp(name, "reboot_suggested") == 0)
		a->reboot = true;
}

static enum rpm_class class_of(const char *type)
{
	static const struct {
		const char *type;
		enum rpm_class class;
	} classes[] = {{"security", RPM_SECURITY}, {"bugfix", RPM_BUGFIX},
		{"recommended", RPM_BUGFIX}, {"enhancement", RPM_BUGFIX}, {"feature", RPM_BUGFIX},
		{"optional", RPM_BUGFIX}, {"newpackage", RPM_BUGFIX}};
	for (size_t i = 0; i < COUNT(classes); i++)
		if (strcasecmp(type, classes[i].type) == 0)
			return classes[i].class;
	return RPM_UNKNOWN;
}

/* "1705316400" (SUSE), "2024-01-15 11:00:00" and "2024-01-15"; 0: none of these. */
static int64_t time_of(const char *text)
{
	struct tm tm = {0};
	uint64_t at_s;
	if (fw_parse_u64(text, &at_s) == 0)
		return at_s < (uint64_t)1 << 40 ? (int64_t)at_s : 0;
	const char *end = strptime(text, "%Y-%m-%d", &tm);
	if (end && *end == ' ')
		end = strptime(end, " %H:%M:%S", &tm);
	return end ? (int64_t)timegm(&tm) : 0;
}

/* "Important", "important"; "None" and "unspecified" are none. */
static void write_severity(const char *text, char out[32])
{
	static const char *const words[] = {
		"low", "moderate", "medium", "important", "high", "critical"};
	out[0] = '\0';
	for (size_t i = 0; i < COUNT(words); i++)
		if (strcasecmp(text, words[i]) == 0)
			snprintf(out, 32, "%s", words[i]);
}

static void give_advisory(struct advisories *a)
{
	char severity[32];
	write_severity(a->severity, severity);
	const struct rpm_advisory advisory = {
		.id = a->self[0] ? a->self : a->id,
		.severity = severity,
		.class = class_of(a->type),
		.issued_s = time_of(a->issued),
		.reboot = a->reboot,
	};
	if (a->n == 0)
		return;
	a->list = fw_realloc(a->list, a->capacity * sizeof *a->list);
	for (size_t i = 0; i < a->n; i++)
		a->list[i] =
			(struct rpm_fixed){a->fixed[i].name, a->fixed[i].arch, a->fixed[i].evr};
	rpmset_add_advisory(a->set, &advisory, a->list, a->n);
}

static void on_advisory_end(const char *name, const char *text, void *arg)
{
	struct advisories *a = arg;
	if (strcmp(name, "id") == 0 && !a->id[0])
		snprintf(a->id, sizeof a->id, "%.*s", (int)strcspn(text, " \t\n"), text);
	else if (strcmp(name, "severity") == 0)
		snprintf(a->severity, sizeof a->severity, "%s", text);
	else if (strcmp(name, "reboot_suggested") == 0)
		a->reboot = a->reboot && strcasecmp(text, "false") != 0;
	else if (strcmp(name, "update") == 0)
		give_advisory(a);
}

int rpmmd_parse_advisories(
	struct rpm_set *set, const struct rpm_modules *modules, struct fw_unpack *u)
{
	static const struct xml_reader reader = {on_advisory_start, on_advisory_end};
	struct advisories *a = fw_alloc(sizeof *a);
	a->set = set;
	a->modules = modules;
	int rc = xml_read(u, &reader, a);
	fw_free(a->fixed);
	fw_free(a->list);
	fw_free(a);
	return rc;
}

/* ---- files ---- */

struct opened {
	int fd;
	struct fw_unpack *unpack;
};

static int open_file(struct machine *m, const char *path, struct opened *out)
{
	out->fd = fw_openat(m->root, path, O_RDONLY | O_NONBLOCK, 0);
	if (out->fd < 0)
		return out->fd;
	out->unpack = fw_unpack_new(out->fd, path);
	return 0;
}

static void close_file(const struct opened *o)
{
	fw_unpack_free(o->unpack);
	fw_close(o->fd);
}

int rpmmd_read_packages(struct rpm_set *set, struct machine *m, const struct rpm_repo *repo)
{
	struct opened file;
	const char *path = repo->files[RPM_PRIMARY];
	int rc = open_file(m, path ? path : repo->files[RPM_PRIMARY_DB], &file);
	if (rc < 0)
		return rc;
	rc = path ? rpmmd_parse_packages(set, repo, file.unpack)
		  : rpmsqlite_read(set, m, repo, file.unpack);
	close_file(&file);
	return rc;
}

int rpmmd_read_advisories(struct rpm_set *set, struct machine *m, const struct rpm_repo *repo,
	const struct rpm_modules *modules)
{
	struct opened file;
	if (!repo->files[RPM_UPDATEINFO])
		return 0;
	int rc = open_file(m, repo->files[RPM_UPDATEINFO], &file);
	if (rc < 0)
		return rc;
	rc = rpmmd_parse_advisories(set, modules, file.unpack);
	close_file(&file);
	return rc;
}

static bool wants(const char *name, const void *arg)
{
	return rpmset_has(arg, name);
}

int rpmmd_read_modules(const struct rpm_set *set, struct machine *m, const struct rpm_repo *repo,
	struct rpm_modules *modules)
{
	struct opened file;
	if (!repo->files[RPM_MODULES])
		return 0;
	int rc = open_file(m, repo->files[RPM_MODULES], &file);
	if (rc < 0)
		return rc;
	rc = rpmmodules_add(modules, file.unpack, wants, set);
	close_file(&file);
	return rc;
}
