/* SPDX-License-Identifier: Apache-2.0 */
/* Stores as earlier formats left them, opened by this one: everything is there that the listing
 * beside each says, and nothing else; and it goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testkit.h"

static const char *folder; /* where they lie */

/* A line: a sweep of a host, or a sample of a series from elsewhere. */
struct listed {
	char name[16];
	int64_t at_ms, cells[KIT_COLUMNS];
};

static struct listing {
	struct listed lines[600];
	size_t n;
} listing;

static void take_line(const char *line)
{
	struct listed *listed = &listing.lines[listing.n++];
	size_t n = strcspn(line, " ");
	assert_true(n < sizeof listed->name && listing.n < 600);
	*listed = (struct listed){0};
	memcpy(listed->name, line, n);
	char *at;
	listed->at_ms = strtoll(line + n, &at, 10);
	for (int c = 0; c < KIT_COLUMNS && *at == ' '; c++)
		listed->cells[c] = strtoll(at, &at, 10);
}

static void read_listing(const char *root)
{
	char path[128], line[512];
	snprintf(path, sizeof path, "%s/listing", root);
	FILE *list = fopen(path, "r");
	assert_non_null(list);
	listing.n = 0;
	while (fgets(line, sizeof line, list))
		take_line(line);
	fclose(list);
}

static const struct listed *find_line(const char *name, int64_t at_ms)
{
	for (size_t i = 0; i < listing.n; i++)
		if (listing.lines[i].at_ms == at_ms && strcmp(listing.lines[i].name, name) == 0)
			return &listing.lines[i];
	fail_msg("%s at %lld was never written", name, (long long)at_ms);
	return NULL;
}

static size_t count_lines(const char *name)
{
	size_t n = 0;
	for (size_t i = 0; i < listing.n; i++)
		n += strcmp(listing.lines[i].name, name) == 0;
	return n;
}

static void expect_host(struct kit *kit, const char *name)
{
	struct fw_arena arena = {0};
	struct store_columns columns;
	size_t n = kit_read(kit, kit_host(kit, name), 0, INT64_MAX, &arena, &columns);
	assert_int_equal(n, count_lines(name));
	assert_int_equal(columns.tier, STORE_RAW);
	for (size_t i = 0; i < n; i++)
		for (uint32_t c = 0; c < KIT_COLUMNS; c++)
			assert_int_equal(columns.cells[c][i],
				find_line(name, columns.times_ms[i])->cells[c]);
	fw_arena_done(&arena);
}

/* And so many more, which the listing does not have, at the end. */
static void expect_pushed(struct kit *kit, const char *l, size_t more)
{
	char name[16];
	snprintf(name, sizeof name, "pushed:%s", l);
	struct kit_found found = kit_find(kit, "pushed", l);
	assert_int_equal(found.n, count_lines(name) + more);
	for (size_t i = 0; i < found.n - more; i++)
		assert_int_equal(
			found.samples[i].cell, find_line(name, found.samples[i].at_ms)->cells[0]);
	fw_arena_done(&found.arena);
}

static void open_before(struct kit *kit, const char *name, uint64_t segment_bytes)
{
	kit_init_recorded(kit, folder, name, segment_bytes);
	read_listing(kit->dir);
}

static void close_before(struct kit *kit)
{
	store_close(kit->store);
	assert_int_equal(kit_check(kit->inside), 0);
	kit_remove(kit->dir);
}

static void expect_hosts(struct kit *kit)
{
	expect_host(kit, "alpha");
	expect_host(kit, "beta");
}

/* Raw alone: batches of the wire in blocks, and packed columns. */
static void test_formats_1_and_2(void **state)
{
	(void)state;
	static const char *const names[] = {"format1", "format2"};
	for (int i = 0; i < 2; i++) {
		struct kit kit;
		open_before(&kit, names[i], 512 << 10);
		expect_hosts(&kit);
		kit_reopen(&kit);
		expect_hosts(&kit);
		close_before(&kit);
	}
}

/* Three tiers, and each series from elsewhere a schema of its own. */
static void test_format_3(void **state)
{
	(void)state;
	struct kit kit;
	open_before(&kit, "format3", 4 << 10);
	expect_hosts(&kit);
	expect_pushed(&kit, "a", 0);
	expect_pushed(&kit, "b", 0);
	kit_reopen(&kit);
	expect_hosts(&kit);
	expect_pushed(&kit, "a", 0);
	expect_pushed(&kit, "b", 0);
	close_before(&kit);
}

/* What comes now for a series of before lies in a bundle, beside what it has. */
static void test_series_go_on(void **state)
{
	(void)state;
	struct kit kit;
	struct store_sample sample = {kit_now_ms, fw_double_cell(7)};
	const struct fw_label labels[] = {
		{"__name__", "pushed"}, {"instance", "elsewhere"}, {"l", "a"}};
	struct store_foreign series = {
		.labels = labels, .n_labels = 3, .samples = &sample, .n_samples = 1};
	open_before(&kit, "format3", 4 << 10);
	assert_int_equal(store_foreign_write(kit.store, &series, 1, kit_now_ms, NULL), 0);
	for (int opened = 0; opened < 2; opened++) {
		struct kit_found found = kit_find(&kit, "pushed", "a");
		assert_int_equal(found.groups, 2);
		assert_int_equal(found.samples[found.n - 1].at_ms, kit_now_ms);
		fw_arena_done(&found.arena);
		expect_pushed(&kit, "a", 1);
		expect_pushed(&kit, "b", 0);
		kit_reopen(&kit);
	}
	close_before(&kit);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats_1_and_2),
		cmocka_unit_test(test_format_3),
		cmocka_unit_test(test_series_go_on),
	};
	folder = argc > 1 ? argv[1] : ".";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
