/* The audit trail: what happened, when, and who did it.
 *
 * Entries are only ever added, in the transaction of what they tell of. Each carries the
 * SHA-256 of itself and of the entry before it, so that who changes, adds or takes away
 * one has to make all later ones anew; their numbers have no gaps. That the newest ones
 * were cut off shows to whoever has noted an entry's number and hash before. The oldest
 * go after AUDIT_DAYS.
 *
 *   hash = SHA-256(hash before (32 bytes; of the very first one zeros), number, at_ms (i64
 *          each, little-endian), then kind, subject, who and detail, each behind its length
 *          in bytes (u32, little-endian))
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include <fenwatch/err.h>

struct state;

#define AUDIT_DAYS 400
#define AUDIT_HASH 32

struct audit_entry {
	int64_t id, at_ms;   /* numbers begin at 1 */
	const char *kind;    /* "fired", "told", "acknowledged", .. */
	const char *subject; /* an alert's key, a host, ..; "" for none */
	const char *who;     /* a person's token, "feed NAME"; "" for the collector itself */
	const char *detail;  /* a JSON object */
	const uint8_t *hash; /* AUDIT_HASH bytes */
};

int audit_open(struct state *state, struct fw_err *err);

/* Within the caller's transaction. `id` and `hash` of the entry are made here. */
int audit_add(struct state *state, const struct audit_entry *entry, struct fw_err *err);
/* The same of a detail that is still an object, which it takes; its keys are sorted. */
int audit_add_object(
	struct state *state, const struct audit_entry *entry, json_t *detail, struct fw_err *err);

struct audit_range {
	int64_t after_id;          /* 0: from the oldest */
	int64_t from_ms, until_ms; /* of those within [from, until); until 0: without end */
	const char *subject;       /* NULL: of all */
};
/* In the order of their numbers, as long as `each` says true; any connection. */
int audit_each(struct state *state, const struct audit_range *range,
	bool (*each)(const struct audit_entry *entry, void *arg), void *arg, struct fw_err *err);

struct audit_verdict {
	uint64_t entries;
	int64_t broken_id; /* the first that does not follow from the one before; 0: none */
	int64_t head_id;   /* the newest, 0: none */
	uint8_t head[AUDIT_HASH];
};
/* Follows the whole chain; takes a second for a million entries. */
int audit_check(struct state *state, struct audit_verdict *out, struct fw_err *err);

/* Entries before this moment, as far as they are the oldest: no gap comes of it. */
int audit_forget(struct state *state, int64_t before_ms, struct fw_err *err);
