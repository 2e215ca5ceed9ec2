/* SPDX-License-Identifier: Apache-2.0 */
#include "number.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/text.h>

#include "shortest.h"

/* ---- out ---- */

enum { DIGITS = FW_DIGITS };

struct digits {
	char text[2 * DIGITS];
	int count, point; /* 0.TEXT times ten to the power of `point` */
};

#define EXACT 1e15 /* of fewer digits than that no two decimals are the same double */
#define DECIMALS 3

/* Most values are integers or have few decimals, and then need no search: a decimal
 * of up to 15 digits that gives the value back is its shortest. */
static struct decimal decimal_of(double magnitude)
{
	const double power = 1000;
	if (magnitude * power < EXACT) {
		uint64_t n = (uint64_t)(magnitude * power + 0.5);
		if ((double)n / power == magnitude)
			return (struct decimal){n, -DECIMALS};
	}
	return shortest_decimal(magnitude);
}

/* Zeros at its end say nothing. Of eight and four at once, as there may be many. */
static void drop_zeros(struct decimal *decimal)
{
	static const struct {
		uint64_t power;
		int zeros;
	} steps[] = {{100000000, 8}, {10000, 4}};
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (decimal->digits % steps[i].power == 0) {
			decimal->digits /= steps[i].power;
			decimal->exponent += steps[i].zeros;
		}
	}
	for (; decimal->digits % 10 == 0; decimal->digits /= 10)
		decimal->exponent++;
}

static void spell(struct decimal decimal, struct digits *d)
{
	char text[2 * DIGITS], *end = text + DIGITS;
	drop_zeros(&decimal);
	const char *at = fw_digits(decimal.digits, end);
	d->count = (int)(end - at);
	d->point = d->count + decimal.exponent;
	memcpy(d->text, at, DIGITS);
}

/* In one piece of a length that is known: most of a number's cost would be calls. */
static char *put(char *at, const char *text, int count)
{
	memcpy(at, text, DIGITS);
	return at + count;
}

static char *put_zeros(char *at, int count)
{
	memset(at, '0', (size_t)count);
	return at + count;
}

static size_t write_plain(const struct digits *d, const char *sign, char *text)
{
	char *at = text;
	int whole = d->point < 0 ? 0 : d->point < d->count ? d->point : d->count;
	if (*sign)
		*at++ = *sign;
	at = whole ? put(at, d->text, whole) : put_zeros(at, 1);
	if (d->point > d->count)
		at = put_zeros(at, d->point - d->count);
	if (whole < d->count) {
		*at++ = '.';
		if (d->point < 0)
			at = put_zeros(at, -d->point);
		at = put(at, d->text + whole, d->count - whole);
	}
	*at = '\0';
	return (size_t)(at - text);
}

static size_t write_exponent(const struct digits *d, const char *sign, char *text, size_t size)
{
	int exponent = d->point - 1;
	return (size_t)snprintf(text, size, "%s%c%s%.*se%c%02d", sign, d->text[0],
		d->count > 1 ? "." : "", d->count - 1, d->text + 1, exponent < 0 ? '-' : '+',
		exponent < 0 ? -exponent : exponent);
}

enum form { PLAIN, EITHER, GENERAL, EXPONENT };

static bool needs_exponent(enum form form, double magnitude)
{
	if (form == EITHER)
		return magnitude < 1e-6 || magnitude >= 1e21;
	if (form == GENERAL)
		return magnitude < 1e-4 || magnitude >= 1e6;
	return form == EXPONENT;
}

/* What has no digits, or none but 0. */
static size_t write_special(double value, enum form form, char *text, size_t size)
{
	const char *word = isnan(value) ? "NaN"
		: isinf(value)          ? "Inf"
		: form == EXPONENT      ? "0e+00"
					: "0";
	const char *sign = isnan(value) ? "" : signbit(value) ? "-" : isinf(value) ? "+" : "";
	return (size_t)snprintf(text, size, "%s%s", sign, word);
}

/* Returns how long it is. */
static size_t format(double value, enum form form, char *text, size_t size)
{
	struct digits d;
	assert(size >= PROMQL_NUMBER_SIZE);
	const char *sign = signbit(value) ? "-" : "";
	double magnitude = fabs(value);
	if (value == 0 || !isfinite(value))
		return write_special(value, form, text, size);
	spell(decimal_of(magnitude), &d);
	return needs_exponent(form, magnitude) ? write_exponent(&d, sign, text, size)
					       : write_plain(&d, sign, text);
}

size_t promql_number_length(double value, char text[PROMQL_NUMBER_SIZE])
{
	return format(value, EITHER, text, PROMQL_NUMBER_SIZE);
}

const char *promql_number(double value, char *text, size_t size)
{
	format(value, EITHER, text, size);
	return text;
}

const char *promql_plain(double value, char *text, size_t size)
{
	format(value, PLAIN, text, size);
	return text;
}

const char *promql_general(double value, char *text, size_t size)
{
	format(value, GENERAL, text, size);
	return text;
}

const char *promql_exponent(double value, char *text, size_t size)
{
	format(value, EXPONENT, text, size);
	return text;
}

/* ---- in ---- */

const struct promql_unit promql_units[] = {
	{"y", 365LL * 86400000, true},
	{"w", 7LL * 86400000, true},
	{"d", 86400000, false},
	{"h", 3600000, false},
	{"m", 60000, false},
	{"s", 1000, false},
	{"ms", 1, false},
};
const size_t promql_n_units = sizeof promql_units / sizeof *promql_units;

/* 292 years, as in Prometheus: sums of a duration and a time cannot overflow. */
#define DURATION_LIMIT_MS (INT64_MAX / 1000000)

const struct promql_unit *promql_unit_of(const char *name, size_t length)
{
	for (size_t i = 0; i < promql_n_units; i++)
		if (strlen(promql_units[i].name) == length &&
			memcmp(promql_units[i].name, name, length) == 0)
			return &promql_units[i];
	return NULL;
}

/* One "30m"; units must come in falling order, each at most once. */
static int take_part(
	const char **at, const char *end, const struct promql_unit **last, int64_t *sum)
{
	int64_t count = 0;
	const char *start = *at;
	while (*at < end && **at >= '0' && **at <= '9') {
		count = count * 10 + (**at - '0');
		if (count > DURATION_LIMIT_MS)
			return -EINVAL;
		(*at)++;
	}
	const char *word = *at;
	while (*at < end && **at >= 'a' && **at <= 'z')
		(*at)++;
	const struct promql_unit *unit = promql_unit_of(word, (size_t)(*at - word));
	if (word == start || !unit || (*last && unit <= *last))
		return -EINVAL;
	if (count > (DURATION_LIMIT_MS - *sum) / unit->ms)
		return -EINVAL;
	*last = unit;
	*sum += count * unit->ms;
	return 0;
}

/* Decimal seconds: digits with at most one point. Finer than a millisecond is cut off. */
static int take_seconds(const char *text, size_t length, int64_t *ms)
{
	int64_t whole = 0, fraction = 0, weight = 100;
	bool point = false, any = false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '.' && !point) {
			point = true;
			continue;
		}
		if (text[i] < '0' || text[i] > '9' || whole > DURATION_LIMIT_MS / 10000)
			return -EINVAL;
		any = true;
		if (!point) {
			whole = whole * 10 + (text[i] - '0');
		} else {
			fraction += (text[i] - '0') * weight;
			weight /= 10;
		}
	}
	*ms = whole * 1000 + fraction;
	return any ? 0 : -EINVAL;
}

int promql_duration(const char *text, size_t length, int64_t *ms)
{
	int64_t sum = 0;
	if (take_seconds(text, length, &sum) == 0) {
		*ms = sum;
		return 0;
	}
	const struct promql_unit *last = NULL;
	const char *at = text, *end = text + length;
	sum = 0;
	while (at < end) {
		int rc = take_part(&at, end, &last, &sum);
		if (rc < 0)
			return rc;
	}
	if (!last)
		return -EINVAL;
	*ms = sum;
	return 0;
}

/* What strtod takes and Go does not: blanks in front, "nan(...)", a sign before NaN. */
static bool looks_like_number(const char *text)
{
	const char *digits = text + (*text == '+' || *text == '-');
	if (*digits == 'n' || *digits == 'N')
		return digits == text && strlen(text) == 3;
	return *digits && strchr("0123456789.iI", *digits);
}

int promql_read_number(const char *text, double *value)
{
	char *end;
	if (!looks_like_number(text))
		return -EINVAL;
	double read = strtod(text, &end);
	bool names_infinity = strpbrk(text, "iI") != NULL;
	if (*end || end == text || (isinf(read) && !names_infinity))
		return -EINVAL;
	*value = read;
	return 0;
}
