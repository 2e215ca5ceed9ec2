/* What is remembered of fixes and hosts, in SQLite.
 *
 * Of a source and version: the newest date of a list, held by any host, that did not
 * have it yet, and when any host first showed it. Of a host: the stretches of time in
 * which it was heard, so that a date in the past can be judged. Both for 400 days.
 */
#pragma once

#include <stdint.h>

#include <fenwatch/err.h>

struct state;

#define EVIDENCE_GAP_S 86400 /* a longer silence ends a stretch */

int evidence_open(struct state *state, struct fw_err *err);

/* Of one fix that some host shows; `listed_s` 0: not known. */
int evidence_note(struct state *state, const char *source, const char *candidate, int64_t listed_s,
	int64_t seen_s, int64_t now_s, struct fw_err *err);
/* Zeroes where nothing is known. */
int evidence_read(struct state *state, const char *source, const char *candidate, int64_t *listed_s,
	int64_t *seen_s, struct fw_err *err);

int evidence_heard(struct state *state, uint32_t host, int64_t at_s, struct fw_err *err);
/* When it was heard last before or at `at_s`; 0: never. */
int evidence_last_heard(
	struct state *state, uint32_t host, int64_t at_s, int64_t *heard_s, struct fw_err *err);

int evidence_forget(struct state *state, uint32_t host, struct fw_err *err);
int evidence_prune(struct state *state, int64_t now_s, struct fw_err *err);
