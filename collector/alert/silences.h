/* Silences: what somebody does not want to be told of for a while.
 *
 * A silence has matchers, all of which an alert must meet by its labels, or,
 * where it has no label of that name, by its annotations (site, tier, priority
 * are such): NAME=VALUE, NAME!=VALUE, NAME=~EXPRESSION, NAME!~EXPRESSION, where
 * an expression is for the whole value. At least one must not be met by what
 * has no such label. Silences lie in SQLite and are the main thread's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#include "gate.h"

struct alert_silence;
struct silences;
struct state;

int silences_open(struct silences **out, struct state *state, struct fw_err *err);
void silences_close(struct silences *silences); /* NULL, too */

/* Whether one of them is about this episode now, and which. */
bool silences_hold(const struct silences *silences, const struct episode *episode, int64_t now_ms,
	char why[GATE_WHY]);

/* Written down before it counts. */
int silences_add(struct silences *silences, struct alert_silence *wanted, int64_t now_ms,
	struct fw_err *err);
int silences_end(
	struct silences *silences, int64_t id, const char *who, int64_t now_ms, struct fw_err *err);
/* Those that have not ended `since_ms`, newest first; in the arena. */
void silences_list(const struct silences *silences, int64_t since_ms, struct fw_arena *arena,
	struct alert_silence **out, size_t *n);
/* Whether one of those that are over, and of which nobody was told so, was about it; and which. */
bool silences_left(const struct silences *silences, const struct episode *episode, int64_t now_ms,
	char why[GATE_WHY]);
/* Whether there are such at all; and, within the caller's transaction, that they were told. */
bool silences_any_left(const struct silences *silences, int64_t now_ms);
int silences_write_told(struct silences *silences, int64_t now_ms, struct fw_err *err);
/* Once that is written. */
void silences_settle(struct silences *silences, int64_t now_ms);
/* Those that ended before. */
int silences_forget(struct silences *silences, int64_t before_ms, struct fw_err *err);
