/* One session of net-snmp on the loop: a socket, a timer, one request at a time.
 *
 * What the library calls back about is kept until it has returned, and told then: so who
 * hears of it may close the line. Where the library repeats a packet that is counted.
 */
#pragma once

#include <stdint.h>

#include <uv.h>

#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#include <fenwatch/err.h>

#include "walk.h"

#define LINE_BINDINGS 512

struct line;

struct line_event {
	const char *why; /* NULL: `answer` is one */
	bool is_nobodys; /* nothing came back */
	struct answer answer;
	const uint8_t *engine; /* who answered, of version 3 */
	size_t engine_length;
};

/* Opens a session like this one and sends its first PDU, which it takes in any case. */
int line_open(struct line **out, uv_loop_t *loop, netsnmp_session *like, netsnmp_pdu *pdu,
	int64_t timeout_ms,
	void (*on_event)(struct line *line, const struct line_event *, void *arg), void *arg,
	struct fw_err *err);
int line_send(struct line *line, netsnmp_pdu *pdu);
void line_free(struct line *line); /* no event comes any more */
/* Adds the packets since the last call. */
void line_count(struct line *line, uint64_t *sent, uint64_t *retried);
