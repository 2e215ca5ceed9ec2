/* SPDX-License-Identifier: Apache-2.0 */
#include "tickets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>
#include <fenwatch/loop.h>

#include "audit.h"
#include "fold.h"
#include "register.h"
#include "state.h"

#define LOOK_MS 2000
#define DAY_MS INT64_C(86400000)
#define OPEN_DAYS 90 /* a ticket that is open for longer is found in reports alone */
#define NAME_LEAST 8 /* characters of a key that is given in part */
#define SHOWN_DAYS 7 /* after the fault was gone */

const char *const ticket_pause_reasons[] = {"user", "third-party", "access", "agreed", NULL};

struct tickets {
	struct tickets_config config;
	struct fold *fold;
	int64_t read_id; /* the newest entry that the fold has */
	uv_timer_t timer;
	void (*on_closed)(void *arg);
	void *arg;
};

/* ---- targets ---- */

static bool find_target(
	const struct tickets *tickets, const struct ticket *ticket, struct register_target *out)
{
	const struct register_fault fault = {
		ticket->supplier, ticket->site, ticket->tier, ticket->priority};
	return tickets->config.registry && register_target(tickets->config.registry, &fault, out);
}

/* ---- writing to the trail ---- */

/* Takes the detail. */
static int write_entry(struct tickets *tickets, const struct ticket *ticket, int64_t now_ms,
	const char *kind, const char *who, json_t *detail, struct fw_err *err)
{
	json_object_set_new(detail, "starts", json_integer(ticket->starts_ms));
	const struct audit_entry entry = {
		.at_ms = now_ms, .kind = kind, .subject = ticket->key, .who = who};
	return audit_add_object(tickets->config.state, &entry, detail, err);
}

static int write_due(struct tickets *tickets, const struct ticket *ticket, int64_t now_ms,
	const struct register_target *target, const int64_t due_ms[TICKET_CLOCKS],
	struct fw_err *err)
{
	json_t *detail = json_object();
	for (size_t i = 0; i < TICKET_CLOCKS; i++)
		json_object_set_new(detail, ticket_clock_names[i], json_integer(due_ms[i]));
	json_object_set_new(detail, "target",
		target->file ? json_sprintf("%s, line %u", target->file, target->line)
			     : json_string(ticket->target));
	return write_entry(tickets, ticket, now_ms, "due", "", detail, err);
}

/* ---- following the trail ---- */

static bool on_entry(const struct audit_entry *entry, void *arg)
{
	struct tickets *tickets = arg;
	fold_apply(tickets->fold, entry);
	tickets->read_id = entry->id;
	return true;
}

static int follow(struct tickets *tickets, int64_t from_ms, struct fw_err *err)
{
	const struct audit_range range = {.after_id = tickets->read_id, .from_ms = from_ms};
	return audit_each(tickets->config.state, &range, on_entry, tickets, err);
}

struct look {
	struct tickets *tickets;
	int64_t now_ms;
	int rc;
	struct fw_err *err;
};

static int64_t due_of(const struct register_target *target, int64_t from_ms, int64_t work_ms)
{
	return work_ms ? calendar_after_ms(target->calendar, from_ms, work_ms) : 0;
}

/* Once of each ticket, also of one without targets. */
static void set_due(const struct ticket *ticket, void *arg)
{
	struct look *look = arg;
	struct register_target target = {0};
	if (look->rc < 0 || ticket->is_judged)
		return;
	find_target(look->tickets, ticket, &target);
	const int64_t due_ms[] = {due_of(&target, ticket->raised_ms, target.respond_ms),
		due_of(&target, ticket->raised_ms, target.resolve_ms)};
	look->rc = write_due(look->tickets, ticket, look->now_ms, &target, due_ms, look->err);
}

static void count_unjudged(const struct ticket *ticket, void *arg)
{
	*(size_t *)arg += !ticket->is_judged;
}

/* In one transaction: thousands may be raised at once, and each one's fdatasync would hold
 * the loop up. */
static int judge_all(struct look *look)
{
	struct state *state = look->tickets->config.state;
	size_t unjudged = 0;
	fold_each(look->tickets->fold, count_unjudged, &unjudged);
	if (unjudged == 0)
		return 0;
	int rc = state_begin(state, look->err);
	if (rc < 0)
		return rc;
	fold_each(look->tickets->fold, set_due, look);
	return state_finish(state, look->rc, look->err);
}

static void tell_risk(const struct ticket *ticket, void *arg)
{
	struct look *look = arg;
	const struct tickets_config *config = &look->tickets->config;
	for (enum ticket_clock clock = 0; clock < TICKET_CLOCKS; clock++) {
		enum ticket_standing standing = ticket_standing(ticket, clock, look->now_ms);
		if (!ticket_ended_ms(ticket, clock) && !ticket->paused_since_ms &&
			(standing == TICKET_AT_RISK || standing == TICKET_MISSED))
			config->on_risk(ticket, clock, config->arg);
	}
}

int tickets_look(struct tickets *tickets, int64_t now_ms, struct fw_err *err)
{
	struct look look = {tickets, now_ms, 0, err};
	int rc = follow(tickets, INT64_MIN, err);
	if (rc == 0)
		rc = judge_all(&look);
	if (rc == 0)
		rc = follow(tickets, INT64_MIN, err);
	fold_forget(tickets->fold, now_ms - SHOWN_DAYS * DAY_MS);
	if (rc == 0 && tickets->config.on_risk)
		fold_each(tickets->fold, tell_risk, &look);
	return rc;
}

static void on_timer(uv_timer_t *timer)
{
	struct tickets *tickets = timer->data;
	struct fw_err err;
	if (tickets_look(tickets, fw_wall_ms(), &err) < 0)
		fw_log(FW_WARNING, "tickets: %s", err.text);
}

/* ---- pauses ---- */

struct meaning {
	const char *name;
	const struct ticket *ticket; /* the newest one */
	bool is_vague;
};

static bool is_meant(const struct ticket *ticket, const char *name)
{
	size_t length = strlen(name);
	return strcmp(ticket->key, name) == 0 || strcmp(ticket->receipt, name) == 0 ||
		(length >= NAME_LEAST && strncmp(ticket->key, name, length) == 0);
}

static void look_for_meant(const struct ticket *ticket, void *arg)
{
	struct meaning *meaning = arg;
	if (!*meaning->name || !is_meant(ticket, meaning->name))
		return;
	if (meaning->ticket && strcmp(meaning->ticket->key, ticket->key) != 0)
		meaning->is_vague = true;
	if (!meaning->ticket || ticket->starts_ms > meaning->ticket->starts_ms)
		meaning->ticket = ticket;
}

/* As acknowledgements are given: by the key, the beginning of it, or the desk's number. */
static int find_meant(
	struct tickets *tickets, const char *name, const struct ticket **out, struct fw_err *err)
{
	struct meaning meaning = {.name = name};
	*out = fold_newest(tickets->fold, name);
	if (*out)
		return 0;
	fold_each(tickets->fold, look_for_meant, &meaning);
	*out = meaning.ticket;
	if (meaning.is_vague)
		return fw_fail(
			err, -EINVAL, "several tickets begin with '%.60s': say more of it", name);
	return *out ? 0 : fw_fail(err, -ENOENT, "there is no ticket '%.60s'", name);
}

static int find_open(struct tickets *tickets, const char *key, int64_t now_ms,
	const struct ticket **out, struct fw_err *err)
{
	int rc = tickets_look(tickets, now_ms, err);
	if (rc < 0)
		return rc;
	rc = find_meant(tickets, key, out, err);
	if (rc < 0)
		return rc;
	return (*out)->restored_ms
		? fw_fail(err, -EALREADY, "the fault of ticket '%s' is gone", key)
		: 0;
}

static bool is_reason(const char *reason)
{
	for (size_t i = 0; ticket_pause_reasons[i]; i++)
		if (strcmp(ticket_pause_reasons[i], reason) == 0)
			return true;
	return false;
}

int tickets_pause(struct tickets *tickets, const char *key, const char *reason, const char *who,
	int64_t now_ms, struct fw_err *err)
{
	const struct ticket *ticket;
	int rc = find_open(tickets, key, now_ms, &ticket, err);
	if (rc < 0)
		return rc;
	if (!is_reason(reason))
		return fw_fail(err, -EINVAL,
			"a ticket is paused for user, third-party, access or agreed, not '%s'",
			reason);
	if (ticket->paused_since_ms)
		return fw_fail(err, -EALREADY, "ticket '%s' is paused already, for %s", key,
			ticket->paused);
	rc = write_entry(
		tickets, ticket, now_ms, "paused", who, json_pack("{ss}", "reason", reason), err);
	return rc < 0 ? rc : follow(tickets, INT64_MIN, err);
}

/* What was left of the hours when it was paused is left now. */
static int move_due(
	struct tickets *tickets, const struct ticket *ticket, int64_t now_ms, struct fw_err *err)
{
	struct register_target target;
	int64_t due_ms[TICKET_CLOCKS], since_ms = ticket->paused_since_ms;
	int64_t from_ms = now_ms > since_ms ? now_ms : since_ms; /* a clock may be set back */
	if (!*ticket->target)
		return 0;
	/* What was agreed may have left the register meanwhile. */
	if (!find_target(tickets, ticket, &target))
		target = (struct register_target){.calendar = &calendar_always};
	for (size_t i = 0; i < TICKET_CLOCKS; i++) {
		due_ms[i] = ticket->due_ms[i];
		if (due_ms[i] > since_ms && due_ms[i] != INT64_MAX)
			due_ms[i] = calendar_after_ms(target.calendar, from_ms,
				calendar_worked_ms(target.calendar, since_ms, due_ms[i]));
	}
	return write_due(tickets, ticket, now_ms, &target, due_ms, err);
}

static int resume(struct tickets *tickets, const struct ticket *ticket, const char *who,
	int64_t now_ms, struct fw_err *err)
{
	int rc = state_begin(tickets->config.state, err);
	if (rc < 0)
		return rc;
	rc = write_entry(tickets, ticket, now_ms, "resumed", who, json_object(), err);
	if (rc == 0)
		rc = move_due(tickets, ticket, now_ms, err);
	return state_finish(tickets->config.state, rc, err);
}

int tickets_resume(struct tickets *tickets, const char *key, const char *who, int64_t now_ms,
	struct fw_err *err)
{
	const struct ticket *ticket;
	int rc = find_open(tickets, key, now_ms, &ticket, err);
	if (rc < 0)
		return rc;
	if (!ticket->paused_since_ms)
		return fw_fail(err, -EALREADY, "ticket '%s' is not paused", key);
	rc = resume(tickets, ticket, who, now_ms, err);
	return rc < 0 ? rc : follow(tickets, INT64_MIN, err);
}

/* ---- lists ---- */

struct list {
	struct fw_arena *arena;
	struct ticket *items; /* NULL: they are counted */
	size_t n;
	int64_t from_ms, until_ms; /* raised within */
};

static void copy_texts(struct ticket *ticket, struct fw_arena *arena)
{
	const char **texts[] = {&ticket->key, &ticket->rule, &ticket->instance, &ticket->severity,
		&ticket->summary, &ticket->priority, &ticket->tier, &ticket->site,
		&ticket->supplier, &ticket->feed, &ticket->receipt, &ticket->responder,
		&ticket->target, &ticket->paused};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		*texts[i] = fw_arena_strdup(arena, *texts[i]);
}

static void put(const struct ticket *ticket, void *arg)
{
	struct list *list = arg;
	if (ticket->raised_ms < list->from_ms || ticket->raised_ms >= list->until_ms)
		return;
	if (list->items) {
		list->items[list->n] = *ticket;
		copy_texts(&list->items[list->n], list->arena);
	}
	list->n++;
}

static int by_raising(const void *a, const void *b)
{
	const struct ticket *one = a, *other = b;
	if (one->raised_ms != other->raised_ms)
		return one->raised_ms < other->raised_ms ? -1 : 1;
	return strcmp(one->key, other->key);
}

static int latest_first(const void *a, const void *b)
{
	return by_raising(b, a);
}

static void list_all(struct list *list, const struct fold *fold)
{
	fold_each(fold, put, list);
	list->items = fw_arena_alloc(list->arena, (list->n + 1) * sizeof *list->items);
	list->n = 0;
	fold_each(fold, put, list);
}

void tickets_list(struct tickets *tickets, struct fw_arena *arena, struct ticket **out, size_t *n)
{
	struct list list = {.arena = arena, .from_ms = INT64_MIN, .until_ms = INT64_MAX};
	list_all(&list, tickets->fold);
	qsort(list.items, list.n, sizeof *list.items, latest_first);
	*out = list.items;
	*n = list.n;
}

static bool on_past_entry(const struct audit_entry *entry, void *arg)
{
	fold_apply(arg, entry);
	return true;
}

int tickets_of(struct state *state, int64_t from_ms, int64_t until_ms, int64_t at_ms,
	struct fw_arena *arena, struct ticket **out, size_t *n, struct fw_err *err)
{
	/* What was raised then has fired before, and may have been tried for days. */
	const struct audit_range range = {
		.from_ms = from_ms - OPEN_DAYS * DAY_MS, .until_ms = at_ms + 1};
	struct list list = {.arena = arena, .from_ms = from_ms, .until_ms = until_ms};
	struct fold *fold = fold_new();
	int rc = audit_each(state, &range, on_past_entry, fold, err);
	if (rc == 0) {
		list_all(&list, fold);
		qsort(list.items, list.n, sizeof *list.items, by_raising);
	}
	fold_free(fold);
	*out = list.items;
	*n = list.n;
	return rc;
}

/* ---- life ---- */

int tickets_open(struct tickets **out, const struct tickets_config *config, struct fw_err *err)
{
	int rc = audit_open(config->state, err);
	if (rc < 0)
		return rc;
	struct tickets *tickets = fw_alloc(sizeof *tickets);
	tickets->config = *config;
	tickets->fold = fold_new();
	rc = follow(tickets, fw_wall_ms() - OPEN_DAYS * DAY_MS, err);
	if (rc < 0) {
		fold_free(tickets->fold);
		fw_free(tickets);
		return rc;
	}
	uv_timer_init(config->loop, &tickets->timer);
	tickets->timer.data = tickets;
	uv_timer_start(&tickets->timer, on_timer, LOOK_MS, LOOK_MS);
	*out = tickets;
	return 0;
}

void tickets_set_register(struct tickets *tickets, const struct registry *registry)
{
	tickets->config.registry = registry;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct tickets *tickets = handle->data;
	void (*on_closed)(void *arg) = tickets->on_closed;
	void *arg = tickets->arg;
	fold_free(tickets->fold);
	fw_free(tickets);
	on_closed(arg);
}

void tickets_close(struct tickets *tickets, void (*on_closed)(void *arg), void *arg)
{
	tickets->on_closed = on_closed;
	tickets->arg = arg;
	uv_close((uv_handle_t *)&tickets->timer, on_timer_closed);
}
