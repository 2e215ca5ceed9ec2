/* SPDX-License-Identifier: Apache-2.0 */
/* A ticket's life by the trail: clocks, calendars, pauses, and reports of the past. */
#include "tickets.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/clock.h>
#include <fenwatch/file.h>

#include "audit.h"
#include "register.h"
#include "state.h"
#include "test_tree.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)

static const char targets[] = "suppliers: [{name: Contoso, calendar: office}]\n"
			      "targets:\n"
			      "  - {tier: blue-light, respond: 15m, resolve: 4h, calendar: 24x7}\n"
			      "  - {supplier: Contoso, respond: 15m, resolve: 4h}\n";

struct stage {
	char dir[64];
	uv_loop_t loop;
	struct state *state;
	struct registry *registry;
	struct tickets *tickets;
	struct fw_arena arena;
	unsigned risks[TICKET_CLOCKS];
	bool closed;
};

static int64_t at(const char *time)
{
	int64_t ms;
	if (fw_time_parse(time, &ms) < 0)
		fail_msg("'%s' is no time", time);
	return ms;
}

static void must(int rc, const struct fw_err *err)
{
	if (rc < 0)
		fail_msg("%s", err->text);
}

static void on_risk(const struct ticket *ticket, enum ticket_clock clock, void *arg)
{
	(void)ticket;
	((struct stage *)arg)->risks[clock]++;
}

static void open_tickets(struct stage *stage)
{
	struct fw_err err;
	const struct tickets_config config = {.loop = &stage->loop,
		.state = stage->state,
		.registry = stage->registry,
		.on_risk = on_risk,
		.arg = stage};
	must(tickets_open(&stage->tickets, &config, &err), &err);
}

static void on_closed(void *arg)
{
	((struct stage *)arg)->closed = true;
}

static void close_tickets(struct stage *stage)
{
	stage->closed = false;
	tickets_close(stage->tickets, on_closed, stage);
	while (!stage->closed)
		uv_run(&stage->loop, UV_RUN_ONCE);
}

static int set_up(void **arg)
{
	struct stage *stage = fw_alloc(sizeof *stage);
	struct fw_err err;
	char path[128];
	snprintf(stage->dir, sizeof stage->dir, "/tmp/fenwatch-tickets-XXXXXX");
	assert_non_null(mkdtemp(stage->dir));
	snprintf(path, sizeof path, "%s/targets.yml", stage->dir);
	must(fw_file_replace(path, targets, strlen(targets), 0600, &err), &err);
	must(register_load(&stage->registry, stage->dir, &err), &err);
	must(state_open(&stage->state, stage->dir, &err), &err);
	uv_loop_init(&stage->loop);
	open_tickets(stage);
	*arg = stage;
	return 0;
}

static int tear_down(void **arg)
{
	struct stage *stage = *arg;
	close_tickets(stage);
	uv_loop_close(&stage->loop);
	state_close(stage->state);
	register_drop(stage->registry);
	fw_arena_done(&stage->arena);
	int rc = test_remove_tree(stage->dir);
	fw_free(stage);
	return rc;
}

/* ---- what happens ---- */

static void add_entry(struct stage *stage, const struct audit_entry *entry)
{
	struct fw_err err;
	must(audit_add(stage->state, entry, &err), &err);
}

static void happens(struct stage *stage, const char *time, const char *kind, const char *who,
	const char *detail)
{
	add_entry(stage,
		&(struct audit_entry){.at_ms = at(time),
			.kind = kind,
			.subject = "fw1-a",
			.who = who,
			.detail = detail});
}

static void happens_to(struct stage *stage, const char *key, const char *time, const char *kind,
	const char *detail)
{
	add_entry(stage,
		&(struct audit_entry){.at_ms = at(time),
			.kind = kind,
			.subject = key,
			.who = "",
			.detail = detail});
}

/* Episode 7 of alert fw1-a, of a host of Contoso's and of this tier. */
static void raise_ticket(struct stage *stage, const char *time, const char *tier)
{
	char detail[256];
	snprintf(detail, sizeof detail,
		"{\"starts\":7,\"rule\":\"DiskFailing\",\"instance\":\"web01\",\"severity\":\"critical\","
		"\"annotations\":{\"priority\":\"P1\",\"supplier\":\"Contoso\",\"tier\":\"%s\"}}",
		tier);
	happens(stage, time, "fired", "", detail);
	happens(stage, time, "told", "",
		"{\"starts\":7,\"feed\":\"desk\",\"notice\":\"open\",\"receipt\":\"INC0042\"}");
}

static struct ticket ticket_at(struct stage *stage, const char *time)
{
	struct fw_err err;
	struct ticket *list;
	size_t n;
	must(tickets_look(stage->tickets, at(time), &err), &err);
	tickets_list(stage->tickets, &stage->arena, &list, &n);
	assert_int_equal(n, 1);
	return list[0];
}

static void expect(struct stage *stage, const char *time, enum ticket_clock clock,
	enum ticket_standing standing)
{
	struct ticket ticket = ticket_at(stage, time);
	const char *found = ticket_standing_names[ticket_standing(&ticket, clock, at(time))];
	if (strcmp(found, ticket_standing_names[standing]) != 0)
		fail_msg("%s: %s is %s", time, ticket_clock_names[clock], found);
}

/* ---- tests ---- */

/* 17:55 on England's clock, the Thursday before Good Friday. */
static void a_fault_before_good_friday(void **arg)
{
	static const struct {
		const char *tier, *respond, *resolve;
	} cases[] = {
		{"standard", "2026-04-07T07:10:00Z", "2026-04-07T10:55:00Z"},
		{"blue-light", "2026-04-02T17:10:00Z", "2026-04-02T20:55:00Z"},
	};
	struct stage *stage = *arg;
	for (size_t i = 0; i < 2; i++) {
		tear_down(arg);
		set_up(arg);
		stage = *arg;
		raise_ticket(stage, "2026-04-02T16:55:00Z", cases[i].tier);
		struct ticket ticket = ticket_at(stage, "2026-04-02T16:55:01Z");
		assert_string_equal(ticket.receipt, "INC0042");
		assert_int_equal(ticket.due_ms[TICKET_RESPOND], at(cases[i].respond));
		assert_int_equal(ticket.due_ms[TICKET_RESOLVE], at(cases[i].resolve));
	}
	assert_string_equal(ticket_at(stage, "2026-04-02T16:56:00Z").target, "targets.yml, line 3");
}

static void a_target_is_at_risk_before_it_is_missed(void **arg)
{
	struct stage *stage = *arg;
	raise_ticket(stage, "2026-06-01T10:00:00Z", "blue-light");
	expect(stage, "2026-06-01T10:11:00Z", TICKET_RESPOND, TICKET_RUNNING);
	assert_int_equal(stage->risks[TICKET_RESPOND], 0);
	expect(stage, "2026-06-01T10:13:00Z", TICKET_RESPOND, TICKET_AT_RISK);
	assert_int_equal(stage->risks[TICKET_RESPOND], 1);
	happens(stage, "2026-06-01T10:14:00Z", "acknowledged", "jo", "{\"starts\":7}");
	expect(stage, "2026-06-01T11:00:00Z", TICKET_RESPOND, TICKET_MET);
	expect(stage, "2026-06-01T14:00:01Z", TICKET_RESOLVE, TICKET_MISSED);
	assert_int_equal(stage->risks[TICKET_RESPOND], 1);
	assert_int_equal(stage->risks[TICKET_RESOLVE], 1);
	assert_string_equal(ticket_at(stage, "2026-06-01T14:00:02Z").responder, "jo");
}

static void a_fault_that_is_gone_needs_no_response(void **arg)
{
	char detail[64];
	struct stage *stage = *arg;
	raise_ticket(stage, "2026-06-01T10:00:00Z", "blue-light");
	snprintf(detail, sizeof detail, "{\"starts\":7,\"ends\":%lld}",
		(long long)at("2026-06-01T10:10:00Z"));
	happens(stage, "2026-06-01T10:10:00Z", "cleared", "", detail);
	happens(stage, "2026-06-01T12:00:00Z", "accepted", "feed desk", "{\"starts\":7}");
	expect(stage, "2026-06-01T20:00:00Z", TICKET_RESPOND, TICKET_MET);
	expect(stage, "2026-06-01T20:00:00Z", TICKET_RESOLVE, TICKET_MET);
	assert_int_equal(stage->risks[TICKET_RESOLVE], 0);
}

static void a_pause_stops_the_clocks(void **arg)
{
	struct stage *stage = *arg;
	struct fw_err err;
	raise_ticket(stage, "2026-06-01T08:00:00Z", "standard"); /* Monday, 09:00 */
	must(tickets_pause(stage->tickets, "fw1-a", "user", "jo", at("2026-06-01T09:00:00Z"), &err),
		&err);
	assert_int_equal(tickets_pause(stage->tickets, "fw1-a", "user", "jo",
				 at("2026-06-01T09:01:00Z"), &err),
		-EALREADY);
	expect(stage, "2026-06-02T17:00:00Z", TICKET_RESOLVE, TICKET_RUNNING);
	must(tickets_resume(stage->tickets, "fw1-a", "jo", at("2026-06-02T16:00:00Z"), &err), &err);
	/* Three hours are left at 17:00 on Tuesday: one of them then, two on Wednesday. */
	struct ticket ticket = ticket_at(stage, "2026-06-02T16:00:01Z");
	assert_int_equal(ticket.due_ms[TICKET_RESOLVE], at("2026-06-03T09:00:00Z"));
	assert_int_equal(ticket.paused_ms, 31 * HOUR_MS);
	/* The response was late before the pause, and stays so. */
	expect(stage, "2026-06-02T16:00:01Z", TICKET_RESPOND, TICKET_MISSED);
}

static void a_fault_that_goes_while_it_is_paused_is_in_time(void **arg)
{
	struct stage *stage = *arg;
	struct fw_err err;
	char detail[64];
	raise_ticket(stage, "2026-06-01T10:00:00Z", "blue-light");
	must(tickets_pause(stage->tickets, "fw1-a", "user", "jo", at("2026-06-01T10:05:00Z"), &err),
		&err);
	happens(stage, "2026-06-01T12:00:00Z", "accepted", "feed desk", "{\"starts\":7}");
	expect(stage, "2026-06-01T12:00:01Z", TICKET_RESPOND, TICKET_MET);
	snprintf(detail, sizeof detail, "{\"starts\":7,\"ends\":%lld}",
		(long long)at("2026-06-03T10:05:00Z"));
	happens(stage, "2026-06-03T10:05:00Z", "cleared", "", detail);
	expect(stage, "2026-06-03T10:06:00Z", TICKET_RESOLVE, TICKET_MET);
	struct ticket ticket = ticket_at(stage, "2026-06-03T10:06:00Z");
	assert_int_equal(ticket.paused_ms, 48 * HOUR_MS);
	assert_string_equal(ticket.paused, "");
}

static void a_clock_set_back_in_a_pause_takes_no_time_away(void **arg)
{
	struct stage *stage = *arg;
	struct fw_err err;
	raise_ticket(stage, "2026-06-01T10:00:00Z", "blue-light");
	must(tickets_pause(stage->tickets, "fw1-a", "user", "jo", at("2026-06-01T10:05:00Z"), &err),
		&err);
	must(tickets_resume(stage->tickets, "fw1-a", "jo", at("2026-06-01T09:00:00Z"), &err), &err);
	assert_int_equal(ticket_at(stage, "2026-06-01T10:06:00Z").due_ms[TICKET_RESOLVE],
		at("2026-06-01T14:00:00Z"));
}

static void a_pause_counts_also_when_the_target_has_left_the_register(void **arg)
{
	struct stage *stage = *arg;
	struct fw_err err;
	raise_ticket(stage, "2026-06-01T10:00:00Z", "blue-light");
	must(tickets_pause(stage->tickets, "fw1-a", "user", "jo", at("2026-06-01T10:05:00Z"), &err),
		&err);
	tickets_set_register(stage->tickets, NULL);
	must(tickets_resume(stage->tickets, "fw1-a", "jo", at("2026-06-01T11:05:00Z"), &err), &err);
	struct ticket ticket = ticket_at(stage, "2026-06-01T11:06:00Z");
	assert_int_equal(ticket.due_ms[TICKET_RESOLVE], at("2026-06-01T15:00:00Z"));
	assert_string_equal(ticket.target, "targets.yml, line 3");
}

/* As an acknowledgement names it: by what its key begins with, or the desk's number. */
static void a_ticket_goes_by_several_names(void **arg)
{
	static const char key[] = "fw1-0123456789abcdef0123456789abcdef";
	static const char other[] = "fw1-0123ffffffffffffffffffffffffffff";
	static const char fired[] = "{\"starts\":7,\"rule\":\"A\",\"instance\":\"web01\","
				    "\"severity\":\"critical\",\"annotations\":{}}";
	struct stage *stage = *arg;
	struct fw_err err;
	int64_t now_ms = at("2026-06-01T11:00:00Z");
	happens_to(stage, key, "2026-06-01T10:00:00Z", "fired", fired);
	happens_to(stage, key, "2026-06-01T10:00:00Z", "told",
		"{\"starts\":7,\"feed\":\"desk\",\"notice\":\"open\",\"receipt\":\"INC0042\"}");
	happens_to(stage, other, "2026-06-01T10:00:00Z", "fired", fired);
	happens_to(stage, other, "2026-06-01T10:00:00Z", "told",
		"{\"starts\":7,\"feed\":\"desk\",\"notice\":\"open\",\"receipt\":\"\"}");
	must(tickets_pause(stage->tickets, "INC0042", "user", "jo", now_ms, &err), &err);
	must(tickets_resume(stage->tickets, "fw1-01234", "jo", now_ms + 1, &err), &err);
	assert_int_equal(
		tickets_pause(stage->tickets, "fw1-0123", "user", "jo", now_ms, &err), -EINVAL);
	assert_non_null(strstr(err.text, "several tickets"));
	assert_int_equal(
		tickets_pause(stage->tickets, "fw1-012", "user", "jo", now_ms, &err), -ENOENT);
}

static void mistakes_with_pauses_are_named(void **arg)
{
	struct stage *stage = *arg;
	struct fw_err err;
	int64_t now_ms = at("2026-06-01T10:00:00Z");
	raise_ticket(stage, "2026-06-01T10:00:00Z", "standard");
	assert_int_equal(
		tickets_pause(stage->tickets, "fw1-b", "user", "jo", now_ms, &err), -ENOENT);
	assert_int_equal(
		tickets_pause(stage->tickets, "fw1-a", "lunch", "jo", now_ms, &err), -EINVAL);
	assert_non_null(strstr(err.text, "not 'lunch'"));
	assert_int_equal(tickets_pause(stage->tickets, "", "user", "jo", now_ms, &err), -ENOENT);
	assert_int_equal(tickets_resume(stage->tickets, "fw1-a", "jo", now_ms, &err), -EALREADY);
	happens(stage, "2026-06-01T10:10:00Z", "cleared", "",
		"{\"starts\":7,\"ends\":1780309800000}");
	assert_int_equal(
		tickets_pause(stage->tickets, "fw1-a", "user", "jo", now_ms, &err), -EALREADY);
}

static void a_restart_forgets_nothing(void **arg)
{
	struct stage *stage = *arg;
	char now[32];
	fw_time_format(fw_wall_ms(), now, sizeof now);
	raise_ticket(stage, now, "standard");
	int64_t due_ms = ticket_at(stage, now).due_ms[TICKET_RESOLVE];
	assert_true(due_ms > 0);
	close_tickets(stage);
	open_tickets(stage);
	assert_int_equal(ticket_at(stage, now).due_ms[TICKET_RESOLVE], due_ms);
}

static void a_kill_between_raising_and_target_loses_no_target(void **arg)
{
	struct stage *stage = *arg;
	char now[32];
	fw_time_format(fw_wall_ms(), now, sizeof now);
	close_tickets(stage);
	raise_ticket(stage, now, "standard");
	open_tickets(stage);
	assert_true(ticket_at(stage, now).due_ms[TICKET_RESOLVE] > 0);
}

static enum ticket_standing resolved_as_of(struct stage *stage, const char *time, size_t expected)
{
	struct ticket *list;
	struct fw_err err;
	size_t n;
	must(tickets_of(stage->state, at("2026-06-01T00:00:00Z"), at("2026-07-01T00:00:00Z"),
		     at(time), &stage->arena, &list, &n, &err),
		&err);
	assert_int_equal(n, expected);
	return n ? ticket_standing(&list[0], TICKET_RESOLVE, at(time)) : TICKET_UNSET;
}

static void the_past_does_not_change(void **arg)
{
	struct stage *stage = *arg;
	raise_ticket(stage, "2026-06-30T10:00:00Z", "blue-light");
	ticket_at(stage, "2026-06-30T10:00:01Z");
	happens(stage, "2026-06-30T15:00:00Z", "cleared", "",
		"{\"starts\":7,\"ends\":1782831600000}");
	resolved_as_of(stage, "2026-06-30T09:00:00Z", 0);
	assert_int_equal(resolved_as_of(stage, "2026-06-30T11:00:00Z", 1), TICKET_RUNNING);
	assert_int_equal(resolved_as_of(stage, "2026-06-30T14:30:00Z", 1), TICKET_MISSED);
	assert_int_equal(resolved_as_of(stage, "2026-12-01T00:00:00Z", 1), TICKET_MISSED);
}

/* A chat hears of it at once and gives no number. */
static void a_ticket_is_the_desks(void **arg)
{
	static const char fired[] =
		"{\"starts\":7,\"rule\":\"DiskFailing\",\"instance\":\"web01\","
		"\"annotations\":{\"supplier\":\"Contoso\",\"tier\":\"blue-light\"}}";
	struct stage *stage = *arg;
	happens(stage, "2026-04-02T10:00:00Z", "fired", "", fired);
	happens(stage, "2026-04-02T10:00:01Z", "told", "",
		"{\"starts\":7,\"feed\":\"chat\",\"notice\":\"open\",\"receipt\":\"\"}");
	struct ticket ticket = ticket_at(stage, "2026-04-02T10:01:00Z");
	assert_string_equal(ticket.feed, "chat");
	assert_int_equal(ticket.due_ms[TICKET_RESPOND], at("2026-04-02T10:15:01Z"));
	happens(stage, "2026-04-02T10:05:00Z", "told", "",
		"{\"starts\":7,\"feed\":\"desk\",\"notice\":\"open\",\"receipt\":\"T4711\"}");
	happens(stage, "2026-04-02T10:06:00Z", "told", "",
		"{\"starts\":7,\"feed\":\"other\",\"notice\":\"open\",\"receipt\":\"X1\"}");
	ticket = ticket_at(stage, "2026-04-02T10:06:01Z");
	assert_string_equal(ticket.feed, "desk");
	assert_string_equal(ticket.receipt, "T4711");
	assert_int_equal(ticket.raised_ms, at("2026-04-02T10:05:00Z"));
	assert_int_equal(ticket.due_ms[TICKET_RESPOND], at("2026-04-02T10:20:00Z"));
	struct fw_err err;
	must(tickets_pause(stage->tickets, "T4711", "user", "jo", at("2026-04-02T10:07:00Z"), &err),
		&err);
}

/* It was held while the register did not say yet whose it is. */
static void a_ticket_is_whose_it_is_when_it_is_raised(void **arg)
{
	static const char anew[] =
		"{\"starts\":7,\"annotations\":{\"supplier\":\"Contoso\",\"tier\":\"blue-light\"}}";
	struct stage *stage = *arg;
	happens(stage, "2026-04-02T10:00:00Z", "fired", "",
		"{\"starts\":7,\"rule\":\"DiskFailing\",\"instance\":\"web01\","
		"\"annotations\":{\"supplier\":\"Old\",\"tier\":\"standard\"}}");
	happens(stage, "2026-04-02T11:00:00Z", "assigned", "", anew);
	happens(stage, "2026-04-02T11:00:01Z", "told", "",
		"{\"starts\":7,\"feed\":\"desk\",\"notice\":\"open\",\"receipt\":\"T1\"}");
	struct ticket ticket = ticket_at(stage, "2026-04-02T11:00:02Z");
	assert_string_equal(ticket.supplier, "Contoso");
	assert_int_equal(ticket.due_ms[TICKET_RESPOND], at("2026-04-02T11:15:01Z"));
}

static void clocks_of_what_is_worked_on_stay(void **arg)
{
	struct stage *stage = *arg;
	happens(stage, "2026-04-02T10:00:00Z", "fired", "",
		"{\"starts\":7,\"rule\":\"DiskFailing\",\"instance\":\"web01\",\"annotations\":{}}");
	happens(stage, "2026-04-02T10:00:01Z", "told", "",
		"{\"starts\":7,\"feed\":\"chat\",\"notice\":\"open\",\"receipt\":\"\"}");
	happens(stage, "2026-04-02T10:04:00Z", "acknowledged", "ann", "{\"starts\":7}");
	happens(stage, "2026-04-02T10:05:00Z", "told", "",
		"{\"starts\":7,\"feed\":\"desk\",\"notice\":\"open\",\"receipt\":\"T4711\"}");
	struct ticket ticket = ticket_at(stage, "2026-04-02T10:06:00Z");
	assert_string_equal(ticket.receipt, "T4711");
	assert_int_equal(ticket.raised_ms, at("2026-04-02T10:00:01Z"));
}

/* As the trail of an earlier version has it, which judged by whoever was told first. */
static void what_is_over_keeps_its_targets(void **arg)
{
	static const char fired[] =
		"{\"starts\":7,\"rule\":\"DiskFailing\",\"instance\":\"web01\","
		"\"annotations\":{\"supplier\":\"Contoso\",\"tier\":\"blue-light\"}}";
	struct stage *stage = *arg;
	happens(stage, "2026-04-02T10:00:00Z", "fired", "", fired);
	happens(stage, "2026-04-02T10:00:01Z", "told", "",
		"{\"starts\":7,\"feed\":\"chat\",\"notice\":\"open\",\"receipt\":\"\"}");
	ticket_at(stage, "2026-04-02T10:01:00Z");
	happens(stage, "2026-04-02T10:05:00Z", "told", "",
		"{\"starts\":7,\"feed\":\"desk\",\"notice\":\"open\",\"receipt\":\"T4711\"}");
	happens(stage, "2026-04-02T10:06:00Z", "cleared", "",
		"{\"starts\":7,\"ends\":1775124360000}");
	struct ticket ticket = ticket_at(stage, "2026-04-02T10:07:00Z");
	assert_string_equal(ticket.receipt, "T4711");
	assert_int_equal(ticket.due_ms[TICKET_RESPOND], at("2026-04-02T10:15:01Z"));
}

static void no_ticket_without_a_desk_that_was_told(void **arg)
{
	struct stage *stage = *arg;
	struct fw_err err;
	struct ticket *list;
	size_t n;
	happens(stage, "2026-06-30T10:00:00Z", "fired", "",
		"{\"starts\":7,\"rule\":\"R\",\"instance\":\"web01\",\"annotations\":{}}");
	happens(stage, "2026-06-30T10:00:00Z", "refused", "",
		"{\"starts\":7,\"feed\":\"desk\",\"notice\":\"open\",\"why\":\"it answered 404\"}");
	happens(stage, "2026-06-30T10:00:00Z", "told", "", "what is no JSON");
	happens(stage, "2026-06-30T10:00:00Z", "told", "", "{\"starts\":8,\"notice\":\"open\"}");
	must(tickets_look(stage->tickets, at("2026-06-30T10:01:00Z"), &err), &err);
	tickets_list(stage->tickets, &stage->arena, &list, &n);
	assert_int_equal(n, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_fault_before_good_friday),
		TEST(a_target_is_at_risk_before_it_is_missed),
		TEST(a_fault_that_is_gone_needs_no_response),
		TEST(a_pause_stops_the_clocks),
		TEST(a_fault_that_goes_while_it_is_paused_is_in_time),
		TEST(a_clock_set_back_in_a_pause_takes_no_time_away),
		TEST(a_pause_counts_also_when_the_target_has_left_the_register),
		TEST(a_ticket_goes_by_several_names),
		TEST(mistakes_with_pauses_are_named),
		TEST(a_restart_forgets_nothing),
		TEST(a_kill_between_raising_and_target_loses_no_target),
		TEST(the_past_does_not_change),
		TEST(a_ticket_is_the_desks),
		TEST(a_ticket_is_whose_it_is_when_it_is_raised),
		TEST(clocks_of_what_is_worked_on_stay),
		TEST(what_is_over_keeps_its_targets),
		TEST(no_ticket_without_a_desk_that_was_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
