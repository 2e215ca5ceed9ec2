/* The conversation with the collector.
 *
 * One connection at a time: Hello, Welcome, then frames by lane and number as
 * far as the windows allow, live before backlog, and what has to be announced
 * before them. After a failure the next address of the list is tried, and after
 * the last one there is a pause: drawn from 0-20 s, then from 0-40 s for ten
 * minutes, then from 0-300 s. Both sides send a heartbeat after 15 s of nothing,
 * and 45 s of silence is a dead peer. A certificate that has expired is renewed
 * on the enrolment protocol first; if the new one has expired, too, this machine's
 * clock is wrong, and there is a long pause.
 *
 * What is sent and what becomes of it is asked and told through callbacks, all
 * on the loop's thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>
#include <uv.h>

#include <fenwatch/conf.h>
#include <fenwatch/err.h>

#include "agent.h"

#include "fenwatch.pb-c.h"

struct uplink;

struct uplink_ops {
	SSL_CTX *(*tls)(void *arg);
	/* The certificate is good for nothing but a renewal. */
	bool (*must_renew)(void *arg);
	/* Packs the Hello frame; gives the first number of each lane that it promises. */
	void (*hello)(struct fw_buf *out, void *arg);
	/* Negative: this connection cannot go on; a new one begins with a new hello. */
	int (*on_welcome)(const Fenwatch__Wire__Welcome *welcome, void *arg);
	uint64_t (*oldest)(enum lane lane, void *arg);
	int (*frame)(
		enum lane lane, uint64_t seq, struct frame *out, void *arg); /* -ENOENT: none yet */
	const uint8_t *(*schema_hash)(uint32_t id, void *arg);
	int (*schema)(uint32_t id, const uint8_t **message, size_t *length, void *arg);
	/* The same as a difference to one that the collector may know; -ENOENT. */
	int (*schema_difference)(
		uint32_t id, uint32_t *base, const uint8_t **message, size_t *length, void *arg);
	void (*on_acked)(const uint64_t to[LANES], void *arg);
	void (*on_need_key)(void *arg);
	/* A revision of this kind of inventory is missing there. */
	void (*on_need_document)(const char *kind, void *arg);
	/* A frame with the request to renew, for the live connection or the enrolment protocol. */
	int (*renewal)(struct fw_buf *out, struct fw_err *err, void *arg);
	int (*on_renewed)(const uint8_t *reply, size_t length, struct fw_err *err, void *arg);
	void (*on_lost)(void *arg);
};

struct uplink_config {
	const struct fw_text_list *collectors;
	const char *proxy;
	double pause_scale;          /* 1; tests want less */
	uint32_t (*dice)(void *arg); /* NULL: chance itself */
	const struct uplink_ops *ops;
	void *arg;
};

int uplink_open(struct uplink **out, uv_loop_t *loop, const struct uplink_config *config,
	struct fw_err *err);
/* The memory goes from the loop; no callback comes any more. */
void uplink_close(struct uplink *u);

bool uplink_is_online(const struct uplink *u);
/* A live frame made now would be sent at once. Of those under way, `guests` are of
 * programs beside the agent and do not count. */
bool uplink_has_window(const struct uplink *u, unsigned guests);
/* There is something new to send. */
void uplink_wake(struct uplink *u);
/* Asks for a new certificate over the live connection; once at a time. */
void uplink_renew(struct uplink *u);

/* The pause before the next attempt, `lost_ms` after the connection was lost. */
int64_t uplink_pause_ms(int64_t lost_ms, unsigned failures, uint32_t dice);
