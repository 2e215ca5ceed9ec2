/* Acknowledgements: somebody has taken an alert up.
 *
 * One belongs to an episode, so it lasts until the alert clears; when it fires
 * again that is another episode, which nobody has acknowledged. Who, when and
 * why lie in SQLite and in the audit trail. The main thread's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/err.h>

#include "identity.h"

struct acks;
struct alert_answer;
struct alert_options;
struct state;

struct ack {
	struct ack *next;
	char *key, *who, *note;
	int64_t starts_ms, at_ms;
};

/* An episode, as an answer names it. */
struct meant {
	char key[IDENTITY_KEY];
	int64_t starts_ms;
};

int acks_open(struct acks **out, struct state *state, struct fw_err *err);
void acks_close(struct acks *acks); /* NULL, too */

/* Written down with what the audit trail says of it, and told to the feeds that take updates. */
int acks_add(struct acks *acks, const struct alert_options *options,
	const struct alert_answer *answer, int64_t now_ms, struct fw_err *err);
/* The newest episode that goes by this name: its key, the beginning of it, or a desk's number. */
int acks_name(struct acks *acks, const struct alert_answer *answer, struct meant *out,
	struct fw_err *err);
/* Of this episode; NULL: nobody has. */
const struct ack *acks_find(const struct acks *acks, const char *key, int64_t starts_ms);
/* Those before, of alerts that are over. */
int acks_forget(struct acks *acks, int64_t before_ms, struct fw_err *err);
