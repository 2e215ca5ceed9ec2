/* SPDX-License-Identifier: Apache-2.0 */
/* Built-in rules over a past that is made up: one host, a sweep every 15 s, all of it known. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "past.h"

#define STEP_MS 15000
#define MINUTE_MS 60000
#define BEGIN_MS INT64_C(1790000000000)
#define ROWS 2000
#define GONE (-1) /* no sweep at all */

enum { AVAIL, SIZE, SUCCESS, OVERDUE, INFO, COLUMNS };

static const struct fw_label srv[] = {{"mountpoint", "/srv"}};
static const struct fw_label filesystem[] = {{"collector", "filesystem"}};
static const struct fw_label laptop[] = {{"class", "laptop"}};
static const struct fw_label identity[] = {{"instance", "web01"}, {"job", "node"}};

struct store {
	struct fw_column columns[COLUMNS];
	struct fw_schema schema;
	uint32_t all[COLUMNS];
	int64_t cells[ROWS][COLUMNS]; /* of each STEP_MS; of AVAIL, GONE */
	size_t n;
	enum store_tier tier;
};

int store_select_host(struct store *store, uint32_t host, const struct store_matcher *matchers,
	size_t n_matchers, int64_t from_ms, struct fw_arena *arena, struct store_group **groups,
	size_t *n_groups, struct fw_err *err)
{
	(void)from_ms, (void)err;
	assert_int_equal(n_matchers, 1);
	assert_true(matchers[0].accepts(&matchers[0], "web01"));
	assert_false(matchers[0].accepts(&matchers[0], "web02"));
	*groups = fw_arena_alloc(arena, sizeof **groups);
	**groups = (struct store_group){
		.host = host,
		.host_labels = identity,
		.n_host_labels = 2,
		.schema = &store->schema,
		.columns = store->all,
		.n_columns = COLUMNS,
	};
	*n_groups = 1;
	return 0;
}

int store_read(struct store *store, const struct store_group *group, int64_t from_ms, int64_t to_ms,
	const struct store_patience *patience, struct fw_arena *arena, struct store_columns *out,
	struct fw_err *err)
{
	int64_t *times = fw_arena_alloc(arena, ROWS * sizeof *times);
	int64_t **cells = fw_arena_alloc(arena, COLUMNS * sizeof *cells);
	for (size_t c = 0; c < group->n_columns; c++)
		cells[c] = fw_arena_alloc(arena, ROWS * sizeof **cells);
	*out = (struct store_columns){
		.times_ms = times, .cells = (const int64_t *const *)cells, .tier = store->tier};
	if (patience->is_over(patience->arg))
		return fw_fail(err, -ECANCELED, "given up");
	for (size_t i = 0; i < store->n; i++) {
		int64_t at_ms = BEGIN_MS + (int64_t)i * STEP_MS;
		if (at_ms < from_ms || at_ms > to_ms || store->cells[i][AVAIL] == GONE)
			continue;
		times[out->n] = at_ms;
		for (size_t c = 0; c < group->n_columns; c++)
			cells[c][out->n] = store->cells[i][group->columns[c]];
		out->n++;
	}
	return 0;
}

size_t store_hosts(struct store *store, struct fw_arena *arena, struct store_host **hosts)
{
	(void)store, (void)arena, (void)hosts;
	return 0;
}

int store_latest(struct store *store, const struct store_group *group, struct fw_arena *arena,
	int64_t *at_ms, int64_t **cells)
{
	(void)store, (void)group, (void)arena, (void)at_ms, (void)cells;
	return -ENODATA;
}

/* ---- the place ---- */

struct place {
	struct store store;
	struct alerts alerts;
	struct watch watch;
	struct host host;
	struct host *hosts[1];
	struct alert_replay replay;
	struct alert_replay_result result;
	struct fw_arena arena;
	struct fw_err err;
};

/* `n` sweeps from now on with so many percent of /srv free; GONE: none. */
static void go_on(struct place *place, size_t n, int64_t percent)
{
	struct store *store = &place->store;
	for (; n > 0; n--, store->n++) {
		assert_true(store->n < ROWS);
		store->cells[store->n][AVAIL] = percent;
		store->cells[store->n][SIZE] = percent == FW_ABSENT ? FW_ABSENT : 100;
		store->cells[store->n][SUCCESS] = 1;
		store->cells[store->n][OVERDUE] = 0;
		store->cells[store->n][INFO] = 1;
	}
}

static int set_up(void **arg)
{
	static struct place place;
	place = (struct place){.hosts = {&place.host}};
	place.store.columns[AVAIL] =
		(struct fw_column){"node_filesystem_avail_bytes", srv, 1, 0, FW_GAUGE, 1};
	place.store.columns[SIZE] =
		(struct fw_column){"node_filesystem_size_bytes", srv, 1, 0, FW_GAUGE, 1};
	place.store.columns[SUCCESS] =
		(struct fw_column){"node_scrape_collector_success", filesystem, 1, 0, FW_GAUGE, 1};
	place.store.columns[OVERDUE] =
		(struct fw_column){"node_reboot_required", NULL, 0, 0, FW_GAUGE, 1};
	place.store.columns[INFO] =
		(struct fw_column){"fenwatch_host_info", NULL, 0, 0, FW_GAUGE, 1};
	for (uint32_t c = 0; c < COLUMNS; c++)
		place.store.all[c] = c;
	place.store.schema =
		(struct fw_schema){.columns = place.store.columns, .n_columns = COLUMNS};
	rules_in_force(NULL, place.alerts.rules);
	place.host = (struct host){.id = 1, .labels = identity, .n_labels = 2};
	place.host.life.is = LIFE_LIVE;
	place.watch = (struct watch){.alerts = &place.alerts, .hosts = place.hosts, .n_hosts = 1};
	place.alerts.config.store = &place.store;
	place.alerts.watch = &place.watch;
	place.replay = (struct alert_replay){.from_ms = BEGIN_MS};
	*arg = &place;
	return 0;
}

static int tear_down(void **arg)
{
	fw_arena_done(&((struct place *)*arg)->arena);
	return 0;
}

/* Up to the last sweep. */
static int replay(struct place *place, const char *rule)
{
	struct alert_past *past;
	int rc = alert_past_open(&place->alerts, rule, &place->arena, &past, &place->err);
	if (place->replay.to_ms == 0)
		place->replay.to_ms = BEGIN_MS + (int64_t)(place->store.n - 1) * STEP_MS;
	if (rc == 0)
		rc = alert_past_replay(
			past, &place->replay, &place->arena, &place->result, &place->err);
	return rc;
}

static int64_t at(size_t sweep)
{
	return BEGIN_MS + (int64_t)sweep * STEP_MS;
}

static void expect(
	const struct place *place, size_t i, int64_t pending_ms, int64_t fired_ms, int64_t ended_ms)
{
	assert_true(i < place->result.n_alerts);
	assert_int_equal(place->result.alerts[i].pending_ms, pending_ms);
	assert_int_equal(place->result.alerts[i].fired_ms, fired_ms);
	assert_int_equal(place->result.alerts[i].ended_ms, ended_ms);
}

/* ---- tests ---- */

static void test_holds_and_hysteresis_are_those_of_what_arrives(void **arg)
{
	struct place *place = *arg;
	go_on(place, 10, 50);
	go_on(place, 3, 9); /* 30 s: not held long enough */
	go_on(place, 10, 50);
	go_on(place, 8, 9);  /* from sweep 23; fires a minute later */
	go_on(place, 8, 11); /* between the thresholds */
	go_on(place, 1, 12); /* sweep 39 */
	go_on(place, 4, 11);
	assert_int_equal(replay(place, "FilesystemAlmostFull"), 0);
	assert_int_equal(place->result.n_alerts, 2);
	expect(place, 0, at(10), 0, at(13));
	expect(place, 1, at(23), at(27), at(39));
	assert_string_equal(place->result.alerts[1].summary, "web01: /srv has 9.0 % left");
	assert_int_equal(place->result.n_rules, 1);
	assert_int_equal(place->result.rules[0].n_fired, 1);
	assert_int_equal(place->result.rules[0].n_waited, 1);
	assert_int_equal(place->result.rules[0].firing_ms, 12 * STEP_MS);
	assert_int_equal(place->result.n_sweeps, 44);
}

/* The control: what is in force decides, not what the table says. */
static void test_the_thresholds_are_those_in_force(void **arg)
{
	struct place *place = *arg;
	struct alert_rule_option *option =
		&place->alerts.rules[rule_find("FilesystemAlmostFull") - rules];
	go_on(place, 10, 50);
	go_on(place, 20, 9);
	option->limits.threshold = 0.08;
	assert_int_equal(replay(place, "FilesystemAlmostFull"), 0);
	assert_int_equal(place->result.n_alerts, 0);
	option->limits.threshold = 0.10;
	option->limits.hold_ms = 2 * MINUTE_MS;
	option->enabled = false; /* it is asked for all the same, but not among all */
	assert_int_equal(replay(place, "FilesystemAlmostFull"), 0);
	expect(place, 0, at(10), at(18), 0);
	assert_int_equal(replay(place, NULL), 0);
	assert_int_equal(place->result.n_alerts, 0);
}

static void test_a_series_that_is_gone_ends_it_only_where_it_was_read(void **arg)
{
	struct place *place = *arg;
	go_on(place, 4, 50);
	go_on(place, 10, 5);
	go_on(place, 60, FW_ABSENT); /* from sweep 14: it is over ten minutes later */
	assert_int_equal(replay(place, "FilesystemAlmostFull"), 0);
	assert_int_equal(place->result.n_alerts, 1);
	expect(place, 0, at(4), at(8), at(54));
	for (size_t i = 14; i < place->store.n; i++)
		place->store.cells[i][SUCCESS] = 0;
	assert_int_equal(replay(place, "FilesystemAlmostFull"), 0);
	expect(place, 0, at(4), at(8), 0);
}

static void test_silence_is_judged_by_its_gaps(void **arg)
{
	struct place *place = *arg;
	go_on(place, 20, 50);
	go_on(place, 1, GONE); /* one sweep is lost: no silence */
	go_on(place, 20, 50);
	go_on(place, 40, GONE); /* last heard at sweep 40 */
	go_on(place, 20, 50);
	assert_int_equal(replay(place, "HostSilent"), 0);
	assert_int_equal(place->result.n_alerts, 1);
	expect(place, 0, at(40), at(40) + MINUTE_MS, at(81));
	place->store.columns[INFO].labels = laptop;
	place->store.columns[INFO].n_labels = 1;
	assert_int_equal(replay(place, "HostSilent"), 0);
	assert_int_equal(place->result.n_alerts, 0);
}

static void test_one_that_does_not_come_back_is_silent_to_the_end(void **arg)
{
	struct place *place = *arg;
	go_on(place, 20, 50);
	go_on(place, 40, GONE);
	assert_int_equal(replay(place, NULL), 0);
	assert_int_equal(place->result.n_alerts, 1);
	expect(place, 0, at(19), at(19) + MINUTE_MS, 0);
	place->host.life.is = LIFE_RETIRED;
	assert_int_equal(replay(place, NULL), 0);
	assert_int_equal(place->result.n_alerts, 0);
}

static void test_where_less_is_stored_it_is_said(void **arg)
{
	struct place *place = *arg;
	go_on(place, 20, 5);
	assert_int_equal(replay(place, "FilesystemAlmostFull"), 0);
	assert_int_equal(place->result.five_minute_until_ms, 0);
	place->store.tier = STORE_FIVE_MINUTE;
	assert_int_equal(replay(place, "FilesystemAlmostFull"), 0);
	assert_int_equal(place->result.five_minute_until_ms, place->replay.to_ms);
	assert_int_equal(place->result.hour_until_ms, 0);
}

static void test_what_cannot_be_replayed_is_said(void **arg)
{
	struct place *place = *arg;
	bool canceled = true;
	go_on(place, 20, 5);
	assert_int_equal(replay(place, "FilesystemAlmostFul"), -ENOENT);
	assert_non_null(strstr(place->err.text, "did you mean 'FilesystemAlmostFull'?"));
	assert_int_equal(replay(place, "HostCloned"), -EINVAL);
	assert_int_equal(replay(place, "ClockBehind"), -EINVAL);
	assert_non_null(strstr(place->err.text, "raised by what happens"));
	place->replay.canceled = &canceled;
	assert_int_equal(replay(place, NULL), -ECANCELED);
	assert_string_equal(place->err.text, "nobody waits for the answer any more");
}

static void test_too_many_alerts_end_it(void **arg)
{
	struct place *place = *arg;
	static struct host *many[ALERT_REPLAY_ALERTS / 900 + 2];
	for (size_t i = 0; i < sizeof many / sizeof *many; i++)
		many[i] = &place->host;
	for (size_t i = 0; i < 900; i++) {
		go_on(place, 1, 5);
		go_on(place, 1, 50);
	}
	place->watch.hosts = many;
	place->watch.n_hosts = 11;
	assert_int_equal(replay(place, "FilesystemAlmostFull"), 0);
	assert_int_equal(place->result.n_alerts, 9900);
	place->watch.n_hosts = 12;
	assert_int_equal(replay(place, "FilesystemAlmostFull"), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_holds_and_hysteresis_are_those_of_what_arrives, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_the_thresholds_are_those_in_force, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_series_that_is_gone_ends_it_only_where_it_was_read, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_silence_is_judged_by_its_gaps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_one_that_does_not_come_back_is_silent_to_the_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_where_less_is_stored_it_is_said, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_cannot_be_replayed_is_said, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_many_alerts_end_it, set_up, tear_down),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
