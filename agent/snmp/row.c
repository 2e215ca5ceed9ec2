/* SPDX-License-Identifier: Apache-2.0 */
#include "row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_index(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	return oid_compare(x->index, x->n, y->index, y->n);
}

const struct row *row_same(const struct walked *column, const struct row *row)
{
	return column->n == 0
		? NULL
		: bsearch(row, column->rows, column->n, sizeof *column->rows, by_index);
}

const struct row *row_look_up(const struct walked *column, const struct row *row)
{
	for (struct row key = *row; key.n > 0; key.n--) {
		const struct row *found = row_same(column, &key);
		if (found)
			return found;
	}
	return NULL;
}

const struct row *row_below(const struct walked *column, const struct row *row)
{
	size_t low = 0, high = column->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (by_index(&column->rows[middle], row) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	const struct row *found = low < column->n ? &column->rows[low] : NULL;
	return found && found->n > row->n &&
			oid_compare(found->index, row->n, row->index, row->n) == 0
		? found
		: NULL;
}

const char *row_text(const struct row *row, char text[ROW_TEXT_BYTES])
{
	if (row->kind == VALUE_INTEGER) {
		snprintf(text, ROW_TEXT_BYTES, "%lld", (long long)row->number);
		return text;
	}
	if (row->kind == VALUE_DOUBLE) {
		snprintf(text, ROW_TEXT_BYTES, "%.17g", row->real);
		return text;
	}
	if (!row->text || strlen(row->text) == row->length)
		return row->text ? row->text : "";
	size_t at = 0;
	for (size_t i = 0; i < row->length; i++)
		at += (size_t)snprintf(text + at, ROW_TEXT_BYTES - at,
			row->text[i] ? "%c" : "\\x00", row->text[i]);
	return text;
}
