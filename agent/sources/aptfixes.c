/* SPDX-License-Identifier: Apache-2.0 */
#include "aptfixes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/mem.h>
#include <fenwatch/versions.h>

#include "os.h"
#include "parse.h"

#define KEY_BYTES (APT_TEXT + 33)

enum { CANDIDATE, SOURCE, ORIGIN, CLASS, NEEDS, LISTED, SINCE, FIELDS };

static const char *const names[FIELDS] = {
	[CANDIDATE] = "candidate",
	[SOURCE] = "source",
	[ORIGIN] = "origin",
	[CLASS] = "class",
	[NEEDS] = "needs",
	[LISTED] = "listed",
	[SINCE] = "since",
};

/* An item of the table before, as far as it is carried on. */
struct earlier {
	const char *key, *fields[FIELDS];
	bool is_pending; /* still */
};

struct table {
	const struct apt *apt;
	const struct aptfixes *from;
	struct document *out;
	struct fw_arena text;
	struct earlier *earlier; /* by key */
	size_t n_earlier, capacity;
	const char *reboot_packages; /* names of packages, line by line; Ubuntu has it */
	bool has_kernel;             /* the one that waits is told of already */
};

/* ---- the table before ---- */

static int on_earlier(const struct fw_item *item, void *arg)
{
	struct table *t = arg;
	if (t->n_earlier == t->capacity) {
		t->capacity = t->capacity ? 2 * t->capacity : 64;
		t->earlier = fw_realloc(t->earlier, t->capacity * sizeof *t->earlier);
	}
	struct earlier *e = &t->earlier[t->n_earlier++];
	*e = (struct earlier){.key = fw_arena_strdup(&t->text, item->key)};
	for (size_t i = 0; i < FIELDS; i++)
		e->fields[i] = fw_arena_strdup(&t->text, fw_item_value(item, names[i]));
	return 0;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct earlier *)a)->key, ((const struct earlier *)b)->key);
}

static struct earlier *find_earlier(const struct table *t, const char *key)
{
	const struct earlier wanted = {.key = key};
	return t->n_earlier ? bsearch(&wanted, t->earlier, t->n_earlier, sizeof wanted, by_key)
			    : NULL;
}

/* ---- what is pending ---- */

static int64_t date_before(const struct table *t, const struct apt_origin *origin)
{
	const struct apt_summary *before = t->from->before;
	for (uint32_t i = 0; before && i < before->n_origins; i++)
		if (strcmp(before->origins[i].text, origin->text) == 0 &&
			strcmp(before->origins[i].arch, origin->arch) == 0)
			return before->origins[i].date_s;
	return 0;
}

static bool is_kernel(const char *name)
{
	return strncmp(name, "linux-image", strlen("linux-image")) == 0;
}

static const char *state_of(const struct apt_fix *fix)
{
	return fix->held ? "held" : fix->phased ? "phased" : "pending";
}

/* What was never installed is not done by a newer candidate. */
static const char *since_of(const struct earlier *e, bool same)
{
	if (!e || same || e->fields[SINCE][0] || strcmp(e->fields[CLASS], "bugfix") == 0)
		return e ? e->fields[SINCE] : "";
	return e->fields[LISTED];
}

static void on_fix(const struct apt_fix *fix, void *arg)
{
	struct table *t = arg;
	char key[KEY_BYTES], listed[24] = "";
	snprintf(key, sizeof key, "%s:%s", fix->name, fix->arch);
	struct earlier *e = find_earlier(t, key);
	bool same = e && strcmp(e->fields[CANDIDATE], fix->candidate) == 0;
	int64_t date_s = same ? 0 : date_before(t, fix->origin);
	if (date_s > 0)
		snprintf(listed, sizeof listed, "%" PRIi64, date_s);
	if (e)
		e->is_pending = true;
	document_item(t->out, key);
	document_field(t->out, "installed", fix->installed);
	document_field(t->out, "candidate", fix->candidate);
	document_field(t->out, "source", fix->source);
	document_field(t->out, "origin", fix->origin->text);
	document_field(t->out, "class", apt_classes[fix->class]);
	document_field(t->out, "needs", is_kernel(fix->name) ? "reboot" : "");
	document_field(t->out, "state", state_of(fix));
	document_field(t->out, "listed", same ? e->fields[LISTED] : listed);
	document_field(t->out, "since", since_of(e, same));
}

/* ---- what is installed, and not at work ---- */

static bool asks_for_reboot(const struct table *t, const char *name)
{
	size_t length = strlen(name);
	for (const char *at = t->reboot_packages; at && *at;) {
		size_t line = strcspn(at, "\n");
		if (line == length && strncmp(at, name, length) == 0)
			return true;
		at += line + (at[line] == '\n');
	}
	return false;
}

/* A kernel's metapackage stands for the kernel that it brought. */
static bool is_unfinished(const struct table *t, const char *name)
{
	if (is_kernel(name))
		return t->from->kernel != NULL;
	return t->from->reboot_flag && asks_for_reboot(t, name);
}

static void give_unfinished(
	struct table *t, const char *key, const char *version, const struct earlier *e)
{
	document_item(t->out, key);
	document_field(t->out, "installed", version);
	document_field(t->out, "candidate", e ? e->fields[CANDIDATE] : version);
	document_field(t->out, "source", e ? e->fields[SOURCE] : "");
	document_field(t->out, "origin", e ? e->fields[ORIGIN] : "");
	document_field(t->out, "class", e ? e->fields[CLASS] : "unknown");
	document_field(t->out, "needs", "reboot");
	document_field(t->out, "state", "unfinished");
	document_field(t->out, "listed", e ? e->fields[LISTED] : "");
	document_field(t->out, "since", e ? e->fields[SINCE] : "");
}

static void carry_on(struct table *t, const struct earlier *e)
{
	char name[KEY_BYTES];
	const char *colon = strrchr(e->key, ':');
	if (e->is_pending || !colon || (size_t)(colon - e->key) >= sizeof name)
		return;
	memcpy(name, e->key, (size_t)(colon - e->key));
	name[colon - e->key] = '\0';
	const char *installed = apt_installed(t->apt, name, colon + 1);
	if (!installed || fw_debversion_compare(installed, e->fields[CANDIDATE]) < 0 ||
		!is_unfinished(t, name))
		return;
	t->has_kernel = t->has_kernel || is_kernel(name);
	give_unfinished(t, e->key, installed, e);
}

/* Installed before the first read, so that no table tells when. */
static void give_kernel(struct table *t, const struct apt_kernel *kernel)
{
	char key[KEY_BYTES];
	snprintf(key, sizeof key, "%s:%s", kernel->package, kernel->arch);
	const struct earlier *e = find_earlier(t, key);
	if (!e || !e->is_pending)
		give_unfinished(t, key, kernel->version, NULL);
}

static void give_proof(struct table *t, struct machine *m)
{
	char fetched[24], id[OS_TEXT], version[OS_TEXT];
	snprintf(fetched, sizeof fetched, "%" PRIi64, t->from->fetched_s);
	document_item(t->out, "source/apt");
	document_field(t->out, "state", t->from->why ? "unproven" : "ok");
	document_field(t->out, "why", t->from->why ? t->from->why : "");
	document_field(t->out, "fetched", t->from->fetched_s ? fetched : "");
	if (os_identify(m, id, version) < 0)
		return;
	document_item(t->out, "os");
	document_field(t->out, "id", id);
	document_field(t->out, "version", version);
}

void aptfixes_give(const struct apt *a, struct machine *m, const struct aptfixes *from)
{
	struct table t = {.apt = a, .from = from, .out = document_begin(m, "patches")};
	struct fw_cursor c;
	if (!t.out)
		return;
	document_made_from(t.out, from->made_from);
	document_before(m, "patches", on_earlier, &t);
	if (t.n_earlier)
		qsort(t.earlier, t.n_earlier, sizeof *t.earlier, by_key);
	if (machine_read(m, "run/reboot-required.pkgs", &c) == 0)
		t.reboot_packages = fw_arena_strndup(&t.text, c.at, (size_t)(c.end - c.at));
	apt_fixes(a, on_fix, &t);
	for (size_t i = 0; i < t.n_earlier; i++)
		carry_on(&t, &t.earlier[i]);
	if (from->kernel && !t.has_kernel)
		give_kernel(&t, from->kernel);
	give_proof(&t, m);
	fw_free(t.earlier);
	fw_arena_done(&t.text);
}
