/* SPDX-License-Identifier: Apache-2.0 */
/* The API, what an administrator does to hosts and snapshots through it, and the collector's
 * own health. */
#include "running.h"

#include "api.h"
#include "evaluation.h"
#include "forget.h"
#include "health.h"
#include "retire.h"
#include "snapshots.h"

/* ---- hosts that end ---- */

static int on_forget(const char *name, struct fw_err *err, void *arg)
{
	const struct collector *c = arg;
	const struct forget parts = {
		.enrol = c->enrol,
		.store = c->store,
		.alerts = c->alerts,
		.inventory = c->inventory,
		.events = c->events,
		.presence = c->presence,
		.outlook = c->outlook,
		.patch = c->patch,
		.retired = c->retired,
	};
	return forget_host(&parts, name, err);
}

static struct retire retire_parts(const struct collector *c)
{
	return (struct retire){
		.enrol = c->enrol,
		.store = c->store,
		.alerts = c->alerts,
		.retired = c->retired,
	};
}

static int on_retire(const struct retirement *wanted, struct fw_err *err, void *arg)
{
	const struct retire parts = retire_parts(arg);
	return retire_host(&parts, wanted, err);
}

static int on_return(
	const char *name, const char *who, int64_t now_ms, struct fw_err *err, void *arg)
{
	const struct retire parts = retire_parts(arg);
	return retire_undo(&parts, name, who, now_ms, err);
}

int collector_finish_retiring(struct collector *c, struct fw_err *err)
{
	const struct retire parts = retire_parts(c);
	return retire_finish(&parts, err);
}

/* ---- snapshots ---- */

static int on_snapshot(const char *name, struct fw_err *err, void *arg)
{
	const struct collector *c = arg;
	return snapshots_begin(c->snapshots, name, err);
}

static void on_snapshot_look(struct api_snapshot *out, void *arg)
{
	const struct collector *c = arg;
	snapshots_look(c->snapshots, out);
}

/* ---- opening ---- */

int collector_open_health(struct collector *c, struct fw_err *err)
{
	const struct health_config config = {
		.store = c->store,
		.remote = c->remote,
		.schedule = evaluation_schedule(c->evaluation),
		.enrol = c->enrol,
		.alerts = c->alerts,
	};
	(void)err;
	c->health = health_new(&config);
	return 0;
}

int collector_open_api(struct collector *c, struct fw_err *err)
{
	const struct api_config config = {
		.loop = &c->loop,
		.listen = c->config->api.listen.text,
		.auth = c->config->api.auth,
		.tls_cert = c->config->api.tls.cert,
		.tls_key = c->config->api.tls.key,
		.cors = c->config->api.cors,
		.query = c->config->query,
		.store = c->store,
		.dir = c->config->data,
		.tickets = c->tickets,
		.enrol = c->enrol,
		.alerts = c->alerts,
		.ingest = c->ingest,
		.inventory = c->inventory,
		.patch = c->patch,
		.registry = c->config->registry,
		.remote = c->remote,
		.schedule = evaluation_schedule(c->evaluation),
		.evaluation_ms = c->config->evaluation_ms,
		.external_labels = &c->config->external_labels,
		.senders = c->senders,
		.retired = c->retired,
		.on_forget = on_forget,
		.on_retire = on_retire,
		.on_return = on_return,
		.on_snapshot = on_snapshot,
		.on_snapshot_look = on_snapshot_look,
		.arg = c,
	};
	return api_open(&c->api, &config, err);
}
