/* SPDX-License-Identifier: Apache-2.0 */
/* A round: the series of all hosts are selected on the pool, then host after host
 * is looked at, its history read on the pool where something moved. One piece of
 * work is under way at a time; what it needs and what it found lie in `round`,
 * which is the pool's from queueing to its end.
 */
#include "outlook.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/array.h>
#include <fenwatch/clock.h>
#include <fenwatch/log.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#include "history.h"
#include "keep.h"
#include "state.h"
#include "told.h"

#define PACE_MS 500
#define ROUND_MS (3600 * (int64_t)1000)
#define REST_MS (6 * ROUND_MS)
#define REPEAT_MS (60 * (int64_t)1000)
#define DURABLE_MS 1000 /* what was written so long ago can be read */
#define LOOKS_AT_ONCE 64
#define MOVED 0.005 /* of the size */
#define DAY_MS (24 * (int64_t)3600 * 1000)

struct round {
	uv_work_t work;
	struct outlook *outlook;
	struct fw_arena arena; /* of the groups */
	struct store_group *groups;
	size_t n_groups, at;
	/* One host's reading. */
	const struct store_group *its;
	size_t n_its;
	struct fw_arena scratch;
	struct history history;
	struct forecast *forecasts; /* likely_ms 0: none */
	int64_t now_ms;
	int rc;
	struct fw_err err;
};

struct outlook {
	struct fw_owner owner;
	uv_timer_t timer;
	struct outlook_config config;
	struct host *hosts; /* by the store's id */
	size_t n_hosts;
	struct round round;
	bool busy, running;    /* the pool has the round; there is one */
	bool settled;          /* the first round after the start is over */
	int64_t next_round_ms; /* monotonic */
	void (*on_closed)(void *arg);
	void *closed_arg;
};

/* ---- hosts ---- */

static struct host *host_of(struct outlook *outlook, uint32_t id)
{
	outlook->hosts =
		fw_array_reach(outlook->hosts, &outlook->n_hosts, id, sizeof *outlook->hosts);
	return &outlook->hosts[id];
}

static void host_done(struct host *host)
{
	for (size_t i = 0; i < host->n_told; i++)
		fw_free(host->told[i].mountpoint);
	fw_free(host->told);
	*host = (struct host){0};
}

static struct told *find_told(
	const struct host *host, const char *mountpoint, enum resource resource)
{
	for (size_t i = 0; i < host->n_told; i++)
		if (host->told[i].resource == resource &&
			strcmp(host->told[i].mountpoint, mountpoint) == 0)
			return &host->told[i];
	return NULL;
}

static struct told *add_told(struct host *host, const char *mountpoint, enum resource resource)
{
	host->told = fw_realloc(host->told, (host->n_told + 1) * sizeof *host->told);
	struct told *told = &host->told[host->n_told++];
	*told = (struct told){.mountpoint = fw_strdup(mountpoint), .resource = resource};
	return told;
}

/* It is shown when the host's history has been looked at. */
static void on_kept(uint32_t id, const char *mountpoint, enum resource resource,
	const struct forecast *forecast, void *arg)
{
	struct outlook *outlook = arg;
	if (store_host_is_known(outlook->config.store, id))
		add_told(host_of(outlook, id), mountpoint, resource)->forecast = *forecast;
}

/* ---- what was found ---- */

static int take_forecast(struct outlook *outlook, uint32_t id, const struct usage *usage,
	const struct forecast *made, struct fw_err *err)
{
	struct host *host = host_of(outlook, id);
	struct told *told = find_told(host, usage->mountpoint, usage->resource);
	if (!told)
		told = add_told(host, usage->mountpoint, usage->resource);
	bool was_kept = told->forecast.likely_ms != 0;
	told->used = usage->used;
	forecast_renew(&told->forecast, made, usage->used, outlook->round.now_ms);
	told->known = told->forecast.likely_ms != 0;
	host->is_shown |= told->known;
	if (told->known && !told->shown) {
		told->shown = true;
		host->schema = 0;
	}
	if (!told->known && !was_kept)
		return 0;
	return keep_write(
		outlook->config.state, id, told->mountpoint, told->resource, &told->forecast, err);
}

/* What cannot be kept is told all the same. */
static void take_forecasts(struct outlook *outlook, uint32_t id)
{
	struct round *round = &outlook->round;
	struct state *state = outlook->config.state;
	struct fw_err err;
	int rc = state_begin(state, &err);
	for (size_t i = 0; i < round->history.n; i++) {
		int one = take_forecast(
			outlook, id, &round->history.usages[i], &round->forecasts[i], &err);
		rc = rc < 0 ? rc : one;
	}
	if (rc == 0)
		rc = state_commit(state, &err);
	if (rc < 0) {
		fw_log(FW_ERROR, "forecasts cannot be kept: %s", err.text);
		state_rollback(state);
	}
}

static void take_history(struct outlook *outlook)
{
	struct round *round = &outlook->round;
	uint32_t id = round->its[0].host;
	struct host *host = host_of(outlook, id);
	if (!store_host_is_known(outlook->config.store, id))
		return;
	host->read_ms = round->now_ms;
	host->written_ms = 0;
	take_forecasts(outlook, id);
}

/* ---- on the pool ---- */

static void on_select(uv_work_t *work)
{
	struct round *round = FW_CONTAINER(work, struct round, work);
	round->rc =
		history_select(round->outlook->config.store, round->now_ms - FORECAST_DAYS * DAY_MS,
			&round->arena, &round->groups, &round->n_groups, &round->err);
}

static void on_read(uv_work_t *work)
{
	struct round *round = FW_CONTAINER(work, struct round, work);
	round->rc = history_read(round->outlook->config.store, round->its, round->n_its,
		round->now_ms, &round->scratch, &round->history, &round->err);
	if (round->rc < 0)
		return;
	round->forecasts =
		fw_arena_alloc(&round->scratch, (round->history.n + 1) * sizeof *round->forecasts);
	for (size_t i = 0; i < round->history.n; i++) {
		const struct usage *usage = &round->history.usages[i];
		forecast_make(usage->samples, usage->n_samples, usage->size, round->now_ms,
			&round->forecasts[i]);
	}
}

static void queue(struct outlook *outlook, uv_work_cb work, uv_after_work_cb after)
{
	outlook->busy = true;
	fw_owner_hold(&outlook->owner);
	uv_queue_work(outlook->config.loop, &outlook->round.work, work, after);
}

static void end_round(struct outlook *outlook)
{
	struct round *round = &outlook->round;
	fw_arena_done(&round->arena);
	fw_arena_done(&round->scratch);
	*round = (struct round){.outlook = outlook};
	outlook->running = false;
	outlook->settled = true;
}

static void on_selected(uv_work_t *work, int status)
{
	struct round *round = FW_CONTAINER(work, struct round, work);
	struct outlook *outlook = round->outlook;
	(void)status;
	outlook->busy = false;
	if (round->rc < 0) {
		fw_log(FW_ERROR, "forecasts: series cannot be looked up: %s", round->err.text);
		end_round(outlook);
	}
	fw_owner_drop(&outlook->owner);
}

/* ---- a round ---- */

static bool has_moved(const struct host *host, const struct history *newest)
{
	for (size_t i = 0; i < newest->n; i++) {
		const struct usage *usage = &newest->usages[i];
		const struct told *told = find_told(host, usage->mountpoint, usage->resource);
		if (usage->at_ms != 0 &&
			(!told || fabs(usage->used - told->used) >= MOVED * usage->size))
			return true;
	}
	return false;
}

/* Whether the history of the host whose groups are `its` is worth a reading. */
static bool is_due(struct outlook *outlook, int64_t now_ms)
{
	struct round *round = &outlook->round;
	const struct host *host = host_of(outlook, round->its[0].host);
	struct history newest;
	if (host->read_ms == 0 || host->is_shown || llabs(now_ms - host->read_ms) >= REST_MS)
		return true;
	history_newest(outlook->config.store, round->its, round->n_its, &round->scratch, &newest);
	bool moved = has_moved(host, &newest);
	fw_arena_reset(&round->scratch);
	return moved;
}

/* The groups of the next host; false after the last. */
static bool next_host(struct round *round)
{
	if (round->at == round->n_groups)
		return false;
	round->its = &round->groups[round->at];
	round->n_its = 0;
	while (round->at < round->n_groups && round->groups[round->at].host == round->its[0].host) {
		round->at++;
		round->n_its++;
	}
	return true;
}

static void go_on(struct outlook *outlook);

static void on_read_done(uv_work_t *work, int status)
{
	struct round *round = FW_CONTAINER(work, struct round, work);
	struct outlook *outlook = round->outlook;
	(void)status;
	outlook->busy = false;
	if (round->rc < 0)
		fw_log(FW_ERROR, "forecasts: a host's history cannot be read: %s", round->err.text);
	else
		take_history(outlook);
	fw_arena_reset(&round->scratch);
	/* What was told before the start is told anew before anyone misses it. */
	if (!outlook->settled && !outlook->owner.closing)
		go_on(outlook);
	fw_owner_drop(&outlook->owner);
}

static void go_on(struct outlook *outlook)
{
	struct round *round = &outlook->round;
	round->now_ms = fw_wall_ms();
	for (int i = 0; i < LOOKS_AT_ONCE; i++) {
		if (!next_host(round)) {
			end_round(outlook);
			return;
		}
		if (is_due(outlook, round->now_ms)) {
			queue(outlook, on_read, on_read_done);
			return;
		}
	}
}

static void begin_round(struct outlook *outlook, int64_t mono_ms)
{
	outlook->running = true;
	outlook->next_round_ms = mono_ms + ROUND_MS;
	outlook->round.now_ms = fw_wall_ms();
	queue(outlook, on_select, on_selected);
}

/* ---- writing ---- */

static void look_at(struct outlook *outlook, uint32_t id, int64_t now_ms)
{
	struct host *host = &outlook->hosts[id];
	int64_t age_ms = llabs(now_ms - host->written_ms);
	if (host->is_new && age_ms >= DURABLE_MS) {
		host->is_new = false;
		if (outlook->config.on_new_series)
			outlook->config.on_new_series(id, outlook->config.arg);
	}
	if (!host->is_shown || age_ms < REPEAT_MS)
		return;
	if (host->schema == 0 && told_intern(outlook->config.store, host) < 0)
		return;
	told_write(outlook->config.store, id, host, now_ms);
}

static void on_tick(uv_timer_t *timer)
{
	struct outlook *outlook = FW_CONTAINER(timer, struct outlook, timer);
	int64_t mono_ms = fw_mono_ms(), now_ms = fw_wall_ms();
	for (size_t id = 0; id < outlook->n_hosts; id++)
		look_at(outlook, (uint32_t)id, now_ms);
	if (outlook->busy)
		return;
	if (outlook->running)
		go_on(outlook);
	else if (mono_ms >= outlook->next_round_ms)
		begin_round(outlook, mono_ms);
}

/* ---- life ---- */

static void outlook_free(struct outlook *outlook)
{
	for (size_t i = 0; i < outlook->n_hosts; i++)
		host_done(&outlook->hosts[i]);
	fw_free(outlook->hosts);
	fw_free(outlook);
}

static void on_owner_done(struct fw_owner *owner)
{
	struct outlook *outlook = FW_CONTAINER(owner, struct outlook, owner);
	void (*on_closed)(void *) = outlook->on_closed;
	void *arg = outlook->closed_arg;
	end_round(outlook);
	outlook_free(outlook);
	if (on_closed)
		on_closed(arg);
}

int outlook_open(struct outlook **out, const struct outlook_config *config, struct fw_err *err)
{
	struct outlook *outlook = fw_alloc(sizeof *outlook);
	outlook->config = *config;
	outlook->round.outlook = outlook;
	int rc = keep_open(config->state, err);
	if (rc == 0)
		rc = keep_each(config->state, on_kept, outlook, err);
	if (rc < 0) {
		outlook_free(outlook);
		return rc;
	}
	uv_timer_init(config->loop, &outlook->timer);
	fw_owner_init(&outlook->owner, on_owner_done);
	fw_owner_adopt(&outlook->owner, &outlook->timer);
	uv_timer_start(&outlook->timer, on_tick, PACE_MS, PACE_MS);
	*out = outlook;
	return 0;
}

int outlook_forget(struct outlook *outlook, uint32_t host, struct fw_err *err)
{
	int rc = keep_forget(outlook->config.state, host, err);
	if (rc == 0 && host < outlook->n_hosts)
		host_done(&outlook->hosts[host]);
	return rc;
}

void outlook_close(struct outlook *outlook, void (*on_closed)(void *arg), void *arg)
{
	outlook->on_closed = on_closed;
	outlook->closed_arg = arg;
	fw_owner_close(&outlook->owner);
}
