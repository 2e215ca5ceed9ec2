/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/wire.h>

#include "schema_private.h"

struct reading {
	const Fenwatch__Wire__Schema *message;
	const struct fw_schema *base;
	struct fw_arena *arena;
	struct fw_err *err;
	struct fw_column *columns; /* room for `room`, `n` filled */
	uint32_t n, room;
	uint32_t base_at;        /* columns of the base used or passed over */
	size_t new_at, label_at; /* in the message's columns and labels */
};

static int fail(const struct reading *r, const char *what)
{
	return fw_fail(r->err, -EBADMSG, "schema: %s", what);
}

static int fail_size(const struct reading *r)
{
	return fw_fail(r->err, -EMSGSIZE, "schema: more columns than are allowed");
}

static int check_lists(const struct reading *r)
{
	const Fenwatch__Wire__Schema *m = r->message;
	size_t n = m->n_name, labels = 0;
	if (m->hash.len != FW_SCHEMA_HASH ||
		(m->base_hash.len && m->base_hash.len != FW_SCHEMA_HASH))
		return fail(r, "a hash of the wrong length");
	if (n > FW_COLUMNS_LIMIT)
		return fw_fail(r->err, -EMSGSIZE, "schema: %zu columns; at most %d are allowed", n,
			FW_COLUMNS_LIMIT);
	if (m->n_n_labels != n || m->n_scale != n || m->n_factor != n || m->type.len != n)
		return fail(r, "lists of different lengths");
	for (size_t i = 0; i < n; i++) {
		if (m->n_labels[i] > FW_LABELS_LIMIT)
			return fail(r, "a column with too many labels");
		labels += m->n_labels[i];
	}
	if (m->n_label != 2 * labels)
		return fail(r, "labels that belong to no column");
	for (size_t i = 0; i < m->n_symbol; i++)
		if (m->symbol[i][0] == '\0' || strlen(m->symbol[i]) > FW_SYMBOL_LIMIT)
			return fail(r, "a name or value that is empty or too long");
	return 0;
}

static const char *symbol(const struct reading *r, uint32_t index)
{
	return index < r->message->n_symbol ? r->message->symbol[index] : NULL;
}

static int read_labels(struct reading *r, struct fw_column *column)
{
	struct fw_label *labels = fw_arena_try(r->arena, column->n_labels * sizeof *labels);
	if (!labels)
		return fw_fail(r->err, -ENOMEM, "schema: needs more memory than a message may");
	for (unsigned i = 0; i < column->n_labels; i++) {
		labels[i].name = symbol(r, r->message->label[r->label_at++]);
		labels[i].value = symbol(r, r->message->label[r->label_at++]);
		if (!labels[i].name || !labels[i].value)
			return fail(r, "a symbol that is not there");
		if (i > 0 && strcmp(labels[i - 1].name, labels[i].name) >= 0)
			return fail(r, "labels out of order");
	}
	column->labels = labels;
	return 0;
}

/* What it says is for who keeps schemas to know; agents have none with it. */
enum { KEEPERS_BIT = 8 };

static bool sensible(const Fenwatch__Wire__Schema *m, size_t i)
{
	unsigned type = m->type.data[i];
	return m->scale[i] >= -FW_SCALE_LIMIT && m->scale[i] <= FW_SCALE_LIMIT &&
		m->factor[i] >= 1 && type <= (FW_TYPE_MASK | FW_DOUBLE | KEEPERS_BIT) &&
		(type & FW_TYPE_MASK) <= FW_UNTYPED;
}

static int read_column(struct reading *r)
{
	const Fenwatch__Wire__Schema *m = r->message;
	size_t i = r->new_at;
	if (i >= m->n_name)
		return fail(r, "fewer or more columns than its splices say");
	if (r->n >= r->room)
		return fail_size(r);
	if (!sensible(m, i))
		return fail(r, "a type, scale or factor out of range");
	struct fw_column *column = &r->columns[r->n];
	column->name = symbol(r, m->name[i]);
	column->n_labels = (uint16_t)m->n_labels[i];
	column->scale = (int8_t)m->scale[i];
	column->type = m->type.data[i];
	column->factor = m->factor[i];
	if (!column->name)
		return fail(r, "a symbol that is not there");
	int rc = read_labels(r, column);
	r->new_at++;
	r->n++;
	return rc;
}

/* Texts too: the base may go away before what is made here. */
static int copy_column(struct reading *r, const struct fw_column *from)
{
	size_t bytes = from->n_labels * sizeof(struct fw_label) + strlen(from->name) + 1;
	for (unsigned i = 0; i < from->n_labels; i++)
		bytes += strlen(from->labels[i].name) + strlen(from->labels[i].value) + 2;
	if (r->n >= r->room)
		return fail_size(r);
	struct fw_label *labels = fw_arena_try(r->arena, bytes);
	if (!labels)
		return fw_fail(r->err, -ENOMEM, "schema: needs more memory than a message may");
	char *text = (char *)(labels + from->n_labels);
	struct fw_column *column = &r->columns[r->n++];
	*column = *from;
	column->labels = labels;
	column->name = text;
	text = stpcpy(text, from->name) + 1;
	for (unsigned i = 0; i < from->n_labels; i++) {
		labels[i].name = text;
		text = stpcpy(text, from->labels[i].name) + 1;
		labels[i].value = text;
		text = stpcpy(text, from->labels[i].value) + 1;
	}
	return 0;
}

static int copy_up_to(struct reading *r, uint32_t position)
{
	int rc = 0;
	while (rc == 0 && r->base_at < position)
		rc = copy_column(r, &r->base->columns[r->base_at++]);
	return rc;
}

static int read_splice(struct reading *r, const uint32_t splice[3])
{
	uint32_t left = r->base->n_columns;
	if (splice[0] < r->base_at || splice[0] > left || splice[1] > left - splice[0])
		return fail(r, "a splice out of order or out of range");
	int rc = copy_up_to(r, splice[0]);
	r->base_at += splice[1];
	for (uint32_t i = 0; rc == 0 && i < splice[2]; i++)
		rc = read_column(r);
	return rc;
}

static int read_columns(struct reading *r)
{
	const Fenwatch__Wire__Schema *m = r->message;
	int rc = 0;
	if (r->base && m->n_splice % 3)
		return fail(r, "splices that are cut short");
	for (size_t i = 0; r->base && rc == 0 && i < m->n_splice; i += 3)
		rc = read_splice(r, m->splice + i);
	if (r->base && rc == 0)
		rc = copy_up_to(r, r->base->n_columns);
	while (!r->base && rc == 0 && r->new_at < m->n_name)
		rc = read_column(r);
	if (rc == 0 && (r->new_at < m->n_name || r->n == 0))
		return fail(r, "fewer or more columns than its splices say");
	return rc;
}

static int by_series(const void *a, const void *b)
{
	return schema_series_order(
		*(const struct fw_column *const *)a, *(const struct fw_column *const *)b);
}

static int check_unique(const struct reading *r)
{
	const struct fw_column **sorted = fw_arena_try(r->arena, r->n * sizeof(struct fw_column *));
	if (!sorted)
		return fw_fail(r->err, -ENOMEM, "schema: needs more memory than a message may");
	for (uint32_t i = 0; i < r->n; i++)
		sorted[i] = &r->columns[i];
	qsort(sorted, r->n, sizeof(struct fw_column *), by_series);
	for (uint32_t i = 1; i < r->n; i++)
		if (schema_series_order(sorted[i - 1], sorted[i]) == 0)
			return fw_fail(r->err, -EBADMSG,
				"schema: '%.100s' twice with the same labels", sorted[i]->name);
	return 0;
}

static int finish(const struct reading *r, struct fw_schema *out)
{
	struct fw_schema schema = {.n_columns = r->n, .columns = r->columns};
	int rc = check_unique(r);
	if (rc < 0)
		return rc;
	fw_schema_seal(&schema);
	if (memcmp(schema.hash, r->message->hash.data, FW_SCHEMA_HASH) != 0)
		return fail(r, "its hash does not match");
	*out = schema;
	return 0;
}

static int make_room(struct reading *r)
{
	size_t room = r->message->n_name + (r->base ? r->base->n_columns : 0);
	r->room = (uint32_t)(room < FW_COLUMNS_LIMIT ? room : FW_COLUMNS_LIMIT);
	r->columns = fw_arena_try(r->arena, r->room * sizeof *r->columns);
	if (!r->columns)
		return fw_fail(r->err, -ENOMEM, "schema: needs more memory than a message may");
	return 0;
}

int fw_schema_decode(const uint8_t *data, size_t length, struct fw_arena *arena,
	const struct fw_schema *(*find_base)(const uint8_t *hash, void *arg), void *arg,
	uint32_t *id, struct fw_schema *out, struct fw_err *err)
{
	void *message;
	int rc = fw_wire_unpack(
		&fenwatch__wire__schema__descriptor, data, length, arena, &message, err);
	if (rc < 0)
		return rc;
	struct reading r = {.message = message, .arena = arena, .err = err};
	rc = check_lists(&r);
	if (rc < 0)
		return rc;
	if (r.message->base_hash.len > 0) {
		r.base = find_base ? find_base(r.message->base_hash.data, arg) : NULL;
		if (!r.base)
			return fw_fail(err, -ENOENT, "schema: differs from one that is not known");
	}
	rc = make_room(&r);
	if (rc == 0)
		rc = read_columns(&r);
	if (rc == 0)
		rc = finish(&r, out);
	if (rc == 0)
		*id = r.message->id;
	return rc;
}
