/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fenwatch/fault.h>
#include <fenwatch/mem.h>

/* ---- the place ---- */

static const char *path_in(const char *dir, const char *name)
{
	static char path[128];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static const char *const files[] = {"state.db", "state.db-wal", "state.db-shm", "state.reserve"};
#define FILES (sizeof files / sizeof *files)

void open_state(struct place *place)
{
	struct fw_err err;
	if (state_open(&place->state, place->dir, &err) < 0 || book_open(place->state, &err) < 0 ||
		pauses_open(&place->pauses, place->state, &err) < 0)
		fail_msg("%s", err.text);
}

void close_state(struct place *place)
{
	pauses_close(place->pauses);
	state_close(place->state);
}

void open_outbox(struct place *place)
{
	struct outbox_config config = {
		.loop = &place->loop,
		.state = place->state,
		.options = &place->options,
		.external_url = "http://collector:7480",
		.pauses = place->pauses,
		.astray_ms = place->astray_ms,
	};
	assert_int_equal(outbox_open(&place->outbox, &config, NULL), 0);
}

static void on_closed(void *arg)
{
	((struct place *)arg)->outbox = NULL;
}

void close_outbox(struct place *place)
{
	if (place->outbox)
		outbox_close(place->outbox, on_closed, place);
	while (place->outbox)
		uv_run(&place->loop, UV_RUN_ONCE);
}

static struct feed webhook(void)
{
	const struct feed *const *feed = feeds;
	while (strcmp((*feed)->name, "webhook") != 0)
		feed++;
	return **feed;
}

int set_up(void **arg)
{
	struct place *place = fw_alloc(sizeof *place);
	snprintf(place->dir, sizeof place->dir, "/tmp/fenwatch-outbox-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	uv_loop_init(&place->loop);
	receiver_open(&place->receiver, &place->loop);
	snprintf(place->url, sizeof place->url, "http://127.0.0.1:%u/hook", place->receiver.port);
	place->type = webhook();
	place->config = fw_alloc(place->type.config_size);
	*(const char **)((char *)place->config + place->type.options[0].offset) = place->url;
	place->feed = (struct alert_feed_option){.name = "desk",
		.type = "webhook",
		.live = true,
		.feed = &place->type,
		.config = place->config};
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

int tear_down(void **arg)
{
	struct place *place = *arg;
	fw_fault_clear();
	close_outbox(place);
	receiver_close(&place->receiver);
	uv_run(&place->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&place->loop), 0);
	close_state(place);
	remove_files(place->dir);
	assert_int_equal(rmdir(place->dir), 0);
	receiver_forget(&place->receiver);
	fw_free(place->config);
	fw_free(place);
	return 0;
}

/* ---- episodes ---- */

struct episode episode_of(const char *key, int64_t starts_ms)
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

int write_fired(struct place *place, struct episode *episode)
{
	int rc = state_begin(place->state, NULL);
	if (rc < 0)
		return rc;
	rc = book_fired(place->state, episode, NULL);
	if (rc == 0)
		rc = book_tell(place->state, &place->options, episode, NULL,
			episode->life.starts_ms, NULL);
	return state_finish(place->state, rc, NULL);
}

int write_resolved(struct place *place, struct episode *episode)
{
	episode->life.ends_ms = episode->life.starts_ms + 1000;
	int rc = state_begin(place->state, NULL);
	if (rc < 0)
		return rc;
	rc = book_resolved(place->state, &place->options, episode, NULL);
	return state_finish(place->state, rc, NULL);
}

struct episode fire(struct place *place, const char *key)
{
	struct episode episode = episode_of(key, START_MS);
	assert_int_equal(write_fired(place, &episode), 0);
	if (place->outbox)
		outbox_wake(place->outbox);
	return episode;
}

void resolve(struct place *place, struct episode *episode)
{
	assert_int_equal(write_resolved(place, episode), 0);
	if (place->outbox)
		outbox_wake(place->outbox);
}

struct book_counts counts(struct place *place)
{
	struct book_counts counts;
	assert_int_equal(book_count(place->state, "desk", &counts, NULL), 0);
	return counts;
}

size_t accepted(const struct place *place, const char *key, const char *status)
{
	size_t n = 0, length = strlen(key);
	for (size_t i = 0; i < place->receiver.n_got; i++) {
		const struct received *got = &place->receiver.got[i];
		n += got->answered / 100 == 2 && strncmp(got->idempotency, key, length) == 0 &&
			strcmp(strrchr(got->idempotency, '/') + 1, status) == 0;
	}
	return n;
}

void run_for(struct place *place, int64_t ms)
{
	int64_t end_ms = fw_mono_ms() + ms;
	while (fw_mono_ms() < end_ms) {
		uv_run(&place->loop, UV_RUN_NOWAIT);
		usleep(1000);
	}
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

void kill_and_restart(struct place *place)
{
	char dir[64] = "/tmp/fenwatch-outbox-XXXXXX";
	assert_non_null(mkdtemp(dir));
	copy_files(place->dir, dir);
	close_outbox(place);
	close_state(place);
	remove_files(place->dir);
	assert_int_equal(rmdir(place->dir), 0);
	snprintf(place->dir, sizeof place->dir, "%s", dir);
	open_state(place);
	open_outbox(place);
}

size_t different(const struct place *place, const char *status)
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
