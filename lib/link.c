/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <fenwatch/mem.h>

#define READ_BYTES 65536
#define USER_TIMEOUT_MS 30000

struct queued_write {
	uv_write_t request;
	struct fw_link *link;
	size_t cost;
	uint8_t data[];
};

static _Thread_local uint8_t read_bytes[READ_BYTES];

static void on_link_done(struct fw_owner *owner)
{
	fw_free(FW_CONTAINER(owner, struct fw_link, owner));
}

int fw_link_new(struct fw_link **out, uv_loop_t *loop)
{
	struct fw_link *link = fw_alloc(sizeof *link);
	int rc = uv_tcp_init(loop, &link->tcp);
	if (rc < 0) {
		fw_free(link);
		return rc;
	}
	fw_owner_init(&link->owner, on_link_done);
	fw_owner_adopt(&link->owner, &link->tcp);
	*out = link;
	return 0;
}

static struct fw_link *link_of(void *handle)
{
	return FW_CONTAINER(handle, struct fw_link, tcp);
}

static void on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
	(void)handle;
	(void)wanted;
	*buffer = uv_buf_init((char *)read_bytes, READ_BYTES);
}

/* libuv takes a hang-up after a short read for the end and reads no further, so a reset
 * may look like one. */
static int true_end(const struct fw_link *link, int rc)
{
	uv_os_fd_t fd;
	int failure = 0;
	socklen_t length = sizeof failure;
	if (rc != UV_EOF || uv_fileno((const uv_handle_t *)&link->tcp, &fd) < 0)
		return rc;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &length) < 0 || failure == 0)
		return rc;
	return -failure;
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
	struct fw_link *link = link_of(stream);
	if (!link->events || length == 0)
		return;
	if (length > 0) {
		link->events->on_read(link, (const uint8_t *)buffer->base, (size_t)length);
		return;
	}
	fw_link_pause(link);
	link->events->on_ended(link, true_end(link, (int)length));
}

static void set_options(struct fw_link *link)
{
	uv_tcp_nodelay(&link->tcp, 1);
#ifdef TCP_USER_TIMEOUT
	uv_os_fd_t fd;
	unsigned timeout = USER_TIMEOUT_MS;
	/* Where it is refused, heartbeats still find a dead peer, only later. */
	if (uv_fileno((uv_handle_t *)&link->tcp, &fd) == 0)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
#endif
}

int fw_link_start(struct fw_link *link, const struct fw_link_events *events, void *arg)
{
	link->events = events;
	link->arg = arg;
	set_options(link);
	return fw_link_resume(link);
}

static void on_written(uv_write_t *request, int status)
{
	struct queued_write *written = FW_CONTAINER(request, struct queued_write, request);
	struct fw_link *link = written->link;
	link->queued -= written->cost;
	fw_free(written);
	if (!link->events)
		return;
	if (status < 0)
		link->events->on_ended(link, status);
	else if (link->queued == 0)
		link->events->on_drained(link);
}

static int queue_write(struct fw_link *link, const uint8_t *data, size_t length)
{
	struct queued_write *later = fw_alloc(sizeof *later + length);
	later->link = link;
	later->cost = sizeof *later + length;
	memcpy(later->data, data, length);
	uv_buf_t buffer = uv_buf_init((char *)later->data, (unsigned)length);
	int rc = uv_write(&later->request, (uv_stream_t *)&link->tcp, &buffer, 1, on_written);
	if (rc < 0) {
		fw_free(later);
		return rc;
	}
	link->queued += later->cost;
	return 0;
}

int fw_link_write(struct fw_link *link, const void *data, size_t length)
{
	const uint8_t *bytes = data;
	uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)length);
	int written = uv_try_write((uv_stream_t *)&link->tcp, &buffer, 1);
	if (written == UV_EAGAIN)
		written = 0;
	if (written < 0)
		return written;
	size_t done = (size_t)written;
	return done < length ? queue_write(link, bytes + done, length - done) : 0;
}

void fw_link_pause(struct fw_link *link)
{
	uv_read_stop((uv_stream_t *)&link->tcp);
	link->reading = false;
}

int fw_link_resume(struct fw_link *link)
{
	if (link->reading)
		return 0;
	int rc = uv_read_start((uv_stream_t *)&link->tcp, on_alloc, on_read);
	link->reading = rc == 0;
	return rc;
}

static void on_shut_down(uv_shutdown_t *request, int status)
{
	(void)request;
	(void)status;
}

void fw_link_shutdown(struct fw_link *link)
{
	/* Fails only where the peer is gone already, which reading tells. */
	(void)uv_shutdown(&link->request.shutdown, (uv_stream_t *)&link->tcp, on_shut_down);
}

void fw_link_close(struct fw_link *link)
{
	if (!link)
		return;
	link->events = NULL;
	fw_owner_close(&link->owner);
}

void fw_address_text(const struct sockaddr *address, char text[FW_ADDRESS_TEXT])
{
	char host[INET6_ADDRSTRLEN] = "?";
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
		uv_ip4_name(v4, host, sizeof host);
		snprintf(text, FW_ADDRESS_TEXT, "%s:%u", host, ntohs(v4->sin_port));
		return;
	}
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
	uv_ip6_name(v6, host, sizeof host);
	/* An IPv4 peer on an IPv6 socket is still an IPv4 peer to who reads it. */
	bool mapped = strncmp(host, "::ffff:", 7) == 0 && strchr(host, '.');
	snprintf(text, FW_ADDRESS_TEXT, mapped ? "%s:%u" : "[%s]:%u", mapped ? host + 7 : host,
		ntohs(v6->sin6_port));
}

void fw_link_peer(const struct fw_link *link, char text[FW_ADDRESS_TEXT])
{
	struct sockaddr_storage address;
	int length = sizeof address;
	if (uv_tcp_getpeername(&link->tcp, (struct sockaddr *)&address, &length) < 0)
		snprintf(text, FW_ADDRESS_TEXT, "?");
	else
		fw_address_text((const struct sockaddr *)&address, text);
}
