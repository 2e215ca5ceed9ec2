/* SPDX-License-Identifier: Apache-2.0 */
#include "gate.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/file.h>

#include <fenwatch/clock.h>

#include <fenwatch/fault.h>
#include <fenwatch/mem.h>

#include "acks.h"
#include "alert.h"
#include "audit.h"
#include "noise.h"
#include "outbox.h"
#include "register.h"
#include "silences.h"
#include "state.h"
#include "test_tree.h"

#define NOW_MS INT64_C(1795341600000)
#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)

/* ---- the place: a state on disk, one feed, a gate ---- */

struct place {
	char dir[64];
	struct state *state;
	struct gate *gate;
	struct acks *acks;
	struct feed type;
	struct alert_feed_option feed, *feeds[1];
	struct alert_options options;
	struct fw_arena arena;
	int64_t now_ms;
	int64_t first_ms; /* when every host was first heard */
};

static int64_t on_first_heard(const char *instance, void *arg)
{
	(void)instance;
	return ((const struct place *)arg)->first_ms;
}

static void open_gate(struct place *place)
{
	struct fw_err err;
	if (state_open(&place->state, place->dir, &err) < 0 || book_open(place->state, &err) < 0)
		fail_msg("%s", err.text);
	const struct gate_config config = {.state = place->state,
		.options = &place->options,
		.first_heard_ms = on_first_heard,
		.arg = place};
	if (gate_open(&place->gate, &config, &err) < 0 ||
		acks_open(&place->acks, place->state, &err) < 0)
		fail_msg("%s", err.text);
}

static void close_gate(struct place *place)
{
	gate_close(place->gate);
	acks_close(place->acks);
	state_close(place->state);
}

static int set_up(void **arg)
{
	struct place *place = fw_alloc(sizeof *place);
	snprintf(place->dir, sizeof place->dir, "/tmp/fenwatch-gate-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	place->feed = (struct alert_feed_option){
		.name = "desk", .type = "webhook", .live = true, .feed = &place->type};
	place->feeds[0] = &place->feed;
	place->options = (struct alert_options){.feeds = place->feeds, .n_feeds = 1};
	place->now_ms = NOW_MS;
	open_gate(place);
	*arg = place;
	return 0;
}

static int tear_down(void **arg)
{
	struct place *place = *arg;
	fw_fault_clear();
	close_gate(place);
	test_remove_tree(place->dir);
	fw_arena_done(&place->arena);
	fw_free(place);
	return 0;
}

static struct moment now(const struct place *place)
{
	return (struct moment){place->now_ms - NOW_MS + HOUR_MS, place->now_ms};
}

/* Without a word: what was not committed is not there. */
static void restart(struct place *place)
{
	close_gate(place);
	open_gate(place);
}

/* ---- episodes ---- */

static struct episode episode_of(const char *key, const char *instance)
{
	static struct notice_pair labels[2];
	static const struct notice_pair annotations[] = {
		{"site", "Boston"}, {"summary", "it is unwell"}};
	labels[0] = (struct notice_pair){"alertname", "R"};
	labels[1] = (struct notice_pair){"instance", instance};
	struct episode episode = {
		.rule = "R",
		.instance = instance,
		.severity = "warning",
		.labels = {labels, 2},
		.annotations = {(struct notice_pair *)annotations, 2},
		.life = {.phase = FIRING, .value = 1},
	};
	snprintf(episode.key, sizeof episode.key, "%s", key);
	return episode;
}

static int end_transaction(struct place *place, int rc)
{
	if (rc == 0)
		rc = state_commit(place->state, NULL);
	else
		state_rollback(place->state);
	gate_settle(place->gate, rc == 0);
	return rc;
}

static int write_fired(struct place *place, struct episode *episode)
{
	int rc = state_begin(place->state, NULL);
	episode->life.starts_ms = place->now_ms;
	if (rc == 0)
		rc = gate_fired(place->gate, episode, now(place), NULL);
	return end_transaction(place, rc);
}

static struct episode fire(struct place *place, const char *key, const char *instance)
{
	struct episode episode = episode_of(key, instance);
	assert_int_equal(write_fired(place, &episode), 0);
	return episode;
}

static int write_resolved(struct place *place, struct episode *episode)
{
	int rc = state_begin(place->state, NULL);
	episode->life.ends_ms = place->now_ms;
	if (rc == 0)
		rc = gate_resolved(place->gate, episode, NULL);
	return end_transaction(place, rc);
}

static void resolve(struct place *place, struct episode *episode)
{
	assert_int_equal(write_resolved(place, episode), 0);
}

static int look_after(struct place *place, int64_t ms)
{
	place->now_ms += ms;
	return gate_look(place->gate, now(place), NULL);
}

/* ---- what feeds are told ---- */

static int64_t count(struct place *place, const char *sql)
{
	sqlite3_stmt *row;
	assert_int_equal(state_query(place->state, &row, NULL, sql, ""), 0);
	assert_int_equal(state_step(place->state, row, NULL), 1);
	int64_t n = sqlite3_column_int64(row, 0);
	state_done(row);
	return n;
}

static int64_t opens(struct place *place)
{
	return count(place, "SELECT count(*) FROM notice WHERE kind = 0 AND state < 4");
}

static int64_t closes(struct place *place)
{
	return count(place, "SELECT count(*) FROM notice WHERE kind = 1 AND state < 4");
}

/* Every open has been tried: its close is owed. */
static void send_all(struct place *place)
{
	assert_int_equal(state_run(place->state, NULL,
				 "UPDATE notice SET state = 1, tries = 1 WHERE state = 0", ""),
		0);
}

static void expect_held(struct place *place, const char *key, const char *reason)
{
	const struct held *held = gate_find(place->gate, key);
	if (!reason) {
		assert_null(held);
		return;
	}
	assert_non_null(held);
	assert_string_equal(held->reason, reason);
}

/* ---- silences ---- */

static int silence(struct place *place, const char *matcher, int64_t from_ms, int64_t for_ms,
	struct fw_err *err)
{
	struct alert_silence wanted = {
		.matchers = &matcher,
		.n_matchers = 1,
		.starts_ms = place->now_ms + from_ms,
		.ends_ms = place->now_ms + from_ms + for_ms,
		.who = "Ann",
		.comment = "CHG-1",
	};
	int rc = silences_add(gate_silences(place->gate), &wanted, place->now_ms, err);
	return rc < 0 ? rc : (int)wanted.id;
}

static void test_without_a_reason_it_is_told_at_once(void **arg)
{
	struct place *place = *arg;
	struct episode episode = fire(place, "fw1-a", "web01");
	expect_held(place, "fw1-a", NULL);
	assert_int_equal(opens(place), 1);
	send_all(place);
	resolve(place, &episode);
	assert_int_equal(closes(place), 1);
}

static void test_the_end_of_a_silence_tells_what_still_fires(void **arg)
{
	struct place *place = *arg;
	assert_int_equal(silence(place, "instance=~web.*", 0, HOUR_MS, NULL), 1);
	fire(place, "fw1-a", "web01");
	fire(place, "fw1-b", "db01");
	expect_held(place, "fw1-a", "silenced");
	assert_string_equal(gate_find(place->gate, "fw1-a")->why, "silence 1, by Ann: CHG-1");
	assert_int_equal(opens(place), 1); /* db01's */
	assert_int_equal(look_after(place, HOUR_MS - 1), 0);
	assert_int_equal(look_after(place, 1), 1);
	assert_int_equal(opens(place), 2);
	assert_int_equal(look_after(place, HOUR_MS), 0);
	assert_int_equal(opens(place), 2);
}

static bool on_held(const struct audit_entry *entry, void *arg)
{
	if (strcmp(entry->kind, "held") == 0)
		snprintf(arg, 512, "%s", entry->detail);
	return true;
}

static void test_a_long_reason_is_cut_at_a_character(void **arg)
{
	struct place *place = *arg;
	char comment[128], detail[512] = "";
	snprintf(comment, sizeof comment, "%099d\xe2\x82\xac and more", 0);
	const char *matchers[] = {"instance=web01"};
	struct alert_silence wanted = {.starts_ms = place->now_ms,
		.ends_ms = place->now_ms + HOUR_MS,
		.who = "Ann",
		.comment = comment,
		.matchers = matchers,
		.n_matchers = 1};
	assert_int_equal(silences_add(gate_silences(place->gate), &wanted, place->now_ms, NULL), 0);
	fire(place, "fw1-a", "web01");
	expect_held(place, "fw1-a", "silenced");
	comment[99] = '\0';
	assert_non_null(strstr(gate_find(place->gate, "fw1-a")->why, comment));
	assert_int_equal(
		audit_each(place->state, &(struct audit_range){0}, on_held, detail, NULL), 0);
	assert_non_null(strstr(detail, comment));
}

static void test_damaged_words_keep_nothing_from_starting(void **arg)
{
	struct place *place = *arg;
	struct episode episode = fire(place, "fw1-a", "web01");
	send_all(place);
	assert_int_equal(
		state_run(place->state, NULL, "UPDATE episode SET annotations = '{'", ""), 0);
	restart(place);
	resolve(place, &episode);
	assert_int_equal(closes(place), 1);
}

static void test_a_silence_can_be_ended_early(void **arg)
{
	struct place *place = *arg;
	int id = silence(place, "site=Boston", 0, HOUR_MS, NULL);
	fire(place, "fw1-a", "web01");
	assert_int_equal(opens(place), 0);
	assert_int_equal(
		silences_end(gate_silences(place->gate), id, "Ann", place->now_ms, NULL), 0);
	assert_int_equal(look_after(place, 0), 1);
	assert_int_equal(
		silences_end(gate_silences(place->gate), id, "Ann", place->now_ms, NULL), -ENOENT);
	assert_int_equal(
		silences_end(gate_silences(place->gate), 99, "Ann", place->now_ms, NULL), -ENOENT);
}

static void test_what_clears_in_a_silence_was_never_told(void **arg)
{
	struct place *place = *arg;
	silence(place, "instance=web01", 0, HOUR_MS, NULL);
	struct episode episode = fire(place, "fw1-a", "web01");
	resolve(place, &episode);
	assert_int_equal(look_after(place, 2 * HOUR_MS), 0);
	assert_int_equal(count(place, "SELECT count(*) FROM notice"), 0);
	assert_int_equal(count(place, "SELECT count(*) FROM episode WHERE ends_ms <> 0"), 1);
}

static void test_a_close_is_told_whatever_is_silenced(void **arg)
{
	struct place *place = *arg;
	struct episode episode = fire(place, "fw1-a", "web01");
	send_all(place);
	silence(place, "instance=web01", 0, HOUR_MS, NULL);
	resolve(place, &episode);
	assert_int_equal(closes(place), 1);
	place->now_ms++;
	fire(place, "fw1-a", "web01"); /* another episode, which the silence is about */
	expect_held(place, "fw1-a", "silenced");
	assert_int_equal(opens(place), 1);
}

static void test_a_silence_waits_for_its_start(void **arg)
{
	struct place *place = *arg;
	silence(place, "instance=web01", HOUR_MS, HOUR_MS, NULL);
	fire(place, "fw1-a", "web01");
	assert_int_equal(opens(place), 1);
	look_after(place, HOUR_MS);
	fire(place, "fw1-b", "web01");
	expect_held(place, "fw1-b", "silenced");
}

static void test_matchers(void **arg)
{
	static const struct {
		const char *matcher;
		bool is_met;
	} cases[] = {
		{"instance=web01", true}, {"instance=\"web01\"", true}, {"instance=web0", false},
		{"instance!=db01", true},
		{"instance=~web", false}, /* an expression is for the whole value */
		{"instance=~web.+", true}, {"instance!~web.+", false},
		{"site=Boston", true},     /* by the register, whatever a label says */
		{"site=Elsewhere", false}, /* as this one does */
		{"tier!=vip", true},       /* there is none */
	};
	struct notice_pair labels[] = {
		{"alertname", "R"}, {"instance", "web01"}, {"site", "Elsewhere"}};
	struct place *place = *arg;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct episode episode = episode_of("fw1-a", "web01");
		episode.labels = (struct pairs){labels, sizeof labels / sizeof *labels};
		const char *matchers[] = {cases[i].matcher, "alertname=R"};
		struct alert_silence wanted = {.matchers = matchers,
			.n_matchers = 2,
			.starts_ms = NOW_MS,
			.ends_ms = NOW_MS + 1,
			.who = "Ann",
			.comment = "x"};
		char why[GATE_WHY];
		struct silences *silences = gate_silences(place->gate);
		assert_int_equal(silences_add(silences, &wanted, NOW_MS, NULL), 0);
		assert_int_equal(silences_hold(silences, &episode, NOW_MS, why), cases[i].is_met);
		assert_int_equal(silences_forget(silences, NOW_MS + 2, NULL), 0);
	}
}

static void test_mistakes_are_named(void **arg)
{
	static const struct {
		const char *matcher;
		int64_t for_ms;
		const char *sentence;
	} cases[] = {
		{"web01", HOUR_MS, "'web01' is no matcher"},
		{"=web01", HOUR_MS, "is no matcher"},
		{"a=~(", HOUR_MS, "is no regular expression"},
		{"instance=~.*", HOUR_MS, "every alert would be silenced"},
		{"a=b\nc=d", HOUR_MS, "is no matcher"},
		{"instance=web01", 0, "must end later"},
		{"instance=web01", 401 * 24 * HOUR_MS, "within 400 days"},
	};
	struct place *place = *arg;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fw_err err;
		assert_int_equal(
			silence(place, cases[i].matcher, 0, cases[i].for_ms, &err), -EINVAL);
		if (!strstr(err.text, cases[i].sentence))
			fail_msg("%s: %s", cases[i].matcher, err.text);
	}
	assert_int_equal(count(place, "SELECT count(*) FROM silence"), 0);
}

/* ---- lines ---- */

static void read_lines(struct place *place, const char *maintained, const char *lifecycle)
{
	char text[512], dir[96];
	struct registry *registry;
	struct fw_err err;
	int length = snprintf(text, sizeof text,
		"sites: [{name: Hall, links: [rtr1, rtr2]}]\n"
		"maintenance: [{name: CHG-1, hours: {mon-sun: all day}, hosts: [%s]}]\n"
		"hosts: [{host: rtr2, lifecycle: %s}]\n",
		maintained, lifecycle);
	assert_int_equal(test_put(place->dir, "register/a.yml", text, (size_t)length), 0);
	snprintf(dir, sizeof dir, "%s/register", place->dir);
	if (register_load(&registry, dir, &err) < 0)
		fail_msg("%s", err.text);
	register_drop((struct registry *)place->options.registry);
	place->options.registry = registry;
}

static void expect_line(struct place *place, const char *reason)
{
	static int n;
	struct notice_pair site = {"site", "Hall"};
	char key[IDENTITY_KEY];
	snprintf(key, sizeof key, "fw1-line%d", n++);
	struct episode episode = episode_of(key, "");
	episode.rule = "SiteUnreachable";
	episode.labels = (struct pairs){&site, 1};
	assert_int_equal(write_fired(place, &episode), 0);
	if (*reason)
		expect_held(place, key, reason);
	else
		assert_null(gate_find(place->gate, key));
}

static void test_what_holds_all_links_holds_that_the_site_cannot_be_reached(void **arg)
{
	struct place *place = *arg;
	read_lines(place, "rtr1", "live");
	expect_line(place, "");
	read_lines(place, "'rtr*'", "live");
	expect_line(place, "in maintenance");
	assert_string_equal(gate_find(place->gate, "fw1-line1")->why, "rtr2: CHG-1");
	read_lines(place, "rtr1", "planned");
	expect_line(place, "in maintenance");
	read_lines(place, "nothing", "planned");
	expect_line(place, "");
	assert_int_equal(silence(place, "instance=rtr1", 0, HOUR_MS, NULL), 1);
	expect_line(place, "silenced");
	read_lines(place, "nothing", "live");
	expect_line(place, "");
	register_drop((struct registry *)place->options.registry);
	place->options.registry = NULL;
}

/* ---- storms, flapping, budgets ---- */

static struct episode fire_one_of(struct place *place, size_t i)
{
	char key[IDENTITY_KEY], instance[32];
	snprintf(key, sizeof key, "fw1-%zu", i);
	snprintf(instance, sizeof instance, "host%zu", i);
	struct episode episode = fire(place, key, instance);
	episode.instance = "";
	return episode;
}

static void test_of_a_storm_a_few_are_told(void **arg)
{
	struct place *place = *arg;
	struct episode episodes[400];
	place->options.noise.storm = 5;
	for (size_t i = 0; i < 400; i++)
		episodes[i] = fire_one_of(place, i);
	assert_int_equal(opens(place), 5);
	expect_held(place, "fw1-5", "storm");
	const struct crowd *crowd = noise_crowds(gate_noise(place->gate));
	assert_string_equal(crowd->name, "R");
	assert_int_equal(crowd->n, 395);
	assert_int_equal(look_after(place, 10 * MINUTE_MS), 0);
	restart(place);
	assert_int_equal(look_after(place, MINUTE_MS), 0);
	for (size_t i = 0; i < 397; i++)
		resolve(place, &episodes[i]);
	assert_int_equal(look_after(place, MINUTE_MS), 3);
	assert_int_equal(opens(place), 3);
}

static void test_long_after_a_storm_another_fault_is_told(void **arg)
{
	struct place *place = *arg;
	place->options.noise.storm = 5;
	for (size_t i = 0; i < 11; i++)
		fire_one_of(place, i);
	assert_int_equal(look_after(place, HOUR_MS - 1), 0);
	fire_one_of(place, 11);
	assert_int_equal(opens(place), 5);
	assert_int_equal(look_after(place, HOUR_MS), 0);
	restart(place);
	fire_one_of(place, 12);
	assert_int_equal(opens(place), 6);
	assert_int_equal(noise_crowds(gate_noise(place->gate))->n, 7);
}

/* Of this supplier's host, with this priority. */
static void fire_for(struct place *place, size_t i, const char *supplier, const char *priority)
{
	char key[IDENTITY_KEY], instance[32];
	snprintf(key, sizeof key, "fw1-%zu", i);
	snprintf(instance, sizeof instance, "host%zu", i);
	struct notice_pair annotations[] = {{"priority", priority}, {"supplier", supplier}};
	struct episode episode = episode_of(key, instance);
	episode.annotations = (struct pairs){annotations, 2};
	assert_int_equal(write_fired(place, &episode), 0);
}

static void test_a_storm_is_of_one_supplier_and_hides_no_emergency(void **arg)
{
	struct place *place = *arg;
	place->options.noise.storm = 5;
	for (size_t i = 0; i < 12; i++)
		fire_for(place, i, "Contoso", "P3");
	assert_int_equal(opens(place), 5);
	fire_for(place, 12, "Fabrikam", "P3");
	assert_int_equal(opens(place), 6);
	restart(place);
	for (size_t i = 13; i < 20; i++)
		fire_for(place, i, "Contoso", "P1");
	assert_int_equal(opens(place), 11);
	const struct crowd *urgent = noise_crowds(gate_noise(place->gate));
	assert_true(urgent->is_urgent);
	assert_string_equal(urgent->supplier, "Contoso");
	assert_int_equal(urgent->n, 2);
	assert_int_equal(look_after(place, MINUTE_MS - 1), 0);
}

static const char two_feeds[] =
	"feeds:\n"
	"  - {name: contoso, type: webhook, url: 'http://a.example', live: true,\n"
	"     match: {site: Boston}}\n"
	"  - {name: fabrikam, type: webhook, url: 'http://a.example', live: true,\n"
	"     match: {supplier: Fabrikam}}\n"
	"  - {name: rest, type: webhook, url: 'http://a.example', live: true, otherwise: true}\n";

static void read_feeds(struct place *place)
{
	static const struct fw_option table[] = {
		{.name = "feeds", .type = FW_OPT_CUSTOM, .parse = alert_parse_feeds}, {0}};
	struct fw_err err;
	memset(&place->options, 0, sizeof place->options);
	if (fw_conf_parse("c.yml", two_feeds, strlen(two_feeds), table, &place->options,
		    &place->arena, &err) < 0)
		fail_msg("%s", err.text);
	gate_reload(place->gate, &place->options);
}

static int64_t opens_of(struct place *place, const char *feed)
{
	char sql[128];
	snprintf(sql, sizeof sql,
		"SELECT count(*) FROM notice WHERE key = 'fw1-roll' AND feed = '%s'", feed);
	return count(place, sql);
}

static void test_what_tells_of_many_goes_to_who_would_have_heard_of_any(void **arg)
{
	struct place *place = *arg;
	read_feeds(place);
	place->options.noise.storm = 1;
	fire(place, "fw1-0", "host0");
	fire(place, "fw1-1", "host1");
	struct crowd *crowd = noise_crowds(gate_noise(place->gate));
	snprintf(crowd->key, sizeof crowd->key, "fw1-roll");
	struct episode roll = episode_of("fw1-roll", "");
	roll.rule = "AlertStorm";
	roll.annotations.n = 0;
	assert_int_equal(write_fired(place, &roll), 0);
	assert_int_equal(opens_of(place, "contoso"), 1);
	assert_int_equal(opens_of(place, "fabrikam"), 0);
	assert_int_equal(opens_of(place, "rest"), 0);
	assert_int_equal(gate_spread(place->gate, crowd, &roll, now(place), NULL), 0);
	crowd->wanted[2] = crowd->grew = true;
	int silenced = silence(place, "alertname=R", 0, MINUTE_MS, NULL);
	assert_int_equal(gate_spread(place->gate, crowd, &roll, now(place), NULL), 0);
	assert_true(crowd->grew);
	assert_int_equal(
		silences_end(gate_silences(place->gate), silenced, "Ann", place->now_ms, NULL), 0);
	assert_int_equal(gate_spread(place->gate, crowd, &roll, now(place), NULL), 1);
	assert_int_equal(opens_of(place, "rest"), 1);
	assert_false(crowd->grew);
	gate_reload(place->gate, &place->options);
	assert_true(crowd->wanted[0]);
	assert_false(crowd->wanted[2]);
}

/* A desk is paid for none of them, and none keeps it from a fault; after a restart, too. */
static void test_what_is_no_ticket_asks_no_budget(void **arg)
{
	static const char *const keys[] = {"fw1-a", "fw1-b", "fw1-c"};
	struct place *place = *arg;
	place->options.noise = (struct alert_noise){.host = 1, .storm = 2};
	for (size_t i = 0; i < 3; i++) {
		struct episode aside = episode_of(keys[i], "web01");
		aside.rule = "TargetAtRisk";
		assert_int_equal(write_fired(place, &aside), 0);
		expect_held(place, keys[i], NULL);
	}
	restart(place);
	fire(place, "fw1-d", "web01");
	expect_held(place, "fw1-d", NULL);
	assert_null(noise_crowds(gate_noise(place->gate)));
}

/* A rule of a file may have the name of a built-in one that may do as it likes. */
static void test_a_rule_of_a_file_has_no_privileges(void **arg)
{
	struct place *place = *arg;
	place->options.noise.storm = 1;
	for (size_t i = 0; i < 2; i++) {
		struct episode episode = episode_of(i ? "fw1-b" : "fw1-a", "");
		episode.rule = "AlertStorm";
		episode.is_ruled = true;
		assert_int_equal(write_fired(place, &episode), 0);
	}
	expect_held(place, "fw1-b", "storm");
}

/* In transactions of a thousand, as alerts.c writes them. */
static void test_twenty_thousand_at_once_are_five(void **arg)
{
	struct place *place = *arg;
	place->options.noise.storm = 5;
	for (size_t i = 0; i < 20000; i++) {
		char key[IDENTITY_KEY], instance[32];
		snprintf(key, sizeof key, "fw1-%zu", i);
		snprintf(instance, sizeof instance, "host%zu", i);
		struct episode episode = episode_of(key, instance);
		episode.life.starts_ms = place->now_ms;
		if (i % 1000 == 0)
			assert_int_equal(state_begin(place->state, NULL), 0);
		assert_int_equal(gate_fired(place->gate, &episode, now(place), NULL), 0);
		if (i % 1000 == 999)
			assert_int_equal(end_transaction(place, 0), 0);
	}
	assert_int_equal(look_after(place, MINUTE_MS), 0);
	assert_int_equal(opens(place), 5);
	assert_int_equal(noise_crowds(gate_noise(place->gate))->n, 19995);
}

/* The control: without a limit all are. */
static void test_control_without_a_limit_all_are_told(void **arg)
{
	struct place *place = *arg;
	for (size_t i = 0; i < 400; i++)
		fire_one_of(place, i);
	assert_int_equal(opens(place), 400);
}

static void test_few_of_a_rule_wait_a_minute(void **arg)
{
	struct place *place = *arg;
	place->options.noise.storm = 2;
	for (size_t i = 0; i < 4; i++)
		fire_one_of(place, i);
	assert_int_equal(opens(place), 2);
	assert_int_equal(look_after(place, MINUTE_MS - 1), 0);
	assert_int_equal(look_after(place, 1), 2);
}

/* Notices within any hour that ends with one. */
static int64_t most_in_an_hour(struct place *place)
{
	return count(place,
		"WITH t AS (SELECT told_ms AS at FROM notice WHERE state < 4)"
		" SELECT max((SELECT count(*) FROM t u WHERE u.at > t.at - 3600000 AND u.at <= t.at))"
		" FROM t");
}

static void test_a_thousand_flaps_are_four_notices(void **arg)
{
	struct place *place = *arg;
	struct episode episode;
	for (size_t i = 0; i < 3000; i++) {
		episode = fire(place, "fw1-a", "web01");
		send_all(place);
		look_after(place, 1000);
		send_all(place);
		resolve(place, &episode);
		look_after(place, 2600);
	}
	assert_int_equal(opens(place), closes(place));
	assert_in_range(opens(place), 5, 8);
	assert_in_range(most_in_an_hour(place), 2, 4);
	fire(place, "fw1-a", "web01"); /* and stays */
	expect_held(place, "fw1-a", "flapping");
	look_after(place, HOUR_MS);
	expect_held(place, "fw1-a", NULL);
}

static void test_other_faults_of_a_host_that_flaps_are_told(void **arg)
{
	struct place *place = *arg;
	for (size_t i = 0; i < 10; i++) {
		struct episode episode = fire(place, "fw1-a", "web01");
		send_all(place);
		place->now_ms += 1000;
		resolve(place, &episode);
	}
	assert_int_equal(opens(place), 2);
	fire(place, "fw1-b", "web01");
	expect_held(place, "fw1-b", NULL);
}

static void test_a_budget_is_a_days(void **arg)
{
	static const char *const keys[] = {"fw1-a", "fw1-b", "fw1-c", "fw1-d", "fw1-e"};
	struct place *place = *arg;
	place->options.noise = (struct alert_noise){.host = 3, .estate = 4};
	for (size_t i = 0; i < 5; i++)
		fire(place, keys[i], "web01");
	assert_int_equal(opens(place), 3);
	expect_held(place, "fw1-d", "budget");
	assert_string_equal(gate_find(place->gate, "fw1-d")->why,
		"the budget of 3 tickets a day is spent: host web01");
	fire(place, "fw1-f", "web02");
	fire(place, "fw1-g", "web03");
	assert_string_equal(gate_find(place->gate, "fw1-g")->why,
		"the budget of 4 tickets a day is spent: estate");
	restart(place);
	assert_int_equal(look_after(place, 0), 0);
	assert_int_equal(look_after(place, 24 * HOUR_MS), 3);
}

static void test_what_may_not_wait_asks_no_budget(void **arg)
{
	static struct notice_pair urgent[] = {{"priority", "P1"}};
	struct place *place = *arg;
	place->options.noise = (struct alert_noise){.host = 1};
	fire(place, "fw1-a", "web01");
	struct episode episode = episode_of("fw1-b", "web01");
	episode.annotations = (struct pairs){urgent, 1};
	assert_int_equal(write_fired(place, &episode), 0);
	expect_held(place, "fw1-b", NULL);
}

/* ---- acknowledgements ---- */

static int acknowledge(
	struct place *place, enum alert_answer_kind kind, const char *alert, struct fw_err *err)
{
	const struct alert_answer answer = {
		.kind = kind, .alert = alert, .feed = "", .who = "Ann", .note = "mine"};
	return acks_add(place->acks, &place->options, &answer, place->now_ms, err);
}

static int64_t entries(struct place *place, const char *kind)
{
	char sql[128];
	snprintf(sql, sizeof sql, "SELECT count(*) FROM audit WHERE kind = '%s'", kind);
	return count(place, sql);
}

static void test_an_acknowledgement_ends_with_its_episode(void **arg)
{
	struct place *place = *arg;
	struct episode first = fire(place, "fw1-0123456789", "web01");
	struct fw_err err;
	assert_int_equal(acknowledge(place, ANSWER_ACKNOWLEDGED, "fw1-0123", &err), 0);
	assert_int_equal(
		acknowledge(place, ANSWER_ACKNOWLEDGED, "fw1-0123456789", &err), -EALREADY);
	restart(place);
	const struct ack *ack = acks_find(place->acks, first.key, first.life.starts_ms);
	assert_non_null(ack);
	assert_string_equal(ack->who, "Ann");
	assert_string_equal(ack->note, "mine");
	assert_int_equal(entries(place, "acknowledged"), 1);
	resolve(place, &first);
	assert_int_equal(acknowledge(place, ANSWER_ACKNOWLEDGED, "fw1-0123456789", &err), -ENOENT);
	place->now_ms++;
	struct episode second = fire(place, "fw1-0123456789", "web01");
	assert_null(acks_find(place->acks, second.key, second.life.starts_ms));
	assert_int_equal(acknowledge(place, ANSWER_ACKNOWLEDGED, "fw1-0123456789", &err), 0);
}

static void test_a_desk_answers_by_its_number(void **arg)
{
	struct place *place = *arg;
	struct episode episode = fire(place, "fw1-a", "web01");
	fire(place, "fw1-b", "web02");
	assert_int_equal(acknowledge(place, ANSWER_ACCEPTED, "INC1", NULL), -ENOENT);
	assert_int_equal(state_run(place->state, NULL,
				 "UPDATE notice SET receipt = 'INC1' WHERE key = 'fw1-a'", ""),
		0);
	assert_int_equal(acknowledge(place, ANSWER_ACCEPTED, "INC1", NULL), 0);
	assert_non_null(acks_find(place->acks, "fw1-a", episode.life.starts_ms));
	assert_int_equal(acknowledge(place, ANSWER_ACCEPTED, "INC1", NULL), 0);
	resolve(place, &episode);
	assert_int_equal(acknowledge(place, ANSWER_RESOLVED, "INC1", NULL), 0);
	assert_int_equal(entries(place, "accepted"), 1);
	assert_int_equal(entries(place, "resolved"), 1);
}

/* Of the desk of this feed, by a token of its own. */
static int desk_answers(
	struct place *place, const char *feed, const char *alert, struct fw_err *err)
{
	const struct alert_answer answer = {.kind = ANSWER_RESOLVED,
		.alert = alert,
		.feed = feed,
		.is_desk = true,
		.who = "feed",
		.note = ""};
	return acks_add(place->acks, &place->options, &answer, place->now_ms, err);
}

static void set_notice(struct place *place, const char *what)
{
	char sql[128];
	snprintf(sql, sizeof sql, "UPDATE notice SET %s WHERE key = 'fw1-01234567a'", what);
	assert_int_equal(state_run(place->state, NULL, sql, ""), 0);
}

static void test_a_desk_speaks_of_what_it_was_told_alone(void **arg)
{
	struct place *place = *arg;
	struct fw_err unheard, unknown;
	fire(place, "fw1-01234567a", "web01");
	fire(place, "fw1-01234567b", "web01");
	assert_int_equal(desk_answers(place, "desk", "fw1-0123", &unheard), -ENOENT);
	assert_int_equal(desk_answers(place, "desk", "fw1-01234567a", &unheard), -ENOENT);
	set_notice(place, "tries = 1, state = 3");
	assert_int_equal(desk_answers(place, "desk", "fw1-01234567a", &unheard), -ENOENT);
	set_notice(place, "tries = 1, state = 2");
	assert_int_equal(desk_answers(place, "desk", "fw1-01234567a", &unheard), -ENOENT);
	set_notice(place, "tries = 1, state = 1");
	assert_int_equal(desk_answers(place, "other", "fw1-01234567a", &unheard), -ENOENT);
	/* What it was not told of does not even make a short name doubtful. */
	assert_int_equal(desk_answers(place, "desk", "fw1-01234567", NULL), 0);
	assert_int_equal(desk_answers(place, "desk", "fw1-01234567a", NULL), 0);
	assert_int_equal(desk_answers(place, "desk", "fw1-01234567b", &unheard), -ENOENT);
	assert_int_equal(desk_answers(place, "desk", "fw1-01234567z", &unknown), -ENOENT);
	*strrchr(unheard.text, 'b') = 'z';
	assert_string_equal(unheard.text, unknown.text);
	assert_int_equal(acknowledge(place, ANSWER_RESOLVED, "fw1-01234567b", NULL), 0);
}

static void test_an_acknowledgement_says_which(void **arg)
{
	struct place *place = *arg;
	struct fw_err err;
	fire(place, "fw1-01234567a", "web01");
	fire(place, "fw1-01234567b", "web01");
	assert_int_equal(acknowledge(place, ANSWER_ACKNOWLEDGED, "fw1-01234567", &err), -EINVAL);
	assert_non_null(strstr(err.text, "several"));
	assert_int_equal(acknowledge(place, ANSWER_ACKNOWLEDGED, "fw1-", &err), -ENOENT);
}

/* ---- what lasts ---- */

static void test_silences_and_what_they_hold_outlive_the_process(void **arg)
{
	struct place *place = *arg;
	silence(place, "instance=web01", 0, HOUR_MS, NULL);
	struct episode a = fire(place, "fw1-a", "web01");
	fire(place, "fw1-b", "web01");
	restart(place);
	expect_held(place, "fw1-a", "silenced");
	resolve(place, &a);
	assert_int_equal(look_after(place, HOUR_MS), 1);
	assert_int_equal(opens(place), 1);
	restart(place);
	assert_int_equal(look_after(place, HOUR_MS), 0);
	assert_int_equal(opens(place), 1);
}

static void test_what_cannot_be_written_has_not_happened(void **arg)
{
	struct place *place = *arg;
	silence(place, "instance=web01", 0, HOUR_MS, NULL);
	struct episode held = fire(place, "fw1-a", "web01");
	assert_int_equal(state_begin(place->state, NULL), 0);
	struct episode lost = episode_of("fw1-b", "web01");
	assert_int_equal(gate_fired(place->gate, &lost, now(place), NULL), 0);
	assert_int_equal(gate_resolved(place->gate, &held, NULL), 0);
	assert_int_equal(end_transaction(place, -EIO), -EIO);
	expect_held(place, "fw1-a", "silenced");
	expect_held(place, "fw1-b", NULL);
	assert_int_equal(look_after(place, HOUR_MS), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* ---- maintenance ---- */

static void use_register(struct place *place, const char *text)
{
	char path[128];
	struct registry *registry;
	struct fw_err err;
	register_drop((struct registry *)place->options.registry);
	assert_int_equal(test_put(place->dir, "register.d/a.yml", text, strlen(text)), 0);
	snprintf(path, sizeof path, "%s/register.d", place->dir);
	if (register_load(&registry, path, &err) < 0)
		fail_msg("%s", err.text);
	place->options.registry = registry;
}

static void use_no_register(struct place *place)
{
	register_drop((struct registry *)place->options.registry);
	place->options.registry = NULL;
}

/* NOW_MS lies within it; an hour later it is over. */
static void test_who_is_worked_at_is_told_of_afterwards(void **arg)
{
	struct place *place = *arg;
	char text[256], day[32], from[32], to[32];
	fw_time_format(NOW_MS, day, sizeof day);
	fw_time_format(NOW_MS - HOUR_MS / 2, from, sizeof from);
	fw_time_format(NOW_MS + HOUR_MS / 2, to, sizeof to);
	snprintf(text, sizeof text,
		"maintenance: [{name: CHG-1, days: {%.10s: '%.5s-%.5s'}, hosts: ['web*']}]", day,
		from + 11, to + 11);
	use_register(place, text);
	struct episode told = fire(place, "fw1-b", "db01");
	struct episode held = fire(place, "fw1-a", "web01");
	expect_held(place, "fw1-b", NULL);
	expect_held(place, "fw1-a", "in maintenance");
	assert_string_equal(gate_find(place->gate, "fw1-a")->why, "CHG-1");
	assert_int_equal(look_after(place, HOUR_MS), 1);
	assert_int_equal(opens(place), 2);
	resolve(place, &told);
	resolve(place, &held);
	use_no_register(place);
}

/* A host that is built or gone is nobody's to mend; one that goes live is. */
static void test_who_is_not_in_service_is_not_told_of(void **arg)
{
	struct place *place = *arg;
	use_register(place,
		"hosts: [{host: web01, lifecycle: planned}, {host: web02, lifecycle: retired},"
		" {host: web03, lifecycle: retiring, retires: 2999-01-01}]");
	struct episode planned = fire(place, "fw1-a", "web01"),
		       gone = fire(place, "fw1-b", "web02");
	struct episode retiring = fire(place, "fw1-c", "web03");
	expect_held(place, "fw1-a", "not in service");
	assert_string_equal(gate_find(place->gate, "fw1-a")->why, "planned by the register");
	expect_held(place, "fw1-b", "not in service");
	expect_held(place, "fw1-c", NULL);
	use_register(place, "hosts: [{host: web02, lifecycle: retired}]");
	assert_int_equal(look_after(place, MINUTE_MS), 1);
	expect_held(place, "fw1-a", NULL);
	assert_int_equal(opens(place), 2);
	resolve(place, &planned);
	resolve(place, &gone);
	resolve(place, &retiring);
	use_no_register(place);
}

/* ---- the work list ---- */

static struct episode fire_rule(struct place *place, const char *key, const char *rule)
{
	struct episode episode = episode_of(key, "web01");
	episode.rule = rule;
	assert_int_equal(write_fired(place, &episode), 0);
	return episode;
}

/* A new host: its overdue fixes are work, a full disk is not; and what comes later is neither. */
static void test_what_was_so_at_first_is_work(void **arg)
{
	struct place *place = *arg;
	place->first_ms = NOW_MS - HOUR_MS;
	struct episode overdue = fire_rule(place, "fw1-a", "PatchOverdue");
	struct episode full = fire_rule(place, "fw1-b", "FilesystemAlmostFull");
	expect_held(place, "fw1-a", "work");
	expect_held(place, "fw1-b", NULL);
	assert_int_equal(look_after(place, 24 * HOUR_MS), 0);
	expect_held(place, "fw1-a", "work");
	struct episode later = fire_rule(place, "fw1-c", "RebootOverdue");
	expect_held(place, "fw1-c", NULL);
	restart(place);
	expect_held(place, "fw1-a", "work");
	resolve(place, &overdue);
	expect_held(place, "fw1-a", NULL);
	resolve(place, &full);
	resolve(place, &later);
	assert_int_equal(count(place, "SELECT count(*) FROM notice WHERE key = 'fw1-a'"), 0);
}

static void test_a_host_that_was_always_there_has_no_work_list(void **arg)
{
	struct place *place = *arg;
	struct episode overdue = fire_rule(place, "fw1-a", "PatchOverdue");
	expect_held(place, "fw1-a", NULL);
	resolve(place, &overdue);
}

static void test_work_is_handed_to_the_desk(void **arg)
{
	static const char first[] = "fw1-0123456789", second[] = "fw1-0123ffffff";
	struct place *place = *arg;
	struct fw_err err;
	place->first_ms = NOW_MS;
	struct episode one = fire_rule(place, first, "PatchOverdue");
	struct episode other = fire_rule(place, second, "RebootOverdue");
	assert_int_equal(gate_hand(place->gate, "fw1-0123", "Ann", now(place), &err), -EINVAL);
	assert_int_equal(gate_hand(place->gate, "fw1-012", "Ann", now(place), &err), -ENOENT);
	assert_int_equal(opens(place), 0);
	assert_int_equal(gate_hand(place->gate, "fw1-01234", "Ann", now(place), &err), 0);
	expect_held(place, first, NULL);
	expect_held(place, second, "work");
	assert_int_equal(opens(place), 1);
	assert_int_equal(gate_hand(place->gate, first, "Ann", now(place), &err), -ENOENT);
	assert_int_equal(
		count(place, "SELECT count(*) FROM audit WHERE kind = 'handed' AND who = 'Ann'"),
		1);
	resolve(place, &one);
	resolve(place, &other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_without_a_reason_it_is_told_at_once),
		TEST(test_the_end_of_a_silence_tells_what_still_fires),
		TEST(test_a_long_reason_is_cut_at_a_character),
		TEST(test_damaged_words_keep_nothing_from_starting),
		TEST(test_a_silence_can_be_ended_early),
		TEST(test_what_clears_in_a_silence_was_never_told),
		TEST(test_a_close_is_told_whatever_is_silenced),
		TEST(test_a_silence_waits_for_its_start),
		TEST(test_matchers),
		TEST(test_mistakes_are_named),
		TEST(test_what_holds_all_links_holds_that_the_site_cannot_be_reached),
		TEST(test_of_a_storm_a_few_are_told),
		TEST(test_long_after_a_storm_another_fault_is_told),
		TEST(test_a_storm_is_of_one_supplier_and_hides_no_emergency),
		TEST(test_what_tells_of_many_goes_to_who_would_have_heard_of_any),
		TEST(test_what_is_no_ticket_asks_no_budget),
		TEST(test_a_rule_of_a_file_has_no_privileges),
		TEST(test_twenty_thousand_at_once_are_five),
		TEST(test_control_without_a_limit_all_are_told),
		TEST(test_few_of_a_rule_wait_a_minute),
		TEST(test_a_thousand_flaps_are_four_notices),
		TEST(test_other_faults_of_a_host_that_flaps_are_told),
		TEST(test_a_budget_is_a_days),
		TEST(test_what_may_not_wait_asks_no_budget),
		TEST(test_an_acknowledgement_ends_with_its_episode),
		TEST(test_a_desk_answers_by_its_number),
		TEST(test_a_desk_speaks_of_what_it_was_told_alone),
		TEST(test_an_acknowledgement_says_which),
		TEST(test_silences_and_what_they_hold_outlive_the_process),
		TEST(test_what_cannot_be_written_has_not_happened),
		TEST(test_who_is_worked_at_is_told_of_afterwards),
		TEST(test_who_is_not_in_service_is_not_told_of),
		TEST(test_what_was_so_at_first_is_work),
		TEST(test_a_host_that_was_always_there_has_no_work_list),
		TEST(test_work_is_handed_to_the_desk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
