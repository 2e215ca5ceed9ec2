/* SPDX-License-Identifier: Apache-2.0 */
/* Documents as agents send them, and what can be asked of them afterwards. */
#include "inventory.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/buf.h>
#include <fenwatch/fault.h>
#include <fenwatch/items.h>
#include <fenwatch/mem.h>
#include <fenwatch/wire.h>

#include "state.h"
#include "store.h"
#include "test_tree.h"

#define T0_MS 1795390000000
#define DAY_MS 86400000LL

struct stage {
	char dir[64];
	struct state *state;
	struct inventory *inventory;
	unsigned needs;
	char kind[40];
};

/* One document; what is 0 is chosen: packages, received when it was made. */
struct sent {
	uint32_t host;
	uint64_t stream, seq, revision;
	bool whole;
	const char *kind, *body;
	int64_t at_ms, received_ms;
};

static void on_need(const uint8_t agent[16], const char *kind, void *arg)
{
	struct stage *stage = arg;
	assert_int_equal(agent[0], 7);
	stage->needs++;
	snprintf(stage->kind, sizeof stage->kind, "%s", kind);
}

static void open_stage(struct stage *stage)
{
	struct fw_err err;
	if (state_open(&stage->state, stage->dir, &err) < 0)
		fail_msg("%s", err.text);
	struct inventory_config config = {.state = stage->state, .on_need = on_need, .arg = stage};
	if (inventory_open(&stage->inventory, &config, &err) < 0)
		fail_msg("%s", err.text);
}

static void close_stage(struct stage *stage)
{
	inventory_close(stage->inventory);
	state_close(stage->state);
}

static int setup(void **state)
{
	struct stage *stage = fw_alloc(sizeof *stage);
	snprintf(stage->dir, sizeof stage->dir, "/tmp/fenwatch-inventory-XXXXXX");
	assert_non_null(mkdtemp(stage->dir));
	open_stage(stage);
	*state = stage;
	return 0;
}

static int teardown(void **state)
{
	struct stage *stage = *state;
	close_stage(stage);
	int rc = test_remove_tree(stage->dir);
	fw_free(stage);
	return rc;
}

static void pack(const struct sent *sent, struct fw_buf *out)
{
	Fenwatch__Wire__Document document = FENWATCH__WIRE__DOCUMENT__INIT;
	struct fw_buf body = {0};
	size_t length = strlen(sent->body);
	assert_int_equal(fw_items_pack(&body, (const uint8_t *)sent->body, length, NULL), 0);
	document.seq = sent->seq;
	document.backlog = true;
	document.kind = (char *)(uintptr_t)(sent->kind ? sent->kind : "packages");
	document.revision = sent->revision;
	document.whole = sent->whole;
	document.at_ms = sent->at_ms;
	document.body.data = body.data;
	document.body.len = body.length;
	document.raw_length = (uint32_t)length;
	size_t size = fenwatch__wire__document__get_packed_size(&document);
	out->length += fenwatch__wire__document__pack(&document, fw_buf_reserve(out, size));
	fw_buf_done(&body);
}

static int try_take(struct stage *stage, struct sent sent, struct fw_err *err)
{
	struct fw_buf message = {0};
	pack(&sent, &message);
	struct store_record record = {
		.kind = STORE_DOCUMENT,
		.agent = {7},
		.stream = sent.stream ? sent.stream : 1,
		.seq = sent.seq,
		.lane = STORE_BACKLOG,
		.host = sent.host,
		.received_ms = sent.received_ms ? sent.received_ms : sent.at_ms,
		.payload = message.data,
		.length = message.length,
	};
	int rc = inventory_take(stage->inventory, &record, err);
	fw_buf_done(&message);
	return rc;
}

static void take(struct stage *stage, struct sent sent)
{
	struct fw_err err;
	if (try_take(stage, sent, &err) < 0)
		fail_msg("%s", err.text);
}

static void put_item(const struct inventory_item *item, void *arg)
{
	fw_buf_printf(arg, "%u %s %s\n", item->host, item->key, item->fields);
}

static void expect_list(struct stage *stage, uint32_t host, int64_t at_ms, const char *wanted)
{
	struct fw_buf got = {0};
	struct fw_err err;
	fw_buf_puts(&got, "");
	assert_int_equal(
		inventory_list(stage->inventory, host, "packages", at_ms, put_item, &got, &err), 0);
	assert_string_equal((const char *)got.data, wanted);
	fw_buf_done(&got);
}

static int64_t count(struct stage *stage, const char *sql)
{
	sqlite3_stmt *row;
	struct fw_err err;
	assert_int_equal(state_query(stage->state, &row, &err, sql, ""), 0);
	assert_int_equal(state_step(stage->state, row, &err), 1);
	int64_t n = sqlite3_column_int64(row, 0);
	state_done(row);
	return n;
}

#define A1 "1 a:all {\"version\":\"1\"}\n"
#define A2 "1 a:all {\"version\":\"2\"}\n"
#define B1 "1 b:all {\"version\":\"1\"}\n"

static void any_date_can_be_asked(void **state)
{
	struct stage *stage = *state;
	take(stage,
		(struct sent){.host = 1,
			.seq = 1,
			.revision = 10,
			.whole = true,
			.body = "+a:all\tversion=1\n+b:all\tversion=1\n",
			.at_ms = T0_MS});
	take(stage,
		(struct sent){.host = 1,
			.seq = 2,
			.revision = 11,
			.body = "+a:all\tversion=2\n",
			.at_ms = T0_MS + DAY_MS});
	take(stage,
		(struct sent){.host = 1,
			.seq = 3,
			.revision = 12,
			.body = "-b:all\n",
			.at_ms = T0_MS + 2 * DAY_MS});
	expect_list(stage, 1, T0_MS - 1, "");
	expect_list(stage, 1, T0_MS, A1 B1);
	expect_list(stage, 1, T0_MS + DAY_MS - 1, A1 B1);
	expect_list(stage, 1, T0_MS + DAY_MS, A2 B1);
	expect_list(stage, 1, T0_MS + 2 * DAY_MS, A2);
	expect_list(stage, 1, 0, A2);
	expect_list(stage, 2, 0, "");
	assert_int_equal(stage->needs, 0);
}

/* What is the same in the whole as before goes on without a break. */
static void a_whole_takes_the_place_of_what_was(void **state)
{
	struct stage *stage = *state;
	take(stage,
		(struct sent){.host = 1,
			.seq = 1,
			.revision = 10,
			.whole = true,
			.body = "+a:all\tversion=1\n+b:all\tversion=1\n",
			.at_ms = T0_MS});
	take(stage,
		(struct sent){.host = 1,
			.seq = 2,
			.revision = 99,
			.whole = true,
			.body = "+a:all\tversion=2\n+b:all\tversion=1\n",
			.at_ms = T0_MS + DAY_MS});
	expect_list(stage, 1, 0, A2 B1);
	expect_list(stage, 1, T0_MS, A1 B1);
	assert_int_equal(count(stage, "SELECT count(*) FROM inventory_item"), 3);
	take(stage,
		(struct sent){.host = 1,
			.seq = 3,
			.revision = 100,
			.whole = true,
			.body = "",
			.at_ms = T0_MS + 2 * DAY_MS});
	expect_list(stage, 1, 0, "");
}

static void a_gap_asks_for_the_whole(void **state)
{
	struct stage *stage = *state;
	take(stage,
		(struct sent){.host = 1,
			.seq = 1,
			.revision = 10,
			.whole = true,
			.body = "+a:all\tversion=1\n",
			.at_ms = T0_MS});
	take(stage,
		(struct sent){.host = 1,
			.seq = 2,
			.revision = 12,
			.body = "+b:all\tversion=1\n",
			.at_ms = T0_MS + 1});
	assert_int_equal(stage->needs, 1);
	assert_string_equal(stage->kind, "packages");
	/* Until it has come nothing else will do, and each connection asks again. */
	take(stage,
		(struct sent){.host = 1,
			.seq = 3,
			.revision = 11,
			.body = "+b:all\tversion=1\n",
			.at_ms = T0_MS + 2});
	inventory_greet(stage->inventory, (const uint8_t[16]){7}, 1);
	inventory_greet(stage->inventory, (const uint8_t[16]){7}, 2);
	assert_int_equal(stage->needs, 3);
	expect_list(stage, 1, 0, A1);
	take(stage,
		(struct sent){.host = 1,
			.seq = 4,
			.revision = 14,
			.whole = true,
			.body = "+a:all\tversion=1\n+b:all\tversion=1\n",
			.at_ms = T0_MS + 3});
	inventory_greet(stage->inventory, (const uint8_t[16]){7}, 1);
	assert_int_equal(stage->needs, 3);
	expect_list(stage, 1, 0, A1 B1);
}

/* The agent was killed before it had noted revision 11, and makes it once more. */
static void the_same_revision_twice_asks_for_the_whole(void **state)
{
	struct stage *stage = *state;
	take(stage,
		(struct sent){.host = 1,
			.seq = 1,
			.revision = 10,
			.whole = true,
			.body = "+a:all\tversion=1\n",
			.at_ms = T0_MS});
	take(stage,
		(struct sent){.host = 1,
			.seq = 2,
			.revision = 11,
			.body = "+a:all\tversion=2\n",
			.at_ms = T0_MS + 1});
	take(stage,
		(struct sent){.host = 1,
			.seq = 3,
			.revision = 11,
			.body = "+a:all\tversion=3\n",
			.at_ms = T0_MS + 2});
	assert_int_equal(stage->needs, 1);
}

/* The log hands over again what was not released. */
static void the_same_document_twice_is_taken_once(void **state)
{
	struct stage *stage = *state;
	struct sent whole = {.host = 1,
		.seq = 1,
		.revision = 10,
		.whole = true,
		.body = "+a:all\tversion=1\n",
		.at_ms = T0_MS};
	struct sent difference = {.host = 1,
		.seq = 2,
		.revision = 11,
		.body = "+a:all\tversion=2\n",
		.at_ms = T0_MS + 1};
	take(stage, whole);
	take(stage, difference);
	close_stage(stage);
	open_stage(stage);
	take(stage, whole);
	take(stage, difference);
	expect_list(stage, 1, 0, A2);
	assert_int_equal(stage->needs, 0);
	assert_int_equal(count(stage, "SELECT count(*) FROM inventory_item"), 2);
}

/* A difference of another stream rests on nothing that is here, whatever its number. */
static void a_new_stream_begins_with_a_whole(void **state)
{
	struct stage *stage = *state;
	take(stage,
		(struct sent){.host = 1,
			.seq = 1,
			.revision = 10,
			.whole = true,
			.body = "+a:all\tversion=1\n",
			.at_ms = T0_MS});
	take(stage,
		(struct sent){.host = 1,
			.stream = 2,
			.seq = 1,
			.revision = 11,
			.body = "+b:all\tversion=1\n",
			.at_ms = T0_MS + 1});
	assert_int_equal(stage->needs, 1);
	expect_list(stage, 1, 0, A1);
	take(stage,
		(struct sent){.host = 1,
			.stream = 2,
			.seq = 2,
			.revision = 12,
			.whole = true,
			.body = "+b:all\tversion=1\n",
			.at_ms = T0_MS + 2});
	take(stage,
		(struct sent){.host = 1,
			.stream = 2,
			.seq = 3,
			.revision = 13,
			.body = "+a:all\tversion=1\n",
			.at_ms = T0_MS + 3});
	expect_list(stage, 1, 0, A1 B1);
	assert_int_equal(stage->needs, 1);
}

static void restore_copy(const struct stage *stage, const char *copy)
{
	static const char *const beside[] = {"state.db-wal", "state.db-shm"};
	for (size_t i = 0; i < 2; i++) {
		char *path = fw_format("%s/%s", stage->dir, beside[i]);
		unlink(path);
		fw_free(path);
	}
	char *path = fw_format("%s/state.db", stage->dir);
	assert_int_equal(rename(copy, path), 0);
	fw_free(path);
}

/* The copy of before stands again; the agent goes on from where it was. */
static void a_restored_copy_asks_for_the_whole(void **state)
{
	struct stage *stage = *state;
	struct fw_err err;
	take(stage,
		(struct sent){.host = 1,
			.seq = 1,
			.revision = 10,
			.whole = true,
			.body = "+a:all\tversion=1\n",
			.at_ms = T0_MS});
	char *copy = fw_format("%s/copy.db", stage->dir);
	assert_int_equal(state_run(stage->state, &err, "VACUUM INTO ?", "t", copy), 0);
	take(stage,
		(struct sent){.host = 1,
			.seq = 2,
			.revision = 11,
			.body = "+a:all\tversion=2\n",
			.at_ms = T0_MS + 1});
	close_stage(stage);
	restore_copy(stage, copy);
	fw_free(copy);
	open_stage(stage);
	expect_list(stage, 1, 0, A1);
	take(stage,
		(struct sent){.host = 1,
			.seq = 3,
			.revision = 12,
			.body = "+b:all\tversion=1\n",
			.at_ms = T0_MS + 2});
	assert_int_equal(stage->needs, 1);
	expect_list(stage, 1, 0, A1);
}

/* Numbers are missing, nobody knows what was in them. */
static void what_was_missed_is_asked_for(void **state)
{
	struct stage *stage = *state;
	take(stage,
		(struct sent){.host = 1,
			.seq = 1,
			.revision = 10,
			.whole = true,
			.body = "+a:all\tversion=1\n",
			.at_ms = T0_MS});
	inventory_missed(stage->inventory, (const uint8_t[16]){7}, 1);
	assert_int_equal(stage->needs, 4); /* the kinds that every collector knows */
	take(stage,
		(struct sent){.host = 1,
			.seq = 5,
			.revision = 11,
			.body = "+a:all\tversion=2\n",
			.at_ms = T0_MS + 1});
	assert_int_equal(stage->needs, 5);
	expect_list(stage, 1, 0, A1);
}

static void where_a_package_is(void **state)
{
	struct stage *stage = *state;
	struct fw_buf got = {0};
	struct fw_err err;
	for (uint32_t host = 1; host <= 3; host++)
		take(stage,
			(struct sent){.host = host,
				.seq = 1,
				.revision = 10,
				.whole = true,
				.body = host == 2
					? "+bash-doc:all\tversion=1\n+bash:amd64\tversion=5.1\n"
					: "+bash:amd64\tversion=5.2\n+bash:i386\tversion=5.2\n",
				.at_ms = T0_MS});
	take(stage,
		(struct sent){.host = 3,
			.seq = 2,
			.revision = 11,
			.body = "-bash:amd64\n-bash:i386\n",
			.at_ms = T0_MS + DAY_MS});
	assert_int_equal(
		inventory_find(stage->inventory, "packages", "bash", 0, put_item, &got, &err), 0);
	assert_string_equal((const char *)got.data,
		"1 bash:amd64 {\"version\":\"5.2\"}\n1 bash:i386 {\"version\":\"5.2\"}\n"
		"2 bash:amd64 {\"version\":\"5.1\"}\n");
	fw_buf_reset(&got);
	assert_int_equal(inventory_find(stage->inventory, "packages", "bash:i386",
				 T0_MS + DAY_MS - 1, put_item, &got, &err),
		0);
	assert_string_equal((const char *)got.data,
		"1 bash:i386 {\"version\":\"5.2\"}\n3 bash:i386 {\"version\":\"5.2\"}\n");
	fw_buf_reset(&got);
	assert_int_equal(
		inventory_find(stage->inventory, "nothing", "bash", 0, put_item, &got, &err), 0);
	assert_int_equal(got.length, 0);
	fw_buf_done(&got);
}

static void expect_found(struct stage *stage, const char *name, int64_t at_ms, const char *wanted)
{
	struct fw_buf got = {0};
	struct fw_err err;
	fw_buf_puts(&got, "");
	assert_int_equal(
		inventory_find(stage->inventory, "packages", name, at_ms, put_item, &got, &err), 0);
	assert_string_equal((const char *)got.data, wanted);
	fw_buf_done(&got);
}

/* A star at the end is for all that begins so, and for nothing else. */
static void what_begins_alike_is_found_together(void **state)
{
	struct stage *stage = *state;
	for (uint32_t host = 1; host <= 2; host++)
		take(stage,
			(struct sent){.host = host,
				.seq = 1,
				.revision = 10,
				.whole = true,
				.body = "+a+:all\tversion=1\n+a:all\tversion=1\n+ab:all\tversion=1\n"
					"+b*:all\tversion=1\n+b:all\tversion=1\n",
				.at_ms = T0_MS});
	take(stage,
		(struct sent){.host = 2,
			.seq = 2,
			.revision = 11,
			.body = "-ab:all\n",
			.at_ms = T0_MS + DAY_MS});
	expect_found(stage, "ab*", 0, "1 ab:all {\"version\":\"1\"}\n");
	expect_found(stage, "ab*", T0_MS + DAY_MS - 1,
		"1 ab:all {\"version\":\"1\"}\n2 ab:all {\"version\":\"1\"}\n");
	expect_found(stage, "ab*", T0_MS - 1, "");
	expect_found(stage, "a*", 0,
		"1 a+:all {\"version\":\"1\"}\n1 a:all {\"version\":\"1\"}\n"
		"1 ab:all {\"version\":\"1\"}\n2 a+:all {\"version\":\"1\"}\n"
		"2 a:all {\"version\":\"1\"}\n");
	expect_found(stage, "b:all*", T0_MS,
		"1 b:all {\"version\":\"1\"}\n2 b:all {\"version\":\"1\"}\n");
	expect_found(stage, "*", 0, "");
	expect_found(stage, "\xff*", 0, "");
}

static void ignore_item(const struct inventory_item *item, void *arg)
{
	(void)item;
	++*(size_t *)arg;
}

static void fill(struct stage *stage, int64_t n)
{
	struct fw_err err;
	int rc = state_run(stage->state, &err,
		"INSERT INTO inventory_text (kind, key, fields)"
		" SELECT id, 'lib', '{}' FROM inventory_kind WHERE name = 'packages'",
		"");
	if (rc == 0)
		rc = state_run(stage->state, &err,
			"WITH RECURSIVE host(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM host LIMIT ?)"
			" INSERT INTO inventory_item (host, kind, text, from_ms)"
			" SELECT host.id, t.kind, t.id, 1 FROM host, inventory_text t",
			"i", n);
	if (rc < 0)
		fail_msg("%s", err.text);
}

static void more_than_can_be_told_is_refused(void **state)
{
	struct stage *stage = *state;
	struct fw_err err;
	size_t n = 0;
	fill(stage, INVENTORY_FOUND_LIMIT);
	assert_int_equal(
		inventory_find(stage->inventory, "packages", "li*", 0, ignore_item, &n, &err), 0);
	assert_int_equal(n, INVENTORY_FOUND_LIMIT);
	assert_int_equal(state_run(stage->state, &err,
				 "INSERT INTO inventory_item (host, kind, text, from_ms)"
				 " SELECT 0, kind, id, 1 FROM inventory_text",
				 ""),
		0);
	assert_int_equal(
		inventory_find(stage->inventory, "packages", "li*", 0, ignore_item, &n, &err),
		-E2BIG);
	assert_string_equal(err.text, "more than 200000 items are called 'li*'");
}

static void put_host(uint32_t host, void *arg)
{
	fw_buf_printf(arg, "%u ", host);
}

static void expect_known(struct stage *stage, int64_t at_ms, const char *wanted)
{
	struct fw_buf got = {0};
	struct fw_err err;
	fw_buf_puts(&got, "");
	assert_int_equal(
		inventory_known(stage->inventory, "packages", at_ms, put_host, &got, &err), 0);
	assert_string_equal((const char *)got.data, wanted);
	fw_buf_done(&got);
}

static void put_keyed(const struct inventory_item *item, void *arg)
{
	fw_buf_printf(arg, "%u:%s=%s ", item->host, item->key, item->fields);
}

/* One question for all of them. */
static void expect_all(struct stage *stage, const char *wanted)
{
	struct fw_buf got = {0};
	struct fw_err err;
	fw_buf_puts(&got, "");
	assert_int_equal(inventory_all(stage->inventory, "packages", put_keyed, &got, &err), 0);
	assert_string_equal((const char *)got.data, wanted);
	fw_buf_done(&got);
}

/* Whose table is known from when on; not while its whole is awaited. */
static void whose_packages_are_known(void **state)
{
	struct stage *stage = *state;
	for (uint32_t host = 1; host <= 2; host++)
		take(stage,
			(struct sent){.host = host,
				.seq = 1,
				.revision = 10,
				.whole = true,
				.body = "+a:all\tversion=1\n",
				.at_ms = T0_MS + host});
	take(stage,
		(struct sent){.host = 3,
			.seq = 1,
			.revision = 10,
			.body = "+a:all\tversion=1\n",
			.at_ms = T0_MS});
	expect_known(stage, 0, "1 2 ");
	expect_all(stage, "1:a:all={\"version\":\"1\"} 2:a:all={\"version\":\"1\"} ");
	expect_known(stage, T0_MS + 1, "1 ");
	expect_known(stage, T0_MS, "");
	take(stage,
		(struct sent){.host = 1,
			.seq = 3,
			.revision = 12,
			.body = "+a:all\tversion=2\n",
			.at_ms = T0_MS + DAY_MS});
	expect_known(stage, 0, "2 ");
	expect_all(stage, "2:a:all={\"version\":\"1\"} ");
	expect_known(stage, T0_MS + 2, "2 ");
	expect_known(stage, T0_MS + 1, "1 ");
}

/* Three hosts that have the same share its text. */
static void texts_are_shared(void **state)
{
	struct stage *stage = *state;
	struct fw_err err;
	for (uint32_t host = 1; host <= 3; host++)
		take(stage,
			(struct sent){.host = host,
				.seq = 1,
				.revision = 10,
				.whole = true,
				.body = "+a:all\tversion=1\n+b:all\tversion=1\n",
				.at_ms = T0_MS});
	assert_int_equal(count(stage, "SELECT count(*) FROM inventory_text"), 2);
	assert_int_equal(count(stage, "SELECT count(*) FROM inventory_item"), 6);
	assert_int_equal(inventory_forget(stage->inventory, 1, &err), 0);
	expect_list(stage, 1, T0_MS, "");
	assert_int_equal(inventory_prune(stage->inventory, T0_MS, &err), 0);
	assert_int_equal(count(stage, "SELECT count(*) FROM inventory_text"), 2);
	for (uint32_t host = 2; host <= 3; host++)
		assert_int_equal(inventory_forget(stage->inventory, host, &err), 0);
	assert_int_equal(inventory_prune(stage->inventory, T0_MS, &err), 0);
	assert_int_equal(count(stage, "SELECT count(*) FROM inventory_text"), 0);
}

static void what_has_ended_is_kept_400_days(void **state)
{
	struct stage *stage = *state;
	struct fw_err err;
	take(stage,
		(struct sent){.host = 1,
			.seq = 1,
			.revision = 10,
			.whole = true,
			.body = "+a:all\tversion=1\n",
			.at_ms = T0_MS});
	take(stage,
		(struct sent){.host = 1,
			.seq = 2,
			.revision = 11,
			.body = "+a:all\tversion=2\n",
			.at_ms = T0_MS + DAY_MS});
	assert_int_equal(inventory_prune(stage->inventory, T0_MS + 401 * DAY_MS, &err), 0);
	expect_list(stage, 1, T0_MS, A1);
	assert_int_equal(inventory_prune(stage->inventory, T0_MS + 401 * DAY_MS + 1, &err), 0);
	expect_list(stage, 1, T0_MS, "");
	expect_list(stage, 1, 0, A2);
}

/* A clock that is wrong, or goes back, does not turn history around. */
static void times_follow_one_another(void **state)
{
	struct stage *stage = *state;
	take(stage,
		(struct sent){.host = 1,
			.seq = 1,
			.revision = 10,
			.whole = true,
			.body = "+a:all\tversion=1\n",
			.at_ms = T0_MS + 300 * DAY_MS,
			.received_ms = T0_MS});
	expect_list(stage, 1, T0_MS, A1);
	take(stage,
		(struct sent){.host = 1,
			.seq = 2,
			.revision = 11,
			.body = "+a:all\tversion=2\n",
			.at_ms = 1000,
			.received_ms = T0_MS + DAY_MS});
	expect_list(stage, 1, T0_MS + DAY_MS - 1, A1);
	expect_list(stage, 1, T0_MS + DAY_MS, A2);
	take(stage,
		(struct sent){.host = 1,
			.seq = 3,
			.revision = 12,
			.body = "+a:all\tversion=1\n",
			.at_ms = T0_MS,
			.received_ms = T0_MS + DAY_MS});
	expect_list(stage, 1, T0_MS + DAY_MS + 1, A1);
}

/* A document that cannot be read changes nothing, even where it begins well. */
static void hostile_documents(void **state)
{
	struct stage *stage = *state;
	static const char *const bodies[] = {
		"+z:all\tversion=1\nrubbish\n", "+b\n+a\n", "+a\tv=\x1b[2J\n", "-a:all\tv=1\n"};
	take(stage,
		(struct sent){.host = 1,
			.seq = 1,
			.revision = 10,
			.whole = true,
			.body = "+a:all\tversion=1\n",
			.at_ms = T0_MS});
	for (uint64_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		stage->needs = 0;
		take(stage,
			(struct sent){.host = 1,
				.seq = 2 + i,
				.revision = 11,
				.whole = i % 2 == 0,
				.body = bodies[i],
				.at_ms = T0_MS + 1});
		assert_int_equal(stage->needs, 1);
		expect_list(stage, 1, 0, A1);
	}
	for (uint64_t i = 0; i < 20; i++) {
		char kind[] = "kinda";
		kind[4] = (char)('a' + i);
		take(stage,
			(struct sent){.host = 1,
				.seq = 10 + i,
				.revision = 1,
				.whole = true,
				.kind = kind,
				.body = "+a\tv=1\n",
				.at_ms = T0_MS + 2});
	}
	assert_int_equal(count(stage, "SELECT count(*) FROM inventory_document WHERE host = 1"),
		FW_DOCUMENTS_LIMIT);
}

static void put_package(struct fw_buf *body, int i, int version)
{
	fw_buf_printf(
		body, "+lib%05d:amd64\tversion=1.%d\torigin=Debian:bookworm/stable\n", i, version);
}

/* 5,000 packages at once, ten that change, and a history that is bounded. */
static void many_packages(void **state)
{
	struct stage *stage = *state;
	struct fw_buf body = {0};
	for (int i = 0; i < 5000; i++)
		put_package(&body, i, 1);
	take(stage,
		(struct sent){.host = 1,
			.seq = 1,
			.revision = 10,
			.whole = true,
			.body = (char *)body.data,
			.at_ms = T0_MS});
	fw_buf_reset(&body);
	for (int i = 0; i < 10; i++)
		put_package(&body, i, 2);
	take(stage,
		(struct sent){.host = 1,
			.seq = 2,
			.revision = 11,
			.body = (char *)body.data,
			.at_ms = T0_MS + 1});
	assert_int_equal(
		count(stage, "SELECT count(*) FROM inventory_item WHERE to_ms IS NULL"), 5000);
	assert_int_equal(count(stage, "SELECT count(*) FROM inventory_item"), 5010);
	assert_int_equal(stage->needs, 0);
	for (uint64_t seq = 3; seq < 60; seq++) {
		fw_buf_reset(&body);
		for (int i = 0; i < 5000; i++)
			put_package(&body, i, (int)seq);
		take(stage,
			(struct sent){.host = 1,
				.seq = seq,
				.revision = 9 + seq,
				.whole = true,
				.body = (char *)body.data,
				.at_ms = T0_MS + (int64_t)seq});
	}
	assert_true(count(stage, "SELECT count(*) FROM inventory_item") <= 262144);
	assert_int_equal(
		count(stage, "SELECT count(*) FROM inventory_item WHERE to_ms IS NULL"), 5000);
	fw_buf_done(&body);
}

/* The database fails in the middle: nothing of the document is there, and it comes again. */
static void a_failing_disk_leaves_nothing_half_done(void **state)
{
	struct stage *stage = *state;
	struct fw_err err;
	struct sent whole = {.host = 1,
		.seq = 1,
		.revision = 10,
		.whole = true,
		.body = "+a:all\tversion=1\n+b:all\tversion=1\n",
		.at_ms = T0_MS};
	fw_fault_arm(FW_OP_WRITE, 1, -EIO, true);
	assert_true(try_take(stage, whole, &err) < 0);
	fw_fault_clear();
	expect_list(stage, 1, 0, "");
	take(stage, whole);
	expect_list(stage, 1, 0, A1 B1);
}

static void count_documents(const struct inventory_document *document, void *arg)
{
	fw_buf_printf(arg, "%s %lld%s ", document->kind, (long long)document->items,
		document->missing ? " missing" : "");
}

static void what_documents_there_are(void **state)
{
	struct stage *stage = *state;
	struct fw_buf got = {0};
	struct fw_err err;
	take(stage,
		(struct sent){.host = 1,
			.seq = 1,
			.revision = 10,
			.whole = true,
			.body = "+a:all\tversion=1\n",
			.at_ms = T0_MS});
	take(stage,
		(struct sent){.host = 1,
			.seq = 2,
			.revision = 10,
			.kind = "peers",
			.body = "+a:all\tversion=1\n",
			.at_ms = T0_MS});
	assert_int_equal(inventory_documents(stage->inventory, 1, count_documents, &got, &err), 0);
	assert_string_equal((const char *)got.data, "packages 1 peers 0 missing ");
	fw_buf_done(&got);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(any_date_can_be_asked),
		TEST(a_whole_takes_the_place_of_what_was),
		TEST(a_gap_asks_for_the_whole),
		TEST(the_same_revision_twice_asks_for_the_whole),
		TEST(the_same_document_twice_is_taken_once),
		TEST(a_new_stream_begins_with_a_whole),
		TEST(a_restored_copy_asks_for_the_whole),
		TEST(what_was_missed_is_asked_for),
		TEST(where_a_package_is),
		TEST(what_begins_alike_is_found_together),
		TEST(more_than_can_be_told_is_refused),
		TEST(whose_packages_are_known),
		TEST(texts_are_shared),
		TEST(what_has_ended_is_kept_400_days),
		TEST(times_follow_one_another),
		TEST(hostile_documents),
		TEST(many_packages),
		TEST(a_failing_disk_leaves_nothing_half_done),
		TEST(what_documents_there_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
