/* SPDX-License-Identifier: Apache-2.0 */
#include "certificate.h"

#include <errno.h>
#include <string.h>

#include <gnutls/abstract.h>

#include <fenwatch/buf.h>
#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>
#include <fenwatch/tls.h>

#define FILE_LIMIT (256u << 10)
#define CHAIN_MOST 16 /* certificates, its own among them */
#define DIGEST 32     /* of SHA-256 */

struct api_certificate {
	unsigned holders;
	gnutls_pcert_st chain[CHAIN_MOST];
	unsigned n_chain;
	gnutls_privkey_t key;
	uint8_t texts[2][DIGEST]; /* of both files */
	int64_t from_ms, until_ms;
};

/* ---- reading ---- */

static int take_chain(struct api_certificate *certificate, const char *path,
	const struct fw_buf *text, struct fw_err *err)
{
	const gnutls_datum_t pem = {text->data, (unsigned)text->length};
	gnutls_x509_crt_t own;
	certificate->n_chain = CHAIN_MOST;
	int rc = gnutls_pcert_list_import_x509_raw(certificate->chain, &certificate->n_chain, &pem,
		GNUTLS_X509_FMT_PEM, GNUTLS_X509_CRT_LIST_SORT);
	if (rc < 0)
		certificate->n_chain = 0;
	if (rc >= 0)
		rc = gnutls_pcert_export_x509(&certificate->chain[0], &own);
	if (rc < 0)
		return fw_fail(err, -EINVAL, "'%s' holds no certificate in PEM", path);
	certificate->from_ms = (int64_t)gnutls_x509_crt_get_activation_time(own) * 1000;
	certificate->until_ms = (int64_t)gnutls_x509_crt_get_expiration_time(own) * 1000;
	gnutls_x509_crt_deinit(own);
	return 0;
}

static int take_key(struct api_certificate *certificate, const char *path,
	const struct fw_buf *text, struct fw_err *err)
{
	const gnutls_datum_t pem = {text->data, (unsigned)text->length};
	int rc = gnutls_privkey_init(&certificate->key);
	if (rc >= 0)
		rc = gnutls_privkey_import_x509_raw(
			certificate->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	return rc >= 0
		? 0
		: fw_fail(err, -EINVAL, "'%s' holds no key in PEM, or one with a password", path);
}

static bool digest_key(gnutls_pubkey_t key, uint8_t out[DIGEST])
{
	size_t size = DIGEST;
	return gnutls_pubkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, out, &size) >= 0;
}

static bool belong_together(const struct api_certificate *certificate)
{
	uint8_t shown[DIGEST], proven[DIGEST];
	gnutls_pubkey_t key;
	if (gnutls_pubkey_init(&key) < 0)
		return false;
	bool are_read = gnutls_pubkey_import_privkey(key, certificate->key, 0, 0) >= 0 &&
		digest_key(key, proven) && digest_key(certificate->chain[0].pubkey, shown);
	gnutls_pubkey_deinit(key);
	return are_read && memcmp(shown, proven, DIGEST) == 0;
}

/* One of the two files. */
static int take_file(struct api_certificate *certificate, int which, const char *path,
	int (*take)(struct api_certificate *, const char *, const struct fw_buf *, struct fw_err *),
	struct fw_err *err)
{
	struct fw_buf text = {0};
	int rc = fw_file_read(path, FILE_LIMIT, &text, err);
	if (rc == 0) {
		fw_sha256(text.data, text.length, certificate->texts[which]);
		rc = take(certificate, path, &text, err);
	}
	if (text.data)
		explicit_bzero(text.data, text.length);
	fw_buf_done(&text);
	return rc;
}

int api_certificate_read(struct api_certificate **out, const char *cert_path, const char *key_path,
	struct fw_err *err)
{
	struct api_certificate *certificate = fw_alloc(sizeof *certificate);
	certificate->holders = 1;
	int rc = take_file(certificate, 0, cert_path, take_chain, err);
	if (rc == 0)
		rc = take_file(certificate, 1, key_path, take_key, err);
	if (rc == 0 && !belong_together(certificate))
		rc = fw_fail(err, -EINVAL, "the key in '%s' is not that of the certificate in '%s'",
			key_path, cert_path);
	if (rc < 0) {
		api_certificate_drop(certificate);
		return fw_fail_in(err, rc, "api");
	}
	*out = certificate;
	return 0;
}

int api_certificate_check(
	const struct api_certificate *certificate, int64_t now_ms, struct fw_err *err)
{
	char when[32];
	if (certificate->until_ms <= now_ms)
		return fw_fail(err, -EINVAL, "api: the certificate ended at %s",
			fw_time_format(certificate->until_ms, when, sizeof when));
	if (certificate->from_ms > now_ms)
		return fw_fail(err, -EINVAL, "api: the certificate holds from %s on, not yet",
			fw_time_format(certificate->from_ms, when, sizeof when));
	return 0;
}

bool api_certificate_same(const struct api_certificate *one, const struct api_certificate *other)
{
	return memcmp(one->texts, other->texts, sizeof one->texts) == 0;
}

int64_t api_certificate_until_ms(const struct api_certificate *certificate)
{
	return certificate->until_ms;
}

/* ---- holding ---- */

struct api_certificate *certificate_hold(struct api_certificate *certificate)
{
	if (certificate)
		certificate->holders++;
	return certificate;
}

void api_certificate_drop(struct api_certificate *certificate)
{
	if (!certificate || --certificate->holders > 0)
		return;
	for (unsigned i = 0; i < certificate->n_chain; i++)
		gnutls_pcert_deinit(&certificate->chain[i]);
	gnutls_privkey_deinit(certificate->key);
	fw_free(certificate);
}

/* ---- showing ---- */

void certificate_pin(struct api_certificate *certificate, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	/* microhttpd has its own pointer there, which it uses for keys that are shared before. */
	gnutls_session_set_ptr(info->tls_session, certificate);
}

static int show(gnutls_session_t session, const gnutls_datum_t *authorities, int n_authorities,
	const gnutls_pk_algorithm_t *algorithms, int n_algorithms, gnutls_pcert_st **chain,
	unsigned *n_chain, gnutls_privkey_t *key)
{
	struct api_certificate *certificate = gnutls_session_get_ptr(session);
	(void)authorities;
	(void)n_authorities;
	(void)algorithms;
	(void)n_algorithms;
	*chain = certificate->chain;
	*n_chain = certificate->n_chain;
	*key = certificate->key;
	return 0;
}

struct MHD_OptionItem certificate_option(void)
{
	gnutls_certificate_retrieve_function2 *shows = show;
	return (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)shows};
}
