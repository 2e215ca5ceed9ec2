/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/log.h>

static void on_conn_event(
	struct fw_conn *conn, const struct fw_conn_happening *happening, void *arg);

bool id_map_find(struct id_map *map, uint32_t wire, uint32_t *store)
{
	if (map->last < map->count && map->pairs[map->last].wire == wire) {
		*store = map->pairs[map->last].store;
		return true;
	}
	for (unsigned i = 0; i < map->count; i++)
		if (map->pairs[i].wire == wire) {
			map->last = i;
			*store = map->pairs[i].store;
			return true;
		}
	return false;
}

int id_map_set(struct id_map *map, unsigned limit, uint32_t wire, uint32_t store)
{
	uint32_t known;
	if (id_map_find(map, wire, &known)) {
		map->pairs[map->last].store = store;
		return 0;
	}
	if (map->count == limit)
		return -ENOSPC;
	if ((map->count & (map->count - 1)) == 0) {
		unsigned capacity = map->count ? 2 * map->count : 1;
		map->pairs = fw_realloc(map->pairs, capacity * sizeof *map->pairs);
	}
	map->pairs[map->count].wire = wire;
	map->pairs[map->count++].store = store;
	return 0;
}

/* Of an IPv6 address the network: a machine may have any number in it. */
static void address_of(int fd, uint8_t address[ADDRESS_BYTES])
{
	static const uint8_t mapped[12] = {[10] = 0xff, 0xff};
	struct sockaddr_storage peer = {0};
	socklen_t length = sizeof peer;
	memset(address, 0, ADDRESS_BYTES);
	if (getpeername(fd, (struct sockaddr *)&peer, &length) < 0)
		return;
	if (peer.ss_family == AF_INET) {
		memcpy(address, mapped, sizeof mapped);
		memcpy(address + 12, &((struct sockaddr_in *)(void *)&peer)->sin_addr, 4);
	} else if (peer.ss_family == AF_INET6) {
		const struct in6_addr *from = &((struct sockaddr_in6 *)(void *)&peer)->sin6_addr;
		memcpy(address, from, memcmp(from, mapped, sizeof mapped) == 0 ? 16 : 8);
	}
}

static bool turn_away(struct worker *worker, int fd, const char *why)
{
	fw_close(fd);
	atomic_fetch_add(&worker->counters.refused, 1);
	refusals_log(&worker->ingest->refusals, CAUSE_OVERLOAD, "a connection", NULL, why);
	return false;
}

/* Who came before, and could have said hello long since, makes room. */
static void make_room(struct worker *worker)
{
	struct waiter *waiter = pool_victim(&worker->pool);
	pool_leave(&worker->pool, waiter);
	session_refuse(FW_CONTAINER(waiter, struct session, waiter), CAUSE_OVERLOAD,
		FENWATCH__WIRE__GOODBYE__REASON__BUSY,
		"it has said nothing yet, and others are waiting");
}

static void enter(struct session *session, const uint8_t address[ADDRESS_BYTES])
{
	struct worker *worker = session->worker;
	session->accepted_ms = uv_now(&worker->loop);
	if (pool_is_full(&worker->pool))
		make_room(worker);
	pool_enter(&worker->pool, &session->waiter, address, session->accepted_ms);
	TAILQ_INSERT_TAIL(&worker->ungreeted, session, in_list);
	worker->n_sessions++;
	atomic_fetch_add(&worker->counters.connections, 1);
	atomic_fetch_add(&worker->ingest->n_connections, 1);
}

bool session_accept(struct worker *worker, int fd)
{
	uint8_t address[ADDRESS_BYTES];
	address_of(fd, address);
	if (atomic_load(&worker->ingest->n_connections) >= worker->ingest->connections_limit)
		return turn_away(worker, fd, "too few descriptors for one more (LimitNOFILE)");
	if (pool_is_hogged_by(&worker->pool, address))
		return turn_away(worker, fd, "too many from one address that say nothing");
	struct session *session = fw_alloc(sizeof *session);
	struct fw_conn_config config = {
		.tls = worker->tls,
		.handshake_ms = HANDSHAKE_MS,
		.idle_ms = SILENCE_MS,
		.limit = WRITE_LIMIT,
		.on_event = on_conn_event,
		.arg = session,
	};
	struct fw_err err;
	if (fw_conn_accept(&session->conn, &worker->loop, fd, &config, &err) < 0) {
		refusals_log(
			&worker->ingest->refusals, CAUSE_OVERLOAD, "a connection", NULL, err.text);
		fw_free(session);
		return false;
	}
	session->worker = worker;
	enter(session, address);
	return true;
}

static void leave_list(struct session *session)
{
	struct worker *worker = session->worker;
	if (session->is_greeted) {
		TAILQ_REMOVE(&worker->greeted, session, in_list);
		return;
	}
	TAILQ_REMOVE(&worker->ungreeted, session, in_list);
	pool_leave(&worker->pool, &session->waiter);
}

void session_greeted(struct session *session)
{
	if (session->is_greeted)
		return;
	leave_list(session);
	session->is_greeted = true;
	session->sent_ms = uv_now(&session->worker->loop);
	TAILQ_INSERT_TAIL(&session->worker->greeted, session, in_list);
}

void session_release(struct session *session)
{
	struct worker *worker = session->worker;
	if (session->conn || session->in_flight > 0 || session->is_handling)
		return;
	leave_list(session);
	if (session->is_dirty)
		TAILQ_REMOVE(&worker->dirty, session, in_dirty);
	if (session->is_paused)
		TAILQ_REMOVE(&worker->paused, session, in_paused);
	fw_free(session->schemas.pairs);
	fw_free(session->hosts.pairs);
	fw_free(session->name);
	fw_free(session->refused);
	fw_buf_done(&session->in);
	fw_buf_done(&session->welcome);
	fw_free(session);
	worker->n_sessions--;
	atomic_fetch_sub(&worker->counters.connections, 1);
	atomic_fetch_sub(&worker->ingest->n_connections, 1);
	worker_session_ended(worker);
}

/* ---- writing ---- */

void session_write(struct session *session, const struct fw_buf *frames)
{
	if (!session->conn || session->stage == STAGE_CLOSING)
		return;
	int rc = fw_conn_write(session->conn, frames->data, frames->length);
	if (rc == -ENOBUFS) {
		session->stage = STAGE_CLOSING;
		refusals_log(&session->worker->ingest->refusals, CAUSE_OVERLOAD,
			fw_conn_peer_address(session->conn), session->name,
			"it does not read what it is sent");
		fw_conn_close(session->conn);
	}
	session->sent_ms = uv_now(&session->worker->loop);
	if (session->is_greeted) {
		TAILQ_REMOVE(&session->worker->greeted, session, in_list);
		TAILQ_INSERT_TAIL(&session->worker->greeted, session, in_list);
	}
}

void session_send(struct session *session, enum fw_frame_type type, const ProtobufCMessage *message)
{
	struct fw_buf *out = &session->worker->out;
	fw_buf_reset(out);
	fw_wire_put(out, type, message);
	session_write(session, out);
}

void session_hang_up(struct session *session, Fenwatch__Wire__Goodbye__Reason reason,
	uint32_t retry_ms, const char *text)
{
	if (!session->conn || session->stage == STAGE_CLOSING)
		return;
	Fenwatch__Wire__Goodbye goodbye = FENWATCH__WIRE__GOODBYE__INIT;
	char copy[256];
	snprintf(copy, sizeof copy, "%s", text);
	goodbye.reason = reason;
	goodbye.text = copy;
	goodbye.retry_after_ms = retry_ms;
	if (session->stage != STAGE_TLS)
		session_send(session, FW_FRAME_GOODBYE, &goodbye.base);
	session->stage = STAGE_CLOSING;
	fw_conn_close(session->conn);
}

void session_refuse(struct session *session, enum cause cause,
	Fenwatch__Wire__Goodbye__Reason reason, const char *format, ...)
{
	if (!session->conn || session->stage == STAGE_CLOSING)
		return;
	char why[320];
	va_list args;
	va_start(args, format);
	vsnprintf(why, sizeof why, format, args);
	va_end(args);
	struct worker *worker = session->worker;
	atomic_fetch_add(&worker->counters.refused, 1);
	if (cause == CAUSE_PROTOCOL)
		atomic_fetch_add(&worker->counters.protocol_errors, 1);
	refusals_log(&worker->ingest->refusals, cause, fw_conn_peer_address(session->conn),
		session->name, why);
	session_hang_up(session, reason, 0, why);
}

/* ---- reading ---- */

#define IN(stage) (1u << (stage))

static void take_heartbeat(struct session *session, const struct fw_frame *frame)
{
	(void)session;
	(void)frame;
}

static const struct {
	unsigned stages; /* in which this frame may come */
	void (*take)(struct session *session, const struct fw_frame *frame);
} handlers[FW_FRAME_TYPES] = {
	[FW_FRAME_HELLO] = {IN(STAGE_HELLO), hello_take},
	[FW_FRAME_ENROL_REQUEST] = {IN(STAGE_HELLO) | IN(STAGE_ENROL) | IN(STAGE_STREAMING),
		hello_take_enrol},
	[FW_FRAME_SCHEMA] = {IN(STAGE_STREAMING), stream_take_schema},
	[FW_FRAME_HOST] = {IN(STAGE_STREAMING), stream_take_host},
	[FW_FRAME_BATCH] = {IN(STAGE_STREAMING), stream_take_batch},
	[FW_FRAME_DOCUMENT] = {IN(STAGE_STREAMING), stream_take_document},
	[FW_FRAME_EVENT] = {IN(STAGE_STREAMING), stream_take_event},
	[FW_FRAME_HEARTBEAT] = {IN(STAGE_HELLO) | IN(STAGE_ENROL) | IN(STAGE_STREAMING),
		take_heartbeat},
};

bool session_has_room(const struct session *session)
{
	return session->in_flight < FLIGHTS_LIMIT && session->flight_bytes < FLIGHT_BYTES_LIMIT &&
		session->worker->flight_bytes < WORKER_BYTES_LIMIT;
}

/* Frames wait while somebody else decides, or while too much is in flight. */
static bool is_ready(const struct session *session)
{
	return session->stage != STAGE_ASKED && session->stage != STAGE_OPENING &&
		session->stage != STAGE_CLOSING && session_has_room(session);
}

static void take_frame(struct session *session, const struct fw_frame *frame)
{
	atomic_fetch_add_explicit(&session->worker->counters.frames, 1, memory_order_relaxed);
	if (handlers[frame->type].stages & IN(session->stage))
		handlers[frame->type].take(session, frame);
	else if (session->stage == STAGE_ENROL && session->name)
		session_refuse(session, CAUSE_STANDING, FENWATCH__WIRE__GOODBYE__REASON__EXPIRED,
			"its certificate has expired: it may only renew");
	else
		session_refuse(session, CAUSE_PROTOCOL, FENWATCH__WIRE__GOODBYE__REASON__PROTOCOL,
			"a %s frame at the wrong moment", fw_frame_name(frame->type));
}

/* Takes whole frames off the front; returns the bytes used. */
static size_t take_frames(struct session *session, const uint8_t *data, size_t length)
{
	size_t used = 0;
	while (is_ready(session)) {
		struct fw_frame frame;
		struct fw_err err;
		int cut = fw_frame_cut(data + used, length - used, &frame, &err);
		if (cut < 0)
			session_refuse(session, CAUSE_PROTOCOL,
				FENWATCH__WIRE__GOODBYE__REASON__PROTOCOL, "%s", err.text);
		if (cut <= 0)
			break;
		used += (size_t)cut;
		take_frame(session, &frame);
	}
	return used;
}

static void wait_for_room(struct session *session)
{
	if (session->is_paused || session->stage == STAGE_CLOSING || is_ready(session))
		return;
	session->is_paused = true;
	TAILQ_INSERT_TAIL(&session->worker->paused, session, in_paused);
	fw_conn_pause(session->conn);
}

static void take_held(struct session *session)
{
	size_t used = take_frames(session, session->in.data, session->in.length);
	if (used == session->in.length)
		fw_buf_done(&session->in); /* who is idle holds no buffer */
	else
		fw_buf_consume(&session->in, used);
}

static bool may_go_on(struct session *session)
{
	if (!session->is_greeted && session->in.length > EARLY_BYTES)
		session_refuse(session, CAUSE_PROTOCOL, FENWATCH__WIRE__GOODBYE__REASON__PROTOCOL,
			"a frame of more than %u KiB before its hello", EARLY_BYTES >> 10);
	else if (session->stage == STAGE_STREAMING && fw_wall_ms() >= session->expires_ms)
		session_refuse(session, CAUSE_STANDING, FENWATCH__WIRE__GOODBYE__REASON__EXPIRED,
			"its certificate has expired: it may only renew");
	return session->stage != STAGE_CLOSING;
}

static void take_data(struct session *session, const uint8_t *data, size_t length)
{
	struct worker *worker = session->worker;
	atomic_fetch_add_explicit(&worker->counters.bytes, length, memory_order_relaxed);
	if (session->seat)
		atomic_store_explicit(&session->seat->heard_ms, fw_mono_ms(), memory_order_relaxed);
	session->is_handling = true;
	if (may_go_on(session) && session->in.length > 0) {
		fw_buf_append(&session->in, data, length);
		take_held(session);
	} else {
		size_t used = take_frames(session, data, length);
		if (used < length && session->stage != STAGE_CLOSING)
			fw_buf_append(&session->in, data + used, length - used);
	}
	wait_for_room(session);
	session->is_handling = false;
}

void session_resume(struct session *session)
{
	if (!session->is_paused || !is_ready(session))
		return;
	TAILQ_REMOVE(&session->worker->paused, session, in_paused);
	session->is_paused = false;
	if (!session->conn)
		return;
	session->is_handling = true;
	fw_conn_resume(session->conn);
	take_held(session);
	wait_for_room(session);
	session->is_handling = false;
}

/* ---- the connection's life ---- */

static void on_ended(struct session *session, const char *why)
{
	struct worker *worker = session->worker;
	if (session->stage == STAGE_TLS && !worker->stopping) {
		atomic_fetch_add(&worker->counters.refused, 1);
		refusals_log(&worker->ingest->refusals, CAUSE_TLS,
			fw_conn_peer_address(session->conn), NULL, why);
	} else if (session->seat) {
		fw_log(FW_INFO, "%s (%s) has gone: %s", session->name,
			fw_conn_peer_address(session->conn), why);
	}
	if (session->seat) {
		seats_leave(&worker->ingest->seats, session->seat);
		fw_free(session->seat);
		session->seat = NULL;
	}
	session->stage = STAGE_CLOSING;
	fw_conn_free(session->conn);
	session->conn = NULL;
	session_release(session);
}

static void on_conn_event(
	struct fw_conn *conn, const struct fw_conn_happening *happening, void *arg)
{
	struct session *session = arg;
	(void)conn;
	switch (happening->event) {
	case FW_CONN_READY:
		atomic_fetch_add(&session->worker->counters.handshakes, 1);
		hello_check_peer(session);
		break;
	case FW_CONN_DATA:
		take_data(session, happening->data, happening->length);
		break;
	case FW_CONN_DRAINED:
		break;
	case FW_CONN_ENDED:
		on_ended(session, happening->why);
		break;
	}
}
