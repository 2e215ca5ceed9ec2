/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <fenwatch/loop.h>
#include <fenwatch/mem.h>
#include <fenwatch/wire.h>

#include "letters.h"

#define RETRY_MS 2000
#define QUEUED_LIMIT (256u << 10) /* bytes that the kernel has not taken */
#define MESSAGE_BYTES (256u << 10)

/* One connection to the agent, from the attempt to its end. */
struct line {
	struct probe *probe; /* NULL: nobody listens any more */
	struct fw_owner owner;
	uv_pipe_t pipe;
	uv_connect_t connect;
	struct fw_buf in;
	uint8_t bytes[4096];
};

struct probe {
	struct probe_config config;
	struct sockaddr_un agent; /* where it is: the caller may read its file anew */
	struct fw_owner owner;
	uv_timer_t retry;
	struct line *line;
	LIST_HEAD(hosts, probe_host) hosts;
	uint32_t n_hosts;
	struct letters letters;
	bool ready, told_lost;
};

static void on_retry(uv_timer_t *timer);

/* ---- the end of a connection ---- */

static void on_line_closed(struct fw_owner *owner)
{
	struct line *line = FW_CONTAINER(owner, struct line, owner);
	fw_buf_done(&line->in);
	fw_free(line);
}

static void line_close(struct line *line)
{
	if (!line)
		return;
	line->probe = NULL;
	fw_owner_close(&line->owner);
}

static void lose(struct probe *p, const char *why)
{
	bool tell = p->ready || !p->told_lost;
	line_close(p->line);
	p->line = NULL;
	p->ready = false;
	p->told_lost = true;
	uv_timer_start(&p->retry, on_retry, p->config.retry_ms, 0);
	if (tell && p->config.on_lost)
		p->config.on_lost(why, p->config.arg);
}

/* ---- sending ---- */

struct parcel {
	uv_write_t request;
	struct line *line;
	struct fw_buf bytes;
};

static void pump(struct probe *p);

static void on_written(uv_write_t *request, int status)
{
	struct parcel *parcel = FW_CONTAINER(request, struct parcel, request);
	struct probe *p = parcel->line->probe;
	fw_buf_done(&parcel->bytes);
	fw_free(parcel);
	if (p && status >= 0)
		pump(p);
}

static void line_write(struct line *line, struct fw_buf *bytes)
{
	struct parcel *parcel = fw_alloc(sizeof *parcel);
	parcel->line = line;
	parcel->bytes = *bytes;
	*bytes = (struct fw_buf){0};
	uv_buf_t buf = uv_buf_init((char *)parcel->bytes.data, (unsigned)parcel->bytes.length);
	if (uv_write(&parcel->request, (uv_stream_t *)&line->pipe, &buf, 1, on_written) >= 0)
		return;
	fw_buf_done(&parcel->bytes);
	fw_free(parcel);
}

static void pump(struct probe *p)
{
	struct fw_buf out = {0};
	while (p->ready &&
		uv_stream_get_write_queue_size((uv_stream_t *)&p->line->pipe) + out.length <
			QUEUED_LIMIT &&
		letters_next(&p->letters, &out))
		;
	if (out.length > 0)
		line_write(p->line, &out);
}

static void say_hello(struct probe *p)
{
	Fenwatch__Wire__Hello hello = FENWATCH__WIRE__HELLO__INIT;
	struct fw_buf out = {0};
	hello.proto = 1;
	hello.version = (char *)p->config.program;
	fw_wire_put(&out, FW_FRAME_HELLO, &hello.base);
	line_write(p->line, &out);
}

/* ---- what the agent says; negative: the connection is over ---- */

static int hear_hello(struct probe *p, const void *message, struct fw_err *err)
{
	const Fenwatch__Wire__Hello *hello = message;
	const char *instance = "";
	if (p->ready || hello->proto != 1)
		return fw_fail(err, -EPROTO, "it greets twice, or in another protocol");
	for (size_t i = 0; i < hello->n_labels; i++)
		if (strcmp(hello->labels[i]->name, "instance") == 0)
			instance = hello->labels[i]->value;
	p->ready = true;
	letters_rewind(&p->letters);
	if (p->config.on_ready)
		p->config.on_ready(instance, p->config.arg);
	pump(p);
	return 0;
}

static int hear_ack(struct probe *p, const void *message, struct fw_err *err)
{
	const Fenwatch__Wire__Ack *ack = message;
	uint64_t before = p->letters.durable;
	(void)err;
	letters_durable(&p->letters, ack->live_to);
	if (p->letters.durable > before && p->config.on_durable)
		p->config.on_durable(p->letters.durable, p->config.arg);
	return 0;
}

static int hear_goodbye(struct probe *p, const void *message, struct fw_err *err)
{
	const Fenwatch__Wire__Goodbye *goodbye = message;
	if (p->ready && goodbye->reason == FENWATCH__WIRE__GOODBYE__REASON__PROTOCOL)
		letters_refuse(&p->letters, goodbye->taken_seq);
	return fw_fail(err, -ECONNRESET, "it hangs up: %s", goodbye->text);
}

static int hear(struct probe *p, const struct fw_frame *frame, struct fw_err *err)
{
	static const struct {
		const ProtobufCMessageDescriptor *type;
		int (*take)(struct probe *p, const void *message, struct fw_err *err);
	} hearings[FW_FRAME_TYPES] = {
		[FW_FRAME_HELLO] = {&fenwatch__wire__hello__descriptor, hear_hello},
		[FW_FRAME_ACK] = {&fenwatch__wire__ack__descriptor, hear_ack},
		[FW_FRAME_GOODBYE] = {&fenwatch__wire__goodbye__descriptor, hear_goodbye},
	};
	struct fw_arena arena = {.limit = MESSAGE_BYTES};
	void *message;
	if (!hearings[frame->type].take)
		return fw_fail(err, -EPROTO, "a %s out of place", fw_frame_name(frame->type));
	int rc = fw_wire_unpack(
		hearings[frame->type].type, frame->payload, frame->length, &arena, &message, err);
	if (rc >= 0)
		rc = hearings[frame->type].take(p, message, err);
	fw_arena_done(&arena);
	return rc;
}

/* A callback may have closed the probe: then the line has none. */
static int hear_all(struct line *line, struct fw_err *err)
{
	size_t at = 0;
	int rc = 1;
	while (rc > 0 && line->probe) {
		struct fw_frame frame;
		rc = fw_frame_cut(line->in.data + at, line->in.length - at, &frame, err);
		if (rc <= 0)
			break;
		at += (size_t)rc;
		int heard = hear(line->probe, &frame, err);
		if (heard < 0)
			return heard;
	}
	fw_buf_consume(&line->in, at);
	return rc < 0 ? rc : 0;
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct line *line = FW_CONTAINER(handle, struct line, pipe);
	(void)suggested;
	*buf = uv_buf_init((char *)line->bytes, sizeof line->bytes);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buf)
{
	struct line *line = FW_CONTAINER(stream, struct line, pipe);
	struct fw_err err = {"it has gone"};
	if (!line->probe)
		return;
	if (length > 0)
		fw_buf_append(&line->in, buf->base, (size_t)length);
	int rc = length < 0 ? (int)length : hear_all(line, &err);
	if (rc < 0 && line->probe)
		lose(line->probe, err.text);
}

/* ---- dialling ---- */

static void on_connected(uv_connect_t *request, int status)
{
	struct line *line = FW_CONTAINER(request, struct line, connect);
	struct probe *p = line->probe;
	if (!p)
		return;
	if (status >= 0)
		status = uv_read_start((uv_stream_t *)&line->pipe, on_room, on_read);
	if (status < 0)
		lose(p, fw_strerror(status));
	else
		say_hello(p);
}

static void on_retry(uv_timer_t *timer)
{
	struct probe *p = FW_CONTAINER(timer, struct probe, retry);
	struct line *line = fw_alloc(sizeof *line);
	line->probe = p;
	p->line = line;
	fw_owner_init(&line->owner, on_line_closed);
	uv_pipe_init(timer->loop, &line->pipe, 0);
	fw_owner_adopt(&line->owner, &line->pipe);
	uv_pipe_connect(&line->connect, &line->pipe, p->agent.sun_path, on_connected);
}

/* ---- the door ---- */

static bool is_called(const struct probe_host *host, const struct fw_label *labels, size_t n)
{
	if (host->n_labels != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (strcmp(host->labels[i].name, labels[i].name) != 0 ||
			strcmp(host->labels[i].value, labels[i].value) != 0)
			return false;
	return true;
}

struct probe_host *probe_host(struct probe *p, const struct fw_label *labels, size_t n_labels)
{
	struct probe_host *host;
	LIST_FOREACH (host, &p->hosts, entry)
		if (is_called(host, labels, n_labels))
			return host;
	host = letters_host(labels, n_labels, ++p->n_hosts);
	LIST_INSERT_HEAD(&p->hosts, host, entry);
	return host;
}

uint64_t probe_sweep(struct probe *p, struct probe_host *host, const struct fw_schema *schema,
	const int64_t *cells, int64_t at_ms, uint32_t interval_ms)
{
	uint64_t number = letters_sweep(&p->letters, host, schema, cells, at_ms, interval_ms);
	pump(p);
	return number;
}

uint64_t probe_event(struct probe *p, struct probe_host *host, const char *kind,
	const struct fw_label *fields, size_t n_fields, int64_t at_ms)
{
	uint64_t number = letters_event(&p->letters, host, kind, fields, n_fields, at_ms);
	pump(p);
	return number;
}

uint64_t probe_document(struct probe *p, struct probe_host *host, const char *kind,
	const struct fw_buf *lines, int64_t at_ms)
{
	uint64_t number = letters_document(&p->letters, host, kind, lines, at_ms);
	pump(p);
	return number;
}

bool probe_is_ready(const struct probe *p)
{
	return p->ready;
}

void probe_stat(const struct probe *p, struct probe_stat *out)
{
	*out = (struct probe_stat){
		.waiting = p->letters.count,
		.waiting_bytes = p->letters.bytes,
		.dropped = p->letters.dropped,
		.refused = p->letters.refused,
		.durable = p->letters.durable,
	};
}

static void on_closed(struct fw_owner *owner)
{
	struct probe *p = FW_CONTAINER(owner, struct probe, owner);
	letters_done(&p->letters);
	while (!LIST_EMPTY(&p->hosts)) {
		struct probe_host *host = LIST_FIRST(&p->hosts);
		LIST_REMOVE(host, entry);
		letters_host_free(host);
	}
	fw_free(p);
}

int probe_open(
	struct probe **out, uv_loop_t *loop, const struct probe_config *config, struct fw_err *err)
{
	const char *socket = config->socket ? config->socket : PROBE_SOCKET;
	if (strlen(socket) >= sizeof((struct sockaddr_un *)0)->sun_path)
		return fw_fail(err, -ENAMETOOLONG, "socket '%s': the path is too long", socket);
	struct probe *p = fw_alloc(sizeof *p);
	p->config = *config;
	snprintf(p->agent.sun_path, sizeof p->agent.sun_path, "%s", socket);
	p->config.retry_ms = config->retry_ms ? config->retry_ms : RETRY_MS;
	letters_init(&p->letters, config->queue_bytes ? config->queue_bytes : PROBE_QUEUE_BYTES);
	fw_owner_init(&p->owner, on_closed);
	uv_timer_init(loop, &p->retry);
	fw_owner_adopt(&p->owner, &p->retry);
	uv_timer_start(&p->retry, on_retry, 0, 0);
	*out = p;
	return 0;
}

void probe_close(struct probe *p)
{
	if (!p)
		return;
	line_close(p->line);
	p->line = NULL;
	p->ready = false;
	fw_owner_close(&p->owner);
}
