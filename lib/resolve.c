/* SPDX-License-Identifier: Apache-2.0 */
#include <fenwatch/resolve.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <ares.h>

#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

enum { FIRST_TIMEOUT_MS = 2000, TRIES = 2 };

struct fw_resolve {
	struct fw_owner owner;
	uv_timer_t timer;
	ares_channel channel;
	struct fw_resolved resolved;
	struct watch *watches;
	bool answered;
	void (*on_resolved)(const struct fw_resolved *resolved, void *arg);
	void *arg;
};

/* One socket of c-ares; libuv's until it is closed. */
struct watch {
	uv_poll_t poll;
	ares_socket_t fd;
	struct fw_resolve *resolve;
	struct watch *next;
};

static void on_done(struct fw_owner *owner)
{
	fw_free(FW_CONTAINER(owner, struct fw_resolve, owner));
}

/* ---- the sockets of c-ares ---- */

static void arm(struct fw_resolve *resolve);

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = FW_CONTAINER(poll, struct watch, poll);
	struct fw_resolve *resolve = watch->resolve;
	bool in = status < 0 || events & UV_READABLE, out = status < 0 || events & UV_WRITABLE;
	ares_process_fd(resolve->channel, in ? watch->fd : ARES_SOCKET_BAD,
		out ? watch->fd : ARES_SOCKET_BAD);
	arm(resolve);
}

static void on_watch_closed(uv_handle_t *handle)
{
	struct watch *watch = FW_CONTAINER(handle, struct watch, poll);
	fw_owner_drop(&watch->resolve->owner);
	fw_free(watch);
}

static struct watch *add_watch(struct fw_resolve *resolve, ares_socket_t fd)
{
	struct watch *watch = fw_alloc(sizeof *watch);
	if (uv_poll_init_socket(resolve->timer.loop, &watch->poll, fd) < 0) {
		fw_free(watch);
		return NULL; /* the question ends by its timeout */
	}
	*watch = (struct watch){watch->poll, fd, resolve, resolve->watches};
	resolve->watches = watch;
	fw_owner_hold(&resolve->owner);
	return watch;
}

/* What c-ares waits for on this socket; nothing: it is about to be closed. */
static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct fw_resolve *resolve = arg;
	struct watch **at = &resolve->watches;
	while (*at && (*at)->fd != fd)
		at = &(*at)->next;
	struct watch *watch = *at;
	if (!readable && !writable && watch) {
		*at = watch->next;
		uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
	} else if (readable || writable) {
		if (!watch)
			watch = add_watch(resolve, fd);
		if (watch)
			uv_poll_start(&watch->poll,
				(readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0),
				on_ready);
	}
}

/* ---- the answer ---- */

/* From within c-ares, which must not be ended here. */
static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *list)
{
	struct fw_resolve *resolve = arg;
	struct fw_resolved *to = &resolve->resolved;
	(void)timeouts;
	for (const struct ares_addrinfo_node *at = list ? list->nodes : NULL;
		at && to->n_addresses < FW_RESOLVE_ADDRESSES; at = at->ai_next)
		if (at->ai_addrlen <= sizeof to->addresses[0])
			memcpy(&to->addresses[to->n_addresses++], at->ai_addr, at->ai_addrlen);
	to->why = status == ARES_SUCCESS ? "no address" : ares_strerror(status);
	resolve->answered = true;
	if (list)
		ares_freeaddrinfo(list);
}

static void end(struct fw_resolve *resolve)
{
	ares_destroy(resolve->channel);
	fw_owner_close(&resolve->owner);
}

static void on_timer(uv_timer_t *timer)
{
	struct fw_resolve *resolve = FW_CONTAINER(timer, struct fw_resolve, timer);
	if (!resolve->answered) {
		ares_process_fd(resolve->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
		arm(resolve);
		return;
	}
	end(resolve);
	resolve->on_resolved(&resolve->resolved, resolve->arg);
}

/* Wakes when c-ares wants to give up a server, or at once to tell the answer. */
static void arm(struct fw_resolve *resolve)
{
	struct timeval most = {.tv_sec = 1}, room;
	uint64_t ms = 0;
	if (!resolve->answered) {
		/* `room` is filled only where that is sooner than `most`. */
		const struct timeval *left = ares_timeout(resolve->channel, &most, &room);
		ms = (uint64_t)left->tv_sec * 1000 + (uint64_t)left->tv_usec / 1000 + 1;
	}
	uv_timer_start(&resolve->timer, on_timer, ms, 0);
}

/* c-ares would ask a name server where there is no /etc/hosts. */
static void answer_localhost(struct fw_resolve *resolve, unsigned port)
{
	struct fw_resolved *to = &resolve->resolved;
	uv_ip4_addr("127.0.0.1", (int)port, (struct sockaddr_in *)&to->addresses[0]);
	uv_ip6_addr("::1", (int)port, (struct sockaddr_in6 *)&to->addresses[1]);
	to->n_addresses = 2;
	to->why = "";
	resolve->answered = true;
}

static void ask(struct fw_resolve *resolve, const char *host, unsigned port)
{
	char service[8];
	struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_NUMERICSERV,
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM};
	snprintf(service, sizeof service, "%u", port);
	ares_getaddrinfo(resolve->channel, host, service, &hints, on_answer, resolve);
}

int fw_resolve_start(struct fw_resolve **out, uv_loop_t *loop, const char *host, unsigned port,
	void (*on_resolved)(const struct fw_resolved *resolved, void *arg), void *arg,
	struct fw_err *err)
{
	struct fw_resolve *resolve = fw_alloc(sizeof *resolve);
	struct ares_options options = {
		.timeout = FIRST_TIMEOUT_MS,
		.tries = TRIES,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = resolve,
	};
	int rc = ares_init_options(&resolve->channel, &options,
		ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
	if (rc != ARES_SUCCESS) {
		fw_free(resolve);
		return fw_fail(err, rc == ARES_ENOMEM ? -ENOMEM : -EIO, "cannot resolve %s: %s",
			host, ares_strerror(rc));
	}
	resolve->on_resolved = on_resolved;
	resolve->arg = arg;
	fw_owner_init(&resolve->owner, on_done);
	uv_timer_init(loop, &resolve->timer);
	fw_owner_adopt(&resolve->owner, &resolve->timer);
	if (strcasecmp(host, "localhost") == 0)
		answer_localhost(resolve, port);
	else
		ask(resolve, host, port);
	arm(resolve);
	*out = resolve;
	return 0;
}

void fw_resolve_cancel(struct fw_resolve *resolve)
{
	if (resolve)
		end(resolve);
}
