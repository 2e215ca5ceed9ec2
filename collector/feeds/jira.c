/* SPDX-License-Identifier: Apache-2.0 */
/* An issue for each alert, with the alert's key as a label. It is looked for by that
 * label before one is made, so that what was sent twice makes one issue. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <fenwatch/mem.h>

#include "feed.h"
#include "levels.h"
#include "notice.h"
#include "pointer.h"
#include "secret.h"
#include "template.h"
#include "web.h"

#define SUMMARY_CHARACTERS 254
#define DESCRIPTION_CHARACTERS 32000

struct jira {
	const char *url, *project, *issue_type, *close_transition, *user, *token_file, *ca_file;
	struct levels levels;
	const struct fw_yaml *fields; /* or NULL */
	bool cloud;
};

extern const struct feed feed_jira;

/* ---- requests ---- */

static void send_text(struct delivery *delivery, const char *method, const char *path,
	const char *text, web_done *on_done)
{
	const struct jira *jira = delivery->config;
	struct fw_secret token;
	struct fw_err err;
	if (fw_secret_read(&token, jira->token_file, &err) < 0) {
		feed_finish(delivery, TRY_LATER, err.text);
		return;
	}
	char *line = secret_authorization(&token, jira->user);
	char *url = fw_format("%s/rest/api/2/%s", jira->url, path);
	const char *const headers[] = {
		line, "Content-Type: application/json", "Accept: application/json", NULL};
	web_ask(delivery, &(struct web_call){method, url, headers, text, jira->ca_file}, on_done);
	fw_secret_wipe(&token);
	secret_forget(line);
	fw_free(url);
}

/* Takes `body`; NULL where a text in it was no UTF-8. */
static void post(struct delivery *delivery, const char *path, json_t *body, web_done *on_done)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	delivery->state = NULL;
	if (text)
		send_text(delivery, "POST", path, text, on_done);
	else
		feed_finish(delivery, REFUSED, "the notice is not UTF-8");
	free(text);
	json_decref(body);
}

/* ---- an issue ---- */

static void look_for(struct delivery *delivery, web_done *on_done)
{
	const struct jira *jira = delivery->config;
	char *jql = fw_format("project = \"%s\" AND labels = \"%s\" AND statusCategory != Done",
		jira->project, delivery->notice->key);
	post(delivery, jira->cloud ? "search/jql" : "search",
		json_pack("{s:s, s:[s], s:i}", "jql", jql, "fields", "status", "maxResults", 1),
		on_done);
	fw_free(jql);
}

/* Between the first and the last {noformat} a host's text is no markup, unless it ends that. */
static void disarm(char *text)
{
	char *from = strchr(text, '}') + 1, *end = text + strlen(text) - strlen("{noformat}");
	while (strncmp(end, "{noformat}", strlen("{noformat}")) != 0)
		end--;
	for (; from < end; from++)
		if (*from == '{')
			*from = '(';
}

/* Jira refuses an issue for a field that is empty. Whether nothing is left of this one, without
 * what the register does not say. */
static bool drop_empty(json_t *value)
{
	const char *name;
	json_t *item;
	void *next;
	for (size_t i = json_array_size(value); i-- > 0;)
		if (drop_empty(json_array_get(value, i)))
			json_array_remove(value, i);
	json_object_foreach_safe(value, next, name, item)
	{
		if (drop_empty(item))
			json_object_del(value, name);
	}
	if (json_is_string(value))
		return json_string_length(value) == 0;
	return (json_is_array(value) && json_array_size(value) == 0) ||
		(json_is_object(value) && json_object_size(value) == 0);
}

/* What the project wants beside; ours stay as they are. */
static int add_fields(const struct jira *jira, const struct notice *notice, json_t *fields)
{
	const char *level = levels_word(&jira->levels, notice);
	const struct template_values values = {
		.notice = notice, .level = level ? level : "", .token = ""};
	json_t *more = jira->fields ? template_json(jira->fields, &values) : json_object();
	drop_empty(more);
	int rc = more ? json_object_update_missing(fields, more) : -1;
	if (rc == 0 && level)
		rc = json_object_set_new(fields, "priority", json_pack("{s:s}", "name", level));
	json_decref(more);
	return rc;
}

static json_t *issue(const struct jira *jira, const struct notice *notice)
{
	struct fw_buf line = {0};
	char *summary = notice_summary(notice);
	text_put_line(&line, *summary ? summary : "?", SUMMARY_CHARACTERS);
	char *details = notice_details(notice, DESCRIPTION_CHARACTERS);
	char *text = fw_format("{noformat}%s\n\n%s{noformat}\n%s\n%s", summary, details,
		notice->generator_url, notice->key);
	disarm(text);
	json_t *object = json_pack("{s:{s:{s:s}, s:{s:s}, s:s, s:o, s:[s,s]}}", "fields", "project",
		"key", jira->project, "issuetype", "name", jira->issue_type, "summary",
		(char *)line.data, "description", json_string(text), "labels", "fenwatch",
		notice->key);
	if (object && add_fields(jira, notice, json_object_get(object, "fields")) < 0) {
		json_decref(object);
		object = NULL;
	}
	fw_buf_done(&line);
	fw_free(summary);
	fw_free(details);
	fw_free(text);
	return object;
}

static void on_made(const struct web_answer *answer, void *arg)
{
	struct delivery *delivery = arg;
	if (answer->status / 100 == 2)
		pointer_text(answer->body, answer->length, "/key", delivery->receipt,
			sizeof delivery->receipt);
	if (*delivery->receipt)
		web_finish(answer, delivery);
	else
		web_doubt(answer, delivery);
}

/* False: it is no answer. */
static bool read_found(const struct web_answer *answer, char key[FEED_RECEIPT])
{
	pointer_text(answer->body, answer->length, "/issues/0/key", key, FEED_RECEIPT);
	return answer->status == 200 && pointer_is_list(answer->body, answer->length, "/issues");
}

static void on_looked(const struct web_answer *answer, void *arg)
{
	struct delivery *delivery = arg;
	if (!read_found(answer, delivery->receipt))
		web_doubt(answer, delivery);
	else if (*delivery->receipt)
		web_finish(answer, delivery);
	else
		post(delivery, "issue", issue(delivery->config, delivery->notice), on_made);
}

/* ---- what has changed of it ---- */

/* "OPS-17", as Jira makes them: it becomes part of a path. */
static bool is_key(const char *key)
{
	size_t length = strlen(key);
	return length > 0 && strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == length;
}

static void add_comment(struct delivery *delivery)
{
	const char *key = delivery->notice->receipt;
	char *news = notice_news(delivery->notice);
	char *text = fw_format("{noformat}%s{noformat}", news);
	char *path = fw_format("issue/%s/comment", key);
	disarm(text);
	if (is_key(key))
		post(delivery, path, json_pack("{s:s}", "body", text), web_finish);
	else
		feed_finish(delivery, REFUSED, "the answer to its open had no key of an issue");
	fw_free(path);
	fw_free(text);
	fw_free(news);
}

/* ---- its end ---- */

static void on_transitions(const struct web_answer *answer, void *arg);

static void ask_transitions(struct delivery *delivery, const char *key)
{
	char *path = fw_format("issue/%s/transitions", key);
	snprintf(delivery->receipt, sizeof delivery->receipt, "%s", key);
	delivery->state = NULL;
	send_text(delivery, "GET", path, NULL, on_transitions);
	fw_free(path);
}

static const char *transition_id(const json_t *root, const char *name)
{
	size_t i;
	const json_t *all = json_object_get(root, "transitions"), *one;
	json_array_foreach(all, i, one)
	{
		const char *called = json_string_value(json_object_get(one, "name"));
		const char *id = json_string_value(json_object_get(one, "id"));
		if (called && id && strcasecmp(called, name) == 0)
			return id;
	}
	return NULL;
}

static void on_transitions(const struct web_answer *answer, void *arg)
{
	struct delivery *delivery = arg;
	const struct jira *jira = delivery->config;
	json_t *root = json_loadb(answer->body, answer->length, 0, NULL);
	const char *id = transition_id(root, jira->close_transition);
	char why[160];
	if (answer->status != 200) {
		web_finish(answer, delivery);
	} else if (id) {
		char *path = fw_format("issue/%s/transitions", delivery->receipt);
		post(delivery, path, json_pack("{s:{s:s}}", "transition", "id", id), web_finish);
		fw_free(path);
	} else {
		delivery->state = NULL;
		snprintf(why, sizeof why, "%.60s has no transition called '%.60s' now",
			delivery->receipt, jira->close_transition);
		feed_finish(delivery, REFUSED, why);
	}
	json_decref(root);
}

/* People have closed it already, or taken it away, or it is still to be closed. */
static void on_status(const struct web_answer *answer, void *arg)
{
	struct delivery *delivery = arg;
	char category[32];
	pointer_text(answer->body, answer->length, "/fields/status/statusCategory/key", category,
		sizeof category);
	if (answer->status == 404 || strcmp(category, "done") == 0) {
		delivery->state = NULL;
		feed_finish(delivery, DELIVERED, "it was closed already");
	} else if (answer->status == 200 && *category) {
		ask_transitions(delivery, delivery->notice->receipt);
	} else {
		web_doubt(answer, delivery);
	}
}

static void ask_status(struct delivery *delivery, const char *key)
{
	char *path = fw_format("issue/%s?fields=status", key);
	delivery->state = NULL;
	send_text(delivery, "GET", path, NULL, on_status);
	fw_free(path);
}

/* What was made a moment ago may not be found yet: the issue itself is asked. */
static void on_looked_to_close(const struct web_answer *answer, void *arg)
{
	struct delivery *delivery = arg;
	char key[FEED_RECEIPT];
	if (!read_found(answer, key))
		web_doubt(answer, delivery);
	else if (is_key(key))
		ask_transitions(delivery, key);
	else if (is_key(delivery->notice->receipt))
		ask_status(delivery, delivery->notice->receipt);
	else
		web_finish(answer, delivery);
}

/* ---- the feed ---- */

static void deliver(struct delivery *delivery)
{
	const struct notice *notice = delivery->notice;
	if (notice->is_update)
		add_comment(delivery);
	else
		look_for(delivery, notice_is_over(notice) ? on_looked_to_close : on_looked);
}

static bool takes_updates(const void *config)
{
	(void)config;
	return true;
}

static bool is_project(const char *text)
{
	size_t length = strlen(text);
	return length > 0 && length <= 64 &&
		strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == length;
}

static int parse_fields(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	(void)arena;
	if (fw_yaml_kind(node) != FW_YAML_MAPPING)
		return fw_yaml_fail(
			node, err, "fields are written like {customfield_10010: ops/incident}");
	int rc = template_check_tree(node, err);
	if (rc < 0)
		return rc;
	if (template_tree_uses(node, "token") || template_tree_uses(node, "ticket"))
		return fw_yaml_fail(node, err, "fields have no {{token}} and no {{ticket}}");
	*(const struct fw_yaml **)field = node;
	return 0;
}

static int check(const void *config, struct fw_err *err)
{
	const struct jira *jira = config;
	int rc = web_check_base(jira->url, err);
	if (rc < 0)
		return rc;
	if (!is_project(jira->project))
		return fw_fail(
			err, -EINVAL, "project: its key, like OPS, not '%.60s'", jira->project);
	if (template_tree_uses(jira->fields, "level") && !levels_are_set(&jira->levels))
		return fw_fail(err, -EINVAL, "fields: {{level}} needs `levels`");
	return 0;
}

static const struct fw_option options[] = {
	{
		.name = "url",
		.help = "Where Jira is: https://NAME.atlassian.net.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct jira, url),
		.required = true,
	},
	{
		.name = "cloud",
		.help = "Whether it is Atlassian's cloud, which is searched in another way.",
		.type = FW_OPT_BOOL,
		.offset = offsetof(struct jira, cloud),
		.fallback = "false",
	},
	{
		.name = "project",
		.help = "The project's key.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct jira, project),
		.required = true,
	},
	{
		.name = "issue_type",
		.help = "The type of new issues.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct jira, issue_type),
		.fallback = "Incident",
	},
	{
		.name = "levels",
		.help = "Jira's names for the priorities P1 to P5, or for severities; without them "
			"issues have the project's own default.",
		.type = FW_OPT_CUSTOM,
		.parse = levels_parse,
		.offset = offsetof(struct jira, levels),
	},
	{
		.name = "fields",
		.help = "Further fields of new issues, as Jira takes them, with {{holes}} in their texts: "
			"the request type of Jira Service Management, say.",
		.type = FW_OPT_CUSTOM,
		.parse = parse_fields,
		.offset = offsetof(struct jira, fields),
	},
	{
		.name = "close_transition",
		.help = "The transition that closes an issue, by its name.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct jira, close_transition),
		.fallback = "Done",
	},
	{
		.name = "user",
		.help = "Whose token it is, a mail address in the cloud; without it the token is "
			"sent as Bearer.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct jira, user),
	},
	{
		.name = "token_file",
		.help = "A file with the token.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct jira, token_file),
		.required = true,
	},
	{
		.name = "ca_file",
		.help = "Certificates (PEM) to believe instead of the system's.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct jira, ca_file),
	},
	{0},
};

const struct feed feed_jira = {
	.name = "jira",
	.help = "an issue of Jira for each alert, found by a label",
	.options = options,
	.config_size = sizeof(struct jira),
	.check = check,
	.deliver = deliver,
	.cancel = web_interrupt,
	.updates = takes_updates,
	.at_once = 1,
};
