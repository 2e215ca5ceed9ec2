/* SPDX-License-Identifier: Apache-2.0 */
#include "outbox.h"
#include "rules.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct fw_option table[] = {
	{
		.name = "feeds",
		.type = FW_OPT_CUSTOM,
		.parse = alert_parse_feeds,
	},
	{
		.name = "builtin_rules",
		.type = FW_OPT_CUSTOM,
		.parse = alert_parse_rules,
	},
	{0},
};

static int parse(
	const char *text, struct alert_options *options, struct fw_arena *arena, struct fw_err *err)
{
	memset(options, 0, sizeof *options);
	return fw_conf_parse("c.yml", text, strlen(text), table, options, arena, err);
}

static int set_up(void **arg)
{
	*arg = fw_alloc(sizeof(struct fw_arena));
	return 0;
}

static int tear_down(void **arg)
{
	fw_arena_done(*arg);
	fw_free(*arg);
	return 0;
}

static void test_without_options_all_rules_are_in_force(void **arg)
{
	(void)arg;
	struct alert_rule_option in_force[RULES];
	rules_in_force(NULL, in_force);
	for (size_t i = 0; i < RULES; i++) {
		assert_true(in_force[i].enabled);
		assert_ptr_equal(in_force[i].rule, &rules[i]);
		assert_memory_equal(&in_force[i].limits, &rules[i].limits, sizeof(struct limits));
		assert_ptr_equal(rule_find(rules[i].name), &rules[i]);
	}
}

static bool has(uint64_t set, const char *rule)
{
	return set >> (rule_find(rule) - rules) & 1;
}

static void test_a_name_tells_which_rules_it_concerns(void **arg)
{
	(void)arg;
	struct rule_set free = rules_of_name("node_filesystem_avail_bytes");
	struct rule_set size = rules_of_name("node_filesystem_size_bytes");
	struct rule_set charge = rules_of_name("node_power_supply_charge_full");
	assert_true(has(free.metric, "FilesystemAlmostFull") && free.looks == free.metric);
	assert_true(has(size.looks, "FilesystemAlmostFull") && size.metric == 0);
	assert_true(charge.metric != 0 &&
		charge.metric == rules_of_name("node_power_supply_energy_full").metric);
	static const char *const others[] = {"", "node_load1", "node_load155", "a|b", "up",
		"node_power_supply_energy_full|node_power_supply_charge_full"};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_int_equal(rules_of_name(others[i]).looks, 0);
	for (size_t i = 0; i < RULES; i++) {
		const char *name = rules[i].metric;
		assert_true(!name || strchr(name, '|') ||
			has(rules_of_name(name).metric, rules[i].name));
	}
}

static const struct limits *limits_of(const struct alert_rule_option *in_force, const char *name)
{
	return &in_force[rule_find(name) - rules].limits;
}

static void test_rules_are_adjusted(void **arg)
{
	struct alert_options options;
	struct alert_rule_option in_force[RULES];
	struct fw_err err;
	int rc = parse("builtin_rules:\n"
		       "  HostSilent: {hold: 5m}\n"
		       "  FilesystemAlmostFull: {threshold: 20%}\n"
		       "  FilesystemFullSoon: {threshold: 36h, recovery: 3d}\n"
		       "  FilesystemInodesAlmostGone: {threshold: 0.05, recovery: 0.5, hold: 0s}\n"
		       "  RebootRequired: {enabled: false}\n",
		&options, *arg, &err);
	if (rc < 0)
		fail_msg("%s", err.text);
	rules_in_force(&options, in_force);
	assert_int_equal(limits_of(in_force, "HostSilent")->hold_ms, 300000);
	assert_float_equal(limits_of(in_force, "HostSilent")->threshold, 2.5, 0);
	assert_float_equal(limits_of(in_force, "FilesystemAlmostFull")->threshold, 0.2, 1e-9);
	assert_float_equal(limits_of(in_force, "FilesystemFullSoon")->threshold, 36 * 3600, 0);
	assert_float_equal(limits_of(in_force, "FilesystemFullSoon")->recovery, 72 * 3600, 0);
	assert_float_equal(limits_of(in_force, "FilesystemAlmostFull")->recovery, 0.22, 1e-9);
	assert_int_equal(limits_of(in_force, "FilesystemAlmostFull")->hold_ms, 60000);
	assert_float_equal(limits_of(in_force, "FilesystemInodesAlmostGone")->recovery, 0.5, 0);
	assert_int_equal(limits_of(in_force, "FilesystemInodesAlmostGone")->hold_ms, 0);
	assert_false(in_force[rule_find("RebootRequired") - rules].enabled);
}

static void test_feeds_are_in_rehearsal_unless_live(void **arg)
{
	struct alert_options options;
	struct fw_err err;
	int rc = parse("feeds:\n"
		       "  - {name: desk, type: webhook, url: \"https://desk.example/hook\"}\n"
		       "  - {name: two, type: webhook, url: \"http://[::1]:8080/\", live: true}\n",
		&options, *arg, &err);
	if (rc < 0)
		fail_msg("%s", err.text);
	assert_int_equal(options.n_feeds, 2);
	assert_string_equal(options.feeds[0]->name, "desk");
	assert_false(options.feeds[0]->live);
	assert_true(options.feeds[1]->live);
	assert_string_equal(options.feeds[1]->feed->name, "webhook");
	assert_string_equal(*(const char *const *)options.feeds[1]->config, "http://[::1]:8080/");
}

static void test_mistakes_are_named(void **arg)
{
	static const struct {
		const char *text, *words[4];
	} cases[] = {
		{"builtin_rules: {HostSilnt: {hold: 1m}}", {"line 1", "HostSilnt", "HostSilent"}},
		{"\nbuiltin_rules: {HostSilent: {hald: 1m}}", {"line 2", "hald", "hold"}},
		{"builtin_rules: {HostSilent: {threshold: many}}", {"line 1", "0.1"}},
		{"builtin_rules: {HostSilent: {threshold: 2x}}", {"line 1", "2x"}},
		{"builtin_rules: {HostSilent: {hold: -1m}}", {"line 1", "hold"}},
		{"builtin_rules: {FilesystemAlmostFull: {threshold: 10%, recovery: 5%}}",
			{"line 1", "recovery", "below"}},
		{"builtin_rules: {RebootRequired: {recovery: 1}}", {"line 1", "above"}},
		{"builtin_rules: [HostSilent]", {"line 1", "{HostSilent: {hold: 2m}}"}},
		{"feeds: {name: desk}", {"line 1", "list"}},
		{"feeds: [desk]", {"line 1", "{name: desk"}},
		{"feeds: [{name: desk, type: telex}]", {"line 1", "telex", "webhook"}},
		{"feeds: [{name: desk}]", {"line 1", "type", "webhook"}},
		{"feeds: [{name: desk, type: webhook}]", {"line 1", "url"}},
		{"feeds: [{type: webhook, url: \"http://x\"}]", {"line 1", "name"}},
		{"feeds: [{name: desk, type: webhook, url: \"ftp://x\"}]",
			{"line 1", "url", "ftp"}},
		{"feeds: [{name: desk, type: webhook, url: \"http://x\", lve: on}]",
			{"line 1", "lve", "live"}},
		{"feeds:\n  - {name: a, type: webhook, url: \"http://x\"}\n"
		 "  - {name: a, type: webhook, url: \"http://y\"}\n",
			{"line 3", "'a'"}},
	};
	struct alert_options options;
	struct fw_err err;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(parse(cases[i].text, &options, *arg, &err), -EINVAL);
		for (size_t j = 0; j < 4 && cases[i].words[j]; j++)
			if (!strstr(err.text, cases[i].words[j]))
				fail_msg("case %zu: '%s' lacks '%s'", i, err.text,
					cases[i].words[j]);
	}
}

static void test_a_summary_names_what_and_how_much(void **arg)
{
	(void)arg;
	const struct notice_pair labels[] = {{"mountpoint", "/srv"}, {"instance", "web01"}};
	struct pairs pairs;
	pairs_copy(&pairs, labels, 2);
	char *text = rule_summary(rule_find("FilesystemAlmostFull"), &pairs, 0.0417, "");
	assert_string_equal(text, "web01: /srv has 4.2 % left");
	fw_free(text);
	text = rule_summary(rule_find("SecurityUpdatesPending"), &pairs, 12, "");
	assert_string_equal(text, "web01: security updates pending: 12");
	fw_free(text);
	pairs_done(&pairs);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_without_options_all_rules_are_in_force),
		CASE(test_a_name_tells_which_rules_it_concerns),
		CASE(test_rules_are_adjusted),
		CASE(test_feeds_are_in_rehearsal_unless_live),
		CASE(test_mistakes_are_named),
		CASE(test_a_summary_names_what_and_how_much),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
