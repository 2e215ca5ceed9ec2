/* SPDX-License-Identifier: Apache-2.0 */
/* What became of tickets within a stretch of the past. A report rests on the audit trail
 * alone, read on a thread of the workers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/clock.h>

#include "parts.h"
#include "register.h"
#include "state.h"
#include "tickets.h"

#define SOON_MS (5 * 60 * 1000) /* a fault that is over by then was nobody's work */

/* ---- a stretch of the past ---- */

struct past {
	int64_t from_ms, until_ms, at_ms;
	struct ticket *tickets; /* in the order in which they were raised */
	size_t n;
};

/* The day on which a month of England's calendar begins; -EINVAL: it is none. */
static int month_day(const char *month, int64_t *day)
{
	char noon[32];
	int64_t ms;
	snprintf(noon, sizeof noon, "%.7s-01T12:00:00Z", month);
	if (fw_time_parse(noon, &ms) < 0)
		return -EINVAL;
	*day = england_day(ms);
	return 0;
}

/* "2026-11" */
static int read_month(const char *month, struct past *past)
{
	char after[32];
	int64_t first, next;
	if (strlen(month) != strlen("2026-11") || month_day(month, &first) < 0)
		return -EINVAL;
	fw_time_format(england_ms(first + 31, 12 * 60), after, sizeof after);
	if (month_day(after, &next) < 0)
		return -EINVAL;
	past->from_ms = england_ms(first, 0);
	past->until_ms = england_ms(next, 0);
	return 0;
}

/* What it is where nothing is said of it depends on what is said: a question about the past
 * has the same answer whenever it is asked. */
static int read_ends(struct request *r, struct past *past, struct fw_err *err)
{
	past->until_ms = past->at_ms;
	int rc = params_time(&r->params, "until", 0, &past->until_ms, err);
	past->from_ms = past->until_ms - INT64_C(30) * 86400000;
	return rc < 0 ? rc : params_time(&r->params, "from", 0, &past->from_ms, err);
}

/* The stretch that is asked about, and as of when: now unless said, so that a ticket of a month's
 * last day is met or missed in that month, and in no other. */
static int read_stretch(struct request *r, struct past *past, struct fw_err *err)
{
	const char *month = params_get(&r->params, "month");
	*past = (struct past){.at_ms = r->now_ms};
	int rc = params_time(&r->params, "at", 0, &past->at_ms, err);
	if (rc == 0 && past->at_ms > r->now_ms)
		return fw_fail(err, -EINVAL, "invalid parameter \"at\": it has not been yet");
	if (month && read_month(month, past) < 0)
		return fw_fail(err, -EINVAL,
			"invalid parameter \"month\": it is one such as 2026-11, not '%.50s'",
			month);
	if (!month && rc == 0)
		rc = read_ends(r, past, err);
	return rc == 0 && past->from_ms > past->until_ms
		? fw_fail(err, -EINVAL,
			  "invalid parameter \"from\": the stretch begins after its end")
		: rc;
}

/* 0, or the request is answered. */
static int read_past(struct request *r, struct past *past)
{
	struct state *state;
	struct fw_err err;
	int rc = read_stretch(r, past, &err);
	if (rc < 0) {
		request_fail_bad(r, &err);
		return rc;
	}
	rc = state_open_reader(&state, api_config(r->api)->dir, &err);
	if (rc == 0) {
		rc = tickets_of(state, past->from_ms, past->until_ms, past->at_ms, &r->arena,
			&past->tickets, &past->n, &err);
		state_close(state);
	}
	if (rc < 0)
		request_fail(r, 500, "internal", "%s", err.text);
	else
		past->n = tickets_keep(r, past->tickets, past->n);
	return rc;
}

static void write_stretch(struct json *j, const struct past *past)
{
	json_put_time(j, "from", past->from_ms);
	json_put_time(j, "until", past->until_ms);
	json_put_time(j, "at", past->at_ms);
}

/* ---- who met which target ---- */

static int by_group(const void *a, const void *b)
{
	const struct ticket *one = *(const struct ticket *const *)a;
	const struct ticket *other = *(const struct ticket *const *)b;
	int order = strcmp(one->supplier, other->supplier);
	if (order == 0)
		order = strcmp(one->site, other->site);
	return order ? order : strcmp(one->priority, other->priority);
}

static const struct ticket **pointers_to(struct request *r, const struct past *past)
{
	const struct ticket **list = fw_arena_alloc(&r->arena, (past->n + 1) * sizeof *list);
	for (size_t i = 0; i < past->n; i++)
		list[i] = &past->tickets[i];
	return list;
}

static void write_standings(struct json *j, const struct ticket *const *tickets, size_t n,
	enum ticket_clock clock, int64_t at_ms)
{
	int64_t counts[TICKET_MISSED + 1] = {0};
	for (size_t i = 0; i < n; i++)
		counts[ticket_standing(tickets[i], clock, at_ms)]++;
	json_key(j, ticket_clock_names[clock]);
	json_open(j, '{');
	json_put_int(j, "met", counts[TICKET_MET]);
	json_put_int(j, "missed", counts[TICKET_MISSED]);
	json_put_int(j, "running", counts[TICKET_RUNNING] + counts[TICKET_AT_RISK]);
	json_put_int(j, "none", counts[TICKET_UNSET]);
	json_close(j, '}');
}

static void write_agreement(
	struct json *j, const struct ticket *const *tickets, size_t n, int64_t at_ms)
{
	json_open(j, '{');
	json_put_text(j, "supplier", tickets[0]->supplier);
	json_put_text(j, "site", tickets[0]->site);
	json_put_text(j, "priority", tickets[0]->priority);
	json_put_int(j, "tickets", (int64_t)n);
	for (enum ticket_clock clock = 0; clock < TICKET_CLOCKS; clock++)
		write_standings(j, tickets, n, clock, at_ms);
	json_close(j, '}');
}

void reports_sla(struct request *r)
{
	struct past past;
	if (read_past(r, &past) < 0)
		return;
	const struct ticket **list = pointers_to(r, &past);
	qsort(list, past.n, sizeof *list, by_group);
	struct json *j = request_begin(r);
	json_open(j, '{');
	write_stretch(j, &past);
	json_key(j, "targets");
	json_open(j, '[');
	for (size_t i = 0, n; i < past.n; i += n) {
		for (n = 1; i + n < past.n && by_group(&list[i], &list[i + n]) == 0;)
			n++;
		write_agreement(j, list + i, n, past.at_ms);
	}
	json_close(j, ']');
	json_key(j, "tickets");
	tickets_write(j, past.tickets, past.n, past.at_ms);
	json_close(j, '}');
	request_end(r, NULL, 0);
}

/* ---- how many there were, and of what ---- */

static const char *rule_of(const struct ticket *ticket)
{
	return ticket->rule;
}

static const char *host_of(const struct ticket *ticket)
{
	return ticket->instance;
}

static const char *site_of(const struct ticket *ticket)
{
	return ticket->site;
}

static const char *supplier_of(const struct ticket *ticket)
{
	return ticket->supplier;
}

static const char *priority_of(const struct ticket *ticket)
{
	return ticket->priority;
}

typedef const char *(*grouping)(const struct ticket *ticket);
static const struct {
	const char *name;
	grouping of;
} groupings[] = {{"rule", rule_of}, {"host", host_of}, {"site", site_of}, {"supplier", supplier_of},
	{"priority", priority_of}};

/* NULL: the request is answered. */
static grouping read_grouping(struct request *r)
{
	const char *by = params_get(&r->params, "by");
	for (size_t i = 0; i < sizeof groupings / sizeof *groupings; i++)
		if (strcmp(by ? by : "rule", groupings[i].name) == 0)
			return groupings[i].of;
	request_fail(r, 400, "bad_data",
		"invalid parameter \"by\": it is rule, host, site, supplier or priority");
	return NULL;
}

/* What one group came to. */
struct volume {
	const char *name;
	size_t tickets, open, soon_over, again, taken_up;
	int64_t median_ms; /* from its raising until the fault was gone, of those whose is */
};

struct member {
	const struct ticket *ticket;
	const char *group;
};

static int by_group_and_key(const void *a, const void *b)
{
	const struct member *one = a, *other = b;
	int order = strcmp(one->group, other->group);
	return order ? order : strcmp(one->ticket->key, other->ticket->key);
}

static int by_number(const void *a, const void *b)
{
	int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;
	return (one > other) - (one < other);
}

static int most_first(const void *a, const void *b)
{
	const struct volume *one = a, *other = b;
	if (one->tickets != other->tickets)
		return one->tickets > other->tickets ? -1 : 1;
	return strcmp(one->name, other->name);
}

static int64_t lasted_ms(const struct ticket *ticket)
{
	int64_t ms = ticket->restored_ms - ticket->raised_ms;
	return ms > 0 ? ms : 0;
}

/* Members of one group, those of one alert side by side; `room` has a place for each. */
static struct volume volume_of(const struct member *members, size_t n, int64_t *room)
{
	struct volume volume = {.name = members[0].group, .tickets = n};
	size_t over = 0;
	for (size_t i = 0; i < n; i++) {
		const struct ticket *ticket = members[i].ticket;
		volume.open += ticket->restored_ms == 0;
		volume.taken_up += ticket->responded_ms != 0;
		volume.again += i > 0 && strcmp(members[i - 1].ticket->key, ticket->key) == 0;
		volume.soon_over +=
			ticket->restored_ms && ticket->restored_ms - ticket->starts_ms < SOON_MS;
		if (ticket->restored_ms)
			room[over++] = lasted_ms(ticket);
	}
	qsort(room, over, sizeof *room, by_number);
	volume.median_ms = over ? room[over / 2] : 0;
	return volume;
}

static size_t count_volumes(
	struct request *r, const struct past *past, grouping of, struct volume **out)
{
	struct member *members = fw_arena_alloc(&r->arena, (past->n + 1) * sizeof *members);
	struct volume *volumes = fw_arena_alloc(&r->arena, (past->n + 1) * sizeof *volumes);
	int64_t *room = fw_arena_alloc(&r->arena, (past->n + 1) * sizeof *room);
	size_t count = 0;
	for (size_t i = 0; i < past->n; i++)
		members[i] = (struct member){&past->tickets[i], of(&past->tickets[i])};
	qsort(members, past->n, sizeof *members, by_group_and_key);
	for (size_t i = 0, n; i < past->n; i += n) {
		for (n = 1; i + n < past->n && strcmp(members[i].group, members[i + n].group) == 0;)
			n++;
		volumes[count++] = volume_of(members + i, n, room);
	}
	qsort(volumes, count, sizeof *volumes, most_first);
	*out = volumes;
	return count;
}

static void write_volume(struct json *j, const struct volume *volume)
{
	json_open(j, '{');
	json_put_text(j, "name", volume->name);
	json_put_int(j, "tickets", (int64_t)volume->tickets);
	json_put_int(j, "open", (int64_t)volume->open);
	json_put_int(j, "taken_up", (int64_t)volume->taken_up);
	json_put_int(j, "again", (int64_t)volume->again);
	json_put_int(j, "soon_over", (int64_t)volume->soon_over);
	json_put_int(j, "median_s", volume->median_ms / 1000);
	json_close(j, '}');
}

void reports_volumes(struct request *r)
{
	struct volume *volumes;
	struct past past;
	grouping of = read_grouping(r);
	if (!of || read_past(r, &past) < 0)
		return;
	size_t n = count_volumes(r, &past, of, &volumes);
	struct json *j = request_begin(r);
	json_open(j, '{');
	write_stretch(j, &past);
	json_put_int(j, "tickets", (int64_t)past.n);
	json_key(j, "groups");
	json_open(j, '[');
	for (size_t i = 0; i < n; i++)
		write_volume(j, &volumes[i]);
	json_close(j, ']');
	json_close(j, '}');
	request_end(r, NULL, 0);
}
