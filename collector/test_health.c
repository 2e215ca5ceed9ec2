/* SPDX-License-Identifier: Apache-2.0 */
/* What the collector looks at is made up here, and what it raises is noted. */
#include "health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "alert.h"
#include "enrol.h"
#include "feed.h"
#include "remote.h"
#include "schedule.h"
#include "store.h"

#define MINUTE_MS INT64_C(60000)
#define DAY_MS INT64_C(86400000)
#define NOW_MS INT64_C(1795341600000)

static struct {
	bool is_short;
	uint64_t refused, missed;
	struct alert_feed_view feed;
	int64_t authority_ms, certificate_ms;
	char raised[512]; /* "RULE part; .." of this look */
	char text[256];   /* of the last */
} world;

void store_stat(struct store *store, struct store_stat *out)
{
	(void)store;
	*out = (struct store_stat){.refused = world.refused};
}

void store_reach(const struct store_stat *stat, struct store_reach out[STORE_TIERS])
{
	(void)stat;
	memset(out, 0, STORE_TIERS * sizeof *out);
}

bool store_reach_warning(
	const struct store_reach reach[STORE_TIERS], enum store_tier tier, char *text, size_t size)
{
	(void)reach;
	snprintf(text, size, "the raw tier holds 12 days");
	return world.is_short && tier == STORE_RAW;
}

void remote_stat(struct remote *remote, struct remote_stat *out)
{
	(void)remote;
	*out = (struct remote_stat){0};
}

void schedule_list(struct schedule *schedule, struct fw_arena *arena,
	struct schedule_group **groups, size_t *n)
{
	(void)schedule;
	*groups = fw_arena_alloc(arena, sizeof **groups);
	(*groups)[0] = (struct schedule_group){.missed = world.missed};
	*n = 1;
}

void enrol_authorities(
	struct enrol *enrol, int64_t now_ms, struct fw_arena *arena, struct enrol_authorities *out)
{
	(void)enrol;
	(void)now_ms;
	(void)arena;
	*out = (struct enrol_authorities){.now = {.expires_ms = world.authority_ms}};
}

int alert_feeds(struct alerts *alerts, struct fw_arena *arena, struct alert_feed_view **out,
	size_t *n, struct fw_err *err)
{
	(void)alerts;
	(void)err;
	*out = fw_arena_alloc(arena, sizeof **out);
	(*out)[0] = world.feed;
	*n = 1;
	return 0;
}

void alerts_raise(
	struct alerts *alerts, const char *name, const struct notice_pair *apart, const char *text)
{
	size_t used = strlen(world.raised);
	(void)alerts;
	snprintf(world.raised + used, sizeof world.raised - used, "%s%s%s%s", used ? "; " : "",
		name, apart ? " " : "", apart ? apart->value : "");
	snprintf(world.text, sizeof world.text, "%s", text);
}

void alerts_clear(struct alerts *alerts, const char *name, const struct notice_pair *apart)
{
	(void)alerts;
	(void)name;
	(void)apart;
}

/* ---- looking ---- */

static int set_up(void **state)
{
	const struct health_config config = {0};
	memset(&world, 0, sizeof world);
	world.authority_ms = NOW_MS + 365 * DAY_MS;
	world.feed = (struct alert_feed_view){.name = "desk", .live = 1, .last_error = ""};
	*state = health_new(&config);
	return 0;
}

static int tear_down(void **state)
{
	health_free(*state);
	return 0;
}

static void expect_raised(struct health *health, int64_t now_ms, const char *expected)
{
	*world.raised = '\0';
	health_look(health, world.certificate_ms, now_ms);
	assert_string_equal(world.raised, expected);
}

static void test_a_healthy_collector_says_nothing(void **state)
{
	for (int i = 0; i < 20; i++)
		expect_raised(*state, NOW_MS + i * MINUTE_MS, "");
}

static void test_what_grows_is_told_when_it_grows(void **state)
{
	world.refused = world.missed = 7; /* before the start */
	expect_raised(*state, NOW_MS, "");
	world.refused = 9;
	expect_raised(*state, NOW_MS, "SamplesRefused");
	assert_string_equal(world.text, "the collector has refused samples, lately: 2");
	world.missed = 8;
	expect_raised(*state, NOW_MS, "RulesLate");
	expect_raised(*state, NOW_MS, "");
}

static void test_a_short_ring(void **state)
{
	world.is_short = true;
	expect_raised(*state, NOW_MS, "RingTooShort");
	assert_string_equal(world.text, "the raw tier holds 12 days");
}

static void test_a_feed_that_fails_for_five_minutes(void **state)
{
	world.feed.waiting = 3;
	world.feed.last_error = "503";
	for (int i = 0; i < 5; i++)
		expect_raised(*state, NOW_MS + i * MINUTE_MS, "");
	expect_raised(*state, NOW_MS + 5 * MINUTE_MS, "FeedFailing desk");
	assert_string_equal(world.text, "the feed desk fails, notices waiting: 3: 503");
	world.feed.last_error = "";
	expect_raised(*state, NOW_MS + 6 * MINUTE_MS, "");
	world.feed.last_error = "503";
	expect_raised(*state, NOW_MS + 7 * MINUTE_MS, "");
	world.feed.live = 0; /* in rehearsal nothing is sent */
	expect_raised(*state, NOW_MS + 30 * MINUTE_MS, "");
	world.feed.refused = 2;
	expect_raised(*state, NOW_MS + 31 * MINUTE_MS, "FeedFailing desk");
}

static void test_the_authority_ends(void **state)
{
	world.authority_ms = NOW_MS + 29 * DAY_MS;
	expect_raised(*state, NOW_MS, "CollectorCertificateEnds authority");
	assert_string_equal(world.text, "the collector's certificate authority ends in 29 days");
	world.authority_ms = NOW_MS + 31 * DAY_MS;
	expect_raised(*state, NOW_MS, "");
}

static void test_the_certificate_of_the_api(void **state)
{
	world.certificate_ms = NOW_MS + 31 * DAY_MS;
	expect_raised(*state, NOW_MS, "");
	world.certificate_ms = NOW_MS + 29 * DAY_MS;
	expect_raised(*state, NOW_MS, "CollectorCertificateEnds api");
	world.certificate_ms = NOW_MS - 2 * DAY_MS;
	expect_raised(*state, NOW_MS, "CollectorCertificateEnds api");
	assert_string_equal(world.text, "the collector's certificate api has ended for 2 days");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_a_healthy_collector_says_nothing),
		CASE(test_what_grows_is_told_when_it_grows),
		CASE(test_a_short_ring),
		CASE(test_a_feed_that_fails_for_five_minutes),
		CASE(test_the_authority_ends),
		CASE(test_the_certificate_of_the_api),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
