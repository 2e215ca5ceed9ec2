/* SPDX-License-Identifier: Apache-2.0 */
#include "reading.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "row.h"

enum { DURATION, WALK_DURATION, PDUS, SENT, RETRIED, ENDED };

static const struct metric metrics[] = {
	[DURATION] = {"snmp_scrape_duration_seconds", FW_GAUGE, "seconds",
		"How long the device took to be read.", 3, 1},
	[WALK_DURATION] = {"snmp_scrape_walk_duration_seconds", FW_GAUGE, "seconds",
		"How long its part for a module took.", 3, 1},
	[PDUS] = {"snmp_scrape_pdus_returned", FW_GAUGE, "", "Values that it gave.", 0, 1},
	[SENT] = {"snmp_scrape_packets_sent", FW_GAUGE, "",
		"Requests, with those that were repeated.", 0, 1},
	[RETRIED] = {"snmp_scrape_packets_retried", FW_GAUGE, "", "Requests that were repeated.", 0,
		1},
	[ENDED] = {"fenwatch_snmp_walk_ended", FW_GAUGE, "",
		"1: a part of the module could not be read to its end, for this reason.", 0, 1},
};

const struct metric *reading_metrics(size_t *n)
{
	*n = sizeof metrics / sizeof *metrics;
	return metrics;
}

/* ---- labels ---- */

static const char *mac_of(const struct row *row, char text[ROW_TEXT_BYTES])
{
	size_t at = 0;
	text[0] = '\0';
	for (size_t i = 0; i < row->length && row->text; i++)
		at += (size_t)snprintf(text + at, ROW_TEXT_BYTES - at, i ? ":%02X" : "%02X",
			(unsigned)(uint8_t)row->text[i]);
	return text;
}

static const char *enum_of(
	const struct mib_column *column, const struct row *row, char text[ROW_TEXT_BYTES])
{
	for (size_t i = 0; i < column->n_enums; i++)
		if (column->enums[i].number == row->number)
			return column->enums[i].name;
	return row_text(row, text);
}

static const char *self_of(
	const struct mib_column *column, const struct row *row, char text[ROW_TEXT_BYTES])
{
	switch (column->kind) {
	case MIB_MAC:
		return mac_of(row, text);
	case MIB_ENUM:
		return enum_of(column, row, text);
	default:
		return row_text(row, text);
	}
}

static const char *index_of(
	const struct mib_label *label, const struct row *row, char text[ROW_TEXT_BYTES])
{
	if (label->which >= row->n)
		return "";
	size_t n = label->rest ? row->n - label->which : 1;
	return oid_format(row->index + label->which, n, text);
}

static const char *value_of(const struct walk *w, const struct mib_column *column,
	const struct mib_label *label, const struct row *row, char text[ROW_TEXT_BYTES])
{
	const struct row *found;
	switch (label->from) {
	case LABEL_INDEX:
		return index_of(label, row, text);
	case LABEL_LOOKUP:
		found = row_look_up(&w->columns[label->which], row);
		return found ? row_text(found, text) : "";
	default:
		return self_of(column, row, text);
	}
}

/* ---- values ---- */

static bool number_of(const struct mib_column *column, const struct row *row, int64_t *cell)
{
	if (column->self) {
		*cell = 1;
		return true;
	}
	if (column->kind == MIB_FLOAT) {
		double real = row->kind == VALUE_DOUBLE ? row->real
			: row->kind == VALUE_INTEGER    ? (double)row->number
							: strtod(row->text, NULL);
		*cell = fw_double_cell(real);
		return isfinite(real);
	}
	bool whole = row->kind == VALUE_DOUBLE && fabs(row->real) < 9e18;
	*cell = whole ? (int64_t)row->real : row->number;
	return row->kind == VALUE_INTEGER || whole;
}

static const struct walked *find_walked(const struct walk *w, const char *oid, unsigned table)
{
	struct oid wanted;
	oid_parse(oid, &wanted);
	for (unsigned i = 0; i < w->module->n_columns; i++) {
		const struct mib_column *column = &w->module->columns[i];
		if (column->table == table &&
			oid_compare(column->base.ids, column->base.n, wanted.ids, wanted.n) == 0)
			return &w->columns[i];
	}
	return NULL;
}

int64_t reading_uptime_ms(const struct walk *w)
{
	const struct walked *uptime = find_walked(w, "1.3.6.1.2.1.1.3", 0);
	return uptime && uptime->n > 0 ? uptime->rows[0].number * 10 : -1;
}

/* ifCounterDiscontinuityTime, of IF-MIB, tells when a row was set back without its device. */
static int64_t carry(const struct walk *w, const struct mib_column *column, const struct row *row,
	struct wraps *wraps)
{
	static char name[2 * OID_TEXT];
	char index[OID_TEXT];
	if (wraps_is_low(wraps, (uint32_t)row->number))
		return row->number;
	const struct walked *times = find_walked(w, "1.3.6.1.2.1.31.1.1.1.19", column->table);
	const struct row *time = times ? row_same(times, row) : NULL;
	size_t length = strlen(oid_format(column->base.ids, column->base.n, name));
	snprintf(name + length, sizeof name - length, ".%s", oid_format(row->index, row->n, index));
	return wraps_carry(wraps, name, (uint32_t)row->number, time ? time->number : 0);
}

static void add_row(struct sweep *sweep, const struct walk *w, const struct mib_column *column,
	const struct row *row, struct wraps *wraps)
{
	static char texts[MODULE_LABELS][ROW_TEXT_BYTES];
	const char *labels[2 * MODULE_LABELS + 1] = {0};
	int64_t cell;
	if (!number_of(column, row, &cell))
		return;
	if (row->is_counter32 && column->kind == MIB_COUNTER)
		cell = carry(w, column, row, wraps);
	for (unsigned i = 0; i < column->n_labels; i++) {
		labels[2 * i] = column->labels[i].name;
		labels[2 * i + 1] = value_of(w, column, &column->labels[i], row, texts[i]);
	}
	sweep_add(sweep, &column->metric, cell, labels);
}

/* What stands in for another column does so only in rows where that has no value. */
static bool is_shown(const struct walk *w, const struct mib_column *column, const struct row *row)
{
	return column->unless < 0 || !row_same(&w->columns[column->unless], row);
}

/* ---- rows, as many as there is room for ---- */

/* Of each column, how many rows from its beginning. */
struct taking {
	const struct walk *walk;
	size_t rows[MODULE_COLUMNS];
};

/* The row of this column that comes next. NULL: there is none, or it is no series. */
static const struct row *row_at(const struct taking *t, unsigned table, unsigned i)
{
	const struct mib_column *column = &t->walk->module->columns[i];
	const struct walked *walked = &t->walk->columns[i];
	bool has_next = column->table == table && !column->lookup && t->rows[i] < walked->n;
	return has_next ? &walked->rows[t->rows[i]] : NULL;
}

static bool is_same_row(const struct row *a, const struct row *b)
{
	return oid_compare(a->index, a->n, b->index, b->n) == 0;
}

/* The first by its index of those that come next. */
static const struct row *first_row(const struct taking *t, unsigned table)
{
	const struct row *first = NULL, *row;
	for (unsigned i = 0; i < t->walk->module->n_columns; i++)
		if ((row = row_at(t, table, i)) &&
			(!first || oid_compare(row->index, row->n, first->index, first->n) < 0))
			first = row;
	return first;
}

static unsigned count_series(const struct taking *t, unsigned table, const struct row *of)
{
	unsigned n = 0;
	const struct row *row;
	for (unsigned i = 0; i < t->walk->module->n_columns; i++)
		if ((row = row_at(t, table, i)) && is_same_row(row, of))
			n += is_shown(t->walk, &t->walk->module->columns[i], row);
	return n;
}

/* False: there was no room for all. */
static bool take_table(struct taking *t, unsigned table, unsigned *room)
{
	const struct row *first, *row;
	while ((first = first_row(t, table))) {
		unsigned n = count_series(t, table, first);
		if (n > *room)
			return false;
		*room -= n;
		for (unsigned i = 0; i < t->walk->module->n_columns; i++)
			if ((row = row_at(t, table, i)) && is_same_row(row, first))
				t->rows[i]++;
	}
	return true;
}

bool reading_add(struct sweep *sweep, const struct walk *w, struct wraps *wraps, unsigned *room)
{
	struct taking t = {.walk = w};
	unsigned n = w->module->n_columns, last = n > 0 ? w->module->columns[n - 1].table : 0;
	bool all = true;
	for (unsigned table = 0; table <= last && all; table++)
		all = take_table(&t, table, room);
	for (unsigned i = 0; i < n; i++) {
		const struct mib_column *column = &w->module->columns[i];
		const struct row *rows = w->columns[i].rows;
		for (size_t k = 0; k < t.rows[i]; k++)
			if (is_shown(w, column, &rows[k]))
				add_row(sweep, w, column, &rows[k], wraps);
	}
	return all;
}

void reading_add_stat(
	struct sweep *sweep, const struct mib_module *module, const struct reading_stat *stat)
{
	const char *const *labels = SWEEP_LABELS("module", module->name);
	sweep_add(sweep, &metrics[WALK_DURATION], stat->took_ms, labels);
	sweep_add(sweep, &metrics[PDUS], (int64_t)stat->pdus, labels);
	sweep_add(sweep, &metrics[SENT], (int64_t)stat->sent, labels);
	sweep_add(sweep, &metrics[RETRIED], (int64_t)stat->retried, labels);
	if (stat->ended)
		sweep_add(sweep, &metrics[ENDED], 1,
			SWEEP_LABELS("module", module->name, "reason", stat->ended));
}

void reading_add_duration(struct sweep *sweep, int64_t took_ms)
{
	sweep_add_plain(sweep, &metrics[DURATION], took_ms);
}
