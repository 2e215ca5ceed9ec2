/* SPDX-License-Identifier: Apache-2.0 */
#include "certs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/x509.h>

#include <fenwatch/text.h>
#include <fenwatch/tls.h>

#include "metrics.h"

/* Where a context keeps whom to tell. */
static int slot(void)
{
	static int index = -1;
	if (index < 0)
		index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	return index;
}

static struct certs *certs_of(const SSL *ssl)
{
	return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), slot());
}

/* ---- what a certificate says ---- */

static int64_t seconds(const ASN1_TIME *at)
{
	int days, rest;
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int64_t s = 0;
	if (epoch && ASN1_TIME_diff(&days, &rest, epoch, at))
		s = (int64_t)days * 86400 + rest;
	ASN1_TIME_free(epoch);
	return s;
}

static void lower_end(int64_t *earliest_s, const X509 *cert)
{
	int64_t end_s = seconds(X509_get0_notAfter(cert));
	if (*earliest_s == 0 || end_s < *earliest_s)
		*earliest_s = end_s;
}

static int64_t earliest_of(const STACK_OF(X509) * chain, const X509 *leaf)
{
	int64_t earliest_s = 0;
	if (leaf)
		lower_end(&earliest_s, leaf);
	for (int i = 0; i < sk_X509_num(chain); i++)
		lower_end(&earliest_s, sk_X509_value(chain, i));
	return earliest_s;
}

static void name_text(const X509_NAME *name, char *text)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n = 0;
	if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0)
		n = BIO_read(bio, text, CERTS_TEXT - 1);
	text[n > 0 ? n : 0] = '\0';
	BIO_free(bio);
}

static void serial_text(const X509 *cert, char *text, size_t size)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
	int n = ASN1_STRING_length(serial);
	text[0] = '\0';
	if (n > 0 && (size_t)n * 2 < size)
		fw_hex(ASN1_STRING_get0_data(serial), (size_t)n, text);
}

static void describe(struct certs *c, const X509 *leaf)
{
	uint8_t digest[32];
	unsigned n = sizeof digest;
	if (X509_digest(leaf, EVP_sha256(), digest, &n))
		fw_hex(digest, sizeof digest, c->fingerprint);
	name_text(X509_get_subject_name(leaf), c->subject);
	name_text(X509_get_issuer_name(leaf), c->issuer);
	serial_text(leaf, c->serial, sizeof c->serial);
}

/* ---- from within the handshake ---- */

/* For every certificate of the chain, and again for what is wrong with one. */
static int on_verify(int good, X509_STORE_CTX *store)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct certs *c = certs_of(ssl);
	const X509 *leaf = X509_STORE_CTX_get0_cert(store);
	if (!c->seen && leaf) {
		c->seen = true;
		c->verified = true;
		c->earliest_s = earliest_of(X509_STORE_CTX_get0_untrusted(store), leaf);
		snprintf(c->version, sizeof c->version, "%s", SSL_get_version(ssl));
		describe(c, leaf);
	}
	if (!good) {
		c->verified = false;
		if (!c->why[0])
			snprintf(c->why, sizeof c->why, "%s",
				X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)));
	}
	if (!good && c->tolerant)
		X509_STORE_CTX_set_error(store, X509_V_OK); /* libcurl looks at it again */
	return good || c->tolerant;
}

static void on_handshake(const SSL *ssl, int where, int value)
{
	struct certs *c = certs_of(ssl);
	(void)value;
	if (!(where & SSL_CB_HANDSHAKE_DONE) || c->shaken)
		return;
	const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
	const char *name = cipher ? SSL_CIPHER_standard_name(cipher) : NULL;
	c->shaken = true;
	snprintf(c->version, sizeof c->version, "%s", SSL_get_version(ssl));
	snprintf(c->cipher, sizeof c->cipher, "%s", name ? name : "");
	if (c->verified)
		c->chain_s = earliest_of(SSL_get0_verified_chain(ssl), NULL);
}

/* After a redirect there is another server, which counts. */
static void on_info(const SSL *ssl, int where, int value)
{
	struct certs *c = certs_of(ssl);
	if (where & SSL_CB_HANDSHAKE_START && c->shaken)
		*c = (struct certs){.tolerant = c->tolerant};
	on_handshake(ssl, where, value);
}

void certs_watch(SSL_CTX *tls, struct certs *certs)
{
	SSL_CTX_set_ex_data(tls, slot(), certs);
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, on_verify);
	SSL_CTX_set_info_callback(tls, on_info);
}

/* Old versions are let through: that a server speaks one is worth knowing. */
int certs_client(SSL_CTX **out, const char *ca, struct certs *certs, struct fw_err *err)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	if (!tls)
		return fw_fail(err, -ENOMEM, "TLS does not start");
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_min_proto_version(tls, TLS1_VERSION);
	SSL_CTX_set_security_level(tls, 0);
	if (ca ? !SSL_CTX_load_verify_file(tls, ca) : !SSL_CTX_set_default_verify_paths(tls)) {
		SSL_CTX_free(tls);
		return fw_fail(err, -EINVAL, "'%s' holds no certificates that can be read",
			ca ? ca : "the system's store");
	}
	certs_watch(tls, certs);
	*out = tls;
	return 0;
}

/* ---- series ---- */

/* Prometheus' own tools write "TLS 1.3", OpenSSL "TLSv1.3" and "TLSv1". */
static void add_version(const struct certs *c, struct sweep *sweep)
{
	char version[24];
	const char *number = strncmp(c->version, "TLSv", 4) == 0 ? c->version + 4 : "";
	if (number[0])
		snprintf(version, sizeof version, "TLS %s%s", number, number[1] ? "" : ".0");
	else
		snprintf(version, sizeof version, "%s", c->version);
	sweep_add(sweep, &check_metrics[PROBE_TLS_VERSION], 1, SWEEP_LABELS("version", version));
	if (c->cipher[0])
		sweep_add(sweep, &check_metrics[PROBE_TLS_CIPHER], 1,
			SWEEP_LABELS("cipher", c->cipher));
}

void certs_add(const struct certs *c, struct sweep *sweep)
{
	if (!c->seen)
		return;
	check_add(sweep, PROBE_TLS_VERIFIED, c->verified);
	check_add(sweep, PROBE_CERT_EXPIRY, c->earliest_s);
	if (c->chain_s)
		check_add(sweep, PROBE_CHAIN_EXPIRY, c->chain_s);
	sweep_add(sweep, &check_metrics[PROBE_CHAIN_INFO], 1,
		SWEEP_LABELS("fingerprint_sha256", c->fingerprint, "issuer", c->issuer,
			"serialnumber", c->serial, "subject", c->subject));
	add_version(c, sweep);
}
