/* SPDX-License-Identifier: Apache-2.0 */
#include "memory.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "filter.h"
#include "node.h"
#include "value.h"

struct memory_series {
	int64_t *times_ms, *cells;
	size_t n, capacity;
};

/* ---- adding ---- */

static int64_t *grown(const int64_t *from, size_t n, size_t capacity)
{
	int64_t *to = fw_alloc_array(capacity, sizeof *to);
	if (n)
		memcpy(to, from, n * sizeof *to);
	return to;
}

static void make_room(struct memory_series *s)
{
	if (s->n < s->capacity)
		return;
	s->capacity = 2 * s->capacity + 16;
	int64_t *times_ms = grown(s->times_ms, s->n, s->capacity);
	int64_t *cells = grown(s->cells, s->n, s->capacity);
	fw_free(s->times_ms);
	fw_free(s->cells);
	s->times_ms = times_ms;
	s->cells = cells;
}

static void put(struct memory_series *s, int64_t at_ms, double value)
{
	size_t at = s->n;
	while (at > 0 && s->times_ms[at - 1] > at_ms)
		at--;
	bool is_there = at > 0 && s->times_ms[at - 1] == at_ms;
	if (!is_there) {
		make_room(s);
		memmove(s->times_ms + at + 1, s->times_ms + at, (s->n - at) * sizeof *s->times_ms);
		memmove(s->cells + at + 1, s->cells + at, (s->n - at) * sizeof *s->cells);
		s->n++;
	}
	at -= is_there;
	s->times_ms[at] = at_ms;
	s->cells[at] = fw_double_cell(value);
}

static struct memory_series *series_of(
	struct promql_memory *memory, const struct fw_label *labels, size_t n)
{
	memory->table.arena = &memory->arena;
	size_t number = label_table_find(&memory->table, labels, n);
	if (number != LABEL_TABLE_NONE)
		return &memory->series[number];
	struct fw_label *kept = labels_copy(labels, n, &memory->arena);
	for (size_t i = 0; i < n; i++) {
		kept[i].name = fw_arena_strdup(&memory->arena, labels[i].name);
		kept[i].value = fw_arena_strdup(&memory->arena, labels[i].value);
	}
	number = label_table_put(&memory->table, kept, n);
	if (number == memory->capacity) {
		memory->capacity = 2 * memory->capacity + 16;
		memory->series =
			fw_realloc(memory->series, memory->capacity * sizeof *memory->series);
	}
	memory->series[number] = (struct memory_series){0};
	return &memory->series[number];
}

void promql_memory_add(struct promql_memory *memory, const struct fw_label *labels, size_t n_labels,
	int64_t at_ms, double value)
{
	put(series_of(memory, labels, n_labels), at_ms, value);
}

/* ---- notation ---- */

struct line {
	const char *at;
	struct memory_series *series;
	int64_t at_ms, step_ms;
	size_t n;
	struct fw_err *err;
};

/* A word of its own: "Infx2" is another. */
static bool cut_word(
	struct line *line, const char *word, int (*compare)(const char *, const char *, size_t))
{
	size_t length = strlen(word);
	unsigned char behind =
		compare(line->at, word, length) == 0 ? (unsigned char)line->at[length] : 'x';
	if (isalnum(behind) || behind == '_' || behind == ':')
		return false;
	line->at += length;
	return true;
}

static void skip_digits(struct line *line)
{
	while (isdigit((unsigned char)*line->at))
		line->at++;
}

/* Decimal only: "0x5" is six zeroes, not a number to base sixteen. */
static bool skip_number(struct line *line)
{
	const char *digits = line->at;
	skip_digits(line);
	if (*line->at == '.' && line->at++)
		skip_digits(line);
	if (line->at == digits)
		return false;
	const char *mantissa_end = line->at;
	if (tolower((unsigned char)*line->at) == 'e') {
		line->at++;
		line->at += *line->at == '-' || *line->at == '+';
		if (!isdigit((unsigned char)*line->at))
			line->at = mantissa_end;
		skip_digits(line);
	}
	return true;
}

/* Of digits behind a zero, as Go and so promtool have it: "010" is eight, "08" no octal number. */
static bool is_octal(const char *digits)
{
	return digits[0] == '0' && digits[1] && !digits[strspn(digits, "01234567")];
}

static bool cut_number(struct line *line, double *value)
{
	const char *start = line->at;
	line->at += *line->at == '-' || *line->at == '+';
	if (!cut_word(line, "inf", strncasecmp) && !cut_word(line, "nan", strncasecmp) &&
		!skip_number(line))
		return false;
	char text[64] = {0};
	size_t length = (size_t)(line->at - start);
	if (length >= sizeof text)
		return false;
	memcpy(text, start, length);
	const bool negative = *text == '-';
	const char *digits = text + (negative || *text == '+');
	errno = 0;
	if (is_octal(digits))
		*value = (negative ? -1 : 1) * (double)strtoull(digits, NULL, 8);
	else
		*value = strtod(text, NULL);
	return errno != ERANGE || fabs(*value) < 1; /* what is too small is zero */
}

static bool cut_times(struct line *line, size_t *times)
{
	*times = 0;
	if (*line->at != 'x')
		return true;
	const char *digits = ++line->at;
	while (isdigit((unsigned char)*line->at) && *times <= PROMQL_MEMORY_SAMPLES)
		*times = *times * 10 + (size_t)(*line->at++ - '0');
	return line->at > digits && *times <= PROMQL_MEMORY_SAMPLES;
}

static int refuse(const struct line *line, const char *why)
{
	return fw_fail(line->err, -EINVAL, "%s at \"%.40s\"", why, line->at);
}

static int put_samples(struct line *line, size_t n, bool is_there, double value, double change)
{
	if (line->n + n > PROMQL_MEMORY_SAMPLES)
		return refuse(line, "too many samples");
	for (size_t i = 0; i < n; i++, line->n++, value += change) {
		if (is_there)
			put(line->series, line->at_ms, value);
		line->at_ms += line->step_ms;
	}
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* A line end may stand behind the last value alone. */
static bool is_over(const struct line *line)
{
	return !line->at[strspn(line->at, " \t\r\n")];
}

static int read_item(struct line *line)
{
	double value = promql_absent(), change = 0;
	size_t times;
	bool is_gap = *line->at == '_' && line->at++;
	if (!is_gap && cut_word(line, "stale", strncmp))
		return put_samples(line, 1, true, value, -0.0);
	if (!is_gap && !cut_number(line, &value))
		return refuse(line, "not a value");
	bool changes = !is_gap && (*line->at == '+' || *line->at == '-');
	if (changes && (!cut_number(line, &change) || *line->at != 'x'))
		return refuse(line, "not a change and how often");
	bool repeats = *line->at == 'x';
	if (!cut_times(line, &times))
		return refuse(line, "not a number of times");
	if (*line->at && !is_blank(*line->at) && !is_over(line))
		return refuse(line, "not a value");
	return put_samples(line, is_gap && repeats ? times : times + 1, !is_gap, value,
		changes ? change : -0.0);
}

static int read_labels(struct promql_memory *memory, const char *text, struct fw_label **out,
	size_t *n, struct fw_err *err)
{
	struct node *node;
	int rc = promql_parse_selector(text, &memory->arena, &node, err);
	if (rc < 0)
		return rc;
	struct fw_label *labels =
		fw_arena_alloc(&memory->arena, (node->selector.n_matchers + 1) * sizeof *labels);
	*n = 0;
	for (size_t i = 0; i < node->selector.n_matchers; i++) {
		const struct matcher *m = &node->selector.matchers[i];
		if (m->kind != MATCHER_EQUAL)
			return fw_fail(err, -EINVAL, "not the labels of a series: %s", text);
		if (*fw_label_value(labels, *n, m->name))
			return fw_fail(err, -EINVAL, "label name \"%s\" is not unique", m->name);
		*n = labels_put(labels, *n, m->name, m->value);
	}
	*out = labels;
	return 0;
}

int promql_memory_load(struct promql_memory *memory, const char *labels, const char *values,
	int64_t start_ms, int64_t step_ms, struct fw_err *err)
{
	struct fw_label *list;
	size_t n;
	int rc = read_labels(memory, labels, &list, &n, err);
	struct line line = {.at = values, .at_ms = start_ms, .step_ms = step_ms, .err = err};
	if (rc == 0)
		line.series = series_of(memory, list, n);
	while (rc == 0 && !is_over(&line)) {
		line.at += strspn(line.at, " \t");
		rc = read_item(&line);
	}
	return rc < 0 ? rc : 0;
}

/* ---- asking ---- */

static int hand_over(const struct memory_series *s, const struct label_entry *entry,
	const struct promql_selection *selection, const struct promql_select_to *to)
{
	static const struct fw_column column = {.factor = 1, .type = FW_UNTYPED | FW_DOUBLE};
	size_t first = 0, end = s->n;
	while (first < end && s->times_ms[first] < selection->from_ms)
		first++;
	while (end > first && s->times_ms[end - 1] > selection->to_ms)
		end--;
	if (first == end)
		return 0;
	return to->on_series(to->arg,
		&(struct promql_samples){
			.labels = entry->labels,
			.n_labels = entry->n_labels,
			.column = &column,
			.times_ms = s->times_ms + first,
			.cells = s->cells + first,
			.n = end - first,
		});
}

static int select_series(const struct promql_data *data, const struct promql_selection *selection,
	const struct promql_select_to *to, struct fw_err *err)
{
	const struct promql_memory *memory = data->arg;
	struct filter filter;
	int rc = filter_init(&filter, selection->matchers, selection->n_matchers, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < memory->table.n && rc >= 0; i++) {
		const struct label_entry *entry = &memory->table.entries[i];
		if (filter_takes(&filter, entry->labels, entry->n_labels))
			rc = hand_over(&memory->series[i], entry, selection, to);
	}
	filter_done(&filter);
	return rc;
}

struct promql_data promql_memory_data(struct promql_memory *memory)
{
	return (struct promql_data){select_series, memory};
}

void promql_memory_done(struct promql_memory *memory)
{
	for (size_t i = 0; i < memory->table.n; i++) {
		fw_free(memory->series[i].times_ms);
		fw_free(memory->series[i].cells);
	}
	fw_free(memory->series);
	fw_arena_done(&memory->arena);
	*memory = (struct promql_memory){0};
}
