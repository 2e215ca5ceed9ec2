/* Keys, certificates and TLS contexts, on OpenSSL.
 *
 * TLS 1.3 only, both sides with certificates, ECDSA P-256, no tickets, no
 * early data. Identity is a URI in the certificate: "fenwatch:agent:<uuid>" or
 * "fenwatch:collector:<uuid>"; names and addresses mean nothing here. Texts
 * are PEM. Keys are written 0600.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include <fenwatch/err.h>

#define FW_ALPN "fenwatch/1"
#define FW_ALPN_ENROL "fenwatch-enrol/1"
#define FW_UUID_TEXT 37   /* with its NUL */
#define FW_FINGERPRINT 32 /* SHA-256 of a certificate's DER */

struct fw_buf;

void fw_random(void *out, size_t length);
void fw_sha256(const void *data, size_t length, uint8_t out[32]);
void fw_uuid_new(char out[FW_UUID_TEXT]);
bool fw_uuid_valid(const char *text);
int fw_uuid_bytes(const char *text, uint8_t out[16]);
void fw_uuid_text(const uint8_t bytes[16], char out[FW_UUID_TEXT]);

/* Key and request. `fw_key_new` gives a fresh P-256 key in PEM. */
int fw_key_new(struct fw_buf *pem, struct fw_err *err);
/* A CSR for `key`; `name` becomes the CN (at most 64 bytes, else cut). */
int fw_csr_new(const char *key_pem, const char *name, struct fw_buf *pem, struct fw_err *err);

/* The CA. */
struct fw_ca; /* certificate and key, read-only after open; signing is safe from several threads */
int fw_ca_create(const char *estate, int64_t now_ms, struct fw_buf *cert_pem,
	struct fw_buf *key_pem, struct fw_err *err); /* self-signed, 10 years */
int fw_ca_open(struct fw_ca **out, const char *cert_pem, const char *key_pem, struct fw_err *err);
void fw_ca_free(struct fw_ca *ca);
void fw_ca_fingerprint(const struct fw_ca *ca, uint8_t out[FW_FINGERPRINT]);
int64_t fw_ca_until_ms(const struct fw_ca *ca);
enum fw_cert_use {
	FW_CERT_AGENT,
	FW_CERT_COLLECTOR
}; /* EKU clientAuth or serverAuth, nothing else */
/* Checks the CSR's own signature, key type (P-256, or RSA >= 2048) and size. */
int fw_ca_sign(const struct fw_ca *ca, const char *csr_pem, enum fw_cert_use use, const char *uuid,
	int64_t from_ms, int64_t until_ms, struct fw_buf *cert_pem, struct fw_err *err);

struct fw_cert_facts {
	enum fw_cert_use use;
	char uuid[FW_UUID_TEXT];
	char serial[64]; /* hex */
	int64_t from_ms, until_ms;
	uint8_t fingerprint[FW_FINGERPRINT];
	uint8_t key_sha256[32]; /* of the public key */
};
int fw_cert_facts(X509 *cert, struct fw_cert_facts *facts, struct fw_err *err);
int fw_cert_facts_pem(const char *pem, struct fw_cert_facts *facts, struct fw_err *err);

/* Contexts. A peer's certificate must chain to one of `ca_pem` and carry the right EKU and URI. */
struct fw_tls_config {
	const char *ca_pem; /* one or more, a server's own first; NULL only with `pin` */
	const char *cert_pem, *key_pem; /* NULL: none (enrolment) */
	const uint8_t *pin; /* client, enrolment: SHA-256 of the CA certificate that must be in
	                                    the server's chain; replaces ca_pem */
	bool client_cert_optional; /* server, enrolment ALPN: the peer may come without one */
	int64_t expired_grace_ms;  /* server: accept peers expired by at most so much; the caller
	                                    looks at fw_conn_peer_expired() and lets them only renew */
};
int fw_tls_server(SSL_CTX **out, const struct fw_tls_config *config, struct fw_err *err);
int fw_tls_client(SSL_CTX **out, const struct fw_tls_config *config, struct fw_err *err);
/* The clock for expiry checks is fw_wall_ms(), so tests move it. */

/* When this connection's peer is refused for its certificate, *refusal (NULL until
 * then) becomes a sentence that names it and the cause; fw_free gives it back. */
void fw_tls_watch(SSL *ssl, char **refusal);

/* The newest sentence in OpenSSL's queue, emptied. */
const char *fw_tls_error(char *text, size_t size);
