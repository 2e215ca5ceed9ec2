/* SPDX-License-Identifier: Apache-2.0 */
#include "judge.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <fenwatch/text.h>
#include <fenwatch/versions.h>

#include "advisories.h"
#include "evidence.h"
#include "inventory.h"
#include "rules.h"

#define KIND "patches"
#define SOURCE_PREFIX "source/"
#define SOURCE_APT "source/apt"
#define OS_KEY "os"
#define AHEAD_S 86400 /* clocks differ; by more than this they prove nothing */

/* A fix, and what its host says of when it came. */
struct found {
	struct patch_fix fix;
	int64_t vendor_s, listed_s, earlier_s, from_s;
};

static int64_t earlier_of(int64_t a_s, int64_t b_s)
{
	return a_s && (!b_s || a_s < b_s) ? a_s : b_s;
}

/* The table of a host on its way to a judgement. */
struct reading {
	const struct judge *judge;
	uint32_t host;
	struct found *found;
	size_t n, capacity;
	bool is_known; /* there is an item */
	bool is_apt;
	unsigned n_sources;
	const char *why, *doubted; /* the first doubt, and the source of it */
	int64_t fetched_s;
	const char *os_id, *os_version;
};

/* ---- what the inventory has ---- */

static const char *field(const struct reading *r, const json_t *fields, const char *name)
{
	const char *text = json_string_value(json_object_get(fields, name));
	return fw_arena_strdup(r->judge->arena, text ? text : "");
}

static int64_t seconds(const json_t *fields, const char *name)
{
	const char *text = json_string_value(json_object_get(fields, name));
	uint64_t value;
	return text && fw_parse_u64(text, &value) == 0 && value <= INT32_MAX * INT64_C(4)
		? (int64_t)value
		: 0;
}

/* CVSS "7.5", a number from 0 to 10. */
static double score(const json_t *fields)
{
	const char *text = json_string_value(json_object_get(fields, "cvss"));
	struct fw_cursor c = {text, text ? text + strlen(text) : NULL};
	int64_t tenths;
	return text && fw_cut_decimal(&c, 1, &tenths) && tenths >= 0 && tenths <= 100
		? (double)tenths / 10
		: 0;
}

static enum patch_class class_of(const json_t *fields)
{
	const char *text = json_string_value(json_object_get(fields, "class"));
	for (int i = 0; text && i < PATCH_CLASSES; i++)
		if (strcmp(patch_class_names[i], text) == 0)
			return (enum patch_class)i;
	return text && strcmp(text, "feature") == 0 ? PATCH_BUGFIX : PATCH_UNKNOWN;
}

static const struct {
	const char *word, *says;
} reasons[] = {
	{"base", "no repository of the base system, or of its updates"},
	{"frozen", "its lists were made too long ago"},
	{"modules", "its modules cannot be read"},
	{"partial", "processes of other users cannot be looked into; fenwatch-facts would"},
	{"security", "no list of an archive for security"},
};

static const char *reason_of(const char *why)
{
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (strcmp(reasons[i].word, why) == 0)
			return reasons[i].says;
	return *why ? why : "unproven";
}

/* The first, but that one of the parts of a source tells more than the whole. */
static void take_doubt(struct reading *r, const char *source, const char *why)
{
	if (r->why &&
		(strncmp(source, r->doubted, strlen(r->doubted)) != 0 ||
			source[strlen(r->doubted)] != '/'))
		return;
	r->doubted = fw_arena_strdup(r->judge->arena, source);
	r->why = fw_arena_format(r->judge->arena, "%s: %s", source, why);
}

static void read_source(struct reading *r, const char *key, const json_t *fields)
{
	const char *state = json_string_value(json_object_get(fields, "state"));
	const char *source = key + strlen(SOURCE_PREFIX), *why = field(r, fields, "why");
	int64_t fetched_s = seconds(fields, "fetched");
	r->n_sources++;
	r->is_apt = r->is_apt || strcmp(key, SOURCE_APT) == 0;
	if (fetched_s && (r->fetched_s == 0 || fetched_s < r->fetched_s))
		r->fetched_s = fetched_s;
	if (!state || strcmp(state, "ok") != 0)
		take_doubt(r, source, reason_of(why));
	else if (fetched_s - r->judge->now_s > AHEAD_S)
		take_doubt(r, source, "fetched at a time that has not been yet");
}

static struct found *add_found(struct reading *r)
{
	if (r->n == r->capacity) {
		r->capacity = r->capacity ? 2 * r->capacity : 64;
		r->found = fw_realloc(r->found, r->capacity * sizeof *r->found);
	}
	return &r->found[r->n++];
}

/* What is installed and waits for a restart was out when it was installed. */
static void note_waiting(struct found *f, int64_t waits_s)
{
	if (strcmp(f->fix.state, "unfinished") == 0)
		f->from_s = earlier_of(f->from_s, waits_s);
	else
		f->earlier_s = earlier_of(f->earlier_s, waits_s);
}

static void read_fix(struct reading *r, const struct inventory_item *item, const json_t *fields)
{
	struct found *f = add_found(r);
	*f = (struct found){
		.fix = {.key = fw_arena_strdup(r->judge->arena, item->key),
			.installed = field(r, fields, "installed"),
			.candidate = field(r, fields, "candidate"),
			.source = field(r, fields, "source"),
			.origin = field(r, fields, "origin"),
			.severity = field(r, fields, "severity"),
			.advisory = field(r, fields, "advisory"),
			.state = field(r, fields, "state"),
			.needs = field(r, fields, "needs"),
			.class = class_of(fields),
			.cvss = score(fields)},
		.vendor_s = seconds(fields, "released"),
		.listed_s = seconds(fields, "listed"),
		.earlier_s = seconds(fields, "since"),
		.from_s = item->from_ms / 1000,
	};
	note_waiting(f, seconds(fields, "waits"));
	if (!*f->fix.source)
		f->fix.source =
			fw_arena_strndup(r->judge->arena, item->key, strcspn(item->key, ":"));
}

static void on_item(const struct inventory_item *item, void *arg)
{
	struct reading *r = arg;
	json_t *fields = json_loads(item->fields, 0, NULL);
	r->is_known = true;
	if (strcmp(item->key, OS_KEY) == 0) {
		r->os_id = field(r, fields, "id");
		r->os_version = field(r, fields, "version");
	} else if (strncmp(item->key, SOURCE_PREFIX, strlen(SOURCE_PREFIX)) == 0) {
		read_source(r, item->key, fields);
	} else {
		read_fix(r, item, fields);
	}
	json_decref(fields);
}

static int read_host(
	struct reading *r, const struct judge *judge, uint32_t host, struct fw_err *err)
{
	*r = (struct reading){.judge = judge, .host = host, .os_id = "", .os_version = ""};
	return inventory_list(judge->inventory, host, KIND, judge->at_ms, on_item, r, err);
}

/* ---- when each fix came ---- */

struct before {
	const struct reading *reading;
	const struct patch_fix *fix;
	const char *installed;
};

/* The newest item of the key under which this candidate was still to be installed. */
static void on_before(const struct inventory_item *item, void *arg)
{
	struct before *b = arg;
	json_t *fields = json_loads(item->fields, 0, NULL);
	if (!b->installed && item->from_ms / 1000 <= b->reading->judge->now_s &&
		strcmp(field(b->reading, fields, "state"), "unfinished") != 0 &&
		strcmp(field(b->reading, fields, "candidate"), b->fix->candidate) == 0)
		b->installed = field(b->reading, fields, "installed");
	json_decref(fields);
}

/* The version that the fix took the place of; NULL: not known. */
static int find_installed(const struct reading *r, const struct patch_fix *fix,
	const char **installed, struct fw_err *err)
{
	struct before before = {r, fix, NULL};
	int rc = 0;
	*installed = fix->installed;
	if (strcmp(fix->state, "unfinished") != 0)
		return 0;
	rc = inventory_history(
		r->judge->inventory, r->host, KIND, fix->key, on_before, &before, err);
	*installed = before.installed;
	return rc;
}

/* A kernel that Debian has signed is built from the source that advisories name, and
 * "6.1.99+1" of it is 6.1.99-1 there. */
static void see_through_signing(const struct reading *r, struct advisories_match *m)
{
	static const char signed_kernel[] = "linux-signed";
	if (strncmp(m->packages[0], signed_kernel, sizeof signed_kernel - 1) != 0)
		return;
	char *candidate = fw_arena_strdup(r->judge->arena, m->candidate);
	char *plus = strrchr(candidate, '+');
	if (plus && !strchr(candidate, '-'))
		*plus = '-';
	m->candidate = candidate;
	m->packages[0] = "linux";
}

static int match_advisories(const struct reading *r, const struct support_entry *os,
	const struct patch_fix *fix, struct advisories_match *m, struct fw_err *err)
{
	struct fw_arena *arena = r->judge->arena;
	const char *name = fw_arena_strndup(arena, fix->key, strcspn(fix->key, ":"));
	*m = (struct advisories_match){
		.packages = {fix->source, strcmp(name, fix->source) != 0 ? name : NULL},
		.release = os ? os->release : NULL,
		.also = fw_arena_format(arena, "%s %s", r->os_id, r->os_version),
		.candidate = fix->candidate,
		.compare = r->is_apt ? fw_debversion_compare : fw_rpmversion_compare,
		.arena = arena,
	};
	int rc = find_installed(r, fix, &m->installed, err);
	see_through_signing(r, m);
	return rc < 0 ? rc : advisories_match(r->judge->state, m, err);
}

/* The host's own metadata has an advisory that does not say how grave it is. */
static bool is_ungraded(const struct patch_fix *fix)
{
	return *fix->advisory && fix->class != PATCH_BUGFIX &&
		!rules_is_graded(fix->severity, fix->cvss);
}

/* What an advisory says is believed where it is the graver. A mild one is no word on
 * another that says nothing: of such a bundle nobody has said that it can wait. */
static void take_advisory(struct patch_fix *fix, const struct advisories_match *m)
{
	if (m->issued_s == 0)
		return;
	bool ungraded = m->ungraded || is_ungraded(fix);
	fix->class = PATCH_SECURITY;
	if (!*fix->advisory)
		fix->advisory = m->advisory;
	if (rules_compare_severity(m->severity, fix->severity) > 0)
		fix->severity = m->severity;
	if (m->cvss > fix->cvss)
		fix->cvss = m->cvss;
	if (ungraded && !rules_is_urgent(fix->severity, fix->cvss)) {
		fix->severity = "";
		fix->cvss = 0;
	}
}

/* Lists say nothing of a version that was seen before they were made. */
static int date_fix(const struct reading *r, const struct support_entry *os, struct found *f,
	struct fw_err *err)
{
	struct advisories_match match;
	int64_t listed_s, seen_s;
	int rc = evidence_read(
		r->judge->state, f->fix.source, f->fix.candidate, &listed_s, &seen_s, err);
	if (rc == 0)
		rc = match_advisories(r, os, &f->fix, &match, err);
	if (rc < 0)
		return rc;
	take_advisory(&f->fix, &match);
	const struct rules_evidence evidence = {
		.vendor_s = f->vendor_s,
		.advisory_s = match.issued_s,
		.listed_s = listed_s > f->listed_s ? listed_s : f->listed_s,
		.earlier_s = f->earlier_s,
		.seen_s = earlier_of(seen_s, f->from_s),
	};
	rules_date(&f->fix, &evidence);
	return 0;
}

/* ---- the host ---- */

static void count_fix(struct patch_host *host, const struct patch_fix *fix, int64_t now_s)
{
	bool unfinished = strcmp(fix->state, "unfinished") == 0;
	host->unfinished += unfinished;
	host->pending += !unfinished;
	host->held += strcmp(fix->state, "held") == 0;
	host->security += fix->class == PATCH_SECURITY;
	if (host->oldest_s[fix->class] == 0 || fix->start_s < host->oldest_s[fix->class])
		host->oldest_s[fix->class] = fix->start_s;
	for (int p = 0; p < PATCH_POLICIES; p++)
		host->overdue[p] += rules_is_overdue(fix, (enum patch_policy)p, now_s);
}

static bool is_paid_for(const struct patch_options *options, const char *name)
{
	for (size_t i = 0; options && i < options->paid_support.count; i++)
		if (fnmatch(options->paid_support.items[i], name, 0) == 0)
			return true;
	return false;
}

static void judge_support(
	const struct reading *r, const struct support_entry *os, struct patch_host *host)
{
	host->os = os ? os->name
		      : fw_arena_format(r->judge->arena, "%s%s%s", r->os_id,
				*r->os_version ? " " : "", r->os_version);
	if (!os)
		return;
	host->os_listed = true;
	host->os_ended =
		r->judge->now_s >= support_end(os, is_paid_for(r->judge->options, host->name));
	memcpy(host->support_end_s, os->end_s, sizeof host->support_end_s);
}

static bool is_stale(int64_t at_s, int64_t now_s)
{
	return now_s - at_s > JUDGE_STALE_S || at_s - now_s > AHEAD_S;
}

/* The first thing that keeps the answer from being proven; NULL: nothing does. */
static const char *find_doubt(const struct reading *r, const struct patch_host *host, bool missing)
{
	int64_t now_s = r->judge->now_s;
	if (is_stale(host->heard_s, now_s))
		return "not heard from for over 3 days";
	if (!r->is_known)
		return "it has sent no list of fixes";
	if (missing)
		return "its list of fixes is not complete";
	if (r->n_sources == 0)
		return "it does not say what its list rests on";
	if (r->why)
		return r->why;
	if (!r->fetched_s)
		return "it does not say how old its package lists are";
	if (is_stale(r->fetched_s, now_s))
		return "its package lists are over 3 days old";
	return host->os_listed ? NULL : "the support of its system is not known";
}

static void note_next(struct patch_host *host, int64_t at_s, int64_t now_s)
{
	if (at_s > now_s && (host->next_s == 0 || at_s < host->next_s))
		host->next_s = at_s;
}

static void find_next(const struct reading *r, struct patch_host *host)
{
	int64_t now_s = r->judge->now_s;
	for (size_t i = 0; i < r->n; i++)
		for (size_t p = 0; p < PATCH_POLICIES; p++)
			note_next(host, r->found[i].fix.due_s[p] + 1, now_s);
	for (size_t t = 0; t < PATCH_TIERS; t++)
		note_next(host, host->support_end_s[t], now_s);
	note_next(host, host->heard_s + JUDGE_STALE_S + 1, now_s);
	note_next(host, host->fetched_s + JUDGE_STALE_S + 1, now_s);
}

static void note_missing(const struct inventory_document *document, void *arg)
{
	if (strcmp(document->kind, KIND) == 0)
		*(bool *)arg = document->missing;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct patch_fix *)a)->key, ((const struct patch_fix *)b)->key);
}

static void give_fixes(const struct reading *r, struct patch_host *host)
{
	host->n_fixes = r->n;
	host->fixes = fw_arena_alloc(r->judge->arena, (r->n + 1) * sizeof *host->fixes);
	for (size_t i = 0; i < r->n; i++)
		host->fixes[i] = r->found[i].fix;
	qsort(host->fixes, r->n, sizeof *host->fixes, by_key);
}

static int judge_reading(struct reading *r, struct patch_host *host, struct fw_err *err)
{
	const struct judge *judge = r->judge;
	const struct support_entry *os = support_find(judge->support, r->os_id, r->os_version);
	bool missing = false;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < r->n; i++) {
		rc = date_fix(r, os, &r->found[i], err);
		if (rc == 0)
			count_fix(host, &r->found[i].fix, judge->now_s);
	}
	if (rc == 0 && judge->at_ms == 0)
		rc = inventory_documents(judge->inventory, r->host, note_missing, &missing, err);
	if (rc < 0)
		return rc;
	judge_support(r, os, host);
	host->fetched_s = r->fetched_s;
	host->why = find_doubt(r, host, missing);
	find_next(r, host);
	give_fixes(r, host);
	return 1;
}

int judge_host(const struct judge *judge, const struct patch_asked *asked, struct patch_host *out,
	struct fw_err *err)
{
	struct reading r;
	struct patch_host host = {
		.host = asked->host, .name = asked->name, .heard_s = asked->heard_s};
	int rc = 0;
	if (judge->at_ms)
		rc = evidence_last_heard(
			judge->state, asked->host, judge->now_s, &host.heard_s, err);
	if (rc < 0)
		return rc;
	rc = read_host(&r, judge, asked->host, err);
	if (rc == 0 && (r.is_known || host.heard_s))
		rc = judge_reading(&r, &host, err);
	fw_free(r.found);
	if (rc > 0)
		*out = host;
	return rc;
}

int judge_each_fix(const struct judge *judge, uint32_t host,
	int (*each)(const struct judge_fix *fix, void *arg, struct fw_err *err), void *arg,
	struct fw_err *err)
{
	struct reading r;
	int rc = read_host(&r, judge, host, err);
	for (size_t i = 0; rc == 0 && i < r.n; i++) {
		const struct judge_fix fix = {
			&r.found[i].fix, r.found[i].listed_s, r.found[i].from_s};
		rc = each(&fix, arg, err);
	}
	fw_free(r.found);
	return rc;
}
