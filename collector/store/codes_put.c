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
	uint64_t any = 0;
	*of = (struct codes_lengths){.n = n};
	for (uint32_t i = 0; i < n; i++) {
		of->counts[bit_length(numbers[i])]++;
		any |= numbers[i];
	}
	of->longest = bit_length(any);
	for (uint32_t length = 1; length <= of->longest; length++)
		of->sum += of->counts[length] * length;
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
	uint32_t n, raw;
};

static struct tally tally_runs(const uint64_t *numbers, uint32_t n)
{
	struct tally tally = {.n = 0};
	for (uint32_t i = 0; i < n; tally.n++) {
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
	struct tally tally = {.n = of->n};
	uint32_t length = 0;
	for (; length <= shift && length <= of->longest; length++)
		tally.counts[SMALL] = (uint16_t)(tally.counts[SMALL] + of->counts[length]);
	tally.raw = tally.counts[SMALL] * shift;
	for (; length < shift + ESCAPE && length <= of->longest; length++) {
		tally.counts[length - shift] = of->counts[length];
		tally.raw += of->counts[length] * (length - 1);
	}
	for (; length <= of->longest; length++) {
		tally.counts[ESCAPE] = (uint16_t)(tally.counts[ESCAPE] + of->counts[length]);
		tally.raw += of->counts[length] * 64u;
	}
	return tally;
}

static void consider(struct code *best, const struct tally *tally, unsigned shift)
{
	const struct books *books = codes_books();
	const eight *costs = shift ? books->costs_shifted : books->costs_runs;
	eight bits = {0};
	for (unsigned s = 0; s < (shift ? RUN : SYMBOLS); s++)
		bits += tally->counts[s] * costs[s];
	for (unsigned table = 0; table < CODES_TABLES; table++)
		if (tally->raw + bits[table] < best->bits)
			*best = (struct code){
				(uint8_t)table, (uint8_t)shift, tally->n, tally->raw + bits[table]};
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

/* Symbols, and what each stands for: a number or the length of a run. */
struct text {
	uint8_t symbols[CODES_NUMBERS_LIMIT];
	uint64_t values[CODES_NUMBERS_LIMIT];
};

static void find_symbols(struct text *text, unsigned shift, const uint64_t *numbers, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		text->symbols[i] = (uint8_t)symbol_of(numbers[i], shift);
	memcpy(text->values, numbers, n * sizeof *numbers);
}

static void find_runs(struct text *text, const uint64_t *numbers, uint32_t n)
{
	for (uint32_t i = 0, k = 0; i < n; k++) {
		uint32_t run = zeros_from(numbers + i, n - i);
		text->values[k] = run ? run : numbers[i];
		text->symbols[k] =
			(uint8_t)(run ? RUN + bit_length(run) - 1 : symbol_of(numbers[i], 0));
		i += run ? run : 1;
	}
}

static void put_text(struct writer *w, const struct code *code, const struct text *text)
{
	const struct book *book = find_book(code);
	const struct numbering *of = &codes_books()->numberings[code->shift];
	for (uint32_t i = 0; i < code->n_symbols; i++)
		put_bits(w, book->words[text->symbols[i]], book->lengths[text->symbols[i]]);
	for (uint32_t i = 0; i < code->n_symbols; i++)
		put_bits(
			w, text->values[i] & of->mask[text->symbols[i]], of->raw[text->symbols[i]]);
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
	struct text text;
	put_head(out, code);
	size_t length = (code->bits + 7) / 8, before = out->length;
	struct writer w = {fw_buf_reserve(out, length + 16), 0, 0};
	if (code->shift)
		find_symbols(&text, code->shift, numbers, n);
	else
		find_runs(&text, numbers, n);
	put_text(&w, code, &text);
	uint64_t last = htole64(w.window);
	memcpy(w.at, &last, sizeof last);
	out->length = before + length;
	out->data[out->length] = '\0';
}
