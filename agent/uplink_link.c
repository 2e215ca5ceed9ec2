/* SPDX-License-Identifier: Apache-2.0 */
/* One connection, from its first word to its last: what is sent as far as the windows allow,
 * what has to be announced before it, and what the collector says. */
#include "uplink_internal.h"

#include <errno.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/conn.h>
#include <fenwatch/crc.h>
#include <fenwatch/items.h>
#include <fenwatch/log.h>
#include <fenwatch/mem.h>
#include <fenwatch/wire.h>

#define IDLE_MS 45000
#define HANDSHAKE_MS 30000         /* where all come back at once a collector lets them wait */
#define QUEUE_BYTES (64u << 10)    /* backlog waits while this much is queued, */
#define LIVE_BYTES (1u << 20)      /* live frames while this much is: */
#define WRITE_LIMIT (4u << 20)     /* what goes past this is lost on the connection */
#define MESSAGE_BYTES (256u << 10) /* memory for what the collector says at once */
#define KEY_AGAIN_MS 2000

/* ---- sending ---- */

static void link_write(struct link *l, const struct fw_buf *out)
{
	struct uplink *u = l->uplink;
	if (out->length == 0)
		return;
	/* A queue that is full ends in silence from a peer that reads nothing. */
	fw_conn_write(l->conn, out->data, out->length);
	uv_timer_again(&u->beat);
}

static bool collector_has(const struct link *l, const uint8_t *hash)
{
	for (size_t i = 0; i < l->n_have; i++)
		if (memcmp(l->have + i * FW_SCHEMA_HASH, hash, FW_SCHEMA_HASH) == 0)
			return true;
	return false;
}

static void announce_short(uint32_t id, const uint8_t *hash, struct fw_buf *out)
{
	Fenwatch__Wire__Schema schema = FENWATCH__WIRE__SCHEMA__INIT;
	schema.id = id;
	schema.hash.data = schema.base_hash.data = (uint8_t *)hash;
	schema.hash.len = schema.base_hash.len = FW_SCHEMA_HASH;
	fw_wire_put(out, FW_FRAME_SCHEMA, &schema.base);
}

static bool is_announced(const struct link *l, uint32_t id)
{
	for (size_t i = 0; i < l->n_announced; i++)
		if (l->announced[i] == id)
			return true;
	return false;
}

static int find_schema(const struct link *l, uint32_t id, const uint8_t **message, size_t *length)
{
	const struct uplink_config *config = &l->uplink->config;
	uint32_t base;
	if (config->ops->schema_difference(id, &base, message, length, config->arg) >= 0 &&
		is_announced(l, base))
		return 0;
	return config->ops->schema(id, message, length, config->arg);
}

static void announce(struct link *l, uint32_t id, struct fw_buf *out)
{
	const struct uplink_config *config = &l->uplink->config;
	if (id == 0 || is_announced(l, id))
		return;
	const uint8_t *hash = config->ops->schema_hash(id, config->arg), *message;
	size_t length;
	if (hash && collector_has(l, hash))
		announce_short(id, hash, out);
	else if (find_schema(l, id, &message, &length) >= 0)
		fw_frame_put(out, FW_FRAME_SCHEMA, message, length);
	l->announced = fw_realloc(l->announced, (l->n_announced + 1) * sizeof *l->announced);
	l->announced[l->n_announced++] = id;
}

/* Numbers of hosts are drawn from what they are called: should two ever have the same, each
 * takes it back from the other. */
static void announce_host(struct link *l, const struct frame *frame, struct fw_buf *out)
{
	if (frame->host_length == 0)
		return;
	uint32_t crc = fw_crc32c(0, frame->host_message, frame->host_length);
	size_t i = 0;
	while (i < l->n_hosts && l->hosts[i].id != frame->host)
		i++;
	if (i < l->n_hosts && l->hosts[i].crc == crc)
		return;
	fw_frame_put(out, FW_FRAME_HOST, frame->host_message, frame->host_length);
	if (i == l->n_hosts)
		l->hosts = fw_realloc(l->hosts, ++l->n_hosts * sizeof *l->hosts);
	l->hosts[i] = (struct announced_host){frame->host, crc};
}

static bool lane_is_open(const struct link *l, enum lane lane, const struct fw_buf *out)
{
	static const uint64_t windows[] = {WINDOW_LIVE, WINDOW_BACKLOG};
	size_t queued = fw_conn_queued(l->conn) + out->length;
	if (l->next[lane] - 1 - l->acked[lane] >= windows[lane])
		return false;
	if (lane == LANE_LIVE)
		return queued < LIVE_BYTES;
	return queued < QUEUE_BYTES && fw_mono_ms() >= l->resume_mono_ms;
}

void link_pump(struct link *l)
{
	const struct uplink_config *config = &l->uplink->config;
	struct fw_buf out = {0};
	for (enum lane lane = LANE_LIVE; lane < LANES; lane++) {
		struct frame frame;
		while (lane_is_open(l, lane, &out) &&
			config->ops->frame(lane, l->next[lane], &frame, config->arg) >= 0) {
			announce(l, frame.schema, &out);
			announce_host(l, &frame, &out);
			fw_frame_put(&out, frame.type, frame.payload, frame.length);
			l->next[lane]++;
		}
	}
	link_write(l, &out);
	fw_buf_done(&out);
}

void link_beat(struct link *l)
{
	struct fw_buf out = {0};
	fw_frame_put(&out, FW_FRAME_HEARTBEAT, "", 0);
	link_write(l, &out);
	fw_buf_done(&out);
	if (l->welcomed)
		link_pump(l);
}

void link_renew(struct link *l)
{
	const struct uplink_config *config = &l->uplink->config;
	struct fw_buf out = {0};
	struct fw_err err;
	if (!l->welcomed || l->renewing)
		return;
	l->renewing = true;
	if (config->ops->renewal(&out, &err, config->arg) < 0)
		fw_log(FW_ERROR, "renewing the certificate: %s", err.text);
	link_write(l, &out);
	fw_buf_done(&out);
}

/* ---- what the collector says; negative: the conversation is over ---- */

static int say_welcome(struct link *l, const void *message, struct fw_err *err)
{
	const Fenwatch__Wire__Welcome *welcome = message;
	struct uplink *u = l->uplink;
	if (l->welcomed)
		return fw_fail(err, -EPROTO, "a second welcome");
	l->have = fw_alloc(welcome->n_have_schema * FW_SCHEMA_HASH + 1);
	for (size_t i = 0; i < welcome->n_have_schema; i++)
		if (welcome->have_schema[i].len == FW_SCHEMA_HASH)
			memcpy(l->have + FW_SCHEMA_HASH * l->n_have++, welcome->have_schema[i].data,
				FW_SCHEMA_HASH);
	int rc = u->config.ops->on_welcome(welcome, u->config.arg);
	if (rc < 0)
		return fw_fail(err, rc, "begins anew with another stream");
	for (int lane = 0; lane < LANES; lane++) {
		l->next[lane] = u->config.ops->oldest((enum lane)lane, u->config.arg);
		l->acked[lane] = l->next[lane] - 1;
	}
	l->welcomed = true;
	u->failures = 0;
	fw_log(FW_INFO, "collector %s: connected", uplink_address(u));
	link_pump(l);
	return 0;
}

/* Batches on their way when a key was asked for are refused one by one; only the
 * first of these answers means something. */
static bool key_is_news(struct link *l)
{
	int64_t mono_ms = fw_mono_ms();
	uint64_t seq = l->acked[LANE_LIVE] + 1;
	if (l->keyed_seq == seq && mono_ms - l->keyed_mono_ms < KEY_AGAIN_MS)
		return false;
	l->keyed_seq = seq;
	l->keyed_mono_ms = mono_ms;
	return true;
}

static int say_ack(struct link *l, const void *message, struct fw_err *err)
{
	const Fenwatch__Wire__Ack *ack = message;
	const struct uplink_config *config = &l->uplink->config;
	uint64_t to[LANES] = {ack->live_to, ack->backlog_to};
	for (int lane = 0; lane < LANES; lane++) {
		if (to[lane] >= l->next[lane])
			return fw_fail(err, -EPROTO, "it acknowledges what was not sent");
		if (to[lane] > l->acked[lane])
			l->acked[lane] = to[lane];
	}
	config->ops->on_acked(l->acked, config->arg);
	if (ack->refused && ack->refused[0])
		fw_log(FW_WARNING, "collector %s does not store: %s", uplink_address(l->uplink),
			ack->refused);
	for (size_t i = 0; i < ack->n_need_document && i < FW_DOCUMENTS_LIMIT; i++)
		config->ops->on_need_document(ack->need_document[i], config->arg);
	if (ack->pause_ms)
		l->resume_mono_ms = fw_mono_ms() + ack->pause_ms;
	if (ack->need_schema)
		l->n_announced = l->n_have = 0;
	if (ack->need_schema || (ack->need_key && key_is_news(l))) {
		if (ack->need_key)
			config->ops->on_need_key(config->arg);
		l->next[LANE_LIVE] = l->acked[LANE_LIVE] + 1;
	}
	if (ack->need_schema)
		l->next[LANE_BACKLOG] = l->acked[LANE_BACKLOG] + 1;
	link_pump(l);
	return 0;
}

static int say_goodbye(struct link *l, const void *message, struct fw_err *err)
{
	const Fenwatch__Wire__Goodbye *goodbye = message;
	struct uplink *u = l->uplink;
	u->pause_at_least_ms =
		goodbye->retry_after_ms < UPLINK_FAR_MS ? goodbye->retry_after_ms : UPLINK_FAR_MS;
	switch (goodbye->reason) {
	case FENWATCH__WIRE__GOODBYE__REASON__REVOKED:
	case FENWATCH__WIRE__GOODBYE__REASON__CLONE:
		u->pause_at_least_ms = UPLINK_FAR_MS / 2;
		return fw_fail(err, -EACCES, "hangs up: %s; enrol anew, what waits is kept",
			goodbye->text);
	case FENWATCH__WIRE__GOODBYE__REASON__EXPIRED:
		u->must_renew = true;
		break;
	default:
		break;
	}
	return fw_fail(err, -ECONNRESET, "hangs up: %s", goodbye->text);
}

static int say(struct link *l, const struct fw_frame *frame, struct fw_err *err)
{
	static const struct {
		const ProtobufCMessageDescriptor *type;
		int (*take)(struct link *l, const void *message, struct fw_err *err);
	} sayings[FW_FRAME_TYPES] = {
		[FW_FRAME_WELCOME] = {&fenwatch__wire__welcome__descriptor, say_welcome},
		[FW_FRAME_ACK] = {&fenwatch__wire__ack__descriptor, say_ack},
		[FW_FRAME_GOODBYE] = {&fenwatch__wire__goodbye__descriptor, say_goodbye},
	};
	if (frame->type == FW_FRAME_HEARTBEAT)
		return 0;
	if (frame->type == FW_FRAME_ENROL_REPLY && l->renewing) {
		l->renewing = false;
		uplink_take_reply(l->uplink, frame->payload, frame->length);
		return 0;
	}
	if (!sayings[frame->type].take || (frame->type == FW_FRAME_ACK && !l->welcomed))
		return fw_fail(err, -EPROTO, "a %s out of place", fw_frame_name(frame->type));
	struct fw_arena arena = {.limit = MESSAGE_BYTES};
	void *message;
	int rc = fw_wire_unpack(
		sayings[frame->type].type, frame->payload, frame->length, &arena, &message, err);
	if (rc >= 0)
		rc = sayings[frame->type].take(l, message, err);
	fw_arena_done(&arena);
	return rc;
}

static int on_bytes(struct link *l, const uint8_t *data, size_t length, struct fw_err *err)
{
	int used = 0;
	fw_buf_append(&l->in, data, length);
	size_t at = 0;
	while (at < l->in.length) {
		struct fw_frame frame;
		used = fw_frame_cut(l->in.data + at, l->in.length - at, &frame, err);
		if (used > 0) {
			at += (unsigned)used;
			int rc = say(l, &frame, err);
			if (rc < 0)
				return rc;
		}
		if (used <= 0)
			break;
	}
	fw_buf_consume(&l->in, at);
	if (l->in.length == 0)
		fw_buf_done(&l->in);
	return used < 0 ? used : 0;
}

static void say_hello(struct link *l)
{
	struct uplink *u = l->uplink;
	struct fw_buf out = {0};
	u->config.ops->hello(&out, u->config.arg);
	uplink_begin_beating(u);
	link_write(l, &out);
	fw_buf_done(&out);
}

static void on_event(struct fw_conn *conn, const struct fw_conn_happening *happening, void *arg)
{
	struct link *l = arg;
	struct fw_err err;
	(void)conn;
	switch (happening->event) {
	case FW_CONN_READY:
		say_hello(l);
		break;
	case FW_CONN_DATA:
		if (on_bytes(l, happening->data, happening->length, &err) < 0)
			uplink_give_up(l->uplink, err.text);
		break;
	case FW_CONN_DRAINED:
		if (l->welcomed)
			link_pump(l);
		break;
	case FW_CONN_ENDED:
		uplink_give_up(l->uplink, happening->why);
		break;
	}
}

/* ---- from dial to end ---- */

int link_dial(struct uplink *u, struct fw_err *err)
{
	struct link *l = fw_alloc(sizeof *l);
	struct fw_conn_config config = {
		.tls = u->config.ops->tls(u->config.arg),
		.alpn = FW_ALPN,
		.handshake_ms = HANDSHAKE_MS,
		.idle_ms = IDLE_MS,
		.limit = WRITE_LIMIT,
		.on_event = on_event,
		.arg = l,
	};
	l->uplink = u;
	u->link = l;
	return fw_conn_dial(&l->conn, u->loop, uplink_address(u), u->config.proxy, &config, err);
}

void link_free(struct link *l)
{
	if (!l)
		return;
	if (l->conn)
		fw_conn_free(l->conn);
	fw_buf_done(&l->in);
	fw_free(l->announced);
	fw_free(l->hosts);
	fw_free(l->have);
	fw_free(l);
}
