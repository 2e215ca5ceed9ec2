/* HTTP for feeds: one request, one answer, by libcurl on the loop.
 *
 * No redirects, no proxies from the environment, http and https only, and the
 * server's certificate is always checked. An answer is awaited for at most
 * TRANSFER_MS in all, and read to HTTP_ANSWER_LIMIT.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>

#define HTTP_ANSWER_LIMIT (64u << 10)
#define HTTP_RETRY_AFTER_MOST_MS (24 * 3600 * 1000)

struct delivery;
struct http_request;

struct http_call {
	const char *method, *url;
	const char *const *headers; /* "Name: value", NULL-ended */
	const char *body;           /* copied; NULL: none */
	const char *ca_file;        /* whose certificates are believed; NULL: the system's */
};

struct http_answer {
	long status;     /* 0: there was none */
	const char *why; /* of no answer */
	const char *body;
	size_t length;
	int64_t retry_after_ms; /* as the server asked; 0: it did not */
};

/* From the loop, once; the request is gone afterwards. */
typedef void http_done(const struct http_answer *answer, void *arg);

int http_send(
	struct http_request **out, const struct http_call *call, http_done *on_done, void *arg);
void http_cancel(struct http_request *request); /* on_done is not called */

/* ---- deliveries; their `state` is the request under way ---- */

/* Sends it for this delivery; on_done's argument is the delivery. What cannot even be
 * begun finishes with TRY_LATER. */
void http_ask(struct delivery *delivery, const struct http_call *call, http_done *on_done);
/* Finishes by what the answer's status means: 2xx delivered; none, 401, 403, 408, 429 and
 * 5xx are tried again; others are refused. An http_done; `arg` is the delivery. */
void http_finish(const struct http_answer *answer, void *arg);
/* The `cancel` of these. */
void http_interrupt(struct delivery *delivery);

/* Whether this is a URL that may be asked. */
int http_check_url(const char *url, struct fw_err *err);
