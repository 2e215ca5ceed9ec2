/* SPDX-License-Identifier: Apache-2.0 */
/* Who is awaited, and since when: hosts, sites and alerts are the test's own. */
#include "expected.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/buf.h>
#include <fenwatch/mem.h>

#include "internal.h"
#include "register.h"
#include "rules.h"
#include "sites.h"
#include "state.h"
#include "test_tree.h"

#define WALL_MS INT64_C(1795341600000)
#define MINUTE 60000
#define COMES SITES_COMES_BACK_MS
#define DAY (INT64_C(24) * 60 * MINUTE)

struct place {
	char dir[64];
	struct alerts alerts;
	struct alert_options options;
	struct registry *registry;
	struct expected *expected;
};

/* ---- what is around it ---- */

static int64_t passed_ms;
static const char *heard, *unreachable;
static struct {
	char names[2 * EXPECTED_RAISED][16];
	size_t n;
} raised;

struct moment alerts_now(void)
{
	return (struct moment){passed_ms + 1, WALL_MS + passed_ms};
}

bool watch_knows(struct watch *watch, const char *instance)
{
	(void)watch;
	return heard && strcmp(heard, instance) == 0;
}

bool sites_is_down(const struct sites *sites, const struct register_site *known)
{
	(void)sites;
	return known && unreachable && strcmp(known->entry.name, unreachable) == 0;
}

static size_t place_of(const char *name)
{
	size_t i = 0;
	while (i < raised.n && strcmp(raised.names[i], name) != 0)
		i++;
	return i;
}

static bool is_raised(const char *name)
{
	return place_of(name) < raised.n;
}

void alerts_raise_host(
	struct alerts *alerts, const char *name, const char *instance, const char *text)
{
	(void)alerts;
	assert_string_equal(name, "HostNeverHeard");
	assert_non_null(strstr(text, instance));
	if (!is_raised(instance))
		snprintf(raised.names[raised.n++], 16, "%s", instance);
}

void alerts_clear_host(struct alerts *alerts, const char *name, const char *instance)
{
	(void)alerts;
	(void)name;
	size_t i = place_of(instance);
	assert_true(i < raised.n);
	memmove(raised.names[i], raised.names[--raised.n], 16);
}

/* ---- the place ---- */

static int set_up(void **arg)
{
	struct place *place = fw_alloc(sizeof *place);
	snprintf(place->dir, sizeof place->dir, "/tmp/fenwatch-expected-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	place->options.absence = (struct alert_absence){.laptop_ms = 14 * DAY};
	place->alerts.config.options = &place->options;
	rules_in_force(NULL, place->alerts.rules);
	assert_int_equal(state_open(&place->alerts.config.state, place->dir, NULL), 0);
	assert_int_equal(expected_prepare(place->alerts.config.state, NULL), 0);
	place->expected = expected_new(&place->alerts);
	passed_ms = 0;
	heard = unreachable = NULL;
	raised.n = 0;
	*arg = place;
	return 0;
}

static int tear_down(void **arg)
{
	struct place *place = *arg;
	expected_free(place->expected);
	register_drop(place->registry);
	state_close(place->alerts.config.state);
	assert_int_equal(test_remove_tree(place->dir), 0);
	fw_free(place);
	return 0;
}

static void use_register(struct place *place, const char *text)
{
	struct registry *before = place->registry;
	struct fw_err err;
	char dir[96];
	snprintf(dir, sizeof dir, "%s/register", place->dir);
	assert_int_equal(test_put(place->dir, "register/all.yml", text, strlen(text)), 0);
	if (register_load(&place->registry, dir, &err) < 0)
		fail_msg("%s", err.text);
	expected_set_register(place->expected, place->registry);
	register_drop(before);
}

static void look_at(struct place *place, int64_t at_ms)
{
	passed_ms = at_ms;
	expected_look(place->expected, alerts_now());
}

/* ---- tests ---- */

#define SITES "sites: [{name: Hall}, {name: Station, tier: blue-light}]\nhosts:\n"
#define WEB " - {host: web01, site: Hall}\n"
#define PUMP " - {host: pump, site: Station}\n"

static void test_each_has_as_long_as_its_tier_may_be_silent(void **arg)
{
	struct place *place = *arg;
	use_register(place, SITES WEB PUMP " - {host: lap, class: laptop}\n");
	look_at(place, COMES - 1);
	assert_int_equal(raised.n, 0);
	look_at(place, COMES);
	assert_true(raised.n == 1 && is_raised("pump"));
	look_at(place, COMES + MINUTE - 1);
	assert_int_equal(raised.n, 1);
	look_at(place, COMES + MINUTE);
	assert_true(raised.n == 2 && is_raised("web01"));
	look_at(place, 14 * DAY - 1);
	assert_int_equal(raised.n, 2);
	look_at(place, 14 * DAY);
	assert_true(is_raised("lap"));
}

/* The control: whoever is not in service, was heard, or has no row of its own. */
static void test_nobody_else_is_missed(void **arg)
{
	struct place *place = *arg;
	heard = "old";
	use_register(place,
		SITES " - {host: soon, lifecycle: planned}\n - {host: gone, lifecycle: retired}\n"
		      " - {host: old}\n - {match: {instance: any.*}, site: Hall}\n"
		      " - {host: leaves, lifecycle: retiring, retires: 2000-01-01}\n");
	look_at(place, 400 * DAY);
	assert_int_equal(raised.n, 0);
}

static void test_who_is_heard_at_last_is_missed_no_more(void **arg)
{
	struct place *place = *arg;
	use_register(place, SITES WEB);
	look_at(place, COMES + MINUTE);
	assert_true(is_raised("web01"));
	heard = "web01";
	look_at(place, COMES + 2 * MINUTE);
	assert_int_equal(raised.n, 0);
}

static void test_neither_a_restart_nor_a_reload_begins_anew(void **arg)
{
	struct place *place = *arg;
	use_register(place, SITES WEB);
	look_at(place, COMES);
	expected_free(place->expected);
	place->expected = expected_new(&place->alerts);
	expected_set_register(place->expected, place->registry);
	use_register(place, SITES WEB PUMP);
	look_at(place, COMES + MINUTE);
	assert_true(raised.n == 1 && is_raised("web01"));
	use_register(place, SITES PUMP); /* it is in no register now */
	assert_false(is_raised("web01"));
}

static void test_who_becomes_live_is_awaited_from_then(void **arg)
{
	struct place *place = *arg;
	use_register(place, SITES " - {host: web01, lifecycle: planned}\n");
	look_at(place, DAY);
	use_register(place, SITES WEB);
	look_at(place, DAY + COMES);
	assert_int_equal(raised.n, 0);
	look_at(place, DAY + COMES + MINUTE);
	assert_int_equal(raised.n, 1);
	use_register(place, SITES " - {host: web01, lifecycle: planned}\n");
	assert_int_equal(raised.n, 0);
}

static void test_behind_a_line_that_is_cut_nobody_can_be_heard(void **arg)
{
	struct place *place = *arg;
	use_register(place, SITES WEB);
	unreachable = "Hall";
	look_at(place, DAY);
	assert_int_equal(raised.n, 0);
	unreachable = NULL;
	look_at(place, DAY + 1000);
	assert_int_equal(raised.n, 1);
}

static void test_so_many_are_raised_at_most(void **arg)
{
	struct place *place = *arg;
	struct fw_buf text = {0};
	fw_buf_puts(&text, SITES);
	for (size_t i = 0; i < EXPECTED_RAISED + 200; i++)
		fw_buf_printf(&text, " - {host: h%05zu}\n", i);
	fw_buf_putc(&text, '\0');
	use_register(place, (const char *)text.data);
	fw_buf_done(&text);
	look_at(place, DAY);
	assert_int_equal(raised.n, EXPECTED_AT_ONCE);
	for (int i = 1; i < 10; i++)
		look_at(place, DAY + i * 1000);
	assert_int_equal(raised.n, EXPECTED_RAISED);
	heard = "h00000";
	for (int i = 10; i < 20; i++)
		look_at(place, DAY + i * 1000);
	assert_int_equal(raised.n, EXPECTED_RAISED); /* another one takes its place */
	assert_false(is_raised("h00000"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_has_as_long_as_its_tier_may_be_silent),
		TEST(test_nobody_else_is_missed),
		TEST(test_who_is_heard_at_last_is_missed_no_more),
		TEST(test_neither_a_restart_nor_a_reload_begins_anew),
		TEST(test_who_becomes_live_is_awaited_from_then),
		TEST(test_behind_a_line_that_is_cut_nobody_can_be_heard),
		TEST(test_so_many_are_raised_at_most),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
