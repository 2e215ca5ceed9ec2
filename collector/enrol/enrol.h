/* Who may speak: the CA, agents and tokens.
 *
 * Everything durable is SQLite's and the main thread's. What ingest workers ask
 * at every handshake is a copy in memory behind a lock: enrol_check may be
 * called from any thread and never waits for the disk.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>
#include <fenwatch/tls.h>

struct state;
struct enrol;

struct enrol_config {
	const char *dir; /* the collector's data directory: ca.pem, ca.key, admin.token */
	struct state *state;
	int64_t cert_ms;        /* life of an agent's certificate: 7 d */
	int64_t renew_grace_ms; /* expired by at most so much it may renew: 90 d */
	/* Main thread: this agent is revoked or was replaced; close its sessions. */
	void (*on_revoked)(const uint8_t agent[16], void *arg);
	/* Main thread: handshakes from now on go by another CA, or by one more. */
	void (*on_authority)(void *arg);
	void *arg;
};

/* On first start makes the CA, the estate id and the first admin token (DATA/admin.token, 0600). */
int enrol_open(struct enrol **out, const struct enrol_config *config, struct fw_err *err);
void enrol_close(struct enrol *enrol);
const char *enrol_estate(const struct enrol *enrol);
const char *enrol_ca_pem(const struct enrol *enrol); /* all that are trusted, its own first */
void enrol_ca_fingerprint(const struct enrol *enrol, uint8_t out[FW_FINGERPRINT]);
/* A fresh server certificate for this collector; PEM texts in `arena`. */
int enrol_server_cert(struct enrol *enrol, struct fw_arena *arena, const char **cert_pem,
	const char **key_pem, struct fw_err *err);

/* ---- a new CA in place of the old one ----
 *
 * The new one stands beside the old one at first. Agents get certificates from
 * it, and both CAs to trust, as each renews; the collector still shows one from
 * the old CA. When all have moved the old one is retired: the collector's own
 * certificate is from the new one, and nothing else is trusted any more. */

struct enrol_authority {
	uint8_t fingerprint[FW_FINGERPRINT];
	int64_t expires_ms;
};
struct enrol_authorities {
	struct enrol_authority now, next;
	bool has_next;
	size_t n_agents;   /* that may send, or renew */
	const char **left; /* names of those among them that know only the old one */
	size_t n_left;
};
void enrol_authorities(
	struct enrol *enrol, int64_t now_ms, struct fw_arena *arena, struct enrol_authorities *out);
/* -EALREADY: one is under way. */
int enrol_rollover(struct enrol *enrol, int64_t now_ms, struct fw_err *err);
/* -ENOENT: none is under way. -EBUSY: some have not moved, and are not to be left behind. */
int enrol_retire(struct enrol *enrol, bool leave_behind, int64_t now_ms, struct fw_err *err);

/* ---- any thread ---- */

enum enrol_standing { ENROL_GOOD, ENROL_UNKNOWN, ENROL_REVOKED, ENROL_EXPIRED, ENROL_WRONG_USE };
struct enrol_agent {
	char uuid[FW_UUID_TEXT];
	char name[256];
	uint8_t machine[32];
	uint8_t issuer[FW_FINGERPRINT]; /* the CA that its certificate is from; 0: the first */
	int64_t enrolled_ms, renewed_ms, expires_ms, revoked_ms; /* revoked_ms 0: not */
};
/* May the holder of this certificate send? ENROL_EXPIRED: it may only renew. */
enum enrol_standing enrol_check(struct enrol *enrol, const struct fw_cert_facts *facts,
	int64_t now_ms, struct enrol_agent *agent);
/* What is known of an agent; false: nothing. Any thread. */
bool enrol_find(struct enrol *enrol, const uint8_t agent[16], struct enrol_agent *out);
/* Whether an agent has been revoked: nobody waits for it any more. Any thread. */
bool enrol_is_revoked(struct enrol *enrol, const uint8_t agent[16]);

/* ---- main thread ---- */

struct enrol_request {
	const char *csr_pem, *name, *serial;
	const char *token; /* NULL: a renewal */
	const char *from;  /* address of the peer, for networks of a token and the log */
	uint8_t machine[32];
	const struct fw_cert_facts *peer; /* renewal: the certificate it came with */
};
struct enrol_grant {
	const char *cert_pem, *ca_pem;
	char uuid[FW_UUID_TEXT];
	int64_t expires_ms;
};
/* Enrols or renews; on failure the sentence says what the agent's admin must do. */
int enrol_grant(struct enrol *enrol, const struct enrol_request *request, int64_t now_ms,
	struct fw_arena *arena, struct enrol_grant *out, struct fw_err *err);
int enrol_revoke(struct enrol *enrol, const char *uuid_or_name, int64_t now_ms, struct fw_err *err);
/* The uuid of the agent that may send under this name, "" where none may. */
void enrol_uuid_of(const struct enrol *enrol, const char *name, char uuid[FW_UUID_TEXT]);
/* Takes a revocation back. -ENOENT: there is no such agent; -EEXIST: another one has its name. */
int enrol_restore(struct enrol *enrol, const char *uuid, struct fw_err *err);
/* Every agent that ever had this name, revoked ones too: its certificates are unknown from
 * now on. Returns how many there were. */
int enrol_forget(struct enrol *enrol, const char *name, struct fw_err *err);
int enrol_agents(struct enrol *enrol, struct fw_arena *arena, struct enrol_agent **out, size_t *n,
	struct fw_err *err);

enum enrol_role { ROLE_VIEWER, ROLE_SUPPLIER, ROLE_ENGINEER, ROLE_ADMIN, ROLE_JOIN, ROLE_WRITER };
extern const char *const enrol_role_names[]; /* NULL-ended */
struct enrol_token {
	int64_t id;
	enum enrol_role role;
	const char *note;
	int64_t made_ms, expires_ms; /* expires_ms 0: never */
	int64_t uses_left;           /* JOIN; -1: any */
	const char *networks;        /* JOIN: "10.1.0.0/16,10.2.0.0/16" or "" */
	const char *serials;         /* JOIN: "ABC123,..." or "" */
	const char *supplier;        /* SUPPLIER: whose hosts it may see; or "" */
};
/* A join token carries the CA's fingerprint: "fwj1-<hex fingerprint>-<secret>"; others are
 * "fwt1-<secret>". JOIN lives 15 min by default, at most 24 h, or 30 d when bound to a count,
 * networks or serials. `text` holds 160 bytes. Only its hash is kept. */
int enrol_token_new(struct enrol *enrol, const struct enrol_token *wanted, int64_t now_ms,
	char *text, size_t size, int64_t *id, struct fw_err *err);
int enrol_token_revoke(struct enrol *enrol, int64_t id, int64_t now_ms, struct fw_err *err);
int enrol_tokens(struct enrol *enrol, struct fw_arena *arena, struct enrol_token **out, size_t *n,
	struct fw_err *err);
/* Who asks with this API token, texts in the arena; or -EACCES. */
struct enrol_caller {
	enum enrol_role role;
	const char *supplier; /* whose it is, of a supplier's; or "" */
	const char *who;      /* "Jo's phone (token 12)", as its note has it; "token 12" */
};
int enrol_token_caller(struct enrol *enrol, const char *text, int64_t now_ms,
	struct fw_arena *arena, struct enrol_caller *out);
