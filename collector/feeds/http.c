/* SPDX-License-Identifier: Apache-2.0 */
/* A desk described as data: what to ask of which URL to open a ticket, where the
 * answer has its number, and what to ask to change and to close it. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <fenwatch/mem.h>

#include "http.h"
#include "pointer.h"
#include "secret.h"
#include "template.h"
#include "web.h"

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
static void fill_headers(const struct http *http, const struct template_values *values,
	char *space[HTTP_HEADERS + 3])
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

static void ask(struct delivery *delivery, const struct http_step *step,
	const struct template_values *values, web_done *on_done)
{
	const struct http *http = delivery->config;
	struct fw_buf url = {0};
	char *headers[HTTP_HEADERS + 3], *body = NULL;
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

static const struct http_step *step_of(const struct http *http, const struct notice *notice)
{
	if (notice->is_update)
		return &http->update;
	return notice_is_over(notice) ? &http->close : &http->open;
}

static void begin(struct delivery *delivery, const struct fw_secret *token)
{
	const struct http *http = delivery->config;
	const struct notice *notice = delivery->notice;
	const struct http_step *step = step_of(http, notice);
	const struct template_values values = {
		.notice = notice,
		.level = levels_word(&http->levels, notice),
		.token = token->text,
	};
	if (!step->url)
		feed_finish(delivery, DELIVERED, "this feed does not tell of it");
	else if (http_step_uses(step, "ticket") && !*notice->receipt)
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

const struct feed feed_http = {
	.name = "http",
	.help = "a desk described as data: requests to open and to close, and the ticket's number",
	.options = http_options,
	.config_size = sizeof(struct http),
	.check = http_check,
	.deliver = deliver,
	.cancel = web_interrupt,
	.updates = takes_updates,
	.poll_ms = poll_ms,
	.poll = poll,
};
