/* SPDX-License-Identifier: Apache-2.0 */
/* The dead man's handle: says at intervals that the collector is well, to somebody who
 * raises the alarm when that ends. It hears of no alert. */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <fenwatch/clock.h>
#include <fenwatch/mem.h>

#include "feed.h"
#include "secret.h"
#include "web.h"

#define MISSES 3 /* beats that Alertmanager does without before the watchdog is over */

enum form { FORM_PING, FORM_ALERTMANAGER };

struct heartbeat {
	const char *url, *token_file, *ca_file;
	int64_t every_ms;
	int form, method;
};

extern const struct feed feed_heartbeat;

static const char *const forms[] = {"ping", "alertmanager", NULL};
static const char *const methods[] = {"GET", "POST", NULL};

static int64_t beat_ms(const void *config)
{
	const struct heartbeat *heartbeat = config;
	return heartbeat->every_ms;
}

/* An alert that always fires, as long as somebody says so. */
static char *watchdog(const struct heartbeat *heartbeat, const struct delivery *delivery)
{
	char starts[32], ends[32];
	const struct notice *notice = delivery->notice;
	fw_time_format(notice->starts_ms, starts, sizeof starts);
	fw_time_format(delivery->now_ms + MISSES * heartbeat->every_ms, ends, sizeof ends);
	json_t *list = json_pack("[{s{ssssss}s{ss}ssssss}]", "labels", "alertname", "Watchdog",
		"severity", "none", "feed", notice->receiver, "annotations", "summary",
		"Fenwatch's collector is well; when this ends, it is not", "startsAt", starts,
		"endsAt", ends, "generatorURL", notice->external_url);
	char *text = list ? json_dumps(list, JSON_COMPACT) : NULL;
	json_decref(list);
	return text;
}

static void ask(struct delivery *delivery, const struct fw_secret *token)
{
	const struct heartbeat *heartbeat = delivery->config;
	bool is_ping = heartbeat->form == FORM_PING;
	char *url = fw_format("%s%s", heartbeat->url, is_ping ? "" : "/api/v2/alerts");
	char *body = is_ping ? NULL : watchdog(heartbeat, delivery);
	char *authorization = *token->text ? secret_authorization(token, NULL) : NULL;
	const char *const headers[] = {"Content-Type: application/json", authorization, NULL};
	web_ask(delivery,
		&(struct web_call){.method = is_ping ? methods[heartbeat->method] : "POST",
			.url = url,
			.headers = is_ping ? headers + 1 : headers,
			.body = body,
			.ca_file = heartbeat->ca_file},
		web_finish);
	secret_forget(authorization);
	fw_free(url);
	free(body);
}

static void deliver(struct delivery *delivery)
{
	const struct heartbeat *heartbeat = delivery->config;
	struct fw_secret token;
	struct fw_err err;
	if (fw_secret_read(&token, heartbeat->token_file, &err) < 0)
		feed_finish(delivery, TRY_LATER, err.text);
	else
		ask(delivery, &token);
	fw_secret_wipe(&token);
}

static int check(const void *config, struct fw_err *err)
{
	const struct heartbeat *heartbeat = config;
	if (heartbeat->form == FORM_ALERTMANAGER)
		return web_check_base(heartbeat->url, err);
	int rc = web_check_url(heartbeat->url, err);
	return rc < 0 ? fw_fail_in(err, rc, "url") : 0;
}

static const struct fw_option options[] = {
	{
		.name = "url",
		.help = "What is asked for at intervals; of Alertmanager, without /api/v2.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct heartbeat, url),
		.required = true,
	},
	{
		.name = "every",
		.help = "How often.",
		.type = FW_OPT_DURATION,
		.offset = offsetof(struct heartbeat, every_ms),
		.fallback = "1m",
		.min = 1000,
		.max = 24 * 3600 * 1000,
	},
	{
		.name = "form",
		.help = "A request to the URL, or an alert 'Watchdog' of Alertmanager's that ends "
			"after three missing beats.",
		.type = FW_OPT_CHOICE,
		.choices = forms,
		.offset = offsetof(struct heartbeat, form),
		.fallback = "ping",
	},
	{
		.name = "method",
		.help = "Of a ping.",
		.type = FW_OPT_CHOICE,
		.choices = methods,
		.offset = offsetof(struct heartbeat, method),
		.fallback = "GET",
	},
	{
		.name = "token_file",
		.help = "A file with a token to be sent as Authorization: Bearer.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct heartbeat, token_file),
	},
	{
		.name = "ca_file",
		.help = "Certificates (PEM) to believe instead of the system's.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct heartbeat, ca_file),
	},
	{0},
};

const struct feed feed_heartbeat = {
	.name = "heartbeat",
	.help = "says at intervals that the collector is well, and nothing of alerts",
	.options = options,
	.config_size = sizeof(struct heartbeat),
	.check = check,
	.deliver = deliver,
	.cancel = web_interrupt,
	.beat_ms = beat_ms,
};
