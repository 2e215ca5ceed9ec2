/* What the audit trail is told of alerts, in the transaction of what happens to them.
 *
 * Each entry's subject is the alert's key, and `starts` in its detail the episode:
 *   fired    starts, rule, instance, severity, labels, annotations
 *   held     starts, reason, why
 *   assigned starts, annotations: the register says something else before anybody was told
 *   cleared  starts, ends
 *   acknowledged, accepted, resolved
 *            starts, note; by whom
 *   told     starts, feed, notice ("open", "update", "close"), receipt
 *   refused  starts, feed, notice, why
 */
#pragma once

#include <stdint.h>

#include <fenwatch/err.h>

#include "book.h"

struct state;

int evidence_fired(struct state *state, const struct episode *episode, struct fw_err *err);
int evidence_assigned(struct state *state, const struct episode *episode,
	const struct pairs *annotations, int64_t now_ms, struct fw_err *err);
int evidence_held(struct state *state, const struct episode *episode, const char *reason,
	const char *why, int64_t now_ms, struct fw_err *err);
int evidence_answered(struct state *state, const char *key, int64_t starts_ms, const char *kind,
	const char *who, const char *note, int64_t now_ms, struct fw_err *err);
int evidence_cleared(struct state *state, const struct episode *episode, struct fw_err *err);
/* Of the notice with this number, as book_told has it. */
int evidence_told(struct state *state, int64_t id, enum notice_state how, const char *why,
	const char *receipt, int64_t now_ms, struct fw_err *err);
