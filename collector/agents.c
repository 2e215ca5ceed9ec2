/* SPDX-License-Identifier: Apache-2.0 */
/* What is heard of agents, and the parts that it concerns: an enrolment that ends closes the
 * connection, a greeting is presence, a clone is an alert. */
#include "running.h"

#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>

#include "alert.h"
#include "enrol.h"
#include "ingest.h"
#include "inventory.h"
#include "patch.h"
#include "presence.h"
#include "retired.h"
#include "store.h"

#define CERT_MS (7LL * 86400000)
#define RENEW_GRACE_MS (90LL * 86400000)

/* ---- inventory ---- */

static void on_need_document(const uint8_t agent[16], const char *kind, void *arg)
{
	const struct collector *c = arg;
	if (c->ingest)
		ingest_need_document(c->ingest, agent, kind);
}

static void on_document_changed(uint32_t host, const char *kind, void *arg)
{
	const struct collector *c = arg;
	if (c->patch && strcmp(kind, "patches") == 0)
		patch_changed(c->patch, host);
}

int collector_open_inventory(struct collector *c, struct fw_err *err)
{
	const struct inventory_config config = {.state = c->state,
		.on_need = on_need_document,
		.on_changed = on_document_changed,
		.arg = c};
	return inventory_open(&c->inventory, &config, err);
}

/* ---- enrolment ---- */

static void on_revoked(const uint8_t agent[16], void *arg)
{
	const struct collector *c = arg;
	if (c->ingest)
		ingest_drop_agent(c->ingest, agent, "its certificate is revoked");
	if (c->store)
		store_disown(c->store, agent);
}

static void on_authority(void *arg)
{
	const struct collector *c = arg;
	if (c->ingest)
		ingest_renew(c->ingest);
}

int collector_open_enrol(struct collector *c, struct fw_err *err)
{
	const struct enrol_config config = {
		.dir = c->config->data,
		.state = c->state,
		.cert_ms = CERT_MS,
		.renew_grace_ms = RENEW_GRACE_MS,
		.on_revoked = on_revoked,
		.on_authority = on_authority,
		.arg = c,
	};
	return enrol_open(&c->enrol, &config, err);
}

/* ---- ingest ---- */

static void on_clone(const char *name, const char *machine_a, const char *machine_b, void *arg)
{
	const struct collector *c = arg;
	char text[256];
	snprintf(text, sizeof text,
		"one certificate is used on two machines, %.16s and %.16s: enrol the copy anew",
		machine_a, machine_b);
	fw_log(FW_WARNING, "%s: %s", name, text);
	if (c->alerts)
		alert_raise(c->alerts, "HostCloned", name, text);
}

static void on_claimed(const char *device, const char *claimant, const uint8_t owner[16], void *arg)
{
	const struct collector *c = arg;
	struct enrol_agent known;
	char text[256];
	bool is_known = enrol_find(c->enrol, owner, &known);
	snprintf(text, sizeof text,
		"%.60s sends values of '%.60s', for which %.60s speaks: they are refused", claimant,
		device, is_known ? known.name : "another agent");
	fw_log(FW_WARNING, "%s", text);
	if (c->alerts)
		alert_raise(c->alerts, "DeviceClaimedTwice", claimant, text);
}

/* Who was enrolled anew under its name is retired no longer. */
static void note_return(const struct collector *c, const uint8_t id[16])
{
	struct enrol_agent agent;
	struct fw_err err;
	if (!enrol_find(c->enrol, id, &agent) || agent.revoked_ms != 0 ||
		!retired_find(c->retired, agent.name))
		return;
	if (retired_end(c->retired, agent.name, "", fw_wall_ms(), &err) < 0)
		fw_log(FW_ERROR, "%s is still taken to be retired: %s", agent.name, err.text);
}

static void on_greeted(const struct ingest_greeting *greeting, void *arg)
{
	const struct collector *c = arg;
	if (c->presence)
		presence_note(c->presence, greeting);
	note_return(c, greeting->agent);
	inventory_greet(c->inventory, greeting->agent, greeting->host);
}

static void on_missed(const uint8_t agent[16], uint32_t host, void *arg)
{
	static const char text[] = "its spool was full: some of what it had measured is lost";
	const struct collector *c = arg;
	struct enrol_agent known;
	inventory_missed(c->inventory, agent, host);
	if (c->alerts && enrol_find(c->enrol, agent, &known))
		alert_raise(c->alerts, "SpoolDropping", known.name, text);
}

int collector_open_ingest(struct collector *c, struct fw_err *err)
{
	const struct ingest_config config = {
		.listen = c->config->agents.listen.text,
		.workers = (unsigned)c->config->agents.workers,
		.store = c->store,
		.enrol = c->enrol,
		.main_loop = &c->loop,
		.settings = c->config->settings.items,
		.n_settings = c->config->settings.count,
		.on_clone = on_clone,
		.on_claimed = on_claimed,
		.on_greeted = on_greeted,
		.on_missed = on_missed,
		.arg = c,
	};
	return ingest_open(&c->ingest, &config, err);
}
