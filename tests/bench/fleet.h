/* A fleet of simulated agents in one process: real enrolment, real TLS, real frames.
 *
 * Each agent has an address of its own in 127.0.0.0/8, a certificate of its own
 * and one key with all the others, numbers that go on over connections, and a
 * ledger of what was acknowledged. What it tells is worked out from its name
 * and the tick, so it can be said again and remembers nothing. It comes back as
 * the real one does, after a random time within 0 to 20 s, then 0 to 40 s.
 * Some kinds misbehave, each in its own way. What they cannot go on with ends
 * the program with a sentence.
 */
#pragma once

#include <netinet/in.h>

#include <openssl/ssl.h>
#include <uv.h>

#include <fenwatch/batch.h>
#include <fenwatch/buf.h>
#include <fenwatch/schema.h>
#include <fenwatch/wire.h>

#include "ledger.h"

#define LATENCIES 10000 /* milliseconds; longer ones count as this */

enum conduct {
	CONDUCT_GOOD,
	CONDUCT_EAGER,   /* comes back at once, for ever */
	CONDUCT_STUCK,   /* sends its first TLS message and nothing after it */
	CONDUCT_TRICKLE, /* a byte of that message every 10 s */
	CONDUCT_DEAF,    /* reads nothing once it is welcome; its window closes */
	CONDUCT_GUESS,   /* asks for a certificate with another token each time, for ever */
	CONDUCTS
};

extern const char *const conduct_names[CONDUCTS];

struct tally {
	uint64_t attempts, handshakes, welcomes, lost, failed, goodbyes, keys_asked, renewals;
	uint64_t guesses, hits; /* tokens that were not known, and answers of any other kind */
	uint64_t bytes_in, bytes_out, held_ms; /* longest life of a connection that got nowhere */
	uint64_t latencies[LATENCIES + 1];
};

#define TRUSTS_LIMIT 8

/* What agents trust: the CAs that came with a certificate, the same for most. */
struct trust {
	char *ca_pem;
	SSL_CTX *tls;
};

struct fleet {
	uv_loop_t loop;
	struct sockaddr_in collector;
	const char *name, *token;
	uint8_t pin[32];
	unsigned n_agents, n_hosts, n_series, interval_ms, jitter_ms, spread_ms;
	unsigned pause_percent; /* of the real agent's pauses */
	uint32_t first_address; /* 0: the kernel chooses */
	unsigned n_addresses;
	enum conduct conduct;
	SSL_CTX *enrolling;
	struct trust trusts[TRUSTS_LIMIT];
	unsigned n_trusts;
	struct fw_buf key_pem;
	EVP_PKEY *key;
	struct fw_schema schema;
	struct fw_buf schema_message, schema_short;
	int64_t *cells;
	bool resting;      /* no more sweeps */
	bool is_talkative; /* every end of a connection on standard error */
	unsigned n_connected;
	uint64_t last_welcome_ms; /* on the loop's clock */
	struct tally tally;
	void (*on_enrolled)(struct fleet *fleet);
};

/* ---- a line: one connection, from the dial to its end ---- */

struct member;

struct line {
	uv_poll_t poll;
	int fd;
	SSL *ssl;
	struct member *member; /* NULL once it is closed */
	struct fw_buf in, out;
	bool connected, shaken;
	int events;
	uint64_t began_ms;
};

/* Ends in line_events of the member, from the loop. */
struct line *line_open(struct member *member, SSL_CTX *tls, const char *alpn);
void line_close(struct line *line);
void line_send(struct line *line, const struct fw_buf *frames);
void line_listen(struct line *line); /* to what it has to wait for */

/* ---- a member of the fleet ---- */

struct member {
	struct fleet *fleet;
	struct line *line;
	uv_timer_t timer;
	unsigned number, failures;
	SSL_CTX *tls;         /* of the fleet's trusts */
	uint8_t *certificate; /* DER */
	int certificate_length;
	struct ledger ledger;
	uint64_t stream, key_tick;
	int64_t epoch_ms; /* of tick 0; 0: it was never welcome */
	bool welcome;
	uint64_t due_ms, sent_ms, heard_ms, lost_ms; /* on the loop's clock */
	uint32_t pause_at_least_ms;
	uint64_t timed_number, timed_ns; /* a live number, and when it was sent */
	unsigned trickled;
};

bool fleet_needs_certificates(const struct fleet *fleet);
SSL_CTX *fleet_trust(struct fleet *fleet, const char *ca_pem);

void member_init(struct member *member, struct fleet *fleet, unsigned number);
void member_done(struct member *member);
void member_enrol(struct member *member);
void member_begin(struct member *member, uint64_t in_ms);
void member_renew(struct member *member); /* if it is connected */
void member_name(const struct member *member, unsigned host, char *out, size_t size);
/* Of a line. */
void member_shaken(struct member *member);
void member_data(struct member *member);
void member_pump(struct member *member);
void member_ended(struct member *member, const char *why);

/* ---- what they tell: column 0 is the tick, half are constant, a tenth change now and then ---- */

void facts_schema(struct fleet *fleet, struct fw_arena *arena);
int64_t facts_time_ms(const struct member *member, uint64_t tick);
void facts_batch(const struct member *member, const struct piece *piece, uint64_t number,
	bool backlog, struct fw_buf *out);

_Noreturn void fleet_die(const char *what, const char *why);
