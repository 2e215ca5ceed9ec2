/* SPDX-License-Identifier: Apache-2.0 */
/* The batches of a run, decoded: for a block all columns, sweep after sweep, and for a
 * question those that it asks for, which costs a fraction. */
#include <errno.h>

#include <fenwatch/batch.h>

#include "internal.h"

/* Opens one of which the times go behind the first `n`. */
static int open_held(const struct held *held, struct fw_arena *arena, uint32_t most, uint32_t n,
	int64_t *times_ms, struct fw_batch *batch)
{
	int rc = fw_batch_open(held->data, held->length, arena, batch, NULL);
	if (rc < 0 || batch->n_sweeps > most - n)
		return rc < 0 ? rc : -EBADMSG;
	for (uint32_t i = 0; i < batch->n_sweeps; i++)
		times_ms[n + i] = batch->times_ms[i] + held->shift_ms;
	return 0;
}

int run_decode(const struct held *held, uint32_t n_columns, struct fw_arena *arena,
	int64_t *times_ms, int64_t *cells, uint32_t most)
{
	uint32_t n = 0;
	const int64_t *state = NULL;
	for (; held; held = held->next) {
		struct fw_batch batch;
		int rc = open_held(held, arena, most, n, times_ms, &batch);
		int64_t *at = cells + (size_t)n * n_columns;
		if (rc >= 0)
			rc = fw_batch_decode(&batch, n_columns, batch.key ? NULL : state, at, NULL);
		if (rc < 0)
			return rc;
		n += batch.n_sweeps;
		state = cells + (size_t)(n - 1) * n_columns;
	}
	return (int)n;
}

int run_decode_some(const struct held *held, uint32_t n_columns, const uint32_t *wanted,
	size_t n_wanted, struct fw_arena *arena, const struct body_room *to, uint32_t most)
{
	uint32_t n = 0;
	int64_t *state = fw_arena_try(arena, n_wanted * sizeof *state + 1);
	if (!state)
		return -ENOMEM;
	for (const struct held *at = held; at; at = at->next) {
		struct fw_batch batch;
		int rc = open_held(at, arena, most, n, to->times_ms, &batch);
		if (rc >= 0 && at == held && !batch.key)
			rc = -EINVAL; /* differences to what is not here */
		if (rc >= 0)
			rc = fw_batch_decode_some(&batch, n_columns, wanted, n_wanted, state,
				to->cells + n, to->to_column);
		if (rc < 0)
			return rc;
		n += batch.n_sweeps;
	}
	return (int)n;
}
