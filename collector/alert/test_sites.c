/* SPDX-License-Identifier: Apache-2.0 */
#include "sites.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/buf.h>
#include <fenwatch/mem.h>

#include "alert.h"
#include "outbox.h"
#include "register.h"
#include "state.h"
#include "test_tree.h"

#define SITES 40
#define DEVICES 25 /* of a site; the first is its link */
#define HOSTS ((size_t)SITES * DEVICES)
#define INTERVAL_MS 60000
#define HOLD_MS 60000
#define STEP_MS 5000
#define MINUTE 60000
#define WALL_MS INT64_C(1795341600000)

/* ---- an estate, of which each host speaks every minute while it may ---- */

struct device {
	char name[16];
	struct fw_label labels[2];
	int64_t from_ms, to_ms; /* not heard within these; 0, 0: always */
	bool has_episode;
	struct episode episode;
};

struct place {
	char dir[64];
	struct state *state;
	struct registry *registry;
	struct sites *sites;
	struct gate *gate;
	struct feed type;
	struct alert_feed_option feed, *feeds[1];
	struct alert_options options;
	struct device devices[HOSTS];
	struct site_host hosts[HOSTS];
	size_t n;
	bool is_ruled; /* a rule of somebody's own tells of hosts once they are late */
	bool is_blind; /* and nobody knows that they are */
	struct device incidents[SITES];
	size_t n_incidents;
	int64_t now_ms;
};

static void name_device(struct device *device, size_t site, size_t i)
{
	snprintf(device->name, sizeof device->name, "s%02zud%02zu", site, i);
	device->labels[0] = (struct fw_label){"instance", device->name};
	device->labels[1] = (struct fw_label){"job", "node"};
}

static int set_up(void **arg)
{
	struct place *place = fw_alloc(sizeof *place);
	snprintf(place->dir, sizeof place->dir, "/tmp/fenwatch-sites-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	place->feed = (struct alert_feed_option){
		.name = "desk", .type = "webhook", .live = true, .feed = &place->type};
	place->feeds[0] = &place->feed;
	place->options = (struct alert_options){.feeds = place->feeds, .n_feeds = 1};
	place->sites = sites_new();
	assert_int_equal(state_open(&place->state, place->dir, NULL), 0);
	assert_int_equal(book_open(place->state, NULL), 0);
	const struct gate_config config = {
		.state = place->state, .options = &place->options, .sites = place->sites};
	assert_int_equal(gate_open(&place->gate, &config, NULL), 0);
	for (size_t s = 0; s < SITES; s++)
		for (size_t i = 0; i < DEVICES; i++, place->n++) {
			struct device *device = &place->devices[place->n];
			name_device(device, s, i);
			/* Who spoke when is all mixed up. */
			place->hosts[place->n] = (struct site_host){.labels = device->labels,
				.n_labels = 2,
				.heard_ms = (int64_t)(place->n * 7919 % 60) * 1000 - INTERVAL_MS,
				.interval_ms = INTERVAL_MS,
				.was_heard = true};
		}
	*arg = place;
	return 0;
}

static int tear_down(void **arg)
{
	struct place *place = *arg;
	gate_close(place->gate);
	sites_free(place->sites);
	register_drop(place->registry);
	state_close(place->state);
	test_remove_tree(place->dir);
	fw_free(place);
	return 0;
}

/* A county over all sites, and each with its link, if `links`. */
static void read_register(struct place *place, bool links)
{
	struct fw_buf text = {0};
	struct fw_err err;
	char folder[96];
	fw_buf_puts(&text, "sites:\n - {name: County}\n");
	for (size_t s = 0; s < SITES; s++)
		if (links)
			fw_buf_printf(&text,
				" - {name: S%02zu, parent: County, links: [s%02zud00]}\n", s, s);
		else
			fw_buf_printf(&text, " - {name: S%02zu, parent: County}\n", s);
	fw_buf_puts(&text, "hosts:\n");
	for (size_t s = 0; s < SITES; s++)
		fw_buf_printf(&text, " - {match: {instance: \"s%02zud.*\"}, site: S%02zu}\n", s, s);
	assert_int_equal(test_put(place->dir, "register/all.yml", text.data, text.length), 0);
	fw_buf_done(&text);
	snprintf(folder, sizeof folder, "%s/register", place->dir);
	if (register_load(&place->registry, folder, &err) < 0)
		fail_msg("%s", err.text);
	sites_set_register(place->sites, place->registry);
}

/* ---- time goes by ---- */

static struct moment moment_of(const struct place *place)
{
	return (struct moment){place->now_ms, WALL_MS + place->now_ms};
}

static void write_change(struct place *place, struct device *device, const char *rule, bool fires)
{
	struct notice_pair labels[] = {
		{"alertname", rule}, {"instance", *rule == 'H' ? device->name : ""}};
	struct episode *episode = &device->episode;
	if (fires) {
		*episode = (struct episode){.rule = rule,
			.instance = labels[1].value,
			.severity = "critical",
			.labels = {labels, 2},
			.life = {.phase = FIRING, .starts_ms = WALL_MS + place->now_ms}};
		snprintf(episode->key, sizeof episode->key, "fw1-%s", device->name);
	}
	episode->labels.items = labels;
	episode->life.ends_ms = fires ? 0 : WALL_MS + place->now_ms;
	assert_int_equal(state_begin(place->state, NULL), 0);
	assert_int_equal(fires ? gate_fired(place->gate, episode, moment_of(place), NULL)
			       : gate_resolved(place->gate, episode, NULL),
		0);
	assert_int_equal(state_commit(place->state, NULL), 0);
	gate_settle(place->gate, true);
	device->has_episode = fires;
}

static void listen_to(struct place *place, size_t i)
{
	struct site_host *host = &place->hosts[i];
	struct device *device = &place->devices[i];
	bool may_speak = place->now_ms < device->from_ms || place->now_ms >= device->to_ms;
	if (may_speak && place->now_ms - host->heard_ms >= INTERVAL_MS) {
		host->back_ms = host->is_silent ? place->now_ms : host->back_ms;
		host->heard_ms = place->now_ms;
	}
	host->is_silent = place->now_ms - host->heard_ms > INTERVAL_MS * 5 / 2;
	host->is_late = !host->is_silent && !place->is_blind &&
		place->now_ms - host->heard_ms > INTERVAL_MS * 3 / 2;
}

static void watch(struct place *place, size_t i)
{
	const struct site_host *host = &place->hosts[i];
	struct device *device = &place->devices[i];
	int64_t unheard_ms = place->now_ms - host->heard_ms;
	bool fires = place->is_ruled ? unheard_ms > INTERVAL_MS * 8 / 5
				     : host->is_silent && unheard_ms >= HOLD_MS;
	if (fires != device->has_episode)
		write_change(place, device, "HostSilent", fires);
}

static bool on_incident(const struct site_incident *incident, void *arg)
{
	struct place *place = arg;
	struct device *found = place->incidents;
	while (found < place->incidents + place->n_incidents &&
		strcmp(found->name, incident->site) != 0)
		found++;
	if (incident->since_ms && place->now_ms - incident->since_ms < HOLD_MS)
		return false;
	if (found == place->incidents + place->n_incidents) {
		if (!incident->since_ms)
			return false;
		snprintf(found->name, sizeof found->name, "%s", incident->site);
		place->n_incidents++;
	}
	if (found->has_episode != (incident->since_ms != 0))
		write_change(place, found, "SiteUnreachable", incident->since_ms != 0);
	return incident->since_ms != 0;
}

static void run_until(struct place *place, int64_t end_ms)
{
	for (; place->now_ms < end_ms; place->now_ms += STEP_MS) {
		for (size_t i = 0; i < place->n; i++)
			listen_to(place, i);
		sites_look(place->sites, place->hosts, place->n, place->now_ms);
		for (size_t i = 0; i < place->n; i++)
			watch(place, i);
		sites_each(place->sites, place->now_ms, on_incident, place);
		assert_true(gate_look(place->gate, moment_of(place), NULL) >= 0);
	}
}

static void silence(struct place *place, size_t site, size_t i, int64_t from_ms, int64_t to_ms)
{
	struct device *device = &place->devices[site * DEVICES + i];
	device->from_ms = from_ms;
	device->to_ms = to_ms;
}

/* All of a site, the link last: its children are missed first. */
static void cut(struct place *place, size_t site, int64_t from_ms, int64_t to_ms)
{
	for (size_t i = 1; i < DEVICES; i++)
		silence(place, site, i, from_ms - (int64_t)(i % 3) * 1000, to_ms + MINUTE);
	silence(place, site, 0, from_ms + 30000, to_ms);
}

/* ---- what was told ---- */

static int64_t told(struct place *place, const char *rule, int kind)
{
	sqlite3_stmt *row;
	assert_int_equal(state_query(place->state, &row, NULL,
				 "SELECT count(*) FROM notice n JOIN episode e ON e.key = n.key AND"
				 " e.starts_ms = n.starts_ms WHERE e.rule = ? AND n.kind = ?",
				 "ti", rule, (int64_t)kind),
		0);
	assert_int_equal(state_step(place->state, row, NULL), 1);
	int64_t n = sqlite3_column_int64(row, 0);
	state_done(row);
	return n;
}

static void send_all(struct place *place)
{
	assert_int_equal(state_run(place->state, NULL,
				 "UPDATE notice SET state = 1, tries = 1 WHERE state = 0", ""),
		0);
}

/* ---- tests ---- */

static void cut_ten(struct place *place)
{
	for (size_t s = 0; s < 10; s++)
		cut(place, s * 4, 10 * MINUTE + (int64_t)s * 7000, 30 * MINUTE);
}

static void expect_ten(struct place *place)
{
	run_until(place, 29 * MINUTE);
	assert_int_equal(told(place, "SiteUnreachable", NOTICE_OPEN), 10);
	assert_int_equal(told(place, "HostSilent", NOTICE_OPEN), 0);
	send_all(place);
	run_until(place, 60 * MINUTE);
	assert_int_equal(told(place, "SiteUnreachable", NOTICE_OPEN), 10);
	assert_int_equal(told(place, "SiteUnreachable", NOTICE_CLOSE), 10);
}

static void test_ten_lines_are_ten_notices(void **arg)
{
	struct place *place = *arg;
	read_register(place, true);
	cut_ten(place);
	expect_ten(place);
	assert_int_equal(told(place, "HostSilent", NOTICE_OPEN), 0);
}

/* Ten links are cut, and one child of another site dies. */
static void expect_the_dead_child_alone(struct place *place)
{
	read_register(place, true);
	cut_ten(place);
	silence(place, 4, 7, 10 * MINUTE, 1000 * MINUTE);
	expect_ten(place);
	assert_int_equal(told(place, "HostSilent", NOTICE_OPEN), 1);
	assert_null(gate_find(place->gate, "fw1-s04d07"));
}

static void test_a_child_that_really_died_is_raised_alone(void **arg)
{
	expect_the_dead_child_alone(*arg);
}

static void test_sites_without_links_go_by_their_hosts(void **arg)
{
	struct place *place = *arg;
	read_register(place, false);
	cut_ten(place);
	expect_ten(place);
	assert_int_equal(told(place, "HostSilent", NOTICE_OPEN), 0);
}

/* Before anybody can know that the site is cut: `up == 0` of a rule file. */
static void test_a_rule_that_is_quicker_than_silence_tells_of_no_child(void **arg)
{
	struct place *place = *arg;
	place->is_ruled = true;
	expect_the_dead_child_alone(place);
}

static void test_control_where_nobody_knows_who_is_late_children_are_told_of(void **arg)
{
	struct place *place = *arg;
	place->is_ruled = place->is_blind = true;
	read_register(place, true);
	cut_ten(place);
	run_until(place, 29 * MINUTE);
	assert_true(told(place, "HostSilent", NOTICE_OPEN) > 100);
}

/* The control: without a tree each of them is told of. */
static void test_control_without_a_tree_all_are_told(void **arg)
{
	struct place *place = *arg;
	cut_ten(place);
	run_until(place, 29 * MINUTE);
	assert_int_equal(told(place, "SiteUnreachable", NOTICE_OPEN), 0);
	assert_int_equal(told(place, "HostSilent", NOTICE_OPEN), 10 * DEVICES);
}

/* ---- devices, for which an agent speaks ---- */

/* No register: the first of each site has the agent that tells of the others. */
static void have_speakers(struct place *place)
{
	for (size_t i = 0; i < place->n; i++)
		place->hosts[i].speaker = i % DEVICES ? i / DEVICES * DEVICES + 1 : 0;
}

static void test_a_silent_agent_is_one_notice_for_all_its_devices(void **arg)
{
	struct place *place = *arg;
	have_speakers(place);
	cut_ten(place);
	run_until(place, 29 * MINUTE);
	assert_int_equal(told(place, "HostSilent", NOTICE_OPEN), 10);
	const struct held *held = gate_find(place->gate, "fw1-s04d05");
	assert_non_null(held);
	assert_string_equal(held->reason, "unobserved");
	assert_string_equal(held->why, "the agent of s04d00, which speaks for it, is not heard");
	send_all(place);
	run_until(place, 60 * MINUTE);
	assert_int_equal(told(place, "HostSilent", NOTICE_OPEN), 10);
	assert_int_equal(told(place, "HostSilent", NOTICE_CLOSE), 10);
}

static void test_a_rule_that_is_quicker_tells_of_no_device_of_a_silent_agent(void **arg)
{
	struct place *place = *arg;
	place->is_ruled = true;
	have_speakers(place);
	cut_ten(place);
	run_until(place, 60 * MINUTE);
	assert_int_equal(told(place, "HostSilent", NOTICE_OPEN), 10);
}

/* One while its agent is heard, and one with it, which stays away when it is back. */
static void test_devices_that_really_died_are_told_of(void **arg)
{
	struct place *place = *arg;
	have_speakers(place);
	silence(place, 3, 5, 10 * MINUTE, 1000 * MINUTE);
	run_until(place, 14 * MINUTE);
	assert_int_equal(told(place, "HostSilent", NOTICE_OPEN), 1);
	cut(place, 4, 15 * MINUTE, 30 * MINUTE);
	silence(place, 4, 7, 15 * MINUTE, 1000 * MINUTE);
	run_until(place, 30 * MINUTE);
	assert_int_equal(told(place, "HostSilent", NOTICE_OPEN), 2);
	run_until(place, 36 * MINUTE);
	assert_int_equal(told(place, "HostSilent", NOTICE_OPEN), 3);
	assert_null(gate_find(place->gate, "fw1-s04d07"));
}

static void test_one_host_of_a_site_is_told_soon(void **arg)
{
	struct place *place = *arg;
	read_register(place, true);
	silence(place, 3, 5, 10 * MINUTE, 1000 * MINUTE);
	run_until(place, 14 * MINUTE);
	assert_int_equal(told(place, "HostSilent", NOTICE_OPEN), 1);
	assert_int_equal(place->n_incidents, 0);
}

/* The link is dead, and what is behind it is heard: that is no site's fault. */
static void test_a_link_alone_is_a_host(void **arg)
{
	struct place *place = *arg;
	read_register(place, true);
	silence(place, 3, 0, 10 * MINUTE, 1000 * MINUTE);
	silence(place, 3, 8, 20 * MINUTE, 1000 * MINUTE);
	run_until(place, 19 * MINUTE);
	assert_int_equal(told(place, "HostSilent", NOTICE_OPEN), 1);
	run_until(place, 30 * MINUTE);
	assert_int_equal(told(place, "HostSilent", NOTICE_OPEN), 2);
	assert_int_equal(place->n_incidents, 0);
}

static void test_what_is_held_is_seen_with_its_reason(void **arg)
{
	struct place *place = *arg;
	read_register(place, true);
	cut(place, 3, 10 * MINUTE, 30 * MINUTE);
	run_until(place, 20 * MINUTE);
	const struct held *held = gate_find(place->gate, "fw1-s03d05");
	assert_non_null(held);
	assert_string_equal(held->reason, "unobserved");
	assert_string_equal(held->why, "the site S03 cannot be reached");
	assert_null(gate_find(place->gate, "fw1-s04d05"));
}

/* Those that come back need minutes, and so they do when the register is read again. */
static void test_another_register_tells_of_no_child(void **arg)
{
	struct place *place = *arg;
	read_register(place, true);
	cut(place, 3, 10 * MINUTE, 20 * MINUTE);
	run_until(place, 15 * MINUTE);
	struct registry *before = place->registry;
	read_register(place, true);
	sites_set_register(place->sites, place->registry); /* twice, before anybody looked */
	register_drop(before);
	run_until(place, 20 * MINUTE + 5000);
	before = place->registry;
	read_register(place, true);
	register_drop(before);
	run_until(place, 40 * MINUTE);
	assert_int_equal(place->n_incidents, 1);
	assert_int_equal(told(place, "HostSilent", NOTICE_OPEN), 0);
}

/* After a start nobody has been heard: what was held is not told for that. */
static void start_anew(struct place *place)
{
	cut(place, 3, 10 * MINUTE, 1000 * MINUTE);
	run_until(place, 20 * MINUTE);
	sites_set_register(place->sites, NULL);
	sites_set_register(place->sites, place->registry);
	for (size_t i = 0; i < place->n; i++) {
		place->hosts[i].heard_ms = place->now_ms;
		place->hosts[i].was_heard = false;
		place->hosts[i].is_silent = false;
	}
	sites_look(place->sites, place->hosts, place->n, place->now_ms);
	assert_int_equal(gate_look(place->gate, moment_of(place), NULL), 0);
}

static void test_a_start_tells_nothing_of_what_was_held(void **arg)
{
	read_register(*arg, true);
	start_anew(*arg);
}

static void test_a_start_tells_nothing_of_devices_of_a_silent_agent(void **arg)
{
	have_speakers(*arg);
	start_anew(*arg);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ten_lines_are_ten_notices),
		TEST(test_a_child_that_really_died_is_raised_alone),
		TEST(test_sites_without_links_go_by_their_hosts),
		TEST(test_a_rule_that_is_quicker_than_silence_tells_of_no_child),
		TEST(test_control_where_nobody_knows_who_is_late_children_are_told_of),
		TEST(test_control_without_a_tree_all_are_told),
		TEST(test_a_silent_agent_is_one_notice_for_all_its_devices),
		TEST(test_a_rule_that_is_quicker_tells_of_no_device_of_a_silent_agent),
		TEST(test_devices_that_really_died_are_told_of),
		TEST(test_one_host_of_a_site_is_told_soon),
		TEST(test_a_link_alone_is_a_host),
		TEST(test_what_is_held_is_seen_with_its_reason),
		TEST(test_another_register_tells_of_no_child),
		TEST(test_a_start_tells_nothing_of_what_was_held),
		TEST(test_a_start_tells_nothing_of_devices_of_a_silent_agent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
