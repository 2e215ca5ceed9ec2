/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange.h"

#include <fenwatch/buf.h>
#include <fenwatch/conn.h>
#include <fenwatch/frame.h>
#include <fenwatch/mem.h>

struct exchange {
	struct exchange_config config;
	struct fw_conn *conn;
	struct fw_buf request, in;
};

/* The reply, or a failure that ends the conversation. */
static void on_data(struct exchange *x, const uint8_t *data, size_t length)
{
	struct fw_frame frame;
	struct fw_err err;
	fw_buf_append(&x->in, data, length);
	int rc = fw_frame_cut(x->in.data, x->in.length, &frame, &err);
	if (rc == 0)
		return;
	fw_conn_free(x->conn);
	x->conn = NULL;
	if (rc > 0 && frame.type == FW_FRAME_ENROL_REPLY)
		x->config.on_done(frame.payload, frame.length, NULL, x->config.arg);
	else
		x->config.on_done(NULL, 0,
			rc < 0 ? err.text : "the collector's answer makes no sense", x->config.arg);
}

static void on_event(struct fw_conn *conn, const struct fw_conn_happening *happening, void *arg)
{
	struct exchange *x = arg;
	switch (happening->event) {
	case FW_CONN_READY:
		fw_conn_write(conn, x->request.data, x->request.length);
		break;
	case FW_CONN_DATA:
		on_data(x, happening->data, happening->length);
		break;
	case FW_CONN_DRAINED:
		break;
	case FW_CONN_ENDED:
		fw_conn_free(x->conn);
		x->conn = NULL;
		x->config.on_done(NULL, 0, happening->why, x->config.arg);
		break;
	}
}

int exchange_open(struct exchange **out, uv_loop_t *loop, const struct exchange_config *config,
	const uint8_t *request, size_t length, struct fw_err *err)
{
	struct exchange *x = fw_alloc(sizeof *x);
	x->config = *config;
	fw_buf_append(&x->request, request, length);
	struct fw_conn_config conn = {
		.tls = config->tls,
		.alpn = FW_ALPN_ENROL,
		.handshake_ms = 30000, /* as the uplink: it may have to wait to be let in */
		.idle_ms = 30000,
		.limit = 1u << 20,
		.on_event = on_event,
		.arg = x,
	};
	int rc = fw_conn_dial(&x->conn, loop, config->collector, config->proxy, &conn, err);
	if (rc < 0) {
		exchange_free(x);
		return rc;
	}
	*out = x;
	return 0;
}

void exchange_free(struct exchange *x)
{
	if (!x)
		return;
	if (x->conn)
		fw_conn_free(x->conn);
	fw_buf_done(&x->request);
	fw_buf_done(&x->in);
	fw_free(x);
}
