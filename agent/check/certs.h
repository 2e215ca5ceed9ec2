/* What a TLS handshake shows of the server: version, cipher, certificates.
 *
 * Watched from within OpenSSL, so that it is known too when the handshake ends there,
 * with a certificate that has expired or that nobody believes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include <fenwatch/err.h>

#include "sweep.h"

#define CERTS_TEXT 256

struct certs {
	bool seen, shaken, verified; /* a certificate; a handshake that went well; its chain */
	bool tolerant;               /* one that is not believed does not end it */
	int64_t earliest_s, chain_s; /* 0: not known */
	char version[16], cipher[64];
	char fingerprint[65], subject[CERTS_TEXT], issuer[CERTS_TEXT], serial[65];
	char why[CERTS_TEXT]; /* it is not believed; "" */
};

/* `certs` must live as long as the context. `tolerant` is the caller's to set before. */
void certs_watch(SSL_CTX *tls, struct certs *certs);
/* A context for a client that believes `ca` (NULL: what the system does), watched. */
int certs_client(SSL_CTX **out, const char *ca, struct certs *certs, struct fw_err *err);
void certs_add(const struct certs *certs, struct sweep *sweep);
