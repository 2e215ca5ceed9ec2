/* SPDX-License-Identifier: Apache-2.0 */
#include "collector.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/conn.h>
#include <fenwatch/file.h>
#include <fenwatch/log.h>
#include <fenwatch/notify.h>

#include "alert.h"
#include "api.h"
#include "enrol.h"
#include "evaluation.h"
#include "events.h"
#include "health.h"
#include "ingest.h"
#include "inventory.h"
#include "outlook.h"
#include "patch.h"
#include "presence.h"
#include "records.h"
#include "remote.h"
#include "retired.h"
#include "running.h"
#include "send.h"
#include "snapshots.h"
#include "state.h"
#include "store.h"
#include "tickets.h"

#define HOUSEKEEPING_MS 60000

/* ---- opening ---- */

static int take_lock(struct collector *c, struct fw_err *err)
{
	char path[4096];
	int rc = fw_mkdir_all(c->config->data, 0700);
	if (rc < 0)
		return fw_fail_sys(err, rc, "cannot make the folder '%s'", c->config->data);
	rc = fw_become_owner(c->config->data, err);
	if (rc < 0)
		return rc;
	snprintf(path, sizeof path, "%s/lock", c->config->data);
	c->lock = fw_file_lock(path, err);
	return c->lock < 0 ? c->lock : 0;
}

static int open_state(struct collector *c, struct fw_err *err)
{
	return state_open(&c->state, c->config->data, err);
}

static int open_events(struct collector *c, struct fw_err *err)
{
	const struct events_config config = {.loop = &c->loop, .state = c->state};
	return events_open(&c->events, &config, err);
}

static int open_records(struct collector *c, struct fw_err *err)
{
	return records_open(&c->records, &c->loop, c->state, c->inventory, c->events, err);
}

static int open_retired(struct collector *c, struct fw_err *err)
{
	return retired_open(&c->retired, c->state, err);
}

static int open_senders(struct collector *c, struct fw_err *err)
{
	return senders_open(
		&c->senders, &c->loop, c->store, c->state, &c->config->remote_write, err);
}

static int open_snapshots(struct collector *c, struct fw_err *err)
{
	return snapshots_open(&c->snapshots, c->config->data, c->store, err);
}

/* Each may use what stands above it. */
static int (*const opening[])(struct collector *c, struct fw_err *err) = {
	take_lock,
	open_state,
	collector_open_inventory,
	open_events,
	open_records,
	collector_open_store,
	collector_open_enrol,
	open_retired,
	collector_open_alerts,
	collector_finish_retiring,
	collector_open_ingest,
	collector_open_presence,
	collector_open_patch,
	collector_open_outlook,
	collector_open_tickets,
	open_senders,
	open_snapshots,
	collector_open_rules,
	collector_open_health,
	collector_open_api,
};

static int open_all(struct collector *c, struct fw_err *err)
{
	int rc = 0;
	for (size_t i = 0; i < sizeof opening / sizeof *opening && rc == 0; i++)
		rc = opening[i](c, err);
	return rc;
}

/* ---- closing ---- */

static void close_next(void *arg);

/* Who asks the store and the parts. True: one of them is closing, and close_next() follows. */
static bool close_asking(struct collector *c)
{
	if (c->api) {
		struct api *api = c->api;
		c->api = NULL;
		api_close(api, close_next, c);
		return true;
	}
	if (c->evaluation) {
		struct evaluation *evaluation = c->evaluation;
		c->evaluation = NULL;
		evaluation_close(evaluation, close_next, c);
		return true;
	}
	if (c->snapshots)
		snapshots_close(c->snapshots);
	c->snapshots = NULL;
	if (c->senders) {
		struct senders *senders = c->senders;
		c->senders = NULL;
		senders_close(senders, close_next, c);
		return true;
	}
	return false;
}

/* Who writes to the store. */
static bool close_writing(struct collector *c)
{
	if (c->ingest) {
		struct ingest *ingest = c->ingest;
		c->ingest = NULL;
		ingest_close(ingest, close_next, c);
	} else if (c->outlook) {
		struct outlook *outlook = c->outlook;
		c->outlook = NULL;
		outlook_close(outlook, close_next, c);
	} else if (c->presence) {
		struct presence *presence = c->presence;
		c->presence = NULL;
		presence_close(presence, close_next, c);
	} else if (c->patch) {
		struct patch *patch = c->patch;
		c->patch = NULL;
		patch_close(patch, close_next, c);
	} else {
		return false;
	}
	return true;
}

/* Who tells people. */
static bool close_telling(struct collector *c)
{
	if (c->tickets) {
		struct tickets *tickets = c->tickets;
		c->tickets = NULL;
		tickets_close(tickets, close_next, c);
	} else if (c->alerts) {
		struct alerts *alerts = c->alerts;
		events_tell(c->events, NULL, "", NULL);
		c->alerts = NULL;
		alert_close(alerts, close_next, c);
	} else {
		return false;
	}
	return true;
}

/* What the store still hands over is filed; it is not released any more, so it comes once
 * again at the next start, and is known then. */
static void close_store(struct collector *c)
{
	if (c->records)
		records_set_store(c->records, NULL);
	remote_free(c->remote);
	c->remote = NULL;
	if (c->store)
		store_close(c->store);
	c->store = NULL;
	records_close(c->records);
	c->records = NULL;
	events_close(c->events);
	c->events = NULL;
}

/* One after the other, each when the one before has ended. */
static void close_next(void *arg)
{
	struct collector *c = arg;
	if (close_asking(c) || close_writing(c) || close_telling(c))
		return;
	close_store(c);
	fw_owner_close(&c->owner);
}

static void stop(struct collector *c)
{
	if (c->stopping)
		return;
	c->stopping = true;
	health_free(c->health);
	c->health = NULL;
	close_next(c);
}

/* What has no handle on the loop goes when the loop has ended. */
static void close_rest(struct collector *c)
{
	inventory_close(c->inventory);
	retired_close(c->retired);
	enrol_close(c->enrol);
	state_close(c->state);
	if (c->lock >= 0)
		fw_close(c->lock);
	collector_drop_reloaded(c);
	int left = uv_loop_close(&c->loop);
	assert(left == 0);
}

/* ---- the loop ---- */

static void on_signal(uv_signal_t *handle, int number)
{
	struct collector *c = handle->loop->data;
	if (c->stopping)
		return;
	if (number == SIGHUP) {
		collector_reload(c);
		return;
	}
	fw_log(FW_NOTICE, "stopping");
	fw_notify("STOPPING=1");
	stop(c);
}

static void on_watchdog(uv_timer_t *timer)
{
	(void)timer;
	fw_notify("WATCHDOG=1");
}

static void look_at_health(struct collector *c)
{
	const struct api_certificate *shown = api_certificate(c->api);
	health_look(c->health, shown ? api_certificate_until_ms(shown) : 0, fw_wall_ms());
}

static void on_housekeeping(uv_timer_t *timer)
{
	struct collector *c = FW_CONTAINER(timer, struct collector, housekeeping);
	struct fw_err err;
	if (c->inventory && inventory_prune(c->inventory, fw_wall_ms(), &err) < 0)
		fw_log(FW_ERROR, "inventory: what is too old cannot go: %s", err.text);
	if (c->events && events_prune(c->events, &err) < 0)
		fw_log(FW_ERROR, "events: what is too old cannot go: %s", err.text);
	if (c->health)
		look_at_health(c);
}

static void on_owner_done(struct fw_owner *owner)
{
	(void)owner;
}

static void open_loop(struct collector *c)
{
	int rc = uv_loop_init(&c->loop);
	assert(rc == 0);
	c->loop.data = c;
	fw_owner_init(&c->owner, on_owner_done);
	uv_async_init(&c->loop, &c->news.async, collector_on_news);
	fw_owner_adopt(&c->owner, &c->news.async);
	uv_timer_init(&c->loop, &c->watchdog);
	fw_owner_adopt(&c->owner, &c->watchdog);
	uv_timer_init(&c->loop, &c->housekeeping);
	fw_owner_adopt(&c->owner, &c->housekeeping);
	uv_timer_start(&c->housekeeping, on_housekeeping, HOUSEKEEPING_MS, HOUSEKEEPING_MS);
	uv_signal_t *const signals[] = {&c->terminate, &c->interrupt, &c->hangup};
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
	for (size_t i = 0; i < 3; i++) {
		uv_signal_init(&c->loop, signals[i]);
		fw_owner_adopt(&c->owner, signals[i]);
		uv_signal_start(signals[i], on_signal, numbers[i]);
	}
}

/* ---- running ---- */

static void say_ready(struct collector *c)
{
	char host[254];
	unsigned port;
	int64_t watchdog_ms = fw_notify_watchdog_ms();
	api_set_ready(c->api, 1);
	if (watchdog_ms > 0)
		uv_timer_start(
			&c->watchdog, on_watchdog, (uint64_t)watchdog_ms, (uint64_t)watchdog_ms);
	fw_notify("READY=1\nSTATUS=");
	fw_split_host_port(c->config->agents.listen.text, host, sizeof host, &port);
	const char *bracket = strchr(host, ':') ? "[" : "", *end = *bracket ? "]" : "";
	fw_log(FW_NOTICE,
		"version " FW_VERSION " is ready: agents on %s%s%s:%u, API on http%s port %u",
		bracket, host, end, ingest_port(c->ingest), c->config->api.tls.cert ? "s" : "",
		api_port(c->api));
}

int collector_run(struct config *config, const char *path)
{
	struct collector c = {.config = config, .path = path, .lock = -1};
	struct fw_err err;
	signal(SIGPIPE, SIG_IGN);
	collector_tell_doubts(config);
	open_loop(&c);
	int rc = open_all(&c, &err);
	if (rc == 0) {
		collector_tell_gone(&c, config);
		say_ready(&c);
	} else {
		fw_log(FW_ERROR, "cannot start: %s", err.text);
		stop(&c);
	}
	uv_run(&c.loop, UV_RUN_DEFAULT);
	close_rest(&c);
	if (rc == 0)
		fw_log(FW_NOTICE, "stopped");
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
