/* SPDX-License-Identifier: Apache-2.0 */
/* The dictionaries: what no block and no record mentions any more leaves them when the store
 * opens, and nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "follow.h"
#include "testkit.h"

enum { STEP = 15000, WASTE = 8, FEW = 3, GONE = 80, NOTE_BYTES = 1000 };

static size_t bytes_of(const struct kit *kit, const char *name)
{
	char path[128];
	struct stat st;
	snprintf(path, sizeof path, "%s/%s", kit->dir, name);
	assert_int_equal(stat(path, &st), 0);
	return (size_t)st.st_size;
}

static uint64_t schemas_of(struct kit *kit)
{
	struct store_stat stat;
	store_stat(kit->store, &stat);
	return stat.schemas;
}

/* In batches of at most so many sweeps. */
static void send_some(struct kit *kit, struct sender *sender, uint32_t schema, uint32_t n)
{
	enum { BATCH = 50 };
	static int64_t at_ms;
	if (!sender->kit) {
		sender_begin(sender, kit, 1, 7);
		at_ms = kit_now_ms - INT64_C(240) * 3600 * 1000;
	}
	for (uint32_t sweeps; n > 0; n -= sweeps, at_ms += sweeps * STEP) {
		sweeps = n < BATCH ? n : BATCH;
		assert_int_equal(sender_send(sender, STORE_LIVE, kit->host, schema, at_ms, sweeps,
					 STEP, true),
			STORE_DURABLE);
	}
}

static size_t groups_of(struct kit *kit)
{
	struct fw_arena arena = {0};
	struct store_group *groups;
	size_t n;
	assert_int_equal(
		store_select(kit->store, NULL, 0, 0, kit_now_ms, &arena, &groups, &n, NULL), 0);
	fw_arena_done(&arena);
	return n;
}

static void test_what_nothing_mentions_leaves(void **state)
{
	(void)state;
	struct kit kit;
	struct sender sender = {0};
	kit_init(&kit);
	send_some(&kit, &sender, kit.schema, 100);
	kit_waste(&kit, WASTE);
	uint32_t highest = kit_schema(&kit, "highest");
	size_t before = bytes_of(&kit, "schema.log");
	assert_int_equal(schemas_of(&kit), WASTE + 2);
	kit_reopen(&kit);
	assert_true(bytes_of(&kit, "schema.log") < before / 10);
	assert_int_equal(schemas_of(&kit), 2);
	assert_null(store_schema(kit.store, highest - 1));
	assert_int_equal(kit_count(&kit, kit.host, true), 100);
	/* Ids only grow, also once the highest of them has left. */
	assert_int_equal(kit_schema(&kit, "m"), kit.schema);
	kit_waste(&kit, WASTE);
	uint32_t next = kit_schema(&kit, "next");
	assert_int_equal(next, highest + WASTE + 1);
	kit_reopen(&kit);
	assert_int_equal(schemas_of(&kit), 2);
	assert_int_equal(kit_schema(&kit, "highest"), next + 1);
	kit_reopen(&kit);
	assert_int_equal(kit_count(&kit, kit.host, true), 100);
	assert_int_equal(kit_check(kit.dir), 0);
	kit_done(&kit);
}

/* The process is killed: what it had not written as blocks is in the log alone. */
static void kill_and_open(struct kit *kit)
{
	char copy[80];
	struct fw_err err = {""};
	snprintf(copy, sizeof copy, "%s-copy", kit->dir);
	kit_copy(kit->dir, copy);
	store_close(kit->store);
	kit_remove(kit->dir);
	kit_copy(copy, kit->dir);
	kit_remove(copy);
	if (kit_open(kit, &err) < 0)
		fail_msg("%s", err.text);
}

/* It is left when the host goes on with the kit's, which has a column of it. */
static uint32_t make_old(struct kit *kit)
{
	static const char *const names[] = {
		"m0", "old1", "old2", "old3", "old4", "old5", "old6", "old7"};
	return kit_schema_of(kit, names, KIT_COLUMNS);
}

/* Of the first schema there are only blocks, of the last only records. */
static void test_what_is_mentioned_stays(void **state)
{
	(void)state;
	struct kit kit;
	struct sender sender = {0};
	kit_init(&kit);
	kit_waste(&kit, WASTE);
	send_some(&kit, &sender, make_old(&kit), 100);
	uint64_t until = store_durable_position(kit.store) + 2 * kit.config.log_segment_bytes;
	while (store_durable_position(kit.store) < until)
		send_some(&kit, &sender, kit.schema, 1000);
	kit_reopen(&kit);
	kit_waste(&kit, WASTE);
	sender_begin(&sender, &kit, 1, 7);
	send_some(&kit, &sender, kit_schema(&kit, "new"), 4);
	kit_waste(&kit, 1);
	for (int again = 0; again < 2; again++) {
		kill_and_open(&kit);
		assert_int_equal(schemas_of(&kit), 4); /* and the highest */
		assert_int_equal(groups_of(&kit), 3);
		assert_int_equal(kit_check(kit.dir), 0);
	}
	kit_done(&kit);
}

static void test_few_are_not_worth_a_new_file(void **state)
{
	(void)state;
	struct kit kit;
	struct sender sender = {0};
	kit_init(&kit);
	send_some(&kit, &sender, kit.schema, 50);
	kit_waste(&kit, FEW);
	size_t before = bytes_of(&kit, "schema.log");
	kit_reopen(&kit);
	assert_int_equal(bytes_of(&kit, "schema.log"), before);
	assert_int_equal(schemas_of(&kit), FEW + 1);
	kit_done(&kit);
}

/* A schema of two columns with the same label, the second of that name. */
static uint32_t make_labelled(struct kit *kit, const char *second)
{
	const struct fw_label device = {"device", "sda"};
	const struct fw_column columns[] = {
		{.name = "first", .labels = &device, .n_labels = 1, .factor = 1},
		{.name = second, .labels = &device, .n_labels = 1, .factor = 1},
	};
	struct fw_schema schema = {.n_columns = 2, .columns = columns};
	uint32_t id = 0;
	fw_schema_seal(&schema);
	assert_int_equal(store_schema_intern(kit->store, &schema, &id, NULL), 0);
	return id;
}

/* What differs little from what is known takes little more memory. */
static void test_schemas_share_their_labels(void **state)
{
	(void)state;
	struct kit kit;
	kit_init(&kit);
	for (int again = 0; again < 2; again++) {
		const struct fw_schema *a = store_schema(kit.store, make_labelled(&kit, "second"));
		const struct fw_schema *b = store_schema(kit.store, make_labelled(&kit, "third"));
		assert_ptr_not_equal(a, b);
		assert_ptr_equal(a->columns[0].labels, b->columns[0].labels);
		assert_ptr_equal(a->columns[0].labels, b->columns[1].labels);
		assert_ptr_equal(a->columns[0].name, b->columns[0].name);
		assert_string_equal(b->columns[1].name, "third");
		assert_string_equal(b->columns[1].labels[0].value, "sda");
		kit_reopen(&kit);
	}
	kit_done(&kit);
}

static uint32_t make_host(struct kit *kit, int which)
{
	char name[16], note[NOTE_BYTES + 1];
	uint32_t id;
	memset(note, 'n', NOTE_BYTES);
	note[NOTE_BYTES] = '\0';
	snprintf(name, sizeof name, "gone-%d", which);
	const struct fw_label labels[] = {{"instance", name}, {"job", "node"}, {"note", note}};
	assert_int_equal(store_host_intern(kit->store, labels, 3, &id, NULL), 0);
	return id;
}

/* A host that is silent is known for good; one that was forgotten only while something is left
 * of it. */
static void test_forgotten_hosts_leave(void **state)
{
	(void)state;
	struct kit kit;
	struct sender sender = {0};
	kit_init(&kit);
	uint32_t silent = make_host(&kit, 0), last = 0, heard = kit.host;
	send_some(&kit, &sender, kit.schema, 100);
	assert_int_equal(store_host_forget(kit.store, heard, NULL), 0);
	for (int i = 1; i < GONE; i++) {
		last = make_host(&kit, i);
		assert_int_equal(store_host_forget(kit.store, last, NULL), 0);
	}
	size_t before = bytes_of(&kit, "host.log");
	kit_reopen(&kit);
	assert_true(bytes_of(&kit, "host.log") < before / 10);
	kit_reopen(&kit);
	assert_true(store_host_is_known(kit.store, silent));
	assert_false(store_host_is_known(kit.store, heard));
	assert_int_equal(kit_count(&kit, heard, true), 0);
	assert_int_equal(make_host(&kit, 0), silent);
	assert_int_equal(make_host(&kit, 1), last + 1);
	assert_int_equal(kit_check(kit.dir), 0);
	kit_done(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_nothing_mentions_leaves),
		cmocka_unit_test(test_what_is_mentioned_stays),
		cmocka_unit_test(test_few_are_not_worth_a_new_file),
		cmocka_unit_test(test_schemas_share_their_labels),
		cmocka_unit_test(test_forgotten_hosts_leave),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
