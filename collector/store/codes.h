/* Numbers as bits: a prefix code says how long each number is, then come the numbers.
 *
 * What a column of a monitored machine leaves, once it has been predicted, is
 * small and of one shape or another: mostly zeros, a bell, a long tail. So the
 * codes are part of the format and nothing of them is stored but which one it
 * was: eight for numbers among which zeros come in runs (shift 0), and eight
 * for the others, whose `shift` low bits are written as they are. They were
 * found by clustering the columns of node_exporter on real and made-up hosts;
 * on those they cost 1.5 % more than each column's own entropy. Bits fill bytes
 * from the lowest. docs/store-format.md has the codes.
 *
 * All symbols come before all numbers' bits: so a look at nine bits gives up to
 * three symbols, and each number's place is known without waiting for the one
 * before it. That is what makes reading fast.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/buf.h>

#define CODES_TABLES 8
#define CODES_NUMBERS_LIMIT 240

struct code {
	uint8_t table, shift;
	uint32_t n_symbols;
	uint32_t bits; /* symbols and numbers */
};

/* How many numbers there are of each length in bits. */
struct codes_lengths {
	uint16_t counts[65];
	uint32_t n, sum, longest;
};

void codes_measure(struct codes_lengths *of, const uint64_t *numbers, uint32_t n);
/* About what the best code will need, in 1/16 bits. */
uint32_t codes_estimate(const struct codes_lengths *of);
/* The cheapest code for the numbers measured, at least one and at most CODES_NUMBERS_LIMIT. */
struct code codes_choose(const struct codes_lengths *of, const uint64_t *numbers);
size_t codes_bytes(const struct code *code);
void codes_put(struct fw_buf *out, const struct code *code, const uint64_t *numbers, uint32_t n);
/* Reads n numbers, which must take just `length` bytes, or -EBADMSG. Bytes up to `end`
 * may be looked at. */
int codes_get(const uint8_t *at, size_t length, const uint8_t *end, uint64_t *numbers, uint32_t n);
