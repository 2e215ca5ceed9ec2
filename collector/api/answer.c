/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"

#include <assert.h>
#include <string.h>

#include <zlib.h>

#include "parts.h"

#define FIRST_BYTES (2u << 20)  /* so much is ready before the first byte goes */
#define SMALL_BYTES (64u << 10) /* is not counted among what is held */
#define PIECE_BYTES (64u << 10)
#define BLOCK_BYTES (32u << 10) /* that microhttpd asks for */
#define GZIP_LEVEL 1
#define GZIP_WINDOW (MAX_WBITS + 16)

/* ---- pieces ---- */

struct packer {
	z_stream stream;
	struct fw_buf packed;
};

static struct packer *packer_new(void)
{
	struct packer *p = fw_alloc(sizeof *p);
	int rc = deflateInit2(
		&p->stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY);
	if (rc == Z_OK)
		return p;
	fw_free(p);
	return NULL;
}

static void packer_free(struct packer *p)
{
	if (!p)
		return;
	deflateEnd(&p->stream);
	fw_buf_done(&p->packed);
	fw_free(p);
}

/* What has been written becomes what it is packed. */
static void pack(struct request *r)
{
	struct packer *p = r->packer;
	int rc;
	fw_buf_reset(&p->packed);
	p->stream.next_in = r->out.data;
	p->stream.avail_in = (uInt)r->out.length;
	do {
		p->stream.next_out = fw_buf_reserve(&p->packed, PIECE_BYTES);
		p->stream.avail_out = PIECE_BYTES;
		rc = deflate(&p->stream, r->more ? Z_NO_FLUSH : Z_FINISH);
		assert(rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR);
		p->packed.length += PIECE_BYTES - p->stream.avail_out;
	} while (p->stream.avail_out == 0);
	struct fw_buf written = r->out;
	r->out = p->packed;
	p->packed = written;
}

static void make_pieces(struct request *r, size_t least)
{
	r->sent = 0;
	while (r->more && r->out.length < least)
		if (!r->more(r))
			r->more = NULL;
	if (r->packer)
		pack(r);
}

void answer_begin(struct request *r)
{
	if (r->takes_gzip && r->out.length > 0)
		r->packer = packer_new();
	make_pieces(r, FIRST_BYTES);
}

/* ---- on the wire ---- */

static ssize_t on_read(void *arg, uint64_t position, char *to, size_t room)
{
	struct request *r = arg;
	(void)position;
	while (r->sent == r->out.length) {
		if (!r->more)
			return MHD_CONTENT_READER_END_OF_STREAM;
		fw_buf_reset(&r->out);
		make_pieces(r, PIECE_BYTES);
	}
	size_t n = r->out.length - r->sent < room ? r->out.length - r->sent : room;
	memcpy(to, r->out.data + r->sent, n);
	r->sent += n;
	api_await(r->api, r->connection, true);
	return (ssize_t)n;
}

static struct MHD_Response *make_response(struct request *r)
{
	if (r->more)
		return MHD_create_response_from_callback(
			MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_read, r, NULL);
	if (!r->out.data)
		fw_buf_reserve(&r->out, 1);
	struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback(
		r->out.length, r->out.data, fw_free);
	if (response)
		r->out = (struct fw_buf){0}; /* the bytes are the response's now */
	return response;
}

static const struct {
	const char *name, *value;
} common_headers[] = {
	{MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
	{MHD_HTTP_HEADER_X_CONTENT_TYPE_OPTIONS, "nosniff"},
	{MHD_HTTP_HEADER_CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"},
	{"Referrer-Policy", "no-referrer"},
};

/* For pages of other origins that the configuration names. */
static const struct {
	const char *name, *value;
} cors_headers[] = {
	{"Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Origin"},
	{"Access-Control-Allow-Methods", "GET, POST, OPTIONS"},
	{"Access-Control-Expose-Headers", "Date"},
	{MHD_HTTP_HEADER_VARY, "Origin"},
};

static void add_headers(const struct request *r, struct MHD_Response *response)
{
	if (r->content_type)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, r->content_type);
	for (size_t i = 0; i < sizeof common_headers / sizeof *common_headers; i++)
		MHD_add_response_header(response, common_headers[i].name, common_headers[i].value);
	for (size_t i = 0; i < r->n_headers; i++)
		MHD_add_response_header(response, r->headers[i].name, r->headers[i].value);
	if (r->packer)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
	if (r->status == 401)
		MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
			"Basic realm=\"Fenwatch\", charset=\"UTF-8\"");
	const char *origin = api_cors_origin(r);
	if (!origin)
		return;
	MHD_add_response_header(response, "Access-Control-Allow-Origin", origin);
	for (size_t i = 0; i < sizeof cors_headers / sizeof *cors_headers; i++)
		MHD_add_response_header(response, cors_headers[i].name, cors_headers[i].value);
}

/* Who takes long answers slowly may hold memory, but not all of it. */
static void hold(struct request *r)
{
	size_t bytes = r->out.length + (r->more ? r->arena.used : 0);
	if (bytes <= SMALL_BYTES)
		return;
	if (api_hold(r->api, bytes)) {
		r->held_bytes = bytes;
		return;
	}
	packer_free(r->packer);
	r->packer = NULL;
	request_fail(r, 503, "unavailable",
		"too many answers that are long are on their way: ask again later, or for less");
	answer_begin(r);
}

enum MHD_Result answer_send(struct request *r)
{
	hold(r);
	struct MHD_Response *response = make_response(r);
	if (!response)
		return MHD_NO;
	add_headers(r, response);
	enum MHD_Result queued = MHD_queue_response(r->connection, r->status, response);
	MHD_destroy_response(response);
	return queued;
}

void answer_done(struct request *r)
{
	api_release(r->api, r->held_bytes);
	packer_free(r->packer);
	r->packer = NULL;
}
