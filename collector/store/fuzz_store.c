/* SPDX-License-Identifier: Apache-2.0 */
/* What lies on disk, as if it were hostile: a log record, a block, the numbers
 * of streams. The input is taken as it is, as if its checksum were right. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/batch.h>
#include <fenwatch/mem.h>

#include "bytes.h"
#include "internal.h"

enum { COLUMNS = 16, INPUT_LIMIT = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at_part(const struct foreign_part *part, void *arg)
{
	(void)arg;
	for (size_t i = 1; i < part->n; i++)
		if (part->samples[i].at_ms <= part->samples[i - 1].at_ms)
			abort();
}

static void try_record(const uint8_t *at, size_t length)
{
	struct log_record record;
	struct agents agents = {0};
	if (!log_record_open(at, length, &record))
		return;
	if (record.kind == LOG_STREAMS)
		agents_take_entries(&agents, record.payload, record.length);
	else if (record.kind == LOG_SAMPLES || record.kind == LOG_BUNDLED)
		foreign_walk(&record, look_at_part, NULL);
	agents_done(&agents);
}

static void try_block(const uint8_t *at, size_t length)
{
	struct block_ref ref;
	struct block_home home;
	struct body_reader reader = {.arena = {.limit = 64 << 20}};
	if (block_open(at, length, &ref, &home)) {
		size_t head = block_head_bytes(&ref);
		body_read(
			&reader, &ref, at + head, length + ENVELOPE_BYTES - head, COLUMNS, NULL, 0);
	}
	body_done(&reader);
}

/* The first byte says which reader the rest is for. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > INPUT_LIMIT)
		return 0;
	size_t length = size - 1;
	uint8_t *whole = fw_alloc(ENVELOPE_BYTES + length);
	memcpy(whole + ENVELOPE_BYTES, data + 1, length);
	uint32_t magic = data[0] & 1 ? MAGIC_BLOCK : MAGIC_RECORD;
	envelope_seal(whole, magic, length, 0);
	if (data[0] & 2)
		whole[0] ^= data[0];
	if (envelope_open(whole, ENVELOPE_BYTES + length, magic, 0) >= 0)
		(data[0] & 1 ? try_block : try_record)(whole, length);
	fw_free(whole);
	return 0;
}
