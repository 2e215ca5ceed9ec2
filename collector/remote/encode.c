/* SPDX-License-Identifier: Apache-2.0 */
#include "encode.h"

#include <string.h>

#include <fenwatch/batch.h>
#include <fenwatch/crc.h>
#include <fenwatch/mem.h>

#include "labels.h"
#include "message.h"
#include "send.h"

#define LABELS_MOST (2 * FW_LABELS_LIMIT + 1 + SEND_EXTERNAL)
#define FIRST_SLOTS 1024

/* ---- symbols ---- */

static struct symbol_slot *slot_of(const struct encoder *e, const char *text)
{
	size_t at = fw_crc32c(0, text, strlen(text)) & (e->n_slots - 1);
	while (e->slots[at].text && strcmp(e->slots[at].text, text) != 0)
		at = (at + 1) & (e->n_slots - 1);
	return &e->slots[at];
}

static void grow(struct encoder *e)
{
	struct symbol_slot *old = e->slots;
	size_t n = e->n_slots;
	e->n_slots = n ? 2 * n : FIRST_SLOTS;
	e->slots = fw_alloc_array(e->n_slots, sizeof *e->slots);
	for (size_t i = 0; i < n; i++)
		if (old[i].text)
			*slot_of(e, old[i].text) = old[i];
	fw_free(old);
}

static uint32_t ref_of(struct encoder *e, const char *text)
{
	if (2 * e->n_symbols >= e->n_slots)
		grow(e);
	struct symbol_slot *slot = slot_of(e, text);
	if (!slot->text) {
		*slot = (struct symbol_slot){text, (uint32_t)e->n_symbols++};
		message_put_bytes(&e->symbols, 4, text, strlen(text));
	}
	return slot->ref;
}

/* ---- series ---- */

static bool has_label(const struct fw_label *labels, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(labels[i].name, name) == 0)
			return true;
	return false;
}

static size_t list_labels(const struct encoder *e, const struct store_followed *sweeps,
	const struct fw_column *column, struct fw_label labels[LABELS_MOST])
{
	size_t n = 0;
	labels[n++] = (struct fw_label){"__name__", column->name};
	for (size_t i = 0; i < sweeps->n_host_labels; i++)
		if (!has_label(column->labels, column->n_labels, sweeps->host_labels[i].name))
			labels[n++] = sweeps->host_labels[i];
	for (unsigned i = 0; i < column->n_labels; i++)
		labels[n++] = column->labels[i];
	for (size_t i = 0, own = n; i < e->n_external; i++)
		if (!has_label(labels, own, e->external[i].name))
			labels[n++] = e->external[i];
	labels_sort(labels, n);
	return n;
}

static void put_labels(struct encoder *e, const struct fw_label *labels, size_t n)
{
	for (size_t i = 0; i < n; i++)
		message_put_label(&e->one, &labels[i]);
}

static void put_refs(struct encoder *e, const struct fw_label *labels, size_t n)
{
	uint32_t refs[2 * LABELS_MOST];
	size_t length = 0;
	for (size_t i = 0; i < n; i++) {
		refs[2 * i] = ref_of(e, labels[i].name);
		refs[2 * i + 1] = ref_of(e, labels[i].value);
		length += message_varint_size(refs[2 * i]) + message_varint_size(refs[2 * i + 1]);
	}
	message_put_head(&e->one, 1, length);
	for (size_t i = 0; i < 2 * n; i++)
		fw_buf_put_varint(&e->one, refs[i]);
}

/* What the column says of its metric; there is no help in it. */
static void put_about(struct encoder *e, const struct fw_column *column)
{
	static const uint8_t types[] = {[FW_GAUGE] = 2, [FW_COUNTER] = 1, [FW_UNTYPED] = 0};
	uint8_t type = types[column->type & FW_TYPE_MASK];
	if (type == 0)
		return;
	message_put_head(&e->one, 5, 2);
	message_put_number(&e->one, 1, type);
}

/* An absence is told once, where there was a value before. */
static bool is_told(const struct store_followed *sweeps, size_t sweep, size_t c)
{
	size_t n = sweeps->schema->n_columns;
	if (sweeps->cells[sweep * n + c] != FW_ABSENT || sweeps->foreign)
		return true;
	const int64_t *before = sweep > 0 ? sweeps->cells + (sweep - 1) * n : sweeps->before;
	return before && before[c] != FW_ABSENT;
}

static size_t put_samples(struct encoder *e, const struct store_followed *sweeps, size_t c)
{
	const struct fw_column *column = &sweeps->schema->columns[c];
	size_t n = sweeps->schema->n_columns, told = 0;
	for (size_t i = 0; i < sweeps->n_sweeps; i++) {
		if (!is_told(sweeps, i, c))
			continue;
		message_put_sample(&e->one, sweeps->times_ms[i],
			fw_column_value(column, sweeps->cells[i * n + c]));
		told++;
	}
	return told;
}

void encode_column(struct encoder *e, const struct store_followed *sweeps, size_t c)
{
	const struct fw_column *column = &sweeps->schema->columns[c];
	struct fw_label labels[LABELS_MOST];
	bool any = false;
	for (size_t i = 0; i < sweeps->n_sweeps && !any; i++)
		any = is_told(sweeps, i, c);
	if (!any)
		return;
	size_t n = list_labels(e, sweeps, column, labels);
	if (e->takes && !e->takes(e->arg, labels, n))
		return;
	fw_buf_reset(&e->one);
	(e->is_2 ? put_refs : put_labels)(e, labels, n);
	e->n_samples += put_samples(e, sweeps, c);
	if (e->is_2)
		put_about(e, column);
	message_put_bytes(&e->series, e->is_2 ? 5 : 1, e->one.data, e->one.length);
}

void encode_begin(struct encoder *e, bool is_2)
{
	e->is_2 = is_2;
	e->n_samples = e->n_symbols = 0;
	fw_buf_reset(&e->series);
	fw_buf_reset(&e->symbols);
	if (e->slots)
		memset(e->slots, 0, e->n_slots * sizeof *e->slots);
	if (is_2)
		ref_of(e, ""); /* the first is always this */
}

void encode_end(struct encoder *e, struct fw_buf *out)
{
	fw_buf_reset(out);
	if (e->is_2)
		fw_buf_append(out, e->symbols.data, e->symbols.length);
	fw_buf_append(out, e->series.data, e->series.length);
}

void encoder_done(struct encoder *e)
{
	fw_buf_done(&e->series);
	fw_buf_done(&e->one);
	fw_buf_done(&e->symbols);
	fw_free(e->slots);
}
