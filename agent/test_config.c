/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "config.h"
#include "plan.h"
#include "sampler.h"

static int parse(struct config *config, const char *text, struct fw_err *err)
{
	return config_parse(config, "agent.yml", text, strlen(text), err);
}

static void test_defaults(void **state)
{
	(void)state;
	struct config config;
	struct fw_err err;
	if (parse(&config, "collectors: ['collector.example:7443']\n", &err) < 0)
		fail_msg("%s", err.text);
	assert_true(strlen(config.name) > 0);
	assert_string_equal(config_classes[config.class], "server");
	assert_string_equal(config.data, "/var/lib/fenwatch-agent");
	assert_string_equal(config.root, "/");
	assert_int_equal(config.batch, 1);
	assert_int_equal(plan_interval_ms(&config, NULL), 15000);
	assert_int_equal(plan_spool_bytes(&config, NULL), 32 << 20);
	assert_int_equal(config.spool.keep_free_bytes, 200 << 20);
	config_done(&config);
}

static void test_everything(void **state)
{
	(void)state;
	struct config config;
	struct fw_err err;
	if (parse(&config,
		    "name: web01\nclass: laptop\ndata: /d\ncollectors: ['a:1', '[::1]:2']\n"
		    "proxy: http://proxy.example:3128\ninterval: 30s\nbatch: 6\n"
		    "spool: {max: 64MiB, keep_free: 1MiB}\n"
		    "sources: {load: off, packages: {every: 2h}}\nroot: /r\n",
		    &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(config.name, "web01");
	assert_string_equal(config_classes[config.class], "laptop");
	assert_int_equal(config.collectors.count, 2);
	assert_string_equal(config.proxy, "proxy.example:3128");
	assert_int_equal(config.batch, 6);
	assert_int_equal(plan_interval_ms(&config, NULL), 30000);
	assert_int_equal(plan_spool_bytes(&config, NULL), 64 << 20);

	struct source_plan *plans = plan_new();
	plan_sources(&config, NULL, plans);
	assert_false(plans[config_find_source("load", NULL)].on);
	assert_true(plans[config_find_source("cpu", NULL)].on);
	assert_int_equal(plans[config_find_source("packages", NULL)].every_s, 7200);
	assert_false(plans[config_find_source("peers", NULL)].on); /* a laptop */
	fw_free(plans);
	config_done(&config);
}

static void test_mistakes_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *text, *sentence[2];
	} mistakes[] = {
		{"interva: 15s\n", {"line 1", "interval"}},
		{"name: a\ninterval: 15\n", {"line 2", "interval"}},
		{"interval: 10ms\n", {"line 1", "interval"}},
		{"class: desktop\n", {"line 1", "laptop"}},
		{"batch: 0\n", {"line 1", "batch"}},
		{"spool: {max: lots}\n", {"line 1", "max"}},
		{"collectors: ['nowhere']\n", {"collectors", "nowhere"}},
		{"proxy: https://p:1\n", {"line 1", "http://HOST:PORT"}},
		{"proxy: http://p\n", {"line 1", "http://HOST:PORT"}},
		{"sources: {memroy: off}\n", {"line 1", "'memory'"}},
		{"sources: {cpu: sometimes}\n", {"line 1", "cpu"}},
		{"sources: {cpu: {every: 1h}}\n", {"line 1", "every sweep"}},
		{"sources: {packages: {evry: 1h}}\n", {"line 1", "every"}},
		{"sources: [cpu]\n", {"line 1", "mapping"}},
	};
	for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
		struct config config;
		struct fw_err err;
		assert_true(parse(&config, mistakes[i].text, &err) < 0);
		assert_non_null(strstr(err.text, "agent.yml"));
		for (int k = 0; k < 2; k++)
			if (!strstr(err.text, mistakes[i].sentence[k]))
				fail_msg("'%s' lacks '%s'", err.text, mistakes[i].sentence[k]);
	}
}

/* ---- the grid ---- */

static void test_the_grid(void **state)
{
	(void)state;
	const int64_t long_ago = 1000000;
	assert_int_equal(grid_wait_ms(1, 15000, long_ago), 14999);
	assert_int_equal(grid_wait_ms(14999, 15000, long_ago), 1);
	assert_int_equal(grid_wait_ms(15000, 15000, 0), 15000);
	assert_int_equal(grid_wait_ms(15003, 15000, 3), 14997);
	/* Slewed back by a little: the same point is not taken twice. */
	assert_int_equal(grid_wait_ms(14998, 15000, 3), 15002);
	/* Before 1970 the grid goes on. */
	assert_int_equal(grid_wait_ms(-1, 15000, long_ago), 1);
	for (int64_t at = -20000; at < 20000; at += 7) {
		int64_t wait_ms = grid_wait_ms(at, 15000, long_ago);
		assert_true(wait_ms > 0 && wait_ms <= 15000);
		assert_int_equal((at + wait_ms) % 15000, 0);
	}
}

static void test_a_sweep_carries_the_time_of_the_grid(void **state)
{
	(void)state;
	assert_int_equal(grid_time_ms(45004, 15000), 45000);
	assert_int_equal(grid_time_ms(44999, 15000), 45000);
	assert_int_equal(grid_time_ms(45400, 15000), 45400); /* too late to pretend */
	assert_int_equal(grid_time_ms(-1, 15000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_mistakes_are_named),
		cmocka_unit_test(test_the_grid),
		cmocka_unit_test(test_a_sweep_carries_the_time_of_the_grid),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
