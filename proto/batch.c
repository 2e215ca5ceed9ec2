/* SPDX-License-Identifier: Apache-2.0 */
/* The Batch message is written and read here field by field instead of through
 * protobuf-c: its bytes stay where they are, and a reader of 100,000 batches a
 * second takes no memory for them. The bytes are those of fenwatch.proto. */
#include <assert.h>
#include <errno.h>

#include <fenwatch/schema.h>

#include "batch_body.h"
#include "little.h"

#define TIME_LIMIT_MS ((int64_t)1 << 48)

static const struct {
	const char *name;
	enum wire_kind kind;
	uint64_t limit;
} rules[BATCH_FIELDS] = {
	[SEQ] = {"seq", WIRE_VARINT, UINT64_MAX},
	[SCHEMA] = {"schema", WIRE_VARINT, UINT32_MAX},
	[KEY] = {"key", WIRE_VARINT, 1},
	[HOST] = {"host", WIRE_VARINT, UINT32_MAX},
	[BACKLOG] = {"backlog", WIRE_VARINT, 1},
	[T0_MS] = {"t0_ms", WIRE_FIXED64, TIME_LIMIT_MS},
	[INTERVAL_MS] = {"interval_ms", WIRE_VARINT, UINT32_MAX},
	[JITTER_MS] = {"jitter_ms", WIRE_BYTES, 0},
	[SWEEPS] = {"sweeps", WIRE_VARINT, FW_SWEEPS_LIMIT},
	[CHANGED] = {"changed", WIRE_BYTES, 0},
	[DELTAS] = {"deltas", WIRE_BYTES, 0},
	[GONE] = {"gone", WIRE_BYTES, 0},
	[RAW_LENGTH] = {"raw_length", WIRE_VARINT, FW_BATCH_RAW_LIMIT},
	[PACKED] = {"packed", WIRE_BYTES, 0},
};

static void put_jitter(
	struct fw_buf *out, const struct batch_head *head, const struct fw_sweeps *sweeps)
{
	struct fw_buf jitter = {0};
	bool off_grid = false;
	for (uint32_t i = 0; i < sweeps->n_sweeps; i++) {
		int64_t planned_ms = sweeps->times_ms[0] + (int64_t)i * head->interval_ms;
		int64_t late_ms = sweeps->times_ms[i] - planned_ms;
		fw_buf_put_varint(&jitter, fw_zigzag(late_ms));
		off_grid = off_grid || late_ms != 0;
	}
	if (off_grid)
		wire_put_bytes(out, JITTER_MS, jitter.data, jitter.length);
	fw_buf_done(&jitter);
}

void batch_put_head(
	struct fw_buf *out, const struct batch_head *head, const struct fw_sweeps *sweeps)
{
	assert(sweeps->n_sweeps > 0 && sweeps->n_sweeps <= FW_SWEEPS_LIMIT);
	assert(sweeps->n_columns <= FW_COLUMNS_LIMIT && sweeps->times_ms[0] >= 0);
	wire_put_number(out, SEQ, head->seq);
	wire_put_number(out, SCHEMA, head->schema);
	wire_put_number(out, KEY, head->key);
	wire_put_number(out, HOST, sweeps->host);
	wire_put_number(out, BACKLOG, head->backlog);
	wire_put_fixed64(out, T0_MS, (uint64_t)sweeps->times_ms[0]);
	wire_put_number(out, INTERVAL_MS, head->interval_ms);
	put_jitter(out, head, sweeps);
	wire_put_number(out, SWEEPS, sweeps->n_sweeps);
}

void batch_put_body(struct fw_buf *out, const struct body *body)
{
	wire_put_bytes(out, CHANGED, body->changed.data, body->changed.length);
	wire_put_bytes(out, DELTAS, body->deltas.data, body->deltas.length);
	if (body->gone.length > 0)
		wire_put_bytes(out, GONE, body->gone.data, body->gone.length);
}

void batch_take_back(struct fw_buf *out, size_t length)
{
	out->length = length;
	out->data[length] = '\0';
}

void batch_body_done(struct body *body)
{
	fw_buf_done(&body->changed);
	fw_buf_done(&body->deltas);
	fw_buf_done(&body->gone);
}

static int read_field(struct field *fields, const struct field *field, struct fw_err *err)
{
	if (field->id >= BATCH_FIELDS)
		return 0;
	const char *name = rules[field->id].name;
	if (field->kind != rules[field->id].kind)
		return fw_fail(err, -EBADMSG, "batch: %s of the wrong kind", name);
	if (fields[field->id].id != 0)
		return fw_fail(err, -EBADMSG, "batch: %s given twice", name);
	if (field->kind != WIRE_BYTES && field->number > rules[field->id].limit)
		return fw_fail(err, -EMSGSIZE, "batch: %s is %llu, more than the limit", name,
			(unsigned long long)field->number);
	fields[field->id] = *field;
	return 0;
}

static int read_fields(
	const uint8_t *data, size_t length, struct field fields[BATCH_FIELDS], struct fw_err *err)
{
	struct bytes b = {data, data + length};
	for (unsigned id = 0; id < BATCH_FIELDS; id++)
		fields[id] = (struct field){.bytes = {data, data}};
	while (b.at < b.end) {
		struct field field;
		if (!wire_cut_field(&b, &field))
			return fw_fail(err, -EBADMSG, "batch: bytes that are no field");
		int rc = read_field(fields, &field, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool cut_jitter(struct bytes *b, int64_t *late_ms)
{
	uint64_t number;
	if (!bytes_varint(b, &number))
		return false;
	*late_ms = fw_unzigzag(number);
	return *late_ms >= -TIME_LIMIT_MS && *late_ms <= TIME_LIMIT_MS;
}

static int read_times(struct fw_batch *batch, struct bytes jitter, struct fw_err *err)
{
	bool on_grid = bytes_left(&jitter) == 0;
	for (uint32_t i = 0; i < batch->n_sweeps; i++) {
		int64_t late_ms = 0;
		if (!on_grid && !cut_jitter(&jitter, &late_ms))
			return fw_fail(err, -EBADMSG, "batch: jitter_ms does not fit its sweeps");
		int64_t at_ms = batch->t0_ms + (int64_t)i * batch->interval_ms + late_ms;
		if (at_ms < 0 || at_ms > 2 * TIME_LIMIT_MS)
			return fw_fail(err, -EBADMSG, "batch: a time out of range");
		if (i > 0 && at_ms <= batch->times_ms[i - 1])
			return fw_fail(err, -EBADMSG, "batch: times do not ascend");
		batch->times_ms[i] = at_ms;
	}
	if (bytes_left(&jitter) > 0)
		return fw_fail(err, -EBADMSG, "batch: more jitter_ms than sweeps");
	return 0;
}

static int check_fields(const struct field *fields, struct fw_err *err)
{
	if (fields[SEQ].number == 0)
		return fw_fail(err, -EBADMSG, "batch: without a number");
	if (fields[SWEEPS].number == 0)
		return fw_fail(err, -EBADMSG, "batch: without sweeps");
	if (fields[BACKLOG].number && !fields[KEY].number)
		return fw_fail(err, -EBADMSG, "batch: of the backlog, and no key");
	if (!fields[PACKED].id)
		return 0;
	if (!fields[BACKLOG].number)
		return fw_fail(err, -EBADMSG, "batch: live, and packed");
	if (fields[CHANGED].id || fields[DELTAS].id || fields[GONE].id)
		return fw_fail(err, -EBADMSG, "batch: both packed and not");
	return 0;
}

static void take_fields(const struct field *fields, struct fw_batch *out)
{
	*out = (struct fw_batch){
		.seq = fields[SEQ].number,
		.schema = (uint32_t)fields[SCHEMA].number,
		.host = (uint32_t)fields[HOST].number,
		.interval_ms = (uint32_t)fields[INTERVAL_MS].number,
		.n_sweeps = (uint32_t)fields[SWEEPS].number,
		.key = fields[KEY].number,
		.backlog = fields[BACKLOG].number,
		.t0_ms = (int64_t)fields[T0_MS].number,
		.changed = fields[CHANGED].bytes.at,
		.deltas = fields[DELTAS].bytes.at,
		.gone = fields[GONE].bytes.at,
		.changed_length = bytes_left(&fields[CHANGED].bytes),
		.deltas_length = bytes_left(&fields[DELTAS].bytes),
		.gone_length = bytes_left(&fields[GONE].bytes),
	};
}

int fw_batch_open(const uint8_t *data, size_t length, struct fw_arena *arena, struct fw_batch *out,
	struct fw_err *err)
{
	struct field fields[BATCH_FIELDS];
	struct fw_batch batch;
	int rc = read_fields(data, length, fields, err);
	if (rc == 0)
		rc = check_fields(fields, err);
	if (rc < 0)
		return rc;
	take_fields(fields, &batch);
	batch.times_ms = fw_arena_try(arena, batch.n_sweeps * sizeof *batch.times_ms);
	if (!batch.times_ms)
		return fw_fail(err, -ENOMEM, "batch: needs more memory than a message may");
	rc = read_times(&batch, fields[JITTER_MS].bytes, err);
	if (rc == 0 && fields[PACKED].id)
		rc = batch_unpack(&batch, fields[PACKED].bytes.at,
			bytes_left(&fields[PACKED].bytes), (size_t)fields[RAW_LENGTH].number, arena,
			err);
	if (rc == 0)
		*out = batch;
	return rc;
}

int fw_batch_decode(const struct fw_batch *batch, uint32_t n_columns, const int64_t *state,
	int64_t *cells, struct fw_err *err)
{
	if (batch->backlog)
		return batch_decode_backlog(batch, n_columns, cells, err);
	if (!batch->key && !state)
		return fw_fail(err, -EINVAL, "batch: differences to a sweep that is not known");
	return batch_decode_live(batch, n_columns, batch->key ? NULL : state, cells, err);
}

int fw_batch_decode_some(const struct fw_batch *batch, uint32_t n_columns, const uint32_t *wanted,
	size_t n_wanted, int64_t *state, int64_t *cells, size_t to_column)
{
	const struct some some = {wanted, n_wanted, state, cells, to_column};
	assert(n_wanted == 0 || wanted[n_wanted - 1] < n_columns);
	return batch->backlog ? batch_some_backlog(batch, n_columns, &some)
			      : batch_some_live(batch, n_columns, &some);
}

int fw_batch_renumber(const uint8_t *data, size_t length, uint64_t seq, uint32_t schema,
	struct fw_buf *out, struct fw_err *err)
{
	struct bytes b = {data, data + length};
	size_t before = out->length;
	wire_put_number(out, SEQ, seq);
	wire_put_number(out, SCHEMA, schema);
	while (b.at < b.end) {
		const uint8_t *start = b.at;
		struct field field;
		if (!wire_cut_field(&b, &field)) {
			batch_take_back(out, before);
			return fw_fail(err, -EBADMSG, "batch: bytes that are no field");
		}
		if (field.id != SEQ && field.id != SCHEMA)
			fw_buf_append(out, start, (size_t)(b.at - start));
	}
	return 0;
}
