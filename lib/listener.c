/* SPDX-License-Identifier: Apache-2.0 */
#include <fenwatch/conn.h>

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#define BACKLOG 4096
#define ACCEPTS_A_TURN 64
#define BREATHER_MS 500 /* when descriptors have run out */

struct fw_listener {
	struct fw_owner owner;
	uv_poll_t poll;
	uv_timer_t breather;
	int fd;
	bool paused;
	void (*on_accepted)(struct fw_listener *, int fd, void *arg);
	void *arg;
};

static void on_listener_done(struct fw_owner *owner)
{
	struct fw_listener *listener = FW_CONTAINER(owner, struct fw_listener, owner);
	close(listener->fd);
	fw_free(listener);
}

static void on_readable(uv_poll_t *poll, int status, int events);

static void on_breath(uv_timer_t *timer)
{
	struct fw_listener *listener = FW_CONTAINER(timer, struct fw_listener, breather);
	if (!listener->paused)
		uv_poll_start(&listener->poll, UV_READABLE, on_readable);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct fw_listener *listener = FW_CONTAINER(poll, struct fw_listener, poll);
	(void)events;
	if (status < 0)
		return;
	for (int i = 0; i < ACCEPTS_A_TURN && !listener->paused && !listener->owner.closing; i++) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			listener->on_accepted(listener, fd, listener->arg);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			errno == ENOMEM) {
			uv_poll_stop(poll);
			uv_timer_start(&listener->breather, on_breath, BREATHER_MS, 0);
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			return;
		}
	}
}

static int resolve(const char *address, struct addrinfo **list, struct fw_err *err)
{
	char host[254], service[8];
	unsigned port;
	if (fw_split_host_port(address, host, sizeof host, &port) < 0)
		return fw_fail(err, -EINVAL, "'%s' is not HOST:PORT", address);
	snprintf(service, sizeof service, "%u", port);
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	int rc = getaddrinfo(host, service, &hints, list);
	if (rc != 0)
		return fw_fail(err, -EINVAL, "cannot listen on %s: %s", address, gai_strerror(rc));
	return 0;
}

static int open_socket(const struct addrinfo *where, bool reuse_port)
{
	int fd = socket(where->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int on = 1, off = 0;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (reuse_port)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	/* "[::]" means both families. */
	if (where->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (bind(fd, where->ai_addr, where->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
		int rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static unsigned port_of(int fd)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof address;
	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return 0;
	return ntohs(address.ss_family == AF_INET6
			? ((struct sockaddr_in6 *)(void *)&address)->sin6_port
			: ((struct sockaddr_in *)(void *)&address)->sin_port);
}

int fw_listener_open(struct fw_listener **out, uv_loop_t *loop, const char *address,
	bool reuse_port, void (*on_accepted)(struct fw_listener *, int fd, void *arg), void *arg,
	unsigned *port, struct fw_err *err)
{
	struct addrinfo *list;
	int rc = resolve(address, &list, err);
	if (rc < 0)
		return rc;
	int fd = open_socket(list, reuse_port);
	freeaddrinfo(list);
	if (fd < 0)
		return fw_fail_sys(err, fd, "cannot listen on %s", address);
	struct fw_listener *listener = fw_alloc(sizeof *listener);
	listener->fd = fd;
	listener->on_accepted = on_accepted;
	listener->arg = arg;
	rc = uv_poll_init_socket(loop, &listener->poll, fd);
	if (rc < 0) {
		close(fd);
		fw_free(listener);
		return fw_fail_sys(err, rc, "cannot listen on %s", address);
	}
	uv_timer_init(loop, &listener->breather);
	fw_owner_init(&listener->owner, on_listener_done);
	fw_owner_adopt(&listener->owner, &listener->poll);
	fw_owner_adopt(&listener->owner, &listener->breather);
	uv_poll_start(&listener->poll, UV_READABLE, on_readable);
	if (port)
		*port = port_of(fd);
	*out = listener;
	return 0;
}

void fw_listener_pause(struct fw_listener *listener)
{
	listener->paused = true;
	uv_poll_stop(&listener->poll);
}

void fw_listener_resume(struct fw_listener *listener)
{
	if (!listener->paused)
		return;
	listener->paused = false;
	uv_poll_start(&listener->poll, UV_READABLE, on_readable);
}

void fw_listener_close(struct fw_listener *listener)
{
	if (listener)
		fw_owner_close(&listener->owner);
}
