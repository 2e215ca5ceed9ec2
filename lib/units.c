/* SPDX-License-Identifier: Apache-2.0 */
#include <fenwatch/text.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t worth;
};

static const struct unit size_units[] = {
	{"KiB", 1ull << 10},
	{"MiB", 1ull << 20},
	{"GiB", 1ull << 30},
	{"TiB", 1ull << 40},
	{"kB", 1000},
	{"MB", 1000000},
	{"GB", 1000000000},
	{"TB", 1000000000000},
	{"B", 1},
};

/* From the longest to the shortest, which is also the order they are written in.
 * "ms" comes before "m", of which it would be taken for. */
static const struct unit time_units[] = {
	{"y", 365ull * 24 * 3600 * 1000},
	{"w", 7ull * 24 * 3600 * 1000},
	{"d", 24ull * 3600 * 1000},
	{"h", 3600ull * 1000},
	{"ms", 1},
	{"m", 60ull * 1000},
	{"s", 1000},
};

enum {
	N_SIZE_UNITS = sizeof size_units / sizeof size_units[0],
	N_TIME_UNITS = sizeof time_units / sizeof time_units[0],
};

static const struct unit *cut_unit(struct fw_cursor *c, const struct unit *units, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fw_cut_literal(c, units[i].name))
			return &units[i];
	return NULL;
}

/* Digits at the very start of the text; -ERANGE where they are too many. */
static int cut_number(struct fw_cursor *c, uint64_t *value)
{
	if (c->at == c->end || *c->at < '0' || *c->at > '9')
		return -EINVAL;
	return fw_cut_u64(c, value) ? 0 : -ERANGE;
}

int fw_parse_size(const char *text, uint64_t *bytes)
{
	struct fw_cursor c = {text, text + strlen(text)};
	uint64_t number, worth = 1;
	int rc = cut_number(&c, &number);
	if (rc < 0)
		return rc;
	if (c.at != c.end) {
		const struct unit *unit = cut_unit(&c, size_units, N_SIZE_UNITS);
		if (!unit || c.at != c.end)
			return -EINVAL;
		worth = unit->worth;
	}
	if (__builtin_mul_overflow(number, worth, &number))
		return -ERANGE;
	*bytes = number;
	return 0;
}

int fw_parse_duration(const char *text, int64_t *ms)
{
	struct fw_cursor c = {text, text + strlen(text)};
	uint64_t worth_before = UINT64_MAX;
	int64_t sum = 0;
	if (strcmp(text, "0") == 0) {
		*ms = 0;
		return 0;
	}
	do {
		uint64_t number, part;
		int rc = cut_number(&c, &number);
		if (rc < 0)
			return rc;
		const struct unit *unit = cut_unit(&c, time_units, N_TIME_UNITS);
		if (!unit || unit->worth >= worth_before)
			return -EINVAL;
		worth_before = unit->worth;
		if (__builtin_mul_overflow(number, unit->worth, &part) ||
			__builtin_add_overflow(sum, part, &sum))
			return -ERANGE;
	} while (c.at != c.end);
	*ms = sum;
	return 0;
}

/* Never years or weeks: "30d" says more than "4w2d". */
const char *fw_format_duration(int64_t ms, char *text, size_t size)
{
	static const struct unit parts[] = {
		{"d", 24ull * 3600 * 1000},
		{"h", 3600ull * 1000},
		{"m", 60ull * 1000},
		{"s", 1000},
		{"ms", 1},
	};
	uint64_t left = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
	size_t used = 0;
	snprintf(text, size, "%s", ms == 0 ? "0s" : ms < 0 ? "-" : "");
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		uint64_t n = left / parts[i].worth;
		left %= parts[i].worth;
		used = strlen(text);
		if (n > 0)
			snprintf(text + used, size - used, "%llu%s", (unsigned long long)n,
				parts[i].name);
	}
	return text;
}

const char *fw_format_size(uint64_t bytes, char *text, size_t size)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes;
	size_t i = 0;
	for (; value >= 1023.95 && i + 1 < sizeof names / sizeof names[0]; i++)
		value /= 1024;
	snprintf(text, size, i == 0 ? "%.0f %s" : "%.1f %s", value, names[i]);
	return text;
}
