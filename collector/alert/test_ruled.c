/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts of rule files: what a report opens, what it closes, and what proves nothing. */
#include "alert.h"
#include "rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/clock.h>

#include "state.h"
#include "store.h"
#include "test_tree.h"

/* ---- a store with one host and no series ---- */

struct store {
	struct store_host host;
	size_t n_hosts;
};

static const struct fw_label web01[] = {{"instance", "web01"}, {"job", "node"}};

size_t store_hosts(struct store *store, struct fw_arena *arena, struct store_host **hosts)
{
	*hosts = fw_arena_alloc(arena, sizeof **hosts);
	**hosts = store->host;
	return store->n_hosts;
}

int store_select_host(struct store *store, uint32_t host, const struct store_matcher *matchers,
	size_t n_matchers, int64_t from_ms, struct fw_arena *arena, struct store_group **groups,
	size_t *n_groups, struct fw_err *err)
{
	(void)store;
	(void)host;
	(void)matchers;
	(void)n_matchers;
	(void)from_ms;
	(void)arena;
	(void)err;
	*groups = NULL;
	*n_groups = 0;
	return 0;
}

int store_latest(struct store *store, const struct store_group *group, struct fw_arena *arena,
	int64_t *at_ms, int64_t **cells)
{
	(void)store;
	(void)group;
	(void)arena;
	(void)at_ms;
	(void)cells;
	return -1;
}

/* ---- the place ---- */

struct place {
	char dir[64];
	uv_loop_t loop;
	struct state *state;
	struct store store;
	struct alerts *alerts;
	struct alert_options options;
	struct fw_arena arena;
};

static void open_alerts(struct place *place)
{
	struct fw_err err;
	const struct alert_config config = {
		.loop = &place->loop,
		.store = &place->store,
		.state = place->state,
		.estate = "e",
		.options = &place->options,
	};
	if (alert_open(&place->alerts, &config, &err) < 0)
		fail_msg("%s", err.text);
}

static void on_closed(void *arg)
{
	((struct place *)arg)->alerts = NULL;
}

static void close_alerts(struct place *place)
{
	alert_close(place->alerts, on_closed, place);
	while (place->alerts)
		uv_run(&place->loop, UV_RUN_ONCE);
}

static void restart(struct place *place)
{
	close_alerts(place);
	open_alerts(place);
}

static int set_up(void **arg)
{
	struct place *place = fw_alloc(sizeof *place);
	snprintf(place->dir, sizeof place->dir, "/tmp/fenwatch-ruled-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	uv_loop_init(&place->loop);
	assert_int_equal(state_open(&place->state, place->dir, NULL), 0);
	place->store.host =
		(struct store_host){.id = 1, .labels = web01, .n_labels = 2, .newest_ms = 1};
	open_alerts(place);
	*arg = place;
	return 0;
}

static int tear_down(void **arg)
{
	struct place *place = *arg;
	close_alerts(place);
	assert_int_equal(uv_loop_close(&place->loop), 0);
	state_close(place->state);
	test_remove_tree(place->dir);
	fw_arena_done(&place->arena);
	fw_free(place);
	return 0;
}

/* ---- reports ---- */

enum found { NOTHING, PENDS, FIRES };

static void find(struct alert_report *report, enum found found, const char *says)
{
	static const struct fw_label labels[] = {{"alertname", "Load"}, {"instance", "web01"},
		{"job", "node"}, {"severity", "page"}};
	const struct fw_label annotations[] = {{"summary", says}};
	const struct alert_found what = {
		.labels = labels,
		.annotations = annotations,
		.n_labels = 4,
		.n_annotations = 1,
		.is_firing = found == FIRES,
		.value = 7,
		.active_ms = 1000,
		.fired_ms = found == FIRES ? 2000 : 0,
	};
	if (found != NOTHING)
		alert_report_add(report, "e", &what);
}

static struct alert_report *report_of(const char *group, enum found found, const char *trouble)
{
	struct alert_report *report = alert_report_new("a.yml", group, true);
	alert_report_rule(report, "Load", trouble);
	find(report, found, "it is high");
	return report;
}

static void report(struct place *place, enum found found)
{
	alert_take_report(place->alerts, report_of("g", found, ""));
}

/* The one alert there is, or NULL. */
static struct alert_view *only(struct place *place)
{
	struct alert_view *views;
	size_t n;
	assert_int_equal(alert_list(place->alerts, &place->arena, &views, &n, NULL), 0);
	assert_in_range(n, 0, 1);
	return n ? views : NULL;
}

static int64_t count_of(struct place *place, const char *sql)
{
	sqlite3_stmt *row;
	assert_int_equal(state_query(place->state, &row, NULL, sql, ""), 0);
	assert_int_equal(state_step(place->state, row, NULL), 1);
	int64_t n = sqlite3_column_int64(row, 0);
	state_done(row);
	return n;
}

static int64_t n_open(struct place *place)
{
	return count_of(place, "SELECT count(*) FROM episode WHERE ends_ms = 0");
}

static int64_t n_episodes(struct place *place)
{
	return count_of(place, "SELECT count(*) FROM episode");
}

/* The agent sends something, and the alerts have looked: by the end, or in the turns after it
 * where a machine stood still till then. */
static void speak(struct place *place)
{
	place->store.n_hosts = 1;
	place->store.host.newest_ms = fw_wall_ms();
	place->store.host.received_ms = place->store.host.newest_ms;
	alert_wake(place->alerts);
	int64_t end_ms = fw_mono_ms() + 150;
	for (int more = 20; more > 0; more -= fw_mono_ms() >= end_ms) {
		uv_run(&place->loop, UV_RUN_NOWAIT);
		usleep(500);
	}
}

/* ---- tests ---- */

static void test_it_pends_fires_and_ends(void **arg)
{
	struct place *place = *arg;
	report(place, PENDS);
	assert_int_equal(only(place)->state, ALERT_PENDING);
	assert_int_equal(n_episodes(place), 0);
	report(place, FIRES);
	struct alert_view *view = only(place);
	assert_int_equal(view->state, ALERT_FIRING);
	assert_true(view->is_ruled);
	assert_string_equal(view->severity, "page");
	assert_string_equal(view->instance, "web01");
	assert_string_equal(view->annotations[0].value, "it is high");
	assert_int_equal(view->since_ms, 2000);
	assert_int_equal(view->value, 7);
	report(place, FIRES);
	assert_int_equal(n_open(place), 1);
	report(place, NOTHING);
	assert_null(only(place));
	assert_int_equal(n_open(place), 0);
	report(place, FIRES);
	assert_int_equal(n_episodes(place), 2);
}

static void test_what_only_pended_leaves_nothing(void **arg)
{
	struct place *place = *arg;
	report(place, PENDS);
	report(place, NOTHING);
	assert_null(only(place));
	assert_int_equal(n_episodes(place), 0);
}

static void test_its_key_is_that_of_all_its_labels(void **arg)
{
	struct place *place = *arg;
	report(place, FIRES);
	/* SHA-256 over e, web01, Load, job, node, severity, page, each with its length */
	assert_string_equal(only(place)->key, "fw1-f57d7a8614450e38c095b5b29a9d3987");
}

static void test_its_words_are_the_last_ones(void **arg)
{
	struct place *place = *arg;
	report(place, FIRES);
	struct alert_report *again = alert_report_new("a.yml", "g", true);
	alert_report_rule(again, "Load", "");
	find(again, FIRES, "it is higher");
	alert_take_report(place->alerts, again);
	assert_string_equal(only(place)->annotations[0].value, "it is higher");
	alert_take_report(place->alerts, report_of("g", NOTHING, "no data"));
	assert_string_equal(only(place)->annotations[0].value, "it is higher");
}

static void test_a_rule_that_fails_ends_nothing(void **arg)
{
	struct place *place = *arg;
	report(place, FIRES);
	assert_string_equal(only(place)->unknown, "");
	alert_take_report(place->alerts, report_of("g", FIRES, "no data"));
	assert_string_equal(only(place)->unknown, "its rule cannot be evaluated: no data");
	alert_take_report(place->alerts, report_of("g", NOTHING, "no data"));
	assert_string_equal(only(place)->unknown, "its rule cannot be evaluated: no data");
	report(place, NOTHING);
	assert_non_null(only(place));
	report(place, NOTHING);
	assert_null(only(place));
}

static void test_a_restart_goes_on_with_it(void **arg)
{
	struct place *place = *arg;
	report(place, FIRES);
	restart(place);
	assert_int_equal(only(place)->state, ALERT_FIRING);
	/* It is evaluated anew, and begins with its hold. */
	report(place, PENDS);
	assert_int_equal(only(place)->state, ALERT_FIRING);
	report(place, FIRES);
	assert_int_equal(n_episodes(place), 1);
	report(place, NOTHING);
	assert_null(only(place));
	assert_int_equal(n_open(place), 0);
}

static void test_after_a_restart_the_first_evaluations_end_nothing(void **arg)
{
	struct place *place = *arg;
	report(place, FIRES);
	restart(place);
	struct alert_report *unsettled = alert_report_new("a.yml", "g", false);
	alert_report_rule(unsettled, "Load", "");
	alert_take_report(place->alerts, unsettled);
	assert_string_equal(only(place)->unknown,
		"its rule has not been evaluated often enough since the start");
	report(place, NOTHING);
	assert_non_null(only(place));
	report(place, NOTHING);
	assert_null(only(place));
}

static void test_a_host_that_is_not_heard_ends_nothing(void **arg)
{
	struct place *place = *arg;
	report(place, FIRES);
	speak(place);
	restart(place);
	report(place, NOTHING);
	report(place, NOTHING);
	assert_string_equal(only(place)->unknown, "its host is not heard");
	speak(place);
	assert_string_equal(only(place)->unknown, "");
	report(place, NOTHING); /* what it says may be older than what was heard */
	assert_non_null(only(place));
	report(place, NOTHING);
	assert_null(only(place));
}

/* The main thread had no time for a while: what was found meanwhile is taken all at once, after
 * the host was heard. */
static void test_evaluations_that_waited_end_nothing(void **arg)
{
	struct place *place = *arg;
	struct alert_report *waited[4];
	report(place, FIRES);
	speak(place);
	restart(place);
	report(place, NOTHING);
	for (size_t i = 0; i < 4; i++)
		waited[i] = report_of("g", NOTHING, "");
	int64_t begun_ms = fw_mono_ms();
	while (fw_mono_ms() == begun_ms)
		;
	speak(place);
	for (size_t i = 0; i < 4; i++)
		alert_take_report(place->alerts, waited[i]);
	assert_non_null(only(place));
	assert_string_equal(only(place)->unknown, "");
	report(place, NOTHING);
	assert_null(only(place));
}

/* What events have raised is told before the rule files are read. */
static void test_who_reports_first_after_a_start_ends_nothing_of_others(void **arg)
{
	struct place *place = *arg;
	report(place, FIRES);
	restart(place);
	struct alert_report *events = alert_report_new("events", "events", true);
	alert_report_keep(events);
	alert_report_rule(events, "Trap", "");
	alert_take_report(place->alerts, events);
	assert_non_null(only(place));
	struct alert_report *all[] = {report_of("g", FIRES, "")};
	alert_take_reports(place->alerts, all, 1);
	assert_int_equal(n_episodes(place), 1);
	alert_take_reports(place->alerts, NULL, 0);
	assert_null(only(place));
}

static void test_a_rule_that_is_gone_ends_it(void **arg)
{
	struct place *place = *arg;
	struct alert_report *both[] = {report_of("g", FIRES, ""), report_of("h", NOTHING, "")};
	alert_take_reports(place->alerts, both, 2);
	struct alert_report *one[] = {alert_report_new("a.yml", "h", true)};
	assert_int_equal(n_open(place), 1);
	alert_take_reports(place->alerts, one, 1);
	assert_null(only(place));
	assert_int_equal(n_open(place), 0);
}

static void test_a_rule_gone_over_a_restart_ends_it_too(void **arg)
{
	struct place *place = *arg;
	report(place, FIRES);
	restart(place);
	alert_take_reports(place->alerts, NULL, 0);
	assert_null(only(place));
}

static void test_two_groups_that_find_the_same_have_one_alert(void **arg)
{
	struct place *place = *arg;
	report(place, FIRES);
	alert_take_report(place->alerts, report_of("h", FIRES, ""));
	assert_int_equal(n_open(place), 1);
	alert_take_report(place->alerts, report_of("h", NOTHING, ""));
	assert_non_null(only(place));
	alert_take_report(place->alerts, report_of("h", FIRES, ""));
	report(place, NOTHING);
	assert_int_equal(n_open(place), 1);
	alert_take_report(place->alerts, report_of("h", NOTHING, ""));
	assert_int_equal(n_episodes(place), 1);
	assert_null(only(place));
}

static void test_many_come_and_go(void **arg)
{
	struct place *place = *arg;
	for (int round = 0; round < 2; round++) {
		struct alert_report *many = alert_report_new("a.yml", "g", true);
		alert_report_rule(many, "Load", "");
		for (int i = 0; round == 0 && i < 3000; i++) {
			char name[32];
			snprintf(name, sizeof name, "h%d", i);
			const struct fw_label labels[] = {
				{"alertname", "Load"}, {"instance", name}};
			const struct alert_found found = {.labels = labels,
				.n_labels = 2,
				.is_firing = true,
				.active_ms = 1,
				.fired_ms = 1};
			alert_report_add(many, "e", &found);
		}
		alert_take_report(place->alerts, many);
		assert_int_equal(n_open(place), round == 0 ? 3000 : 0);
	}
	assert_null(only(place));
}

static void test_a_host_that_is_forgotten_takes_it_along(void **arg)
{
	struct place *place = *arg;
	report(place, FIRES);
	assert_int_equal(alert_forget(place->alerts, "web01", NULL), 0);
	assert_null(only(place));
	report(place, NOTHING);
	assert_int_equal(n_episodes(place), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_it_pends_fires_and_ends),
		TEST(test_what_only_pended_leaves_nothing),
		TEST(test_its_key_is_that_of_all_its_labels),
		TEST(test_its_words_are_the_last_ones),
		TEST(test_a_rule_that_fails_ends_nothing),
		TEST(test_a_restart_goes_on_with_it),
		TEST(test_after_a_restart_the_first_evaluations_end_nothing),
		TEST(test_a_host_that_is_not_heard_ends_nothing),
		TEST(test_evaluations_that_waited_end_nothing),
		TEST(test_who_reports_first_after_a_start_ends_nothing_of_others),
		TEST(test_a_rule_that_is_gone_ends_it),
		TEST(test_a_rule_gone_over_a_restart_ends_it_too),
		TEST(test_two_groups_that_find_the_same_have_one_alert),
		TEST(test_many_come_and_go),
		TEST(test_a_host_that_is_forgotten_takes_it_along),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
