/* remote_write to others: all that the store takes, to any number of receivers.
 *
 * Each receiver has a thread that follows the store's log from a position of its own.
 * The position is kept in the collector's state and moves when a request has been
 * answered, so nothing is left out over a restart; what was answered in the last second
 * before a kill is sent again. The ring is the only buffer: a receiver that is slow or
 * away holds up nobody, and when the log has gone past it that is counted and it goes on
 * with what is left. docs/remote-write.md has the whole.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include <fenwatch/conf.h>
#include <fenwatch/err.h>
#include <fenwatch/mem.h>
#include <fenwatch/schema.h>

struct state;
struct store;

struct send_receiver {
	const char *url, *name; /* the name defaults to the URL */
	const char *token_file; /* its text goes as a bearer token */
	const char *user, *password_file;
	struct fw_text_list match; /* selectors; none: all series go */
	struct {
		const char *ca, *cert, *key, *server_name;
	} tls;
	int64_t protocol; /* 1 or 2 */
	int64_t timeout_ms;
	int compression; /* enum body_packing */
};

#define SEND_EXTERNAL 16

struct send_options {
	struct send_receiver *receivers;
	size_t n_receivers;
	const struct fw_label *external; /* external_labels of collector.yml */
	size_t n_external;               /* at most SEND_EXTERNAL */
};

/* The key remote_write of collector.yml: a list. */
int send_parse(const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err);

struct senders;

/* `options` lives as long as the senders. */
int senders_open(struct senders **out, uv_loop_t *loop, struct store *store, struct state *state,
	const struct send_options *options, struct fw_err *err);
/* Waits for the threads, for a second at most each, and keeps where they are. */
void senders_close(struct senders *senders, void (*on_closed)(void *arg), void *arg);

struct send_stat {
	const char *name;
	uint64_t samples, requests;
	uint64_t retries;      /* requests that had no answer, 429 or 5xx */
	uint64_t dropped;      /* samples that the receiver will not have */
	uint64_t gaps;         /* times that the log had gone past it */
	uint64_t behind_bytes; /* of the log */
};
/* Any thread, one after the other; false: there is no such one. */
bool senders_stat(struct senders *senders, size_t i, struct send_stat *out);
