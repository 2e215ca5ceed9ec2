/* One HTTP request after another, by libcurl on the loop.
 *
 * No redirects, no proxies from the environment, http and https only, and the
 * server's certificate is always checked. An answer is awaited for at most
 * HTTP_TIMEOUT_MS in all, and read to HTTP_ANSWER_LIMIT.
 */
#pragma once

#include <stddef.h>

#include <fenwatch/err.h>

#define HTTP_TIMEOUT_MS 30000
#define HTTP_CONNECT_MS 10000
#define HTTP_ANSWER_LIMIT (64u << 10)

struct http_request;

/* From the loop, once: the answer's status, or 0 where there was none and `why`. The
 * request is gone afterwards. */
typedef void http_done(long status, const char *why, void *arg);

/* Sends `body` (copied) by POST; `headers` are "Name: value", NULL-ended. */
int http_post(struct http_request **out, const char *url, const char *const *headers,
	const char *body, size_t length, http_done *on_done, void *arg);
void http_cancel(struct http_request *request); /* on_done is not called */

/* Whether this is a URL that http_post may be given. */
int http_check_url(const char *url, struct fw_err *err);
