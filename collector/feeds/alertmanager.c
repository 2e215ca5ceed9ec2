/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <fenwatch/clock.h>
#include <fenwatch/mem.h>

#include "feed.h"
#include "notice.h"
#include "secret.h"
#include "web.h"

#define REPEAT_MS (60 * 1000)
#define LASTS_MS (5 * 60 * 1000) /* what is not repeated for so long is over */

struct alertmanager {
	const char *url, *token_file, *ca_file;
};

extern const struct feed feed_alertmanager;

/* ---- the alert ---- */

/* Alertmanager drops empty labels itself; that would be another alert for us to close. */
static json_t *pairs(const struct notice_pair *items, size_t n)
{
	json_t *object = json_object();
	for (size_t i = 0; i < n; i++)
		if (*items[i].value &&
			json_object_set_new(object, items[i].name, json_string(items[i].value)) <
				0) {
			json_decref(object);
			return NULL;
		}
	return object;
}

static json_t *annotations(const struct notice *notice)
{
	json_t *object = pairs(notice->annotations, notice->n_annotations);
	if (object)
		json_object_set_new(object, "fenwatch_key", json_string(notice->key));
	return object;
}

/* A firing one says until when it holds if nobody repeats it. */
static char *payload(const struct notice *notice, int64_t now_ms)
{
	char starts[32], ends[32];
	fw_time_format(notice->starts_ms, starts, sizeof starts);
	fw_time_format(
		notice_is_over(notice) ? notice->ends_ms : now_ms + LASTS_MS, ends, sizeof ends);
	json_t *list = json_pack("[{s:o, s:o, s:s, s:s, s:s}]", "labels",
		pairs(notice->labels, notice->n_labels), "annotations", annotations(notice),
		"startsAt", starts, "endsAt", ends, "generatorURL", notice->generator_url);
	char *text = list ? json_dumps(list, JSON_COMPACT) : NULL;
	json_decref(list);
	return text;
}

/* ---- the feed ---- */

static void post(struct delivery *delivery, const char *body, const struct fw_secret *token)
{
	const struct alertmanager *alertmanager = delivery->config;
	char *url = fw_format("%s/api/v2/alerts", alertmanager->url);
	char *authorization = *token->text ? secret_authorization(token, NULL) : NULL;
	const char *const headers[] = {"Content-Type: application/json", authorization, NULL};
	web_ask(delivery, &(struct web_call){"POST", url, headers, body, alertmanager->ca_file},
		web_finish);
	secret_forget(authorization);
	fw_free(url);
}

static void deliver(struct delivery *delivery)
{
	const struct alertmanager *alertmanager = delivery->config;
	struct fw_secret token;
	struct fw_err err;
	char *body = payload(delivery->notice, delivery->now_ms);
	if (!body)
		feed_finish(delivery, REFUSED, "the notice is not UTF-8");
	else if (fw_secret_read(&token, alertmanager->token_file, &err) < 0)
		feed_finish(delivery, TRY_LATER, err.text);
	else
		post(delivery, body, &token);
	fw_secret_wipe(&token);
	free(body);
}

static int check(const void *config, struct fw_err *err)
{
	const struct alertmanager *alertmanager = config;
	return web_check_base(alertmanager->url, err);
}

static const struct fw_option options[] = {
	{
		.name = "url",
		.help = "Where Alertmanager is, without /api/v2; of a pair, each has a feed.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct alertmanager, url),
		.required = true,
	},
	{
		.name = "token_file",
		.help = "A file with a token to be sent as Authorization: Bearer.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct alertmanager, token_file),
	},
	{
		.name = "ca_file",
		.help = "Certificates (PEM) to believe instead of the system's.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct alertmanager, ca_file),
	},
	{0},
};

const struct feed feed_alertmanager = {
	.name = "alertmanager",
	.help = "Alertmanager's API v2, repeated as it expects",
	.options = options,
	.config_size = sizeof(struct alertmanager),
	.check = check,
	.deliver = deliver,
	.cancel = web_interrupt,
	.repeat_ms = REPEAT_MS,
	.repeat_closed_ms = LASTS_MS,
};
