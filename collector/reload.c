/* SPDX-License-Identifier: Apache-2.0 */
/* SIGHUP: the configuration is read again, and the parts that can do so go over to its rules,
 * feeds and register. */
#include "running.h"

#include <fenwatch/clock.h>
#include <fenwatch/log.h>
#include <fenwatch/mem.h>

#include "alert.h"
#include "api.h"
#include "config.h"
#include "enrol.h"
#include "evaluation.h"
#include "events.h"
#include "presence.h"
#include "tickets.h"

static void drop(struct config *config)
{
	if (config)
		config_done(config);
	fw_free(config);
}

/* Nobody reads what was left any more. */
static void on_reloaded(void *arg)
{
	struct collector *c = arg;
	drop(c->reload.left);
	c->reload.left = NULL;
	c->reload.is_under_way = false;
	if (c->reload.is_wanted_again && !c->stopping)
		collector_reload(c);
}

static int read_again(struct collector *c, struct fw_err *err)
{
	struct config *config = fw_alloc(sizeof *config);
	int rc = config_load(config, c->path, err);
	if (rc < 0) {
		fw_free(config);
		return rc;
	}
	rc = alert_reload(c->alerts, &config->alerts, on_reloaded, c, err);
	if (rc < 0) {
		drop(config);
		return rc;
	}
	events_tell(c->events, &config->event_rules, enrol_estate(c->enrol), c->alerts);
	presence_reload(c->presence, &config->alerts.absence, config->registry);
	tickets_set_register(c->tickets, config->registry);
	api_set_register(c->api, config->registry);
	evaluation_load(c->evaluation, config_take_rules(config), fw_wall_ms());
	c->reload.left = c->reload.read;
	c->reload.read = config;
	c->reload.is_under_way = true;
	return 0;
}

void collector_reload(struct collector *c)
{
	struct fw_err err;
	c->reload.is_wanted_again = c->reload.is_under_way;
	if (c->reload.is_under_way) {
		fw_log(FW_NOTICE,
			"SIGHUP: notices of the reload before are still under way; it follows");
		return;
	}
	int rc = read_again(c, &err);
	if (rc < 0)
		fw_log(FW_ERROR, "SIGHUP: %s; rules, feeds and register stay as they were",
			err.text);
	else
		fw_log(FW_NOTICE,
			"SIGHUP: rules, feeds and register are read anew; other keys take effect "
			"at the next start");
}

void collector_drop_reloaded(struct collector *c)
{
	drop(c->reload.read);
}
