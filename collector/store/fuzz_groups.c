/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a block in groups. */
#include <fenwatch/crc.h>

#include "bytes.h"
#include "columns_bytes.h"
#include "fuzz_body.h"

static void seal_groups(const struct columns *c, uint8_t *body, size_t length)
{
	uint8_t *at = body + FRONT_HEAD_BYTES;
	size_t from = columns_front_bytes(body, length);
	for (uint32_t i = 0; i < get_u16(body + 2); i++, at += FRONT_GROUP_BYTES) {
		size_t bytes = get_u16(at);
		if (c->end < body + from || bytes > (size_t)(c->end - body) - from)
			return;
		put_u32(at + 2, fw_crc32c(0, body + from, bytes));
		from += bytes;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_body(data, size, columns_open_groups, seal_groups);
}
