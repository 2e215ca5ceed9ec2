/* Hosts that somebody has retired, and that the register may not know of yet.
 *
 * One a name: who said so, when and why. Each is written down with its entry of the audit
 * trail before anything is done to the host (retire.h), and marked as done after; so what a
 * crash has left undone is known. They lie in SQLite and in memory; the main thread's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#define RETIRED_REASON 500 /* bytes, on one line */

struct retired;
struct state;

struct retirement {
	const char *host, *who, *reason; /* the host first, as fw_array_place() wants it */
	const char *agent;               /* whose certificate it ends, "" where it has none */
	int64_t at_ms;
	bool is_done;
};

int retired_open(struct retired **out, struct state *state, struct fw_err *err);
void retired_close(struct retired *retired); /* NULL, too */

/* -EALREADY: it is; -EINVAL: a sentence says what is wrong with the reason. */
int retired_add(struct retired *retired, const struct retirement *wanted, struct fw_err *err);
int retired_finish(struct retired *retired, const char *host, struct fw_err *err);
/* It is there again: -ENOENT where it was not retired. */
int retired_end(struct retired *retired, const char *host, const char *who, int64_t now_ms,
	struct fw_err *err);

/* Nothing is kept of the host any more. */
int retired_forget(struct retired *retired, const char *host, struct fw_err *err);

/* NULL: it is not, or nobody is asked (`retired` NULL). */
const struct retirement *retired_find(const struct retired *retired, const char *host);
/* All of them, by name, as they stand in the arena. `retired` may be NULL. */
size_t retired_list(const struct retired *retired, struct fw_arena *arena, struct retirement **out);
