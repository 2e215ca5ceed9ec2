/* SPDX-License-Identifier: Apache-2.0 */
#include "rpmholds.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/text.h>

#include "ini.h"
#include "parse.h"

#define PATTERNS_LIMIT 4096
#define PATTERN_BYTES 256
#define FORM_BYTES 512

enum kind { LOCK, LOCK_OUT, ZYPP_LOCK };

struct pattern {
	enum kind kind;
	const char *text;
	const char *name; /* of a LOCK, as far as it can be told from a version */
	const char *repo; /* of a ZYPP_LOCK; NULL: any */
};

struct rpm_holds {
	struct fw_arena text;
	const struct rpm_repos *repos;
	struct pattern patterns[PATTERNS_LIMIT];
	size_t n;
};

/* A package in all the ways that it can be written. */
enum { FORMS = 9 };
struct forms {
	char texts[FORMS][FORM_BYTES];
};

static void write_forms(struct forms *f, const char *name, const char *arch, const char *evr)
{
	const char *colon = strchr(evr, ':'), *vr = colon ? colon + 1 : evr;
	const char *dash = strrchr(vr, '-');
	int epoch = colon ? (int)(colon - evr) : 1, version = dash ? (int)(dash - vr) : 0;
	const char *e = colon ? evr : "0";
	snprintf(f->texts[0], FORM_BYTES, "%s", name);
	snprintf(f->texts[1], FORM_BYTES, "%s.%s", name, arch);
	snprintf(f->texts[2], FORM_BYTES, "%s-%.*s", name, version, vr);
	snprintf(f->texts[3], FORM_BYTES, "%s-%s", name, vr);
	snprintf(f->texts[4], FORM_BYTES, "%s-%s.%s", name, vr, arch);
	snprintf(f->texts[5], FORM_BYTES, "%s-%.*s:%s", name, epoch, e, vr);
	snprintf(f->texts[6], FORM_BYTES, "%s-%.*s:%s.%s", name, epoch, e, vr, arch);
	snprintf(f->texts[7], FORM_BYTES, "%.*s:%s-%s", epoch, e, name, vr);
	snprintf(f->texts[8], FORM_BYTES, "%.*s:%s-%s.%s", epoch, e, name, vr, arch);
}

static bool matches(const struct forms *f, const char *pattern)
{
	for (size_t i = 0; i < FORMS; i++)
		if (fnmatch(pattern, f->texts[i], 0) == 0)
			return true;
	return false;
}

static bool matches_any(const struct forms *f, const char *list)
{
	char pattern[PATTERN_BYTES];
	for (const char *at = list; at && *at;) {
		at += strspn(at, " \t\n,");
		size_t length = strcspn(at, " \t\n,");
		if (length > 0 && length < sizeof pattern) {
			memcpy(pattern, at, length);
			pattern[length] = '\0';
			if (matches(f, pattern))
				return true;
		}
		at += length;
	}
	return false;
}

static struct pattern *add(struct rpm_holds *h, enum kind kind, const char *text)
{
	if (h->n == PATTERNS_LIMIT || strlen(text) >= PATTERN_BYTES)
		return NULL;
	struct pattern *p = &h->patterns[h->n++];
	*p = (struct pattern){.kind = kind, .text = fw_arena_strdup(&h->text, text)};
	return p;
}

/* ---- versionlock ---- */

/* "0:httpd-2.4.6-90.el7.*" (yum) and "httpd-0:2.4.6-90.el7.*" (dnf): what stands before
 * the last two dashes. Without them the whole is a name. */
static const char *name_in(struct rpm_holds *h, const char *pattern)
{
	size_t epoch = strspn(pattern, "0123456789");
	if (pattern[epoch] == ':')
		pattern += epoch + 1;
	char *name = fw_arena_strdup(&h->text, pattern);
	char *release = strrchr(name, '-');
	if (!release)
		return name;
	*release = '\0';
	char *version = strrchr(name, '-');
	if (version)
		*version = '\0';
	else
		*release = '-';
	return name;
}

static void take_lock(struct rpm_holds *h, const char *line)
{
	bool out = line[0] == '!';
	struct pattern *p = add(h, out ? LOCK_OUT : LOCK, line + out);
	if (p && !out)
		p->name = name_in(h, line);
}

static void on_enabled(const char *section, const char *name, const char *value, void *arg)
{
	if (strcmp(section, "main") == 0 && strcmp(name, "enabled") == 0)
		*(bool *)arg = ini_is_yes(value);
}

static void read_versionlock(struct rpm_holds *h, struct machine *m, const char *settings,
	const char *list, uint64_t *fingerprint)
{
	struct fw_cursor c, line;
	bool enabled = true;
	char text[PATTERN_BYTES];
	if (rpmrepos_mix_file(fingerprint, m, settings) < 0 || machine_read(m, settings, &c) < 0)
		return;
	ini_read(c, on_enabled, &enabled);
	if (!enabled || rpmrepos_mix_file(fingerprint, m, list) < 0 ||
		machine_read(m, list, &c) < 0)
		return;
	while (fw_cut_line(&c, &line))
		if (cut_name(&line, '\n', text, sizeof text) && text[0] != '#')
			take_lock(h, text);
}

/* ---- zypper's locks ---- */

/* A stanza of "type: package", "match_type: glob", "solvable_name: kernel*". */
struct stanza {
	char name[PATTERN_BYTES], repo[PATTERN_BYTES], type[32];
	bool followed;
};

static void end_stanza(struct rpm_holds *h, struct stanza *s)
{
	if (s->name[0] && s->followed && (!s->type[0] || strcmp(s->type, "package") == 0)) {
		struct pattern *p = add(h, ZYPP_LOCK, s->name);
		if (p && s->repo[0])
			p->repo = fw_arena_strdup(&h->text, s->repo);
	}
	*s = (struct stanza){.followed = true};
}

static void take_zypp_line(struct stanza *s, struct fw_cursor line)
{
	char field[32], value[PATTERN_BYTES];
	if (!cut_name(&line, ':', field, sizeof field) ||
		!cut_name(&line, '\n', value, sizeof value))
		return;
	if (strcmp(field, "solvable_name") == 0)
		snprintf(s->name, sizeof s->name, "%s", value);
	else if (strcmp(field, "repo") == 0)
		snprintf(s->repo, sizeof s->repo, "%s", value);
	else if (strcmp(field, "type") == 0)
		snprintf(s->type, sizeof s->type, "%.31s", value);
	else if (strcmp(field, "match_type") == 0)
		s->followed =
			s->followed && (strcmp(value, "glob") == 0 || strcmp(value, "exact") == 0);
	else if (strcmp(field, "version") == 0)
		s->followed = false;
}

static void read_zypp_locks(struct rpm_holds *h, struct machine *m, uint64_t *fingerprint)
{
	static const char path[] = "etc/zypp/locks";
	struct fw_cursor c, line;
	struct stanza s = {.followed = true};
	if (rpmrepos_mix_file(fingerprint, m, path) < 0 || machine_read(m, path, &c) < 0)
		return;
	while (fw_cut_line(&c, &line)) {
		if (line.at == line.end)
			end_stanza(h, &s);
		else if (*line.at != '#')
			take_zypp_line(&s, line);
	}
	end_stanza(h, &s);
}

struct rpm_holds *rpmholds_read(
	struct machine *m, const struct rpm_repos *repos, uint64_t *fingerprint)
{
	struct rpm_holds *h = fw_alloc(sizeof *h);
	h->repos = repos;
	if (repos->zypp) {
		read_zypp_locks(h, m, fingerprint);
		return h;
	}
	read_versionlock(h, m, "etc/dnf/plugins/versionlock.conf",
		"etc/dnf/plugins/versionlock.list", fingerprint);
	read_versionlock(h, m, "etc/yum/pluginconf.d/versionlock.conf",
		"etc/yum/pluginconf.d/versionlock.list", fingerprint);
	return h;
}

void rpmholds_free(struct rpm_holds *h)
{
	if (!h)
		return;
	fw_arena_done(&h->text);
	fw_free(h);
}

/* A name of which some version is locked is held at those versions. */
static bool is_locked(const struct rpm_holds *h, const struct forms *f, const char *name)
{
	bool locked = false, is_the_one = false;
	for (size_t i = 0; i < h->n; i++) {
		const struct pattern *p = &h->patterns[i];
		if (p->kind == LOCK_OUT && matches(f, p->text))
			return true;
		if (p->kind != LOCK)
			continue;
		locked = locked || fnmatch(p->name, name, 0) == 0;
		is_the_one = is_the_one || matches(f, p->text);
	}
	return locked && !is_the_one;
}

static bool is_zypp_locked(const struct rpm_holds *h, const struct rpm_repo *repo, const char *name)
{
	for (size_t i = 0; i < h->n; i++) {
		const struct pattern *p = &h->patterns[i];
		if (p->kind == ZYPP_LOCK && (!p->repo || strcmp(p->repo, repo->id) == 0) &&
			fnmatch(p->text, name, 0) == 0)
			return true;
	}
	return false;
}

bool rpmholds_holds(const struct rpm_holds *h, const struct rpm_repo *repo, const char *name,
	const char *arch, const char *evr)
{
	struct forms f = {.texts = {""}};
	write_forms(&f, name, arch, evr);
	return matches_any(&f, h->repos->excludes) || matches_any(&f, repo->excludes) ||
		(repo->includes && !matches_any(&f, repo->includes)) || is_locked(h, &f, name) ||
		is_zypp_locked(h, repo, name);
}
