/* SPDX-License-Identifier: Apache-2.0 */
#include "receiver.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <arpa/inet.h>

#include <fenwatch/buf.h>
#include <fenwatch/mem.h>

struct receiver_peer {
	uv_tcp_t tcp;
	struct receiver *receiver;
	struct receiver_peer *next;
	struct fw_buf in;
	bool hangs;
	char space[4096];
};

static void on_peer_closed(uv_handle_t *handle)
{
	struct receiver_peer *peer = handle->data;
	struct receiver_peer **link = &peer->receiver->peers;
	while (*link != peer)
		link = &(*link)->next;
	*link = peer->next;
	fw_buf_done(&peer->in);
	fw_free(peer);
}

static void on_written(uv_write_t *write, int status)
{
	(void)status;
	fw_free(write);
}

static void on_half_written(uv_write_t *write, int status)
{
	struct receiver_peer *peer = write->handle->data;
	(void)status;
	fw_free(write);
	if (!uv_is_closing((uv_handle_t *)&peer->tcp))
		uv_tcp_close_reset(&peer->tcp, on_peer_closed);
}

static void send_text(struct receiver_peer *peer, const char *text, size_t length, uv_write_cb done)
{
	uv_write_t *write = fw_alloc(sizeof *write + length);
	memcpy(write + 1, text, length);
	uv_buf_t buf = uv_buf_init((char *)(write + 1), (unsigned)length);
	int rc = uv_write(write, (uv_stream_t *)&peer->tcp, &buf, 1, done);
	assert(rc == 0);
}

static void send_long(struct receiver_peer *peer)
{
	size_t length = 1 << 20;
	char *text = fw_alloc(length);
	memset(text, 'x', length);
	int head = snprintf(text, length, "HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n");
	text[head] = 'x';
	send_text(peer, text, length, on_written);
	fw_free(text);
}

static void send_status(struct receiver_peer *peer, int status)
{
	const struct receiver *receiver = peer->receiver;
	const char *body = receiver->text ? receiver->text : "ok";
	struct fw_buf answer = {0};
	fw_buf_printf(&answer, "HTTP/1.1 %d Word\r\nLocation: http://127.0.0.1:%u/other\r\n",
		status, receiver->port);
	if (receiver->retry_after)
		fw_buf_printf(&answer, "Retry-After: %s\r\n", receiver->retry_after);
	fw_buf_printf(&answer, "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
	send_text(peer, (char *)answer.data, answer.length, on_written);
	fw_buf_done(&answer);
}

static void send_answer(struct receiver_peer *peer, int answer)
{
	char text[160];
	switch (answer) {
	case RECEIVER_HANG:
		peer->hangs = true;
		return;
	case RECEIVER_RESET:
		uv_tcp_close_reset(&peer->tcp, on_peer_closed);
		return;
	case RECEIVER_HALF:
		snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
		send_text(peer, text, strlen(text), on_half_written);
		return;
	case RECEIVER_LONG:
		send_long(peer);
		return;
	default:
		send_status(peer, answer);
	}
}

static const char *header(const char *head, const char *name)
{
	for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
		if (strncasecmp(line + 2, name, strlen(name)) == 0)
			return line + 2 + strlen(name);
	return "";
}

/* Takes one whole request off the front, if there is one. */
static bool take_request(struct receiver_peer *peer)
{
	struct receiver *receiver = peer->receiver;
	if (peer->in.length == 0)
		return false;
	char *text = (char *)peer->in.data, *end = strstr(text, "\r\n\r\n");
	if (!end)
		return false;
	size_t head = (size_t)(end + 4 - text);
	size_t length = strtoul(header(text, "Content-Length:"), NULL, 10);
	if (peer->in.length < head + length)
		return false;
	receiver->got = fw_realloc(receiver->got, (receiver->n_got + 1) * sizeof *receiver->got);
	struct received *request = &receiver->got[receiver->n_got];
	memset(request, 0, sizeof *request);
	request->head = fw_strndup(text, head);
	request->body = fw_strndup(text + head, length);
	const char *key = header(request->head, "Idempotency-Key: ");
	snprintf(request->idempotency, sizeof request->idempotency, "%.*s",
		(int)strcspn(key, "\r\n"), key);
	request->answered =
		receiver->decide ? receiver->decide(receiver, request) : receiver->answer;
	receiver->n_got++;
	fw_buf_consume(&peer->in, head + length);
	send_answer(peer, request->answered);
	return true;
}

static void on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
	struct receiver_peer *peer = handle->data;
	(void)wanted;
	*buf = uv_buf_init(peer->space, sizeof peer->space);
}

static void on_data(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct receiver_peer *peer = stream->data;
	if (n < 0) {
		if (!uv_is_closing((uv_handle_t *)stream))
			uv_close((uv_handle_t *)stream, on_peer_closed);
		return;
	}
	fw_buf_append(&peer->in, buf->base, (size_t)n);
	while (!uv_is_closing((uv_handle_t *)stream) && take_request(peer))
		;
}

static void on_connected(uv_stream_t *listener, int status)
{
	assert(status == 0);
	struct receiver *receiver = listener->data;
	struct receiver_peer *peer = fw_alloc(sizeof *peer);
	peer->receiver = receiver;
	peer->next = receiver->peers;
	receiver->peers = peer;
	uv_tcp_init(receiver->loop, &peer->tcp);
	peer->tcp.data = peer;
	int rc = uv_accept(listener, (uv_stream_t *)&peer->tcp);
	assert(rc == 0);
	uv_read_start((uv_stream_t *)&peer->tcp, on_alloc, on_data);
}

void receiver_open(struct receiver *receiver, uv_loop_t *loop)
{
	struct sockaddr_in address;
	struct sockaddr_storage bound;
	int length = sizeof bound;
	receiver->loop = loop;
	if (receiver->answer == 0)
		receiver->answer = 200;
	uv_tcp_init(loop, &receiver->listener);
	receiver->listener.data = receiver;
	uv_ip4_addr("127.0.0.1", (int)receiver->port, &address);
	uv_tcp_bind(&receiver->listener, (struct sockaddr *)&address, 0);
	int rc = uv_listen((uv_stream_t *)&receiver->listener, 64, on_connected);
	assert(rc == 0);
	uv_tcp_getsockname(&receiver->listener, (struct sockaddr *)&bound, &length);
	receiver->port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
}

void receiver_close(struct receiver *receiver)
{
	uv_close((uv_handle_t *)&receiver->listener, NULL);
	for (struct receiver_peer *peer = receiver->peers; peer; peer = peer->next)
		if (!uv_is_closing((uv_handle_t *)&peer->tcp))
			uv_close((uv_handle_t *)&peer->tcp, on_peer_closed);
}

void receiver_answer_hanging(struct receiver *receiver, int status)
{
	for (struct receiver_peer *peer = receiver->peers; peer; peer = peer->next)
		if (peer->hangs && !uv_is_closing((uv_handle_t *)&peer->tcp))
			send_status(peer, status);
}

void receiver_forget(struct receiver *receiver)
{
	for (size_t i = 0; i < receiver->n_got; i++) {
		fw_free(receiver->got[i].head);
		fw_free(receiver->got[i].body);
	}
	fw_free(receiver->got);
	receiver->got = NULL;
	receiver->n_got = 0;
}
