/* SPDX-License-Identifier: Apache-2.0 */
#include "read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/batch.h>
#include <fenwatch/crc.h>
#include <fenwatch/text.h>

#include "bodies.h"
#include "chunk.h"
#include "labels.h"
#include "message.h"
#include "notes.h"
#include "remote.h"
#include "remote.pb-c.h"

#define TIME_LIMIT_MS (INT64_C(1) << 53) /* further from 1970 there are no samples */

enum { ENCODING_XOR = 1, ANSWER_CHUNKS = 1 };

typedef Fenwatch__Remote__Query Query;

/* A series, encoded; they go out in the order of their labels. */
struct found {
	const struct fw_label *labels;
	size_t n_labels;
	const uint8_t *data;
	size_t length;
};

struct asking {
	struct remote_read *read;
	bool chunks;
	struct found *found;
	size_t n, capacity, n_samples;
	struct fw_buf one, part;
	struct chunk_writer chunk;
};

/* ---- a series ---- */

static void end_chunk(struct asking *a)
{
	struct chunk_writer *chunk = &a->chunk;
	if (chunk->n == 0)
		return;
	fw_buf_reset(&a->part);
	message_put_number(&a->part, 1, (uint64_t)chunk->from_ms);
	message_put_number(&a->part, 2, (uint64_t)chunk->at_ms);
	message_put_number(&a->part, 3, ENCODING_XOR);
	message_put_bytes(&a->part, 4, chunk->bytes.data, chunk->bytes.length);
	message_put_bytes(&a->one, 2, a->part.data, a->part.length);
	chunk_begin(chunk);
}

static void put_one(struct asking *a, int64_t at_ms, double value)
{
	if (!a->chunks) {
		message_put_sample(&a->one, at_ms, value);
		return;
	}
	if (a->chunk.n == CHUNK_SAMPLES)
		end_chunk(a);
	chunk_add(&a->chunk, at_ms, value);
}

/* An absence ends a series once. */
static size_t put_samples(struct asking *a, const struct promql_samples *samples)
{
	bool stale = true;
	size_t n = 0;
	for (size_t i = 0; i < samples->n; i++) {
		bool absent = samples->cells[i] == FW_ABSENT;
		if (absent && stale)
			continue;
		put_one(a, samples->times_ms[i],
			fw_column_value(samples->column, samples->cells[i]));
		stale = absent;
		n++;
	}
	return n;
}

/* ---- one query ---- */

static void keep(struct asking *a, const struct promql_samples *samples)
{
	struct fw_arena *arena = a->read->arena;
	if (a->n == a->capacity) {
		a->capacity = 2 * a->capacity + 64;
		a->found = fw_realloc(a->found, a->capacity * sizeof *a->found);
	}
	struct fw_label *labels = labels_copy(samples->labels, samples->n_labels, arena);
	uint8_t *data = fw_arena_alloc(arena, a->one.length);
	memcpy(data, a->one.data, a->one.length);
	a->found[a->n++] = (struct found){labels, samples->n_labels, data, a->one.length};
}

static bool is_over(const void *arg)
{
	const struct asking *a = arg;
	return *a->read->canceled;
}

static int on_series(void *arg, const struct promql_samples *samples)
{
	struct asking *a = arg;
	a->n_samples += samples->n;
	if (a->n_samples > a->read->max_samples)
		return -E2BIG;
	fw_buf_reset(&a->one);
	chunk_begin(&a->chunk);
	for (size_t i = 0; i < samples->n_labels; i++)
		message_put_label(&a->one, &samples->labels[i]);
	if (put_samples(a, samples) == 0)
		return 0;
	end_chunk(a);
	keep(a, samples);
	return 0;
}

static int by_labels(const void *x, const void *y)
{
	const struct found *a = x, *b = y;
	return labels_compare(a->labels, a->n_labels, b->labels, b->n_labels);
}

static int take_matchers(
	struct asking *a, const Query *query, struct promql_selection *out, struct fw_err *err)
{
	if (query->n_matchers > PROMQL_MATCHERS_LIMIT)
		return fw_fail(err, -EINVAL, "a query has %zu matchers", query->n_matchers);
	struct matcher *matchers =
		fw_arena_alloc(a->read->arena, query->n_matchers * sizeof *matchers + 1);
	for (size_t i = 0; i < query->n_matchers; i++) {
		const Fenwatch__Remote__Matcher *from = query->matchers[i];
		const char *name = body_text(&from->name, a->read->arena);
		const char *value = body_text(&from->value, a->read->arena);
		if (!name || !value || from->kind < 0 || from->kind > MATCHER_NOT_REGEX ||
			!fw_utf8_valid(name, strlen(name)) || !fw_utf8_valid(value, strlen(value)))
			return fw_fail(err, -EINVAL, "a matcher that is none");
		matchers[i] = (struct matcher){
			.kind = (enum matcher_kind)from->kind, .name = name, .value = value};
	}
	out->matchers = matchers;
	out->n_matchers = query->n_matchers;
	return 0;
}

static int64_t within_limit(int64_t at_ms)
{
	return at_ms > TIME_LIMIT_MS     ? TIME_LIMIT_MS
		: at_ms < -TIME_LIMIT_MS ? -TIME_LIMIT_MS
					 : at_ms;
}

static int run(struct asking *a, const Query *query, struct fw_err *err)
{
	struct promql_selection selection = {
		.from_ms = within_limit(query->from_ms), .to_ms = within_limit(query->to_ms)};
	struct promql_notes notes = {.arena = a->read->arena};
	a->n = 0;
	int rc = take_matchers(a, query, &selection, err);
	if (rc < 0 || query->from_ms > query->to_ms)
		return rc;
	selection.range_ms = selection.to_ms - selection.from_ms;
	const struct promql_select_to to = {on_series, a, a->read->arena, &notes, is_over, a};
	rc = a->read->data.select(&a->read->data, &selection, &to, err);
	if (rc == -E2BIG)
		return fw_fail(err, rc,
			"query processing would load too many samples into memory in query execution");
	if (a->n > 1)
		qsort(a->found, a->n, sizeof *a->found, by_labels);
	return rc;
}

/* ---- the answer ---- */

/* Each series in a frame of its own: length, CRC-32C, message. */
static void put_frames(struct asking *a, size_t query)
{
	struct fw_buf *out = a->read->out;
	for (size_t i = 0; i < a->n; i++) {
		fw_buf_reset(&a->one);
		message_put_bytes(&a->one, 1, a->found[i].data, a->found[i].length);
		message_put_number(&a->one, 2, query);
		uint32_t crc = fw_crc32c(0, a->one.data, a->one.length);
		const uint8_t sum[] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16),
			(uint8_t)(crc >> 8), (uint8_t)crc};
		fw_buf_put_varint(out, a->one.length);
		fw_buf_append(out, sum, sizeof sum);
		fw_buf_append(out, a->one.data, a->one.length);
	}
}

static void put_result(struct asking *a, struct fw_buf *answer)
{
	fw_buf_reset(&a->one);
	for (size_t i = 0; i < a->n; i++)
		message_put_bytes(&a->one, 1, a->found[i].data, a->found[i].length);
	message_put_bytes(answer, 1, a->one.data, a->one.length);
}

static int answer(struct asking *a, const Fenwatch__Remote__Read *asked, struct fw_err *err)
{
	struct fw_buf whole = {0};
	int rc = 0;
	for (size_t i = 0; i < asked->n_queries && rc >= 0; i++) {
		rc = run(a, asked->queries[i], err);
		if (rc >= 0 && a->chunks)
			put_frames(a, i);
		else if (rc >= 0)
			put_result(a, &whole);
	}
	if (rc >= 0 && !a->chunks)
		body_pack(BODY_SNAPPY, &whole, a->read->out);
	fw_buf_done(&whole);
	return rc < 0 ? rc : 0;
}

static void choose(struct asking *a, const Fenwatch__Remote__Read *asked)
{
	for (size_t i = 0; i < asked->n_accepted; i++)
		a->chunks |= asked->accepted[i] == ANSWER_CHUNKS;
	a->read->packed = !a->chunks;
	a->read->content_type = a->chunks
		? "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"
		: "application/x-protobuf";
}

int remote_read(struct remote_read *read, struct fw_err *err)
{
	const uint8_t *data;
	size_t length;
	void *asked;
	struct asking a = {.read = read};
	int rc = body_unpack(
		BODY_SNAPPY, read->body, read->length, read->arena, &data, &length, err);
	if (rc >= 0)
		rc = body_parse(&fenwatch__remote__read__descriptor, data, length, read->arena,
			&asked, err);
	if (rc >= 0 && ((const Fenwatch__Remote__Read *)asked)->n_queries > READ_QUERIES)
		rc = fw_fail(err, -EINVAL, "more than %d queries at once", READ_QUERIES);
	if (rc >= 0) {
		choose(&a, asked);
		rc = answer(&a, asked, err);
	}
	fw_free(a.found);
	fw_buf_done(&a.one);
	fw_buf_done(&a.part);
	chunk_done(&a.chunk);
	return rc;
}
