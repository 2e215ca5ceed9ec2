/* SPDX-License-Identifier: Apache-2.0 */
/* From "host:port" to a connected link.
 *
 * Addresses are tried one after the other, each with its share of the time that
 * is left, so one that swallows packets does not hide the next. Through a proxy the link is
 * handed over when the proxy has answered CONNECT with 200.
 */
#include "link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/conn.h>
#include <fenwatch/mem.h>
#include <fenwatch/resolve.h>
#include <fenwatch/text.h>

#define HOST_BYTES 254
#define ANSWER_BYTES 4096

struct fw_dial {
	struct fw_owner owner;
	uv_timer_t timer;
	char target[HOST_BYTES + 8]; /* what the proxy is asked for; empty: no proxy */
	char host[HOST_BYTES];       /* whom we connect to */
	unsigned port;
	struct fw_resolve *resolve;
	struct sockaddr_storage addresses[FW_RESOLVE_ADDRESSES];
	unsigned n_addresses, next;
	int64_t until_ms; /* on the loop's clock */
	struct fw_link *link;
	char *answer; /* of the proxy */
	size_t answer_length;
	char why[256];
	void (*on_dialled)(struct fw_link *link, const char *why, void *arg); /* NULL: cancelled */
	void *arg;
};

int fw_split_host_port(const char *text, char *host, size_t size, unsigned *port)
{
	const char *colon = strrchr(text, ':');
	if (!colon)
		return -EINVAL;
	const char *from = text, *to = colon;
	if (*text == '[') {
		from++;
		to--;
		if (to < from || *to != ']')
			return -EINVAL;
	} else if (memchr(text, ':', (size_t)(colon - text))) {
		return -EINVAL; /* an IPv6 address needs its brackets */
	}
	uint64_t number;
	size_t length = (size_t)(to - from);
	if (length == 0 || length > 253 || length >= size || fw_parse_u64(colon + 1, &number) < 0 ||
		number > 65535)
		return -EINVAL;
	memcpy(host, from, length);
	host[length] = 0;
	*port = (unsigned)number;
	return 0;
}

static void on_dial_done(struct fw_owner *owner)
{
	struct fw_dial *dial = FW_CONTAINER(owner, struct fw_dial, owner);
	fw_free(dial->answer);
	fw_free(dial);
}

static void finish(struct fw_dial *dial, struct fw_link *link)
{
	void (*tell)(struct fw_link *, const char *, void *) = dial->on_dialled;
	dial->on_dialled = NULL;
	if (!link) {
		fw_link_close(dial->link);
		dial->link = NULL;
	}
	fw_owner_close(&dial->owner);
	if (tell)
		tell(link, dial->why, dial->arg);
}

static void ask_proxy(struct fw_dial *dial);
static void try_next(struct fw_dial *dial);

static void attempt_failed(struct fw_dial *dial, int rc)
{
	snprintf(dial->why, sizeof dial->why, "cannot connect to %s%s:%u: %s",
		dial->target[0] ? "the proxy " : "", dial->host, dial->port, fw_strerror(rc));
	fw_link_close(dial->link);
	dial->link = NULL;
	try_next(dial);
}

static void on_attempt_timeout(uv_timer_t *timer)
{
	attempt_failed(FW_CONTAINER(timer, struct fw_dial, timer), UV_ETIMEDOUT);
}

static void on_connected(uv_connect_t *request, int status)
{
	struct fw_link *link = FW_CONTAINER(request, struct fw_link, request.connect);
	struct fw_dial *dial = link->arg;
	if (status == UV_ECANCELED || !dial)
		return;
	link->arg = NULL;
	uv_timer_stop(&dial->timer);
	if (status < 0)
		attempt_failed(dial, status);
	else if (dial->target[0])
		ask_proxy(dial);
	else
		finish(dial, link);
}

static int attempt(struct fw_dial *dial, const struct sockaddr *address)
{
	int rc = fw_link_new(&dial->link, dial->timer.loop);
	if (rc < 0)
		return rc;
	dial->link->arg = dial;
	return uv_tcp_connect(
		&dial->link->request.connect, &dial->link->tcp, address, on_connected);
}

static void try_next(struct fw_dial *dial)
{
	while (dial->next < dial->n_addresses) {
		unsigned left = dial->n_addresses - dial->next;
		int64_t share_ms = (dial->until_ms - (int64_t)uv_now(dial->timer.loop)) / left;
		if (share_ms <= 0)
			break;
		uv_timer_start(&dial->timer, on_attempt_timeout, (uint64_t)share_ms, 0);
		int rc = attempt(dial, (struct sockaddr *)&dial->addresses[dial->next++]);
		if (rc == 0)
			return;
		snprintf(dial->why, sizeof dial->why, "cannot connect to %s:%u: %s", dial->host,
			dial->port, fw_strerror(rc));
		fw_link_close(dial->link);
		dial->link = NULL;
	}
	finish(dial, NULL);
}

static void on_resolved(const struct fw_resolved *resolved, void *arg)
{
	struct fw_dial *dial = arg;
	dial->resolve = NULL;
	dial->n_addresses = resolved->n_addresses;
	memcpy(dial->addresses, resolved->addresses, sizeof dial->addresses);
	snprintf(dial->why, sizeof dial->why, "cannot resolve %s: %s", dial->host, resolved->why);
	try_next(dial);
}

static void on_lookup_timeout(uv_timer_t *timer)
{
	struct fw_dial *dial = FW_CONTAINER(timer, struct fw_dial, timer);
	fw_resolve_cancel(dial->resolve);
	dial->resolve = NULL;
	snprintf(dial->why, sizeof dial->why, "cannot resolve %s: no answer in time", dial->host);
	finish(dial, NULL);
}

static void on_literal(uv_timer_t *timer)
{
	try_next(FW_CONTAINER(timer, struct fw_dial, timer));
}

/* A literal address needs no resolver. */
static int resolve(struct fw_dial *dial, int64_t deadline_ms, struct fw_err *err)
{
	struct sockaddr *first = (struct sockaddr *)&dial->addresses[0];
	if (uv_ip4_addr(dial->host, (int)dial->port, (struct sockaddr_in *)(void *)first) == 0 ||
		uv_ip6_addr(dial->host, (int)dial->port, (struct sockaddr_in6 *)(void *)first) ==
			0) {
		dial->n_addresses = 1;
		return uv_timer_start(&dial->timer, on_literal, 0, 0);
	}
	uv_timer_start(&dial->timer, on_lookup_timeout, (uint64_t)deadline_ms, 0);
	return fw_resolve_start(
		&dial->resolve, dial->timer.loop, dial->host, dial->port, on_resolved, dial, err);
}

int fw_dial_start(struct fw_dial **out, uv_loop_t *loop, const char *host_port, const char *proxy,
	int64_t deadline_ms, void (*on_dialled)(struct fw_link *, const char *, void *), void *arg,
	struct fw_err *err)
{
	struct fw_dial *dial = fw_alloc(sizeof *dial);
	const char *first = proxy ? proxy : host_port;
	if (fw_split_host_port(host_port, dial->host, sizeof dial->host, &dial->port) < 0 ||
		fw_split_host_port(first, dial->host, sizeof dial->host, &dial->port) < 0) {
		fw_free(dial);
		return fw_fail(err, -EINVAL, "'%s' is not HOST:PORT", first);
	}
	if (proxy)
		snprintf(dial->target, sizeof dial->target, "%s", host_port);
	dial->until_ms = (int64_t)uv_now(loop) + deadline_ms;
	dial->on_dialled = on_dialled;
	dial->arg = arg;
	uv_timer_init(loop, &dial->timer);
	fw_owner_init(&dial->owner, on_dial_done);
	fw_owner_adopt(&dial->owner, &dial->timer);
	int rc = resolve(dial, deadline_ms, err);
	if (rc < 0) {
		fw_owner_close(&dial->owner);
		return rc;
	}
	*out = dial;
	return 0;
}

void fw_dial_cancel(struct fw_dial *dial)
{
	if (!dial)
		return;
	dial->on_dialled = NULL;
	fw_resolve_cancel(dial->resolve);
	dial->resolve = NULL;
	if (dial->link)
		dial->link->arg = NULL;
	fw_link_close(dial->link);
	dial->link = NULL;
	fw_owner_close(&dial->owner);
}

/* ---- the proxy ---- */

static void on_proxy_ended(struct fw_link *link, int rc)
{
	struct fw_dial *dial = link->arg;
	snprintf(dial->why, sizeof dial->why, "the proxy %s:%u hung up: %s", dial->host, dial->port,
		fw_strerror(rc));
	finish(dial, NULL);
}

static void on_proxy_drained(struct fw_link *link)
{
	(void)link;
}

/* "HTTP/1.1 200 Connection established", then headers up to an empty line. */
static void read_answer(struct fw_dial *dial, const char *end)
{
	bool http = strncmp(dial->answer, "HTTP/1.", 7) == 0;
	if (http && strncmp(dial->answer + 8, " 200", 4) == 0 && end[4] == 0) {
		struct fw_link *link = dial->link;
		fw_link_pause(link);
		finish(dial, link);
		return;
	}
	dial->answer[strcspn(dial->answer, "\r\n")] = 0;
	snprintf(dial->why, sizeof dial->why, "the proxy %s:%u will not connect to %s: %.100s",
		dial->host, dial->port, dial->target,
		http ? dial->answer + 9 : "it speaks no HTTP");
	finish(dial, NULL);
}

static void on_proxy_read(struct fw_link *link, const uint8_t *data, size_t length)
{
	struct fw_dial *dial = link->arg;
	size_t room = ANSWER_BYTES - 1 - dial->answer_length;
	size_t taken = length < room ? length : room;
	memcpy(dial->answer + dial->answer_length, data, taken);
	dial->answer_length += taken;
	const char *end = strstr(dial->answer, "\r\n\r\n");
	if (end) {
		read_answer(dial, end);
	} else if (taken < length || dial->answer_length == ANSWER_BYTES - 1) {
		snprintf(dial->why, sizeof dial->why, "the proxy %s:%u answers without an end",
			dial->host, dial->port);
		finish(dial, NULL);
	}
}

static const struct fw_link_events proxy_events = {
	.on_read = on_proxy_read,
	.on_drained = on_proxy_drained,
	.on_ended = on_proxy_ended,
};

static void on_proxy_timeout(uv_timer_t *timer)
{
	struct fw_dial *dial = FW_CONTAINER(timer, struct fw_dial, timer);
	snprintf(dial->why, sizeof dial->why, "the proxy %s:%u does not answer", dial->host,
		dial->port);
	finish(dial, NULL);
}

static void ask_proxy(struct fw_dial *dial)
{
	char request[2 * sizeof dial->target + 64];
	int length = snprintf(request, sizeof request, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n",
		dial->target, dial->target);
	dial->answer = fw_alloc(ANSWER_BYTES);
	int64_t left_ms = dial->until_ms - (int64_t)uv_now(dial->timer.loop);
	uv_timer_start(&dial->timer, on_proxy_timeout, left_ms > 0 ? (uint64_t)left_ms : 0, 0);
	int rc = fw_link_start(dial->link, &proxy_events, dial);
	if (rc == 0)
		rc = fw_link_write(dial->link, request, (size_t)length);
	if (rc < 0)
		on_proxy_ended(dial->link, rc);
}
