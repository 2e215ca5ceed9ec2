/* Reading PEM texts: between cert.c and tls.c. NULL when a text is not one. */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

X509 *fw_pem_cert(const char *pem); /* the first */
STACK_OF(X509) * fw_pem_certs(const char *pem);
EVP_PKEY *fw_pem_key(const char *pem);
