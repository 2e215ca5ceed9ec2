/* A CA with what it signs, for the tests of TLS and of connections. */
#pragma once

#include <fenwatch/tls.h>

#define PKI_TEXT 4096

struct pki {
	struct fw_ca *ca;
	char ca_pem[PKI_TEXT];
	uint8_t fingerprint[FW_FINGERPRINT];
};

struct pki_leaf {
	char cert[PKI_TEXT], key[PKI_TEXT];
	char uuid[FW_UUID_TEXT];
};

void pki_init(struct pki *pki);
void pki_done(struct pki *pki);
/* A certificate for `name`, valid from an hour ago until `life_ms` from now. */
void pki_leaf(const struct pki *pki, enum fw_cert_use use, const char *name, int64_t life_ms,
	struct pki_leaf *leaf);
