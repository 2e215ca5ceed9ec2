/* SPDX-License-Identifier: Apache-2.0 */
#include "print.h"

#include <string.h>

#include <fenwatch/batch.h>

static const char *const type_names[] = {
	[FW_GAUGE] = "gauge",
	[FW_COUNTER] = "counter",
	[FW_UNTYPED] = "untyped",
};

static void print_escaped(struct fw_buf *out, const char *text, bool quotes)
{
	for (; *text; text++) {
		if (*text == '\n')
			fw_buf_puts(out, "\\n");
		else if (*text == '\\' || (quotes && *text == '"'))
			fw_buf_printf(out, "\\%c", *text);
		else
			fw_buf_putc(out, *text);
	}
}

static void print_labels(struct fw_buf *out, const struct fw_column *column)
{
	for (uint16_t i = 0; i < column->n_labels; i++) {
		fw_buf_printf(out, "%s%s=\"", i ? "," : "{", column->labels[i].name);
		print_escaped(out, column->labels[i].value, true);
		fw_buf_putc(out, '"');
	}
	if (column->n_labels)
		fw_buf_putc(out, '}');
}

/* The value digit by digit, so that nothing is lost between the kernel and the
 * reader; a double only where the product does not fit. */
static void print_value(struct fw_buf *out, const struct fw_column *column, int64_t mantissa)
{
	int64_t product;
	if (column->type & FW_DOUBLE || mantissa == INT64_MIN || column->scale < 0 ||
		__builtin_mul_overflow(mantissa, (int64_t)column->factor, &product) ||
		product == INT64_MIN) {
		fw_buf_printf(out, "%.17g", fw_column_value(column, mantissa));
		return;
	}
	uint64_t unit = 1, magnitude = (uint64_t)(product < 0 ? -product : product);
	for (int i = 0; i < column->scale; i++)
		unit *= 10;
	fw_buf_printf(
		out, "%s%llu", product < 0 ? "-" : "", (unsigned long long)(magnitude / unit));
	uint64_t rest = magnitude % unit;
	if (rest == 0)
		return;
	fw_buf_printf(out, ".%0*llu", column->scale, (unsigned long long)rest);
	while (out->data[out->length - 1] == '0')
		out->data[--out->length] = '\0';
}

static void print_family(const struct sweep *s, uint32_t first, struct fw_buf *out)
{
	const struct fw_schema *schema = sweep_schema(s);
	const struct metric *metric = sweep_metric(s, first);
	const int64_t *cells = sweep_cells(s);
	fw_buf_printf(out, "# HELP %s ", metric->name);
	print_escaped(out, metric->help, false);
	fw_buf_printf(
		out, "\n# TYPE %s %s\n", metric->name, type_names[metric->type & FW_TYPE_MASK]);
	for (uint32_t i = first; i < schema->n_columns; i++) {
		if (sweep_metric(s, i) != metric || cells[i] == FW_ABSENT)
			continue;
		fw_buf_puts(out, metric->name);
		print_labels(out, &schema->columns[i]);
		fw_buf_putc(out, ' ');
		print_value(out, &schema->columns[i], cells[i]);
		fw_buf_putc(out, '\n');
	}
}

static bool is_first(const struct sweep *s, uint32_t column)
{
	for (uint32_t i = 0; i < column; i++)
		if (sweep_metric(s, i) == sweep_metric(s, column))
			return false;
	return true;
}

void print_sweep(const struct sweep *s, struct fw_buf *out)
{
	for (uint32_t i = 0; i < sweep_schema(s)->n_columns; i++)
		if (is_first(s, i))
			print_family(s, i, out);
}
