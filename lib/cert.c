/* SPDX-License-Identifier: Apache-2.0 */
#include <fenwatch/tls.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <fenwatch/buf.h>
#include <fenwatch/mem.h>
#include <fenwatch/text.h>

#include "pem.h"

#define CA_LIFE_MS ((int64_t)10 * 365 * 86400 * 1000)
#define PEM_LIMIT 16384
#define NAME_LIMIT 64 /* bytes of a CN, by X.520 */

static const char *const uri_prefixes[] = {
	[FW_CERT_AGENT] = "fenwatch:agent:",
	[FW_CERT_COLLECTOR] = "fenwatch:collector:",
};

struct fw_ca {
	X509 *cert;
	EVP_PKEY *key;
};

/* Where OpenSSL's own words would puzzle who reads them in a log. */
static const struct {
	int reason;
	const char *sentence;
} sentences[] = {
	{SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "no certificate came from the peer"},
	{SSL_R_UNSUPPORTED_PROTOCOL, "the peer does not speak TLS 1.3"},
	{SSL_R_HTTP_REQUEST, "the peer speaks HTTP without TLS"},
	{SSL_R_WRONG_VERSION_NUMBER, "the peer does not speak TLS"},
};

const char *fw_tls_error(char *text, size_t size)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	if (ERR_GET_LIB(code) == ERR_LIB_SSL)
		for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++)
			if (ERR_GET_REASON(code) == sentences[i].reason)
				reason = sentences[i].sentence;
	snprintf(text, size, "%s", reason ? reason : "no reason given");
	ERR_clear_error();
	return text;
}

static int fail_tls(struct fw_err *err, int rc, const char *what)
{
	char reason[128];
	return fw_fail(err, rc, "%s: %s", what, fw_tls_error(reason, sizeof reason));
}

/* Appends what `bio` holds and frees it. */
static void take_pem(BIO *bio, struct fw_buf *pem)
{
	char *data = NULL;
	long length = BIO_get_mem_data(bio, &data);
	fw_buf_append(pem, data, (size_t)length);
	BIO_free(bio);
}

static BIO *pem_reader(const char *text)
{
	size_t length = strlen(text);
	return length > 0 && length <= PEM_LIMIT ? BIO_new_mem_buf(text, (int)length) : NULL;
}

X509 *fw_pem_cert(const char *pem)
{
	BIO *bio = pem_reader(pem);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	return cert;
}

STACK_OF(X509) * fw_pem_certs(const char *pem)
{
	BIO *bio = pem_reader(pem);
	STACK_OF(X509) *certs = bio ? sk_X509_new_null() : NULL;
	for (X509 *cert; certs && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL));) {
		if (sk_X509_push(certs, cert) <= 0) {
			X509_free(cert);
			break;
		}
	}
	BIO_free(bio);
	if (sk_X509_num(certs) > 0) {
		ERR_clear_error(); /* of the end of the text */
		return certs;
	}
	sk_X509_free(certs);
	return NULL;
}

/* Never asks at a terminal for a pass phrase. */
static int no_password(char *buffer, int size, int writing, void *arg)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

EVP_PKEY *fw_pem_key(const char *pem)
{
	BIO *bio = pem_reader(pem);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
	BIO_free(bio);
	return key;
}

static int write_cert(X509 *cert, struct fw_buf *pem)
{
	BIO *bio = BIO_new(BIO_s_mem());
	if (!bio || PEM_write_bio_X509(bio, cert) != 1) {
		BIO_free(bio);
		return -ENOMEM;
	}
	take_pem(bio, pem);
	return 0;
}

int fw_key_new(struct fw_buf *pem, struct fw_err *err)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	BIO *bio = BIO_new(BIO_s_mem());
	if (!key || !bio ||
		PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
		EVP_PKEY_free(key);
		BIO_free(bio);
		return fail_tls(err, -EIO, "cannot make a key");
	}
	take_pem(bio, pem);
	EVP_PKEY_free(key);
	return 0;
}

/* A name as a CN: at most 64 bytes, cut between characters. */
static int set_name(X509_NAME *subject, const char *name)
{
	size_t length = strlen(name);
	if (length > NAME_LIMIT) {
		length = NAME_LIMIT;
		while (length > 0 && ((unsigned char)name[length] & 0xc0) == 0x80)
			length--;
	}
	return X509_NAME_add_entry_by_txt(
		subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, (int)length, -1, 0);
}

int fw_csr_new(const char *key_pem, const char *name, struct fw_buf *pem, struct fw_err *err)
{
	EVP_PKEY *key = fw_pem_key(key_pem);
	X509_REQ *csr = X509_REQ_new();
	BIO *bio = BIO_new(BIO_s_mem());
	int rc = 0;
	if (!key || !csr || !bio || !*name || X509_REQ_set_version(csr, 0) != 1 ||
		set_name(X509_REQ_get_subject_name(csr), name) != 1 ||
		X509_REQ_set_pubkey(csr, key) != 1 || X509_REQ_sign(csr, key, EVP_sha256()) <= 0 ||
		PEM_write_bio_X509_REQ(bio, csr) != 1)
		rc = fail_tls(err, -EINVAL, "cannot make a certificate request");
	if (rc == 0)
		take_pem(bio, pem);
	else
		BIO_free(bio);
	X509_REQ_free(csr);
	EVP_PKEY_free(key);
	return rc;
}

static int set_serial(X509 *cert)
{
	uint8_t bytes[16];
	fw_random(bytes, sizeof bytes);
	bytes[0] = (uint8_t)((bytes[0] & 0x3f) | 0x40); /* positive, always 16 bytes */
	BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
	bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
	BN_free(number);
	return ok ? 0 : -ENOMEM;
}

static int set_times(X509 *cert, int64_t from_ms, int64_t until_ms)
{
	bool ok = ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)(from_ms / 1000)) &&
		ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)(until_ms / 1000));
	return ok ? 0 : -ENOMEM;
}

static int add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, &context, nid, value);
	bool ok = extension && X509_add_ext(cert, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return ok ? 0 : -EINVAL;
}

static int fill_ca(X509 *cert, EVP_PKEY *key, const char *estate, int64_t now_ms)
{
	char name[NAME_LIMIT + 1];
	snprintf(name, sizeof name, "Fenwatch CA %s", estate);
	/* From yesterday: the first agents' clocks may be behind. */
	bool ok = X509_set_version(cert, 2) == 1 && set_serial(cert) == 0 &&
		set_times(cert, now_ms - 86400000, now_ms + CA_LIFE_MS) == 0 &&
		set_name(X509_get_subject_name(cert), name) == 1 &&
		X509_set_issuer_name(cert, X509_get_subject_name(cert)) == 1 &&
		X509_set_pubkey(cert, key) == 1 &&
		add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ==
			0 &&
		add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") == 0 &&
		add_extension(cert, cert, NID_subject_key_identifier, "hash") == 0 &&
		X509_sign(cert, key, EVP_sha256()) > 0;
	return ok ? 0 : -EIO;
}

int fw_ca_create(const char *estate, int64_t now_ms, struct fw_buf *cert_pem,
	struct fw_buf *key_pem, struct fw_err *err)
{
	struct fw_buf key_text = {0};
	int rc = fw_key_new(&key_text, err);
	if (rc < 0)
		return rc;
	EVP_PKEY *key = fw_pem_key((const char *)key_text.data);
	X509 *cert = X509_new();
	if (!key || !cert || fill_ca(cert, key, estate, now_ms) < 0 ||
		write_cert(cert, cert_pem) < 0)
		rc = fail_tls(err, -EIO, "cannot make a certificate authority");
	else
		fw_buf_append(key_pem, key_text.data, key_text.length);
	X509_free(cert);
	EVP_PKEY_free(key);
	OPENSSL_cleanse(key_text.data, key_text.length);
	fw_buf_done(&key_text);
	return rc;
}

int fw_ca_open(struct fw_ca **out, const char *cert_pem, const char *key_pem, struct fw_err *err)
{
	struct fw_ca *ca = fw_alloc(sizeof *ca);
	ca->cert = fw_pem_cert(cert_pem);
	ca->key = fw_pem_key(key_pem);
	int rc = 0;
	if (!ca->cert || !ca->key)
		rc = fail_tls(err, -EINVAL, ca->cert ? "the CA's key" : "the CA's certificate");
	else if (X509_check_private_key(ca->cert, ca->key) != 1)
		rc = fail_tls(err, -EINVAL, "the CA's key is not that of its certificate");
	/* Asked once here, so that what OpenSSL remembers of it is there before threads are. */
	else if (X509_check_ca(ca->cert) != 1)
		rc = fw_fail(err, -EINVAL, "the CA's certificate is not one of a CA");
	if (rc < 0) {
		fw_ca_free(ca);
		return rc;
	}
	*out = ca;
	return 0;
}

void fw_ca_free(struct fw_ca *ca)
{
	if (!ca)
		return;
	X509_free(ca->cert);
	EVP_PKEY_free(ca->key);
	fw_free(ca);
}

static void fingerprint_of(const X509 *cert, uint8_t out[FW_FINGERPRINT])
{
	memset(out, 0, FW_FINGERPRINT);
	X509_digest(cert, EVP_sha256(), out, NULL);
}

void fw_ca_fingerprint(const struct fw_ca *ca, uint8_t out[FW_FINGERPRINT])
{
	fingerprint_of(ca->cert, out);
}

static int check_csr(X509_REQ *csr, struct fw_err *err)
{
	EVP_PKEY *key = X509_REQ_get0_pubkey(csr);
	if (!key)
		return fw_fail(err, -EINVAL, "the certificate request has no key that can be read");
	char group[32] = "";
	size_t length = 0;
	EVP_PKEY_get_group_name(key, group, sizeof group, &length);
	bool ec = EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && strcmp(group, "prime256v1") == 0;
	bool rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) >= 2048 &&
		EVP_PKEY_get_bits(key) <= 4096;
	if (!ec && !rsa)
		return fw_fail(err, -EINVAL,
			"the certificate request's key must be P-256, or RSA of 2048 to 4096 bits");
	if (X509_REQ_verify(csr, key) != 1)
		return fail_tls(err, -EBADMSG, "the certificate request's signature is wrong");
	return 0;
}

static int fill_leaf(
	const struct fw_ca *ca, X509 *cert, X509_REQ *csr, enum fw_cert_use use, const char *uuid)
{
	char uri[sizeof "URI:fenwatch:collector:" + FW_UUID_TEXT];
	snprintf(uri, sizeof uri, "URI:%s%s", uri_prefixes[use], uuid);
	const char *purpose = use == FW_CERT_AGENT ? "clientAuth" : "serverAuth";
	bool ok = X509_set_version(cert, 2) == 1 && set_serial(cert) == 0 &&
		X509_set_subject_name(cert, X509_REQ_get_subject_name(csr)) == 1 &&
		X509_set_issuer_name(cert, X509_get_subject_name(ca->cert)) == 1 &&
		X509_set_pubkey(cert, X509_REQ_get0_pubkey(csr)) == 1 &&
		add_extension(cert, ca->cert, NID_basic_constraints, "critical,CA:FALSE") == 0 &&
		add_extension(cert, ca->cert, NID_key_usage, "critical,digitalSignature") == 0 &&
		add_extension(cert, ca->cert, NID_ext_key_usage, purpose) == 0 &&
		add_extension(cert, ca->cert, NID_subject_alt_name, uri) == 0 &&
		add_extension(cert, ca->cert, NID_authority_key_identifier, "keyid") == 0;
	return ok ? 0 : -EIO;
}

int fw_ca_sign(const struct fw_ca *ca, const char *csr_pem, enum fw_cert_use use, const char *uuid,
	int64_t from_ms, int64_t until_ms, struct fw_buf *cert_pem, struct fw_err *err)
{
	if (!fw_uuid_valid(uuid))
		return fw_fail(err, -EINVAL, "'%s' is not a UUID", uuid);
	BIO *bio = pem_reader(csr_pem);
	X509_REQ *csr = bio ? PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	if (!csr)
		return fail_tls(err, -EINVAL, "the certificate request cannot be read");
	X509 *cert = X509_new();
	int rc = check_csr(csr, err);
	if (rc == 0 &&
		(!cert || set_times(cert, from_ms, until_ms) < 0 ||
			fill_leaf(ca, cert, csr, use, uuid) < 0 ||
			X509_sign(cert, ca->key, EVP_sha256()) <= 0 ||
			write_cert(cert, cert_pem) < 0))
		rc = fail_tls(err, -EIO, "cannot sign a certificate");
	X509_free(cert);
	X509_REQ_free(csr);
	return rc;
}

static int64_t time_ms(const ASN1_TIME *time)
{
	struct tm tm;
	return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) * 1000 : 0;
}

int64_t fw_ca_until_ms(const struct fw_ca *ca)
{
	return time_ms(X509_get0_notAfter(ca->cert));
}

/* Exactly one purpose, and one that we give. */
static int read_use(X509 *cert, enum fw_cert_use *use)
{
	EXTENDED_KEY_USAGE *purposes = X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL);
	int nid = sk_ASN1_OBJECT_num(purposes) == 1 ? OBJ_obj2nid(sk_ASN1_OBJECT_value(purposes, 0))
						    : NID_undef;
	EXTENDED_KEY_USAGE_free(purposes);
	if (nid != NID_client_auth && nid != NID_server_auth)
		return -EINVAL;
	*use = nid == NID_client_auth ? FW_CERT_AGENT : FW_CERT_COLLECTOR;
	return 0;
}

/* Exactly one alternative name, a URI of ours. */
static int read_uuid(X509 *cert, enum fw_cert_use use, char uuid[FW_UUID_TEXT])
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	const GENERAL_NAME *name =
		sk_GENERAL_NAME_num(names) == 1 ? sk_GENERAL_NAME_value(names, 0) : NULL;
	size_t prefix = strlen(uri_prefixes[use]);
	int rc = -EINVAL;
	if (name && name->type == GEN_URI) {
		const char *uri =
			(const char *)ASN1_STRING_get0_data(name->d.uniformResourceIdentifier);
		size_t length = (size_t)ASN1_STRING_length(name->d.uniformResourceIdentifier);
		if (length == prefix + FW_UUID_TEXT - 1 &&
			memcmp(uri, uri_prefixes[use], prefix) == 0) {
			memcpy(uuid, uri + prefix, FW_UUID_TEXT - 1);
			uuid[FW_UUID_TEXT - 1] = 0;
			rc = fw_uuid_valid(uuid) ? 0 : -EINVAL;
		}
	}
	GENERAL_NAMES_free(names);
	return rc;
}

static int read_serial(X509 *cert, char *out, size_t size)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
	size_t length = (size_t)ASN1_STRING_length(serial);
	if (length == 0 || 2 * length + 1 > size)
		return -EINVAL;
	fw_hex(ASN1_STRING_get0_data(serial), length, out);
	return 0;
}

static int key_digest(X509 *cert, uint8_t out[32])
{
	unsigned char *der = NULL;
	int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
	if (length <= 0)
		return -EINVAL;
	fw_sha256(der, (size_t)length, out);
	OPENSSL_free(der);
	return 0;
}

int fw_cert_facts(X509 *cert, struct fw_cert_facts *facts, struct fw_err *err)
{
	*facts = (struct fw_cert_facts){0};
	if (read_use(cert, &facts->use) < 0)
		return fw_fail(err, -EINVAL,
			"the certificate's extended key usage is not clientAuth alone or serverAuth alone");
	if (read_uuid(cert, facts->use, facts->uuid) < 0)
		return fw_fail(err, -EINVAL, "the certificate has no URI '%s<uuid>'",
			uri_prefixes[facts->use]);
	if (read_serial(cert, facts->serial, sizeof facts->serial) < 0 ||
		key_digest(cert, facts->key_sha256) < 0)
		return fw_fail(
			err, -EINVAL, "the certificate's serial number or key cannot be read");
	facts->from_ms = time_ms(X509_get0_notBefore(cert));
	facts->until_ms = time_ms(X509_get0_notAfter(cert));
	fingerprint_of(cert, facts->fingerprint);
	return 0;
}

int fw_cert_facts_pem(const char *pem, struct fw_cert_facts *facts, struct fw_err *err)
{
	X509 *cert = fw_pem_cert(pem);
	if (!cert)
		return fail_tls(err, -EINVAL, "the certificate cannot be read");
	int rc = fw_cert_facts(cert, facts, err);
	X509_free(cert);
	return rc;
}
