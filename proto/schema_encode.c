/* SPDX-License-Identifier: Apache-2.0 */
/* The Schema message is built in arrays as protobuf-c wants them. Symbols are
 * the sorted set of all texts, so that each is found again by bisection. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/wire.h>

#include "schema_private.h"

struct splice {
	uint32_t position, deleted, inserted;
};

struct writing {
	const struct fw_schema *schema;
	struct fw_arena arena;
	const struct fw_column **columns; /* those that go */
	uint32_t n_columns;
	struct splice *splices;
	size_t n_splices;
	const char **symbols;
	size_t n_symbols, n_labels;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t collect_texts(struct writing *w)
{
	size_t n = 0;
	for (uint32_t i = 0; i < w->n_columns; i++) {
		const struct fw_column *column = w->columns[i];
		w->symbols[n++] = column->name;
		for (unsigned l = 0; l < column->n_labels; l++) {
			w->symbols[n++] = column->labels[l].name;
			w->symbols[n++] = column->labels[l].value;
		}
	}
	return n;
}

static void make_symbols(struct writing *w)
{
	w->n_labels = 0;
	for (uint32_t i = 0; i < w->n_columns; i++)
		w->n_labels += w->columns[i]->n_labels;
	w->symbols =
		fw_arena_alloc(&w->arena, (w->n_columns + 2 * w->n_labels + 1) * sizeof(char *));
	size_t n = collect_texts(w);
	qsort(w->symbols, n, sizeof *w->symbols, by_text);
	w->n_symbols = 0;
	for (size_t i = 0; i < n; i++)
		if (i == 0 || strcmp(w->symbols[i], w->symbols[w->n_symbols - 1]) != 0)
			w->symbols[w->n_symbols++] = w->symbols[i];
}

static uint32_t symbol(const struct writing *w, const char *text)
{
	const char **found = bsearch(&text, w->symbols, w->n_symbols, sizeof *w->symbols, by_text);
	return (uint32_t)(found - w->symbols);
}

static void fill_columns(struct writing *w, Fenwatch__Wire__Schema *m)
{
	for (uint32_t i = 0; i < w->n_columns; i++) {
		const struct fw_column *column = w->columns[i];
		m->name[i] = symbol(w, column->name);
		m->n_labels[i] = column->n_labels;
		m->scale[i] = (int32_t)column->scale;
		m->factor[i] = column->factor;
		m->type.data[i] = column->type;
		for (unsigned l = 0; l < column->n_labels; l++) {
			m->label[m->n_label++] = symbol(w, column->labels[l].name);
			m->label[m->n_label++] = symbol(w, column->labels[l].value);
		}
	}
}

static void *array(struct writing *w, size_t count, size_t bytes)
{
	return fw_arena_alloc(&w->arena, (count + 1) * bytes);
}

static void make_columns(struct writing *w, Fenwatch__Wire__Schema *m)
{
	size_t n = w->n_columns;
	make_symbols(w);
	m->n_symbol = w->n_symbols;
	m->symbol = (char **)w->symbols;
	m->name = array(w, m->n_name = n, sizeof *m->name);
	m->n_labels = array(w, m->n_n_labels = n, sizeof *m->n_labels);
	m->scale = array(w, m->n_scale = n, sizeof *m->scale);
	m->factor = array(w, m->n_factor = n, sizeof *m->factor);
	m->type.data = array(w, m->type.len = n, 1);
	m->label = array(w, 2 * w->n_labels, sizeof *m->label);
	fill_columns(w, m);
}

static void make_splices(struct writing *w, Fenwatch__Wire__Schema *m)
{
	m->splice = array(w, 3 * w->n_splices, sizeof *m->splice);
	for (size_t i = 0; i < w->n_splices; i++) {
		m->splice[m->n_splice++] = w->splices[i].position;
		m->splice[m->n_splice++] = w->splices[i].deleted;
		m->splice[m->n_splice++] = w->splices[i].inserted;
	}
}

static void pack(struct writing *w, uint32_t id, const struct fw_schema *base, struct fw_buf *out)
{
	Fenwatch__Wire__Schema message = FENWATCH__WIRE__SCHEMA__INIT;
	message.hash = (ProtobufCBinaryData){FW_SCHEMA_HASH, (uint8_t *)w->schema->hash};
	message.id = id;
	make_columns(w, &message);
	if (base) {
		message.base_hash = (ProtobufCBinaryData){FW_SCHEMA_HASH, (uint8_t *)base->hash};
		make_splices(w, &message);
	}
	size_t length = protobuf_c_message_get_packed_size(&message.base);
	uint8_t *at = fw_buf_reserve(out, length);
	if (at)
		out->length += protobuf_c_message_pack(&message.base, at);
}

static void take_all(struct writing *w)
{
	w->n_columns = w->schema->n_columns;
	w->columns = array(w, w->n_columns, sizeof *w->columns);
	for (uint32_t i = 0; i < w->n_columns; i++)
		w->columns[i] = &w->schema->columns[i];
}

static int by_series(const void *a, const void *b)
{
	return schema_series_order(
		*(const struct fw_column *const *)a, *(const struct fw_column *const *)b);
}

/* The columns of a schema by series, to find one in another schema. */
static const struct fw_column **sort_columns(struct writing *w, const struct fw_schema *schema)
{
	const struct fw_column **sorted = array(w, schema->n_columns, sizeof *sorted);
	for (uint32_t i = 0; i < schema->n_columns; i++)
		sorted[i] = &schema->columns[i];
	qsort(sorted, schema->n_columns, sizeof *sorted, by_series);
	return sorted;
}

/* Where `column` stands in the base, or its number of columns when it does not. */
static uint32_t find(const struct fw_schema *base, const struct fw_column **sorted,
	const struct fw_column *column)
{
	const struct fw_column **found =
		bsearch(&column, sorted, base->n_columns, sizeof *sorted, by_series);
	if (!found || !fw_column_same(*found, column))
		return base->n_columns;
	return (uint32_t)(*found - base->columns);
}

/* Greedy: a column that stands further on in the base ends a splice there; any
 * other is inserted. Columns keep their order between sweeps, so this is near
 * the shortest. */
static void take_difference(struct writing *w, const struct fw_schema *base)
{
	const struct fw_column **sorted = sort_columns(w, base);
	struct splice splice = {0};
	uint32_t base_at = 0, n = w->schema->n_columns;
	w->splices = array(w, n + 1, sizeof *w->splices);
	w->columns = array(w, n, sizeof *w->columns);
	for (uint32_t i = 0; i < n; i++) {
		const struct fw_column *column = &w->schema->columns[i];
		uint32_t at = find(base, sorted, column);
		if (at < base_at || at == base->n_columns) {
			w->columns[w->n_columns++] = column;
			splice.inserted++;
			continue;
		}
		splice.deleted = at - base_at;
		if (splice.deleted || splice.inserted)
			w->splices[w->n_splices++] = splice;
		base_at = at + 1;
		splice = (struct splice){.position = base_at};
	}
	splice.deleted = base->n_columns - base_at;
	if (splice.deleted || splice.inserted)
		w->splices[w->n_splices++] = splice;
}

static void encode_difference(const struct fw_schema *schema, uint32_t id,
	const struct fw_schema *base, struct fw_buf *out)
{
	struct writing w = {.schema = schema};
	if (memcmp(schema->hash, base->hash, FW_SCHEMA_HASH) != 0)
		take_difference(&w, base);
	pack(&w, id, base, out);
	fw_arena_done(&w.arena);
}

void fw_schema_encode(const struct fw_schema *schema, uint32_t id, const struct fw_schema *base,
	struct fw_buf *out)
{
	struct writing w = {.schema = schema};
	struct fw_buf whole = {0}, difference = {0};
	assert(schema->n_columns > 0 && schema->n_columns <= FW_COLUMNS_LIMIT);
	take_all(&w);
	pack(&w, id, NULL, &whole);
	if (base)
		encode_difference(schema, id, base, &difference);
	const struct fw_buf *shorter =
		base && difference.length < whole.length ? &difference : &whole;
	fw_buf_append(out, shorter->data, shorter->length);
	fw_buf_done(&whole);
	fw_buf_done(&difference);
	fw_arena_done(&w.arena);
}
