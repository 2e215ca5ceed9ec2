/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expand.h"
#include "number.h"
#include "shim.h"
#include "template_tree.h"

static int give_text(struct run *run, const char *text, size_t length, struct operand *out)
{
	struct fw_buf copy = {0};
	fw_buf_append(&copy, text, length);
	return run_text(run, &copy, out);
}

static int give_bool(bool truth, struct operand *out)
{
	*out = (struct operand){.kind = IS_BOOL, .truth = truth};
	return 0;
}

/* ---- numbers for people ---- */

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
	return give_text(run, text, strlen(text), out);
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

/* ---- texts ---- */

static int give_mapped(struct run *run, const char *text, int (*map)(int c), struct operand *out)
{
	struct fw_buf made = {0};
	for (const char *c = text; *c; c++)
		fw_buf_putc(&made, (unsigned char)*c < 0x80 ? (char)map(*c) : *c);
	return run_text(run, &made, out);
}

static int call_to_upper(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)n;
	return give_mapped(run, args->text, toupper, out);
}

static int call_to_lower(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)n;
	return give_mapped(run, args->text, tolower, out);
}

static int call_title(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct fw_buf made = {0};
	bool begins = true;
	(void)n;
	for (const char *c = args->text; *c; c++) {
		bool is_letter = isalnum((unsigned char)*c) || *c == '_' || *c == '\'' ||
			(unsigned char)*c >= 0x80;
		fw_buf_putc(&made, begins && (unsigned char)*c < 0x80 ? (char)toupper(*c) : *c);
		begins = !is_letter;
	}
	return run_text(run, &made, out);
}

/* "host:port", "[host]:port": where the host is, as Go's net.SplitHostPort has it. */
static bool split_host(const char *text, const char **host, size_t *length, const char **port)
{
	const char *colon = strrchr(text, ':');
	if (!colon)
		return false;
	*port = colon + 1;
	*host = text;
	*length = (size_t)(colon - text);
	if (*text == '[') {
		const char *end = strchr(text, ']');
		if (!end || end + 1 != colon)
			return false;
		*host = text + 1;
		*length = (size_t)(end - text) - 1;
	} else if (memchr(text, ':', *length)) {
		return false;
	}
	return !memchr(*host, '[', *length) && !memchr(*host, ']', *length) &&
		!strpbrk(*port, "[]");
}

static int call_strip_port(
	struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	const char *host = args->text, *port;
	size_t length = 0;
	(void)n;
	if (!split_host(args->text, &host, &length, &port))
		length = strlen(host = args->text);
	return give_text(run, host, length, out);
}

static int call_strip_domain(
	struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	char address[64];
	struct in6_addr parsed;
	const char *host = args->text, *port = "";
	size_t length = 0;
	(void)n;
	if (!split_host(args->text, &host, &length, &port)) {
		length = strlen(host = args->text);
		port = "";
	}
	snprintf(address, sizeof address, "%.*s", (int)(length < 63 ? length : 63), host);
	if (inet_pton(AF_INET, address, &parsed) == 1 || inet_pton(AF_INET6, address, &parsed) == 1)
		return give_text(run, args->text, strlen(args->text), out);
	const char *dot = memchr(host, '.', length);
	struct fw_buf made = {0};
	fw_buf_append(&made, host, dot ? (size_t)(dot - host) : length);
	if (*port)
		fw_buf_printf(&made, ":%s", port);
	return run_text(run, &made, out);
}

static void put_query_escaped(const char *text, struct fw_buf *out)
{
	for (const char *c = text; *c; c++)
		if (isalnum((unsigned char)*c) || strchr("-_.~", *c))
			fw_buf_putc(out, *c);
		else if (*c == ' ')
			fw_buf_putc(out, '+');
		else
			fw_buf_printf(out, "%%%02X", (unsigned char)*c);
}

static int give_link(struct run *run, const char *expr, int tab, struct operand *out)
{
	struct fw_buf made = {0};
	fw_buf_puts(&made, "/graph?g0.expr=");
	put_query_escaped(expr, &made);
	fw_buf_printf(&made, "&g0.tab=%d", tab);
	return run_text(run, &made, out);
}

static int call_graph_link(
	struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)n;
	return give_link(run, args->text, 0, out);
}

static int call_table_link(
	struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)n;
	return give_link(run, args->text, 1, out);
}

static int call_external_url(
	struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	const char *url = run->data->external_url ? run->data->external_url : "";
	(void)args;
	(void)n;
	return give_text(run, url, strlen(url), out);
}

static int call_path_prefix(
	struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	const char *url = run->data->external_url ? run->data->external_url : "";
	const char *host = strstr(url, "://"), *path = host ? strchr(host + 3, '/') : NULL;
	(void)args;
	(void)n;
	return give_text(run, path ? path : "", path ? strlen(path) : 0, out);
}

static int call_safe_html(
	struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)run;
	(void)n;
	*out = args[0];
	return 0;
}

/* ---- expressions ---- */

static struct shim_regex *compile(struct run *run, const char *pattern)
{
	char why[128];
	struct shim_regex *regex = shim_regex_search_new(pattern, why, sizeof why);
	if (!regex)
		run_fail(run, "error parsing regexp: %s: `%s`", why, pattern);
	return regex;
}

static int call_match(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct shim_regex *regex = compile(run, args[0].text);
	int span[2];
	(void)n;
	if (!regex)
		return -EINVAL;
	give_bool(shim_regex_search(regex, args[1].text, 0, span, 1), out);
	shim_regex_free(regex);
	return 0;
}

static void replace_all(
	const struct shim_regex *regex, const char *with, const char *text, struct fw_buf *out)
{
	int spans[2 * SHIM_GROUPS];
	size_t length = strlen(text), at = 0;
	int last = -1; /* the end of the match before: an empty one may not stand there */
	out->limit = TEMPLATE_TEXT_LIMIT;
	while (at <= length && shim_regex_search(regex, text, at, spans, SHIM_GROUPS)) {
		size_t from = (size_t)spans[0], to = (size_t)spans[1];
		fw_buf_append(out, text + at, from - at);
		if (to > from || spans[0] != last)
			promql_expand(regex, with, text, spans, out);
		last = spans[1];
		at = to;
		if (to > from)
			continue;
		do {
			if (at < length)
				fw_buf_putc(out, text[at]);
			at++;
		} while (at < length && ((unsigned char)text[at] & 0xc0) == 0x80);
	}
	if (at < length)
		fw_buf_append(out, text + at, length - at);
}

static int call_re_replace_all(
	struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct fw_buf made = {0};
	struct shim_regex *regex = compile(run, args[0].text);
	(void)n;
	if (!regex)
		return -EINVAL;
	replace_all(regex, args[1].text, args[2].text, &made);
	shim_regex_free(regex);
	return run_text(run, &made, out);
}

/* ---- questions and their samples ---- */

static int call_query(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct template_sample *samples = NULL;
	struct fw_err err;
	(void)n;
	if (!run->data->ask)
		return run_fail(run, "there is nothing to ask");
	*out = (struct operand){.kind = IS_SAMPLES};
	if (run->data->ask(run->data->arg, args->text, run->arena, &samples, &out->n, &err) < 0)
		return run_fail(run, "%s", err.text);
	out->samples = samples;
	return 0;
}

static int call_first(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)n;
	if (args->n == 0)
		return run_fail(run, "first() called on vector with no elements");
	*out = (struct operand){.kind = IS_SAMPLE, .samples = args->samples};
	return 0;
}

static int call_label(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)run;
	(void)n;
	*out = (struct operand){
		.kind = IS_TEXT,
		.text = label_set_get(&args[1].samples->labels, args[0].text),
	};
	return 0;
}

static int call_strvalue(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)run;
	(void)n;
	*out = (struct operand){
		.kind = IS_TEXT,
		.text = label_set_get(&args->samples->labels, "__value__"),
	};
	return 0;
}

static int call_value(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)run;
	(void)n;
	*out = (struct operand){.kind = IS_FLOAT, .value = args->samples->value};
	return 0;
}

struct keyed {
	const char *key;
	const struct template_sample *sample;
};

static int by_key(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;
	int order = strcmp(x->key, y->key);
	return order ? order : (x->sample > y->sample) - (x->sample < y->sample);
}

static int call_sort_by_label(
	struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	size_t count = args[1].n;
	struct keyed *keyed = fw_arena_alloc(run->arena, (count + 1) * sizeof *keyed);
	struct template_sample *sorted = fw_arena_alloc(run->arena, (count + 1) * sizeof *sorted);
	(void)n;
	for (size_t i = 0; i < count; i++)
		keyed[i] = (struct keyed){label_set_get(&args[1].samples[i].labels, args[0].text),
			&args[1].samples[i]};
	qsort(keyed, count, sizeof *keyed, by_key);
	for (size_t i = 0; i < count; i++)
		sorted[i] = *keyed[i].sample;
	*out = (struct operand){.kind = IS_SAMPLES, .n = count, .samples = sorted};
	return 0;
}

static int call_args(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct operand *copy = fw_arena_alloc(run->arena, (n + 1) * sizeof *copy);
	for (size_t i = 0; i < n; i++)
		copy[i] = args[i];
	*out = (struct operand){.kind = IS_ARGS, .n = n, .args = copy};
	return 0;
}

/* ---- Go's own ---- */

static int call_not(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)run;
	(void)n;
	return give_bool(!operand_is_true(args), out);
}

static bool is_nothing(const struct operand *o)
{
	return o->kind == IS_NONE || o->kind == IS_NIL;
}

/* -1, 0, 1, or 2 where one is no number; of two of the same kind. */
static int compare(const struct operand *a, const struct operand *b)
{
	if (a->kind == IS_INT)
		return (a->number > b->number) - (a->number < b->number);
	if (a->kind == IS_TEXT) {
		int order = strcmp(a->text, b->text);
		return (order > 0) - (order < 0);
	}
	if (isnan(a->value) || isnan(b->value))
		return 2;
	return (a->value > b->value) - (a->value < b->value);
}

static int check_comparable(
	struct run *run, const struct operand *a, const struct operand *b, bool ordered)
{
	bool is_basic = a->kind == IS_INT || a->kind == IS_FLOAT || a->kind == IS_TEXT ||
		(!ordered && a->kind == IS_BOOL);
	if (!is_basic)
		return run_fail(run, "invalid type for comparison");
	if (a->kind != b->kind)
		return run_fail(run, "incompatible types for comparison");
	return 0;
}

static int equal(struct run *run, const struct operand *a, const struct operand *b, bool *truth)
{
	*truth = is_nothing(a) && is_nothing(b);
	if (is_nothing(a) || is_nothing(b))
		return 0;
	int rc = check_comparable(run, a, b, false);
	if (rc == 0)
		*truth = a->kind == IS_BOOL ? a->truth == b->truth : compare(a, b) == 0;
	return rc;
}

static int call_eq(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	bool truth = false;
	int rc = 0;
	for (size_t i = 1; i < n && rc == 0 && !truth; i++)
		rc = equal(run, &args[0], &args[i], &truth);
	return rc < 0 ? rc : give_bool(truth, out);
}

static int call_ne(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	bool truth = false;
	int rc = equal(run, &args[0], &args[1], &truth);
	(void)n;
	return rc < 0 ? rc : give_bool(!truth, out);
}

static int order(struct run *run, const struct operand *args, int *result)
{
	int rc = check_comparable(run, &args[0], &args[1], true);
	*result = rc < 0 ? 2 : compare(&args[0], &args[1]);
	return rc;
}

static int call_lt(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	int result, rc = order(run, args, &result);
	(void)n;
	return rc < 0 ? rc : give_bool(result == -1, out);
}

static int call_le(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	int result, rc = order(run, args, &result);
	(void)n;
	return rc < 0 ? rc : give_bool(result == -1 || result == 0, out);
}

/* As Go has it: not "<=", so that NaN is greater than anything. */
static int call_gt(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	int result, rc = order(run, args, &result);
	(void)n;
	return rc < 0 ? rc : give_bool(result == 1 || result == 2, out);
}

static int call_ge(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	int result, rc = order(run, args, &result);
	(void)n;
	return rc < 0 ? rc : give_bool(result != -1, out);
}

static int call_len(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	size_t length;
	(void)n;
	if (args->kind == IS_TEXT)
		length = strlen(args->text);
	else if (args->kind == IS_MAP)
		length = args->map->n;
	else if (args->kind == IS_ARGS || args->kind == IS_SAMPLES)
		length = args->n;
	else if (is_nothing(args))
		return run_fail(run, "len of nil pointer");
	else
		return run_fail(run, "len of type %s", operand_type(args));
	*out = (struct operand){.kind = IS_INT, .number = (int64_t)length};
	return 0;
}

static int index_position(
	struct run *run, const struct operand *index, size_t length, size_t *position)
{
	if (is_nothing(index))
		return run_fail(run, "cannot index slice/array with nil");
	if (index->kind != IS_INT)
		return run_fail(run, "cannot index slice/array with type %s", operand_type(index));
	if (index->number < 0 || (size_t)index->number >= length)
		return run_fail(run, "index out of range: %lld", (long long)index->number);
	*position = (size_t)index->number;
	return 0;
}

static int index_map(
	struct run *run, const struct operand *map, const struct operand *key, struct operand *out)
{
	if (is_nothing(key))
		return run_fail(run, "value is nil; should be of type string");
	if (key->kind != IS_TEXT)
		return run_fail(run, "value has type %s; should be string", operand_type(key));
	if (map->kind == IS_MAP) {
		*out = (struct operand){
			.kind = IS_TEXT, .text = label_set_get(map->map, key->text)};
		return 0;
	}
	*out = (struct operand){.kind = IS_NONE};
	for (size_t i = 0; i < map->n; i++) {
		char name[32];
		snprintf(name, sizeof name, "arg%zu", i);
		if (strcmp(name, key->text) == 0)
			*out = map->args[i];
	}
	return 0;
}

static int index_one(
	struct run *run, const struct operand *of, const struct operand *by, struct operand *out)
{
	size_t at;
	int rc;
	switch (of->kind) {
	case IS_MAP:
	case IS_ARGS:
		return index_map(run, of, by, out);
	case IS_SAMPLES:
		rc = index_position(run, by, of->n, &at);
		if (rc == 0)
			*out = (struct operand){.kind = IS_SAMPLE, .samples = of->samples + at};
		return rc;
	case IS_TEXT:
		rc = index_position(run, by, strlen(of->text), &at);
		if (rc == 0)
			*out = (struct operand){
				.kind = IS_INT, .number = (unsigned char)of->text[at]};
		return rc;
	case IS_NONE:
	case IS_NIL:
		return run_fail(run, "index of untyped nil");
	default:
		return run_fail(run, "can't index item of type %s", operand_type(of));
	}
}

static int call_index(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct operand at = args[0];
	int rc = 0;
	for (size_t i = 1; i < n && rc == 0; i++) {
		struct operand of = at;
		rc = index_one(run, &of, &args[i], &at);
	}
	*out = at;
	return rc;
}

static int call_slice(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	if (args->kind != IS_TEXT && args->kind != IS_SAMPLES)
		return run_fail(run, "can't slice item of type %s", operand_type(args));
	size_t length = args->kind == IS_TEXT ? strlen(args->text) : args->n;
	size_t ends[2] = {0, length};
	int rc = 0;
	for (size_t i = 1; i < n && rc == 0; i++)
		rc = index_position(run, &args[i], length + 1, &ends[i - 1]);
	if (rc == 0 && ends[0] > ends[1])
		rc = run_fail(run, "invalid slice index: %zu > %zu", ends[0], ends[1]);
	if (rc < 0)
		return rc;
	if (args->kind == IS_TEXT)
		return give_text(run, args->text + ends[0], ends[1] - ends[0], out);
	*out = (struct operand){
		.kind = IS_SAMPLES, .n = ends[1] - ends[0], .samples = args->samples + ends[0]};
	return 0;
}

/* A blank between two that are no texts. */
static void put_print(const struct operand *args, size_t n, struct fw_buf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (i && args[i - 1].kind != IS_TEXT && args[i].kind != IS_TEXT)
			fw_buf_putc(out, ' ');
		operand_print(&args[i], out);
	}
}

static int call_print(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct fw_buf made = {.limit = TEMPLATE_TEXT_LIMIT};
	put_print(args, n, &made);
	return run_text(run, &made, out);
}

static int call_println(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct fw_buf made = {.limit = TEMPLATE_TEXT_LIMIT};
	for (size_t i = 0; i < n; i++) {
		if (i)
			fw_buf_putc(&made, ' ');
		operand_print(&args[i], &made);
	}
	fw_buf_putc(&made, '\n');
	return run_text(run, &made, out);
}

static int call_printf(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct fw_buf made = {.limit = TEMPLATE_TEXT_LIMIT};
	template_printf(args[0].text, args + 1, n - 1, &made);
	return run_text(run, &made, out);
}

static int call_html(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct fw_buf plain = {.limit = TEMPLATE_TEXT_LIMIT}, made = {.limit = TEMPLATE_TEXT_LIMIT};
	put_print(args, n, &plain);
	for (size_t i = 0; i < plain.length; i++) {
		static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&#34;", "&#39;"};
		const char *special = strchr("&<>\"'", plain.data[i]);
		if (special && plain.data[i])
			fw_buf_puts(&made, names[special - strchr("&<>\"'", '&')]);
		else
			fw_buf_putc(&made, (char)plain.data[i]);
	}
	fw_buf_done(&plain);
	return run_text(run, &made, out);
}

static int call_js(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct fw_buf plain = {.limit = TEMPLATE_TEXT_LIMIT}, made = {.limit = TEMPLATE_TEXT_LIMIT};
	put_print(args, n, &plain);
	for (size_t i = 0; i < plain.length; i++) {
		char c = (char)plain.data[i];
		if (c == '\\' || c == '\'' || c == '"')
			fw_buf_printf(&made, "\\%c", c);
		else if ((unsigned char)c < ' ' || strchr("<>&=", c))
			fw_buf_printf(&made, "\\u%04X", (unsigned char)c);
		else
			fw_buf_putc(&made, c);
	}
	fw_buf_done(&plain);
	return run_text(run, &made, out);
}

static int call_urlquery(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct fw_buf plain = {.limit = TEMPLATE_TEXT_LIMIT}, made = {.limit = TEMPLATE_TEXT_LIMIT};
	put_print(args, n, &plain);
	put_query_escaped(plain.length ? (const char *)plain.data : "", &made);
	fw_buf_done(&plain);
	return run_text(run, &made, out);
}

static int call_call(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)n;
	(void)out;
	return run_fail(run, "non-function of type %s", operand_type(args));
}

/* ---- the table ---- */

/* Both end at the first argument that decides, which run.c knows. */
static int call_last(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)run;
	*out = args[n - 1];
	return 0;
}

static const struct template_function functions[] = {
	{"and", ".", 1, -1, call_last},
	{"args", ".", 0, -1, call_args},
	{"call", ".", 1, -1, call_call},
	{"eq", ".", 2, -1, call_eq},
	{"externalURL", "", 0, 0, call_external_url},
	{"first", "q", 1, 1, call_first},
	{"ge", ".", 2, 2, call_ge},
	{"graphLink", "s", 1, 1, call_graph_link},
	{"gt", ".", 2, 2, call_gt},
	{"html", ".", 0, -1, call_html},
	{"humanize", ".", 1, 1, call_humanize},
	{"humanize1024", ".", 1, 1, call_humanize1024},
	{"humanizeDuration", ".", 1, 1, call_humanize_duration},
	{"humanizePercentage", ".", 1, 1, call_humanize_percentage},
	{"humanizeTimestamp", ".", 1, 1, call_humanize_timestamp},
	{"index", ".", 1, -1, call_index},
	{"js", ".", 0, -1, call_js},
	{"label", "sp", 2, 2, call_label},
	{"le", ".", 2, 2, call_le},
	{"len", ".", 1, 1, call_len},
	{"lt", ".", 2, 2, call_lt},
	{"match", "ss", 2, 2, call_match},
	{"ne", ".", 2, 2, call_ne},
	{"not", ".", 1, 1, call_not},
	{"or", ".", 1, -1, call_last},
	{"parseDuration", "s", 1, 1, call_parse_duration},
	{"pathPrefix", "", 0, 0, call_path_prefix},
	{"print", ".", 0, -1, call_print},
	{"printf", "s.", 1, -1, call_printf},
	{"println", ".", 0, -1, call_println},
	{"query", "s", 1, 1, call_query},
	{"reReplaceAll", "sss", 3, 3, call_re_replace_all},
	{"safeHtml", "s", 1, 1, call_safe_html},
	{"slice", ".", 1, 3, call_slice},
	{"sortByLabel", "sq", 2, 2, call_sort_by_label},
	{"stripDomain", "s", 1, 1, call_strip_domain},
	{"stripPort", "s", 1, 1, call_strip_port},
	{"strvalue", "p", 1, 1, call_strvalue},
	{"tableLink", "s", 1, 1, call_table_link},
	{"title", "s", 1, 1, call_title},
	{"toLower", "s", 1, 1, call_to_lower},
	{"toTime", ".", 1, 1, call_to_time},
	{"toUpper", "s", 1, 1, call_to_upper},
	{"urlquery", ".", 0, -1, call_urlquery},
	{"value", "p", 1, 1, call_value},
};

const struct template_function *template_function_find(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
		if (strlen(functions[i].name) == length &&
			memcmp(functions[i].name, name, length) == 0)
			return &functions[i];
	return NULL;
}
