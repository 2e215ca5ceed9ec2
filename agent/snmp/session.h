/* Asking one device, on the loop: net-snmp behind a small door.
 *
 * A session resolves its address, and of version 3 learns the device's engine, with its
 * first question; from then on one question goes after another. Nothing blocks: not a
 * dead device, nor the look for an engine. After a failure it begins anew with the next
 * question, since the address, the engine or the keys may have changed. All sessions live
 * on one thread, as the library's users and clocks of version 3 are global.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include <fenwatch/err.h>

#include "walk.h"

enum snmp_version { SNMP_V1, SNMP_V2C, SNMP_V3 };

struct session_config {
	const char *host;
	unsigned port;
	enum snmp_version version;
	const char *credentials; /* a file, credentials.h */
	bool own;                /* it may be that of the person who runs this */
	int64_t timeout_ms;      /* of one packet */
	int retries;
	/* Either an answer, whose memory is good during the call, or the reason why there is
	 * none. */
	void (*on_answer)(const struct answer *answer, const char *why, void *arg);
	void *arg;
};

struct session;

struct session *session_new(uv_loop_t *loop, const struct session_config *config);
/* The memory goes from the loop; no answer comes any more. */
void session_free(struct session *s);
/* One at a time; the answer never comes from within the call, and until then the names that
 * are asked for stay where they are. */
void session_ask(struct session *s, const struct asking *asking);
/* Something has come back from there, if only that it does not answer whom it does not know. */
bool session_was_heard(const struct session *s);
/* Where the device was found; "" before the first question. */
const char *session_address(const struct session *s);
/* Packets since the last call. */
void session_count(struct session *s, uint64_t *sent, uint64_t *retried);
