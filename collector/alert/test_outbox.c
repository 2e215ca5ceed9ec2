/* SPDX-License-Identifier: Apache-2.0 */
#include "book.h"
#include "outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/clock.h>
#include <fenwatch/fault.h>
#include <fenwatch/log.h>
#include <fenwatch/mem.h>

#include "receiver.h"
#include "state.h"

#define WAIT_MS 20000
#define START_MS INT64_C(1795341600000)

struct place {
	char dir[64];
	uv_loop_t loop;
	struct state *state;
	struct outbox *outbox;
	struct receiver receiver;
	struct alert_feed_option feed, *feeds[1];
	struct alert_options options;
	char url[64];
	void *config;
};

/* ---- the place ---- */

static const char *path_in(const char *dir, const char *name)
{
	static char path[128];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static const char *const files[] = {"state.db", "state.db-wal", "state.db-shm", "state.reserve"};
#define FILES (sizeof files / sizeof *files)

static void open_state(struct place *place)
{
	struct fw_err err;
	if (state_open(&place->state, place->dir, &err) < 0 || book_open(place->state, &err) < 0)
		fail_msg("%s", err.text);
}

static void open_outbox(struct place *place)
{
	struct outbox_config config = {
		.loop = &place->loop,
		.state = place->state,
		.options = &place->options,
		.external_url = "http://collector:7480",
	};
	assert_int_equal(outbox_open(&place->outbox, &config, NULL), 0);
}

static void on_closed(void *arg)
{
	((struct place *)arg)->outbox = NULL;
}

static void close_outbox(struct place *place)
{
	if (place->outbox)
		outbox_close(place->outbox, on_closed, place);
	while (place->outbox)
		uv_run(&place->loop, UV_RUN_ONCE);
}

static int set_up(void **arg)
{
	struct place *place = fw_alloc(sizeof *place);
	snprintf(place->dir, sizeof place->dir, "/tmp/fenwatch-outbox-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	uv_loop_init(&place->loop);
	receiver_open(&place->receiver, &place->loop);
	snprintf(place->url, sizeof place->url, "http://127.0.0.1:%u/hook", place->receiver.port);
	place->config = fw_alloc(feeds[0]->config_size);
	*(const char **)((char *)place->config + feeds[0]->options[0].offset) = place->url;
	place->feed = (struct alert_feed_option){"desk", "webhook", true, feeds[0], place->config};
	place->feeds[0] = &place->feed;
	place->options = (struct alert_options){.feeds = place->feeds, .n_feeds = 1};
	open_state(place);
	*arg = place;
	return 0;
}

static void remove_files(const char *dir)
{
	for (size_t i = 0; i < FILES; i++)
		unlink(path_in(dir, files[i]));
}

static int tear_down(void **arg)
{
	struct place *place = *arg;
	fw_fault_clear();
	close_outbox(place);
	receiver_close(&place->receiver);
	uv_run(&place->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&place->loop), 0);
	state_close(place->state);
	remove_files(place->dir);
	assert_int_equal(rmdir(place->dir), 0);
	receiver_forget(&place->receiver);
	fw_free(place->config);
	fw_free(place);
	return 0;
}

/* ---- episodes ---- */

static struct episode episode_of(const char *key, int64_t starts_ms)
{
	static const struct notice_pair labels[] = {{"alertname", "R"}, {"instance", "web01"}};
	static const struct notice_pair annotations[] = {{"summary", "web01 is unwell"}};
	struct episode episode = {
		.rule = "R",
		.instance = "web01",
		.severity = "warning",
		.labels = {(struct notice_pair *)labels, 2},
		.annotations = {(struct notice_pair *)annotations, 1},
		.life = {.phase = FIRING, .value = 1, .starts_ms = starts_ms},
	};
	snprintf(episode.key, sizeof episode.key, "%s", key);
	return episode;
}

static int write_fired(struct place *place, struct episode *episode)
{
	int rc = state_begin(place->state, NULL);
	if (rc < 0)
		return rc;
	rc = book_fired(place->state, &place->options, episode, NULL);
	if (rc == 0)
		return state_commit(place->state, NULL);
	state_rollback(place->state);
	return rc;
}

static int write_resolved(struct place *place, struct episode *episode)
{
	episode->life.ends_ms = episode->life.starts_ms + 1000;
	int rc = state_begin(place->state, NULL);
	if (rc < 0)
		return rc;
	rc = book_resolved(place->state, &place->options, episode, NULL);
	if (rc == 0)
		return state_commit(place->state, NULL);
	state_rollback(place->state);
	return rc;
}

static struct episode fire(struct place *place, const char *key)
{
	struct episode episode = episode_of(key, START_MS);
	assert_int_equal(write_fired(place, &episode), 0);
	if (place->outbox)
		outbox_wake(place->outbox);
	return episode;
}

static void resolve(struct place *place, struct episode *episode)
{
	assert_int_equal(write_resolved(place, episode), 0);
	if (place->outbox)
		outbox_wake(place->outbox);
}

static struct book_counts counts(struct place *place)
{
	struct book_counts counts;
	assert_int_equal(book_count(place->state, "desk", &counts, NULL), 0);
	return counts;
}

/* How often the receiver said yes to this alert and status. */
static size_t accepted(const struct place *place, const char *key, const char *status)
{
	size_t n = 0, length = strlen(key);
	for (size_t i = 0; i < place->receiver.n_got; i++) {
		const struct received *got = &place->receiver.got[i];
		n += got->answered / 100 == 2 && strncmp(got->idempotency, key, length) == 0 &&
			strcmp(strrchr(got->idempotency, '/') + 1, status) == 0;
	}
	return n;
}

static void run_for(struct place *place, int64_t ms)
{
	int64_t end_ms = fw_mono_ms() + ms;
	while (fw_mono_ms() < end_ms) {
		uv_run(&place->loop, UV_RUN_NOWAIT);
		usleep(1000);
	}
}

#define RUN_UNTIL(place, condition)                                \
	do {                                                       \
		int64_t end_ms = fw_mono_ms() + WAIT_MS;           \
		while (!(condition) && fw_mono_ms() < end_ms)      \
			uv_run(&(place)->loop, UV_RUN_ONCE);       \
		if (!(condition))                                  \
			fail_msg("it never came: %s", #condition); \
	} while (0)

/* ---- tests ---- */

static void test_an_open_and_its_close_are_told_once(void **arg)
{
	struct place *place = *arg;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	RUN_UNTIL(place, counts(place).delivered == 1);
	resolve(place, &one);
	RUN_UNTIL(place, counts(place).delivered == 2);
	run_for(place, 50);
	assert_int_equal(place->receiver.n_got, 2);
	assert_string_equal(
		place->receiver.got[0].idempotency, "fw1-1/2026-11-22T10:00:00.000Z/firing");
	assert_string_equal(
		place->receiver.got[1].idempotency, "fw1-1/2026-11-22T10:00:00.000Z/resolved");
	assert_non_null(strstr(place->receiver.got[0].body, "web01 is unwell"));
	assert_int_equal(counts(place).waiting, 0);
}

static void test_a_failing_receiver_is_tried_again_under_the_same_key(void **arg)
{
	struct place *place = *arg;
	static const int answers[] = {500, RECEIVER_RESET, RECEIVER_HALF};
	open_outbox(place);
	for (size_t i = 0; i < 3; i++) {
		char key[16];
		snprintf(key, sizeof key, "fw1-%zu", i);
		place->receiver.answer = answers[i];
		size_t before = place->receiver.n_got;
		struct episode one = fire(place, key);
		RUN_UNTIL(place, place->receiver.n_got > before);
		resolve(place, &one);
		run_for(place, 50);
		assert_int_equal(place->receiver.n_got, before + 1); /* no close before the open */
		place->receiver.answer = 200;
		RUN_UNTIL(place, counts(place).delivered == 2 * (i + 1));
		assert_string_equal(place->receiver.got[before].idempotency,
			place->receiver.got[before + 1].idempotency);
		assert_int_equal(accepted(place, key, "resolved"), 1);
	}
}

static void test_a_pause_is_kept(void **arg)
{
	struct place *place = *arg;
	place->receiver.answer = 503;
	open_outbox(place);
	fire(place, "fw1-1");
	RUN_UNTIL(place, place->receiver.n_got == 1);
	int64_t first_ms = fw_mono_ms();
	RUN_UNTIL(place, place->receiver.n_got == 2);
	assert_true(fw_mono_ms() - first_ms >= OUTBOX_PAUSE_MS / 2 - 50);
	assert_int_equal(counts(place).waiting, 1);
	struct fw_arena arena = {0};
	struct alert_feed_view *views;
	size_t n;
	assert_int_equal(outbox_feeds(place->outbox, &arena, &views, &n, NULL), 0);
	assert_int_equal(n, 1);
	RUN_UNTIL(place,
		outbox_feeds(place->outbox, &arena, &views, &n, NULL) == 0 &&
			strstr(views[0].last_error, "503"));
	assert_true(views[0].tries >= 2);
	fw_arena_done(&arena);
}

static void test_what_is_refused_is_not_told_again(void **arg)
{
	struct place *place = *arg;
	place->receiver.answer = 404;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	RUN_UNTIL(place, counts(place).refused == 1);
	place->receiver.answer = 200;
	resolve(place, &one);
	run_for(place, 50);
	assert_int_equal(place->receiver.n_got, 1);
	assert_int_equal(counts(place).waiting, 0);
}

static int refuse_opens(struct receiver *receiver, const struct received *request)
{
	(void)receiver;
	return strstr(request->idempotency, "/firing") ? 400 : 200;
}

static void test_a_close_behind_an_open_that_is_refused(void **arg)
{
	struct place *place = *arg;
	place->receiver.decide = refuse_opens;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	RUN_UNTIL(place, place->receiver.n_got == 1); /* under way: the close must wait for it */
	resolve(place, &one);
	RUN_UNTIL(place, counts(place).refused == 1);
	run_for(place, 50);
	assert_int_equal(accepted(place, "fw1-1", "resolved"), 0);
	assert_int_equal(counts(place).waiting, 0);
}

static void test_over_before_it_was_sent(void **arg)
{
	struct place *place = *arg;
	struct episode one = fire(place, "fw1-1");
	resolve(place, &one);
	open_outbox(place);
	run_for(place, 50);
	assert_int_equal(place->receiver.n_got, 0);
	assert_int_equal(counts(place).waiting, 0);
	/* Also when the outbox already knows of it. */
	struct episode two = fire(place, "fw1-2");
	resolve(place, &two);
	run_for(place, 50);
	assert_int_equal(place->receiver.n_got, 0);
}

static void test_rehearsal_sends_nothing(void **arg)
{
	struct place *place = *arg;
	place->feed.live = false;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	run_for(place, 50);
	/* Its close is none for the receiver either, though the feed is live by then. */
	close_outbox(place);
	place->feed.live = true;
	open_outbox(place);
	resolve(place, &one);
	struct episode two = fire(place, "fw1-2");
	(void)two;
	RUN_UNTIL(place, counts(place).delivered == 1);
	assert_int_equal(place->receiver.n_got, 1);
}

static int hang_first(struct receiver *receiver, const struct received *request)
{
	(void)receiver;
	return strncmp(request->idempotency, "fw1-1/", 6) == 0 ? RECEIVER_HANG : 200;
}

static void test_one_alert_that_hangs_holds_up_no_other(void **arg)
{
	struct place *place = *arg;
	place->receiver.decide = hang_first;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	RUN_UNTIL(place, place->receiver.n_got == 1);
	resolve(place, &one);
	struct episode two = fire(place, "fw1-2");
	RUN_UNTIL(place, accepted(place, "fw1-2", "firing") == 1);
	resolve(place, &two);
	RUN_UNTIL(place, accepted(place, "fw1-2", "resolved") == 1);
	RUN_UNTIL(place, counts(place).delivered == 2);
	assert_int_equal(counts(place).waiting, 2);
	/* Stopped and started again, it goes on where it was. */
	close_outbox(place);
	place->receiver.decide = NULL;
	open_outbox(place);
	RUN_UNTIL(place, counts(place).delivered == 4);
	assert_int_equal(accepted(place, "fw1-1", "firing"), 1);
	assert_int_equal(accepted(place, "fw1-1", "resolved"), 1);
}

static void test_many_at_once(void **arg)
{
	struct place *place = *arg;
	enum { MANY = 100 };
	struct episode episodes[MANY];
	open_outbox(place);
	for (int i = 0; i < MANY; i++) {
		char key[16];
		snprintf(key, sizeof key, "fw1-%d", i);
		episodes[i] = fire(place, key);
	}
	RUN_UNTIL(place, counts(place).delivered == MANY);
	for (int i = 0; i < MANY; i++)
		resolve(place, &episodes[i]);
	RUN_UNTIL(place, counts(place).delivered == 2 * MANY);
	assert_int_equal(place->receiver.n_got, 2 * MANY);
}

static void test_an_episode_never_begins_when_another_of_its_key_did(void **arg)
{
	struct place *place = *arg;
	struct episode one = fire(place, "fw1-1");
	resolve(place, &one);
	struct episode two = fire(place, "fw1-1");
	assert_int_equal(two.life.starts_ms, one.life.starts_ms + 1);
}

static void on_firing(const struct episode *episode, void *arg)
{
	struct episode *out = arg;
	assert_string_equal(episode->rule, "R");
	assert_string_equal(pairs_get(&episode->labels, "instance"), "web01");
	out->life = episode->life;
	snprintf(out->key, sizeof out->key, "%s", episode->key);
}

static void test_what_fires_is_there_after_a_restart(void **arg)
{
	struct place *place = *arg;
	struct episode found = {0};
	struct episode one = fire(place, "fw1-1"), two = fire(place, "fw1-2");
	resolve(place, &one);
	state_close(place->state);
	open_state(place);
	assert_int_equal(book_firing(place->state, on_firing, &found, NULL), 0);
	assert_string_equal(found.key, "fw1-2");
	assert_int_equal(found.life.starts_ms, two.life.starts_ms);
	/* Forgetting leaves what goes on, and what waits. */
	assert_int_equal(book_forget(place->state, INT64_MAX, INT64_MAX, NULL), 0);
	assert_int_equal(counts(place).waiting, 1);
	assert_int_equal(book_firing(place->state, on_firing, &found, NULL), 0);
}

/* ---- power and processes that end ---- */

/* What another process would find if this one ended here. */
static void copy_files(const char *from, const char *to)
{
	for (size_t i = 0; i < 2; i++) {
		static char data[1 << 20];
		int in = open(path_in(from, files[i]), O_RDONLY);
		int out = open(path_in(to, files[i]), O_WRONLY | O_CREAT | O_TRUNC, 0600);
		for (ssize_t n; (n = read(in, data, sizeof data)) > 0;)
			assert_int_equal(write(out, data, (size_t)n), n);
		close(in);
		close(out);
	}
}

/* Ends here without a word, and starts again from what is on the disk. */
static void kill_and_restart(struct place *place)
{
	char dir[64] = "/tmp/fenwatch-outbox-XXXXXX";
	assert_non_null(mkdtemp(dir));
	copy_files(place->dir, dir);
	close_outbox(place);
	state_close(place->state);
	remove_files(place->dir);
	assert_int_equal(rmdir(place->dir), 0);
	snprintf(place->dir, sizeof place->dir, "%s", dir);
	open_state(place);
	open_outbox(place);
}

static size_t different(const struct place *place, const char *status)
{
	size_t n = 0;
	for (size_t i = 0; i < place->receiver.n_got; i++) {
		const char *key = place->receiver.got[i].idempotency;
		bool new = strcmp(strrchr(key, '/') + 1, status) == 0;
		for (size_t j = 0; j < i && new; j++)
			new = strcmp(place->receiver.got[j].idempotency, key) != 0;
		n += new;
	}
	return n;
}

static void test_killed_before_during_and_after_a_try(void **arg)
{
	struct place *place = *arg;
	for (int stage = 0; stage < 3; stage++) {
		char key[16];
		snprintf(key, sizeof key, "fw1-%d", stage);
		uint64_t told = counts(place).delivered;
		size_t got = place->receiver.n_got;
		place->receiver.answer = stage == 1 ? RECEIVER_HANG : 200;
		if (stage > 0 && !place->outbox)
			open_outbox(place);
		struct episode one = fire(place, key);
		if (stage == 1)
			RUN_UNTIL(place, place->receiver.n_got == got + 1);
		if (stage == 2)
			RUN_UNTIL(place, counts(place).delivered == told + 1);
		kill_and_restart(place);
		resolve(place, &one);
		place->receiver.answer = 200;
		bool sent = stage > 0;
		RUN_UNTIL(place, counts(place).waiting == 0);
		assert_int_equal(accepted(place, key, "firing"), sent);
		assert_int_equal(accepted(place, key, "resolved"), sent);
		close_outbox(place);
	}
	assert_int_equal(different(place, "firing"), 2);
	assert_int_equal(different(place, "resolved"), 2);
}

/* ---- faults ---- */

/* Fires and resolves whatever fails, as often as it takes. True when the receiver
 * heard of it once and in order, counting repeats under the same key as one. */
static bool told_in_spite_of(
	struct place *place, const char *key, enum fw_op op, uint64_t nth, int with, bool forever)
{
	struct episode episode = episode_of(key, START_MS);
	fw_fault_arm(op, nth, with, forever);
	for (int i = 0; i < 3 && write_fired(place, &episode) < 0; i++)
		if (i == 1)
			fw_fault_clear();
	for (int i = 0; i < 200 && accepted(place, key, "firing") == 0; i++) {
		outbox_wake(place->outbox);
		uv_run(&place->loop, UV_RUN_NOWAIT);
		usleep(500);
		if (i == 20)
			fw_fault_clear();
	}
	for (int i = 0; i < 3 && write_resolved(place, &episode) < 0; i++)
		fw_fault_clear();
	fw_fault_clear();
	for (int i = 0; i < 1000 && counts(place).waiting > 0; i++) {
		outbox_wake(place->outbox);
		uv_run(&place->loop, UV_RUN_NOWAIT);
		usleep(500);
	}
	return accepted(place, key, "firing") >= 1 && accepted(place, key, "resolved") >= 1 &&
		counts(place).waiting == 0;
}

static void test_every_fault_of_the_disk(void **arg)
{
	struct place *place = *arg;
	static const enum fw_op ops[] = {FW_OP_WRITE, FW_OP_FSYNC};
	static const int errors[] = {-EIO, -ENOSPC};
	size_t rounds = 0;
	open_outbox(place);
	for (size_t i = 0; i < 2; i++) {
		for (uint64_t nth = 1; nth <= 12; nth++) {
			for (int how = 0; how < 4; how++) {
				char key[32];
				snprintf(key, sizeof key, "fw1-%zu.", rounds++);
				assert_true(told_in_spite_of(
					place, key, ops[i], nth, errors[how & 1], how & 2));
			}
		}
	}
	/* Nothing was told twice, but for a repeat under the same key after a failed write. */
	assert_int_equal(different(place, "firing"), rounds);
	assert_int_equal(different(place, "resolved"), rounds);
}

/* The control: a disk that only pretends to write must make the test above fail. */
static void test_control_a_disk_that_pretends_is_noticed(void **arg)
{
	struct place *place = *arg;
	struct episode one = episode_of("fw1-1", START_MS);
	open_outbox(place);
	fw_fault_arm(FW_OP_WRITE, 1, 1, true);
	assert_int_equal(write_fired(place, &one), 0);
	kill_and_restart(place);
	fw_fault_clear();
	run_for(place, 50);
	assert_int_equal(accepted(place, "fw1-1", "firing"), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_an_open_and_its_close_are_told_once),
		CASE(test_a_failing_receiver_is_tried_again_under_the_same_key),
		CASE(test_a_pause_is_kept),
		CASE(test_what_is_refused_is_not_told_again),
		CASE(test_a_close_behind_an_open_that_is_refused),
		CASE(test_over_before_it_was_sent),
		CASE(test_rehearsal_sends_nothing),
		CASE(test_one_alert_that_hangs_holds_up_no_other),
		CASE(test_many_at_once),
		CASE(test_an_episode_never_begins_when_another_of_its_key_did),
		CASE(test_what_fires_is_there_after_a_restart),
		CASE(test_killed_before_during_and_after_a_try),
		CASE(test_every_fault_of_the_disk),
		CASE(test_control_a_disk_that_pretends_is_noticed),
	};
	fw_log_init("test_outbox", (enum fw_level)0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
