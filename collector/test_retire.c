/* SPDX-License-Identifier: Apache-2.0 */
#include "retire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/clock.h>
#include <fenwatch/conf.h>
#include <fenwatch/log.h>
#include <fenwatch/tls.h>

#include "alert.h"
#include "enrol.h"
#include "retired.h"
#include "state.h"
#include "store.h"
#include "test_tree.h"

#define DAY_MS INT64_C(86400000)
#define KILLED 9

/* ---- a store that knows one device, which has no agent of its own ---- */

static const struct fw_label device[] = {{"instance", "sw1"}, {"job", "snmp"}};

size_t store_hosts(struct store *store, struct fw_arena *arena, struct store_host **hosts)
{
	(void)store;
	*hosts = fw_arena_alloc(arena, sizeof **hosts);
	(*hosts)[0] = (struct store_host){.id = 0, .labels = device, .n_labels = 2};
	return 1;
}

int store_select_host(struct store *store, uint32_t host, const struct store_matcher *matchers,
	size_t n_matchers, int64_t from_ms, struct fw_arena *arena, struct store_group **groups,
	size_t *n_groups, struct fw_err *err)
{
	(void)store, (void)host, (void)matchers, (void)n_matchers, (void)from_ms, (void)arena;
	(void)groups;
	*n_groups = 0;
	return fw_fail(err, -ENOENT, "no series");
}

int store_latest(struct store *store, const struct store_group *group, struct fw_arena *arena,
	int64_t *at_ms, int64_t **cells)
{
	(void)store, (void)group, (void)arena, (void)at_ms, (void)cells;
	return -ENOENT;
}

/* ---- the place ---- */

struct place {
	char dir[64];
	uv_loop_t loop;
	struct state *state;
	struct enrol *enrol;
	struct retired *retired;
	struct alerts *alerts;
	struct alert_options options;
	struct fw_arena arena;
};

static struct retire parts_of(const struct place *place)
{
	return (struct retire){
		.enrol = place->enrol, .alerts = place->alerts, .retired = place->retired};
}

static void start(struct place *place)
{
	struct fw_err err;
	uv_loop_init(&place->loop);
	int rc = state_open(&place->state, place->dir, &err);
	const struct enrol_config enrol = {.dir = place->dir,
		.state = place->state,
		.cert_ms = 7 * DAY_MS,
		.renew_grace_ms = 90 * DAY_MS};
	if (rc == 0)
		rc = enrol_open(&place->enrol, &enrol, &err);
	if (rc == 0)
		rc = retired_open(&place->retired, place->state, &err);
	const struct alert_config alerts = {.loop = &place->loop,
		.state = place->state,
		.estate = "e",
		.options = &place->options,
		.retired = place->retired};
	if (rc == 0)
		rc = alert_open(&place->alerts, &alerts, &err);
	if (rc < 0)
		fail_msg("%s", err.text);
}

static void stop(struct place *place)
{
	alert_close(place->alerts, NULL, NULL);
	uv_run(&place->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&place->loop), 0);
	retired_close(place->retired);
	enrol_close(place->enrol);
	state_close(place->state);
}

/* One agent, and an alert of its host that the desk was told of. */
static void enrol_web01(struct place *place)
{
	struct fw_buf key = {0}, csr = {0};
	struct enrol_token token = {.role = ROLE_JOIN};
	struct enrol_request request = {.name = "web01", .from = "192.0.2.1", .machine = {1}};
	struct enrol_grant grant;
	char text[160];
	int64_t id, now_ms = fw_wall_ms();
	assert_int_equal(
		enrol_token_new(place->enrol, &token, now_ms, text, sizeof text, &id, NULL), 0);
	assert_int_equal(fw_key_new(&key, NULL), 0);
	assert_int_equal(fw_csr_new((char *)key.data, "web01", &csr, NULL), 0);
	request.csr_pem = (char *)csr.data;
	request.token = text;
	assert_int_equal(
		enrol_grant(place->enrol, &request, now_ms, &place->arena, &grant, NULL), 0);
	fw_buf_done(&key);
	fw_buf_done(&csr);
}

static const struct fw_option table[] = {
	{.name = "feeds", .type = FW_OPT_CUSTOM, .parse = alert_parse_feeds},
	{0},
};
static const char feed[] = "feeds: [{name: desk, type: webhook, url: 'http://127.0.0.1:9/'}]";

static void begin(struct place *place)
{
	snprintf(place->dir, sizeof place->dir, "/tmp/fenwatch-retire-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	assert_int_equal(fw_conf_parse("c.yml", feed, strlen(feed), table, &place->options,
				 &place->arena, NULL),
		0);
	start(place);
	enrol_web01(place);
	alert_raise(place->alerts, "HostCloned", "web01", "twice");
}

static void end(struct place *place)
{
	stop(place);
	fw_arena_done(&place->arena);
	assert_int_equal(test_remove_tree(place->dir), 0);
}

static int set_up(void **arg)
{
	struct place *place = fw_alloc(sizeof *place);
	begin(place);
	*arg = place;
	return 0;
}

static int tear_down(void **arg)
{
	end(*arg);
	fw_free(*arg);
	return 0;
}

/* ---- what is so ---- */

static bool is_revoked(struct place *place)
{
	struct enrol_agent *agents;
	size_t n;
	assert_int_equal(enrol_agents(place->enrol, &place->arena, &agents, &n, NULL), 0);
	assert_int_equal(n, 1);
	return agents[0].revoked_ms != 0;
}

static size_t firing(struct place *place)
{
	struct alert_view *views;
	size_t n;
	assert_int_equal(alert_list(place->alerts, &place->arena, &views, &n, NULL), 0);
	return n;
}

static int64_t count(struct place *place, const char *sql)
{
	sqlite3_stmt *row;
	assert_int_equal(state_query(place->state, &row, NULL, sql, ""), 0);
	assert_int_equal(state_step(place->state, row, NULL), 1);
	int64_t n = sqlite3_column_int64(row, 0);
	state_done(row);
	return n;
}

#define CLOSES                                                       \
	"SELECT count(*) FROM notice WHERE kind = 1 AND annotations" \
	" LIKE '%\"closed_because\":\"web01 retired by Ann: scrapped\"%'"

static void expect_retired(struct place *place)
{
	const struct retirement *by = retired_find(place->retired, "web01");
	assert_true(by && by->is_done);
	assert_string_equal(by->reason, "scrapped");
	assert_true(is_revoked(place));
	assert_int_equal(firing(place), 0);
	assert_int_equal(count(place, CLOSES), 1);
	assert_int_equal(
		count(place,
			"SELECT count(*) FROM audit WHERE kind = 'retired' AND subject = 'web01'"),
		1);
}

static void expect_untouched(struct place *place)
{
	assert_null(retired_find(place->retired, "web01"));
	assert_false(is_revoked(place));
	assert_int_equal(firing(place), 1);
	assert_int_equal(count(place, "SELECT count(*) FROM notice WHERE kind = 1"), 0);
}

/* ---- tests ---- */

static const struct retirement wanted = {
	.host = "web01", .who = "Ann", .reason = "scrapped", .at_ms = 1};

static void test_a_host_is_retired_once(void **arg)
{
	struct place *place = *arg;
	const struct retire parts = parts_of(place);
	struct retirement other = wanted;
	assert_int_equal(retire_host(&parts, &wanted, NULL), 0);
	expect_retired(place);
	assert_int_equal(retire_host(&parts, &wanted, NULL), -EALREADY);
	other.host = "nobody";
	assert_int_equal(retire_host(&parts, &other, NULL), -ENOENT);
	other.host = "sw1";
	other.reason = "two\nlines";
	assert_int_equal(retire_host(&parts, &other, NULL), -EINVAL);
	other.reason = "";
	assert_int_equal(retire_host(&parts, &other, NULL), 0);
	assert_non_null(retired_find(place->retired, "sw1"));
	expect_retired(place);
}

static void test_it_can_be_taken_back(void **arg)
{
	struct place *place = *arg;
	const struct retire parts = parts_of(place);
	assert_int_equal(retire_host(&parts, &wanted, NULL), 0);
	assert_int_equal(retire_undo(&parts, "web01", "Bob", 2, NULL), 0);
	assert_null(retired_find(place->retired, "web01"));
	assert_false(is_revoked(place));
	assert_int_equal(retire_undo(&parts, "web01", "Bob", 3, NULL), -ENOENT);
	assert_int_equal(
		count(place, "SELECT count(*) FROM audit WHERE kind = 'returned' AND who = 'Bob'"),
		1);
	assert_int_equal(retire_host(&parts, &wanted, NULL), 0);
	assert_true(is_revoked(place));
}

/* What opens about it later is written down, and told to nobody. */
static void test_nobody_is_told_of_a_retired_host(void **arg)
{
	struct place *place = *arg;
	const struct retire parts = parts_of(place);
	struct alert_view *views;
	size_t n;
	assert_int_equal(retire_host(&parts, &wanted, NULL), 0);
	alert_raise(place->alerts, "HostCloned", "web01", "again");
	alert_raise(place->alerts, "HostCloned", "web02", "control");
	assert_int_equal(alert_list(place->alerts, &place->arena, &views, &n, NULL), 0);
	assert_int_equal(n, 2);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(views[i].held,
			strcmp(views[i].instance, "web01") == 0 ? "not in service" : "");
	assert_int_equal(count(place, "SELECT count(*) FROM notice WHERE kind = 0"), 2);
}

static int commits_left;

static int on_commit(void *arg)
{
	(void)arg;
	if (--commits_left == 0)
		_exit(KILLED);
	return 0;
}

/* Whether the process died, before the `n`-th commit. */
static bool retire_and_die(struct place *place, int n)
{
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		start(place);
		const struct retire parts = parts_of(place);
		commits_left = n;
		sqlite3_commit_hook(state_db(place->state), on_commit, NULL);
		_exit(retire_host(&parts, &wanted, NULL) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_in_range(WEXITSTATUS(status) == KILLED ? 0 : WEXITSTATUS(status), 0, 0);
	return WEXITSTATUS(status) == KILLED;
}

/* A kill between any two of the steps: the next start does what is left. */
static void test_the_next_start_finishes_what_was_begun(void **arg)
{
	int n = 0, begun = 0;
	(void)arg;
	for (bool killed = true; killed; begun += n > 1) {
		struct place place = {.dir = ""};
		begin(&place);
		stop(&place);
		killed = retire_and_die(&place, ++n);
		start(&place);
		const struct retire parts = parts_of(&place);
		assert_int_equal(retire_finish(&parts, NULL), 0);
		if (n == 1)
			expect_untouched(&place);
		else
			expect_retired(&place);
		end(&place);
	}
	assert_true(begun >= 4);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_a_host_is_retired_once),
		CASE(test_it_can_be_taken_back),
		CASE(test_nobody_is_told_of_a_retired_host),
		cmocka_unit_test(test_the_next_start_finishes_what_was_begun),
	};
	fw_log_init("test_retire", (enum fw_level)0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
