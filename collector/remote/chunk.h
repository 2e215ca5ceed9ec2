/* Chunks as Prometheus keeps them: times by the difference of their differences, values
 * by XOR with the one before, bit by bit.
 */
#pragma once

#include <stdint.h>

#include <fenwatch/buf.h>

#define CHUNK_SAMPLES 120

struct chunk_writer {
	struct fw_buf bytes;
	unsigned free_bits; /* of the last byte */
	unsigned n;
	int64_t from_ms, at_ms, delta_ms;
	uint64_t bits;
	unsigned leading, trailing; /* of the window of values */
	bool has_window;
};

void chunk_begin(struct chunk_writer *chunk);
/* At most CHUNK_SAMPLES, in the order of time. */
void chunk_add(struct chunk_writer *chunk, int64_t at_ms, double value);
void chunk_done(struct chunk_writer *chunk);
