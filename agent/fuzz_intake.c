/* SPDX-License-Identifier: Apache-2.0 */
/* What a program could say on its connection, in one piece and in two: the first byte says
 * where it is cut, then come frames as type, length u16 and payload, to which the checksum
 * is made here. What is taken is encoded for the spool as adopt.c does it. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <fenwatch/buf.h>
#include <fenwatch/mem.h>

#include "intake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	int borrowed;
	uint64_t taken;
};

static uint32_t op_borrow(const struct fw_schema *schema, size_t *bytes, void *arg)
{
	struct seen *seen = arg;
	*bytes = schema->n_columns;
	if (schema->n_columns == 0 || schema->n_columns > FW_COLUMNS_LIMIT)
		abort();
	return (uint32_t)++seen->borrowed;
}

static void op_give_back(uint32_t id, void *arg)
{
	struct seen *seen = arg;
	if (id == 0 || seen->borrowed <= 0)
		abort();
	seen->borrowed--;
}

static bool op_has_room(enum fw_frame_type type, void *arg)
{
	(void)type;
	(void)arg;
	return true;
}

static void op_take(const struct handed *handed, void *arg)
{
	struct seen *seen = arg;
	struct fw_buf message = {0};
	seen->taken++;
	if (handed->type == FW_FRAME_BATCH && handed->host.length == 0)
		abort();
	if (handed->type == FW_FRAME_BATCH)
		fw_batch_encode_backlog(&handed->sweeps, 1, handed->schema, 1000, &message);
	else if (handed->type == FW_FRAME_DOCUMENT)
		fw_buf_append(&message, handed->document->body.data, handed->document->body.len);
	else if (fenwatch__wire__event__get_packed_size(handed->event) > 2 * INTAKE_EVENT_BYTES)
		abort();
	fw_buf_done(&message);
}

static const struct intake_ops ops = {op_borrow, op_give_back, op_has_room, op_take};

static uint64_t take(const uint8_t *data, size_t size, size_t first)
{
	struct seen seen = {0};
	struct intake *in = intake_new(&ops, &seen);
	ssize_t used = intake_take(in, data, first, NULL);
	if (used >= 0 && first < size)
		used = intake_take(in, data + used, size - (size_t)used, NULL);
	intake_free(in);
	if (seen.borrowed != 0)
		abort();
	return seen.taken;
}

static void put_frames(const uint8_t *data, size_t size, struct fw_buf *out)
{
	while (size >= 3) {
		size_t length = data[1] | (size_t)data[2] << 8;
		if (length > size - 3)
			length = size - 3;
		fw_frame_put(out, (enum fw_frame_type)data[0], data + 3, length);
		data += 3 + length;
		size -= 3 + length;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fw_buf said = {0};
	if (size == 0)
		return 0;
	put_frames(data + 1, size - 1, &said);
	size_t first = data[0] * said.length / 256;
	if (take(said.data, said.length, said.length) != take(said.data, said.length, first))
		abort();
	fw_buf_done(&said);
	return 0;
}
