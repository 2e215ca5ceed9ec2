/* SPDX-License-Identifier: Apache-2.0 */
/* A body under zstd: varint length of `changed`, `changed`, varint length of
 * `deltas`, `deltas`, and `gone` up to the end. */
#include <errno.h>

#include "batch_body.h"
#include "little.h"
#include "squeeze.h"

#define RATIO_FREE_BYTES (64u << 10) /* up to here any ratio is accepted */

static void join(const struct body *body, struct fw_buf *raw)
{
	fw_buf_put_varint(raw, body->changed.length);
	fw_buf_append(raw, body->changed.data, body->changed.length);
	fw_buf_put_varint(raw, body->deltas.length);
	fw_buf_append(raw, body->deltas.data, body->deltas.length);
	fw_buf_append(raw, body->gone.data, body->gone.length);
}

static bool ratio_allowed(size_t raw_length, size_t packed_length)
{
	return raw_length <= RATIO_FREE_BYTES || raw_length / FW_BATCH_RATIO_LIMIT <= packed_length;
}

static void put_packed(struct fw_buf *out, const struct fw_buf *packed, size_t raw_length)
{
	wire_put_number(out, RAW_LENGTH, raw_length);
	wire_put_bytes(out, PACKED, packed->data, packed->length);
}

/* Packed where that is smaller and within the limits, plain otherwise. */
int batch_put_packed(struct fw_buf *out, const struct body *body)
{
	struct fw_buf raw = {0}, packed = {0};
	join(body, &raw);
	bool pack = raw.length <= FW_BATCH_RAW_LIMIT;
	int rc = pack ? squeeze(&packed, raw.data, raw.length) : 0;
	if (pack && rc == 0 && packed.length < raw.length &&
		ratio_allowed(raw.length, packed.length))
		put_packed(out, &packed, raw.length);
	else if (rc == 0)
		batch_put_body(out, body);
	fw_buf_done(&raw);
	fw_buf_done(&packed);
	return rc;
}

static bool cut_run(struct bytes *b, const uint8_t **run, size_t *length)
{
	uint64_t n;
	if (!bytes_varint(b, &n) || n > bytes_left(b))
		return false;
	*run = b->at;
	*length = (size_t)n;
	b->at += n;
	return true;
}

int batch_unpack(struct fw_batch *batch, const uint8_t *packed, size_t length, size_t raw_length,
	struct fw_arena *arena, struct fw_err *err)
{
	if (!ratio_allowed(raw_length, length))
		return fw_fail(
			err, -EMSGSIZE, "batch: packed more than %d to 1", FW_BATCH_RATIO_LIMIT);
	int rc = squeeze_check(packed, length, raw_length, err);
	if (rc < 0)
		return fw_fail_in(err, rc, "batch: packed");
	uint8_t *raw = fw_arena_try(arena, raw_length);
	if (!raw)
		return fw_fail(err, -ENOMEM, "batch: needs more memory than a message may");
	rc = unsqueeze(packed, length, raw, raw_length, err);
	if (rc < 0)
		return fw_fail_in(err, rc, "batch: packed");
	struct bytes b = {raw, raw + raw_length};
	if (!cut_run(&b, &batch->changed, &batch->changed_length) ||
		!cut_run(&b, &batch->deltas, &batch->deltas_length))
		return fw_fail(err, -EBADMSG, "batch: packed: cut short");
	batch->gone = b.at;
	batch->gone_length = bytes_left(&b);
	return 0;
}
