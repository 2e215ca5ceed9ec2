/* SPDX-License-Identifier: Apache-2.0 */
/* The codes, and reading. */
#include "codes.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "codes_book.h"

/* Lengths of the codes; 0: there is no such symbol. */
static const uint8_t runs[CODES_TABLES][SYMBOLS] = {
	{0, 9, 7, 5, 4, 4, 3, 2, 3, 5, 9, 9, 9, 9, 9, 9, 3, 3, 5, 9, 9, 9, 9, 9},
	{0, 2, 2, 4, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 3, 3, 3, 5, 9, 9, 9, 9},
	{0, 9, 1, 5, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 4, 4, 3, 3, 4, 9, 9, 9},
	{0, 9, 3, 2, 4, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 5, 3, 3, 3, 3, 8, 9, 9},
	{0, 5, 4, 3, 3, 2, 4, 6, 9, 9, 9, 9, 9, 9, 9, 9, 3, 3, 5, 6, 7, 8, 9, 9},
	{0, 2, 6, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 6, 4, 3, 2, 2},
	{0, 4, 2, 4, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 8, 5, 4, 3, 3, 2},
	{0, 3, 2, 2, 4, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 3, 3, 5, 9, 9, 9, 9, 9},
};

static const uint8_t shifted[CODES_TABLES][SYMBOLS] = {
	{2, 9, 6, 5, 4, 3, 3, 2, 3, 9, 9, 9, 9, 9, 9, 9},
	{3, 2, 3, 4, 4, 4, 4, 3, 4, 5, 6, 9, 9, 8, 8, 8},
	{2, 7, 7, 5, 3, 2, 2, 4, 9, 9, 9, 9, 9, 9, 9, 9},
	{2, 4, 4, 4, 4, 3, 4, 3, 4, 4, 5, 6, 7, 8, 9, 9},
	{4, 5, 3, 3, 2, 2, 3, 6, 9, 9, 9, 9, 9, 9, 9, 9},
	{1, 2, 3, 4, 5, 7, 8, 8, 9, 9, 9, 9, 9, 9, 9, 9},
	{2, 2, 2, 3, 4, 7, 7, 5, 9, 9, 9, 9, 9, 9, 9, 9},
	{3, 4, 2, 2, 2, 5, 7, 7, 9, 9, 9, 9, 9, 9, 9, 9},
};

static struct books all;
static pthread_once_t made = PTHREAD_ONCE_INIT;

static uint16_t reversed(unsigned word, unsigned length)
{
	unsigned out = 0;
	for (unsigned i = 0; i < length; i++)
		out |= (word >> i & 1) << (length - 1 - i);
	return (uint16_t)out;
}

/* Canonical: by length, then by symbol. Gives the symbol of any bits, too. */
static void make_words(struct book *book, uint8_t symbols[1u << LONGEST])
{
	unsigned word = 0;
	for (unsigned length = 1; length <= LONGEST; length++, word <<= 1) {
		for (unsigned s = 0; s < SYMBOLS; s++) {
			if (book->lengths[s] != length)
				continue;
			assert(word < 1u << length);
			book->words[s] = reversed(word++, length);
			for (unsigned i = book->words[s]; i < 1u << LONGEST; i += 1u << length)
				symbols[i] = (uint8_t)s;
		}
	}
}

static uint32_t make_entry(
	const struct book *book, const uint8_t symbols[1u << LONGEST], unsigned bits)
{
	uint32_t entry = 0;
	unsigned used = 0, n = 0;
	for (; n < 3; n++) {
		unsigned symbol = symbols[bits >> used];
		if (used + book->lengths[symbol] > LONGEST)
			break;
		entry |= symbol << 8 * n;
		used += book->lengths[symbol];
	}
	return entry | used << 24 | n << 28;
}

static void make_book(struct book *book, const uint8_t lengths[SYMBOLS])
{
	uint8_t symbols[1u << LONGEST];
	memcpy(book->lengths, lengths, SYMBOLS);
	make_words(book, symbols);
	for (unsigned bits = 0; bits < 1u << LONGEST; bits++)
		book->entries[bits] = make_entry(book, symbols, bits);
}

static unsigned raw_of(unsigned symbol, unsigned shift)
{
	if (symbol >= RUN)
		return symbol - RUN;
	return symbol == SMALL ? shift : symbol == ESCAPE ? 64 : shift + symbol - 1;
}

static void make_numbering(struct numbering *numbering, unsigned shift)
{
	for (unsigned s = 0; s < SYMBOLS; s++) {
		unsigned raw = raw_of(s, shift);
		numbering->raw[s] = (uint8_t)raw;
		numbering->mask[s] = raw < 64 ? (1ull << raw) - 1 : UINT64_MAX;
		numbering->top[s] = s == SMALL || raw >= 64 ? 0 : 1ull << raw;
	}
}

static void make_books(void)
{
	for (unsigned shift = 0; shift <= SHIFT_LIMIT; shift++)
		make_numbering(&all.numberings[shift], shift);
	for (unsigned i = 0; i < CODES_TABLES; i++) {
		make_book(&all.runs[i], runs[i]);
		make_book(&all.shifted[i], shifted[i]);
		for (unsigned s = 0; s < SYMBOLS; s++)
			all.costs_runs[s][i] = runs[i][s];
		for (unsigned s = 0; s < RUN; s++)
			all.costs_shifted[s][i] = shifted[i][s];
	}
	for (unsigned n = 1; n <= CODES_NUMBERS_LIMIT; n++)
		all.spread[n] = (uint16_t)lrint(16 * n * log2(n));
}

const struct books *codes_books(void)
{
	pthread_once(&made, make_books);
	return &all;
}

/* ---- reading ---- */

enum {
	SEEN = 57, /* bits that one look gives at least */
	LOOKS = SEEN / LONGEST,
	SLACK = 8, /* bytes that may be read behind the end */
	CODED_LIMIT = 3 + CODES_NUMBERS_LIMIT * (LONGEST + 64) / 8 + 1,
};

/* Bits that are looked at from any place. A place behind the end is the end: so no
 * step is checked, and what went too far is seen at the end. */
struct bits {
	const uint8_t *data;
	size_t limit;
};

static inline uint64_t look(const struct bits *bits, size_t at)
{
	uint64_t window;
	at = at < bits->limit ? at : bits->limit;
	memcpy(&window, bits->data + at / 8, sizeof window);
	return le64toh(window) >> at % 8;
}

/* All 64, which are more than one look gives. */
static uint64_t look_long(const struct bits *bits, size_t at)
{
	return (look(bits, at) & UINT32_MAX) | look(bits, at + 32) << 32;
}

/* In one store: memcpy() would be checked, and called, each time. */
static inline void store_entry(uint8_t *to, uint32_t entry)
{
	to[0] = (uint8_t)entry;
	to[1] = (uint8_t)(entry >> 8);
	to[2] = (uint8_t)(entry >> 16);
	to[3] = (uint8_t)(entry >> 24);
}

/* Codes are complete, so any bits are some symbols. Returns where they end. */
static size_t get_symbols(
	const struct bits *bits, const struct book *book, uint8_t *symbols, uint32_t n)
{
	size_t at = 0;
	uint32_t done = 0;
	while (done < n) {
		uint64_t window = look(bits, at);
		for (unsigned i = 0; i < LOOKS; i++) {
			uint32_t entry = book->entries[window & ((1u << LONGEST) - 1)];
			unsigned length = entry >> 24 & 15;
			store_entry(symbols + done, entry);
			done += entry >> 28;
			at += length;
			window >>= length;
		}
	}
	while (done > n)
		at -= book->lengths[symbols[--done]];
	return at;
}

static inline uint64_t get_number(
	const struct bits *bits, size_t at, const struct numbering *of, unsigned symbol)
{
	uint64_t raw = of->raw[symbol] > SEEN ? look_long(bits, at) : look(bits, at);
	return (raw & of->mask[symbol]) + of->top[symbol];
}

static size_t get_shifted(const struct bits *bits, size_t at, const struct numbering *of,
	const uint8_t *symbols, uint64_t *numbers, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		numbers[i] = get_number(bits, at, of, symbols[i]);
		at += of->raw[symbols[i]];
	}
	return at;
}

/* Returns where their bits end; a run that is longer than what is left gives a place
 * that is none. */
static size_t get_runs(const struct bits *bits, size_t at, const struct numbering *of,
	const uint8_t *symbols, uint32_t n_symbols, uint64_t *numbers, uint32_t n)
{
	uint32_t done = 0;
	memset(numbers, 0, n * sizeof *numbers);
	for (uint32_t i = 0; i < n_symbols && done < n; i++) {
		bool is_run = symbols[i] >= RUN;
		uint64_t number = get_number(bits, at, of, symbols[i]);
		numbers[done] = is_run ? 0 : number;
		done += is_run ? (uint32_t)number : 1;
		at += of->raw[symbols[i]];
	}
	return done == n ? at : SIZE_MAX;
}

/* The bytes in front of the bits; returns how many they are, 0 if they are none of ours. */
static size_t get_head(const uint8_t *at, size_t length, struct code *code)
{
	if (length < 2)
		return 0;
	code->table = at[0] % CODES_TABLES;
	code->shift = at[0] / CODES_TABLES;
	code->n_symbols = code->shift == 0 ? at[1] : 0;
	if (code->shift == SHIFT_FOLLOWS)
		code->shift = at[1];
	if (code->shift > SHIFT_LIMIT || code->n_symbols > CODES_NUMBERS_LIMIT)
		return 0;
	return code->shift == 0 || code->shift >= SHIFT_FOLLOWS ? 2 : 1;
}

static int get_numbers(const struct bits *bits, struct code code, uint64_t *numbers, uint32_t n)
{
	uint8_t symbols[CODES_NUMBERS_LIMIT + 3 * LOOKS + sizeof(uint32_t)];
	const struct numbering *of = &codes_books()->numberings[code.shift];
	uint32_t n_symbols = code.shift ? n : code.n_symbols;
	size_t at = get_symbols(bits, find_book(&code), symbols, n_symbols);
	at = code.shift ? get_shifted(bits, at, of, symbols, numbers, n)
			: get_runs(bits, at, of, symbols, n_symbols, numbers, n);
	return at <= bits->limit && bits->limit - at < 8 ? 0 : -EBADMSG;
}

/* Where there are too few bytes behind the end. */
static int get_from_copy(const struct bits *bits, struct code code, uint64_t *numbers, uint32_t n)
{
	uint8_t copy[CODED_LIMIT + SLACK] = {0};
	memcpy(copy, bits->data, bits->limit / 8);
	return get_numbers(&(struct bits){copy, bits->limit}, code, numbers, n);
}

int codes_get(const uint8_t *at, size_t length, const uint8_t *end, uint64_t *numbers, uint32_t n)
{
	struct code code;
	size_t head = get_head(at, length, &code);
	if (head == 0 || length > CODED_LIMIT || n > CODES_NUMBERS_LIMIT)
		return -EBADMSG;
	const struct bits bits = {at + head, 8 * (length - head)};
	bool has_slack = (size_t)(end - at) >= length + SLACK;
	return has_slack ? get_numbers(&bits, code, numbers, n)
			 : get_from_copy(&bits, code, numbers, n);
}
