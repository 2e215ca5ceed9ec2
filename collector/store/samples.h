/* Samples of one series as bytes, one after the other: in the log, and in memory until
 * they are a block.
 *
 *   time: varint of how much later it is than the one before
 *   cell: XOR with the one before; nothing else when that is 0: a zero byte. Otherwise
 *         how many bytes of it are zero at the low end * 16 + how many follow (1 to 8),
 *         and those, lowest first
 *
 * A state is what the next one is counted from: the first of all from times and cells
 * that both sides know.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "store.h"

#define SAMPLES_MOST 19 /* bytes of one */

struct samples_state {
	int64_t at_ms, cell;
};

/* Times must not fall. Returns the bytes written. */
size_t samples_put(
	struct samples_state *state, const struct store_sample *sample, uint8_t to[SAMPLES_MOST]);
/* Returns the bytes read; 0: they are no sample. */
size_t samples_get(
	struct samples_state *state, const uint8_t *data, size_t length, struct store_sample *out);
