/* SPDX-License-Identifier: Apache-2.0 */
#include "rpmrepos.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/file.h>

#include "ini.h"
#include "parse.h"
#include "xml.h"

#define OLD_S ((int64_t)3 * 24 * 3600)
#define AHEAD_S ((int64_t)24 * 3600) /* a time that has not been yet */
#define HASH_LENGTH 16               /* of the address, behind dnf's folders: "baseos-1a2b..." */
#define PATH_BYTES 512
#define YUM "var/cache/yum"

/* ---- definitions ---- */

static struct rpm_repo *find_repo(struct rpm_repos *r, const char *id)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->repos[i].id, id) == 0)
			return &r->repos[i];
	return NULL;
}

static void drop_disabled(struct rpm_repos *r)
{
	size_t n = 0;
	for (size_t i = 0; i < r->n; i++)
		if (r->repos[i].enabled)
			r->repos[n++] = r->repos[i];
	r->n = n;
}

/* Red Hat's subscriptions define hundreds, of which few are enabled. */
static struct rpm_repo *get_repo(struct rpm_repos *r, const char *id)
{
	struct rpm_repo *repo = find_repo(r, id);
	if (repo)
		return repo;
	if (r->n == RPM_REPOS_LIMIT)
		drop_disabled(r);
	if (r->n == RPM_REPOS_LIMIT) {
		r->too_many = true;
		return NULL;
	}
	repo = &r->repos[r->n++];
	*repo = (struct rpm_repo){
		.id = fw_arena_strdup(&r->text, id), .enabled = true, .priority = RPM_PRIORITY};
	return repo;
}

static const char *join(struct rpm_repos *r, const char *before, const char *value)
{
	return before ? fw_arena_format(&r->text, "%s %s", before, value)
		      : fw_arena_strdup(&r->text, value);
}

static bool is_medium(const char *address)
{
	static const char *const schemes[] = {"cd:", "dvd:", "hd:", "iso:"};
	for (size_t i = 0; i < COUNT(schemes); i++)
		if (strncmp(address, schemes[i], strlen(schemes[i])) == 0)
			return true;
	return false;
}

static void on_main(struct rpm_repos *r, const char *name, const char *value)
{
	if (strcmp(name, "exclude") == 0 || strcmp(name, "excludepkgs") == 0)
		r->excludes = join(r, r->excludes, value);
}

static void on_setting(const char *section, const char *name, const char *value, void *arg)
{
	struct rpm_repos *r = arg;
	uint64_t number;
	if (strcmp(section, "main") == 0 || !section[0]) {
		on_main(r, name, value);
		return;
	}
	struct rpm_repo *repo = get_repo(r, section);
	if (!repo)
		return;
	if (strcmp(name, "enabled") == 0)
		repo->enabled = ini_is_yes(value);
	else if (strcmp(name, "priority") == 0 && fw_parse_u64(value, &number) == 0)
		repo->priority = number == 0 ? 1 : number < INT32_MAX ? (int)number : INT32_MAX;
	else if (strcmp(name, "exclude") == 0 || strcmp(name, "excludepkgs") == 0)
		repo->excludes = join(r, repo->excludes, value);
	else if (strcmp(name, "includepkgs") == 0)
		repo->includes = join(r, repo->includes, value);
	else if (strcmp(name, "module_hotfixes") == 0)
		repo->hotfixes = ini_is_yes(value);
	else if (strcmp(name, "baseurl") == 0)
		repo->medium = is_medium(value);
}

static int read_settings(struct rpm_repos *r, struct machine *m, const char *path)
{
	struct fw_cursor c;
	int rc = rpmrepos_mix_file(&r->fingerprint, m, path);
	if (rc == 0)
		rc = machine_read(m, path, &c);
	if (rc == 0)
		ini_read(c, on_setting, r);
	return rc;
}

struct folder {
	struct rpm_repos *repos;
	const char *path;
};

static int on_definition(struct machine *m, const char *name, void *arg)
{
	const struct folder *folder = arg;
	char path[PATH_BYTES];
	const char *dot = strrchr(name, '.');
	if (!dot || strcmp(dot, ".repo") != 0)
		return 0;
	snprintf(path, sizeof path, "%s/%s", folder->path, name);
	read_settings(folder->repos, m, path);
	return 0;
}

static int read_definitions(struct rpm_repos *r, struct machine *m, const char *path)
{
	return machine_list(m, path, on_definition, &(struct folder){r, path});
}

static void on_plugin(const char *section, const char *name, const char *value, void *arg)
{
	if (strcmp(section, "main") == 0 && strcmp(name, "enabled") == 0)
		*(bool *)arg = ini_is_yes(value);
}

/* yum follows priorities only with its plugin. */
static bool has_priorities(struct rpm_repos *r, struct machine *m, bool dnf)
{
	static const char plugin[] = "etc/yum/pluginconf.d/priorities.conf";
	struct fw_cursor c;
	bool enabled = false;
	if (dnf || r->zypp)
		return true;
	if (rpmrepos_mix_file(&r->fingerprint, m, plugin) == 0 && machine_read(m, plugin, &c) == 0)
		ini_read(c, on_plugin, &enabled);
	return enabled;
}

static void define(struct rpm_repos *r, struct machine *m)
{
	bool dnf = false;
	read_definitions(r, m, "etc/zypp/repos.d");
	r->zypp = r->n > 0;
	if (!r->zypp) {
		dnf = read_settings(r, m, "etc/dnf/dnf.conf") == 0;
		if (!dnf)
			read_settings(r, m, "etc/yum.conf");
		read_definitions(r, m, "etc/yum.repos.d");
	}
	drop_disabled(r);
	bool follow = has_priorities(r, m, dnf);
	for (size_t i = 0; i < r->n && !follow; i++)
		r->repos[i].priority = RPM_PRIORITY;
}

/* ---- caches ---- */

/* The folder may hold what was fetched of this repository. */
static void offer(struct rpm_repo *repo, struct rpm_repos *r, struct machine *m, const char *path)
{
	struct machine_file file;
	char index[PATH_BYTES];
	snprintf(index, sizeof index, "%s/repomd.xml", path);
	if (machine_stat(m, index, &file) < 0 || (repo->cache && file.mtime_ms <= repo->index_ms))
		return;
	repo->cache = fw_arena_strdup(&r->text, path);
	repo->index_ms = file.mtime_ms;
}

static bool is_hash(const char *text)
{
	return strlen(text) == HASH_LENGTH && strspn(text, "0123456789abcdef") == HASH_LENGTH;
}

static int on_dnf_folder(struct machine *m, const char *name, void *arg)
{
	const struct folder *folder = arg;
	char path[PATH_BYTES];
	const char *dash = strrchr(name, '-');
	if (!dash || !is_hash(dash + 1))
		return 0;
	snprintf(path, sizeof path, "%.*s", (int)(dash - name), name);
	struct rpm_repo *repo = find_repo(folder->repos, path);
	snprintf(path, sizeof path, "%s/%s/repodata", folder->path, name);
	if (repo)
		offer(repo, folder->repos, m, path);
	return 0;
}

/* Folders of one release or architecture, with those of the repositories in them. */
static int on_yum_folder(struct machine *m, const char *name, void *arg)
{
	const struct folder *folder = arg;
	char path[PATH_BYTES];
	snprintf(path, sizeof path, "%s/%s", folder->path, name);
	struct rpm_repo *repo = find_repo(folder->repos, name);
	if (repo)
		offer(repo, folder->repos, m, path);
	else if (strchr(folder->path + strlen(YUM), '/') ==
		strrchr(folder->path + strlen(YUM), '/'))
		machine_list(m, path, on_yum_folder, &(struct folder){folder->repos, path});
	return 0;
}

/* In a folder's name zypper writes _ for what no name of a file may have. */
static void offer_zypp(struct rpm_repo *repo, struct rpm_repos *r, struct machine *m)
{
	char path[PATH_BYTES];
	int length = snprintf(path, sizeof path, "var/cache/zypp/raw/%s/repodata", repo->id);
	if (length < 0 || (size_t)length >= sizeof path)
		return;
	char *alias = path + strlen("var/cache/zypp/raw/");
	for (size_t i = 0; repo->id[i]; i++)
		if (alias[i] == '/')
			alias[i] = '_';
	offer(repo, r, m, path);
}

static void find_caches(struct rpm_repos *r, struct machine *m)
{
	static const char *const dnf[] = {"var/cache/dnf", "var/cache/libdnf5"};
	if (r->zypp) {
		for (size_t i = 0; i < r->n; i++)
			offer_zypp(&r->repos[i], r, m);
		return;
	}
	for (size_t i = 0; i < COUNT(dnf); i++)
		machine_list(m, dnf[i], on_dnf_folder, &(struct folder){r, dnf[i]});
	machine_list(m, YUM, on_yum_folder, &(struct folder){r, YUM});
}

/* ---- their index ---- */

struct index {
	struct rpm_repos *repos;
	struct rpm_repo *repo;
	int type; /* of the file that is being told of; -1: none that counts */
	const char *names[RPM_FILES];
};

static const char *const types[RPM_FILES] = {
	[RPM_PRIMARY] = "primary",
	[RPM_PRIMARY_DB] = "primary_db",
	[RPM_UPDATEINFO] = "updateinfo",
	[RPM_MODULES] = "modules",
};

static void on_index_start(const char *name, const char *const *attributes, void *arg)
{
	struct index *index = arg;
	if (strcmp(name, "data") == 0) {
		index->type = -1;
		for (int i = 0; i < RPM_FILES; i++)
			if (strcmp(xml_attribute(attributes, "type"), types[i]) == 0)
				index->type = i;
	} else if (strcmp(name, "location") == 0 && index->type >= 0) {
		const char *href = xml_attribute(attributes, "href"), *slash = strrchr(href, '/');
		index->names[index->type] =
			fw_arena_strdup(&index->repos->text, slash ? slash + 1 : href);
	}
}

static void on_index_end(const char *name, const char *text, void *arg)
{
	struct index *index = arg;
	struct fw_cursor c = {text, text + strlen(text)};
	int64_t at_s;
	if (strcmp(name, "timestamp") == 0 && index->type >= 0 && fw_cut_i64(&c, &at_s) &&
		at_s > index->repo->date_s)
		index->repo->date_s = at_s;
}

static int read_index(struct index *index, struct machine *m)
{
	static const struct xml_reader reader = {on_index_start, on_index_end};
	char path[PATH_BYTES];
	snprintf(path, sizeof path, "%s/repomd.xml", index->repo->cache);
	int fd = fw_openat(m->root, path, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0)
		return fd;
	struct fw_unpack *u = fw_unpack_new(fd, path);
	int rc = xml_read(u, &reader, index);
	fw_unpack_free(u);
	fw_close(fd);
	return rc;
}

/* What was fetched under the name of the index, or what yum made of it. */
static void find_file(struct index *index, struct machine *m, int type)
{
	struct rpm_repo *repo = index->repo;
	const char *name = index->names[type];
	char path[PATH_BYTES];
	repo->lost[type] = name != NULL;
	if (!name)
		return;
	snprintf(path, sizeof path, "%s/%s", repo->cache, name);
	if (rpmrepos_mix_file(&index->repos->fingerprint, m, path) < 0 && type == RPM_PRIMARY_DB)
		snprintf(path, sizeof path, "%s/gen/primary_db.sqlite", repo->cache);
	if (rpmrepos_mix_file(&index->repos->fingerprint, m, path) < 0)
		return;
	repo->files[type] = fw_arena_strdup(&index->repos->text, path);
	repo->lost[type] = false;
}

static int64_t later_of(int64_t at_ms, struct machine *m, const char *path)
{
	struct machine_file file;
	return machine_stat(m, path, &file) == 0 && file.mtime_ms > at_ms ? file.mtime_ms : at_ms;
}

/* Looking for news touches one of these, also where there are none: the index (zypper),
 * the list of packages (dnf), yum's cookie in the folder or zypper's beside it. */
static int64_t find_fetch_s(const struct rpm_repo *repo, struct machine *m)
{
	char path[PATH_BYTES];
	int64_t latest_ms = repo->index_ms;
	snprintf(path, sizeof path, "%s/cachecookie", repo->cache);
	latest_ms = later_of(latest_ms, m, path);
	snprintf(path, sizeof path, "%.*s/cookie", (int)(strrchr(repo->cache, '/') - repo->cache),
		repo->cache);
	latest_ms = later_of(latest_ms, m, path);
	if (repo->files[RPM_PRIMARY])
		latest_ms = later_of(latest_ms, m, repo->files[RPM_PRIMARY]);
	return latest_ms / 1000;
}

static bool is_old(int64_t at_s, int64_t now_s)
{
	return now_s - at_s > OLD_S || at_s - now_s > AHEAD_S;
}

static void read_cache(struct rpm_repos *r, struct rpm_repo *repo, struct machine *m)
{
	struct index index = {.repos = r, .repo = repo, .type = -1};
	if (!repo->cache) {
		repo->why = "none";
		return;
	}
	int rc = read_index(&index, m);
	for (int type = 0; rc == 0 && type < RPM_FILES; type++)
		find_file(&index, m, type);
	repo->fetched_s = repo->medium ? 0 : find_fetch_s(repo, m);
	if (rc < 0)
		repo->why = "unreadable";
	else if (!repo->files[RPM_PRIMARY] && !repo->files[RPM_PRIMARY_DB])
		repo->why = "none";
	else if (repo->lost[RPM_MODULES])
		repo->why = "modules";
	else if (!repo->medium && is_old(repo->fetched_s, m->now_ms / 1000))
		repo->why = "old";
}

static int by_priority(const void *a, const void *b)
{
	const struct rpm_repo *x = a, *y = b;
	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	return strcmp(x->id, y->id);
}

struct rpm_repos *rpmrepos_read(struct machine *m)
{
	struct rpm_repos *r = fw_alloc(sizeof *r);
	r->fingerprint = 14695981039346656037u;
	define(r, m);
	find_caches(r, m);
	if (r->n)
		qsort(r->repos, r->n, sizeof *r->repos, by_priority);
	for (size_t i = 0; i < r->n; i++) {
		struct rpm_repo *repo = &r->repos[i];
		read_cache(r, repo, m);
		rpmrepos_mix(&r->fingerprint, repo->id, strlen(repo->id) + 1);
		rpmrepos_mix(&r->fingerprint, &repo->index_ms, sizeof repo->index_ms);
		if (repo->why)
			rpmrepos_mix(&r->fingerprint, repo->why, strlen(repo->why));
	}
	return r;
}

void rpmrepos_free(struct rpm_repos *r)
{
	if (!r)
		return;
	fw_arena_done(&r->text);
	fw_free(r);
}

void rpmrepos_mix(uint64_t *fingerprint, const void *data, size_t length)
{
	for (size_t i = 0; i < length; i++)
		*fingerprint = (*fingerprint ^ ((const uint8_t *)data)[i]) * 1099511628211u;
}

int rpmrepos_mix_file(uint64_t *fingerprint, struct machine *m, const char *path)
{
	struct machine_file file;
	int rc = machine_stat(m, path, &file);
	rpmrepos_mix(fingerprint, path, strlen(path) + 1);
	if (rc == 0)
		rpmrepos_mix(fingerprint, &file, sizeof file);
	return rc;
}
