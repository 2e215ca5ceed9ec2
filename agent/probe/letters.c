/* SPDX-License-Identifier: Apache-2.0 */
#include "letters.h"

#include <string.h>

#include <fenwatch/batch.h>
#include <fenwatch/items.h>
#include <fenwatch/log.h>
#include <fenwatch/mem.h>
#include <fenwatch/wire.h>

/* As the agent has it (intake.h). */
#define EVENT_FIELDS 256
#define EVENT_BYTES (64u << 10)
#define VALUE_BYTES (16u << 10)

void letters_init(struct letters *l, size_t limit)
{
	*l = (struct letters){.limit = limit};
	TAILQ_INIT(&l->list);
}

/* What may not travel (not UTF-8, control characters) is escaped, and cut where it is long. */
static char *clean(struct fw_arena *arena, const char *text, size_t limit)
{
	size_t length = strlen(text);
	if (length <= limit && fw_wire_text_valid(text, length))
		return (char *)text;
	return fw_escape(text, fw_arena_alloc(arena, limit + 1), limit + 1);
}

/* ---- hosts and their schemas ---- */

struct probe_host *letters_host(const struct fw_label *labels, size_t n_labels, uint32_t id)
{
	struct probe_host *host = fw_alloc(sizeof *host);
	struct fw_arena arena = {0};
	Fenwatch__Wire__Host message = FENWATCH__WIRE__HOST__INIT;
	Fenwatch__Wire__Label **list = fw_alloc_array(n_labels, sizeof *list),
			      *texts = fw_alloc_array(n_labels, sizeof *texts);
	host->id = message.id = id;
	host->labels = fw_alloc_array(n_labels, sizeof *host->labels);
	host->n_labels = n_labels;
	for (size_t i = 0; i < n_labels; i++) {
		fenwatch__wire__label__init(&texts[i]);
		host->labels[i].name = texts[i].name = fw_strdup(labels[i].name);
		host->labels[i].value = fw_strdup(labels[i].value);
		texts[i].value = clean(&arena, labels[i].value, FW_SYMBOL_LIMIT);
		list[i] = &texts[i];
	}
	message.n_labels = n_labels;
	message.labels = list;
	fw_wire_put(&host->frame, FW_FRAME_HOST, &message.base);
	fw_free(list);
	fw_free(texts);
	fw_arena_done(&arena);
	return host;
}

void letters_host_free(struct probe_host *host)
{
	for (size_t i = 0; i < host->n_labels; i++) {
		fw_free((char *)host->labels[i].name);
		fw_free((char *)host->labels[i].value);
	}
	fw_free(host->labels);
	fw_buf_done(&host->frame);
	fw_free(host);
}

static struct schema_text *text_of(
	struct letters *l, struct probe_host *host, const struct fw_schema *schema)
{
	struct schema_text *text = host->text;
	struct fw_buf message = {0};
	if (text && memcmp(text->hash, schema->hash, sizeof text->hash) == 0) {
		text->users++;
		return text;
	}
	text = host->text = fw_alloc(sizeof *text);
	text->users = 1;
	memcpy(text->hash, schema->hash, sizeof text->hash);
	fw_schema_encode(schema, host->id, NULL, &message);
	if (message.length <= FW_FRAME_LIMIT)
		fw_frame_put(&text->frame, FW_FRAME_SCHEMA, message.data, message.length);
	fw_buf_done(&message);
	l->bytes += text->frame.length;
	return text;
}

static void text_drop(struct letters *l, struct probe_host *host, struct schema_text *text)
{
	if (!text || --text->users > 0)
		return;
	if (host->text == text)
		host->text = NULL;
	l->bytes -= text->frame.length;
	fw_buf_done(&text->frame);
	fw_free(text);
}

/* ---- letters come and go ---- */

static size_t cost_of(const struct letter *letter)
{
	return sizeof *letter + letter->frame.length;
}

static void letter_free(struct letters *l, struct letter *letter)
{
	text_drop(l, letter->host, letter->text);
	fw_buf_done(&letter->frame);
	fw_free(letter);
}

static void take_out(struct letters *l, struct letter *letter)
{
	if (l->unsent == letter)
		l->unsent = TAILQ_NEXT(letter, entry);
	TAILQ_REMOVE(&l->list, letter, entry);
	l->bytes -= cost_of(letter);
	l->count--;
	letter_free(l, letter);
}

static bool drop_oldest_sweep(struct letters *l)
{
	struct letter *letter = TAILQ_FIRST(&l->list);
	while (letter && letter->type != FW_FRAME_BATCH)
		letter = TAILQ_NEXT(letter, entry);
	if (!letter)
		return false;
	take_out(l, letter);
	l->dropped++;
	return true;
}

static uint64_t put_in(struct letters *l, struct letter *letter)
{
	bool fits = letter->frame.length > 0;
	while (fits && l->bytes + cost_of(letter) > l->limit)
		fits = drop_oldest_sweep(l);
	if (!fits) {
		letter_free(l, letter);
		return 0;
	}
	l->last = letter->number;
	l->bytes += cost_of(letter);
	l->count++;
	TAILQ_INSERT_TAIL(&l->list, letter, entry);
	if (!l->unsent)
		l->unsent = letter;
	return letter->number;
}

static struct letter *letter_new(
	const struct letters *l, enum fw_frame_type type, struct probe_host *host)
{
	struct letter *letter = fw_alloc(sizeof *letter);
	*letter = (struct letter){.type = type, .number = l->last + 1, .host = host};
	return letter;
}

uint64_t letters_sweep(struct letters *l, struct probe_host *host, const struct fw_schema *schema,
	const int64_t *cells, int64_t at_ms, uint32_t interval_ms)
{
	struct fw_sweeps sweep = {.host = host->id,
		.n_sweeps = 1,
		.n_columns = schema->n_columns,
		.times_ms = &at_ms,
		.cells = cells};
	struct fw_buf message = {0};
	if (schema->n_columns == 0)
		return 0;
	struct letter *letter = letter_new(l, FW_FRAME_BATCH, host);
	letter->text = text_of(l, host, schema);
	fw_batch_encode_live(&sweep, letter->number, host->id, interval_ms, NULL, &message);
	if (letter->text->frame.length > 0 && message.length <= FW_FRAME_LIMIT)
		fw_frame_put(&letter->frame, FW_FRAME_BATCH, message.data, message.length);
	fw_buf_done(&message);
	return put_in(l, letter);
}

uint64_t letters_event(struct letters *l, struct probe_host *host, const char *kind,
	const struct fw_label *fields, size_t n_fields, int64_t at_ms)
{
	Fenwatch__Wire__Event event = FENWATCH__WIRE__EVENT__INIT;
	Fenwatch__Wire__Label labels[EVENT_FIELDS], *list[EVENT_FIELDS];
	struct fw_arena arena = {0};
	if (n_fields > EVENT_FIELDS)
		return 0;
	struct letter *letter = letter_new(l, FW_FRAME_EVENT, host);
	for (size_t i = 0; i < n_fields; i++) {
		fenwatch__wire__label__init(&labels[i]);
		labels[i].name = (char *)fields[i].name;
		labels[i].value = clean(&arena, fields[i].value, VALUE_BYTES);
		list[i] = &labels[i];
	}
	event.seq = letter->number;
	event.host = host ? host->id : 0;
	event.kind = (char *)kind;
	event.at_ms = at_ms;
	event.n_fields = n_fields;
	event.fields = list;
	if (fenwatch__wire__event__get_packed_size(&event) <= EVENT_BYTES)
		fw_wire_put(&letter->frame, FW_FRAME_EVENT, &event.base);
	fw_arena_done(&arena);
	return put_in(l, letter);
}

/* Each of a kind has a later time than the one before, which is all that a revision needs. */
uint64_t letters_document(struct letters *l, struct probe_host *host, const char *kind,
	const struct fw_buf *lines, int64_t at_ms)
{
	Fenwatch__Wire__Document document = FENWATCH__WIRE__DOCUMENT__INIT;
	struct fw_buf body = {0};
	struct fw_err err;
	if (at_ms <= 0 || lines->length > FW_ITEMS_RAW_LIMIT ||
		fw_items_pack(&body, lines->data, lines->length, &err) < 0)
		return 0;
	struct letter *letter = letter_new(l, FW_FRAME_DOCUMENT, host);
	document.seq = letter->number;
	document.host = host ? host->id : 0;
	document.kind = (char *)kind;
	document.revision = (uint64_t)at_ms;
	document.whole = true;
	document.at_ms = at_ms;
	document.body.data = body.data;
	document.body.len = body.length;
	document.raw_length = (uint32_t)lines->length;
	if (body.length <= FW_ITEMS_PACKED_LIMIT)
		fw_wire_put(&letter->frame, FW_FRAME_DOCUMENT, &document.base);
	fw_buf_done(&body);
	return put_in(l, letter);
}

void letters_durable(struct letters *l, uint64_t to)
{
	struct letter *letter;
	while ((letter = TAILQ_FIRST(&l->list)) && letter != l->unsent && letter->number <= to)
		take_out(l, letter);
	if (to > l->durable && to <= l->last)
		l->durable = to;
}

void letters_refuse(struct letters *l, uint64_t behind)
{
	struct letter *letter = TAILQ_FIRST(&l->list);
	while (letter && letter != l->unsent && letter->number <= behind)
		letter = TAILQ_NEXT(letter, entry);
	if (!letter || letter == l->unsent)
		return;
	take_out(l, letter);
	l->refused++;
}

void letters_done(struct letters *l)
{
	while (!TAILQ_EMPTY(&l->list))
		take_out(l, TAILQ_FIRST(&l->list));
}

/* ---- sending ---- */

void letters_rewind(struct letters *l)
{
	l->unsent = TAILQ_FIRST(&l->list);
	l->connection++;
}

static void announce(const struct letters *l, const struct letter *letter, struct fw_buf *out)
{
	struct probe_host *host = letter->host;
	const struct schema_text *text = letter->text;
	if (host->connection != l->connection) {
		fw_buf_append(out, host->frame.data, host->frame.length);
		host->connection = l->connection;
		host->told_any = false;
	}
	if (!text || (host->told_any && memcmp(host->told, text->hash, sizeof host->told) == 0))
		return;
	fw_buf_append(out, text->frame.data, text->frame.length);
	memcpy(host->told, text->hash, sizeof host->told);
	host->told_any = true;
}

bool letters_next(struct letters *l, struct fw_buf *out)
{
	struct letter *letter = l->unsent;
	if (!letter)
		return false;
	if (letter->host)
		announce(l, letter, out);
	fw_buf_append(out, letter->frame.data, letter->frame.length);
	l->unsent = TAILQ_NEXT(letter, entry);
	return true;
}
