/* Who this agent is: its key, its certificate and the CA it trusts.
 *
 * In the data directory: agent.key (0600), agent.pem, ca.pem, uuid. A renewal
 * makes a new key, which waits in agent.key.next until its certificate has
 * come; whatever moment a crash picks, the certificate on disk finds its key.
 * Certificates are renewed at half their life, 10 % sooner or later.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include <fenwatch/buf.h>
#include <fenwatch/err.h>
#include <fenwatch/tls.h>

#include "source.h"

struct identity {
	char *dir;
	struct fw_buf key_pem, cert_pem, ca_pem;
	struct fw_cert_facts facts;
	int64_t renew_at_ms;
	SSL_CTX *tls;
	struct fw_buf next_key; /* of the request under way; empty: none is */
};

/* What tells machines and their boots apart. */
struct machine_id {
	uint8_t machine[32]; /* SHA-256 of the machine id and, where anyone may read it, DMI's */
	uint8_t boot[16];
};
void machine_id_read(struct machine *m, struct machine_id *out);

/* "fwj1-<64 hex digits of the CA's fingerprint>-<secret>" */
int identity_token_pin(const char *token, uint8_t pin[FW_FINGERPRINT], struct fw_err *err);

/* What lies in the folder is one process' to change: an agent's that runs, or one's that
 * enrols. Makes the folder where there is none, goes on as its owner, and gives a descriptor
 * that holds it, or -EBUSY. */
int identity_lock(const char *dir, struct fw_err *err);

/* -ENOENT: not enrolled. */
int identity_load(struct identity *id, const char *dir, struct fw_err *err);
/* For an agent that is not enrolled yet. */
void identity_init(struct identity *id, const char *dir);
void identity_done(struct identity *id);
bool identity_is_expired(const struct identity *id, int64_t now_ms);

/* A new key and the EnrolRequest message for it; `token` NULL: a renewal. */
int identity_request(struct identity *id, const char *name, const char *token,
	const struct machine_id *machine, struct fw_buf *message, struct fw_err *err);
/* The EnrolReply to it: checked, kept on disk, and in force for new connections. */
int identity_accept(struct identity *id, const uint8_t *reply, size_t length, struct fw_err *err);
