/* What writing and reading of numbers agree on. */
#pragma once

#include <stdint.h>

#include "codes.h"

/* Symbols. SMALL (only with a shift) is a number of at most `shift` bits; 1 to 14
 * that many bits more than the shift; ESCAPE any number, of 64 bits. RUN + j
 * (only without) is 2^j zeros and up to 2^j - 1 more. */
enum {
	SMALL = 0,
	ESCAPE = 15,
	RUN = 16,
	SYMBOLS = 24,
	LONGEST = 9,        /* bits of a code */
	SHIFT_FOLLOWS = 31, /* in the first byte; smaller ones are there themselves */
	SHIFT_LIMIT = 63,
};

struct book {
	uint8_t lengths[SYMBOLS];
	uint16_t words[SYMBOLS]; /* a symbol's code, first bit lowest */
	/* Of the next bits: up to three symbols, the first lowest, a byte each; then how
	 * many bits they take and how many they are, four bits each. */
	uint32_t entries[1u << LONGEST];
};

/* What a symbol says of its number: how many bits follow, and what is added to them. */
struct numbering {
	uint8_t raw[SYMBOLS];
	uint64_t mask[SYMBOLS], top[SYMBOLS];
};

/* One number for each of the eight tables; they are added and multiplied at once. */
typedef uint16_t eight __attribute__((vector_size(16)));

struct books {
	struct book runs[CODES_TABLES], shifted[CODES_TABLES];
	struct numbering numberings[SHIFT_LIMIT + 1];  /* by shift */
	eight costs_runs[SYMBOLS], costs_shifted[RUN]; /* lengths of a symbol in all tables */
	uint16_t spread[CODES_NUMBERS_LIMIT + 1];      /* n * log2 n, in 1/16 bits */
};

const struct books *codes_books(void);

static inline const struct book *find_book(const struct code *code)
{
	const struct books *books = codes_books();
	return code->shift == 0 ? &books->runs[code->table] : &books->shifted[code->table];
}
