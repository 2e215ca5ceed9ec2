/* One TCP socket on the loop: what conn.c stands on and dial.c makes.
 *
 * Bytes are written at once where the kernel takes them and queued where not.
 * What is read lies in a buffer of the thread and is gone after the callback,
 * so an idle link holds no memory but its own. fw_link_close ends all events
 * and gives the link back to the heap by itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include <fenwatch/err.h>
#include <fenwatch/loop.h>

#define FW_ADDRESS_TEXT 64 /* "[2001:db8::1]:7443" */

struct fw_link;

struct fw_link_events {
	void (*on_read)(struct fw_link *link, const uint8_t *data, size_t length);
	void (*on_drained)(struct fw_link *link); /* what had to be queued is with the kernel */
	void (*on_ended)(struct fw_link *link, int rc); /* UV_EOF or a failure */
};

struct fw_link {
	uv_tcp_t tcp;
	union {
		uv_connect_t connect;
		uv_shutdown_t shutdown;
	} request;
	struct fw_owner owner;
	size_t queued; /* bytes, with what the queue itself costs */
	bool reading;
	const struct fw_link_events *events; /* NULL: nobody listens any more */
	void *arg;
};

int fw_link_new(struct fw_link **out, uv_loop_t *loop);
/* Connected by now: no delay, and unacknowledged bytes end it after 30 s. */
int fw_link_start(struct fw_link *link, const struct fw_link_events *events, void *arg);
int fw_link_write(struct fw_link *link, const void *data, size_t length);
void fw_link_pause(struct fw_link *link);
int fw_link_resume(struct fw_link *link);
void fw_link_shutdown(struct fw_link *link); /* says the end once the queue is empty */
void fw_link_close(struct fw_link *link);
void fw_link_peer(const struct fw_link *link, char text[FW_ADDRESS_TEXT]);
void fw_address_text(const struct sockaddr *address, char text[FW_ADDRESS_TEXT]);

/* Resolving, connecting and asking a proxy. Ends in one call of `on_dialled`,
 * from the loop, with a connected link or with a sentence; then it is gone. */
struct fw_dial;
int fw_dial_start(struct fw_dial **out, uv_loop_t *loop, const char *host_port, const char *proxy,
	int64_t deadline_ms, void (*on_dialled)(struct fw_link *link, const char *why, void *arg),
	void *arg, struct fw_err *err);
void fw_dial_cancel(struct fw_dial *dial);
