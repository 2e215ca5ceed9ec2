/* SPDX-License-Identifier: Apache-2.0 */
/* The canonical form, which the hash is taken over: the columns in order, each
 *
 *   name | varint number of labels | name, value of each | varint type |
 *   zigzag varint scale | varint factor
 *
 * with each text as a varint of its length and its bytes. */
#include <string.h>

#include <fenwatch/tls.h>

#include "schema_private.h"

static void put_text(struct fw_buf *out, const char *text)
{
	size_t length = strlen(text);
	fw_buf_put_varint(out, length);
	fw_buf_append(out, text, length);
}

static void put_canonical(struct fw_buf *out, const struct fw_column *column)
{
	put_text(out, column->name);
	fw_buf_put_varint(out, column->n_labels);
	for (unsigned i = 0; i < column->n_labels; i++) {
		put_text(out, column->labels[i].name);
		put_text(out, column->labels[i].value);
	}
	fw_buf_put_varint(out, column->type);
	fw_buf_put_varint(out, fw_zigzag(column->scale));
	fw_buf_put_varint(out, column->factor);
}

void fw_schema_seal(struct fw_schema *schema)
{
	struct fw_buf canonical = {0};
	uint8_t digest[32];
	for (uint32_t i = 0; i < schema->n_columns; i++)
		put_canonical(&canonical, &schema->columns[i]);
	fw_sha256(canonical.data, canonical.length, digest);
	memcpy(schema->hash, digest, FW_SCHEMA_HASH);
	fw_buf_done(&canonical);
}

static int labels_order(const struct fw_column *a, const struct fw_column *b)
{
	int order = 0;
	for (unsigned i = 0; order == 0 && i < a->n_labels && i < b->n_labels; i++) {
		order = strcmp(a->labels[i].name, b->labels[i].name);
		if (order == 0)
			order = strcmp(a->labels[i].value, b->labels[i].value);
	}
	return order ? order : a->n_labels - b->n_labels;
}

int schema_series_order(const struct fw_column *a, const struct fw_column *b)
{
	int order = strcmp(a->name, b->name);
	return order ? order : labels_order(a, b);
}

bool fw_column_same_labels(const struct fw_column *a, const struct fw_column *b)
{
	return labels_order(a, b) == 0;
}

bool fw_column_same(const struct fw_column *a, const struct fw_column *b)
{
	return a->scale == b->scale && a->type == b->type && a->factor == b->factor &&
		schema_series_order(a, b) == 0;
}

static double power_of_ten(int scale)
{
	static const double powers[FW_SCALE_LIMIT + 1] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7,
		1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};
	return powers[scale];
}

double fw_column_value(const struct fw_column *column, int64_t mantissa)
{
	if (mantissa == INT64_MIN || column->type & FW_DOUBLE)
		return fw_cell_double(mantissa);
	double value = (double)mantissa * column->factor;
	return column->scale < 0 ? value * power_of_ten(-column->scale)
				 : value / power_of_ten(column->scale);
}
