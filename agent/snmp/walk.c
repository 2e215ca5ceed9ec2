/* SPDX-License-Identifier: Apache-2.0 */
#include "walk.h"

#include <stdlib.h>
#include <string.h>

#include "row.h"

#define BINDINGS_MOST 48 /* some 1,200 bytes */
#define SIDE_BY_SIDE 6
#define REPETITIONS_MOST 24

void walk_open(struct walk *w, const struct mib_module *module, bool bulk)
{
	*w = (struct walk){.module = module, .bulk = bulk, .bindings_most = BINDINGS_MOST};
	w->columns = fw_alloc_array(module->n_columns, sizeof *w->columns);
	for (unsigned i = 0; i < module->n_columns; i++)
		w->columns[i].last = module->columns[i].base;
}

void walk_done(struct walk *w)
{
	for (unsigned i = 0; w->columns && i < w->module->n_columns; i++)
		fw_free(w->columns[i].rows);
	fw_free(w->columns);
	fw_arena_done(&w->arena);
	*w = (struct walk){0};
}

/* ---- what to ask ---- */

static void end_column(struct walked *column, const char *why)
{
	column->done = true;
	column->ended = why;
}

/* Whether it has the `at`th row of another column; most have the same, in the same places. The
 * index of what is looked up may only begin that of a row. */
static bool has_row(const struct walked *column, const struct walked *other, size_t at)
{
	const struct row *row = &other->rows[at];
	const struct row *beside = at < column->n ? &column->rows[at] : NULL;
	if (beside && oid_compare(beside->index, beside->n, row->index, row->n) == 0)
		return true;
	return row_same(column, row) || row_below(column, row);
}

/* Whether other columns of its table have rows that `than` lacks; where they have none, it may. */
static bool may_lack_rows(const struct walk *w, unsigned than)
{
	bool has_others = false;
	for (unsigned k = 0; k < w->module->n_columns; k++) {
		const struct mib_column *of = &w->module->columns[k];
		const struct walked *other = &w->columns[k];
		if (of->table != w->module->columns[than].table || of->unless >= 0 || k == than)
			continue;
		has_others = has_others || other->n > 0;
		for (size_t i = 0; i < other->n; i++)
			if (!has_row(&w->columns[than], other, i))
				return true;
	}
	return !has_others;
}

static bool is_table_done(const struct walk *w, unsigned table)
{
	for (unsigned k = 0; k < w->module->n_columns; k++)
		if (w->module->columns[k].table == table && w->module->columns[k].unless < 0 &&
			!w->columns[k].done)
			return false;
	return true;
}

/* What stands in for another one waits for it, and is read where that has no rows or, once the
 * rest of its table is there, where it may lack some. */
static bool is_wanted(struct walk *w, unsigned i)
{
	const struct mib_column *column = &w->module->columns[i];
	const struct walked *other = column->unless < 0 ? NULL : &w->columns[column->unless];
	if (!other || w->columns[i].done || w->columns[i].n > 0)
		return !w->columns[i].done;
	if (!other->done || other->n == 0)
		return other->done;
	bool same = column->table > 0 && column->table == w->module->columns[column->unless].table;
	if (same && !is_table_done(w, column->table))
		return false;
	if (!same || !may_lack_rows(w, (unsigned)column->unless))
		end_column(&w->columns[i], NULL);
	return !w->columns[i].done;
}

static void choose(struct walk *w, bool scalars, unsigned most)
{
	w->n_group = 0;
	for (unsigned i = 0; i < w->module->n_columns && w->n_group < most; i++)
		if (w->module->columns[i].scalar == scalars && is_wanted(w, i))
			w->group[w->n_group++] = i;
}

const struct asking *walk_next(struct walk *w)
{
	unsigned most = w->bindings_most;
	choose(w, true, most < WALK_GROUP ? most : WALK_GROUP);
	bool scalars = w->n_group > 0;
	if (!scalars)
		choose(w, false, most < SIDE_BY_SIDE ? most : SIDE_BY_SIDE);
	if (w->n_group == 0)
		return NULL;
	unsigned rows = scalars ? 1 : most / w->n_group;
	w->asking.n = w->n_group;
	w->asking.repetitions = !w->bulk ? 0 : rows < REPETITIONS_MOST ? rows : REPETITIONS_MOST;
	for (unsigned i = 0; i < w->n_group; i++)
		w->asking.names[i] = &w->columns[w->group[i]].last;
	return &w->asking;
}

/* ---- what an answer adds ---- */

static void keep_text(struct walk *w, struct row *row, const uint8_t *bytes, size_t length)
{
	row->length = length < WALK_TEXT ? length : WALK_TEXT;
	char *text = fw_arena_alloc(&w->arena, row->length + 1);
	if (row->length > 0)
		memcpy(text, bytes, row->length);
	row->text = text;
}

static void keep_value(struct walk *w, struct row *row, const struct binding *binding)
{
	char text[OID_TEXT];
	row->kind = binding->kind;
	row->is_counter32 = binding->is_counter32;
	row->number = binding->number;
	row->real = binding->real;
	if (binding->kind == VALUE_TEXT)
		keep_text(w, row, binding->bytes, binding->length);
	if (binding->kind != VALUE_OID)
		return;
	oid_format(binding->oid.ids, binding->oid.n, text);
	keep_text(w, row, (const uint8_t *)text, strlen(text));
}

static void add_row(struct walk *w, unsigned i, const struct binding *binding)
{
	struct walked *column = &w->columns[i];
	uint32_t base = w->module->columns[i].base.n, n = binding->name.n - base;
	if (column->n == column->room) {
		column->room = column->room ? 2 * column->room : 8;
		column->rows = fw_realloc(column->rows, column->room * sizeof *column->rows);
	}
	uint32_t *index = fw_arena_alloc(&w->arena, n * sizeof *index);
	memcpy(index, binding->name.ids + base, n * sizeof *index);
	struct row *row = &column->rows[column->n++];
	*row = (struct row){.index = index, .n = n};
	keep_value(w, row, binding);
	column->last = binding->name;
}

static size_t rows_most(const struct walk *w)
{
	return w->module->n_documents ? WALK_TABLE_ROWS : WALK_ROWS;
}

static void take_binding(struct walk *w, unsigned i, const struct binding *binding)
{
	struct walked *column = &w->columns[i];
	const struct mib_column *what = &w->module->columns[i];
	const struct oid *name = &binding->name, *last = &column->last;
	if (column->done)
		return;
	if (binding->kind == VALUE_NONE || !oid_is_below(name, &what->base))
		end_column(column, NULL);
	else if (oid_compare(name->ids, name->n, last->ids, last->n) <= 0)
		end_column(column, "its OIDs do not ascend");
	else if (column->n == rows_most(w))
		end_column(column, "it has more rows than are allowed");
	else if (w->arena.used > WALK_BYTES)
		end_column(column, "its rows take more memory than is allowed");
	else
		add_row(w, i, binding);
	if (what->scalar)
		column->done = true;
}

/* In version 1 the first column that has ended is told as an error. */
static void take_error(struct walk *w, const struct answer *answer)
{
	unsigned at = answer->error_index;
	if (answer->error == ANSWER_TOO_BIG && w->bindings_most > 1) {
		w->bindings_most /= 2;
		return;
	}
	const char *why = answer->error == ANSWER_NO_SUCH_NAME ? NULL : "the device refuses it";
	for (unsigned i = 0; i < w->n_group; i++)
		if (at == 0 || at > w->n_group || i + 1 == at)
			end_column(&w->columns[w->group[i]], why);
}

void walk_take(struct walk *w, const struct answer *answer)
{
	if (answer->error != ANSWER_WELL) {
		take_error(w, answer);
		return;
	}
	for (size_t i = 0; i < answer->n; i++)
		take_binding(w, w->group[i % w->n_group], &answer->bindings[i]);
	for (unsigned i = 0; answer->n == 0 && i < w->n_group; i++)
		end_column(&w->columns[w->group[i]], "an answer was empty");
}

const char *walk_ended(const struct walk *w)
{
	for (unsigned i = 0; i < w->module->n_columns; i++)
		if (w->columns[i].ended)
			return w->columns[i].ended;
	return NULL;
}
