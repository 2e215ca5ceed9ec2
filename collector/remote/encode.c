/* SPDX-License-Identifier: Apache-2.0 */
/* Written by hand rather than by protobuf-c, which would leave out -0.0, and a message of
 * objects besides. Field numbers are those of remote.proto. */
#include "encode.h"

#include <stdlib.h>
#include <string.h>

#include <fenwatch/batch.h>
#include <fenwatch/crc.h>
#include <fenwatch/mem.h>

#include "send.h"

#define LABELS_MOST (2 * FW_LABELS_LIMIT + 1 + SEND_EXTERNAL)
#define FIRST_SLOTS 1024

enum { VARINT = 0, FIXED64 = 1, BYTES = 2 };

static void put_tag(struct fw_buf *out, unsigned field, unsigned kind)
{
	fw_buf_put_varint(out, field << 3 | kind);
}

static void put_bytes(struct fw_buf *out, unsigned field, const void *data, size_t length)
{
	put_tag(out, field, BYTES);
	fw_buf_put_varint(out, length);
	fw_buf_append(out, data, length);
}

static size_t varint_size(uint64_t value)
{
	size_t n = 1;
	for (; value >= 0x80; value >>= 7)
		n++;
	return n;
}

static void put_sample(struct fw_buf *out, int64_t at_ms, double value)
{
	put_tag(out, 2, BYTES);
	fw_buf_put_varint(out, 1 + sizeof value + 1 + varint_size((uint64_t)at_ms));
	put_tag(out, 1, FIXED64);
	fw_buf_append(out, &value, sizeof value);
	put_tag(out, 2, VARINT);
	fw_buf_put_varint(out, (uint64_t)at_ms);
}

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
		put_bytes(&e->symbols, 4, text, strlen(text));
	}
	return slot->ref;
}

/* ---- series ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct fw_label *)a)->name, ((const struct fw_label *)b)->name);
}

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
	qsort(labels, n, sizeof *labels, by_name);
	return n;
}

static void put_labels(struct encoder *e, const struct fw_label *labels, size_t n)
{
	struct fw_buf *out = &e->one;
	for (size_t i = 0; i < n; i++) {
		size_t name = strlen(labels[i].name), value = strlen(labels[i].value);
		put_tag(out, 1, BYTES);
		fw_buf_put_varint(out, 2 + varint_size(name) + name + varint_size(value) + value);
		put_bytes(out, 1, labels[i].name, name);
		put_bytes(out, 2, labels[i].value, value);
	}
}

static void put_refs(struct encoder *e, const struct fw_label *labels, size_t n)
{
	uint32_t refs[2 * LABELS_MOST];
	size_t length = 0;
	for (size_t i = 0; i < n; i++) {
		refs[2 * i] = ref_of(e, labels[i].name);
		refs[2 * i + 1] = ref_of(e, labels[i].value);
		length += varint_size(refs[2 * i]) + varint_size(refs[2 * i + 1]);
	}
	put_tag(&e->one, 1, BYTES);
	fw_buf_put_varint(&e->one, length);
	for (size_t i = 0; i < 2 * n; i++)
		fw_buf_put_varint(&e->one, refs[i]);
}

/* What the column says of its metric; there is no help in it. */
static void put_about(struct encoder *e, const struct fw_column *column)
{
	static const uint8_t types[] = {[FW_GAUGE] = 2, [FW_COUNTER] = 1, [FW_UNTYPED] = 0};
	const uint8_t about[] = {1 << 3 | VARINT, types[column->type & FW_TYPE_MASK]};
	if (about[1])
		put_bytes(&e->one, 5, about, sizeof about);
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
		put_sample(&e->one, sweeps->times_ms[i],
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
	put_bytes(&e->series, e->is_2 ? 5 : 1, e->one.data, e->one.length);
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
