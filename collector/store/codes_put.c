/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing a code, and writing. */
#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "codes_book.h"

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

void codes_measure(struct codes_lengths *of, const uint64_t *numbers, uint32_t n)
{
	*of = (struct codes_lengths){.n = n};
	for (uint32_t i = 0; i < n; i++)
		of->counts[bit_length(numbers[i])]++;
	for (uint32_t length = 1; length <= 64; length++) {
		of->sum += of->counts[length] * length;
		of->longest = of->counts[length] ? length : of->longest;
	}
}

/* The highest bit of a number goes with its length; lengths cost their entropy. */
uint32_t codes_estimate(const struct codes_lengths *of)
{
	const struct books *books = codes_books();
	uint32_t raw = of->sum - (of->n - of->counts[0]), spread = books->spread[of->n];
	for (uint32_t length = 0; length <= of->longest; length++)
		spread -= books->spread[of->counts[length]];
	return 16 * raw + spread;
}

/* How often each symbol would come, and the bits that follow the codes. */
struct tally {
	uint16_t counts[SYMBOLS];
	uint32_t raw;
};

static struct tally tally_runs(const uint64_t *numbers, uint32_t n)
{
	struct tally tally = {{0}, 0};
	for (uint32_t i = 0; i < n;) {
		uint32_t run = zeros_from(numbers + i, n - i);
		unsigned symbol = symbol_of(numbers[i], 0), log2 = bit_length(run);
		tally.counts[run ? RUN + log2 - 1 : symbol]++;
		tally.raw += run ? log2 - 1 : symbol == ESCAPE ? 64 : symbol - 1;
		i += run ? run : 1;
	}
	return tally;
}

static struct tally tally_shifted(const struct codes_lengths *of, unsigned shift)
{
	struct tally tally = {{0}, 0};
	for (unsigned length = 0; length <= of->longest; length++) {
		unsigned symbol = length <= shift ? SMALL : length - shift;
		unsigned raw = length <= shift ? shift : length - 1;
		if (symbol >= ESCAPE) {
			symbol = ESCAPE;
			raw = 64;
		}
		tally.counts[symbol] = (uint16_t)(tally.counts[symbol] + of->counts[length]);
		tally.raw += of->counts[length] * raw;
	}
	return tally;
}

static uint32_t count_symbols(const struct tally *tally)
{
	uint32_t n = 0;
	for (unsigned s = 0; s < SYMBOLS; s++)
		n += tally->counts[s];
	return n;
}

static void consider(struct code *best, const struct tally *tally, unsigned shift)
{
	const struct books *books = codes_books();
	const uint16_t(*costs)[CODES_TABLES] = shift ? books->costs_shifted : books->costs_runs;
	uint16_t bits[CODES_TABLES] = {0};
	for (unsigned s = 0; s < SYMBOLS; s++)
		for (unsigned table = 0; table < CODES_TABLES; table++)
			bits[table] = (uint16_t)(bits[table] + tally->counts[s] * costs[s][table]);
	for (unsigned table = 0; table < CODES_TABLES; table++)
		if (tally->raw + bits[table] < best->bits)
			*best = (struct code){(uint8_t)table, (uint8_t)shift, count_symbols(tally),
				tally->raw + bits[table]};
}

/* Shifts from two bits under the mean length to one above it: others hardly ever win. */
struct code codes_choose(const struct codes_lengths *of, const uint64_t *numbers)
{
	struct code best = {.bits = UINT32_MAX};
	assert(of->n > 0 && of->n <= CODES_NUMBERS_LIMIT);
	uint32_t mean = of->sum / of->n, first = mean < 2 ? 0 : mean - 2;
	for (uint32_t shift = first; shift <= mean + 1 && shift <= SHIFT_LIMIT; shift++) {
		struct tally tally = shift ? tally_shifted(of, shift) : tally_runs(numbers, of->n);
		consider(&best, &tally, shift);
	}
	return best;
}

static size_t head_bytes(const struct code *code)
{
	return code->shift == 0 || code->shift >= SHIFT_FOLLOWS ? 2 : 1;
}

size_t codes_bytes(const struct code *code)
{
	return head_bytes(code) + (code->bits + 7) / 8;
}

/* ---- writing ---- */

struct writer {
	uint8_t *at;
	uint64_t window;
	unsigned filled;
};

/* The low n bits of `bits`, which has no others. */
static inline void put_bits(struct writer *w, uint64_t bits, unsigned n)
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

/* What goes behind the symbols. */
struct raws {
	uint64_t bits[CODES_NUMBERS_LIMIT];
	uint8_t lengths[CODES_NUMBERS_LIMIT];
	uint32_t n;
};

static void put_symbol(struct writer *w, const struct book *book, unsigned symbol,
	struct raws *raws, uint64_t bits, unsigned length)
{
	put_bits(w, book->words[symbol], book->lengths[symbol]);
	raws->bits[raws->n] = bits;
	raws->lengths[raws->n++] = (uint8_t)length;
}

static void put_number(struct writer *w, const struct book *book, unsigned shift, uint64_t number,
	struct raws *raws)
{
	unsigned symbol = symbol_of(number, shift), length = shift + symbol - 1;
	if (symbol == SMALL)
		put_symbol(w, book, symbol, raws, number, shift);
	else if (symbol == ESCAPE)
		put_symbol(w, book, symbol, raws, number, 64);
	else
		put_symbol(w, book, symbol, raws, number ^ 1ull << length, length);
}

static void put_run(struct writer *w, const struct book *book, uint32_t run, struct raws *raws)
{
	unsigned log2 = bit_length(run) - 1;
	put_symbol(w, book, RUN + log2, raws, run ^ 1u << log2, log2);
}

static void put_symbols(struct writer *w, const struct code *code, const uint64_t *numbers,
	uint32_t n, struct raws *raws)
{
	const struct book *book = find_book(code);
	for (uint32_t i = 0; i < n;) {
		uint32_t run = code->shift ? 0 : zeros_from(numbers + i, n - i);
		if (run)
			put_run(w, book, run, raws);
		else
			put_number(w, book, code->shift, numbers[i], raws);
		i += run ? run : 1;
	}
}

static void put_head(struct fw_buf *out, const struct code *code)
{
	unsigned shift = code->shift < SHIFT_FOLLOWS ? code->shift : SHIFT_FOLLOWS;
	uint8_t head[2] = {(uint8_t)(code->table + CODES_TABLES * shift),
		(uint8_t)(shift ? code->shift : code->n_symbols)};
	fw_buf_append(out, head, head_bytes(code));
}

void codes_put(struct fw_buf *out, const struct code *code, const uint64_t *numbers, uint32_t n)
{
	struct raws raws;
	put_head(out, code);
	size_t length = (code->bits + 7) / 8, before = out->length;
	struct writer w = {fw_buf_reserve(out, length + 16), 0, 0};
	raws.n = 0;
	put_symbols(&w, code, numbers, n, &raws);
	for (uint32_t i = 0; i < raws.n; i++)
		put_bits(&w, raws.bits[i], raws.lengths[i]);
	uint64_t last = htole64(w.window);
	memcpy(w.at, &last, sizeof last);
	out->length = before + length;
	out->data[out->length] = '\0';
}
