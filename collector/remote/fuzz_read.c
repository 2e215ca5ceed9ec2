/* SPDX-License-Identifier: Apache-2.0 */
/* A body of remote_read, answered from a few series in memory. With bit 0 of the first byte
 * the rest is the message itself and is packed here, so that what lies behind the packing
 * is reached, too. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>

#include "bodies.h"
#include "memory.h"
#include "read.h"
#include "remote.h"

#define SAMPLES 1000 /* that one request may have */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void load(struct promql_memory *memory)
{
	struct fw_err err;
	promql_memory_load(
		memory, "up{instance=\"a\",job=\"x\"}", "1x150 stale 0 NaN -0", 0, 1000, &err);
	promql_memory_load(memory, "up{instance=\"b\"}", "0+5x20 stale stale", 500, 1000, &err);
	promql_memory_load(memory, "load", "1e300 -Inf 0.1", 0, 60000, &err);
}

static void answer(const struct fw_buf *body, struct promql_memory *memory)
{
	struct fw_arena arena = {.limit = REMOTE_ARENA_LIMIT};
	struct fw_buf out = {0};
	const bool canceled = false;
	struct remote_read read = {
		.body = body->data,
		.length = body->length,
		.data = promql_memory_data(memory),
		.max_samples = SAMPLES,
		.canceled = &canceled,
		.arena = &arena,
		.out = &out,
	};
	struct fw_err err;
	int rc = remote_read(&read, &err);
	assert(rc == 0 || rc == -EINVAL || rc == -EBADMSG || rc == -E2BIG || rc == -EMSGSIZE ||
		rc == -ENOMEM);
	assert(rc < 0 || read.content_type);
	fw_buf_done(&out);
	fw_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct promql_memory memory = {0};
	struct fw_buf plain = {0}, body = {0};
	if (size < 1)
		return 0;
	load(&memory);
	fw_buf_append(&plain, data + 1, size - 1);
	if (data[0] & 1)
		body_pack(BODY_SNAPPY, &plain, &body);
	answer(data[0] & 1 ? &body : &plain, &memory);
	promql_memory_done(&memory);
	fw_buf_done(&plain);
	fw_buf_done(&body);
	return 0;
}
