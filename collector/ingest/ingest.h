/* Agents' connections.
 *
 * N workers, each a thread with its own loop, listener (SO_REUSEPORT), TLS and
 * connections. A worker reads frames, opens batches within their limits and
 * hands them to the store; when they are durable it acknowledges. Enrolment and
 * renewal are answered by the main thread through a mailbox. One agent has one
 * session: a newer connection ends the older, except for a clone (one
 * certificate, two machines), where the one that enrolled goes on and the other
 * is told to enrol anew.
 */
#pragma once

#include <stdint.h>

#include <uv.h>

#include <fenwatch/conf.h>
#include <fenwatch/err.h>

struct enrol;
struct store;
struct ingest;

/* What an agent of a class is told to do: the closed list of typed settings. */
struct ingest_settings {
	const char *class;
	uint64_t version;     /* changes with the content */
	uint32_t interval_ms; /* 0: as configured at the agent, as everything here */
	uint64_t spool_max_bytes;
	struct fw_text_list on, off; /* sources */
};

/* An agent that has said hello, for who keeps a list of hosts. */
struct ingest_greeting {
	uint8_t agent[16];
	uint32_t host; /* the store's id */
	char class[64], version[64];
};

struct ingest_config {
	const char *listen; /* "[::]:7443"; port 0 chooses one */
	unsigned workers;   /* 0: one per core */
	struct store *store;
	struct enrol *enrol;
	uv_loop_t *main_loop;
	const struct ingest_settings *settings; /* live as long as ingest */
	size_t n_settings;
	/* Main thread: one identity on two machines, or another thing that an engineer must hear of. */
	void (*on_clone)(
		const char *agent, const char *machine_a, const char *machine_b, void *arg);
	/* Main thread: an agent sends what a device is said to do for which another one speaks.
	 * Once a minute while it goes on. */
	void (*on_claimed)(
		const char *device, const char *claimant, const uint8_t owner[16], void *arg);
	void (*on_greeted)(const struct ingest_greeting *greeting, void *arg); /* main thread */
	/* Main thread: numbers of the agent's backlog will never come. */
	void (*on_missed)(const uint8_t agent[16], uint32_t host, void *arg);
	void *arg;
};

int ingest_open(struct ingest **out, const struct ingest_config *config, struct fw_err *err);
unsigned ingest_port(const struct ingest *ingest);
/* A new certificate of the collector's own, and what enrol trusts by now, for handshakes from
 * now on; main thread. */
void ingest_renew(struct ingest *ingest);
/* Closes live sessions of this agent; main thread. */
void ingest_drop_agent(struct ingest *ingest, const uint8_t agent[16], const char *why);
/* Asks this agent, where it is connected, for the whole of a kind of inventory; main thread. */
void ingest_need_document(struct ingest *ingest, const uint8_t agent[16], const char *kind);
/* Main thread; `on_closed` comes from the main loop when all workers have ended. */
void ingest_close(struct ingest *ingest, void (*on_closed)(void *arg), void *arg);

struct ingest_stat {
	uint64_t connections, handshakes, frames, bytes, acks, refused, protocol_errors;
};
void ingest_stat(const struct ingest *ingest, struct ingest_stat *out); /* any thread */
