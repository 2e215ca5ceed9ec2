/* Numbers as bits: a prefix code says how long a number is, then comes the number.
 *
 * What a column of a monitored machine leaves, once it has been predicted, is
 * small and of one shape or another: mostly zeros, a bell, a long tail. So the
 * codes are part of the format and nothing of them is stored but which one it
 * was: eight for numbers among which zeros come in runs (shift 0), and eight
 * for the others, whose `shift` low bits are written as they are. They were
 * found by clustering the columns of node_exporter on real and made-up hosts;
 * on those they cost 1.5 % more than each column's own entropy. Bits fill bytes
 * from the lowest. docs/store-format.md has the codes.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/buf.h>

#define CODES_TABLES 8
#define CODES_SHIFT_LIMIT 63
#define CODES_NUMBERS_LIMIT 240

struct code {
	uint8_t table, shift;
	uint64_t bits; /* what the numbers take */
};

/* The cheapest code for these numbers, at least one and at most CODES_NUMBERS_LIMIT. */
struct code codes_choose(const uint64_t *numbers, uint32_t n);
void codes_put(struct fw_buf *out, struct code code, const uint64_t *numbers, uint32_t n);
/* Reads n numbers, which must take just `length` bytes, or -EBADMSG. Bytes up to `end`
 * may be looked at. */
int codes_get(const uint8_t *at, size_t length, const uint8_t *end, struct code code,
	uint64_t *numbers, uint32_t n);
