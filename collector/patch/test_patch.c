/* SPDX-License-Identifier: Apache-2.0 */
/* The patch clock as it runs: hosts that speak are judged, what came of it becomes series
 * of theirs in a store, and is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/clock.h>

#include "inventory.h"
#include "patch.h"
#include "sent.h"
#include "state.h"
#include "test_tree.h"
#include "testkit.h"

#define DAY_S INT64_C(86400)
#define WAIT_MS 30000
#define OVERDUE_OPENSSL                                                                            \
	"+openssl:amd64\tinstalled=3.0.11-1\tcandidate=3.0.15-1\tsource=openssl\tclass=security\t" \
	"severity=critical\tadvisory=DSA-1-1\treleased=%lld\tstate=pending\n"

struct place {
	struct kit kit;
	char dir[64];
	uv_loop_t loop;
	struct state *state;
	struct inventory *inventory;
	struct patch *patch;
	struct fw_arena arena;
	uint64_t seq;
	int64_t now_s;
	unsigned n_series; /* times that on_series was called */
	bool closed;
};

static void on_need(const uint8_t agent[16], const char *kind, void *arg)
{
	(void)agent;
	(void)kind;
	(void)arg;
}

static void on_series(uint32_t host, void *arg)
{
	struct place *place = arg;
	assert_int_equal(host, place->kit.host);
	place->n_series++;
}

static void on_closed(void *arg)
{
	((struct place *)arg)->closed = true;
}

static void open_patch(struct place *place)
{
	const struct patch_config config = {
		.loop = &place->loop,
		.dir = place->dir,
		.state = place->state,
		.inventory = place->inventory,
		.store = place->kit.store,
		.on_series = on_series,
		.arg = place,
	};
	struct fw_err err;
	place->closed = false;
	if (patch_open(&place->patch, &config, &err) < 0)
		fail_msg("%s", err.text);
}

static void close_patch(struct place *place)
{
	patch_close(place->patch, on_closed, place);
	uv_run(&place->loop, UV_RUN_DEFAULT);
	assert_true(place->closed);
}

/* The host "alpha" speaks now. */
static void speak(struct place *place)
{
	struct sender sender = {.kit = NULL};
	kit_now_ms = place->now_s * 1000;
	sender_begin(&sender, &place->kit, 1, 1);
	assert_int_equal(sender_send(&sender, STORE_LIVE, place->kit.host, place->kit.schema,
				 kit_now_ms, 1, 15000, true),
		STORE_DURABLE);
}

static int set_up(void **state)
{
	struct place *place = fw_alloc(sizeof *place);
	struct fw_err err;
	kit_init(&place->kit);
	uv_loop_init(&place->loop);
	snprintf(place->dir, sizeof place->dir, "/tmp/fenwatch-patch-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	assert_int_equal(state_open(&place->state, place->dir, &err), 0);
	const struct inventory_config inventory = {.state = place->state, .on_need = on_need};
	assert_int_equal(inventory_open(&place->inventory, &inventory, &err), 0);
	place->now_s = fw_wall_ms() / 1000;
	speak(place);
	open_patch(place);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;
	close_patch(place);
	assert_int_equal(uv_loop_close(&place->loop), 0);
	inventory_close(place->inventory);
	state_close(place->state);
	fw_arena_done(&place->arena);
	assert_int_equal(test_remove_tree(place->dir), 0);
	kit_done(&place->kit);
	fw_free(place);
	return 0;
}

/* A critical fix of openssl that was released so many days ago. */
static const char *openssl(struct place *place, int days)
{
	return fw_arena_format(
		&place->arena, OVERDUE_OPENSSL, (long long)(place->now_s - days * DAY_S));
}

static void tell(struct place *place, int64_t at_s, const char *fixes)
{
	sent_take(place->inventory, place->kit.host, ++place->seq, at_s,
		sent_table(&place->arena, at_s, fixes));
	patch_changed(place->patch, place->kit.host);
}

/* As it was judged last; NULL: it was not. */
static const struct patch_host *look(struct place *place)
{
	struct patch_host *hosts;
	size_t n;
	patch_list(place->patch, &place->arena, &hosts, &n);
	assert_true(n <= 1);
	return n ? hosts : NULL;
}

/* Until `pending` fixes are known of it. */
static const struct patch_host *wait_for(struct place *place, uint32_t pending)
{
	int64_t end_ms = fw_mono_ms() + WAIT_MS;
	const struct patch_host *host = NULL;
	while (!(host && host->pending == pending) && fw_mono_ms() < end_ms) {
		uv_run(&place->loop, UV_RUN_ONCE);
		host = look(place);
	}
	if (!host || host->pending != pending)
		fail_msg("%u pending, not %u", host ? host->pending : 0, pending);
	return host;
}

/* ---- series ---- */

static bool is_equal(const struct store_matcher *matcher, const char *value)
{
	return strcmp(matcher->value, value) == 0;
}

/* The newest value of the host; FW_ABSENT: none. */
static int64_t newest(struct place *place, const char *name, const char *label, const char *value)
{
	const struct store_matcher matchers[] = {
		{.name = "__name__", .accepts = is_equal, .value = name},
		{.name = label, .accepts = is_equal, .value = value},
	};
	struct store_group *groups;
	struct fw_err err;
	size_t n;
	int64_t at_ms, *cells;
	assert_int_equal(store_select(place->kit.store, matchers, *label ? 2 : 1, 0, INT64_MAX,
				 &place->arena, &groups, &n, &err),
		0);
	if (n == 0)
		return FW_ABSENT;
	assert_int_equal(store_latest(place->kit.store, groups, &place->arena, &at_ms, &cells), 0);
	return cells[0];
}

/* They come a moment after what they are of. */
static void wait_for_series(
	struct place *place, const char *name, const char *label, const char *value, int64_t wanted)
{
	int64_t end_ms = fw_mono_ms() + WAIT_MS, got;
	while ((got = newest(place, name, label, value)) != wanted && fw_mono_ms() < end_ms)
		uv_run(&place->loop, UV_RUN_ONCE);
	if (got != wanted)
		fail_msg("%s{%s=%s} is %lld, not %lld", name, label, value, (long long)got,
			(long long)wanted);
}

static void test_a_host_becomes_series(void **state)
{
	struct place *place = *state;
	tell(place, place->now_s, openssl(place, 10));
	const struct patch_host *host = wait_for(place, 1);
	assert_string_equal(host->name, "alpha");
	assert_string_equal(host->os, "Debian 12");
	assert_int_equal(host->security, 1);
	wait_for_series(place, "fenwatch_patch_overdue", "policy", "ncsc7", 1);
	assert_int_equal(newest(place, "fenwatch_patch_overdue", "policy", "ce14"), 0);
	assert_int_equal(newest(place, "fenwatch_patch_oldest_release_timestamp_seconds", "class",
				 "security"),
		place->now_s - 10 * DAY_S);
	assert_int_equal(
		newest(place, "fenwatch_patch_oldest_release_timestamp_seconds", "class", "bugfix"),
		FW_ABSENT);
	assert_int_equal(newest(place, "fenwatch_patch_proven", "", ""), 1);
	assert_int_equal(newest(place, "fenwatch_os_supported", "", ""), host->os_ended ? 0 : 1);
	assert_true(newest(place, "fenwatch_os_support_end_timestamp_seconds", "tier",
			    "mainstream") > 0);
	/* Installed: told anew, but the series are no new ones. */
	tell(place, place->now_s + 1, "");
	wait_for(place, 0);
	wait_for_series(place, "fenwatch_patch_overdue", "policy", "ncsc7", 0);
	assert_int_equal(place->n_series, 1);
}

/* None overdue would be a promise that nobody can give; one overdue is none. */
static void test_what_is_not_proven_is_absent(void **state)
{
	struct place *place = *state;
	tell(place, place->now_s - 5 * DAY_S, openssl(place, 10));
	assert_non_null(strstr(wait_for(place, 1)->why, "old"));
	wait_for_series(place, "fenwatch_patch_proven", "", "", 0);
	assert_int_equal(newest(place, "fenwatch_patch_overdue", "policy", "ncsc7"), 1);
	assert_int_equal(newest(place, "fenwatch_patch_overdue", "policy", "ce14"), FW_ABSENT);
	assert_non_null(strstr(patch_detail(place->patch, "PatchSourceUnproven", "alpha"), "old"));
}

/* ---- what is told ---- */

static void test_an_alert_names_what_is_overdue(void **state)
{
	struct place *place = *state;
	assert_string_equal(patch_detail(place->patch, "PatchOverdue", "alpha"), "");
	tell(place, place->now_s, openssl(place, 15));
	assert_int_equal(wait_for(place, 1)->overdue[PATCH_CE14], 1);
	assert_string_equal(
		patch_detail(place->patch, "PatchOverdue", "alpha"), "openssl (DSA-1-1)");
	assert_string_equal(
		patch_detail(place->patch, "OperatingSystemUnsupported", "alpha"), "Debian 12");
	assert_string_equal(patch_detail(place->patch, "PatchSourceUnproven", "alpha"), "");
	assert_string_equal(patch_detail(place->patch, "DiskFailing", "alpha"), "");
	assert_string_equal(patch_detail(place->patch, "PatchOverdue", "beta"), "");
}

/* A list as long as this is cut, and says by how much; a source is named once. */
static void test_many_are_counted(void **state)
{
	struct place *place = *state;
	struct fw_buf fixes = {0};
	for (int i = 0; i < 100; i++)
		fw_buf_printf(&fixes,
			"+lib-of-a-long-name-%02d:amd64\tinstalled=1-1\tcandidate=1-2\tsource=source%d\t"
			"class=security\treleased=%lld\tstate=pending\n",
			i, i / 2, (long long)(place->now_s - 20 * DAY_S));
	tell(place, place->now_s, (const char *)fixes.data);
	fw_buf_done(&fixes);
	assert_int_equal(wait_for(place, 100)->overdue[PATCH_CE14], 100);
	const char *text = patch_detail(place->patch, "PatchOverdue", "alpha");
	const char *more = strstr(text, " and ");
	assert_non_null(more);
	assert_true(strlen(text) < 500);
	size_t named = 1;
	for (const char *at = text; (at = strchr(at, ',')) != NULL; at++)
		named++;
	assert_int_equal(named + strtoul(more + strlen(" and "), NULL, 10), 50);
}

/* ---- evidence, and going away ---- */

static void test_an_advisory_judges_anew(void **state)
{
	struct place *place = *state;
	struct fw_err err;
	const struct patch_advisory_fix fix = {"curl", "bookworm", "7.1-2"};
	const struct patch_advisory advisory = {
		"DSA-2-1", place->now_s - 30 * DAY_S, "", 0, 1, &fix};
	tell(place, place->now_s, CURL "\tclass=security\tstate=pending\n");
	assert_int_equal(wait_for(place, 1)->overdue[PATCH_CE14], 0);
	assert_int_equal(patch_import(place->patch, &advisory, 1, place->now_s * 1000, &err), 0);
	wait_for_series(place, "fenwatch_patch_overdue", "policy", "ce14", 1);
	assert_string_equal(patch_detail(place->patch, "PatchOverdue", "alpha"), "curl (DSA-2-1)");
}

static void test_a_forgotten_host_is_gone(void **state)
{
	struct place *place = *state;
	struct fw_err err;
	tell(place, place->now_s, openssl(place, 15));
	wait_for(place, 1);
	assert_int_equal(patch_forget(place->patch, place->kit.host, &err), 0);
	assert_null(look(place));
	assert_string_equal(patch_detail(place->patch, "PatchOverdue", "alpha"), "");
}

static void test_it_goes_on_after_a_restart(void **state)
{
	struct place *place = *state;
	tell(place, place->now_s, openssl(place, 15));
	wait_for(place, 1);
	close_patch(place);
	open_patch(place);
	assert_int_equal(wait_for(place, 1)->overdue[PATCH_CE14], 1);
}

/* While the pool judges, and the store writes. */
static void test_it_closes_at_any_moment(void **state)
{
	struct place *place = *state;
	tell(place, place->now_s, openssl(place, 15));
	for (int turns = 1; turns < 6; turns++) {
		for (int i = 0; i < turns; i++)
			uv_run(&place->loop, UV_RUN_ONCE);
		close_patch(place);
		open_patch(place);
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_a_host_becomes_series),
		CASE(test_what_is_not_proven_is_absent),
		CASE(test_an_alert_names_what_is_overdue),
		CASE(test_many_are_counted),
		CASE(test_an_advisory_judges_anew),
		CASE(test_a_forgotten_host_is_gone),
		CASE(test_it_goes_on_after_a_restart),
		CASE(test_it_closes_at_any_moment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
