/* SPDX-License-Identifier: Apache-2.0 */
/* A desk described as data: what to ask of which URL to open a ticket, where the
 * answer has its number, and what to ask to change and to close it. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <fenwatch/mem.h>

#include "feed.h"
#include "notice.h"
#include "pointer.h"
#include "secret.h"
#include "template.h"
#include "web.h"

#define HEADERS 16

enum encoding { ENCODING_JSON, ENCODING_FORM };

struct step {
	const char *method, *url;
	const struct fw_yaml *body;
};

/* What a desk is asked of a ticket, and which of its words mean what. */
struct poll_step {
	struct step ask;
	int64_t every_ms;
	const char *state; /* JSON pointer */
	const struct fw_yaml *accepted, *closed;
};

struct http {
	struct step open, update, close;
	struct poll_step poll;
	int encoding;
	const struct fw_yaml *headers;
	const char *ticket; /* JSON pointer */
	const char *levels[SEVERITIES];
	const char *token_file, *ca_file;
};

extern const struct feed feed_http;

/* ---- one request ---- */

static char *form_body(const struct fw_yaml *fields, const struct template_values *values)
{
	struct fw_buf out = {0};
	for (size_t i = 0; i < fw_yaml_count(fields); i++) {
		if (i > 0)
			fw_buf_putc(&out, '&');
		fw_buf_puts(&out, fw_yaml_text(fw_yaml_key(fields, i)));
		fw_buf_putc(&out, '=');
		template_fill(&out, fw_yaml_text(fw_yaml_item(fields, i)), values, TEMPLATE_FORM);
	}
	return out.data ? (char *)out.data : fw_strdup("");
}

static char *json_body(const struct fw_yaml *tree, const struct template_values *values)
{
	json_t *json = template_json(tree, values);
	char *text = json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	char *copy = text ? fw_strdup(text) : NULL;
	free(text);
	json_decref(json);
	return copy;
}

/* The configured ones and ours; the caller frees what lies in `space`. */
static void fill_headers(
	const struct http *http, const struct template_values *values, char *space[HEADERS + 3])
{
	size_t n = 0;
	space[n++] = fw_strdup(http->encoding == ENCODING_JSON
			? "Content-Type: application/json"
			: "Content-Type: application/x-www-form-urlencoded");
	space[n++] = fw_format("Idempotency-Key: %s", values->notice->idempotency);
	for (size_t i = 0; http->headers && i < fw_yaml_count(http->headers); i++) {
		struct fw_buf line = {0};
		fw_buf_printf(&line, "%s: ", fw_yaml_text(fw_yaml_key(http->headers, i)));
		template_fill(&line, fw_yaml_text(fw_yaml_item(http->headers, i)), values,
			TEMPLATE_HEADER);
		space[n++] = (char *)line.data;
	}
	space[n] = NULL;
}

static void ask(struct delivery *delivery, const struct step *step,
	const struct template_values *values, web_done *on_done)
{
	const struct http *http = delivery->config;
	struct fw_buf url = {0};
	char *headers[HEADERS + 3], *body = NULL;
	if (step->body)
		body = (http->encoding == ENCODING_JSON ? json_body : form_body)(
			step->body, values);
	fill_headers(http, values, headers);
	template_fill(&url, step->url, values, TEMPLATE_URL);
	if (step->body && !body)
		feed_finish(delivery, REFUSED, "the notice is not UTF-8");
	else
		web_ask(delivery,
			&(struct web_call){.method = step->method,
				.url = (char *)url.data,
				.headers = (const char *const *)headers,
				.body = body,
				.ca_file = http->ca_file},
			on_done);
	for (size_t i = 0; headers[i]; i++)
		secret_forget(headers[i]);
	secret_forget((char *)url.data);
	secret_forget(body);
}

/* ---- opening and closing ---- */

static void on_opened(const struct web_answer *answer, void *arg)
{
	struct delivery *delivery = arg;
	const struct http *http = delivery->config;
	if (answer->status / 100 == 2 && http->ticket)
		pointer_text(answer->body, answer->length, http->ticket, delivery->receipt,
			sizeof delivery->receipt);
	web_finish(answer, delivery);
}

static bool step_uses(const struct step *step, const char *name)
{
	return (step->url && template_uses(step->url, name)) ||
		template_tree_uses(step->body, name);
}

static const struct step *step_of(const struct http *http, const struct notice *notice)
{
	if (notice->is_update)
		return &http->update;
	return notice_is_over(notice) ? &http->close : &http->open;
}

static void begin(struct delivery *delivery, const struct fw_secret *token)
{
	const struct http *http = delivery->config;
	const struct notice *notice = delivery->notice;
	const struct step *step = step_of(http, notice);
	const struct template_values values = {
		.notice = notice,
		.level = http->levels[notice_severity(notice)],
		.token = token->text,
	};
	if (!step->url)
		feed_finish(delivery, DELIVERED, "this feed does not tell of it");
	else if (step_uses(step, "ticket") && !*notice->receipt)
		feed_finish(delivery, REFUSED,
			"the answer to its open had no ticket number, so nothing can be done to it");
	else
		ask(delivery, step, &values, step == &http->open ? on_opened : web_finish);
}

/* ---- asking ---- */

static bool is_one_of(const struct fw_yaml *words, const char *word)
{
	if (!words || fw_yaml_kind(words) != FW_YAML_SEQUENCE)
		return words && strcmp(fw_yaml_text(words), word) == 0;
	for (size_t i = 0; i < fw_yaml_count(words); i++)
		if (strcmp(fw_yaml_text(fw_yaml_item(words, i)), word) == 0)
			return true;
	return false;
}

static void on_polled(const struct web_answer *answer, void *arg)
{
	struct delivery *delivery = arg;
	const struct http *http = delivery->config;
	char word[FEED_RECEIPT] = "";
	if (answer->status / 100 == 2)
		pointer_text(answer->body, answer->length, http->poll.state, word, sizeof word);
	if (is_one_of(http->poll.closed, word))
		delivery->desk = DESK_CLOSED;
	else if (is_one_of(http->poll.accepted, word))
		delivery->desk = DESK_ACCEPTED;
	web_finish(answer, delivery);
}

static int64_t poll_ms(const void *config)
{
	const struct http *http = config;
	return http->poll.ask.url ? http->poll.every_ms : 0;
}

static void poll(struct delivery *delivery)
{
	const struct http *http = delivery->config;
	struct fw_secret token;
	struct fw_err err;
	struct template_values values = {
		.notice = delivery->notice, .level = "", .token = token.text};
	if (fw_secret_read(&token, http->token_file, &err) < 0)
		feed_finish(delivery, TRY_LATER, err.text);
	else
		ask(delivery, &http->poll.ask, &values, on_polled);
	fw_secret_wipe(&token);
}

static bool takes_updates(const void *config)
{
	const struct http *http = config;
	return http->update.url;
}

static void deliver(struct delivery *delivery)
{
	const struct http *http = delivery->config;
	struct fw_secret token;
	struct fw_err err;
	if (fw_secret_read(&token, http->token_file, &err) < 0)
		feed_finish(delivery, TRY_LATER, err.text);
	else
		begin(delivery, &token);
	fw_secret_wipe(&token);
}

/* ---- the configuration ---- */

/* With holes only behind the host, so that no host can choose who is asked. */
static int check_url(const char *url, struct fw_err *err)
{
	const char *hole = strstr(url, "{{"), *host = strstr(url, "://");
	const char *path = host ? strpbrk(host + 3, "/?#") : NULL;
	if (hole && (!path || hole < path))
		return fw_fail(err, -EINVAL, "a URL's scheme and host have no {{holes}}");
	int rc = template_check(url, err);
	if (rc < 0)
		return rc;
	char *fixed = fw_strndup(url, hole ? (size_t)(hole - url) : strlen(url));
	rc = web_check_url(fixed, err);
	fw_free(fixed);
	return rc;
}

static int parse_url(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct fw_err why = {""};
	const char *url = fw_yaml_text(node);
	if (!url || check_url(url, &why) < 0)
		return fw_yaml_fail(node, err, "url: %s", url ? why.text : "a text is expected");
	*(const char **)field = fw_arena_strdup(arena, url);
	return 0;
}

static int parse_body(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	(void)arena;
	*(const struct fw_yaml **)field = node;
	return template_check_tree(node, err);
}

static int check_flat(const struct fw_yaml *node, const char *what, struct fw_err *err)
{
	if (fw_yaml_kind(node) != FW_YAML_MAPPING)
		return fw_yaml_fail(node, err, "%s are written like {Name: value}", what);
	for (size_t i = 0; i < fw_yaml_count(node); i++)
		if (!fw_yaml_text(fw_yaml_item(node, i)))
			return fw_yaml_fail(fw_yaml_item(node, i), err,
				"%s have single values, no lists and sections", what);
	return 0;
}

static bool is_header_name(const char *name)
{
	size_t length = strlen(name);
	return length > 0 && length <= 64 &&
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
		length;
}

static int parse_headers(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	(void)arena;
	int rc = check_flat(node, "headers", err);
	if (rc < 0)
		return rc;
	if (fw_yaml_count(node) > HEADERS)
		return fw_yaml_fail(node, err, "more than %d headers", HEADERS);
	for (size_t i = 0; i < fw_yaml_count(node); i++)
		if (!is_header_name(fw_yaml_text(fw_yaml_key(node, i))))
			return fw_yaml_fail(fw_yaml_key(node, i), err,
				"'%.60s' is no header's name", fw_yaml_text(fw_yaml_key(node, i)));
	*(const struct fw_yaml **)field = node;
	return template_check_tree(node, err);
}

static int level_of(const char *name)
{
	for (int i = 0; i < SEVERITIES; i++)
		if (strcmp(severity_names[i], name) == 0)
			return i;
	return -1;
}

static int parse_levels(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	const char **levels = field;
	int rc = check_flat(node, "levels", err);
	for (size_t i = 0; rc == 0 && i < fw_yaml_count(node); i++) {
		const char *name = fw_yaml_text(fw_yaml_key(node, i));
		int level = level_of(name);
		if (level < 0)
			return fw_yaml_fail(fw_yaml_key(node, i), err,
				"'%.60s' is no severity: critical, major, minor, warning, info",
				name);
		levels[level] = fw_arena_strdup(arena, fw_yaml_text(fw_yaml_item(node, i)));
	}
	for (size_t i = 0; rc == 0 && i < SEVERITIES; i++)
		if (!levels[i])
			return fw_yaml_fail(node, err, "levels lack '%s'", severity_names[i]);
	return rc;
}

static int check_step(
	const struct http *http, const struct step *step, const char *name, struct fw_err *err)
{
	if (!step->url && step->body)
		return fw_fail(err, -EINVAL, "%s: a body without a url", name);
	if (step_uses(step, "level") && !*http->levels)
		return fw_fail(err, -EINVAL, "%s: {{level}} needs `levels`", name);
	if (step->body && http->encoding == ENCODING_FORM)
		return check_flat(step->body, "forms", err);
	return 0;
}

static int check_poll(const struct http *http, struct fw_err *err)
{
	const struct poll_step *poll = &http->poll;
	if (!poll->ask.url)
		return check_step(http, &poll->ask, "poll", err);
	if (!http->ticket)
		return fw_fail(err, -EINVAL,
			"poll: which ticket is asked for needs `ticket`: where the open's answer has it");
	if (!poll->state || *poll->state != '/')
		return fw_fail(err, -EINVAL,
			"poll: state: where the answer has it, a JSON pointer: /status");
	if (!poll->accepted && !poll->closed)
		return fw_fail(err, -EINVAL,
			"poll: `accepted` or `closed`: which words for a state mean that");
	return check_step(http, &poll->ask, "poll", err);
}

static int check(const void *config, struct fw_err *err)
{
	const struct http *http = config;
	if (!http->open.url)
		return fw_fail(
			err, -EINVAL, "open: {method: POST, url: ..., body: ...} is missing");
	if (step_uses(&http->open, "ticket"))
		return fw_fail(err, -EINVAL, "open: there is no {{ticket}} yet");
	if ((step_uses(&http->close, "ticket") || step_uses(&http->update, "ticket")) &&
		!http->ticket)
		return fw_fail(
			err, -EINVAL, "{{ticket}} needs `ticket`: where the open's answer has it");
	if (http->ticket && *http->ticket != '/')
		return fw_fail(err, -EINVAL, "ticket: a JSON pointer begins with '/': /result/id");
	int rc = check_step(http, &http->open, "open", err);
	if (rc == 0)
		rc = check_step(http, &http->update, "update", err);
	if (rc == 0)
		rc = check_poll(http, err);
	return rc < 0 ? rc : check_step(http, &http->close, "close", err);
}

static const struct fw_option step_table[] = {
	{
		.name = "method",
		.help = "The request's method.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct step, method),
		.fallback = "POST",
	},
	{
		.name = "url",
		.help = "Whom to ask, with {{holes}} behind the host.",
		.type = FW_OPT_CUSTOM,
		.parse = parse_url,
		.offset = offsetof(struct step, url),
	},
	{
		.name = "body",
		.help = "What to send, written as YAML, with {{holes}} in its texts.",
		.type = FW_OPT_CUSTOM,
		.parse = parse_body,
		.offset = offsetof(struct step, body),
	},
	{0},
};

static int parse_words(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	bool list = fw_yaml_kind(node) == FW_YAML_SEQUENCE;
	(void)arena;
	for (size_t i = 0; i < (list ? fw_yaml_count(node) : 1); i++) {
		const struct fw_yaml *word = list ? fw_yaml_item(node, i) : node;
		if (!fw_yaml_text(word) || !*fw_yaml_text(word))
			return fw_yaml_fail(word, err, "words are written like [Closed, Resolved]");
	}
	*(const struct fw_yaml **)field = node;
	return 0;
}

static const struct fw_option poll_table[] = {
	{
		.name = "method",
		.help = "The request's method.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct poll_step, ask.method),
		.fallback = "GET",
	},
	{
		.name = "url",
		.help = "Where the ticket is, with {{holes}} behind the host.",
		.type = FW_OPT_CUSTOM,
		.parse = parse_url,
		.offset = offsetof(struct poll_step, ask.url),
	},
	{
		.name = "body",
		.help = "What to send, if anything.",
		.type = FW_OPT_CUSTOM,
		.parse = parse_body,
		.offset = offsetof(struct poll_step, ask.body),
	},
	{
		.name = "every",
		.help = "How long after its open it is asked for; the pause grows to an hour as "
			"long as nothing changes.",
		.type = FW_OPT_DURATION,
		.offset = offsetof(struct poll_step, every_ms),
		.fallback = "2m",
		.min = 1000,
		.max = 24 * 3600 * 1000,
	},
	{
		.name = "state",
		.help = "Where the answer has the ticket's state: a JSON pointer.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct poll_step, state),
	},
	{
		.name = "accepted",
		.help = "Which states mean that somebody has taken it up.",
		.type = FW_OPT_CUSTOM,
		.parse = parse_words,
		.offset = offsetof(struct poll_step, accepted),
	},
	{
		.name = "closed",
		.help = "Which states mean that the desk has closed it.",
		.type = FW_OPT_CUSTOM,
		.parse = parse_words,
		.offset = offsetof(struct poll_step, closed),
	},
	{0},
};

static const char *const encodings[] = {"json", "form", NULL};

static const struct fw_option options[] = {
	{
		.name = "open",
		.help = "The request for an alert that fires.",
		.type = FW_OPT_SECTION,
		.section = step_table,
		.offset = offsetof(struct http, open),
	},
	{
		.name = "update",
		.help = "The request for one that goes on and was taken up, or has another "
			"priority; without it that is not told.",
		.type = FW_OPT_SECTION,
		.section = step_table,
		.offset = offsetof(struct http, update),
	},
	{
		.name = "close",
		.help = "The request for its end; without it ends are not told.",
		.type = FW_OPT_SECTION,
		.section = step_table,
		.offset = offsetof(struct http, close),
	},
	{
		.name = "poll",
		.help = "The request that asks what has become of a ticket; without it nobody asks.",
		.type = FW_OPT_SECTION,
		.section = poll_table,
		.offset = offsetof(struct http, poll),
	},
	{
		.name = "encoding",
		.help = "How bodies are sent.",
		.type = FW_OPT_CHOICE,
		.choices = encodings,
		.offset = offsetof(struct http, encoding),
		.fallback = "json",
	},
	{
		.name = "headers",
		.help = "Headers of every request, with {{holes}}.",
		.type = FW_OPT_CUSTOM,
		.parse = parse_headers,
		.offset = offsetof(struct http, headers),
	},
	{
		.name = "ticket",
		.help = "Where the open's answer has the ticket's number: a JSON pointer.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct http, ticket),
	},
	{
		.name = "levels",
		.help = "The receiver's words for severities: what {{level}} becomes.",
		.type = FW_OPT_CUSTOM,
		.parse = parse_levels,
		.offset = offsetof(struct http, levels),
	},
	{
		.name = "token_file",
		.help = "A file with what {{token}} becomes.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct http, token_file),
	},
	{
		.name = "ca_file",
		.help = "Certificates (PEM) to believe instead of the system's.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct http, ca_file),
	},
	{0},
};

const struct feed feed_http = {
	.name = "http",
	.help = "a desk described as data: requests to open and to close, and the ticket's number",
	.options = options,
	.config_size = sizeof(struct http),
	.check = check,
	.deliver = deliver,
	.cancel = web_interrupt,
	.updates = takes_updates,
	.poll_ms = poll_ms,
	.poll = poll,
};
