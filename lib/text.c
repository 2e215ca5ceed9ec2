/* SPDX-License-Identifier: Apache-2.0 */
#include <fenwatch/text.h>

#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>

enum { NEAREST_MOST_BYTES = 64 };

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

void fw_skip_blanks(struct fw_cursor *c)
{
	while (c->at < c->end && is_blank(*c->at))
		c->at++;
}

static int cut_digits(struct fw_cursor *c, uint64_t *value)
{
	uint64_t sum = 0;
	struct fw_cursor rest = *c;
	for (; rest.at < rest.end && is_digit(*rest.at); rest.at++)
		if (__builtin_mul_overflow(sum, 10u, &sum) ||
			__builtin_add_overflow(sum, (uint64_t)(*rest.at - '0'), &sum))
			return -ERANGE;
	if (rest.at == c->at)
		return -EINVAL;
	*value = sum;
	*c = rest;
	return 0;
}

bool fw_cut_u64(struct fw_cursor *c, uint64_t *value)
{
	struct fw_cursor rest = *c;
	fw_skip_blanks(&rest);
	if (cut_digits(&rest, value) < 0)
		return false;
	*c = rest;
	return true;
}

static bool cut_sign(struct fw_cursor *c)
{
	bool negative = c->at < c->end && *c->at == '-';
	if (negative || (c->at < c->end && *c->at == '+'))
		c->at++;
	return negative;
}

static bool with_sign(uint64_t magnitude, bool negative, int64_t *value)
{
	if (magnitude > (uint64_t)INT64_MAX + negative)
		return false;
	*value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
	return true;
}

bool fw_cut_i64(struct fw_cursor *c, int64_t *value)
{
	struct fw_cursor rest = *c;
	fw_skip_blanks(&rest);
	bool negative = cut_sign(&rest);
	uint64_t magnitude;
	if (cut_digits(&rest, &magnitude) < 0 || !with_sign(magnitude, negative, value))
		return false;
	*c = rest;
	return true;
}

/* The digits behind the point, exactly `scale` of them counted, zeroes where there are none. */
static bool cut_fraction(struct fw_cursor *c, int scale, uint64_t *sum)
{
	bool point = c->at + 1 < c->end && *c->at == '.' && is_digit(c->at[1]);
	c->at += point;
	for (int i = 0; i < scale; i++) {
		bool more = point && c->at < c->end && is_digit(*c->at);
		uint64_t digit = more ? (uint64_t)(*c->at - '0') : 0;
		c->at += more;
		if (__builtin_mul_overflow(*sum, 10u, sum) ||
			__builtin_add_overflow(*sum, digit, sum))
			return false;
	}
	while (point && c->at < c->end && is_digit(*c->at))
		c->at++;
	return true;
}

bool fw_cut_decimal(struct fw_cursor *c, int scale, int64_t *value)
{
	struct fw_cursor rest = *c;
	fw_skip_blanks(&rest);
	bool negative = cut_sign(&rest);
	uint64_t magnitude;
	if (cut_digits(&rest, &magnitude) < 0 || !cut_fraction(&rest, scale, &magnitude) ||
		!with_sign(magnitude, negative, value))
		return false;
	*c = rest;
	return true;
}

bool fw_cut_word(struct fw_cursor *c, const char **word, size_t *length)
{
	struct fw_cursor rest = *c;
	fw_skip_blanks(&rest);
	const char *start = rest.at;
	while (rest.at < rest.end && !is_blank(*rest.at) && *rest.at != '\n')
		rest.at++;
	if (rest.at == start)
		return false;
	*word = start;
	*length = (size_t)(rest.at - start);
	*c = rest;
	return true;
}

bool fw_cut_line(struct fw_cursor *c, struct fw_cursor *line)
{
	if (c->at == c->end)
		return false;
	const char *newline = memchr(c->at, '\n', (size_t)(c->end - c->at));
	*line = (struct fw_cursor){c->at, newline ? newline : c->end};
	c->at = newline ? newline + 1 : c->end;
	return true;
}

bool fw_cut_literal(struct fw_cursor *c, const char *text)
{
	size_t length = strlen(text);
	if (length == 0 || (size_t)(c->end - c->at) < length || memcmp(c->at, text, length) != 0)
		return false;
	c->at += length;
	return true;
}

int fw_parse_u64(const char *text, uint64_t *value)
{
	struct fw_cursor c = {text, text + strlen(text)};
	uint64_t parsed;
	int rc = cut_digits(&c, &parsed);
	if (rc == 0 && c.at != c.end)
		rc = -EINVAL;
	if (rc == 0)
		*value = parsed;
	return rc;
}

static char *put_pair(unsigned pair, char *end)
{
	static const char pairs[] = "0001020304050607080910111213141516171819"
				    "2021222324252627282930313233343536373839"
				    "4041424344454647484950515253545556575859"
				    "6061626364656667686970717273747576777879"
				    "8081828384858687888990919293949596979899";
	end[-2] = pairs[2 * pair];
	end[-1] = pairs[2 * pair + 1];
	return end - 2;
}

char *fw_digits(uint64_t value, char *end)
{
	for (; value >= 100; value /= 100)
		end = put_pair((unsigned)(value % 100), end);
	if (value >= 10)
		return put_pair((unsigned)value, end);
	*--end = (char)('0' + value);
	return end;
}

void fw_hex(const uint8_t *data, size_t length, char *out)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < length; i++) {
		*out++ = digits[data[i] >> 4];
		*out++ = digits[data[i] & 0xf];
	}
	*out = '\0';
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int fw_unhex(const char *text, uint8_t *out, size_t length)
{
	if (strlen(text) != 2 * length)
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return -EINVAL;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

bool fw_same_secret(const void *a, const void *b, size_t length)
{
	return CRYPTO_memcmp(a, b, length) == 0;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many letters must be put in, left out, changed or swapped with their
 * neighbour to make one word of the other. Three rows of the usual table are
 * enough: a swap looks two rows back. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t rows[3][NEAREST_MOST_BYTES + 1];
	for (size_t j = 0; j <= b_length; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t *row = rows[i % 3], *above = rows[(i + 2) % 3],
		       *two_above = rows[(i + 1) % 3];
		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			row[j] = least(least(above[j], row[j - 1]) + 1,
				above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], two_above[j - 2] + 1);
		}
	}
	return rows[a_length % 3][b_length];
}

const char *fw_nearest(const char *word, const char *const *candidates, size_t count)
{
	size_t length = strlen(word);
	if (length > NEAREST_MOST_BYTES)
		return NULL;
	/* In a short word even two mistakes make another word. */
	size_t best_distance = length < 5 ? 2 : length < 9 ? 3 : 4;
	const char *best = NULL;
	for (size_t i = 0; i < count; i++) {
		size_t other = strlen(candidates[i]);
		if (other > NEAREST_MOST_BYTES)
			continue;
		size_t distance = edit_distance(word, length, candidates[i], other);
		if (distance < best_distance) {
			best_distance = distance;
			best = candidates[i];
		}
	}
	return best;
}

struct fw_hint fw_did_you_mean(const char *nearest)
{
	struct fw_hint hint = {""};
	if (nearest)
		snprintf(hint.text, sizeof hint.text, "; did you mean '%.100s'?", nearest);
	return hint;
}
