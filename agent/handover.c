/* SPDX-License-Identifier: Apache-2.0 */
#include "handover.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fenwatch/file.h>
#include <fenwatch/log.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>
#include <fenwatch/wire.h>

#include "adopt.h"
#include "intake.h"
#include "spool.h"

#define READ_BYTES (64u << 10)
#define UNREAD_LIMIT (64u << 10)    /* acknowledgements that a program has not read */
#define UNWRITTEN_LIMIT (64u << 10) /* of its frames, before the disk is asked */

struct guest {
	LIST_ENTRY(guest) entry;
	struct fw_owner owner;
	uv_pipe_t pipe;
	struct handover *handover;
	struct intake *intake;
	struct fw_buf in;
	uint64_t told; /* durable up to here, as it knows */
	bool reading;
};

struct handover {
	struct handover_config config;
	struct fw_owner owner;
	uv_pipe_t pipe;
	LIST_HEAD(guests, guest) guests;
	struct adopter adopter;
	struct handover_stat stat;
	bool made_event, made_backlog; /* by what is being read */
	uint8_t bytes[READ_BYTES];
};

/* ---- what the agent says ---- */

struct saying {
	uv_write_t request;
	struct fw_buf bytes;
};

static void on_said(uv_write_t *request, int status)
{
	struct saying *saying = FW_CONTAINER(request, struct saying, request);
	(void)status;
	fw_buf_done(&saying->bytes);
	fw_free(saying);
}

static void guest_say(struct guest *g, enum fw_frame_type type, const ProtobufCMessage *message)
{
	struct saying *saying = fw_alloc(sizeof *saying);
	fw_wire_put(&saying->bytes, type, message);
	uv_buf_t buf = uv_buf_init((char *)saying->bytes.data, (unsigned)saying->bytes.length);
	if (g->owner.closing ||
		uv_write(&saying->request, (uv_stream_t *)&g->pipe, &buf, 1, on_said) < 0)
		on_said(&saying->request, 0);
}

static void greet(struct guest *g)
{
	const struct handover_config *config = &g->handover->config;
	const char *const texts[][2] = {
		{"class", config->class}, {"instance", config->instance}, {"job", "node"}};
	enum { LABELS = sizeof texts / sizeof *texts };
	Fenwatch__Wire__Label labels[LABELS], *list[LABELS];
	Fenwatch__Wire__Hello hello = FENWATCH__WIRE__HELLO__INIT;
	for (int i = 0; i < LABELS; i++) {
		fenwatch__wire__label__init(&labels[i]);
		labels[i].name = (char *)texts[i][0];
		labels[i].value = (char *)texts[i][1];
		list[i] = &labels[i];
	}
	hello.proto = 1;
	hello.version = (char *)"fenwatch-agent " FW_VERSION;
	hello.n_labels = LABELS;
	hello.labels = list;
	guest_say(g, FW_FRAME_HELLO, &hello.base);
}

static void guest_close(struct guest *g)
{
	if (g->owner.closing)
		return;
	LIST_REMOVE(g, entry);
	g->handover->stat.programs--;
	intake_free(g->intake);
	g->intake = NULL;
	fw_owner_close(&g->owner);
}

static const char *guest_name(const struct guest *g)
{
	const char *name = intake_name(g->intake);
	return name[0] ? name : "a program";
}

/* PROTOCOL: what came behind the last that was taken is to blame. */
static void cut_off(struct guest *g, Fenwatch__Wire__Goodbye__Reason reason, const char *why)
{
	Fenwatch__Wire__Goodbye goodbye = FENWATCH__WIRE__GOODBYE__INIT;
	goodbye.reason = reason;
	goodbye.text = (char *)why;
	goodbye.taken_seq = intake_taken(g->intake);
	guest_say(g, FW_FRAME_GOODBYE, &goodbye.base);
	fw_log(FW_WARNING, "%s is cut off: %s", guest_name(g), why);
	g->handover->stat.cut_off++;
	guest_close(g);
}

static void tell_durable(struct guest *g)
{
	Fenwatch__Wire__Ack ack = FENWATCH__WIRE__ACK__INIT;
	uint64_t taken = intake_taken(g->intake);
	if (taken == g->told)
		return;
	if (uv_stream_get_write_queue_size((uv_stream_t *)&g->pipe) > UNREAD_LIMIT) {
		cut_off(g, FENWATCH__WIRE__GOODBYE__REASON__BUSY,
			"it does not read what it is told");
		return;
	}
	ack.live_to = g->told = taken;
	guest_say(g, FW_FRAME_ACK, &ack.base);
}

void handover_durable(struct handover *h)
{
	struct guest *g, *next;
	if (!h)
		return;
	h->adopter.unwritten = 0;
	for (g = LIST_FIRST(&h->guests); g; g = next) {
		next = LIST_NEXT(g, entry);
		tell_durable(g);
	}
}

/* ---- what a program says ---- */

static uint32_t op_borrow(const struct fw_schema *schema, size_t *bytes, void *arg)
{
	struct guest *g = arg;
	return spool_schema_borrow(g->handover->config.spool, schema, bytes);
}

static void op_give_back(uint32_t id, void *arg)
{
	struct guest *g = arg;
	spool_schema_return(g->handover->config.spool, id);
}

static bool op_has_room(enum fw_frame_type type, void *arg)
{
	struct guest *g = arg;
	const struct handover *h = g->handover;
	return type != FW_FRAME_BATCH || adopter_has_room(&h->adopter) ||
		!h->config.is_online(h->config.arg);
}

static void op_take(const struct handed *handed, void *arg)
{
	struct guest *g = arg;
	struct handover *h = g->handover;
	bool live = adopt(&h->adopter, handed, h->config.is_online(h->config.arg));
	h->made_event |= handed->type == FW_FRAME_EVENT;
	h->made_backlog |= !live;
}

static const struct intake_ops ops = {
	.borrow = op_borrow,
	.give_back = op_give_back,
	.has_room = op_has_room,
	.take = op_take,
};

static uint64_t n_taken(const struct adopter *a)
{
	return a->sweeps + a->events + a->documents;
}

/* An event does not wait, and a backlog frame is on disk before it goes. */
static void tell_taken(struct handover *h, uint64_t before)
{
	bool online = h->config.is_online(h->config.arg);
	bool at_once = h->made_event || (h->made_backlog && online) ||
		h->adopter.unwritten > UNWRITTEN_LIMIT;
	h->made_event = h->made_backlog = false;
	if (n_taken(&h->adopter) != before)
		h->config.on_taken(at_once, h->config.arg);
}

static void take_bytes(struct guest *g)
{
	struct handover *h = g->handover;
	struct fw_err err;
	uint64_t before = n_taken(&h->adopter);
	ssize_t used = intake_take(g->intake, g->in.data, g->in.length, &err);
	tell_taken(h, before);
	if (g->owner.closing)
		return;
	if (used < 0) {
		cut_off(g, FENWATCH__WIRE__GOODBYE__REASON__PROTOCOL, err.text);
		return;
	}
	fw_buf_consume(&g->in, (size_t)used);
	if (g->in.length == 0)
		fw_buf_done(&g->in);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct guest *g = FW_CONTAINER(handle, struct guest, pipe);
	(void)suggested;
	*buf = uv_buf_init((char *)g->handover->bytes, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buf);

static void read_or_wait(struct guest *g)
{
	if (g->owner.closing)
		return;
	bool wait = intake_is_waiting(g->intake);
	if (g->reading == !wait)
		return;
	g->reading = !wait;
	if (wait)
		uv_read_stop((uv_stream_t *)&g->pipe);
	else if (uv_read_start((uv_stream_t *)&g->pipe, on_room, on_read) < 0)
		guest_close(g);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buf)
{
	struct guest *g = FW_CONTAINER(stream, struct guest, pipe);
	if (length < 0) {
		fw_log(FW_INFO, "%s has gone", guest_name(g));
		guest_close(g);
		return;
	}
	fw_buf_append(&g->in, buf->base, (size_t)length);
	take_bytes(g);
	read_or_wait(g);
}

void handover_go_on(struct handover *h)
{
	struct guest *g, *next;
	if (!h)
		return;
	adopter_acked(&h->adopter);
	for (g = LIST_FIRST(&h->guests); g; g = next) {
		next = LIST_NEXT(g, entry);
		if (g->owner.closing || !intake_is_waiting(g->intake))
			continue;
		take_bytes(g);
		read_or_wait(g);
	}
}

/* ---- who comes ---- */

static void on_guest_closed(struct fw_owner *owner)
{
	struct guest *g = FW_CONTAINER(owner, struct guest, owner);
	fw_buf_done(&g->in);
	fw_free(g);
}

/* Where the agent has users of its own (PrivateUsers=), others look like nobody: the
 * group is what tells them apart. */
static bool is_allowed(uv_pipe_t *pipe)
{
	struct ucred cred;
	socklen_t length = sizeof cred;
	uv_os_fd_t fd;
	if (uv_fileno((uv_handle_t *)pipe, &fd) < 0 ||
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &length) < 0)
		return false;
	if (cred.uid == 0 || cred.uid == geteuid() || cred.gid == getegid())
		return true;
	fw_log(FW_WARNING, "a process of user %u and group %u (%d) was refused", cred.uid, cred.gid,
		(int)cred.pid);
	return false;
}

static void on_connection(uv_stream_t *server, int status)
{
	struct handover *h = FW_CONTAINER(server, struct handover, pipe);
	struct guest *g = fw_alloc(sizeof *g);
	g->handover = h;
	fw_owner_init(&g->owner, on_guest_closed);
	uv_pipe_init(server->loop, &g->pipe, 0);
	fw_owner_adopt(&g->owner, &g->pipe);
	bool let_in = status >= 0 && uv_accept(server, (uv_stream_t *)&g->pipe) >= 0 &&
		h->stat.programs < HANDOVER_PROGRAMS && is_allowed(&g->pipe);
	if (!let_in) {
		fw_owner_close(&g->owner);
		return;
	}
	g->intake = intake_new(&ops, g);
	LIST_INSERT_HEAD(&h->guests, g, entry);
	h->stat.programs++;
	h->stat.seen = true;
	greet(g);
	read_or_wait(g);
}

/* ---- life ---- */

/* Whether somebody answers there: a socket of a crashed agent may be taken away. */
static bool is_in_use(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	bool answers = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
	if (fd >= 0)
		fw_close(fd);
	return answers;
}

static int listen_at(struct handover *h, const char *path, struct fw_err *err)
{
	if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
		return fw_fail(err, -ENAMETOOLONG, "socket '%s': the path is too long", path);
	char *folder = fw_strndup(path, (size_t)(strrchr(path, '/') - path));
	bool is_there = access(folder[0] ? folder : "/", F_OK) == 0;
	fw_free(folder);
	if (!is_there)
		return fw_fail(err, -ENOENT, "socket '%s': there is no such folder", path);
	if (is_in_use(path))
		return fw_fail(err, -EADDRINUSE, "socket '%s': another agent listens there", path);
	fw_unlink(path);
	int rc = uv_pipe_bind(&h->pipe, path);
	if (rc >= 0 && chmod(path, 0660) < 0)
		rc = -errno;
	if (rc >= 0)
		rc = uv_listen((uv_stream_t *)&h->pipe, HANDOVER_PROGRAMS, on_connection);
	return rc < 0 ? fw_fail_sys(err, rc, "socket '%s'", path) : 0;
}

static void on_closed(struct fw_owner *owner)
{
	fw_free(FW_CONTAINER(owner, struct handover, owner));
}

int handover_open(struct handover **out, uv_loop_t *loop, const struct handover_config *config,
	struct fw_err *err)
{
	struct handover *h = fw_alloc(sizeof *h);
	h->config = *config;
	h->adopter.spool = config->spool;
	fw_owner_init(&h->owner, on_closed);
	uv_pipe_init(loop, &h->pipe, 0);
	fw_owner_adopt(&h->owner, &h->pipe);
	int rc = listen_at(h, config->path, err);
	if (rc < 0)
		fw_owner_close(&h->owner);
	else
		*out = h;
	return rc;
}

void handover_close(struct handover *h)
{
	if (!h)
		return;
	while (!LIST_EMPTY(&h->guests))
		guest_close(LIST_FIRST(&h->guests));
	fw_owner_close(&h->owner);
}

unsigned handover_in_flight(const struct handover *h)
{
	return h ? h->adopter.n_live : 0;
}

void handover_begin_stream(struct handover *h)
{
	if (h)
		adopter_begin_stream(&h->adopter);
}

void handover_stat(const struct handover *h, struct handover_stat *out)
{
	*out = h ? h->stat : (struct handover_stat){0};
	if (!h)
		return;
	out->sweeps = h->adopter.sweeps;
	out->events = h->adopter.events;
}
