/* One enrolment or late renewal: a connection of ALPN fenwatch-enrol/1 that
 * carries one request and one reply.
 *
 * `on_done` comes once, from the loop: with the reply's message, or with NULL and
 * a sentence. Then exchange_free().
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>
#include <uv.h>

#include <fenwatch/err.h>

struct exchange;

struct exchange_config {
	const char *collector; /* "host:port" */
	const char *proxy;     /* or NULL */
	SSL_CTX *tls;
	void (*on_done)(const uint8_t *reply, size_t length, const char *why, void *arg);
	void *arg;
};

/* `request` is a whole frame. */
int exchange_open(struct exchange **out, uv_loop_t *loop, const struct exchange_config *config,
	const uint8_t *request, size_t length, struct fw_err *err);
void exchange_free(struct exchange *x);
