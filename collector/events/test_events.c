/* SPDX-License-Identifier: Apache-2.0 */
/* Events: what is kept of them, how they are found, and what they raise and clear. */
#include "events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/mem.h>
#include <fenwatch/wire.h>

#include "alert.h"
#include "feed.h"
#include "state.h"
#include "store.h"
#include "test_tree.h"

#define DOWN "1.3.6.1.6.3.1.1.5.3"
#define UP "1.3.6.1.6.3.1.1.5.4"
#define MINUTE 60000

/* ---- a store without series ---- */

struct store {
	int nothing;
};

size_t store_hosts(struct store *store, struct fw_arena *arena, struct store_host **hosts)
{
	(void)store;
	*hosts = fw_arena_alloc(arena, 1);
	return 0;
}

int store_select_host(struct store *store, uint32_t host, const struct store_matcher *matchers,
	size_t n_matchers, int64_t from_ms, struct fw_arena *arena, struct store_group **groups,
	size_t *n_groups, struct fw_err *err)
{
	(void)store, (void)host, (void)matchers, (void)n_matchers, (void)from_ms, (void)arena;
	(void)err;
	*groups = NULL;
	*n_groups = 0;
	return 0;
}

int store_latest(struct store *store, const struct store_group *group, struct fw_arena *arena,
	int64_t *at_ms, int64_t **cells)
{
	(void)store, (void)group, (void)arena, (void)at_ms, (void)cells;
	return -1;
}

/* ---- the place ---- */

struct place {
	char dir[64];
	uv_loop_t loop;
	struct state *state;
	struct store store;
	struct alerts *alerts;
	struct events *events;
	struct event_rules rules;
	struct alert_options options;
	struct fw_arena arena;
	uint64_t seq;
};

static int64_t now_ms;

static int64_t now(void)
{
	return now_ms;
}

static void open_all(struct place *place)
{
	struct fw_err err;
	const struct alert_config alerts = {.loop = &place->loop,
		.store = &place->store,
		.state = place->state,
		.estate = "e",
		.options = &place->options};
	const struct events_config events = {
		.loop = &place->loop, .state = place->state, .now_ms = now};
	if (alert_open(&place->alerts, &alerts, &err) < 0 ||
		events_open(&place->events, &events, &err) < 0)
		fail_msg("%s", err.text);
	events_tell(place->events, &place->rules, "e", place->alerts);
}

static void on_closed(void *arg)
{
	((struct place *)arg)->alerts = NULL;
}

static void close_all(struct place *place)
{
	events_close(place->events);
	alert_close(place->alerts, on_closed, place);
	uv_run(&place->loop, UV_RUN_DEFAULT);
	assert_null(place->alerts);
}

static int set_up(void **arg)
{
	struct place *place = fw_alloc(sizeof *place);
	snprintf(place->dir, sizeof place->dir, "/tmp/fenwatch-events-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	uv_loop_init(&place->loop);
	assert_int_equal(state_open(&place->state, place->dir, NULL), 0);
	place->rules = events_builtin();
	now_ms = 1700000000000;
	open_all(place);
	*arg = place;
	return 0;
}

static int tear_down(void **arg)
{
	struct place *place = *arg;
	close_all(place);
	assert_int_equal(uv_loop_close(&place->loop), 0);
	state_close(place->state);
	test_remove_tree(place->dir);
	fw_arena_done(&place->arena);
	fw_free(place);
	return 0;
}

/* ---- events ---- */

struct told {
	const char *host, *kind;
	int64_t at_ms;
	const char *fields[8]; /* name, value, name, value, ... */
	uint64_t seq;          /* 0: the next one */
	bool of_check;
};

static Fenwatch__Wire__Event event_of(
	const struct told *told, Fenwatch__Wire__Label *labels, Fenwatch__Wire__Label **fields)
{
	Fenwatch__Wire__Event event = FENWATCH__WIRE__EVENT__INIT;
	for (; event.n_fields < 4 && told->fields[2 * event.n_fields]; event.n_fields++) {
		size_t i = event.n_fields;
		fenwatch__wire__label__init(&labels[i]);
		labels[i].name = (char *)told->fields[2 * i];
		labels[i].value = (char *)told->fields[2 * i + 1];
		fields[i] = &labels[i];
	}
	event.kind = (char *)told->kind;
	event.at_ms = told->at_ms ? told->at_ms : now_ms;
	event.fields = fields;
	return event;
}

static void take_of(struct place *place, const Fenwatch__Wire__Event *event, const char *host,
	uint64_t seq, bool of_check)
{
	uint8_t *payload = fw_alloc(fenwatch__wire__event__get_packed_size(event) + 1);
	struct store_record record = {.kind = STORE_EVENT,
		.agent = {1},
		.stream = 7,
		.seq = seq ? seq : ++place->seq,
		.host = 3,
		.received_ms = now_ms,
		.payload = payload,
		.length = fenwatch__wire__event__pack(event, payload)};
	struct fw_err err;
	if (events_take(place->events, &record, host, of_check, &err) < 0)
		fail_msg("%s", err.text);
	fw_free(payload);
}

static void take(
	struct place *place, const Fenwatch__Wire__Event *event, const char *host, uint64_t seq)
{
	take_of(place, event, host, seq, false);
}

static void tell(struct place *place, struct told told)
{
	Fenwatch__Wire__Label labels[4], *fields[4];
	Fenwatch__Wire__Event event = event_of(&told, labels, fields);
	take_of(place, &event, told.host ? told.host : "sw1", told.seq, told.of_check);
}

static void trap_at(struct place *place, const char *number, const char *interface, int64_t at_ms)
{
	tell(place,
		(struct told){.kind = "trap",
			.at_ms = at_ms,
			.fields = {"oid", number, "ifIndex", interface}});
}

static void trap(struct place *place, const char *number, const char *interface)
{
	trap_at(place, number, interface, now_ms);
}

struct found {
	struct place *place;
	size_t n;
	struct event last;
	struct event_place next;
};

static bool keep(const struct event *event, void *arg)
{
	struct found *found = arg;
	struct fw_arena *arena = &found->place->arena;
	found->n++;
	found->last = (struct event){.at_ms = event->at_ms,
		.host = fw_arena_strdup(arena, event->host),
		.kind = fw_arena_strdup(arena, event->kind),
		.fields = fw_arena_strdup(arena, event->fields)};
	return true;
}

static struct found search(struct place *place, struct event_search search)
{
	struct found found = {.place = place};
	search.until_ms = search.until_ms ? search.until_ms : INT64_MAX;
	assert_int_equal(events_search(place->state, &search, keep, &found, &found.next, NULL), 0);
	return found;
}

/* Long enough for what has changed to be told. */
static void settle(struct place *place)
{
	for (int i = 0; i < 400; i++) {
		uv_run(&place->loop, UV_RUN_NOWAIT);
		usleep(500);
	}
}

static size_t firing(struct place *place, struct alert_view **views)
{
	size_t n;
	settle(place);
	assert_int_equal(alert_list(place->alerts, &place->arena, views, &n, NULL), 0);
	return n;
}

static size_t n_firing(struct place *place)
{
	struct alert_view *views;
	return firing(place, &views);
}

/* Whose name a check has is not its agent's to speak for. */
static void test_a_check_raises_nothing_of_its_targets(void **arg)
{
	struct place *place = *arg;
	struct told down = {
		.kind = "trap", .fields = {"oid", DOWN, "ifIndex", "3"}, .of_check = true};
	struct told up = {.kind = "trap", .fields = {"oid", UP, "ifIndex", "3"}, .of_check = true};
	tell(place, down);
	assert_int_equal(n_firing(place), 0);
	assert_int_equal(search(place, (struct event_search){0}).n, 1); /* but it is kept */
	down.of_check = false;
	tell(place, down);
	assert_int_equal(n_firing(place), 1);
	tell(place, up);
	assert_int_equal(n_firing(place), 1); /* nor does it end anything */
	up.of_check = false;
	tell(place, up);
	assert_int_equal(n_firing(place), 0);
}

/* ---- what is kept ---- */

/* Nobody waits for a search that finds nothing: it stops, and the next goes on. */
static void test_a_search_has_an_end(void **arg)
{
	struct place *place = *arg;
	assert_int_equal(
		state_run(place->state, NULL,
			"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
			" WHERE i < ?) INSERT INTO event (agent, stream, lane, seq, host,"
			" name, kind, at_ms, received_ms, fields) SELECT x'00', 1, 0, i, 1,"
			" 'h' || (i % 2), 'trap', i / 3, 0, '{\"n\":\"' || i || '.\"}' FROM n",
			"i", (int64_t)EVENTS_LOOKED_AT + 2),
		0);
	struct event_search wanted = {.text = "\"2."};
	struct found found = search(place, wanted);
	assert_int_equal(found.n, 0); /* the second of all, and so the last that is looked at */
	assert_true(found.next.id == 3 && found.next.at_ms == 1);
	wanted.before = found.next;
	found = search(place, wanted);
	assert_true(found.n == 1 && found.last.at_ms == 0 && found.next.id == 0);
	wanted.host = "h0";
	assert_int_equal(search(place, wanted).n, 1);
	wanted.before = (struct event_place){0}; /* of one host, fewer are looked at */
	assert_int_equal(search(place, wanted).n, 1);
	wanted = (struct event_search){.kind = "gap"};
	found = search(place, wanted);
	assert_true(found.n == 0 && found.next.id == 3);
}

static void test_events_are_found(void **arg)
{
	struct place *place = *arg;
	tell(place, (struct told){.kind = "gap", .host = "web01", .fields = {"sweeps", "3"}});
	trap_at(place, DOWN, "3", now_ms - 5);
	tell(place,
		(struct told){.kind = "trap",
			.fields = {"oid", "1.3.6.1.4.1.9.9", "ifIndex", "7%_"},
			.host = "sw2",
			.at_ms = now_ms - 9});
	assert_int_equal(search(place, (struct event_search){0}).n, 3);
	assert_int_equal(search(place, (struct event_search){.host = "web01"}).n, 1);
	assert_int_equal(search(place, (struct event_search){.kind = "trap"}).n, 2);
	assert_int_equal(search(place, (struct event_search){.text = "5.3\""}).n, 1);
	assert_int_equal(search(place, (struct event_search){.text = "7%_"}).n, 1);
	assert_int_equal(search(place, (struct event_search){.text = "%9"}).n, 0);
	assert_int_equal(search(place, (struct event_search){.from_ms = now_ms - 5}).n, 2);
	assert_int_equal(search(place, (struct event_search){.until_ms = now_ms - 5}).n, 1);
	struct found oldest = search(place, (struct event_search){0});
	assert_string_equal(oldest.last.host, "sw2");
	assert_string_equal(
		oldest.last.fields, "{\"oid\":\"1.3.6.1.4.1.9.9\",\"ifIndex\":\"7%_\"}");
}

static void test_one_that_comes_twice_is_one(void **arg)
{
	struct place *place = *arg;
	struct alert_view *views;
	tell(place,
		(struct told){.kind = "trap", .fields = {"oid", DOWN, "ifIndex", "3"}, .seq = 90});
	tell(place,
		(struct told){.kind = "trap", .fields = {"oid", DOWN, "ifIndex", "3"}, .seq = 90});
	assert_int_equal(search(place, (struct event_search){0}).n, 1);
	assert_int_equal(firing(place, &views), 1);
	assert_true(views[0].value == 1);
	tell(place,
		(struct told){.kind = "trap",
			.fields = {"oid", DOWN, "ifIndex", "3"},
			.seq = 91}); /* another is */
	assert_int_equal(firing(place, &views), 1);
	assert_int_equal(search(place, (struct event_search){0}).n, 2);
}

static void test_too_many_fields_are_cut(void **arg)
{
	enum { MANY = 1000 };
	struct place *place = *arg;
	Fenwatch__Wire__Label labels[MANY], *fields[MANY];
	Fenwatch__Wire__Event event = FENWATCH__WIRE__EVENT__INIT;
	for (size_t i = 0; i < MANY; i++) {
		fenwatch__wire__label__init(&labels[i]);
		labels[i].name = i % 2 ? (char *)"same" : fw_arena_format(&place->arena, "f%zu", i);
		labels[i].value = (char *)"v";
		fields[i] = &labels[i];
	}
	event.kind = (char *)"trap";
	event.at_ms = now_ms;
	event.n_fields = MANY;
	event.fields = fields;
	take(place, &event, "sw1", 0);
	struct found found = search(place, (struct event_search){0});
	assert_non_null(strstr(found.last.fields, "\"cut\":\"744 of 1000 fields\""));
	assert_non_null(strstr(found.last.fields, "\"same\":\"v, v, v"));
	assert_non_null(strstr(found.last.fields, "\"f254\""));
	assert_null(strstr(found.last.fields, "\"f256\""));
}

static void test_the_old_ones_go(void **arg)
{
	struct place *place = *arg;
	trap(place, DOWN, "1");
	now_ms += 399LL * 86400000;
	trap(place, DOWN, "2");
	assert_int_equal(events_prune(place->events, NULL), 0);
	assert_int_equal(search(place, (struct event_search){0}).n, 2);
	now_ms += 2LL * 86400000;
	assert_int_equal(events_prune(place->events, NULL), 0);
	assert_int_equal(search(place, (struct event_search){0}).n, 1);
	assert_int_equal(events_forget(place->events, 3, "sw1", NULL), 0);
	assert_int_equal(search(place, (struct event_search){0}).n, 0);
	assert_int_equal(n_firing(place), 0);
}

/* ---- what is raised ---- */

static void test_a_link_goes_down_and_comes_back(void **arg)
{
	struct place *place = *arg;
	struct alert_view *views;
	trap(place, DOWN, "3");
	trap(place, DOWN, "4");
	assert_int_equal(firing(place, &views), 2);
	assert_string_equal(views[0].rule, "LinkDown");
	assert_string_equal(views[0].instance, "sw1");
	assert_string_equal(views[0].severity, "info");
	now_ms += MINUTE;
	trap(place, UP, "3");
	assert_int_equal(n_firing(place), 1);
	tell(place,
		(struct told){.kind = "trap",
			.fields = {"oid", UP, "ifIndex", "4"},
			.host = "sw2"}); /* another's */
	assert_int_equal(n_firing(place), 1);
	trap(place, UP, "4");
	assert_int_equal(n_firing(place), 0);
	trap(place, DOWN, "4");
	assert_int_equal(n_firing(place), 1);
}

static void test_it_goes_on_over_a_restart(void **arg)
{
	struct place *place = *arg;
	struct alert_view *views;
	trap(place, DOWN, "3");
	assert_int_equal(firing(place, &views), 1);
	char *key = fw_arena_strdup(&place->arena, views[0].key);
	close_all(place);
	open_all(place);
	assert_int_equal(firing(place, &views), 1);
	assert_string_equal(views[0].key, key);
	assert_string_equal(views[0].unknown, "");
	alert_take_reports(place->alerts, NULL, 0); /* rule files are loaded: there are none */
	assert_int_equal(n_firing(place), 1);
	trap(place, UP, "3");
	assert_int_equal(n_firing(place), 0);
}

/* Backlog is not in order with what is live. */
static void test_of_two_the_later_one_counts(void **arg)
{
	struct place *place = *arg;
	trap_at(place, UP, "3", now_ms - 10);
	trap_at(place, DOWN, "3", now_ms - 20);
	assert_int_equal(n_firing(place), 0);
	trap_at(place, DOWN, "3", now_ms - 5); /* one that is later does */
	assert_int_equal(n_firing(place), 1);
	trap_at(place, UP, "3", now_ms - 7);
	assert_int_equal(n_firing(place), 1);
}

static void test_what_is_late_raises_nothing(void **arg)
{
	struct place *place = *arg;
	trap_at(place, DOWN, "3", now_ms - 16 * MINUTE);
	assert_int_equal(n_firing(place), 0);
	trap_at(place, DOWN, "3", now_ms - 14 * MINUTE);
	assert_int_equal(n_firing(place), 1);
	now_ms += 30 * MINUTE;
	trap_at(place, UP, "3", now_ms - 16 * MINUTE); /* but clears */
	assert_int_equal(n_firing(place), 0);
}

static void test_a_clock_that_is_ahead_keeps_nothing_open(void **arg)
{
	struct place *place = *arg;
	trap_at(place, DOWN, "3", now_ms + 999 * (int64_t)MINUTE);
	assert_int_equal(n_firing(place), 1);
	trap(place, UP, "3");
	assert_int_equal(n_firing(place), 0);
}

static void test_what_is_not_said_again_ends(void **arg)
{
	static const char on_battery[] = "1.3.6.1.2.1.33.2.1";
	struct place *place = *arg;
	trap(place, on_battery, "");
	now_ms += 4 * MINUTE;
	trap(place, on_battery, "");
	now_ms += 4 * MINUTE;
	trap(place, DOWN, "9"); /* so that it is looked at */
	assert_int_equal(n_firing(place), 2);
	now_ms += 2 * MINUTE;
	trap(place, UP, "9");
	assert_int_equal(n_firing(place), 0);
}

/* That of RFC 1628 comes each minute, PowerNet's once. */
static void test_what_is_said_once_lasts(void **arg)
{
	static const char on_battery[] = "1.3.6.1.4.1.318.0.5", restored[] = "1.3.6.1.4.1.318.0.9";
	struct place *place = *arg;
	trap(place, on_battery, "");
	now_ms += 23 * 60 * MINUTE;
	trap(place, DOWN, "9"); /* so that it is looked at */
	assert_int_equal(n_firing(place), 2);
	trap(place, restored, "");
	assert_int_equal(n_firing(place), 1);
	trap(place, on_battery, "");
	now_ms += 25 * 60 * MINUTE; /* its end was lost on the way */
	trap(place, UP, "9");
	assert_int_equal(n_firing(place), 0);
}

/* Made-up interfaces, each of them another fault: 0 to n - 1. */
static void many_traps(struct place *place, const char *number, int n)
{
	assert_int_equal(state_begin(place->state, NULL), 0);
	for (int i = 0; i < n; i++) {
		char interface[16];
		snprintf(interface, sizeof interface, "%d", i);
		trap(place, number, interface);
	}
	assert_int_equal(state_commit(place->state, NULL), 0);
}

static size_t number_of(struct place *place, const char *sql)
{
	sqlite3_stmt *row;
	assert_int_equal(state_query(place->state, &row, NULL, sql, ""), 0);
	assert_true(state_step(place->state, row, NULL) > 0);
	size_t n = (size_t)sqlite3_column_int64(row, 0);
	state_done(row);
	return n;
}

static size_t n_rows(struct place *place)
{
	return number_of(place, "SELECT count(*) FROM event_raised");
}

static void test_long_texts_are_cut_where_they_would_be_labels(void **arg)
{
	struct place *place = *arg;
	struct fw_buf text = {0};
	fw_buf_putc(&text, '7');
	for (int i = 0; i < 5000; i++)
		fw_buf_puts(&text, "\xc3\xa9");
	fw_buf_putc(&text, '\0');
	trap(place, DOWN, (char *)text.data);
	fw_buf_done(&text);
	assert_int_equal(n_firing(place), 1);
	assert_int_equal(number_of(place, "SELECT length(CAST(apart AS BLOB)) FROM event_raised"),
		strlen("{\"ifIndex\":\"\"}") + 255);
	assert_in_range(number_of(place, "SELECT length(CAST(summary AS BLOB)) FROM event_raised"),
		1023, 1024);
}

static void test_a_host_that_makes_up_faults_takes_no_others_room(void **arg)
{
	static const char on_battery[] = "1.3.6.1.2.1.33.2.1";
	struct place *place = *arg;
	trap(place, on_battery, "");
	many_traps(place, DOWN, 1100);
	assert_int_equal(n_rows(place), 1000);
	tell(place,
		(struct told){.kind = "trap",
			.fields = {"oid", DOWN, "ifIndex", "3"},
			.host = "sw2"}); /* another's */
	assert_int_equal(n_rows(place), 1001);
	for (int i = 0; i < 2; i++) { /* what goes on is not over, though there is no room */
		now_ms += 3 * MINUTE;
		trap(place, on_battery, "");
	}
	assert_int_equal(n_firing(place), 1001);
}

static void test_what_was_never_raised_is_cleared_of_few(void **arg)
{
	struct place *place = *arg;
	many_traps(place, UP, 1100);
	assert_int_equal(n_rows(place), 1000);
	assert_int_equal(n_firing(place), 0);
}

/* ---- rules of one's own ---- */

static int parse(struct place *place, const char *text, struct fw_err *err)
{
	const struct fw_yaml *root;
	if (fw_yaml_parse(text, strlen(text), &place->arena, &root, err) < 0)
		return -1;
	return events_parse_rules(root, &place->rules, &place->arena, err);
}

static void test_rules_of_ones_own(void **arg)
{
	struct place *place = *arg;
	struct alert_view *views;
	struct fw_err err;
	if (parse(place,
		    "- {name: FanFailed, raise: [{trap: '*fanFail*', state: bad}], "
		    "clear: [{trap: '*fanOk'}], by: [fan], severity: critical, "
		    "summary: 'fan {fan} of {rack}stands {still'}\n"
		    "- {name: LinkDown, enabled: false}",
		    &err) < 0)
		fail_msg("%s", err.text);
	tell(place,
		(struct told){.kind = "trap",
			.fields = {"trap", "X::fanFailed", "fan", "2", "state", "good"}});
	trap(place, DOWN, "3");
	assert_int_equal(n_firing(place), 0);
	tell(place,
		(struct told){.kind = "trap",
			.fields = {"trap", "X::fanFailed", "fan", "2", "state", "bad"}});
	assert_int_equal(firing(place, &views), 1);
	assert_string_equal(views[0].severity, "critical");
	assert_string_equal(notice_value(views[0].annotations, views[0].n_annotations, "summary"),
		"fan 2 of stands {still");
	tell(place, (struct told){.kind = "trap", .fields = {"trap", "X::fanOk", "fan", "2"}});
	assert_int_equal(n_firing(place), 0);
}

static void test_mistakes_are_told(void **arg)
{
	static const struct {
		const char *text, *sentence;
	} mistakes[] = {
		{"{}",
			"line 1: event_rules are a list: [{name: FanFailed, raise: [{trap: "
			"fanFailed}]}]"},
		{"[7]",
			"line 1: an event rule is written like {name: FanFailed, raise: [{trap: "
			"fanFailed}]}"},
		{"[{name: A}]", "line 1: event rule 'A' does not say what raises it"},
		{"[{name: a b, raise: [{trap: x}]}]",
			"line 1: an event rule is called by letters, digits and '_', not 'a b'"},
		{"[{name: A, raise: []}]",
			"line 1: events are a list, of which any will do: [{trap: linkDown}]"},
		{"[{name: A, raise: [x]}]",
			"line 1: what an event looks like is written like "
			"{oid: 1.3.6.1.6.3.1.1.5.3}"},
		{"[{name: A, raise: [{trap: [x]}]}]", "line 1: 'trap' has one text here"},
		{"[{name: A, raise: [{trap: x}], by: [instance]}]",
			"line 1: event rule 'A': 'instance' cannot be a label"},
		{"[{name: A, raise: [{trap: x}]}, {name: A, raise: [{trap: y}]}]",
			"line 1: two event rules are called 'A'"},
		{"[{name: A, rise: [{trap: x}]}]",
			"line 1: unknown key 'rise'; did you mean 'raise'?"},
	};
	struct place *place = *arg;
	for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
		struct fw_err err = {0};
		assert_true(parse(place, mistakes[i].text, &err) < 0);
		assert_string_equal(err.text, mistakes[i].sentence);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_search_has_an_end),
		TEST(events_are_found),
		TEST(a_check_raises_nothing_of_its_targets),
		TEST(one_that_comes_twice_is_one),
		TEST(too_many_fields_are_cut),
		TEST(the_old_ones_go),
		TEST(a_link_goes_down_and_comes_back),
		TEST(it_goes_on_over_a_restart),
		TEST(of_two_the_later_one_counts),
		TEST(what_is_late_raises_nothing),
		TEST(a_clock_that_is_ahead_keeps_nothing_open),
		TEST(what_is_not_said_again_ends),
		TEST(what_is_said_once_lasts),
		TEST(long_texts_are_cut_where_they_would_be_labels),
		TEST(a_host_that_makes_up_faults_takes_no_others_room),
		TEST(what_was_never_raised_is_cleared_of_few),
		TEST(rules_of_ones_own),
		TEST(mistakes_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
