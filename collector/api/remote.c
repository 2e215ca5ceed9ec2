/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus' remote protocols: see remote/. */
#include "remote.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <fenwatch/text.h>

#include "parts.h"
#include "read.h"

static const char *header(const struct request *r, const char *name)
{
	return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

/* The headers belong to the connection, so they are looked up on its thread. */
void remote_prepare_write(struct request *r)
{
	struct remote_write *write = fw_arena_alloc(&r->arena, sizeof *write);
	write->content_type = header(r, MHD_HTTP_HEADER_CONTENT_TYPE);
	write->encoding = header(r, MHD_HTTP_HEADER_CONTENT_ENCODING);
	r->rest = write;
}

static void tell_number(struct request *r, const char *name, uint64_t n)
{
	request_header(r, name, fw_arena_format(&r->arena, "%" PRIu64, n));
}

static void on_written(struct remote_write *write)
{
	struct request *r = write->arg;
	if (write->status == 204)
		request_nothing(r);
	else
		request_text(r, write->status, fw_arena_format(&r->arena, "%s\n", write->why));
	if (write->is_2) {
		tell_number(r, "X-Prometheus-Remote-Write-Samples-Written", write->samples);
		tell_number(r, "X-Prometheus-Remote-Write-Histograms-Written", 0);
		tell_number(r, "X-Prometheus-Remote-Write-Exemplars-Written", 0);
	}
	remote_write_done(write);
	request_answered(r);
}

void remote_write(struct request *r)
{
	struct remote_write *write = r->rest;
	write->body = r->body.data;
	write->length = r->body.length;
	write->now_ms = r->now_ms;
	write->on_done = on_written;
	write->arg = r;
	remote_receive(api_config(r->api)->remote, write);
}

/* ---- remote_read ---- */

static unsigned status_of(int rc)
{
	return rc == -EMSGSIZE ? 413 : rc == -E2BIG ? 422 : 400;
}

void remote_read_series(struct request *r)
{
	struct query_source source = {
		api_config(r->api)->store, r->scope, prometheus_limits(r).max_bytes};
	struct remote_read read = {
		.body = r->body.data,
		.length = r->body.length,
		.data = query_data(&source),
		.max_samples = prometheus_limits(r).max_samples,
		.canceled = &r->canceled,
		.arena = &r->arena,
		.out = &r->out,
	};
	struct fw_err err;
	r->takes_gzip = false;
	request_text(r, 200, "");
	int rc = remote_read(&read, &err);
	if (rc < 0) {
		request_text(r, status_of(rc), fw_arena_format(&r->arena, "%s\n", err.text));
		return;
	}
	r->content_type = read.content_type;
	if (read.packed)
		request_header(r, MHD_HTTP_HEADER_CONTENT_ENCODING, "snappy");
}

/* ---- back-filling ---- */

void remote_import_text(struct request *r)
{
	const char *text = params_get(&r->params, "text"), *line = params_get(&r->params, "line");
	uint64_t first = 1, samples;
	struct fw_err err;
	if (!text || (line && fw_parse_u64(line, &first) < 0)) {
		request_fail(r, 400, "bad_data",
			"text is needed: lines of OpenMetrics; line is the number of the first");
		return;
	}
	int rc = remote_import(
		api_config(r->api)->remote, text, strlen(text), first, r->now_ms, &samples, &err);
	if (rc < 0) {
		request_fail(r, rc == -EINVAL || rc == -ERANGE ? 400 : 503,
			rc == -EINVAL || rc == -ERANGE ? "bad_data" : "unavailable", "%s",
			err.text);
		return;
	}
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_put_int(j, "samples", (int64_t)samples);
	json_close(j, '}');
	request_end(r, NULL, 0);
}
