/* SPDX-License-Identifier: Apache-2.0 */
#include "send.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>
#include <fenwatch/loop.h>
#include <fenwatch/text.h>

#include "bodies.h"
#include "choice.h"
#include "encode.h"
#include "follow.h"
#include "post.h"
#include "state.h"

#define SAMPLES_A_REQUEST 2000
#define SAMPLES_MOST 10000
#define GATHER_MS 1000 /* how long a request waits to be full */
#define LOOK_EVERY_MS 100
#define PAUSE_LEAST_MS 500
#define PAUSE_MOST_MS 30000
#define SAVE_EVERY_MS 1000
#define TELL_EVERY_MS 60000

struct sender {
	const struct send_receiver *receiver;
	struct store *store;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	atomic_bool stopping;
	_Atomic uint64_t position; /* up to which all is answered */
	uint64_t saved;            /* the main thread's */
	_Atomic uint64_t samples, requests, retries, dropped, gaps;
	/* ---- the thread's ---- */
	struct store_follower *follower;
	struct encoder encoder;
	struct fw_buf plain, body;
	struct choice choice;
	struct post post;
	bool cut; /* some of what was followed last has not been answered */
	int64_t told_ms;
};

struct senders {
	struct fw_owner owner;
	uv_timer_t timer;
	struct state *state;
	struct sender *all;
	size_t n;
	void (*on_closed)(void *arg);
	void *arg;
};

/* ---- requests ---- */

static void pause_for(struct sender *s, int64_t ms)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&s->lock);
	while (!s->stopping && pthread_cond_timedwait(&s->wake, &s->lock, &until) == 0)
		;
	pthread_mutex_unlock(&s->lock);
}

static void tell(struct sender *s, const char *what, const char *why)
{
	int64_t now_ms = fw_mono_ms();
	char text[300];
	if (s->told_ms && now_ms - s->told_ms < TELL_EVERY_MS)
		return;
	s->told_ms = now_ms;
	fw_log(FW_WARNING, "remote_write to '%s': %s%s%s", s->receiver->name, what,
		*why ? ": " : "", fw_escape(why, text, sizeof text));
}

static int64_t lesser(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Until it is answered for good. False: stopping. */
static bool deliver(struct sender *s)
{
	for (int64_t pause_ms = PAUSE_LEAST_MS; !s->stopping;) {
		enum post_outcome outcome = post_body(&s->post, &s->body);
		s->requests++;
		if (outcome == POST_TAKEN) {
			s->samples += s->encoder.n_samples;
			return true;
		}
		if (outcome == POST_REFUSED) {
			s->dropped += s->encoder.n_samples;
			tell(s, "samples were refused and are dropped", s->post.why);
			return true;
		}
		if (s->stopping)
			return false;
		s->retries++;
		tell(s, "no luck, and it is tried again", s->post.why);
		pause_for(s, s->post.wait_ms ? lesser(s->post.wait_ms, PAUSE_MOST_MS) : pause_ms);
		pause_ms = lesser(2 * pause_ms, PAUSE_MOST_MS);
	}
	return false;
}

/* What has been gathered goes out. */
static void ship(struct sender *s)
{
	if (s->encoder.n_samples > 0) {
		encode_end(&s->encoder, &s->plain);
		body_pack((enum body_packing)s->receiver->compression, &s->plain, &s->body);
		s->cut |= !deliver(s);
	}
	encode_begin(&s->encoder, s->receiver->protocol == 2);
}

/* ---- the thread ---- */

/* A record may be as large as what somebody sent: its requests are not. */
static void on_sweeps(const struct store_followed *sweeps, void *arg)
{
	struct sender *s = arg;
	for (size_t c = 0; c < sweeps->schema->n_columns && !s->cut; c++) {
		encode_column(&s->encoder, sweeps, c);
		if (s->encoder.n_samples >= SAMPLES_MOST)
			ship(s);
	}
}

/* Fills a request, or returns with what there is after a while. */
static void gather(struct sender *s)
{
	int64_t since_ms = 0;
	while (!s->stopping && s->encoder.n_samples < SAMPLES_A_REQUEST) {
		int rc = store_follow_next(s->follower, on_sweeps, s);
		if (rc == 1)
			continue;
		if (rc == -ENODATA) {
			s->gaps++;
			tell(s, "the log has gone past it: some samples will never be sent", "");
			continue;
		}
		int64_t now_ms = fw_mono_ms();
		if (since_ms == 0)
			since_ms = now_ms;
		if (now_ms - since_ms >= GATHER_MS)
			return;
		pause_for(s, LOOK_EVERY_MS);
	}
}

static void *on_thread(void *arg)
{
	struct sender *s = arg;
	s->follower = store_follow(s->store, s->position);
	encode_begin(&s->encoder, s->receiver->protocol == 2);
	while (!s->stopping) {
		gather(s);
		ship(s);
		if (!s->cut)
			s->position = store_follow_position(s->follower);
	}
	store_unfollow(s->follower);
	return NULL;
}

/* ---- where each is, in the state ---- */

static const char *const steps[] = {
	"CREATE TABLE remote_write (name TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT",
};

static int save(struct senders *senders, struct sender *s, struct fw_err *err)
{
	uint64_t position = s->position;
	if (position == s->saved)
		return 0;
	int rc = state_run(senders->state, err,
		"INSERT INTO remote_write (name, position) VALUES (?, ?)"
		" ON CONFLICT (name) DO UPDATE SET position = excluded.position",
		"ti", s->receiver->name, (int64_t)position);
	if (rc >= 0)
		s->saved = position;
	return rc;
}

/* One that is new begins with what comes from now on, and so does one of another store. */
static int load(struct senders *senders, struct sender *s, struct fw_err *err)
{
	sqlite3_stmt *row;
	uint64_t end = store_durable_position(s->store);
	int rc = state_query(senders->state, &row, err,
		"SELECT position FROM remote_write WHERE name = ?", "t", s->receiver->name);
	if (rc < 0)
		return rc;
	rc = state_step(senders->state, row, err);
	uint64_t known = rc > 0 ? (uint64_t)sqlite3_column_int64(row, 0) : end;
	state_done(row);
	s->position = known < end ? known : end;
	return rc < 0 ? rc : save(senders, s, err);
}

static void on_timer(uv_timer_t *timer)
{
	struct senders *senders = FW_CONTAINER(timer, struct senders, timer);
	struct fw_err err;
	for (size_t i = 0; i < senders->n; i++)
		if (save(senders, &senders->all[i], &err) < 0)
			fw_log(FW_WARNING, "remote_write: %s", err.text);
}

/* ---- life ---- */

static void end_thread(struct sender *s)
{
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

static void free_sender(struct sender *s)
{
	post_close(&s->post);
	choice_done(&s->choice);
	encoder_done(&s->encoder);
	fw_buf_done(&s->plain);
	fw_buf_done(&s->body);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->wake);
}

static int open_sender(struct senders *senders, struct sender *s, struct fw_err *err)
{
	const struct fw_text_list *match = &s->receiver->match;
	int rc = post_open(&s->post, s->receiver, &s->stopping, err);
	if (rc >= 0)
		rc = choice_init(&s->choice, match, err);
	if (rc < 0)
		return fw_fail_in(err, rc, "remote_write to '%s'", s->receiver->name);
	s->encoder.takes = match->count > 0 ? choice_takes : NULL;
	s->encoder.arg = &s->choice;
	rc = load(senders, s, err);
	if (rc >= 0) {
		rc = -pthread_create(&s->thread, NULL, on_thread, s);
		s->has_thread = rc == 0;
	}
	return rc;
}

static void init_sender(struct sender *s, struct store *store, const struct send_receiver *receiver)
{
	pthread_condattr_t monotonic;
	s->receiver = receiver;
	s->store = store;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

static void on_owner_done(struct fw_owner *owner)
{
	struct senders *senders = (struct senders *)owner;
	void (*on_closed)(void *arg) = senders->on_closed;
	void *arg = senders->arg;
	for (size_t i = 0; i < senders->n; i++)
		free_sender(&senders->all[i]);
	fw_free(senders->all);
	fw_free(senders);
	if (on_closed)
		on_closed(arg);
}

int senders_open(struct senders **out, uv_loop_t *loop, struct store *store, struct state *state,
	const struct send_options *options, struct fw_err *err)
{
	struct senders *senders = fw_alloc(sizeof *senders);
	senders->state = state;
	senders->n = options->n_receivers;
	senders->all = fw_alloc_array(senders->n + 1, sizeof *senders->all);
	fw_owner_init(&senders->owner, on_owner_done);
	uv_timer_init(loop, &senders->timer);
	fw_owner_adopt(&senders->owner, &senders->timer);
	for (size_t i = 0; i < senders->n; i++) {
		init_sender(&senders->all[i], store, &options->receivers[i]);
		senders->all[i].encoder.external = options->external;
		senders->all[i].encoder.n_external = options->n_external;
	}
	int rc = state_migrate(state, "remote_write", steps, 1, err);
	for (size_t i = 0; i < senders->n && rc >= 0; i++)
		rc = open_sender(senders, &senders->all[i], err);
	*out = senders;
	if (rc >= 0)
		uv_timer_start(&senders->timer, on_timer, SAVE_EVERY_MS, SAVE_EVERY_MS);
	return rc;
}

void senders_close(struct senders *senders, void (*on_closed)(void *arg), void *arg)
{
	senders->on_closed = on_closed;
	senders->arg = arg;
	for (size_t i = 0; i < senders->n; i++)
		end_thread(&senders->all[i]);
	for (size_t i = 0; i < senders->n; i++)
		if (senders->all[i].has_thread)
			pthread_join(senders->all[i].thread, NULL);
	on_timer(&senders->timer);
	fw_owner_close(&senders->owner);
}

bool senders_stat(struct senders *senders, size_t i, struct send_stat *out)
{
	if (!senders || i >= senders->n)
		return false;
	struct sender *s = &senders->all[i];
	uint64_t end = store_durable_position(s->store), position = s->position;
	*out = (struct send_stat){
		.name = s->receiver->name,
		.samples = s->samples,
		.requests = s->requests,
		.retries = s->retries,
		.dropped = s->dropped,
		.gaps = s->gaps,
		.behind_bytes = end > position ? end - position : 0,
	};
	return true;
}
