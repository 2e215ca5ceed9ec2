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

static void add_row(struct sweep *sweep, const struct walk *w, const struct mib_column *column,
	const struct row *row)
{
	static char texts[MODULE_LABELS][ROW_TEXT_BYTES];
	const char *labels[2 * MODULE_LABELS + 1] = {0};
	int64_t cell;
	if (!number_of(column, row, &cell))
		return;
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

bool reading_add(struct sweep *sweep, const struct walk *w, unsigned *room)
{
	for (unsigned i = 0; i < w->module->n_columns; i++) {
		const struct mib_column *column = &w->module->columns[i];
		const struct walked *walked = &w->columns[i];
		for (size_t k = 0; !column->lookup && k < walked->n; k++) {
			if (!is_shown(w, column, &walked->rows[k]))
				continue;
			if (*room == 0)
				return false;
			add_row(sweep, w, column, &walked->rows[k]);
			--*room;
		}
	}
	return true;
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
