/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus' remote protocols: see remote/. */
#include "remote.h"

#include <inttypes.h>

#include "parts.h"

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
