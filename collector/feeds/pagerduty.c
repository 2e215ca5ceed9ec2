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

#define SUMMARY_CHARACTERS 1024
#define DETAIL_CHARACTERS 1024
#define EU "https://events.eu.pagerduty.com/v2/enqueue"

struct pagerduty {
	const char *url, *key_file, *ca_file;
};

extern const struct feed feed_pagerduty;

static const char *const severities[SEVERITIES] = {
	"critical", "error", "warning", "warning", "info"};

static json_t *text_of(const char *text, size_t most)
{
	return json_stringn(text, text_cut(text, most));
}

static json_t *details(const struct notice *notice)
{
	json_t *object = json_object();
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < notice->n_labels; i++)
		rc = json_object_set_new(object, notice->labels[i].name,
			text_of(notice->labels[i].value, DETAIL_CHARACTERS));
	for (const struct notice_line *line = notice_lines; rc == 0 && line->name; line++) {
		const char *value = notice_annotation(notice, line->name);
		if (*value)
			rc = json_object_set_new(
				object, line->name, text_of(value, DETAIL_CHARACTERS));
	}
	if (rc == 0)
		rc = json_object_set_new(object, "description",
			text_of(notice_annotation(notice, "description"), DETAIL_CHARACTERS));
	if (rc == 0)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *payload(const struct notice *notice)
{
	char starts[32];
	char *summary = notice_summary(notice);
	const char *instance = notice_label(notice, "instance");
	json_t *object = json_pack("{s:o, s:o, s:s, s:s, s:o, s:o}", "summary",
		text_of(summary, SUMMARY_CHARACTERS), "source",
		text_of(*instance ? instance : "fenwatch", DETAIL_CHARACTERS), "severity",
		severities[notice_severity(notice)], "timestamp",
		fw_time_format(notice->starts_ms, starts, sizeof starts), "class",
		text_of(notice_label(notice, "alertname"), DETAIL_CHARACTERS), "custom_details",
		details(notice));
	fw_free(summary);
	return object;
}

static const char *action(const struct notice *notice)
{
	if (notice->is_update)
		return "acknowledge";
	return notice_is_over(notice) ? "resolve" : "trigger";
}

/* What is no trigger needs the key alone. */
static char *event(const struct notice *notice, const char *routing_key)
{
	json_t *object = json_pack("{s:s, s:s, s:s}", "routing_key", routing_key, "event_action",
		action(notice), "dedup_key", notice->key);
	int rc = object ? 0 : -1;
	if (rc == 0 && !notice_is_over(notice) && !notice->is_update)
		rc = json_object_update_new(object,
			json_pack("{s:s, s:s, s:o}", "client", "Fenwatch", "client_url",
				notice->generator_url, "payload", payload(notice)));
	char *text = rc == 0 ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	return text;
}

/* A second trigger would be another incident, once people have resolved the first. */
static bool is_unsaid(const struct notice *notice)
{
	return notice->is_update && !*notice_annotation(notice, "acknowledged_by");
}

static void deliver(struct delivery *delivery)
{
	static const char *const headers[] = {"Content-Type: application/json", NULL};
	const struct pagerduty *pagerduty = delivery->config;
	struct fw_secret key;
	struct fw_err err;
	char *body = NULL;
	if (fw_secret_read(&key, pagerduty->key_file, &err) < 0)
		feed_finish(delivery, TRY_LATER, err.text);
	else if (is_unsaid(delivery->notice))
		feed_finish(
			delivery, DELIVERED, "it hears that somebody has taken it up, and no more");
	else if (!(body = event(delivery->notice, key.text)))
		feed_finish(delivery, REFUSED, "the notice is not UTF-8");
	else
		web_ask(delivery,
			&(struct web_call){
				"POST", pagerduty->url, headers, body, pagerduty->ca_file},
			web_finish);
	fw_secret_wipe(&key);
	if (body)
		explicit_bzero(body, strlen(body));
	free(body);
}

static bool takes_updates(const void *config)
{
	(void)config;
	return true;
}

static int check(const void *config, struct fw_err *err)
{
	const struct pagerduty *pagerduty = config;
	int rc = web_check_url(pagerduty->url, err);
	return rc < 0 ? fw_fail_in(err, rc, "url") : 0;
}

static const struct fw_option options[] = {
	{
		.name = "routing_key_file",
		.help = "A file with the integration's routing key.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct pagerduty, key_file),
		.required = true,
	},
	{
		.name = "url",
		.help = "Where events go; in Europe " EU ".",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct pagerduty, url),
		.fallback = "https://events.pagerduty.com/v2/enqueue",
	},
	{
		.name = "ca_file",
		.help = "Certificates (PEM) to believe instead of the system's.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct pagerduty, ca_file),
	},
	{0},
};

const struct feed feed_pagerduty = {
	.name = "pagerduty",
	.help = "PagerDuty's Events API v2",
	.options = options,
	.config_size = sizeof(struct pagerduty),
	.check = check,
	.deliver = deliver,
	.cancel = web_interrupt,
	.updates = takes_updates,
};
