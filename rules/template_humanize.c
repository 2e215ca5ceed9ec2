/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus' functions for numbers, durations and moments, as people read them. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "template_tree.h"

static int to_float(struct run *run, const struct operand *arg, double *value)
{
	char *end;
	switch (arg->kind) {
	case IS_FLOAT:
		*value = arg->value;
		return 0;
	case IS_INT:
		*value = (double)arg->number;
		return 0;
	case IS_TEXT:
		*value = strtod(arg->text, &end);
		if (end == arg->text || *end || isspace((unsigned char)*arg->text))
			return run_fail(run, "strconv.ParseFloat: parsing \"%s\": invalid syntax",
				arg->text);
		return 0;
	default:
		return run_fail(run, "can't convert %s to float", operand_type(arg));
	}
}

/* "%.4g" and what stands behind it. */
static int give_short(struct run *run, double value, const char *behind, struct operand *out)
{
	struct fw_buf text = {0};
	const struct operand args[] = {
		{.kind = IS_FLOAT, .value = value}, {.kind = IS_TEXT, .text = behind}};
	template_printf("%.4g%s", args, 2, &text);
	return run_text(run, &text, out);
}

static const char *const larger[] = {"", "k", "M", "G", "T", "P", "E", "Z", "Y"};
static const char *const smaller[] = {"", "m", "u", "n", "p", "f", "a", "z", "y"};
static const char *const binary[] = {"", "ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"};
#define PREFIXES 9

static size_t shrink(double *value, double by)
{
	size_t i = 0;
	for (; i + 1 < PREFIXES && fabs(*value) >= by; i++)
		*value /= by;
	return i;
}

static size_t grow(double *value)
{
	size_t i = 0;
	for (; i + 1 < PREFIXES && fabs(*value) < 1; i++)
		*value *= 1000;
	return i;
}

static int call_humanize(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	double value = 0;
	int rc = to_float(run, args, &value);
	(void)n;
	if (rc < 0)
		return rc;
	if (value == 0 || !isfinite(value))
		return give_short(run, value, "", out);
	const char *prefix =
		fabs(value) >= 1 ? larger[shrink(&value, 1000)] : smaller[grow(&value)];
	return give_short(run, value, prefix, out);
}

static int call_humanize1024(
	struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	double value = 0;
	int rc = to_float(run, args, &value);
	(void)n;
	if (rc < 0)
		return rc;
	if (fabs(value) <= 1 || !isfinite(value))
		return give_short(run, value, "", out);
	const char *prefix = binary[shrink(&value, 1024)];
	return give_short(run, value, prefix, out);
}

/* "11d 13h 46m 40s": from its largest unit on. */
static int give_long(struct run *run, double value, struct operand *out)
{
	char text[64];
	const char *sign = value < 0 ? "-" : "";
	double whole = floor(fabs(value));
	long long all = whole < 9.2e18 ? (long long)whole : INT64_MAX;
	long long seconds = all % 60, minutes = all / 60 % 60, hours = all / 3600 % 24,
		  days = all / 86400;
	if (days)
		snprintf(text, sizeof text, "%s%lldd %lldh %lldm %llds", sign, days, hours, minutes,
			seconds);
	else if (hours)
		snprintf(text, sizeof text, "%s%lldh %lldm %llds", sign, hours, minutes, seconds);
	else if (minutes)
		snprintf(text, sizeof text, "%s%lldm %llds", sign, minutes, seconds);
	else
		return give_short(run, value, "s", out);
	return run_copy(run, text, strlen(text), out);
}

static int call_humanize_duration(
	struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	char unit[8];
	double value = 0;
	int rc = to_float(run, args, &value);
	(void)n;
	if (rc < 0)
		return rc;
	if (!isfinite(value))
		return give_short(run, value, "", out);
	if (value == 0)
		return give_short(run, value, "s", out);
	if (fabs(value) >= 1)
		return give_long(run, value, out);
	snprintf(unit, sizeof unit, "%ss", smaller[grow(&value)]);
	return give_short(run, value, unit, out);
}

static int call_humanize_percentage(
	struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	double value = 0;
	int rc = to_float(run, args, &value);
	(void)n;
	return rc < 0 ? rc : give_short(run, value * 100, "%", out);
}

static int to_time(struct run *run, double value, struct operand *out)
{
	char number[PROMQL_NUMBER_SIZE];
	if (!(fabs(value) < 9223372036.0)) {
		struct fw_buf text = {0};
		operand_print(&(struct operand){.kind = IS_FLOAT, .value = value}, &text);
		snprintf(number, sizeof number, "%s", (const char *)text.data);
		fw_buf_done(&text);
		return run_fail(run,
			"%s cannot be represented as a nanoseconds timestamp since it overflows int64",
			number);
	}
	*out = (struct operand){.kind = IS_TIME, .number = (int64_t)floor(value * 1000)};
	return 0;
}

static int call_humanize_timestamp(
	struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	double value = 0;
	struct operand time;
	struct fw_buf text = {0};
	int rc = to_float(run, args, &value);
	(void)n;
	if (rc == 0 && !isfinite(value))
		return give_short(run, value, "", out);
	if (rc == 0)
		rc = to_time(run, value, &time);
	if (rc < 0)
		return rc;
	operand_print(&time, &text);
	return run_text(run, &text, out);
}

static int call_to_time(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	double value = 0;
	int rc = to_float(run, args, &value);
	(void)n;
	*out = (struct operand){.kind = IS_NIL};
	return rc < 0 || !isfinite(value) ? rc : to_time(run, value, out);
}

static int call_parse_duration(
	struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	int64_t ms;
	(void)n;
	if (promql_duration(args->text, strlen(args->text), &ms) < 0)
		return run_fail(run, "not a valid duration string: \"%s\"", args->text);
	*out = (struct operand){.kind = IS_FLOAT, .value = (double)ms / 1000};
	return 0;
}

const struct template_function template_humanize[] = {
	{"humanize", ".", 1, 1, call_humanize},
	{"humanize1024", ".", 1, 1, call_humanize1024},
	{"humanizeDuration", ".", 1, 1, call_humanize_duration},
	{"humanizePercentage", ".", 1, 1, call_humanize_percentage},
	{"humanizeTimestamp", ".", 1, 1, call_humanize_timestamp},
	{"parseDuration", "s", 1, 1, call_parse_duration},
	{"toTime", ".", 1, 1, call_to_time},
	{0},
};
