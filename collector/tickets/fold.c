/* SPDX-License-Identifier: Apache-2.0 */
#include "fold.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <fenwatch/mem.h>

/* What is said of a ticket by the collector's own rule on tickets is no ticket. */
#define RULE_ON_TICKETS "TargetAtRisk"

/* An episode. Its texts lie in what entries have said of it. */
struct row {
	struct ticket ticket;
	struct row *next; /* in the order in which they fired */
	char *key;
	json_t *fired, *assigned, *told, *due, *responder, *pause;
};

struct fold {
	void *by_episode; /* tsearch's */
	struct row *first, **last;
};

/* ---- finding ---- */

static int by_episode(const void *a, const void *b)
{
	const struct ticket *one = a, *other = b;
	int order = strcmp(one->key, other->key);
	return order ? order
		     : (one->starts_ms > other->starts_ms) - (one->starts_ms < other->starts_ms);
}

static struct row *find(const struct fold *fold, const char *key, int64_t starts_ms)
{
	const struct ticket wanted = {.key = key, .starts_ms = starts_ms};
	struct row **node = tfind(&wanted, &fold->by_episode, by_episode);
	return node ? *node : NULL;
}

struct fold *fold_new(void)
{
	struct fold *fold = fw_alloc(sizeof *fold);
	fold->last = &fold->first;
	return fold;
}

static void free_row(struct row *row)
{
	json_decref(row->fired);
	json_decref(row->assigned);
	json_decref(row->told);
	json_decref(row->due);
	json_decref(row->responder);
	json_decref(row->pause);
	fw_free(row->key);
	fw_free(row);
}

void fold_free(struct fold *fold)
{
	while (fold && fold->first) {
		struct row *row = fold->first;
		fold->first = row->next;
		tdelete(&row->ticket, &fold->by_episode, by_episode);
		free_row(row);
	}
	fw_free(fold);
}

/* ---- what entries say ---- */

static const char *text(const json_t *object, const char *name)
{
	const char *value = json_string_value(json_object_get(object, name));
	return value ? value : "";
}

static int64_t number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

/* Holds `detail`, whose texts the ticket points into from now on. */
static const json_t *keep(json_t **place, json_t *detail)
{
	json_t *before = *place;
	*place = json_incref(detail);
	json_decref(before);
	return detail;
}

/* Tickets of three months are kept in memory, and labels, texts of remedies and what the register
 * says are the most of them; nobody asks for these here. */
static void trim(json_t *detail)
{
	static const char *const asked[] = {"summary", "priority", "tier", "site", "supplier"};
	json_t *all = json_object_get(detail, "annotations"), *few = json_object();
	for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
		json_object_set(few, asked[i], json_object_get(all, asked[i]));
	json_object_set_new(detail, "annotations", few);
	json_object_del(detail, "labels");
}

static void set_assigned(struct ticket *t, const json_t *annotations)
{
	t->summary = text(annotations, "summary");
	t->priority = text(annotations, "priority");
	t->tier = text(annotations, "tier");
	t->site = text(annotations, "site");
	t->supplier = text(annotations, "supplier");
}

static void on_fired(struct row *row, const struct audit_entry *entry, json_t *detail)
{
	trim(detail);
	const json_t *annotations = json_object_get(keep(&row->fired, detail), "annotations");
	struct ticket *t = &row->ticket;
	(void)entry;
	t->rule = text(detail, "rule");
	t->instance = text(detail, "instance");
	t->severity = text(detail, "severity");
	set_assigned(t, annotations);
	t->feed = t->receipt = t->responder = t->target = t->paused = "";
}

/* Before it was raised: what was agreed is of whose it is by then. */
static void on_assigned(struct row *row, const struct audit_entry *entry, json_t *detail)
{
	(void)entry;
	if (row->ticket.raised_ms)
		return;
	trim(detail);
	set_assigned(&row->ticket, json_object_get(keep(&row->assigned, detail), "annotations"));
}

static bool is_worked_on(const struct ticket *t)
{
	return t->responded_ms || t->restored_ms || t->paused_since_ms || t->paused_ms;
}

/* The ticket is that of the first feed that gives it a number, a desk's, and raised when that
 * said yes; until one does, of the first that heard of it. Clocks of what somebody works on
 * already stay as they are. */
static void on_told(struct row *row, const struct audit_entry *entry, json_t *detail)
{
	struct ticket *t = &row->ticket;
	bool is_first = !t->raised_ms, is_numbered = !*t->receipt && *text(detail, "receipt");
	if ((!is_first && !is_numbered) || strcmp(text(detail, "notice"), "open") != 0 ||
		strcmp(t->rule, RULE_ON_TICKETS) == 0)
		return;
	keep(&row->told, detail);
	t->feed = text(detail, "feed");
	t->receipt = text(detail, "receipt");
	if (!is_first && is_worked_on(t))
		return;
	t->raised_ms = entry->at_ms;
	t->is_judged = false;
}

static void on_due(struct row *row, const struct audit_entry *entry, json_t *detail)
{
	(void)entry;
	keep(&row->due, detail);
	for (size_t i = 0; i < TICKET_CLOCKS; i++)
		row->ticket.due_ms[i] = number(detail, ticket_clock_names[i]);
	row->ticket.target = text(detail, "target");
	row->ticket.is_judged = true;
}

static void on_taken_up(struct row *row, const struct audit_entry *entry, json_t *detail)
{
	(void)detail;
	if (row->ticket.responded_ms)
		return;
	json_t *who = json_string(entry->who);
	row->ticket.responder = who ? json_string_value(keep(&row->responder, who)) : "";
	json_decref(who);
	row->ticket.responded_ms = entry->at_ms;
}

static void count_pause(struct ticket *t, int64_t until_ms)
{
	if (t->paused_since_ms && until_ms > t->paused_since_ms)
		t->paused_ms += until_ms - t->paused_since_ms;
	t->paused = "";
}

static void on_paused(struct row *row, const struct audit_entry *entry, json_t *detail)
{
	row->ticket.paused = text(keep(&row->pause, detail), "reason");
	row->ticket.paused_since_ms = entry->at_ms;
}

static void on_resumed(struct row *row, const struct audit_entry *entry, json_t *detail)
{
	(void)detail;
	count_pause(&row->ticket, entry->at_ms);
	row->ticket.paused_since_ms = 0;
}

/* What is over keeps the targets that it had: they are not made anew of a later register. */
static void on_cleared(struct row *row, const struct audit_entry *entry, json_t *detail)
{
	(void)entry;
	row->ticket.is_judged = row->ticket.is_judged || row->due;
	row->ticket.restored_ms = number(detail, "ends");
	count_pause(&row->ticket, row->ticket.restored_ms);
}

static void on_resolved(struct row *row, const struct audit_entry *entry, json_t *detail)
{
	(void)detail;
	if (!row->ticket.resolved_ms)
		row->ticket.resolved_ms = entry->at_ms;
}

static const struct {
	const char *kind;
	void (*apply)(struct row *row, const struct audit_entry *entry, json_t *detail);
} kinds[] = {
	{"fired", on_fired},
	{"assigned", on_assigned},
	{"told", on_told},
	{"due", on_due},
	{"accepted", on_taken_up},
	{"acknowledged", on_taken_up},
	{"paused", on_paused},
	{"resumed", on_resumed},
	{"cleared", on_cleared},
	{"resolved", on_resolved},
};

static struct row *add(struct fold *fold, const char *key, int64_t starts_ms)
{
	struct row *row = fw_alloc(sizeof *row);
	row->key = fw_strdup(key);
	row->ticket.key = row->key;
	row->ticket.starts_ms = starts_ms;
	tsearch(&row->ticket, &fold->by_episode, by_episode);
	*fold->last = row;
	fold->last = &row->next;
	return row;
}

static void apply(struct fold *fold, size_t kind, const struct audit_entry *entry, json_t *detail)
{
	int64_t starts_ms = number(detail, "starts");
	struct row *row = find(fold, entry->subject, starts_ms);
	if (!row && kinds[kind].apply == on_fired)
		row = add(fold, entry->subject, starts_ms);
	if (row)
		kinds[kind].apply(row, entry, detail);
}

void fold_apply(struct fold *fold, const struct audit_entry *entry)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (strcmp(kinds[i].kind, entry->kind) != 0)
			continue;
		json_t *detail = json_loads(entry->detail, 0, NULL);
		if (detail)
			apply(fold, i, entry, detail);
		json_decref(detail);
		return;
	}
}

/* ---- what came of it ---- */

const struct ticket *fold_newest(const struct fold *fold, const char *key)
{
	const struct ticket *newest = NULL;
	for (const struct row *row = fold->first; row; row = row->next)
		if (row->ticket.raised_ms && strcmp(row->key, key) == 0)
			newest = &row->ticket;
	return newest;
}

void fold_each(
	const struct fold *fold, void (*each)(const struct ticket *ticket, void *arg), void *arg)
{
	for (const struct row *row = fold->first; row; row = row->next)
		if (row->ticket.raised_ms)
			each(&row->ticket, arg);
}

static bool is_over(const struct ticket *ticket, int64_t over_ms)
{
	return ticket->restored_ms && ticket->restored_ms < over_ms;
}

void fold_forget(struct fold *fold, int64_t over_ms)
{
	struct row **link = &fold->first;
	while (*link) {
		struct row *row = *link;
		if (!is_over(&row->ticket, over_ms)) {
			link = &row->next;
			continue;
		}
		*link = row->next;
		tdelete(&row->ticket, &fold->by_episode, by_episode);
		free_row(row);
	}
	fold->last = link;
}
