/* SPDX-License-Identifier: Apache-2.0 */
#include "codes.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* Symbols. SMALL (only with a shift) is a number of at most `shift` bits; 1 to 14
 * that many bits more than the shift; ESCAPE any number, of 64 bits. RUN + j
 * (only without) is 2^j zeros and up to 2^j - 1 more. */
enum {
	SMALL = 0,
	ESCAPE = 15,
	RUN = 16,
	SYMBOLS = 24,
	LONGEST = 9, /* bits of a code */
	CODES = 2 * CODES_TABLES,
	WINDOW = 56, /* bits that are there after a refill, unless the input ends */
};

/* Lengths of the codes, the eight for runs first; 0: there is no such symbol. */
static const uint8_t lengths[CODES][SYMBOLS] = {
	{0, 9, 7, 5, 4, 4, 3, 2, 3, 5, 9, 9, 9, 9, 9, 9, 3, 3, 5, 9, 9, 9, 9, 9},
	{0, 2, 2, 4, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 3, 3, 3, 5, 9, 9, 9, 9},
	{0, 9, 1, 5, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 4, 4, 3, 3, 4, 9, 9, 9},
	{0, 9, 3, 2, 4, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 5, 3, 3, 3, 3, 8, 9, 9},
	{0, 5, 4, 3, 3, 2, 4, 6, 9, 9, 9, 9, 9, 9, 9, 9, 3, 3, 5, 6, 7, 8, 9, 9},
	{0, 2, 6, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 6, 4, 3, 2, 2},
	{0, 4, 2, 4, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 8, 5, 4, 3, 3, 2},
	{0, 3, 2, 2, 4, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 3, 3, 5, 9, 9, 9, 9, 9},
	{2, 9, 6, 5, 4, 3, 3, 2, 3, 9, 9, 9, 9, 9, 9, 9},
	{3, 2, 3, 4, 4, 4, 4, 3, 4, 5, 6, 9, 9, 8, 8, 8},
	{2, 7, 7, 5, 3, 2, 2, 4, 9, 9, 9, 9, 9, 9, 9, 9},
	{2, 4, 4, 4, 4, 3, 4, 3, 4, 4, 5, 6, 7, 8, 9, 9},
	{4, 5, 3, 3, 2, 2, 3, 6, 9, 9, 9, 9, 9, 9, 9, 9},
	{1, 2, 3, 4, 5, 7, 8, 8, 9, 9, 9, 9, 9, 9, 9, 9},
	{2, 2, 2, 3, 4, 7, 7, 5, 9, 9, 9, 9, 9, 9, 9, 9},
	{3, 4, 2, 2, 2, 5, 7, 7, 9, 9, 9, 9, 9, 9, 9, 9},
};

struct book {
	uint16_t words[SYMBOLS];         /* a symbol's code, first bit lowest */
	uint16_t symbols[1u << LONGEST]; /* of the next bits: symbol << 4 | length; 0: none */
};

static struct book books[CODES];
static pthread_once_t made = PTHREAD_ONCE_INIT;

static uint16_t reversed(unsigned word, unsigned length)
{
	unsigned out = 0;
	for (unsigned i = 0; i < length; i++)
		out |= (word >> i & 1) << (length - 1 - i);
	return (uint16_t)out;
}

/* Canonical: by length, then by symbol. */
static void make_book(struct book *book, const uint8_t *of)
{
	unsigned word = 0;
	for (unsigned length = 1; length <= LONGEST; length++, word <<= 1) {
		for (unsigned s = 0; s < SYMBOLS; s++) {
			if (of[s] != length)
				continue;
			assert(word < 1u << length);
			book->words[s] = reversed(word++, length);
			for (unsigned i = book->words[s]; i < 1u << LONGEST; i += 1u << length)
				book->symbols[i] = (uint16_t)(s << 4 | length);
		}
	}
}

static void make_books(void)
{
	for (unsigned i = 0; i < CODES; i++)
		make_book(&books[i], lengths[i]);
}

static unsigned book_number(struct code code)
{
	return code.shift == 0 ? code.table : CODES_TABLES + code.table;
}

static const struct book *find_book(struct code code)
{
	pthread_once(&made, make_books);
	return &books[book_number(code)];
}

static unsigned bit_length(uint64_t v)
{
	return v == 0 ? 0 : 64 - (unsigned)__builtin_clzll(v);
}

static unsigned symbol_of(uint64_t number, unsigned shift)
{
	unsigned length = bit_length(number);
	if (length <= shift)
		return SMALL;
	return length - shift < ESCAPE ? length - shift : ESCAPE;
}

static uint32_t zeros_from(const uint64_t *numbers, uint32_t n)
{
	uint32_t run = 0;
	while (run < n && numbers[run] == 0)
		run++;
	return run;
}

/* ---- choosing ---- */

/* How often each symbol would come, and the bits that follow the codes. */
struct tally {
	uint32_t counts[SYMBOLS];
	uint64_t raw;
};

static struct tally tally_runs(const uint64_t *numbers, uint32_t n)
{
	struct tally tally = {{0}, 0};
	for (uint32_t i = 0; i < n;) {
		uint32_t run = zeros_from(numbers + i, n - i);
		unsigned symbol = symbol_of(numbers[i], 0), log2 = bit_length(run);
		tally.counts[run ? RUN + log2 - 1 : symbol]++;
		tally.raw += run ? log2 - 1 : symbol == ESCAPE ? 64 : bit_length(numbers[i]) - 1;
		i += run ? run : 1;
	}
	return tally;
}

/* How many numbers have each length, and the longest there is. */
struct lengths_of {
	uint32_t counts[65];
	unsigned longest, mean;
};

static void tally_lengths(struct lengths_of *of, const uint64_t *numbers, uint32_t n)
{
	uint32_t sum = 0;
	*of = (struct lengths_of){{0}, 0, 0};
	for (uint32_t i = 0; i < n; i++) {
		unsigned length = bit_length(numbers[i]);
		of->counts[length]++;
		sum += length;
		of->longest = length > of->longest ? length : of->longest;
	}
	of->mean = sum / n;
}

static struct tally tally_shifted(const struct lengths_of *of, unsigned shift)
{
	struct tally tally = {{0}, 0};
	for (unsigned length = 0; length <= of->longest; length++) {
		unsigned symbol = length <= shift ? SMALL : length - shift;
		unsigned raw = length <= shift ? shift : length - 1;
		if (symbol >= ESCAPE) {
			symbol = ESCAPE;
			raw = 64;
		}
		tally.counts[symbol] += of->counts[length];
		tally.raw += (uint64_t)of->counts[length] * raw;
	}
	return tally;
}

static void consider(struct code *best, const struct tally *tally, unsigned shift)
{
	unsigned n_symbols = shift ? RUN : SYMBOLS;
	for (unsigned table = 0; table < CODES_TABLES; table++) {
		struct code code = {(uint8_t)table, (uint8_t)shift, tally->raw};
		const uint8_t *of = lengths[book_number(code)];
		uint32_t bits = 0;
		for (unsigned s = 0; s < n_symbols; s++)
			bits += tally->counts[s] * of[s];
		code.bits += bits;
		if (code.bits < best->bits)
			*best = code;
	}
}

/* Shifts from two bits under the mean length to one above it: others hardly ever win. */
struct code codes_choose(const uint64_t *numbers, uint32_t n)
{
	struct code best = {0, 0, UINT64_MAX};
	struct lengths_of of;
	assert(n > 0 && n <= CODES_NUMBERS_LIMIT);
	tally_lengths(&of, numbers, n);
	unsigned first = of.mean < 2 ? 0 : of.mean - 2;
	for (unsigned shift = first; shift <= of.mean + 1 && shift <= CODES_SHIFT_LIMIT; shift++) {
		struct tally tally = shift ? tally_shifted(&of, shift) : tally_runs(numbers, n);
		consider(&best, &tally, shift);
	}
	return best;
}

/* ---- writing ---- */

struct writer {
	uint8_t *at;
	uint64_t window;
	unsigned filled;
};

/* The low n bits of `bits`, which has no others. */
static void put_bits(struct writer *w, uint64_t bits, unsigned n)
{
	w->window |= bits << w->filled;
	if (w->filled + n < 64) {
		w->filled += n;
		return;
	}
	uint64_t whole = htole64(w->window);
	memcpy(w->at, &whole, sizeof whole);
	w->at += sizeof whole;
	w->window = w->filled ? bits >> (64 - w->filled) : 0;
	w->filled += n - 64;
}

static void put_symbol(struct writer *w, const struct book *book, struct code code, unsigned symbol)
{
	put_bits(w, book->words[symbol], lengths[book_number(code)][symbol]);
}

static void put_number(struct writer *w, const struct book *book, struct code code, uint64_t number)
{
	unsigned symbol = symbol_of(number, code.shift), length = bit_length(number);
	put_symbol(w, book, code, symbol);
	if (symbol == SMALL)
		put_bits(w, number, code.shift);
	else if (symbol == ESCAPE)
		put_bits(w, number, 64);
	else
		put_bits(w, number ^ 1ull << (length - 1), length - 1);
}

static void put_run(struct writer *w, const struct book *book, struct code code, uint32_t run)
{
	unsigned log2 = bit_length(run) - 1;
	put_symbol(w, book, code, RUN + log2);
	put_bits(w, run ^ 1u << log2, log2);
}

void codes_put(struct fw_buf *out, struct code code, const uint64_t *numbers, uint32_t n)
{
	const struct book *book = find_book(code);
	size_t length = (size_t)(code.bits + 7) / 8, before = out->length;
	struct writer w = {fw_buf_reserve(out, length + 16), 0, 0};
	for (uint32_t i = 0; i < n;) {
		uint32_t run = code.shift ? 0 : zeros_from(numbers + i, n - i);
		if (run)
			put_run(&w, book, code, run);
		else
			put_number(&w, book, code, numbers[i]);
		i += run ? run : 1;
	}
	uint64_t last = htole64(w.window);
	memcpy(w.at, &last, sizeof last);
	out->length = before + length;
	out->data[out->length] = '\0';
}

/* ---- reading ---- */

/* No check of every step: behind the end come zeroes, and where that happened is seen
 * at the end. Codes are complete, so any bits are some symbol. */
struct reader {
	const uint8_t *data;
	size_t at, limit;
	uint64_t window;
	unsigned filled; /* bits in the window; above them is what comes next, or 0 */
};

/* At least WINDOW bits. */
static inline void refill(struct reader *r)
{
	if (r->at + 8 <= r->limit) {
		uint64_t next;
		memcpy(&next, r->data + r->at, sizeof next);
		r->window |= le64toh(next) << r->filled;
		r->at += (63 - r->filled) >> 3;
		r->filled |= WINDOW;
		return;
	}
	for (; r->filled < WINDOW; r->filled += 8, r->at++)
		r->window |= r->at < r->limit ? (uint64_t)r->data[r->at] << r->filled : 0;
}

static inline uint64_t take(struct reader *r, unsigned n)
{
	uint64_t bits = r->window & ((1ull << n) - 1);
	r->window >>= n;
	r->filled -= n;
	return bits;
}

static inline unsigned take_symbol(struct reader *r, const struct book *book)
{
	refill(r);
	unsigned entry = book->symbols[r->window & ((1u << LONGEST) - 1)];
	take(r, entry & 15);
	return entry >> 4;
}

/* More than what is left in the window for sure. */
static inline uint64_t take_many(struct reader *r, unsigned n)
{
	uint64_t low = take(r, 32);
	refill(r);
	return low | take(r, n - 32) << 32;
}

static inline uint64_t take_raw(struct reader *r, unsigned n)
{
	return n <= WINDOW - LONGEST ? take(r, n) : take_many(r, n);
}

static void get_shifted(
	struct reader *from, const struct book *book, unsigned shift, uint64_t *numbers, uint32_t n)
{
	struct reader r = *from;
	for (uint32_t i = 0; i < n; i++) {
		unsigned symbol = take_symbol(&r, book);
		if (symbol == ESCAPE) {
			numbers[i] = take_many(&r, 64);
			continue;
		}
		unsigned is_longer = symbol != SMALL;
		unsigned raw = (shift + symbol - is_longer) & 63;
		numbers[i] = ((uint64_t)is_longer << raw) + take_raw(&r, raw);
	}
	*from = r;
}

/* False when a run is longer than what is left. */
static bool get_runs(struct reader *from, const struct book *book, uint64_t *numbers, uint32_t n)
{
	struct reader r = *from;
	for (uint32_t i = 0; i < n;) {
		unsigned symbol = take_symbol(&r, book);
		if (symbol < ESCAPE) {
			numbers[i++] = (1ull << (symbol - 1)) + take(&r, symbol - 1);
			continue;
		}
		if (symbol == ESCAPE) {
			numbers[i++] = take_many(&r, 64);
			continue;
		}
		uint64_t run = (1ull << (symbol - RUN)) + take(&r, symbol - RUN);
		if (run > n - i)
			return false;
		memset(numbers + i, 0, (size_t)run * sizeof *numbers);
		i += (uint32_t)run;
	}
	*from = r;
	return true;
}

int codes_get(const uint8_t *at, size_t length, const uint8_t *end, struct code code,
	uint64_t *numbers, uint32_t n)
{
	if (code.table >= CODES_TABLES || code.shift > CODES_SHIFT_LIMIT)
		return -EBADMSG;
	const struct book *book = find_book(code);
	struct reader r = {.data = at, .limit = (size_t)(end - at)};
	if (code.shift)
		get_shifted(&r, book, code.shift, numbers, n);
	else if (!get_runs(&r, book, numbers, n))
		return -EBADMSG;
	size_t used = 8 * r.at - r.filled;
	return (used + 7) / 8 == length ? 0 : -EBADMSG;
}
