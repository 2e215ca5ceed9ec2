/* SPDX-License-Identifier: Apache-2.0 */
#include <fenwatch/tls.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <fenwatch/buf.h>
#include <fenwatch/clock.h>

#include "test_pki.h"

static void uuids_are_random_and_checked(void **state)
{
	(void)state;
	char one[FW_UUID_TEXT], two[FW_UUID_TEXT], back[FW_UUID_TEXT];
	uint8_t bytes[16];
	fw_uuid_new(one);
	fw_uuid_new(two);
	assert_string_not_equal(one, two);
	assert_true(fw_uuid_valid(one));
	assert_int_equal(one[14], '4');
	assert_int_equal(fw_uuid_bytes(one, bytes), 0);
	fw_uuid_text(bytes, back);
	assert_string_equal(one, back);
	assert_false(fw_uuid_valid(""));
	assert_false(fw_uuid_valid("0123456789ab-cdef-0123-4567-89abcdef"));
	assert_false(fw_uuid_valid("01234567-89ab-4def-8123-456789abcdeg"));
	assert_false(fw_uuid_valid("01234567-89ab-4def-8123-456789abcdef0"));
	assert_false(fw_uuid_valid("01234567-89AB-4def-8123-456789abcdef"));
}

static void sha256_is_sha256(void **state)
{
	(void)state;
	static const uint8_t abc[4] = {0xba, 0x78, 0x16, 0xbf};
	uint8_t digest[32];
	fw_sha256("abc", 3, digest);
	assert_memory_equal(digest, abc, sizeof abc);
}

static void a_signed_certificate_says_who_it_is_for(void **state)
{
	(void)state;
	struct pki pki;
	struct pki_leaf leaf, other;
	struct fw_cert_facts facts, others;
	struct fw_err err;
	pki_init(&pki);
	pki_leaf(&pki, FW_CERT_AGENT, "web01", 7 * 86400000LL, &leaf);
	pki_leaf(&pki, FW_CERT_COLLECTOR, "collector", 86400000, &other);
	assert_int_equal(fw_cert_facts_pem(leaf.cert, &facts, &err), 0);
	assert_int_equal(fw_cert_facts_pem(other.cert, &others, &err), 0);
	assert_int_equal(facts.use, FW_CERT_AGENT);
	assert_int_equal(others.use, FW_CERT_COLLECTOR);
	assert_string_equal(facts.uuid, leaf.uuid);
	assert_int_equal(facts.until_ms - facts.from_ms, 7 * 86400000LL + 3600000);
	assert_int_equal(strlen(facts.serial), 32);
	assert_string_not_equal(facts.serial, others.serial);
	assert_memory_not_equal(facts.key_sha256, others.key_sha256, 32);
	/* The CA's own certificate is nobody's identity. */
	assert_int_equal(fw_cert_facts_pem(pki.ca_pem, &facts, &err), -EINVAL);
	assert_int_equal(fw_cert_facts_pem("no PEM", &facts, &err), -EINVAL);
	pki_done(&pki);
}

static int sign(const struct pki *pki, const char *csr, const char *uuid)
{
	struct fw_buf cert = {0};
	struct fw_err err;
	int rc = fw_ca_sign(pki->ca, csr, FW_CERT_AGENT, uuid, 0, 1000, &cert, &err);
	fw_buf_done(&cert);
	return rc;
}

/* A request with a key that is not ours to make: RSA of `bits`, or another curve for 0. */
static void foreign_csr(int bits, char out[PKI_TEXT])
{
	EVP_PKEY *key = bits ? EVP_RSA_gen((unsigned)bits) : EVP_EC_gen("P-384");
	BIO *bio = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	char text[PKI_TEXT];
	int length = BIO_read(bio, text, sizeof text - 1);
	assert_true(length > 0);
	text[length] = 0;
	struct fw_buf csr = {0};
	struct fw_err err;
	assert_int_equal(fw_csr_new(text, "x", &csr, &err), 0);
	memcpy(out, csr.data, csr.length + 1);
	fw_buf_done(&csr);
	BIO_free(bio);
	EVP_PKEY_free(key);
}

/* Another character in the base64 of the signature. */
static void damage_signature(char *csr)
{
	char *end = strstr(csr, "-----END");
	char *at = end - 20;
	*at = *at == 'A' ? 'B' : 'A';
}

static void requests_are_checked(void **state)
{
	(void)state;
	struct pki pki;
	struct fw_buf key = {0}, csr = {0};
	struct fw_err err;
	char uuid[FW_UUID_TEXT], text[PKI_TEXT];
	pki_init(&pki);
	fw_uuid_new(uuid);
	fw_key_new(&key, &err);
	assert_int_equal(fw_csr_new((const char *)key.data, "web01", &csr, &err), 0);
	assert_int_equal(sign(&pki, (const char *)csr.data, uuid), 0);
	assert_int_equal(sign(&pki, (const char *)csr.data, "no uuid"), -EINVAL);
	assert_int_equal(sign(&pki, "", uuid), -EINVAL);
	assert_int_equal(sign(&pki, pki.ca_pem, uuid), -EINVAL);
	damage_signature((char *)csr.data);
	assert_true(sign(&pki, (const char *)csr.data, uuid) < 0);
	foreign_csr(1024, text);
	assert_int_equal(sign(&pki, text, uuid), -EINVAL);
	foreign_csr(0, text);
	assert_int_equal(sign(&pki, text, uuid), -EINVAL);
	foreign_csr(2048, text);
	assert_int_equal(sign(&pki, text, uuid), 0);
	fw_buf_done(&key);
	fw_buf_done(&csr);
	pki_done(&pki);
}

static void a_long_name_is_cut_between_characters(void **state)
{
	(void)state;
	struct pki pki;
	struct pki_leaf leaf;
	struct fw_cert_facts facts;
	struct fw_err err;
	pki_init(&pki);
	/* 63 bytes, then a character of two. */
	pki_leaf(&pki, FW_CERT_AGENT,
		"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk\xc3\xa4z", 1000,
		&leaf);
	assert_int_equal(fw_cert_facts_pem(leaf.cert, &facts, &err), 0);
	pki_done(&pki);
}

static void a_ca_needs_its_own_key(void **state)
{
	(void)state;
	struct pki pki;
	struct pki_leaf leaf;
	struct fw_ca *ca = NULL;
	struct fw_err err;
	pki_init(&pki);
	pki_leaf(&pki, FW_CERT_AGENT, "web01", 1000, &leaf);
	assert_int_equal(fw_ca_open(&ca, pki.ca_pem, leaf.key, &err), -EINVAL);
	assert_int_equal(fw_ca_open(&ca, leaf.cert, leaf.key, &err), -EINVAL);
	assert_int_equal(fw_ca_open(&ca, "", leaf.key, &err), -EINVAL);
	assert_null(ca);
	pki_done(&pki);
}

static void contexts_refuse_what_does_not_belong_together(void **state)
{
	(void)state;
	struct pki pki;
	struct pki_leaf one, two;
	struct fw_err err;
	SSL_CTX *ctx = NULL;
	pki_init(&pki);
	pki_leaf(&pki, FW_CERT_AGENT, "one", 1000, &one);
	pki_leaf(&pki, FW_CERT_AGENT, "two", 1000, &two);
	struct fw_tls_config config = {
		.ca_pem = pki.ca_pem, .cert_pem = one.cert, .key_pem = two.key};
	assert_int_equal(fw_tls_client(&ctx, &config, &err), -EINVAL);
	config.key_pem = one.key;
	config.ca_pem = "rubbish";
	assert_int_equal(fw_tls_client(&ctx, &config, &err), -EINVAL);
	config.ca_pem = pki.ca_pem;
	assert_int_equal(fw_tls_client(&ctx, &config, &err), 0);
	SSL_CTX_free(ctx);
	pki_done(&pki);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uuids_are_random_and_checked),
		cmocka_unit_test(sha256_is_sha256),
		cmocka_unit_test(a_signed_certificate_says_who_it_is_for),
		cmocka_unit_test(requests_are_checked),
		cmocka_unit_test(a_long_name_is_cut_between_characters),
		cmocka_unit_test(a_ca_needs_its_own_key),
		cmocka_unit_test(contexts_refuse_what_does_not_belong_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
