/* SPDX-License-Identifier: Apache-2.0 */
#include "tables.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/items.h>

#include "row.h"

#define KINDS (4 * FW_DOCUMENTS_LIMIT)      /* of one device; a collector keeps fewer */
#define TEXTS_MOST (2 * FW_ITEMS_RAW_LIMIT) /* bytes of all lines, whatever a device says */
#define KEY_BYTES (FW_ITEM_KEY_LIMIT + 1)

struct line {
	unsigned kind, number; /* in the order in which they were added */
	size_t at, length;
	const char *text; /* once nothing is added any more */
};

struct tables {
	const char *kinds[KINDS];
	unsigned n_kinds;
	struct fw_item_writer writer;
	struct line *lines;
	size_t n_lines, room;
};

/* Where a line is made: in a row of a walk, or in none. */
struct place {
	const struct walk *walk;
	const struct row *row;
	const char *asked;
};

struct tables *tables_new(void)
{
	return fw_alloc(sizeof(struct tables));
}

void tables_free(struct tables *t)
{
	if (!t)
		return;
	fw_buf_done(&t->writer.text);
	fw_free(t->lines);
	fw_free(t);
}

/* ---- forms ---- */

/* Of nobody, of oneself or of many: nobody's own. */
static bool is_own(int family, const uint8_t *bytes)
{
	static const uint8_t none[15];
	if (family == AF_INET)
		return bytes[0] != 0 && bytes[0] != 127 && bytes[0] < 224;
	return bytes[0] != 0xff && (memcmp(bytes, none, sizeof none) != 0 || bytes[15] > 1);
}

static const char *address_text(const uint8_t *bytes, size_t n, char *text)
{
	int family = n == 4 ? AF_INET : AF_INET6;
	text[0] = '\0';
	if ((n == 4 || n == 16) && is_own(family, bytes))
		inet_ntop(family, bytes, text, INET6_ADDRSTRLEN);
	return text;
}

static const char *mac_text(const uint8_t *b, size_t n, char *text)
{
	text[0] = '\0';
	if (n == 6)
		snprintf(text, ROW_TEXT_BYTES, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2],
			b[3], b[4], b[5]);
	return text;
}

static const char *written_address(const char *written, char *text)
{
	uint8_t bytes[16];
	if (inet_pton(AF_INET, written, bytes) == 1)
		return address_text(bytes, 4, text);
	return address_text(bytes, inet_pton(AF_INET6, written, bytes) == 1 ? 16 : 0, text);
}

/* An index has an address bare, or with its kind and its length before it. */
static const char *numbers_text(const uint32_t *numbers, size_t n, enum mib_form form, char *text)
{
	uint8_t bytes[20];
	if (form == FORM_TEXT)
		return oid_format(numbers, n, text);
	bool has_head = form == FORM_ADDRESS && n > 4 && numbers[1] == n - 2;
	numbers += has_head ? 2 : 0;
	n -= has_head ? 2 : 0;
	for (size_t i = 0; i < n && i < sizeof bytes; i++)
		bytes[i] = (uint8_t)numbers[i];
	if (form == FORM_MAC)
		return mac_text(bytes, n, text);
	/* With a zone there are four more. */
	return address_text(bytes, has_head && (n == 8 || n == 20) ? n - 4 : n, text);
}

static const char *value_text(const struct row *row, enum mib_form form, char *text)
{
	const uint8_t *bytes = (const uint8_t *)row->text;
	if (form == FORM_TEXT)
		return row_text(row, text);
	if (row->kind != VALUE_TEXT)
		return "";
	if (form == FORM_MAC)
		return mac_text(bytes, row->length, text);
	return row->length == 4 || row->length == 16 ? address_text(bytes, row->length, text)
						     : written_address(row->text, text);
}

/* ---- sources ---- */

static bool passes(const struct walk *w, const struct mib_where *where, const struct row *row)
{
	if (where->column < 0)
		return true;
	const struct row *found = row_look_up(&w->columns[where->column], row);
	for (size_t i = 0; found && i < where->n; i++)
		if (where->numbers[i] == found->number)
			return !where->except;
	return where->except;
}

/* The value of the row at which a path ends. */
static const char *say(const struct place *place, const struct mib_source *source,
	const struct row *row, char *text)
{
	return row && passes(place->walk, &source->where, row) ? value_text(row, source->form, text)
							       : "";
}

/* From a number on: that is the index of a row in each column of the path. */
static const char *follow(const struct place *place, const struct mib_source *source, unsigned step,
	uint32_t number, char *text)
{
	const struct row *found = NULL;
	for (; step < source->n_path; step++) {
		const struct row key = {.index = &number, .n = 1};
		found = row_look_up(&place->walk->columns[source->path[step]], &key);
		if (!found)
			return "";
		number = (uint32_t)found->number;
	}
	return say(place, source, found, text);
}

static const char *from_row(const struct place *place, const struct mib_source *source,
	const struct row *row, char *text)
{
	if (!row)
		return "";
	return source->n_path > 1 ? follow(place, source, 1, (uint32_t)row->number, text)
				  : say(place, source, row, text);
}

static const char *from_index(
	const struct place *place, const struct mib_source *source, char *text)
{
	const struct row *row = place->row;
	if (!row || source->index >= row->n)
		return "";
	const uint32_t *numbers = row->index + source->index;
	if (source->n_path == 0 && !passes(place->walk, &source->where, row))
		return "";
	return source->n_path > 0 ? follow(place, source, 0, *numbers, text)
				  : numbers_text(numbers, source->last ? row->n - source->index : 1,
					    source->form, text);
}

/* Where no row is given, the first that says something. */
static const char *from_any(const struct place *place, const struct mib_source *source, char *text)
{
	const struct walked *column = &place->walk->columns[source->path[0]];
	for (size_t i = 0; i < column->n; i++) {
		const char *found = from_row(place, source, &column->rows[i], text);
		if (*found)
			return found;
	}
	return "";
}

static const char *from_column(
	const struct place *place, const struct mib_source *source, char *text)
{
	const struct walked *column = &place->walk->columns[source->path[0]];
	if (!place->row)
		return from_any(place, source, text);
	if (!source->rest)
		return from_row(place, source, row_look_up(column, place->row), text);
	const struct row *below = row_below(column, place->row);
	return below && passes(place->walk, &source->where, below)
		? numbers_text(below->index + place->row->n, below->n - place->row->n, source->form,
			  text)
		: "";
}

static const char *text_of(const struct place *place, const struct mib_text *from, char *text)
{
	const char *found = "";
	for (size_t i = 0; i < from->n && !*found; i++) {
		const struct mib_source *source = &from->sources[i];
		found = source->from == SOURCE_ASKED   ? written_address(place->asked, text)
			: source->from == SOURCE_INDEX ? from_index(place, source, text)
						       : from_column(place, source, text);
	}
	return found;
}

/* ---- lines ---- */

static bool key_of(const struct place *place, const struct mib_document *document, char *key)
{
	char text[ROW_TEXT_BYTES];
	int length = 0;
	if (document->rows < 0) {
		snprintf(key, KEY_BYTES, "%s", document->kind);
		return true;
	}
	for (size_t i = 0; i < document->n_key && length < FW_ITEM_KEY_LIMIT; i++) {
		const char *part = text_of(place, &document->key[i], text);
		if (i == 0 && !*part)
			return false;
		length += snprintf(key + length, (size_t)(KEY_BYTES - length),
			i && *part ? " %s" : "%s", part);
	}
	return true;
}

static void keep_line(struct tables *t, unsigned kind, size_t at)
{
	if (t->n_lines == t->room) {
		t->room = t->room ? 2 * t->room : 16;
		t->lines = fw_realloc(t->lines, t->room * sizeof *t->lines);
	}
	t->lines[t->n_lines] = (struct line){.kind = kind,
		.number = (unsigned)t->n_lines,
		.at = at,
		.length = t->writer.text.length - at};
	t->n_lines++;
}

static void add_line(struct tables *t, unsigned kind, const struct mib_document *document,
	const struct place *place)
{
	char key[KEY_BYTES], text[ROW_TEXT_BYTES];
	size_t at = t->writer.text.length;
	bool whole = true;
	if (at > TEXTS_MOST || !key_of(place, document, key))
		return;
	fw_item_begin(&t->writer, '+', key);
	for (size_t i = 0; i < document->n_fields; i++) {
		const struct mib_text *field = &document->fields[i];
		const char *value = text_of(place, field, text);
		whole = whole && (*value || !field->needed);
		fw_item_field(&t->writer, field->name, value);
	}
	fw_item_end(&t->writer);
	if (whole)
		keep_line(t, kind, at);
	else
		t->writer.text.length = at;
}

static unsigned kind_of(struct tables *t, const char *kind)
{
	unsigned i = 0;
	while (i < t->n_kinds && strcmp(t->kinds[i], kind) != 0)
		i++;
	if (i == t->n_kinds && i < KINDS)
		t->kinds[t->n_kinds++] = kind;
	return i;
}

static void add_document(struct tables *t, const struct walk *w,
	const struct mib_document *document, const char *asked)
{
	struct place place = {.walk = w, .asked = asked};
	unsigned kind = kind_of(t, document->kind);
	if (kind == KINDS)
		return;
	if (document->rows < 0) {
		add_line(t, kind, document, &place);
		return;
	}
	const struct walked *column = &w->columns[document->rows];
	for (size_t i = 0; i < column->n; i++) {
		place.row = &column->rows[i];
		if (passes(w, &document->where, place.row))
			add_line(t, kind, document, &place);
	}
}

void tables_add(struct tables *t, const struct walk *walk, const char *asked)
{
	for (unsigned i = 0; i < walk->module->n_documents; i++)
		add_document(t, walk, &walk->module->documents[i], asked);
}

/* ---- whole tables ---- */

static int in_order(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	int order = fw_item_compare(x->text, y->text);
	return order ? order : x->number < y->number ? -1 : 1;
}

static void sort(struct tables *t)
{
	for (size_t i = 0; i < t->n_lines; i++)
		t->lines[i].text = (char *)t->writer.text.data + t->lines[i].at + 1;
	if (t->n_lines > 0)
		qsort(t->lines, t->n_lines, sizeof *t->lines, in_order);
}

/* Appends the lines of a kind from the i-th on; the number of the first of another. */
static size_t gather(const struct tables *t, unsigned kind, size_t i, struct fw_buf *out)
{
	const struct line *last = NULL;
	size_t n = 0;
	for (; i < t->n_lines && t->lines[i].kind == kind; i++) {
		const struct line *line = &t->lines[i];
		if ((last && fw_item_compare(last->text, line->text) == 0) || n == FW_ITEMS_LIMIT ||
			out->length + line->length > FW_ITEMS_RAW_LIMIT)
			continue;
		fw_buf_append(out, line->text - 1, line->length);
		last = line;
		n++;
	}
	return i;
}

void tables_end(struct tables *t,
	void (*on_table)(const char *kind, const struct fw_buf *lines, void *arg), void *arg)
{
	size_t i = 0;
	sort(t);
	for (unsigned kind = 0; kind < t->n_kinds; kind++) {
		struct fw_buf lines = {0};
		i = gather(t, kind, i, &lines);
		on_table(t->kinds[kind], &lines, arg);
		fw_buf_done(&lines);
	}
}
