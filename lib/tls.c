/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts: what a handshake of ours may look like, and whom it lets in.
 *
 * OpenSSL checks the chain; the moment it checks against, how far an expired
 * peer is tolerated, and the identity in the certificate are ours. They are
 * kept in a `policy` that lives as long as its SSL_CTX.
 */
#include <fenwatch/tls.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <fenwatch/clock.h>
#include <fenwatch/mem.h>
#include <fenwatch/text.h>

#include "pem.h"

#define CIPHERS "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"
#define GROUPS "X25519:P-256"
#define SIGNATURES "ECDSA+SHA256:RSA-PSS+SHA256:RSA-PSS+SHA384"

struct policy {
	bool server, client_cert_optional, pinned;
	uint8_t pin[FW_FINGERPRINT];
	int64_t expired_grace_ms;
};

static CRYPTO_ONCE policy_once = CRYPTO_ONCE_STATIC_INIT;
static int policy_index = -1;

static void policy_free(
	void *ctx, void *policy, CRYPTO_EX_DATA *data, int index, long argument, void *pointer)
{
	(void)ctx;
	(void)data;
	(void)index;
	(void)argument;
	(void)pointer;
	fw_free(policy);
}

static void policy_register(void)
{
	policy_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, policy_free);
}

void fw_tls_watch(SSL *ssl, char **refusal)
{
	SSL_set_app_data(ssl, refusal);
}

static SSL *ssl_of(X509_STORE_CTX *store)
{
	return X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
}

/* Whom a certificate says it is of, as far as that can be read. */
static void name_of(X509 *cert, char *out, size_t size)
{
	struct fw_cert_facts facts;
	char cn[65] = "";
	X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, cn, sizeof cn);
	if (fw_cert_facts(cert, &facts, NULL) == 0)
		snprintf(out, size, "'%s' (%s)", cn, facts.uuid);
	else
		snprintf(out, size, "'%s'", cn);
}

static int refuse(X509_STORE_CTX *store, int code, const char *why)
{
	char **refusal = SSL_get_app_data(ssl_of(store));
	X509_STORE_CTX_set_error(store, code);
	X509 *leaf = X509_STORE_CTX_get0_cert(store);
	if (refusal && !*refusal) {
		char name[128] = "?";
		if (leaf)
			name_of(leaf, name, sizeof name);
		*refusal = fw_format("certificate of %s refused: %s", name, why);
	}
	return 0;
}

/* What OpenSSL says of the chain, and where to look: at the clock, or at who made it. */
static int refuse_chain(X509_STORE_CTX *store, int64_t now_ms)
{
	int code = X509_STORE_CTX_get_error(store);
	char now[32], why[256];
	const char *text = X509_verify_cert_error_string(code);
	switch (code) {
	case X509_V_ERR_CERT_NOT_YET_VALID:
	case X509_V_ERR_CERT_HAS_EXPIRED:
		snprintf(why, sizeof why, "%s; by this machine's clock it is %s", text,
			fw_time_format(now_ms, now, sizeof now));
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
		snprintf(why, sizeof why, "%s; it is from another certificate authority than ours",
			text);
		break;
	default:
		snprintf(why, sizeof why, "%s", text);
	}
	return refuse(store, code, why);
}

static int on_chain_checked(int ok, X509_STORE_CTX *store)
{
	if (ok || X509_STORE_CTX_get_error(store) != X509_V_ERR_CERT_HAS_EXPIRED ||
		X509_STORE_CTX_get_error_depth(store) != 0)
		return ok;
	const struct policy *policy =
		SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl_of(store)), policy_index);
	struct fw_cert_facts facts;
	if (fw_cert_facts(X509_STORE_CTX_get0_cert(store), &facts, NULL) < 0 ||
		fw_wall_ms() - facts.until_ms > policy->expired_grace_ms)
		return 0;
	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}

/* Trusts the pinned certificate, if the peer sent it, and nothing else. */
static bool trust_pinned(X509_STORE_CTX *store, const uint8_t *pin, STACK_OF(X509) * trusted)
{
	STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
	for (int i = 0; i < sk_X509_num(sent); i++) {
		X509 *cert = sk_X509_value(sent, i);
		uint8_t digest[FW_FINGERPRINT];
		if (X509_digest(cert, EVP_sha256(), digest, NULL) == 1 &&
			fw_same_secret(digest, pin, sizeof digest)) {
			X509_STORE_CTX_set0_trusted_stack(store, trusted);
			return sk_X509_push(trusted, cert) > 0;
		}
	}
	return false;
}

static int check_chain(X509_STORE_CTX *store, const struct policy *policy)
{
	int64_t now_ms = fw_wall_ms();
	X509_STORE_CTX_set_time(store, 0, (time_t)(now_ms / 1000));
	X509_STORE_CTX_set_verify_cb(store, on_chain_checked);
	if (X509_verify_cert(store) <= 0)
		return refuse_chain(store, now_ms);
	struct fw_cert_facts facts;
	struct fw_err err;
	if (fw_cert_facts(X509_STORE_CTX_get0_cert(store), &facts, &err) < 0)
		return refuse(store, X509_V_ERR_APPLICATION_VERIFICATION, err.text);
	if (facts.use != (policy->server ? FW_CERT_AGENT : FW_CERT_COLLECTOR))
		return refuse(store, X509_V_ERR_INVALID_PURPOSE,
			policy->server ? "it is not an agent's" : "it is not a collector's");
	return 1;
}

static int on_verify(X509_STORE_CTX *store, void *arg)
{
	const struct policy *policy = arg;
	if (!policy->pinned)
		return check_chain(store, policy);
	STACK_OF(X509) *trusted = sk_X509_new_null();
	int ok = trusted && trust_pinned(store, policy->pin, trusted)
		? check_chain(store, policy)
		: refuse(store, X509_V_ERR_CERT_UNTRUSTED,
			  "the CA whose fingerprint came with the token is not in its chain; the token is of another collector");
	X509_STORE_CTX_set0_trusted_stack(store, NULL);
	sk_X509_free(trusted);
	return ok;
}

static bool is_protocol(const unsigned char *offer, const char *name)
{
	return offer[0] == strlen(name) && memcmp(offer + 1, name, offer[0]) == 0;
}

/* Who comes to enrol may come without a certificate, nobody else. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *length,
	const unsigned char *offers, unsigned offers_length, void *arg)
{
	const struct policy *policy = arg;
	for (unsigned at = 0; at + 1 < offers_length; at += 1u + offers[at]) {
		const unsigned char *offer = offers + at;
		bool enrol = is_protocol(offer, FW_ALPN_ENROL);
		if (!enrol && !is_protocol(offer, FW_ALPN))
			continue;
		if (enrol && policy->client_cert_optional)
			SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
		*out = offer + 1;
		*length = offer[0];
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int use_cert(SSL_CTX *ctx, const struct fw_tls_config *config, struct fw_err *err)
{
	X509 *cert = fw_pem_cert(config->cert_pem);
	EVP_PKEY *key = fw_pem_key(config->key_pem);
	bool ok = cert && key && SSL_CTX_use_certificate(ctx, cert) == 1 &&
		SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
	char reason[128];
	int rc = ok ? 0
		    : fw_fail(err, -EINVAL, "certificate and key: %s",
			      fw_tls_error(reason, sizeof reason));
	X509_free(cert);
	EVP_PKEY_free(key);
	return rc;
}

/* A server also sends its own CA, the first one, so that who enrols can find the pinned one. */
static int use_ca(SSL_CTX *ctx, const struct fw_tls_config *config, bool server, struct fw_err *err)
{
	STACK_OF(X509) *cas = fw_pem_certs(config->ca_pem);
	bool ok = cas && (!server || SSL_CTX_add1_chain_cert(ctx, sk_X509_value(cas, 0)) == 1);
	for (int i = 0; ok && i < sk_X509_num(cas); i++)
		ok = X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), sk_X509_value(cas, i)) == 1;
	char reason[128];
	int rc = ok
		? 0
		: fw_fail(err, -EINVAL, "CA certificate: %s", fw_tls_error(reason, sizeof reason));
	sk_X509_pop_free(cas, X509_free);
	return rc;
}

/* A connection that is idle keeps no buffer; no session outlives its connection. */
static int set_protocol(SSL_CTX *ctx)
{
	SSL_CTX_set_options(ctx,
		SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
			SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx,
		SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
			SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_security_level(ctx, 2);
	bool ok = SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
		SSL_CTX_set_ciphersuites(ctx, CIPHERS) == 1 &&
		SSL_CTX_set1_groups_list(ctx, GROUPS) == 1 &&
		SSL_CTX_set1_sigalgs_list(ctx, SIGNATURES) == 1 &&
		SSL_CTX_set_num_tickets(ctx, 0) == 1;
	return ok ? 0 : -ENOTSUP;
}

static int attach_policy(SSL_CTX *ctx, const struct fw_tls_config *config, bool server)
{
	CRYPTO_THREAD_run_once(&policy_once, policy_register);
	struct policy *policy = fw_alloc(sizeof *policy);
	policy->server = server;
	policy->client_cert_optional = config->client_cert_optional;
	policy->expired_grace_ms = config->expired_grace_ms;
	policy->pinned = config->pin != NULL;
	if (config->pin)
		memcpy(policy->pin, config->pin, FW_FINGERPRINT);
	if (policy_index < 0 || SSL_CTX_set_ex_data(ctx, policy_index, policy) != 1) {
		fw_free(policy);
		return -ENOMEM;
	}
	SSL_CTX_set_cert_verify_callback(ctx, on_verify, policy);
	if (server)
		SSL_CTX_set_alpn_select_cb(ctx, on_alpn, policy);
	return 0;
}

static int context_new(
	SSL_CTX **out, const struct fw_tls_config *config, bool server, struct fw_err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	if (!ctx)
		return fw_fail(err, -ENOMEM, "cannot make a TLS context");
	int rc = set_protocol(ctx);
	if (rc == 0)
		rc = attach_policy(ctx, config, server);
	if (rc < 0)
		fw_fail(err, rc, "this OpenSSL cannot do what Fenwatch needs of TLS 1.3");
	if (rc == 0 && config->cert_pem)
		rc = use_cert(ctx, config, err);
	if (rc == 0 && !config->pin)
		rc = use_ca(ctx, config, server, err);
	if (rc < 0) {
		SSL_CTX_free(ctx);
		return rc;
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	*out = ctx;
	return 0;
}

int fw_tls_server(SSL_CTX **out, const struct fw_tls_config *config, struct fw_err *err)
{
	return context_new(out, config, true, err);
}

int fw_tls_client(SSL_CTX **out, const struct fw_tls_config *config, struct fw_err *err)
{
	return context_new(out, config, false, err);
}
