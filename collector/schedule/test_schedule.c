/* SPDX-License-Identifier: Apache-2.0 */
/* The thread: rules are evaluated without anybody doing anything, can be taken away, and
 * hold no end up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include <fenwatch/buf.h>

#include "schedule.h"

static atomic_uint n_samples, n_asked;
static atomic_bool hangs;

/* Whoever asks is given nothing; or nothing comes back until the question is broken off. */
static int select_nothing(const struct promql_data *data, const struct promql_selection *selection,
	const struct promql_select_to *to, struct fw_err *err)
{
	const atomic_bool *ended = data->arg;
	(void)selection;
	(void)to;
	atomic_fetch_add(&n_asked, 1);
	while (atomic_load(&hangs) && !atomic_load(ended))
		usleep(1000);
	return atomic_load(&hangs) ? fw_fail(err, -125, "broken off") : 0;
}

static int on_samples(
	void *arg, const struct group_sample *samples, size_t n, int64_t at_ms, struct fw_err *err)
{
	(void)arg;
	(void)samples;
	(void)at_ms;
	(void)err;
	atomic_fetch_add(&n_samples, (unsigned)n);
	return 0;
}

static struct rule_set *rules_of(const char *text)
{
	struct rule_set *set = fw_alloc(sizeof *set);
	struct problems problems = {.arena = &set->arena};
	set->files = fw_arena_alloc(&set->arena, sizeof *set->files);
	set->n_files = 1;
	rulefile_parse("x.yml", text, strlen(text), &set->arena, &set->files[0], &problems);
	if (problems.n)
		fail_msg("%s", problems.items[0].text);
	return set;
}

static atomic_bool ended;
static const struct promql_data data = {select_nothing, &ended};

static struct schedule *begin(const char *text)
{
	const struct schedule_config config = {
		.data = &data,
		.on_samples = on_samples,
		.limits = {.max_samples = 1000, .max_bytes = 1 << 20, .timeout_ms = 60000},
		.interval_ms = 1000,
	};
	struct schedule *schedule;
	struct fw_err err = {""};
	if (schedule_open(&schedule, &config, &err) < 0)
		fail_msg("%s", err.text);
	schedule_load(schedule, rules_of(text));
	return schedule;
}

/* What is published, once it has so many groups that were evaluated. */
static const struct schedule_group *wait_for(
	struct schedule *schedule, struct fw_arena *arena, size_t evaluated)
{
	struct schedule_group *groups;
	size_t n, done;
	do {
		usleep(5000);
		fw_arena_done(arena);
		schedule_list(schedule, arena, &groups, &n);
		done = 0;
		for (size_t i = 0; i < n; i++)
			done += groups[i].evaluations > 0;
	} while (done != evaluated || n != evaluated);
	return groups;
}

static void test_rules_are_evaluated_and_can_be_taken_away(void **state)
{
	struct fw_arena arena = {0};
	(void)state;
	struct schedule *schedule =
		begin("groups: [{name: g, interval: 50ms, rules: [{record: a, expr: vector(1)}]},\n"
		      " {name: h, interval: 50ms, rules: [{alert: b, expr: up == 0}]}]\n");
	const struct schedule_group *groups = wait_for(schedule, &arena, 2);
	assert_string_equal(groups[0].name, "g");
	assert_int_equal(groups[1].rules[0].health, RULE_OK);
	assert_true(atomic_load(&n_samples) > 0 && atomic_load(&n_asked) > 0);
	/* Of two that come at once the later counts. */
	schedule_load(schedule, rules_of("groups: [{name: none}]\n"));
	schedule_load(schedule,
		rules_of("groups: [{name: i, interval: 50ms, rules: [{record: c, expr: up}]}]\n"));
	groups = wait_for(schedule, &arena, 1);
	assert_string_equal(groups[0].name, "i");
	schedule_load(schedule, rules_of("groups: []\n"));
	wait_for(schedule, &arena, 0);
	schedule_close(schedule);
	fw_arena_done(&arena);
}

static void test_an_end_waits_for_no_question(void **state)
{
	(void)state;
	atomic_store(&hangs, true);
	unsigned before = atomic_load(&n_asked), samples = atomic_load(&n_samples);
	struct schedule *schedule =
		begin("groups: [{name: g, interval: 50ms, rules: [{record: a, expr: up}]}]\n");
	while (atomic_load(&n_asked) == before)
		usleep(1000);
	atomic_store(&ended, true);
	schedule_close(schedule);
	assert_int_equal(atomic_load(&n_samples) - samples <= 3, 1);
	schedule_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules_are_evaluated_and_can_be_taken_away),
		cmocka_unit_test(test_an_end_waits_for_no_question),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
