/* SPDX-License-Identifier: Apache-2.0 */
/* SIGHUP: the configuration is read again, and the parts that can do so go over to its rules,
 * feeds, register and certificate. */
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

static void on_doubt(const char *sentence, void *arg)
{
	(void)arg;
	fw_log(FW_WARNING, "%s", sentence);
}

void collector_tell_doubts(const struct config *config)
{
	config_doubts(config, on_doubt, NULL);
}

void collector_tell_gone(const struct collector *c, const struct config *config)
{
	alert_doubt_gone(c->state, &config->alerts, on_doubt, NULL);
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

static void show_certificate(struct collector *c, struct api_certificate *certificate)
{
	char until[32];
	fw_log(FW_NOTICE, "api: another certificate is shown from now on, which holds until %s",
		fw_time_format(api_certificate_until_ms(certificate), until, sizeof until));
	api_set_certificate(c->api, certificate);
}

/* NULL: it is the one that is shown already, or there is no TLS, which takes another start. */
static int read_certificate(const struct collector *c, const struct config *config,
	struct api_certificate **out, struct fw_err *err)
{
	const struct api_certificate *shown = api_certificate(c->api);
	struct api_certificate *read = NULL;
	int rc = 0;
	if (shown && config->api.tls.cert)
		rc = api_certificate_read(&read, config->api.tls.cert, config->api.tls.key, err);
	bool is_other = read && !api_certificate_same(read, shown);
	if (is_other)
		rc = api_certificate_check(read, fw_wall_ms(), err);
	if (rc < 0 || !is_other) {
		api_certificate_drop(read);
		read = NULL;
	}
	*out = read;
	return rc;
}

/* What may be mistaken is read and checked before anything changes. */
static int read_again(struct collector *c, struct fw_err *err)
{
	struct config *config = fw_alloc(sizeof *config);
	struct api_certificate *certificate = NULL;
	int rc = config_load(config, c->path, err);
	if (rc < 0) {
		fw_free(config);
		return rc;
	}
	rc = read_certificate(c, config, &certificate, err);
	if (rc == 0)
		rc = alert_reload(c->alerts, &config->alerts, on_reloaded, c, err);
	if (rc < 0) {
		api_certificate_drop(certificate);
		drop(config);
		return rc;
	}
	if (certificate)
		show_certificate(c, certificate);
	collector_tell_doubts(config);
	collector_tell_gone(c, config);
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
		fw_log(FW_ERROR, "SIGHUP: %s; rules, feeds and register stay as they were%s",
			err.text, api_certificate(c->api) ? ", and the API's certificate" : "");
	else
		fw_log(FW_NOTICE,
			"SIGHUP: rules, feeds and register are read anew; other keys take effect "
			"at the next start");
}

void collector_drop_reloaded(struct collector *c)
{
	drop(c->reload.read);
}
