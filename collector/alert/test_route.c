/* SPDX-License-Identifier: Apache-2.0 */
/* Which feeds hear of which alerts. */
#include "route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "book.h"
#include "outbox.h"
#include "register.h"
#include "test_tree.h"

static const struct fw_option table[] = {
	{
		.name = "feeds",
		.type = FW_OPT_CUSTOM,
		.parse = alert_parse_feeds,
	},
	{0},
};

static const char feeds_text[] =
	"feeds:\n"
	"  - {name: all, type: webhook, url: 'http://a.example'}\n"
	"  - {name: contoso, type: webhook, url: 'http://a.example',\n"
	"     match: {supplier: Contoso, priority: [P1, P2]}}\n"
	"  - {name: stations, type: webhook, url: 'http://a.example',\n"
	"     match: [{tier: blue-light}, {instance: 'bos-*'}]}\n"
	"  - {name: rest, type: webhook, url: 'http://a.example', otherwise: true}\n";

static void parse(const char *text, struct alert_options *options, struct fw_arena *arena)
{
	struct fw_err err;
	memset(options, 0, sizeof *options);
	if (fw_conf_parse("c.yml", text, strlen(text), table, options, arena, &err) < 0)
		fail_msg("%s", err.text);
}

/* The feeds that hear of an alert of this host, whose annotations are these. */
static void expect_labelled(const struct alert_options *options, const char *instance,
	const struct notice_pair *more, const struct notice_pair *annotations, size_t n,
	const char *wanted)
{
	const struct notice_pair labels[] = {
		{"instance", instance}, more ? *more : (struct notice_pair){"job", "node"}};
	struct episode episode = {.rule = "R", .instance = instance};
	char found[128] = "";
	pairs_copy(&episode.labels, labels, 2);
	pairs_copy(&episode.annotations, annotations, n);
	for (size_t i = 0; i < options->n_feeds; i++)
		if (route_wants(options, i, &episode))
			snprintf(found + strlen(found), sizeof found - strlen(found), "%s ",
				options->feeds[i]->name);
	pairs_done(&episode.labels);
	pairs_done(&episode.annotations);
	assert_string_equal(found, wanted);
}

static void expect(const struct alert_options *options, const char *instance,
	const struct notice_pair *annotations, size_t n, const char *wanted)
{
	expect_labelled(options, instance, NULL, annotations, n, wanted);
}

static void every_alert_is_heard_by_whom_it_concerns(void **state)
{
	static const struct notice_pair urgent[] = {{"priority", "P1"}, {"supplier", "Contoso"}};
	static const struct notice_pair slow[] = {{"priority", "P4"}, {"supplier", "Contoso"}};
	static const struct notice_pair station[] = {
		{"priority", "P2"}, {"supplier", "Contoso"}, {"tier", "blue-light"}};
	struct fw_arena arena = {0};
	struct alert_options options;
	(void)state;
	parse(feeds_text, &options, &arena);
	expect(&options, "web01", urgent, 2, "all contoso ");
	expect(&options, "web01", slow, 2, "all rest ");
	expect(&options, "web01", station, 3, "all contoso stations ");
	expect(&options, "bos-rtr1", NULL, 0, "all stations ");
	expect(&options, "web01", NULL, 0, "all rest ");
	fw_arena_done(&arena);
}

/* Who is responsible is not for a host to say of itself in a label. */
static void the_register_counts_before_labels(void **state)
{
	static const struct notice_pair said[] = {
		{"priority", "P4"}, {"supplier", "Contoso"}, {"tier", "standard"}};
	static const struct notice_pair tier = {"tier", "blue-light"}, urgent = {"priority", "P1"},
					other = {"supplier", "Fabrikam"};
	static const struct notice_pair at_once[] = {{"priority", "P1"}, {"supplier", "Contoso"}};
	struct fw_arena arena = {0};
	struct alert_options options;
	(void)state;
	parse(feeds_text, &options, &arena);
	expect_labelled(&options, "web01", &tier, said, 3, "all rest ");
	expect_labelled(&options, "web01", &urgent, said, 3, "all rest ");
	expect_labelled(&options, "web01", &other, at_once, 2, "all contoso ");
	/* The control: of what the register does not say a label may. */
	expect_labelled(&options, "web01", &tier, NULL, 0, "all stations ");
	fw_arena_done(&arena);
}

/* Any other label is not to be hidden by an annotation of its name. */
static void other_labels_count_before_annotations(void **state)
{
	static const struct notice_pair said[] = {{"instance", "bos-rtr1"}};
	struct fw_arena arena = {0};
	struct alert_options options;
	(void)state;
	parse(feeds_text, &options, &arena);
	expect(&options, "web01", said, 1, "all rest ");
	fw_arena_done(&arena);
}

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *keys, *words;
	} cases[] = {
		{"match: []", "'match' has 1 to"},
		{"match: {}", "names 1 to"},
		{"match: [P1]", "a row of 'match'"},
		{"match: {supplier: []}", "1 to 100 patterns"},
		{"match: {supplier: [{a: b}]}", "a pattern is a text"},
		{"match: {supplier: a}, otherwise: true", "either 'match' or 'otherwise'"},
	};
	struct alert_options options;
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[256];
		struct fw_arena arena = {0};
		struct fw_err err;
		memset(&options, 0, sizeof options);
		snprintf(text, sizeof text,
			"feeds: [{name: d, type: webhook, url: 'http://a', %s}]", cases[i].keys);
		assert_true(fw_conf_parse("c.yml", text, strlen(text), table, &options, &arena,
				    &err) < 0);
		if (!strstr(err.text, cases[i].words))
			fail_msg("%s: %s", cases[i].keys, err.text);
		fw_arena_done(&arena);
	}
}

static struct registry *registry_of(const char *text)
{
	char dir[] = "/tmp/fenwatch-route-XXXXXX";
	struct registry *registry;
	struct fw_err err;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(test_put(dir, "a.yml", text, strlen(text)), 0);
	if (register_load(&registry, dir, &err) < 0)
		fail_msg("%s", err.text);
	test_remove_tree(dir);
	return registry;
}

static void on_doubt(const char *sentence, void *arg)
{
	char *said = arg; /* of 1024 bytes */
	snprintf(said + strlen(said), 1024 - strlen(said), "%s\n", sentence);
}

/* What is said of a feed with this `match`, and of one beside it. */
static void expect_doubts(struct registry *registry, const char *match,
	const struct alert_given *given, const char *expected)
{
	struct fw_arena arena = {0};
	struct alert_options options;
	char text[512], said[1024] = "";
	snprintf(text, sizeof text,
		"feeds: [{name: all, type: webhook, url: 'http://a'}, "
		"{name: desk, type: webhook, url: 'http://a', match: %s}]",
		match);
	parse(text, &options, &arena);
	options.registry = registry;
	alert_doubt_feeds(&options, given, on_doubt, said);
	assert_string_equal(said, expected);
	fw_arena_done(&arena);
}

#define MATCH "feed 'desk', 'match': "
static void what_no_alert_can_have_is_doubted(void **state)
{
	static const struct {
		const char *match, *doubts;
	} cases[] = {
		{"{supplier: Contoso, site: 'Boston*', priority: [P1, 'P[23]'], tier: blue-light}",
			""},
		{"{supplier: [Contoso, Contso]}",
			MATCH "the register has no supplier 'Contso'; did you mean 'Contoso'?\n"},
		{"{supplier: 'Fab*'}", MATCH "the register has no supplier 'Fab*'\n"},
		{"[{site: Bostn}, {tier: blue}]",
			MATCH "the register has no site 'Bostn'; did you mean 'Boston'?\n" MATCH
			      "there is no tier 'blue'\n"},
		{"{priority: p1}", MATCH "there is no priority 'p1'; did you mean 'P1'?\n"},
		{"{alertname: [HostSilent, Own, HostSilnt]}",
			MATCH "there is no rule 'HostSilnt'; did you mean 'HostSilent'?\n"},
		{"{supplier: '', site: '*'}", ""},       /* what is not said fits */
		{"{device: sda, Supplier: Contso}", ""}, /* a series can have that */
	};
	static const char *names[] = {"Own"}, *words[] = {"supplier"};
	static const struct alert_given given = {.alerts = {names, 1}};
	static const struct alert_given more = {.alerts = {names, 1}, .words = {words, 1}};
	struct registry *registry =
		registry_of("suppliers: [{name: Contoso}]\nsites: [{name: Boston}]\n");
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		expect_doubts(registry, cases[i].match, &given, cases[i].doubts);
	expect_doubts(registry, cases[1].match, &more, ""); /* a rule may say so itself */
	register_drop(registry);
	registry = registry_of(
		"hosts: [{host: web01}]\n"); /* and where the register has none, series */
	expect_doubts(registry, "{site: London, supplier: Contoso}", &given, "");
	register_drop(registry);
}

static void expect_aside(const char *match, bool is_wanted)
{
	struct fw_arena arena = {0};
	struct alert_options options;
	struct notice_pair name = {"alertname", "TargetAtRisk"};
	struct episode episode = {
		.rule = "TargetAtRisk", .instance = "web01", .labels = {&name, 1}};
	char text[512];
	snprintf(text, sizeof text, "feeds: [{name: a, type: webhook, url: 'http://a'%s}]", match);
	parse(text, &options, &arena);
	assert_int_equal(route_wants(&options, 0, &episode), is_wanted);
	episode.is_ruled = true; /* somebody's own rule of that name */
	assert_true(route_wants(&options, 0, &episode));
	fw_arena_done(&arena);
}

static void what_is_no_ticket_goes_to_who_asks_for_it(void **state)
{
	(void)state;
	expect_aside("", false);
	expect_aside(", otherwise: true", false);
	expect_aside(", match: {severity: ''}", false);
	expect_aside(", match: [{severity: ''}, {alertname: 'Target*'}]", true);
}

static void expect_rest(const char *more, bool is_doubted)
{
	static const struct alert_given given = {0};
	struct fw_arena arena = {0};
	struct alert_options options;
	char text[512], said[1024] = "";
	snprintf(text, sizeof text,
		"feeds: [{name: narrow, type: webhook, url: 'http://a', match: {job: a}}%s]", more);
	parse(text, &options, &arena);
	struct registry *registry = registry_of("hosts: [{host: web01}]\n");
	options.registry = registry;
	alert_doubt_feeds(&options, &given, on_doubt, said);
	assert_int_equal(strstr(said, "every feed has a 'match'") != NULL, is_doubted);
	register_drop(registry);
	fw_arena_done(&arena);
}

static void that_an_alert_can_go_to_nobody_is_doubted(void **state)
{
	(void)state;
	expect_rest("", true);
	expect_rest(", {name: b, type: webhook, url: 'http://a', match: {job: b}}", true);
	expect_rest(", {name: b, type: webhook, url: 'http://a', otherwise: true}", false);
	expect_rest(", {name: b, type: webhook, url: 'http://a'}", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_alert_is_heard_by_whom_it_concerns),
		cmocka_unit_test(the_register_counts_before_labels),
		cmocka_unit_test(other_labels_count_before_annotations),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(what_no_alert_can_have_is_doubted),
		cmocka_unit_test(what_is_no_ticket_goes_to_who_asks_for_it),
		cmocka_unit_test(that_an_alert_can_go_to_nobody_is_doubted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
