/* SPDX-License-Identifier: Apache-2.0 */
#include "test_pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/buf.h>
#include <fenwatch/clock.h>

static void take(struct fw_buf *from, char to[PKI_TEXT])
{
	assert_true(from->length > 0 && from->length < PKI_TEXT);
	memcpy(to, from->data, from->length + 1);
	fw_buf_done(from);
}

void pki_init(struct pki *pki)
{
	struct fw_buf cert = {0}, key = {0};
	struct fw_err err;
	char key_pem[PKI_TEXT];
	assert_int_equal(fw_ca_create("test", fw_wall_ms(), &cert, &key, &err), 0);
	take(&cert, pki->ca_pem);
	take(&key, key_pem);
	assert_int_equal(fw_ca_open(&pki->ca, pki->ca_pem, key_pem, &err), 0);
	fw_ca_fingerprint(pki->ca, pki->fingerprint);
}

void pki_done(struct pki *pki)
{
	fw_ca_free(pki->ca);
}

void pki_leaf(const struct pki *pki, enum fw_cert_use use, const char *name, int64_t life_ms,
	struct pki_leaf *leaf)
{
	struct fw_buf key = {0}, csr = {0}, cert = {0};
	struct fw_err err;
	int64_t now_ms = fw_wall_ms();
	fw_uuid_new(leaf->uuid);
	assert_int_equal(fw_key_new(&key, &err), 0);
	take(&key, leaf->key);
	assert_int_equal(fw_csr_new(leaf->key, name, &csr, &err), 0);
	assert_int_equal(fw_ca_sign(pki->ca, (const char *)csr.data, use, leaf->uuid,
				 now_ms - 3600000, now_ms + life_ms, &cert, &err),
		0);
	take(&cert, leaf->cert);
	fw_buf_done(&csr);
}
