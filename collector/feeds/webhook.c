/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <fenwatch/clock.h>
#include <fenwatch/mem.h>

#include "feed.h"
#include "web.h"

#define FINGERPRINT_DIGITS 16 /* of the key, behind "fw1-" */

struct webhook {
	const char *url;
};

extern const struct feed feed_webhook;

/* ---- Alertmanager's version 4 form ---- */

static json_t *pairs(const struct notice_pair *items, size_t n)
{
	json_t *object = json_object();
	for (size_t i = 0; i < n; i++)
		if (json_object_set_new(object, items[i].name, json_string(items[i].value)) < 0) {
			json_decref(object);
			return NULL;
		}
	return object;
}

/* A group is one alert: what it was grouped by is its rule and its host. */
static json_t *group_labels(const struct notice *notice)
{
	json_t *object = json_object();
	for (size_t i = 0; i < notice->n_labels; i++) {
		const char *name = notice->labels[i].name;
		if (strcmp(name, "alertname") == 0 || strcmp(name, "instance") == 0)
			json_object_set_new(object, name, json_string(notice->labels[i].value));
	}
	return object;
}

static json_t *one_alert(const struct notice *notice)
{
	char starts[32], ends[32] = "0001-01-01T00:00:00Z"; /* Go's zero time: not ended */
	char fingerprint[FINGERPRINT_DIGITS + 1];
	const char *digits = strchr(notice->key, '-');
	snprintf(fingerprint, sizeof fingerprint, "%s", digits ? digits + 1 : notice->key);
	fw_time_format(notice->starts_ms, starts, sizeof starts);
	if (notice->ends_ms != 0)
		fw_time_format(notice->ends_ms, ends, sizeof ends);
	return json_pack("{s:s, s:o, s:o, s:s, s:s, s:s, s:s}", "status", notice->status, "labels",
		pairs(notice->labels, notice->n_labels), "annotations",
		pairs(notice->annotations, notice->n_annotations), "startsAt", starts, "endsAt",
		ends, "generatorURL", notice->generator_url, "fingerprint", fingerprint);
}

static char *payload(const struct notice *notice)
{
	json_t *object = json_pack("{s:s, s:s, s:[o], s:o, s:o, s:o, s:s, s:s, s:s, s:i}",
		"receiver", notice->receiver, "status", notice->status, "alerts", one_alert(notice),
		"groupLabels", group_labels(notice), "commonLabels",
		pairs(notice->labels, notice->n_labels), "commonAnnotations",
		pairs(notice->annotations, notice->n_annotations), "externalURL",
		notice->external_url, "version", "4", "groupKey", notice->key, "truncatedAlerts",
		0);
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	return text;
}

/* ---- the feed ---- */

static void deliver(struct delivery *delivery)
{
	const struct webhook *webhook = delivery->config;
	char *body = payload(delivery->notice);
	if (!body) {
		feed_finish(delivery, REFUSED, "the notice is not UTF-8");
		return;
	}
	char *idempotency = fw_format("Idempotency-Key: %s", delivery->notice->idempotency);
	const char *const headers[] = {"Content-Type: application/json", idempotency, NULL};
	web_ask(delivery, &(struct web_call){"POST", webhook->url, headers, body, NULL},
		web_finish);
	fw_free(idempotency);
	free(body);
}

static int check(const void *config, struct fw_err *err)
{
	const struct webhook *webhook = config;
	int rc = web_check_url(webhook->url, err);
	return rc < 0 ? fw_fail_in(err, rc, "url") : 0;
}

static const struct fw_option options[] = {
	{
		.name = "url",
		.help = "Where notices are sent by POST, in Alertmanager's version 4 form.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct webhook, url),
		.required = true,
	},
	{0},
};

const struct feed feed_webhook = {
	.name = "webhook",
	.help = "one HTTP POST a notice, in Alertmanager's version 4 form",
	.options = options,
	.config_size = sizeof(struct webhook),
	.check = check,
	.deliver = deliver,
	.cancel = web_interrupt,
};
