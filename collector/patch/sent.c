/* SPDX-License-Identifier: Apache-2.0 */
#include "sent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/buf.h>
#include <fenwatch/items.h>
#include <fenwatch/wire.h>

#include "inventory.h"
#include "store.h"

#define HOUR_S 3600

const char *sent_table(struct fw_arena *arena, int64_t at_s, const char *fixes)
{
	return fw_arena_format(arena, "%s" OS "+source/apt\tstate=ok\tfetched=%lld\n", fixes,
		(long long)(at_s - HOUR_S));
}

static void pack(uint64_t seq, int64_t at_s, const char *text, struct fw_buf *out)
{
	Fenwatch__Wire__Document document = FENWATCH__WIRE__DOCUMENT__INIT;
	struct fw_buf body = {0};
	assert_int_equal(fw_items_pack(&body, (const uint8_t *)text, strlen(text), NULL), 0);
	document.seq = seq;
	document.kind = (char *)(uintptr_t) "patches";
	document.revision = seq;
	document.whole = true;
	document.at_ms = at_s * 1000;
	document.body.data = body.data;
	document.body.len = body.length;
	document.raw_length = (uint32_t)strlen(text);
	size_t size = fenwatch__wire__document__get_packed_size(&document);
	out->length += fenwatch__wire__document__pack(&document, fw_buf_reserve(out, size));
	fw_buf_done(&body);
}

void sent_take(
	struct inventory *inventory, uint32_t host, uint64_t seq, int64_t at_s, const char *text)
{
	struct fw_buf message = {0};
	struct fw_err err;
	pack(seq, at_s, text, &message);
	const struct store_record record = {.kind = STORE_DOCUMENT,
		.agent = {(uint8_t)host},
		.stream = host,
		.seq = seq,
		.host = host,
		.received_ms = at_s * 1000,
		.payload = message.data,
		.length = message.length};
	if (inventory_take(inventory, &record, &err) < 0)
		fail_msg("%s", err.text);
	fw_buf_done(&message);
}
