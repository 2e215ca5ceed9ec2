/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <fenwatch/clock.h>
#include <fenwatch/text.h>

#include "answer.h"
#include "estate.h"
#include "parts.h"
#include "retiring.h"

#define FORM "application/x-www-form-urlencoded"
#define JSON "application/json"

/* ---- answers ---- */

static void set_answer(struct request *r, unsigned status, const char *content_type)
{
	r->status = status;
	r->content_type = content_type;
	fw_buf_reset(&r->out);
	r->out.limit = REQUEST_ANSWER_LIMIT;
	r->json = (struct json){.out = &r->out};
	r->more = NULL;
}

struct json *request_begin(struct request *r)
{
	set_answer(r, 200, "application/json");
	json_open(&r->json, '{');
	json_put_text(&r->json, "status", "success");
	json_key(&r->json, "data");
	return &r->json;
}

void request_end(struct request *r, const char *const *warnings, size_t n_warnings)
{
	if (n_warnings > 0) {
		json_key(&r->json, "warnings");
		json_open(&r->json, '[');
		for (size_t i = 0; i < n_warnings; i++)
			json_text(&r->json, warnings[i]);
		json_close(&r->json, ']');
	}
	json_close(&r->json, '}');
	if (r->out.overflowed)
		request_fail(r, 422, "execution",
			"the answer would be longer than %zu MiB: ask for less",
			REQUEST_ANSWER_LIMIT >> 20);
}

void request_fail(struct request *r, unsigned status, const char *type, const char *format, ...)
{
	char sentence[512];
	va_list args;
	va_start(args, format);
	vsnprintf(sentence, sizeof sentence, format, args);
	va_end(args);
	set_answer(r, status, "application/json");
	r->out.overflowed = false;
	json_open(&r->json, '{');
	json_put_text(&r->json, "status", "error");
	json_put_text(&r->json, "errorType", type);
	json_put_text(&r->json, "error", sentence);
	json_close(&r->json, '}');
}

void request_fail_bad(struct request *r, const struct fw_err *err)
{
	request_fail(r, 400, "bad_data", "%s", err->text);
}

void request_text(struct request *r, unsigned status, const char *text)
{
	set_answer(r, status, "text/plain; charset=utf-8");
	fw_buf_puts(&r->out, text);
}

void request_nothing(struct request *r)
{
	set_answer(r, 204, NULL);
}

void request_unchanged(struct request *r)
{
	set_answer(r, 304, NULL);
}

void request_header(struct request *r, const char *name, const char *value)
{
	assert(r->n_headers < REQUEST_HEADERS);
	r->headers[r->n_headers].name = name;
	r->headers[r->n_headers++].value = value;
}

void request_stream(struct request *r, bool (*more)(struct request *), void *rest)
{
	r->more = more;
	r->rest = rest;
}

/* ---- admission: everything that can be refused before a body is read ---- */

struct header_count {
	unsigned lengths, encodings;
};

static enum MHD_Result count_header(
	void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct header_count *count = arg;
	(void)kind;
	(void)value;
	count->lengths += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
	count->encodings += strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
	return MHD_YES;
}

static void refuse_length(struct request *r)
{
	api_count_too_long(r->api);
	request_fail(
		r, 413, "bad_data", "the body is longer than %u MiB", REQUEST_BODY_LIMIT >> 20);
}

/* Two lengths are how requests are smuggled past a proxy. */
static void check_framing(struct request *r)
{
	struct header_count count = {0};
	MHD_get_connection_values(r->connection, MHD_HEADER_KIND, count_header, &count);
	if (count.lengths > 1 || count.encodings > 1 || (count.lengths && count.encodings)) {
		request_fail(r, 400, "bad_data", "the length of the body is given more than once");
		return;
	}
	const char *text = MHD_lookup_connection_value(
		r->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
	uint64_t length;
	if (text && (fw_parse_u64(text, &length) < 0 || length > REQUEST_BODY_LIMIT))
		refuse_length(r);
}

static void find_route(struct request *r, const char *method, const char *path)
{
	bool path_known;
	if (strcmp(method, "HEAD") == 0)
		method = "GET";
	r->route = routes_find(method, path, &r->path_value, &r->arena, &path_known);
	if (r->route)
		return;
	if (!path_known)
		request_text(r, 404, "404 page not found\n");
	else
		request_fail(r, 405, "bad_data", "this path has no method %.16s", method);
}

struct reading {
	struct request *request;
	const char *name;    /* of a form's value that comes in pieces, */
	struct fw_buf value; /* and what has come of it */
	struct fw_err err;
	int rc;
};

static enum MHD_Result on_argument(void *arg, enum MHD_ValueKind kind, const char *name,
	size_t name_length, const char *value, size_t length)
{
	struct reading *reading = arg;
	(void)kind;
	(void)name_length;
	reading->rc = params_add(
		&reading->request->params, name, value ? value : "", length, &reading->err);
	return reading->rc < 0 ? MHD_NO : MHD_YES;
}

static void read_arguments(struct request *r)
{
	struct reading reading = {.request = r};
	MHD_get_connection_values_n(r->connection, MHD_GET_ARGUMENT_KIND, on_argument, &reading);
	if (reading.rc < 0)
		request_fail_bad(r, &reading.err);
}

/* What a browser asks before a page of another origin may; it sends no token then. */
static void answer_options(struct request *r, const char *path)
{
	bool path_known = strncmp(path, "/api/", 5) == 0;
	if (!path_known)
		routes_find("OPTIONS", path, &r->path_value, &r->arena, &path_known);
	if (path_known)
		set_answer(r, 204, NULL);
	else
		request_text(r, 404, "404 page not found\n");
}

static void admit(struct request *r, const char *method, const char *path)
{
	check_framing(r);
	if (!r->status && strcmp(method, "OPTIONS") == 0)
		answer_options(r, path);
	if (!r->status)
		find_route(r, method, path);
	if (!r->status)
		auth_check(r);
	if (!r->status)
		read_arguments(r);
}

/* "gzip", unless with a weight of zero. */
static bool takes_gzip(struct MHD_Connection *connection)
{
	const char *list = MHD_lookup_connection_value(
		connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT_ENCODING);
	const char *at = list ? strcasestr(list, "gzip") : NULL;
	if (!at)
		return false;
	at += strlen("gzip");
	size_t length = strcspn(at, ",");
	return !memchr(at, ';', length) || strcspn(at, "123456789") < length;
}

static struct request *request_new(struct api *api, struct MHD_Connection *connection)
{
	struct request *r = fw_alloc(sizeof *r);
	r->api = api;
	r->connection = connection;
	r->params.arena = &r->arena;
	r->body.limit = REQUEST_BODY_LIMIT;
	r->now_ms = fw_wall_ms();
	r->takes_gzip = takes_gzip(connection);
	r->origin =
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ORIGIN);
	return r;
}

static void request_free(struct request *r)
{
	answer_done(r);
	estate_leave(r);
	retiring_leave(r);
	fw_buf_done(&r->body);
	fw_buf_done(&r->out);
	fw_arena_done(&r->arena);
	fw_free(r);
}

/* ---- the body ---- */

static void take_body(struct request *r, const char *data, size_t length)
{
	if (r->status)
		return;
	fw_buf_append(&r->body, data, length);
	if (r->body.overflowed)
		refuse_length(r);
}

static void add_form_value(struct reading *reading)
{
	if (reading->name && reading->rc == 0)
		reading->rc = params_add(&reading->request->params, reading->name,
			(const char *)reading->value.data, reading->value.length, &reading->err);
	reading->name = NULL;
	fw_buf_reset(&reading->value);
}

static enum MHD_Result on_form_value(void *arg, enum MHD_ValueKind kind, const char *name,
	const char *filename, const char *content_type, const char *encoding, const char *value,
	uint64_t offset, size_t length)
{
	struct reading *reading = arg;
	(void)kind;
	(void)filename;
	(void)content_type;
	(void)encoding;
	if (offset == 0) {
		add_form_value(reading);
		reading->name = fw_arena_strdup(&reading->request->arena, name);
	}
	fw_buf_append(&reading->value, value, length);
	return reading->rc < 0 ? MHD_NO : MHD_YES;
}

static bool process_form(struct request *r, struct reading *reading)
{
	struct MHD_PostProcessor *form =
		MHD_create_post_processor(r->connection, 4096, on_form_value, reading);
	if (!form)
		return false;
	bool whole = MHD_post_process(form, (const char *)r->body.data, r->body.length) == MHD_YES;
	whole = MHD_destroy_post_processor(form) == MHD_YES && whole;
	add_form_value(reading);
	fw_buf_done(&reading->value);
	return whole;
}

static void read_form(struct request *r)
{
	struct reading reading = {.request = r};
	bool whole = process_form(r, &reading);
	if (reading.rc < 0)
		request_fail_bad(r, &reading.err);
	else if (!whole)
		request_fail(r, 400, "bad_data", "the form cannot be read");
}

static bool is_type(const char *said, const char *type)
{
	size_t length = strlen(type);
	return strncasecmp(said, type, length) == 0 && strchr("; \t", said[length]);
}

static void read_json(struct request *r)
{
	struct fw_err err;
	if (params_add_json(&r->params, (const char *)r->body.data, r->body.length, &err) < 0)
		request_fail_bad(r, &err);
}

static void read_body(struct request *r)
{
	const char *type = MHD_lookup_connection_value(
		r->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
	bool is_form = type && is_type(type, FORM), is_json = type && is_type(type, JSON);
	size_t in_address = r->params.count;
	if (r->body.length == 0 || r->route->raw)
		return;
	if (is_form || is_json)
		(is_form ? read_form : read_json)(r);
	else
		request_fail(r, 415, "bad_data",
			"a body must be a form or JSON: Content-Type: " FORM " or " JSON);
	params_put_first(&r->params, in_address);
}

static void check_texts(struct request *r)
{
	for (size_t i = 0; i < r->params.count && !r->status; i++)
		if (!fw_utf8_valid(r->params.items[i].value, strlen(r->params.items[i].value)))
			request_fail(r, 400, "bad_data",
				"invalid parameter \"%.60s\": it is not UTF-8",
				r->params.items[i].name);
	if (!r->status && r->path_value && !fw_utf8_valid(r->path_value, strlen(r->path_value)))
		request_fail(r, 400, "bad_data", "the path is not UTF-8");
}

/* ---- the answer ---- */

bool request_work(struct request *r)
{
	int64_t waited_ms = fw_mono_ms() - r->queued_ms;
	bool writes = r->route->writes;
	if (r->canceled)
		request_fail(r, 499, "canceled", "the client has gone away");
	else if (waited_ms > api_config(r->api)->query.timeout_ms)
		request_fail(r, 503, "timeout", "query timed out in query queue");
	else if (!writes)
		r->route->answer(r);
	if (writes && !r->status) {
		r->route->answer(r); /* and it may have been sent when this returns */
		return false;
	}
	answer_begin(r);
	return true;
}

void request_answered(struct request *r)
{
	answer_begin(r);
	api_answered(r->api, r);
}

/* Answers here and now. */
static enum MHD_Result reply(struct request *r)
{
	r->phase = REQUEST_ANSWERED;
	answer_begin(r);
	return answer_send(r);
}

/* ---- microhttpd's calls ---- */

static enum MHD_Result finish_reading(struct request *r)
{
	api_await(r->api, r->connection, false);
	if (!r->status)
		read_body(r);
	if (!r->status)
		check_texts(r);
	if (!r->status && r->route->prepare)
		r->route->prepare(r);
	if (!r->status && r->route->on_workers) {
		r->phase = REQUEST_WAITING;
		if (api_queue(r->api, r))
			return MHD_YES;
		request_fail(r, 503, "unavailable", "%d questions wait already: ask again later",
			API_QUEUE);
	}
	if (!r->status)
		r->route->answer(r);
	return reply(r);
}

enum MHD_Result request_on_access(void *api, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_size,
	void **state)
{
	struct request *r = *state;
	(void)version;
	if (!r) {
		*state = r = request_new(api, connection);
		admit(r, method, url);
		/* A refusal of something with a body goes out at once, and the body is not read. */
		return r->status ? reply(r) : MHD_YES;
	}
	if (*upload_size > 0) {
		take_body(r, upload, *upload_size);
		*upload_size = 0;
		return MHD_YES;
	}
	return r->phase == REQUEST_READING ? finish_reading(r) : answer_send(r);
}

void request_on_completed(void *api, struct MHD_Connection *connection, void **state,
	enum MHD_RequestTerminationCode why)
{
	(void)why;
	if (*state)
		request_free(*state);
	*state = NULL;
	api_await(api, connection, true);
}
