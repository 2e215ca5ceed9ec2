/* What the two files of the uplink share: who is dialled when (uplink.c), and the one
 * connection there is (uplink_link.c). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/buf.h>
#include <fenwatch/loop.h>

#include "uplink.h"

#define UPLINK_FAR_MS 300000 /* the longest pause */

struct exchange;
struct fw_conn;

struct announced_host {
	uint32_t id, crc; /* of its Host message */
};

/* One connection, from the dial to its end. */
struct link {
	struct uplink *uplink;
	struct fw_conn *conn;
	struct fw_buf in;
	bool welcomed, renewing;
	uint64_t next[LANES], acked[LANES];
	uint32_t *announced; /* schema ids of this connection */
	size_t n_announced;
	struct announced_host *hosts; /* likewise */
	size_t n_hosts;
	uint8_t *have; /* hashes that the collector knows */
	size_t n_have;
	uint64_t keyed_seq; /* the number that was last asked for as a key, and when */
	int64_t keyed_mono_ms, resume_mono_ms;
};

struct uplink {
	struct uplink_config config;
	struct fw_owner owner;
	uv_timer_t retry, beat;
	uv_loop_t *loop;
	struct link *link;
	struct exchange *exchange;
	size_t address; /* index into the list of collectors */
	unsigned failures;
	int64_t lost_mono_ms, pause_at_least_ms;
	bool must_renew;
};

/* The uplink's link from now on, also where this fails. */
int link_dial(struct uplink *u, struct fw_err *err);
void link_free(struct link *l); /* NULL, too */
/* Sends what may be sent. */
void link_pump(struct link *l);
void link_beat(struct link *l);
void link_renew(struct link *l);

const char *uplink_address(const struct uplink *u); /* the one of now */
/* The connection has ended: the next attempt is made in a while. Its link is gone. */
void uplink_give_up(struct uplink *u, const char *why);
void uplink_begin_beating(struct uplink *u);
/* The answer to a renewal, however it came. */
int uplink_take_reply(struct uplink *u, const uint8_t *reply, size_t length);
