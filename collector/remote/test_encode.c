/* SPDX-License-Identifier: Apache-2.0 */
/* From one store to another: the log is followed, encoded, and received again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bodies.h"
#include "encode.h"
#include "follow.h"
#include "remote.h"
#include "test_now.h"
#include "testkit.h"

enum { BATCHES = 60, RESTARTS = 40, LOG_BYTES = 64 << 10 };

struct scene {
	struct kit from, to;
	struct remote *remote;
	struct sender sender;
	struct store_follower *follower;
	struct encoder encoder;
};

static void open_scene(struct scene *s)
{
	*s = (struct scene){.encoder = {0}};
	kit_init(&s->from);
	kit_init(&s->to);
	s->remote = remote_new(s->to.store);
	s->follower = store_follow(s->from.store, store_durable_position(s->from.store));
	sender_begin(&s->sender, &s->from, 1, 1);
}

static void close_scene(struct scene *s)
{
	store_unfollow(s->follower);
	encoder_done(&s->encoder);
	remote_free(s->remote);
	kit_done(&s->from);
	kit_done(&s->to);
}

static void on_sweeps(const struct store_followed *sweeps, void *arg)
{
	struct scene *s = arg;
	for (size_t c = 0; c < sweeps->schema->n_columns; c++)
		encode_column(&s->encoder, sweeps, c);
}

/* Everything that is durable goes over. */
static size_t send_all(struct scene *s, bool is_2)
{
	struct fw_buf plain = {0}, body = {0};
	encode_begin(&s->encoder, is_2);
	while (store_follow_next(s->follower, on_sweeps, s) == 1)
		;
	encode_end(&s->encoder, &plain);
	body_pack(BODY_ZSTD, &plain, &body);
	struct remote_write write = {
		.content_type = is_2 ? "application/x-protobuf;proto=io.prometheus.write.v2.Request"
				     : "application/x-protobuf",
		.encoding = "zstd",
		.body = body.data,
		.length = body.length,
		.now_ms = kit_now_ms,
	};
	receive_now(s->remote, &write);
	if (write.status != 204)
		fail_msg("%u %s", write.status, write.why);
	remote_write_done(&write);
	fw_buf_done(&plain);
	fw_buf_done(&body);
	return s->encoder.n_samples;
}

static bool accepts(const struct store_matcher *matcher, const char *value)
{
	return strcmp(matcher->value, value) == 0;
}

static size_t compare(struct scene *s, const char *name, uint32_t column)
{
	const struct store_matcher matcher = {
		.name = "__name__", .accepts = accepts, .value = name};
	struct fw_arena arena = {0};
	struct store_group *groups;
	struct store_columns columns = {0};
	size_t n;
	assert_int_equal(
		store_select(s->to.store, &matcher, 1, 0, INT64_MAX, &arena, &groups, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(
		store_read(s->to.store, &groups[0], 0, INT64_MAX, NULL, &arena, &columns, NULL), 0);
	for (size_t i = 0; i < columns.n; i++) {
		int64_t cell = kit_cell(columns.times_ms[i], column);
		if (columns.cells[0][i] != FW_ABSENT)
			assert_true(fw_cell_double(columns.cells[0][i]) == (double)cell);
	}
	fw_arena_done(&arena);
	return columns.n;
}

static void test_over(void **state)
{
	(void)state;
	struct scene s;
	open_scene(&s);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(sender_send(&s.sender, STORE_LIVE, s.from.host, s.from.schema,
					 kit_now_ms + i * 1000, 1, 1000, i % 7 == 0),
			STORE_DURABLE);
		if (i % 5 == 4)
			assert_true(send_all(&s, i % 10 == 9) > 0);
	}
	for (uint32_t c = 0; c < KIT_COLUMNS; c++) {
		char name[16];
		snprintf(name, sizeof name, "m%u", c);
		assert_true(compare(&s, name, c) > 0);
	}
	close_scene(&s);
}

/* The control of what test_over() finds: the same series by a label that only the sender put. */
static void test_external_labels(void **state)
{
	static const struct fw_label external[] = {{"instance", "other"}, {"site", "north"}};
	const struct store_matcher site = {.name = "site", .accepts = accepts, .value = "north"},
				   other = {.name = "instance",
					   .accepts = accepts,
					   .value = "other"};
	(void)state;
	for (int is_2 = 0; is_2 < 2; is_2++) {
		struct scene s;
		struct fw_arena arena = {0};
		struct store_group *groups;
		size_t n;
		open_scene(&s);
		s.encoder.external = external;
		s.encoder.n_external = 2;
		sender_send(&s.sender, STORE_LIVE, s.from.host, s.from.schema, kit_now_ms, 3, 1000,
			true);
		assert_true(send_all(&s, is_2) > 0);
		assert_int_equal(
			store_select(s.to.store, &site, 1, 0, INT64_MAX, &arena, &groups, &n, NULL),
			0);
		assert_true(n > 0);
		assert_int_equal(store_select(s.to.store, &other, 1, 0, INT64_MAX, &arena, &groups,
					 &n, NULL),
			0);
		assert_int_equal(n, 0); /* they have one of their own */
		fw_arena_done(&arena);
		close_scene(&s);
	}
}

/* A place in the log stays good when the store is opened again. */
static void test_goes_on(void **state)
{
	(void)state;
	struct scene s;
	open_scene(&s);
	sender_send(&s.sender, STORE_LIVE, s.from.host, s.from.schema, kit_now_ms, 3, 1000, true);
	send_all(&s, false);
	uint64_t position = store_follow_position(s.follower);
	sender_send(&s.sender, STORE_LIVE, s.from.host, s.from.schema, kit_now_ms + 5000, 2, 1000,
		false);
	store_unfollow(s.follower);
	kit_reopen(&s.from);
	s.follower = store_follow(s.from.store, position);
	assert_true(send_all(&s, true) > 0);
	assert_int_equal(send_all(&s, true), 0);
	close_scene(&s);
}

static size_t follow_all(struct scene *s)
{
	size_t n = 0;
	encode_begin(&s->encoder, false);
	for (int rc; (rc = store_follow_next(s->follower, on_sweeps, s)) != 0; n++)
		assert_int_equal(rc, 1);
	return n;
}

/* A segment of the log is used anew when four others are full. What an earlier life wrote at the
 * same place may have been read ahead of what is written there now. */
static void test_a_segment_that_is_used_again(void **state)
{
	(void)state;
	struct scene s;
	open_scene(&s);
	for (int life = 0; life < 12; life++) {
		uint64_t position = store_follow_position(s.follower);
		store_unfollow(s.follower);
		kit_reopen(&s.from);
		s.follower = store_follow(s.from.store, position);
		sender_begin(&s.sender, &s.from, 1, 1);
		follow_all(&s);
		for (int i = 0; i < BATCHES; i++) {
			int64_t at_ms = kit_now_ms + (life * BATCHES + i) * 60000;
			assert_int_equal(sender_send(&s.sender, STORE_LIVE, s.from.host,
						 s.from.schema, at_ms, 60, 1000, true),
				STORE_DURABLE);
			assert_true(follow_all(&s) > 0);
		}
		assert_int_equal(
			store_follow_position(s.follower), store_durable_position(s.from.store));
	}
	close_scene(&s);
}

/* By a clean end and a new start, or as if it had been killed. */
static void restart(struct scene *s, bool killed)
{
	char there[72];
	struct fw_err err = {""};
	if (!killed) {
		kit_reopen(&s->from);
		return;
	}
	snprintf(there, sizeof there, "%s-killed", s->from.dir);
	kit_copy(s->from.dir, there);
	store_close(s->from.store);
	kit_remove(s->from.dir);
	kit_copy(there, s->from.dir);
	kit_remove(there);
	if (kit_open(&s->from, &err) < 0)
		fail_msg("%s", err.text);
}

/* A log that is hardly written to goes on where it was: it is not used up by starts. */
static void test_restarts_leave_nobody_behind(void **state)
{
	(void)state;
	struct scene s;
	open_scene(&s);
	uint64_t position = store_follow_position(s.follower);
	for (int life = 0; life < RESTARTS; life++) {
		sender_begin(&s.sender, &s.from, 1, 1);
		assert_int_equal(sender_send(&s.sender, STORE_LIVE, s.from.host, s.from.schema,
					 kit_now_ms + life * 1000, 1, 1000, true),
			STORE_DURABLE);
		restart(&s, life % 2);
	}
	store_unfollow(s.follower);
	s.follower = store_follow(s.from.store, position);
	follow_all(&s);
	assert_int_equal(s.encoder.n_samples, RESTARTS * KIT_COLUMNS);
	close_scene(&s);
}

static void send_event(struct scene *s, size_t length)
{
	static const uint8_t nothing[LOG_BYTES];
	struct store_entry entry = {
		.kind = STORE_EVENT,
		.stream = s->sender.stream,
		.session = s->sender.session,
		.seq = s->sender.next[STORE_LIVE]++,
		.host = s->from.host,
		.payload = nothing,
		.length = length,
		.received_ms = kit_now_ms,
	};
	memcpy(entry.agent, s->sender.agent, sizeof entry.agent);
	kit_submit(&s->from, &entry);
	assert_int_equal(entry.verdict, STORE_DURABLE);
}

/* Up to its last byte. */
static void fill_segment(struct scene *s)
{
	const size_t step = LOG_BYTES / 8, head = 88;
	size_t left = LOG_BYTES - store_durable_position(s->from.store) % LOG_BYTES;
	for (; left > 2 * step; left -= step)
		send_event(s, step - head);
	send_event(s, left - head);
	assert_int_equal(store_durable_position(s->from.store) % LOG_BYTES, 0);
}

/* Who is up to date has a place in the segment that is not begun yet. */
static void test_a_segment_that_is_full(void **state)
{
	(void)state;
	struct scene s;
	open_scene(&s);
	for (int life = 0; life < 7; life++) {
		fill_segment(&s);
		follow_all(&s);
		uint64_t position = store_follow_position(s.follower);
		store_unfollow(s.follower);
		restart(&s, true);
		s.follower = store_follow(s.from.store, position);
		sender_begin(&s.sender, &s.from, 1, 1);
		assert_int_equal(sender_send(&s.sender, STORE_LIVE, s.from.host, s.from.schema,
					 kit_now_ms + life * 1000, 1, 1000, false),
			STORE_DURABLE);
		follow_all(&s);
		assert_int_equal(s.encoder.n_samples, KIT_COLUMNS);
	}
	assert_int_equal(kit_check(s.from.dir), 0);
	close_scene(&s);
}

/* The header of the newest segment, while the collector is down. */
static void damage_header(const struct scene *s, const char *name)
{
	char path[160];
	snprintf(path, sizeof path, "%s/wal/%s", s->from.dir, name);
	FILE *file = fopen(path, "r+b");
	assert_non_null(file);
	assert_int_equal(fseek(file, 40, SEEK_SET), 0);
	assert_int_equal(fputc(0x55, file), 0x55);
	fclose(file);
}

static void send_one(struct scene *s, int second)
{
	assert_int_equal(sender_send(&s->sender, STORE_LIVE, s->from.host, s->from.schema,
				 kit_now_ms + second * 1000, 1, 1000, true),
		STORE_DURABLE);
}

/* Nothing is passed over in the segment before it, and a new one is begun, whose header says
 * where it ends. */
static void test_a_damaged_header(void **state)
{
	(void)state;
	struct scene s;
	struct fw_err err = {""};
	open_scene(&s);
	uint64_t from = store_follow_position(s.follower);
	send_one(&s, 0);
	fill_segment(&s);
	send_one(&s, 1);
	uint64_t position = store_durable_position(s.from.store);
	store_close(s.from.store);
	damage_header(&s, "00000001");
	assert_int_equal(kit_check(s.from.dir), 1);
	assert_int_equal(kit_open(&s.from, &err), 0);
	assert_true(store_durable_position(s.from.store) / LOG_BYTES > position / LOG_BYTES);
	sender_begin(&s.sender, &s.from, 1, 1);
	send_one(&s, 2);
	store_unfollow(s.follower);
	s.follower = store_follow(s.from.store, from);
	follow_all(&s);
	assert_int_equal(s.encoder.n_samples, 3 * KIT_COLUMNS);
	close_scene(&s);
}

/* The log is short here, and comes round. */
static void test_left_behind(void **state)
{
	(void)state;
	struct scene s;
	open_scene(&s);
	for (int i = 0; i < 600; i++)
		assert_int_equal(sender_send(&s.sender, STORE_LIVE, s.from.host, s.from.schema,
					 kit_now_ms + i * 60000, 60, 1000, true),
			STORE_DURABLE);
	int rc, gaps = 0, n = 0;
	encode_begin(&s.encoder, false);
	while ((rc = store_follow_next(s.follower, on_sweeps, &s)) != 0) {
		gaps += rc == -ENODATA;
		n += rc == 1;
	}
	assert_int_equal(gaps, 1);
	assert_true(n > 10);
	close_scene(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_over),
		cmocka_unit_test(test_external_labels),
		cmocka_unit_test(test_goes_on),
		cmocka_unit_test(test_a_segment_that_is_used_again),
		cmocka_unit_test(test_restarts_leave_nobody_behind),
		cmocka_unit_test(test_a_segment_that_is_full),
		cmocka_unit_test(test_a_damaged_header),
		cmocka_unit_test(test_left_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
