/* SPDX-License-Identifier: Apache-2.0 */
#include "patches.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "os.h"

enum {
	CANDIDATE,
	SOURCE,
	ORIGIN,
	CLASS,
	LISTED,
	SINCE,
	SEVERITY,
	ADVISORY,
	RELEASED,
	DATE,
	FIELDS,
};

static const char *const names[FIELDS] = {
	[CANDIDATE] = "candidate",
	[SOURCE] = "source",
	[ORIGIN] = "origin",
	[CLASS] = "class",
	[LISTED] = "listed",
	[SINCE] = "since",
	[SEVERITY] = "severity",
	[ADVISORY] = "advisory",
	[RELEASED] = "released",
	[DATE] = "date",
};

/* An item of the table before, as far as it is carried on. */
struct earlier {
	const char *key, *fields[FIELDS];
	bool is_given;
};

struct patches {
	struct document *out;
	struct fw_arena text;
	struct earlier *earlier; /* by key */
	size_t n_earlier, capacity;
};

static int on_earlier(const struct fw_item *item, void *arg)
{
	struct patches *t = arg;
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

static struct earlier *find_earlier(const struct patches *t, const char *key)
{
	const struct earlier wanted = {.key = key};
	return t->n_earlier ? bsearch(&wanted, t->earlier, t->n_earlier, sizeof wanted, by_key)
			    : NULL;
}

struct patches *patches_begin(struct machine *m, uint64_t made_from)
{
	struct document *out = document_begin(m, "patches");
	if (!out)
		return NULL;
	struct patches *t = fw_alloc(sizeof *t);
	t->out = out;
	document_made_from(out, made_from);
	document_before(m, "patches", on_earlier, t);
	if (t->n_earlier)
		qsort(t->earlier, t->n_earlier, sizeof *t->earlier, by_key);
	return t;
}

static void put(const struct patches *t, const char *name, const char *value)
{
	document_field(t->out, name, value ? value : "");
}

static void put_time(const struct patches *t, const char *name, int64_t at_s)
{
	char text[24];
	snprintf(text, sizeof text, "%" PRIi64, at_s);
	put(t, name, at_s > 0 ? text : "");
}

/* What was never installed is not done by a newer candidate. */
static const char *since_of(const struct earlier *e, bool same)
{
	if (!e || same || e->fields[SINCE][0] || strcmp(e->fields[CLASS], "bugfix") == 0)
		return e ? e->fields[SINCE] : "";
	return e->fields[LISTED];
}

static struct earlier *begin_item(struct patches *t, const char *name, const char *arch)
{
	char *key = fw_format("%s:%s", name, arch);
	struct earlier *e = find_earlier(t, key);
	document_item(t->out, key);
	fw_free(key);
	if (e)
		e->is_given = true;
	return e;
}

void patches_add(struct patches *t, const struct patch *patch)
{
	if (!t)
		return;
	const struct earlier *e = begin_item(t, patch->name, patch->arch);
	bool same = e && strcmp(e->fields[CANDIDATE], patch->candidate) == 0;
	put(t, "installed", patch->installed);
	put(t, "candidate", patch->candidate);
	put(t, "source", patch->source);
	put(t, "origin", patch->origin);
	put(t, "class", patch->class);
	put(t, "needs", patch->needs_reboot ? "reboot" : "");
	put(t, "state", patch->state);
	if (same)
		put(t, "listed", e->fields[LISTED]);
	else
		put_time(t, "listed", patch->date_before_s);
	put(t, "since", since_of(e, same));
	put(t, "severity", patch->severity);
	put(t, "advisory", patch->advisory);
	put_time(t, "released", patch->released_s);
	put(t, "replaces", patch->replaces);
	put_time(t, "waits", patch->waits_s);
}

/* `services` is NULL where the whole machine has to be restarted. */
static bool add_waiting(struct patches *t, const char *name, const char *arch, const char *version,
	int64_t waits_s, const char *services)
{
	if (!t)
		return false;
	char *key = fw_format("%s:%s", name, arch);
	const struct earlier *before = find_earlier(t, key);
	fw_free(key);
	if (before && before->is_given)
		return false;
	const struct earlier *e = begin_item(t, name, arch);
	put(t, "installed", version);
	put(t, "candidate", e ? e->fields[CANDIDATE] : version);
	put(t, "source", e ? e->fields[SOURCE] : "");
	put(t, "origin", e ? e->fields[ORIGIN] : "");
	put(t, "class", e ? e->fields[CLASS] : "unknown");
	put(t, "needs", services ? "restart" : "reboot");
	put(t, "services", services);
	put(t, "state", "unfinished");
	for (size_t i = LISTED; e && i <= RELEASED; i++)
		put(t, names[i], e->fields[i]);
	put_time(t, "waits", waits_s);
	return true;
}

bool patches_add_unfinished(
	struct patches *t, const char *name, const char *arch, const char *version, int64_t waits_s)
{
	return add_waiting(t, name, arch, version, waits_s, NULL);
}

bool patches_add_unrestarted(struct patches *t, const char *name, const char *arch,
	const char *version, int64_t waits_s, const char *services)
{
	return add_waiting(t, name, arch, version, waits_s, services);
}

void patches_each_before(
	struct patches *t, void (*each)(const struct patch_before *before, void *arg), void *arg)
{
	for (size_t i = 0; t && i < t->n_earlier; i++) {
		const struct earlier *e = &t->earlier[i];
		const char *colon = strrchr(e->key, ':');
		if (e->is_given || !colon)
			continue;
		char *name = fw_strndup(e->key, (size_t)(colon - e->key));
		each(&(struct patch_before){name, colon + 1, e->fields[CANDIDATE]}, arg);
		fw_free(name);
	}
}

void patches_add_proof(
	struct patches *t, const char *source, const char *why, int64_t fetched_s, int64_t date_s)
{
	if (!t)
		return;
	char *key = fw_format("source/%s", source);
	document_item(t->out, key);
	fw_free(key);
	put(t, "state", why ? "unproven" : "ok");
	put(t, "why", why);
	put_time(t, "fetched", fetched_s);
	put_time(t, "date", date_s);
}

int64_t patches_date_before(const struct patches *t, const char *source)
{
	if (!t)
		return 0;
	char *key = fw_format("source/%s", source);
	const struct earlier *e = find_earlier(t, key);
	uint64_t date_s;
	fw_free(key);
	return e && fw_parse_u64(e->fields[DATE], &date_s) == 0 ? (int64_t)date_s : 0;
}

void patches_end(struct patches *t, struct machine *m)
{
	char id[OS_TEXT], version[OS_TEXT];
	if (!t)
		return;
	if (os_identify(m, id, version) == 0) {
		document_item(t->out, "os");
		put(t, "id", id);
		put(t, "version", version);
	}
	fw_free(t->earlier);
	fw_arena_done(&t->text);
	fw_free(t);
}
