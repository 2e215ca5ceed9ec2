/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts, and the parts that watch and have them raised: who is there, patches, forecasts,
 * tickets and rule files. */
#include "running.h"

#include <stdio.h>

#include <fenwatch/clock.h>

#include "alert.h"
#include "checkup.h"
#include "enrol.h"
#include "evaluation.h"
#include "events.h"
#include "feed.h"
#include "outlook.h"
#include "patch.h"
#include "presence.h"
#include "retired.h"
#include "store.h"
#include "tickets.h"

/* ---- alerts ---- */

static bool is_expected(const uint8_t agent[16], void *arg)
{
	const struct collector *c = arg;
	return !enrol_is_revoked(c->enrol, agent);
}

static const char *on_detail(const char *rule, const char *instance, void *arg)
{
	const struct collector *c = arg;
	return c->patch ? patch_detail(c->patch, rule, instance) : "";
}

static const char *on_checkup(void *arg)
{
	const struct collector *c = arg;
	struct store_stat stat;
	store_stat(c->store, &stat);
	const char *trouble = checkup_store(stat.hosts, fw_mono_ms() - c->news.committed_ms);
	if (trouble || !c->evaluation)
		return trouble;
	return evaluation_trouble(c->evaluation, fw_wall_ms());
}

int collector_open_alerts(struct collector *c, struct fw_err *err)
{
	const struct alert_config config = {
		.loop = &c->loop,
		.store = c->store,
		.state = c->state,
		.estate = enrol_estate(c->enrol),
		.external_url = c->config->api.external_url,
		.options = &c->config->alerts,
		.is_expected = is_expected,
		.retired = c->retired,
		.on_detail = on_detail,
		.on_checkup = on_checkup,
		.arg = c,
	};
	int rc = alert_open(&c->alerts, &config, err);
	if (rc == 0)
		events_tell(c->events, &c->config->event_rules, config.estate, c->alerts);
	return rc;
}

/* ---- who is there ---- */

static bool is_waited_for(const struct store_host *host, void *arg)
{
	const struct collector *c = arg;
	const char *name = fw_label_value(host->labels, host->n_labels, "instance");
	return is_expected(host->agent, arg) && !retired_find(c->retired, name);
}

int collector_open_presence(struct collector *c, struct fw_err *err)
{
	const struct presence_config config = {
		.loop = &c->loop,
		.store = c->store,
		.state = c->state,
		.absence = &c->config->alerts.absence,
		.registry = c->config->registry,
		.is_expected = is_waited_for,
		.arg = c,
	};
	return presence_open(&c->presence, &config, err);
}

/* ---- patches and forecasts: series of the collector's own, which built-in rules ask ---- */

static void on_new_series(uint32_t host, void *arg)
{
	const struct collector *c = arg;
	if (c->alerts)
		alert_look_again(c->alerts, host);
}

int collector_open_patch(struct collector *c, struct fw_err *err)
{
	const struct patch_config config = {
		.loop = &c->loop,
		.dir = c->config->data,
		.state = c->state,
		.inventory = c->inventory,
		.store = c->store,
		.options = &c->config->patches,
		.on_series = on_new_series,
		.arg = c,
	};
	return patch_open(&c->patch, &config, err);
}

int collector_open_outlook(struct collector *c, struct fw_err *err)
{
	const struct outlook_config config = {
		.loop = &c->loop,
		.state = c->state,
		.store = c->store,
		.on_new_series = on_new_series,
		.arg = c,
	};
	return outlook_open(&c->outlook, &config, err);
}

/* ---- tickets ---- */

/* Of a ticket that is no host's: whose it is, for those who are told by that. */
static size_t tell_apart(
	const struct ticket *ticket, enum ticket_clock clock, struct notice_pair apart[ALERT_APART])
{
	size_t n = 0;
	if (!*ticket->instance && *ticket->site)
		apart[n++] = (struct notice_pair){"site", ticket->site};
	if (!*ticket->instance && *ticket->supplier)
		apart[n++] = (struct notice_pair){"supplier", ticket->supplier};
	apart[n++] = (struct notice_pair){"target", ticket_clock_names[clock]};
	apart[n++] = (struct notice_pair){"ticket", ticket->key};
	return n;
}

static void on_risk(const struct ticket *ticket, enum ticket_clock clock, void *arg)
{
	static const char *const wanted[] = {"nobody has taken up", "there is still"};
	const struct collector *c = arg;
	const char *where = *ticket->instance ? ticket->instance : ticket->site;
	struct notice_pair apart[ALERT_APART];
	size_t n = tell_apart(ticket, clock, apart);
	char due[32], text[512];
	snprintf(text, sizeof text, "%.200s%s%s %.60s%s%.60s; what was agreed ends at %s", where,
		*where ? ": " : "", wanted[clock], ticket->rule, *ticket->receipt ? ", " : "",
		ticket->receipt, fw_time_format(ticket->due_ms[clock], due, sizeof due));
	alert_raise_apart(c->alerts, "TargetAtRisk", ticket->instance, apart, n, text);
}

int collector_open_tickets(struct collector *c, struct fw_err *err)
{
	const struct tickets_config config = {
		.loop = &c->loop,
		.state = c->state,
		.registry = c->config->registry,
		.on_risk = on_risk,
		.arg = c,
	};
	return tickets_open(&c->tickets, &config, err);
}

/* ---- rule files ---- */

int collector_open_rules(struct collector *c, struct fw_err *err)
{
	const struct evaluation_config config = {
		.loop = &c->loop,
		.store = c->store,
		.alerts = c->alerts,
		.estate = enrol_estate(c->enrol),
		.interval_ms = c->config->evaluation_ms,
		.lookback_ms = c->config->query.lookback_ms,
		.external_labels = &c->config->external_labels,
		.external_url = c->config->api.external_url,
	};
	int rc = evaluation_open(&c->evaluation, &config, err);
	if (rc == 0)
		evaluation_load(c->evaluation, config_take_rules(c->config), fw_wall_ms());
	return rc;
}
