/* What the parts of enrol share: the registry of agents and the list of tokens.
 *
 * Both are SQLite's, with a copy in memory that is changed only after the
 * transaction that changes the table has been committed. The registry is read
 * by ingest workers under `lock`; the tokens are the main thread's alone.
 */
#pragma once

#include <uv.h>

#include <fenwatch/text.h>

#include "enrol.h"
#include "state.h"

#define ENROL_NAME_LIMIT 253
#define ENROL_SECRET_BYTES 32

struct agent {
	uint8_t id[16];
	struct enrol_agent facts;
};

struct token {
	struct enrol_token facts; /* its texts are the token's own */
	uint8_t hash[32];
};

struct authority {
	struct fw_ca *ca; /* NULL: there is none */
	char *pem;
	uint8_t fingerprint[FW_FINGERPRINT];
};

struct enrol {
	struct enrol_config config;
	struct authority now;  /* the collector's own certificate is from it */
	struct authority next; /* agents' certificates are, once it is there */
	char *trusted_pem;     /* both */
	char estate[FW_UUID_TEXT], collector[FW_UUID_TEXT];
	uv_rwlock_t lock;
	struct agent **agents; /* in order of id */
	size_t n_agents;
	struct token **tokens;
	size_t n_tokens;
};

/* authority.c */
int authority_open(struct enrol *enrol, int64_t now_ms, struct fw_err *err);
void authority_close(struct enrol *enrol);
const struct authority *authority_of_agents(const struct enrol *enrol);

/* agents.c */
int agents_open(struct enrol *enrol, struct fw_err *err);
void agents_close(struct enrol *enrol);

/* tokens.c */
int tokens_open(struct enrol *enrol, int64_t now_ms, struct fw_err *err);
void tokens_close(struct enrol *enrol);
/* The join token with this text, if it lets this machine in; -EACCES with the reason. */
int token_admits(struct enrol *enrol, const struct enrol_request *request, int64_t now_ms,
	struct token **out, struct fw_err *err);
/* Within the caller's transaction: one use less. The copy in memory follows by token_used. */
int token_use(struct enrol *enrol, const struct token *token, struct fw_err *err);
void token_used(struct token *token);

/* networks.c */
/* "10.1.0.0/16,2001:db8::/32": 0, or -EINVAL naming the part that is none. */
int networks_check(const char *networks, struct fw_err *err);
/* Whether "192.0.2.1:4711" or "[2001:db8::1]:4711" lies in one of them. */
bool networks_contain(const char *networks, const char *peer);
