/* SPDX-License-Identifier: Apache-2.0 */
/* A whole recording: packets in turn into the tables, and what is told of them. Of each
 * packet: two bytes of length, one of milliseconds since the one before, its bytes. What
 * comes out must be a schema and tables that the agent takes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pcap/dlt.h>

#include <fenwatch/items.h>

#include "capture_report.h"
#include "seen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_all(struct watch *w, const uint8_t *data, size_t size, bool names)
{
	int64_t now_us = 1;
	while (size >= 3) {
		size_t length = (size_t)(data[0] << 8 | data[1]) & 0x3ff;
		struct packet p;
		now_us += data[2] * INT64_C(1000);
		data += 3;
		size -= 3;
		length = length < size ? length : size;
		packet_parse(&p, DLT_EN10MB, data, length, length, names);
		p.at_us = now_us;
		watch_packet(w, &p);
		data += length;
		size -= length;
	}
	watch_turn(w, now_us + 60000000);
}

static void check_report(const struct watch *w)
{
	const struct report_facts facts = {0};
	struct fw_buf message = {0};
	struct fw_arena arena = {0};
	struct fw_schema again;
	struct fw_err err;
	struct report r;
	uint32_t id;
	report_make(&r, w, &facts);
	fw_schema_encode(&r.schema, 1, NULL, &message);
	if (fw_schema_decode(message.data, message.length, &arena, NULL, NULL, &id, &again, &err) <
		0)
		abort();
	fw_arena_done(&arena);
	fw_buf_done(&message);
	report_done(&r);
}

static void check_table(const struct watch *w, enum seen_kind kind)
{
	struct fw_buf text;
	struct fw_items items;
	struct fw_item item;
	struct fw_err err;
	int rc;
	seen_write(&text, kind, w);
	fw_items_open(&items, text.data, text.length, true);
	while ((rc = fw_items_next(&items, &item, &err)) > 0)
		;
	if (rc < 0)
		abort();
	fw_buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct watch w;
	if (size < 1)
		return 0;
	watch_init(&w, 1, 7);
	w.shift = data[0] & 3;
	take_all(&w, data + 1, size - 1, data[0] & 4);
	check_report(&w);
	for (enum seen_kind kind = 0; kind < SEEN_KINDS; kind++)
		check_table(&w, kind);
	watch_done(&w);
	return 0;
}
