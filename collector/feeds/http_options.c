/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of the feed `http`, and what is wrong with a desk's description. */
#include "http.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "template.h"
#include "web.h"

/* ---- values ---- */

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
	if (fw_yaml_count(node) > HTTP_HEADERS)
		return fw_yaml_fail(node, err, "more than %d headers", HTTP_HEADERS);
	for (size_t i = 0; i < fw_yaml_count(node); i++)
		if (!is_header_name(fw_yaml_text(fw_yaml_key(node, i))))
			return fw_yaml_fail(fw_yaml_key(node, i), err,
				"'%.60s' is no header's name", fw_yaml_text(fw_yaml_key(node, i)));
	*(const struct fw_yaml **)field = node;
	return template_check_tree(node, err);
}

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

/* ---- the description as a whole ---- */

bool http_step_uses(const struct http_step *step, const char *hole)
{
	return (step->url && template_uses(step->url, hole)) ||
		template_tree_uses(step->body, hole);
}

static int check_step(
	const struct http *http, const struct http_step *step, const char *name, struct fw_err *err)
{
	if (!step->url && step->body)
		return fw_fail(err, -EINVAL, "%s: a body without a url", name);
	if (http_step_uses(step, "level") && !levels_are_set(&http->levels))
		return fw_fail(err, -EINVAL, "%s: {{level}} needs `levels`", name);
	if (step->body && http->encoding == ENCODING_FORM)
		return check_flat(step->body, "forms", err);
	return 0;
}

static int check_poll(const struct http *http, struct fw_err *err)
{
	const struct http_poll *poll = &http->poll;
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

int http_check(const void *config, struct fw_err *err)
{
	const struct http *http = config;
	if (!http->open.url)
		return fw_fail(
			err, -EINVAL, "open: {method: POST, url: ..., body: ...} is missing");
	if (http_step_uses(&http->open, "ticket"))
		return fw_fail(err, -EINVAL, "open: there is no {{ticket}} yet");
	if ((http_step_uses(&http->close, "ticket") || http_step_uses(&http->update, "ticket")) &&
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

/* ---- the rows ---- */

static const struct fw_option step_table[] = {
	{
		.name = "method",
		.help = "The request's method.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct http_step, method),
		.fallback = "POST",
	},
	{
		.name = "url",
		.help = "Whom to ask, with {{holes}} behind the host.",
		.type = FW_OPT_CUSTOM,
		.parse = parse_url,
		.offset = offsetof(struct http_step, url),
	},
	{
		.name = "body",
		.help = "What to send, written as YAML, with {{holes}} in its texts.",
		.type = FW_OPT_CUSTOM,
		.parse = parse_body,
		.offset = offsetof(struct http_step, body),
	},
	{0},
};

static const struct fw_option poll_table[] = {
	{
		.name = "method",
		.help = "The request's method.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct http_poll, ask.method),
		.fallback = "GET",
	},
	{
		.name = "url",
		.help = "Where the ticket is, with {{holes}} behind the host.",
		.type = FW_OPT_CUSTOM,
		.parse = parse_url,
		.offset = offsetof(struct http_poll, ask.url),
	},
	{
		.name = "body",
		.help = "What to send, if anything.",
		.type = FW_OPT_CUSTOM,
		.parse = parse_body,
		.offset = offsetof(struct http_poll, ask.body),
	},
	{
		.name = "every",
		.help = "How long after its open it is asked for; the pause grows to an hour as "
			"long as nothing changes.",
		.type = FW_OPT_DURATION,
		.offset = offsetof(struct http_poll, every_ms),
		.fallback = "2m",
		.min = 1000,
		.max = 24 * 3600 * 1000,
	},
	{
		.name = "state",
		.help = "Where the answer has the ticket's state: a JSON pointer.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct http_poll, state),
	},
	{
		.name = "accepted",
		.help = "Which states mean that somebody has taken it up.",
		.type = FW_OPT_CUSTOM,
		.parse = parse_words,
		.offset = offsetof(struct http_poll, accepted),
	},
	{
		.name = "closed",
		.help = "Which states mean that the desk has closed it.",
		.type = FW_OPT_CUSTOM,
		.parse = parse_words,
		.offset = offsetof(struct http_poll, closed),
	},
	{0},
};

static const char *const encodings[] = {"json", "form", NULL};

const struct fw_option http_options[] = {
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
		.help = "The receiver's words for severities, or for the priorities P1 to P5: what "
			"{{level}} becomes.",
		.type = FW_OPT_CUSTOM,
		.parse = levels_parse,
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
