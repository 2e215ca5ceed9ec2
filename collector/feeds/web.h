/* HTTP for feeds: one request, one answer, by libcurl on the loop.
 *
 * No redirects, no proxies from the environment, http and https only, and the
 * server's certificate is always checked. An answer is awaited for at most
 * TRANSFER_MS in all, and read to WEB_ANSWER_LIMIT.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>

#define WEB_ANSWER_LIMIT (64u << 10)
#define WEB_RETRY_AFTER_MOST_MS (3600 * 1000) /* who asks for more gets no more */

struct delivery;
struct web_request;

struct web_call {
	const char *method, *url;
	const char *const *headers; /* "Name: value", NULL-ended */
	const char *body;           /* copied; NULL: none */
	const char *ca_file;        /* whose certificates are believed; NULL: the system's */
};

struct web_answer {
	long status;     /* 0: there was none */
	const char *why; /* of no answer */
	const char *body;
	size_t length;
	int64_t retry_after_ms; /* as the server asked; 0: it did not */
};

/* From the loop, once; the request is gone afterwards. */
typedef void web_done(const struct web_answer *answer, void *arg);

int web_send(struct web_request **out, const struct web_call *call, web_done *on_done, void *arg);
void web_cancel(struct web_request *request); /* on_done is not called */

/* ---- deliveries; their `state` is the request under way ---- */

/* Sends it for this delivery; on_done's argument is the delivery. What cannot even be
 * begun finishes with TRY_LATER. */
void web_ask(struct delivery *delivery, const struct web_call *call, web_done *on_done);
/* Finishes by what the answer's status means: 2xx delivered; none, 401, 403, 408, 429 and
 * 5xx are tried again; others are refused. An web_done; `arg` is the delivery. */
void web_finish(const struct web_answer *answer, void *arg);
/* The same where the answer says well, but is not what was asked for: a page of whatever stands
 * between. It is tried again. */
void web_doubt(const struct web_answer *answer, struct delivery *delivery);
/* The `cancel` of these. */
void web_interrupt(struct delivery *delivery);

/* Whether this is a URL that may be asked. */
int web_check_url(const char *url, struct fw_err *err);
/* The same of one that paths are put behind; the sentence says "url". */
int web_check_base(const char *url, struct fw_err *err);
