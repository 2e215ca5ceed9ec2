/* SPDX-License-Identifier: Apache-2.0 */
#include "sweep.h"

#include <assert.h>
#include <string.h>

#include <fenwatch/log.h>
#include <fenwatch/mem.h>
#include <fenwatch/wire.h>

/* The schema's columns come first in `series` and `cells`, what is new behind
 * them. `slots` finds both by hash (index + 1; 0 is free) when a sample is not
 * the one expected next. */
struct series {
	const struct metric *metric;
	const struct fw_label *labels;
	uint32_t before; /* new ones: the column it came before */
	uint16_t n_labels;
	uint8_t missed; /* sweeps in a row without it */
};

/* Names and values of labels in a schema: with it the longest fits a frame. */
#define TEXT_LIMIT (384u << 10)
#define TEXT_COST 4 /* of one, besides its characters */

/* A metric that a file named. */
struct named {
	struct named *next;
	struct metric metric;
	char text[]; /* name and help */
};
#define NAMED_LIMIT 2000

struct sweep {
	int64_t at_ms;
	struct fw_schema schema;
	struct fw_arena arena; /* columns, labels and their text */
	size_t text;           /* bytes of it that are not its neighbour's */
	struct named *named;
	uint32_t n_named;
	struct series *series;
	int64_t *cells;
	uint32_t n_columns, n_series, capacity;
	uint32_t next; /* the column expected next */
	uint16_t *slots;
	uint32_t n_slots;
};

static_assert(FW_COLUMNS_LIMIT < UINT16_MAX, "a slot holds an index + 1");

struct sweep *sweep_new(void)
{
	struct sweep *s = fw_alloc(sizeof *s);
	fw_schema_seal(&s->schema);
	return s;
}

void sweep_free(struct sweep *s)
{
	if (!s)
		return;
	for (struct named *named = s->named, *next; named; named = next) {
		next = named->next;
		fw_free(named);
	}
	fw_arena_done(&s->arena);
	fw_free(s->series);
	fw_free(s->cells);
	fw_free(s->slots);
	fw_free(s);
}

const struct metric *sweep_metric_named(
	struct sweep *s, const char *name, enum fw_metric_type type, const char *help)
{
	for (const struct named *is = s->named; is; is = is->next)
		if (strcmp(is->metric.name, name) == 0)
			return &is->metric;
	if (s->n_named >= NAMED_LIMIT)
		return NULL;
	size_t name_size = strlen(name) + 1, help_size = strlen(help) + 1;
	struct named *named = fw_alloc(sizeof *named + name_size + help_size);
	memcpy(named->text, name, name_size);
	memcpy(named->text + name_size, help, help_size);
	named->metric = (struct metric){
		.name = named->text,
		.type = (enum fw_metric_type)((int)type | FW_DOUBLE),
		.unit = "",
		.help = named->text + name_size,
		.factor = 1,
	};
	named->next = s->named;
	s->named = named;
	s->n_named++;
	return &named->metric;
}

void sweep_begin(struct sweep *s, int64_t at_ms)
{
	s->at_ms = at_ms;
	s->next = 0;
	for (uint32_t i = 0; i < s->n_columns; i++)
		s->cells[i] = FW_ABSENT;
}

static bool is_series(
	const struct series *is, const struct metric *metric, const char *const *labels)
{
	if (is->metric != metric)
		return false;
	const struct fw_label *label = is->labels, *end = label + is->n_labels;
	for (; labels[0]; labels += 2) {
		if (labels[1][0] == '\0')
			continue;
		if (label == end || strcmp(label->value, labels[1]) != 0 ||
			strcmp(label->name, labels[0]) != 0)
			return false;
		label++;
	}
	return label == end;
}

static uint32_t hash_text(uint32_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 16777619u;
	return (hash ^ 0xff) * 16777619u;
}

static uint32_t hash_series(const struct metric *metric, const char *const *labels)
{
	uint32_t hash = hash_text(2166136261u, metric->name);
	for (; labels[0]; labels += 2) {
		if (labels[1][0] != '\0')
			hash = hash_text(hash_text(hash, labels[0]), labels[1]);
	}
	return hash;
}

static uint32_t hash_of(const struct series *is)
{
	uint32_t hash = hash_text(2166136261u, is->metric->name);
	for (uint16_t i = 0; i < is->n_labels; i++)
		hash = hash_text(hash_text(hash, is->labels[i].name), is->labels[i].value);
	return hash;
}

/* The slot that holds the series, or the free one where it belongs. */
static uint16_t *find_slot(
	struct sweep *s, uint32_t hash, const struct metric *metric, const char *const *labels)
{
	uint32_t mask = s->n_slots - 1;
	for (uint32_t at = hash & mask;; at = (at + 1) & mask) {
		uint16_t *slot = &s->slots[at];
		if (*slot == 0 || is_series(&s->series[*slot - 1], metric, labels))
			return slot;
	}
}

static void index_series(struct sweep *s, uint32_t i)
{
	uint32_t mask = s->n_slots - 1, at = hash_of(&s->series[i]) & mask;
	while (s->slots[at] != 0)
		at = (at + 1) & mask;
	s->slots[at] = (uint16_t)(i + 1);
}

/* Keeps at least half of the slots free. */
static void index_all(struct sweep *s, uint32_t n_slots)
{
	fw_free(s->slots);
	s->slots = fw_alloc_array(n_slots, sizeof *s->slots);
	s->n_slots = n_slots;
	for (uint32_t i = 0; i < s->n_series; i++)
		index_series(s, i);
}

static uint32_t slots_for(uint32_t n_series)
{
	uint32_t n = 64;
	while (n < 2 * n_series)
		n *= 2;
	return n;
}

static void make_room(struct sweep *s)
{
	if (s->n_series < s->capacity)
		return;
	uint32_t capacity = s->capacity + s->capacity / 2 + 16;
	s->series = fw_realloc(s->series, capacity * sizeof *s->series);
	s->cells = fw_realloc(s->cells, capacity * sizeof *s->cells);
	s->capacity = capacity;
}

/* Neighbours share most of their labels: what the series before has is used
 * again rather than copied. */
static const char *keep_text(struct sweep *s, const char *text, const char *before)
{
	if (before && strcmp(before, text) == 0)
		return before;
	s->text += strlen(text) + TEXT_COST;
	return fw_arena_strdup(&s->arena, text);
}

static void keep_labels(
	struct sweep *s, struct series *is, const char *const *labels, const struct series *before)
{
	uint16_t n = 0;
	for (const char *const *at = labels; at[0]; at += 2) {
		assert(at == labels || strcmp(at[-2], at[0]) < 0);
		n = (uint16_t)(n + (at[1][0] != '\0'));
	}
	assert(n <= FW_LABELS_LIMIT);
	struct fw_label *kept = fw_arena_alloc(&s->arena, n * sizeof *kept);
	is->labels = kept;
	is->n_labels = n;
	for (uint16_t i = 0; labels[0]; labels += 2) {
		if (labels[1][0] == '\0')
			continue;
		const struct fw_label *like =
			before && i < before->n_labels ? &before->labels[i] : NULL;
		kept[i].name = keep_text(s, labels[0], like ? like->name : NULL);
		kept[i].value = keep_text(s, labels[1], like ? like->value : NULL);
		i++;
	}
}

static void add_new(struct sweep *s, uint32_t hash, const struct metric *metric, int64_t mantissa,
	const char *const *labels)
{
	if (s->n_series >= FW_COLUMNS_LIMIT || s->text >= TEXT_LIMIT)
		return;
	make_room(s);
	struct series *is = &s->series[s->n_series];
	*is = (struct series){.metric = metric, .before = s->next};
	keep_labels(s, is, labels, s->n_series > s->n_columns ? is - 1 : NULL);
	s->cells[s->n_series++] = mantissa;
	if (2 * s->n_series > s->n_slots)
		index_all(s, slots_for(s->n_series));
	else
		*find_slot(s, hash, metric, labels) = (uint16_t)s->n_series;
}

static bool is_clean(const char *text)
{
	size_t length = strlen(text);
	return length <= FW_SYMBOL_LIMIT && fw_wire_text_valid(text, length);
}

/* A series that is not the one expected. */
static void add_searched(
	struct sweep *s, const struct metric *metric, int64_t mantissa, const char *const *labels)
{
	uint32_t hash = hash_series(metric, labels);
	uint16_t found = s->n_slots ? *find_slot(s, hash, metric, labels) : 0;
	if (found == 0) {
		add_new(s, hash, metric, mantissa, labels);
		return;
	}
	uint32_t i = found - 1u;
	if (i < s->n_columns && s->cells[i] == FW_ABSENT) {
		s->cells[i] = mantissa;
		s->next = i + 1;
	}
}

/* As before, with every value that the wire would refuse escaped or cut. */
static void add_cleaned(
	struct sweep *s, const struct metric *metric, int64_t mantissa, const char *const *labels)
{
	struct fw_arena text = {0};
	const char *clean[2 * FW_LABELS_LIMIT + 1] = {0};
	for (size_t i = 0; labels[i]; i += 2) {
		assert(i < 2 * FW_LABELS_LIMIT);
		char *out = fw_arena_alloc(&text, FW_SYMBOL_LIMIT + 1);
		clean[i] = labels[i];
		clean[i + 1] = is_clean(labels[i + 1])
			? labels[i + 1]
			: fw_escape(labels[i + 1], out, FW_SYMBOL_LIMIT + 1);
	}
	add_searched(s, metric, mantissa, clean);
	fw_arena_done(&text);
}

void sweep_add(
	struct sweep *s, const struct metric *metric, int64_t mantissa, const char *const *labels)
{
	if (s->next < s->n_columns && is_series(&s->series[s->next], metric, labels) &&
		s->cells[s->next] == FW_ABSENT) {
		s->cells[s->next++] = mantissa;
		return;
	}
	bool clean = true;
	for (const char *const *at = labels; at[0]; at += 2)
		clean = clean && is_clean(at[1]);
	if (clean)
		add_searched(s, metric, mantissa, labels);
	else
		add_cleaned(s, metric, mantissa, labels);
}

/* A new arena, so that what has gone takes no memory. */
static void keep_series(struct sweep *to, const struct sweep *from, uint32_t i)
{
	const struct series *old = &from->series[i];
	const char *labels[2 * FW_LABELS_LIMIT + 1] = {0};
	for (uint16_t l = 0; l < old->n_labels; l++) {
		labels[2 * l] = old->labels[l].name;
		labels[2 * l + 1] = old->labels[l].value;
	}
	struct series *is = &to->series[to->n_series];
	*is = (struct series){.metric = old->metric, .missed = old->missed};
	keep_labels(to, is, labels, to->n_series ? is - 1 : NULL);
	to->cells[to->n_series++] = from->cells[i];
}

/* Columns keep their order and new series stand where they came, so that the
 * next sweep meets all of them in order. */
static void merge(struct sweep *to, const struct sweep *from)
{
	uint32_t fresh = from->n_columns;
	for (uint32_t i = 0; i < from->n_columns; i++) {
		while (fresh < from->n_series && from->series[fresh].before <= i)
			keep_series(to, from, fresh++);
		if (from->series[i].missed < SWEEP_PATIENCE)
			keep_series(to, from, i);
	}
	while (fresh < from->n_series)
		keep_series(to, from, fresh++);
}

static void make_schema(struct sweep *s)
{
	struct fw_column *columns = fw_arena_alloc(&s->arena, s->n_series * sizeof *columns);
	for (uint32_t i = 0; i < s->n_series; i++) {
		const struct metric *metric = s->series[i].metric;
		columns[i] = (struct fw_column){
			.name = metric->name,
			.labels = s->series[i].labels,
			.n_labels = s->series[i].n_labels,
			.scale = metric->scale,
			.type = (uint8_t)metric->type,
			.factor = metric->factor ? metric->factor : 1,
		};
	}
	s->n_columns = s->n_series;
	s->schema.columns = columns;
	s->schema.n_columns = s->n_columns;
	fw_schema_seal(&s->schema);
}

static void rebuild(struct sweep *s)
{
	struct sweep new = {.at_ms = s->at_ms,
		.capacity = s->n_series,
		.named = s->named,
		.n_named = s->n_named};
	new.series = fw_alloc_array(s->n_series, sizeof *new.series);
	new.cells = fw_alloc_array(s->n_series, sizeof *new.cells);
	merge(&new, s);
	fw_arena_done(&s->arena);
	fw_free(s->series);
	fw_free(s->cells);
	fw_free(s->slots);
	*s = new;
	make_schema(s);
	index_all(s, slots_for(s->n_series));
}

bool sweep_end(struct sweep *s)
{
	bool stale = s->n_series > s->n_columns;
	for (uint32_t i = 0; i < s->n_columns; i++) {
		struct series *is = &s->series[i];
		is->missed = s->cells[i] == FW_ABSENT ? (uint8_t)(is->missed + 1) : 0;
		stale = stale || is->missed >= SWEEP_PATIENCE;
	}
	if (stale)
		rebuild(s);
	return stale;
}

const struct fw_schema *sweep_schema(const struct sweep *s)
{
	return &s->schema;
}

const int64_t *sweep_cells(const struct sweep *s)
{
	return s->cells;
}

int64_t sweep_at_ms(const struct sweep *s)
{
	return s->at_ms;
}

const struct metric *sweep_metric(const struct sweep *s, uint32_t column)
{
	return s->series[column].metric;
}
