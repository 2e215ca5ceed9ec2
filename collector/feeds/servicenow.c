/* SPDX-License-Identifier: Apache-2.0 */
/* Events for Event Management, or incidents where that plugin is not licensed. An
 * event's message_key is the alert's; an incident is looked for by its correlation_id
 * before one is made, so that what was sent twice makes one. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include <fenwatch/mem.h>

#include "feed.h"
#include "notice.h"
#include "pointer.h"
#include "secret.h"
#include "web.h"

#define SHORT_CHARACTERS 100 /* source, node, type, resource */
#define DESCRIPTION_CHARACTERS 4000
#define DETAILS 3500 /* of these; the others are for a summary and a link */
#define SUMMARY_CHARACTERS 160
#define ID_BYTES 33 /* sys_id: 32 hex digits */

enum table { TABLE_EVENT, TABLE_INCIDENT };

struct servicenow {
	const char *url, *user, *password_file, *ca_file, *close_code, *assignment_group;
	int table;
};

extern const struct feed feed_servicenow;

/* ---- requests ---- */

/* Takes `path` and `body`, which may be none for a GET. */
static void ask(
	struct delivery *delivery, const char *method, char *path, json_t *body, web_done *on_done)
{
	const struct servicenow *servicenow = delivery->config;
	struct fw_secret password;
	struct fw_err err;
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	delivery->state = NULL;
	if (!text && strcmp(method, "GET") != 0) {
		feed_finish(delivery, REFUSED, "the notice is not UTF-8");
	} else if (fw_secret_read(&password, servicenow->password_file, &err) < 0) {
		feed_finish(delivery, TRY_LATER, err.text);
	} else {
		char *line = secret_authorization(&password, servicenow->user);
		char *url = fw_format("%s%s", servicenow->url, path);
		const char *const headers[] = {
			line, "Content-Type: application/json", "Accept: application/json", NULL};
		web_ask(delivery,
			&(struct web_call){method, url, headers, text, servicenow->ca_file},
			on_done);
		secret_forget(line);
		fw_free(url);
	}
	fw_secret_wipe(&password);
	json_decref(body);
	free(text);
	fw_free(path);
}

static json_t *text_of(const char *text, size_t most)
{
	return json_stringn(text, text_cut(text, most));
}

/* ---- events ---- */

static const char *const severities[SEVERITIES] = {"1", "2", "3", "4", "5"};

static const char *moment(int64_t ms, char *text, size_t size)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm at;
	gmtime_r(&seconds, &at);
	strftime(text, size, "%Y-%m-%d %H:%M:%S", &at);
	return text;
}

/* What a text holds is itself JSON, with texts for values. */
static json_t *additional_info(const struct notice *notice)
{
	json_t *object = json_object();
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < notice->n_labels; i++)
		rc = json_object_set_new(object, notice->labels[i].name,
			text_of(notice->labels[i].value, DESCRIPTION_CHARACTERS));
	for (const struct notice_line *line = notice_lines; rc == 0 && line->name; line++) {
		const char *value = notice_annotation(notice, line->name);
		if (*value)
			rc = json_object_set_new(
				object, line->name, text_of(value, DESCRIPTION_CHARACTERS));
	}
	char *text = rc == 0 ? json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	json_t *value = text ? json_string(text) : NULL;
	free(text);
	json_decref(object);
	return value;
}

/* The alert's labels beside host and rule, which tell its alerts apart. */
static json_t *resource(const struct notice *notice)
{
	static const char *const others[] = {"alertname", "instance", "job", "severity"};
	struct fw_buf text = {0};
	for (size_t i = 0; i < notice->n_labels; i++) {
		bool other = false;
		for (size_t j = 0; j < sizeof others / sizeof *others; j++)
			other = other || strcmp(notice->labels[i].name, others[j]) == 0;
		if (!other)
			fw_buf_printf(
				&text, "%s%s", text.length > 0 ? " " : "", notice->labels[i].value);
	}
	json_t *value = text_of(text.data ? (char *)text.data : "", SHORT_CHARACTERS);
	fw_buf_done(&text);
	return value;
}

static char *description(const struct notice *notice)
{
	char *summary = notice_summary(notice), *details = notice_details(notice, DETAILS);
	size_t room = DESCRIPTION_CHARACTERS - DETAILS - strlen("\n\n");
	char *text = fw_format("%.*s\n\n%s", (int)text_cut(summary, room), summary, details);
	fw_free(summary);
	fw_free(details);
	return text;
}

static json_t *event(const struct notice *notice)
{
	char at[32];
	bool over = notice_is_over(notice);
	char *text = description(notice);
	json_t *records = json_pack("{s:[{s:s, s:s, s:o, s:o, s:o, s:s, s:s, s:s, s:s, s:o, s:o}]}",
		"records", "source", "Fenwatch", "event_class", "Fenwatch", "node",
		text_of(notice_label(notice, "instance"), SHORT_CHARACTERS), "type",
		text_of(notice_label(notice, "alertname"), SHORT_CHARACTERS), "resource",
		resource(notice), "message_key", notice->key, "severity",
		over ? "0" : severities[notice_severity(notice)], "resolution_state",
		over ? "Closing" : "New", "time_of_event",
		moment(over ? notice->ends_ms : notice->starts_ms, at, sizeof at), "description",
		text_of(text, DESCRIPTION_CHARACTERS), "additional_info", additional_info(notice));
	fw_free(text);
	return records;
}

/* ---- incidents ---- */

/* State 6 is resolved: an alert that fires again is another incident. */

/* From which ServiceNow's own table of priorities makes the register's again. */
static const struct {
	const char *urgency, *impact;
} ranks[PRIORITIES] = {{"1", "1"}, {"2", "1"}, {"2", "2"}, {"3", "2"}, {"3", "3"}};

static json_t *incident(const struct servicenow *servicenow, const struct notice *notice)
{
	char *summary = notice_summary(notice), *details = notice_details(notice, DETAILS);
	char *text = fw_format("%s\n\n%s", details, notice->generator_url);
	unsigned priority = notice_priority(notice);
	json_t *object = json_pack("{s:s, s:s, s:o, s:o, s:s, s:s, s:s*}", "correlation_id",
		notice->key, "correlation_display", "Fenwatch", "short_description",
		text_of(summary, SUMMARY_CHARACTERS), "description",
		text_of(text, DESCRIPTION_CHARACTERS), "urgency", ranks[priority].urgency, "impact",
		ranks[priority].impact, "assignment_group", servicenow->assignment_group);
	fw_free(summary);
	fw_free(details);
	fw_free(text);
	return object;
}

static bool is_number(const char *text)
{
	size_t length = strlen(text);
	return length > 0 && length < ID_BYTES &&
		strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == length;
}

/* By its number where that is known: somebody else's software may write a correlation of its
 * own. Requests want the sys_id. */
static void look_for(struct delivery *delivery, web_done *on_done)
{
	const struct notice *notice = delivery->notice;
	bool known = is_number(notice->receipt);
	ask(delivery, "GET",
		fw_format("/api/now/table/incident?sysparm_query=%s%%3D%s%%5Estate%%3C6"
			  "&sysparm_fields=sys_id,number&sysparm_limit=1",
			known ? "number" : "correlation_id", known ? notice->receipt : notice->key),
		NULL, on_done);
}

/* What people call it; an instance may not show that. */
static void take_number(struct delivery *delivery, const struct web_answer *answer,
	const char *number, const char *id)
{
	pointer_text(
		answer->body, answer->length, number, delivery->receipt, sizeof delivery->receipt);
	if (!*delivery->receipt)
		pointer_text(answer->body, answer->length, id, delivery->receipt,
			sizeof delivery->receipt);
}

static void on_made(const struct web_answer *answer, void *arg)
{
	struct delivery *delivery = arg;
	if (answer->status / 100 == 2)
		take_number(delivery, answer, "/result/number", "/result/sys_id");
	if (*delivery->receipt)
		web_finish(answer, delivery);
	else
		web_doubt(answer, delivery);
}

/* The first one's sys_id, or "". False: it is no answer. */
static bool read_found(const struct web_answer *answer, char id[ID_BYTES])
{
	pointer_text(answer->body, answer->length, "/result/0/sys_id", id, ID_BYTES);
	return answer->status == 200 && pointer_is_list(answer->body, answer->length, "/result");
}

static void on_looked(const struct web_answer *answer, void *arg)
{
	struct delivery *delivery = arg;
	char id[ID_BYTES];
	if (!read_found(answer, id)) {
		web_doubt(answer, delivery);
	} else if (*id) {
		take_number(delivery, answer, "/result/0/number", "/result/0/sys_id");
		web_finish(answer, delivery);
	} else {
		ask(delivery, "POST", fw_strdup("/api/now/table/incident"),
			incident(delivery->config, delivery->notice), on_made);
	}
}

static bool is_id(const char *id)
{
	return strlen(id) == ID_BYTES - 1 && strspn(id, "0123456789abcdef") == ID_BYTES - 1;
}

static void resolve(struct delivery *delivery, const char *id)
{
	char at[32];
	const struct servicenow *servicenow = delivery->config;
	char *notes =
		fw_format("Over since %s GMT.", moment(delivery->notice->ends_ms, at, sizeof at));
	ask(delivery, "PATCH", fw_format("/api/now/table/incident/%s", id),
		json_pack("{s:s, s:s, s:s}", "state", "6", "close_code", servicenow->close_code,
			"close_notes", notes),
		web_finish);
	fw_free(notes);
}

static void add_note(struct delivery *delivery, const char *id)
{
	char *news = notice_news(delivery->notice);
	ask(delivery, "PATCH", fw_format("/api/now/table/incident/%s", id),
		json_pack("{s:s}", "work_notes", news), web_finish);
	fw_free(news);
}

static void change(struct delivery *delivery, const char *id)
{
	(notice_is_over(delivery->notice) ? resolve : add_note)(delivery, id);
}

static void on_looked_to_change(const struct web_answer *answer, void *arg)
{
	struct delivery *delivery = arg;
	char id[ID_BYTES];
	if (!read_found(answer, id))
		web_doubt(answer, delivery);
	else if (is_id(id))
		change(delivery, id);
	else
		web_finish(answer, delivery); /* people have closed it already */
}

/* ---- the feed ---- */

static void deliver(struct delivery *delivery)
{
	const struct servicenow *servicenow = delivery->config;
	const struct notice *notice = delivery->notice;
	if (servicenow->table == TABLE_EVENT)
		ask(delivery, "POST", fw_strdup("/api/global/em/jsonv2"), event(notice),
			web_finish);
	else if (!notice_is_over(notice) && !notice->is_update)
		look_for(delivery, on_looked);
	else if (is_id(notice->receipt))
		change(delivery, notice->receipt);
	else
		look_for(delivery, on_looked_to_change);
}

/* An event has no notes. */
static bool takes_updates(const void *config)
{
	const struct servicenow *servicenow = config;
	return servicenow->table == TABLE_INCIDENT;
}

static int check(const void *config, struct fw_err *err)
{
	const struct servicenow *servicenow = config;
	return web_check_base(servicenow->url, err);
}

static const char *const tables[] = {"event", "incident", NULL};

static const struct fw_option options[] = {
	{
		.name = "url",
		.help = "The instance: https://NAME.service-now.com.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct servicenow, url),
		.required = true,
	},
	{
		.name = "table",
		.help = "Events for Event Management, or incidents where it is not licensed.",
		.type = FW_OPT_CHOICE,
		.choices = tables,
		.offset = offsetof(struct servicenow, table),
		.fallback = "event",
	},
	{
		.name = "close_code",
		.help = "The resolution code of incidents that are over.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct servicenow, close_code),
		.fallback = "Solved (Permanently)",
	},
	{
		.name = "assignment_group",
		.help = "Whose queue new incidents stand in: the group's sys_id.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct servicenow, assignment_group),
	},
	{
		.name = "user",
		.help = "Whom to log in as; of role evt_mgmt_integration or itil.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct servicenow, user),
		.required = true,
	},
	{
		.name = "password_file",
		.help = "A file with the password.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct servicenow, password_file),
		.required = true,
	},
	{
		.name = "ca_file",
		.help = "Certificates (PEM) to believe instead of the system's.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct servicenow, ca_file),
	},
	{0},
};

const struct feed feed_servicenow = {
	.name = "servicenow",
	.help = "ServiceNow: events for Event Management, or incidents",
	.options = options,
	.config_size = sizeof(struct servicenow),
	.check = check,
	.deliver = deliver,
	.cancel = web_interrupt,
	.updates = takes_updates,
	.at_once = 1,
};
