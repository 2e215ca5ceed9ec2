/* For tests: somebody who takes webhooks, and does so badly when asked to.
 *
 * A small HTTP server on the test's own loop. It remembers every request whose
 * body has come whole, and answers as `answer` says at that moment.
 */
#pragma once

#include <stddef.h>

#include <uv.h>

enum {
	RECEIVER_HANG = -1,  /* never answers */
	RECEIVER_RESET = -2, /* resets the connection instead of answering */
	RECEIVER_HALF = -3,  /* says 200, promises a body and resets in the middle of it */
	RECEIVER_LONG = -4,  /* says 200 and sends more than anybody reads */
};

struct received {
	char *head, *body;
	char idempotency[160];
	int answered;
};

struct receiver {
	uv_tcp_t listener;
	uv_loop_t *loop;
	unsigned port;
	int answer;              /* a status, or one of the above */
	const char *retry_after; /* beside the status; NULL: not */
	const char *text;        /* the answer's body; NULL: "ok" */
	int (*decide)(struct receiver *receiver, const struct received *request); /* or this */
	struct received *got;
	size_t n_got;
	struct receiver_peer *peers;
};

void receiver_open(struct receiver *receiver, uv_loop_t *loop);
/* Closes the listener and every connection; run the loop afterwards. */
void receiver_close(struct receiver *receiver);
/* Whoever hangs is answered now. */
void receiver_answer_hanging(struct receiver *receiver, int status);
void receiver_forget(struct receiver *receiver); /* frees what it has received */
