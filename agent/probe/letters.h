/* What was handed over and is not durable yet, in order of its numbers.
 *
 * A letter is one encoded frame, and the announcements that must stand before it: its
 * host's, and of a sweep its schema's. They are kept with it, so that all of it can be
 * said again to an agent that was started anew. What is durable is forgotten. No libuv.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/queue.h>

#include <fenwatch/buf.h>
#include <fenwatch/frame.h>
#include <fenwatch/schema.h>

/* A Schema frame; shared by the letters that need it. */
struct schema_text {
	unsigned users;
	uint8_t hash[FW_SCHEMA_HASH];
	struct fw_buf frame;
};

struct probe_host {
	LIST_ENTRY(probe_host) entry;
	uint32_t id; /* its number, and that of its schema */
	struct fw_label *labels;
	size_t n_labels;
	struct fw_buf frame;      /* Host */
	struct schema_text *text; /* of its newest letter; NULL: no letter holds one */
	/* on this connection */
	uint64_t connection; /* it was announced on this one */
	uint8_t told[FW_SCHEMA_HASH];
	bool told_any;
};

struct letter {
	TAILQ_ENTRY(letter) entry;
	uint64_t number;
	enum fw_frame_type type;
	struct probe_host *host; /* NULL: the agent's own machine */
	struct schema_text *text;
	struct fw_buf frame;
};

struct letters {
	TAILQ_HEAD(letter_list, letter) list;
	struct letter *unsent; /* the first that was not sent on this connection */
	uint64_t last, durable, count, dropped, refused;
	size_t bytes, limit;
	uint64_t connection;
};

void letters_init(struct letters *l, size_t limit);
void letters_done(struct letters *l);

/* The number of the letter; 0 where it has no room or cannot travel. */
uint64_t letters_sweep(struct letters *l, struct probe_host *host, const struct fw_schema *schema,
	const int64_t *cells, int64_t at_ms, uint32_t interval_ms);
uint64_t letters_event(struct letters *l, struct probe_host *host, const char *kind,
	const struct fw_label *fields, size_t n_fields, int64_t at_ms);
uint64_t letters_document(struct letters *l, struct probe_host *host, const char *kind,
	const struct fw_buf *lines, int64_t at_ms);

/* A connection begins: everything is to be sent again. */
void letters_rewind(struct letters *l);
/* Appends the next letter that was not sent, with what must be announced before it;
 * false: there is none. */
bool letters_next(struct letters *l, struct fw_buf *out);
/* Forgets the first that was sent behind this number, and counts it. */
void letters_refuse(struct letters *l, uint64_t behind);
/* Forgets what is durable. */
void letters_durable(struct letters *l, uint64_t to);

struct probe_host *letters_host(const struct fw_label *labels, size_t n_labels, uint32_t id);
void letters_host_free(struct probe_host *host);
