/* SPDX-License-Identifier: Apache-2.0 */
/* A device that answers whatever it likes: its bytes are names, kinds and errors. The walk
 * ends, within the rows that are allowed, and what it gives makes a sweep, or tables that may
 * travel. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/items.h>

#include "reading.h"
#include "tables.h"
#include "walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
	"name: test\n"
	"scalars: [{name: ports, oid: 1.1.0}, {name: load, oid: 1.5.0, type: float}]\n"
	"tables:\n"
	"  - index: [port, queue]\n"
	"    labels: {portName: 1.2.9}\n"
	"    metrics:\n"
	"      - {name: bytes64, oid: 1.2.1, type: counter}\n"
	"      - {name: bytes32, oid: 1.2.2, type: counter, unless: bytes64}\n"
	"      - {name: kind, oid: 1.2.3, type: enum, values: {6: ether}}\n"
	"      - {name: mac, oid: 1.2.4, type: mac}\n";

static const char tables_text[] =
	"name: test\n"
	"columns:\n"
	"  - {name: up, oid: 1.1.0}\n"
	"  - {name: a, oid: 1.2.1}\n"
	"  - {name: b, oid: 1.2.2, unless: a}\n"
	"  - {name: c, oid: 1.3}\n"
	"documents:\n"
	"  - {kind: arp, rows: a, index: [x, y], where: c, not: [1],\n"
	"     key: [{from: y, as: address}, x], needs: [mac],\n"
	"     fields: {mac: {from: a, as: mac}, port: [x > b > c, a > b, x]}}\n"
	"  - {kind: arp, rows: b, index: [x], key: [{from: b, as: address}, {from: c, rest: true}],\n"
	"     fields: {address: {from: c, as: address, rest: true}, mac: {from: x, as: mac}}}\n"
	"  - {kind: device, fields: {name: up, model: {from: a, where: c, is: [0, 3]}, at: asked}}\n";

struct input {
	const uint8_t *at, *end;
};

static uint8_t byte(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static void take_binding(struct input *in, const struct oid *asked, struct binding *out)
{
	uint8_t how = byte(in);
	*out = (struct binding){.name = *asked, .kind = (enum value_kind)(how % 5)};
	if (how & 0x80 && out->name.n < OID_LIMIT)
		out->name.ids[out->name.n++] = byte(in);
	else
		out->name.ids[out->name.n - 1] += byte(in);
	out->number = (int8_t)byte(in);
	out->real = (double)out->number * (how & 0x40 ? 1e300 : 1);
	out->length = out->kind == VALUE_TEXT ? byte(in) : 0;
	if (out->length > (size_t)(in->end - in->at))
		out->length = (size_t)(in->end - in->at);
	out->bytes = in->at;
	in->at += out->length;
	out->oid = out->name;
}

static void take_answer(struct input *in, const struct asking *asking, struct walk *w)
{
	static struct binding bindings[64];
	struct answer answer = {.bindings = bindings, .error = byte(in) & 0x3f};
	if (answer.error > 20)
		answer.error = ANSWER_WELL;
	answer.error_index = byte(in);
	unsigned n = byte(in) % 64;
	while (answer.n < n && in->at < in->end) {
		take_binding(in, asking->names[answer.n % asking->n], &bindings[answer.n]);
		answer.n++;
	}
	walk_take(w, &answer);
}

/* As the agent reads it. */
static void check_table(const char *kind, const struct fw_buf *lines, void *arg)
{
	struct fw_items items;
	struct fw_item item;
	struct fw_err err;
	int rc;
	(void)arg;
	if (!fw_document_kind_valid(kind) || lines->length > FW_ITEMS_RAW_LIMIT)
		abort();
	fw_items_open(&items, lines->data, lines->length, true);
	while ((rc = fw_items_next(&items, &item, &err)) > 0)
		;
	if (rc < 0)
		abort();
}

static void use(const struct walk *walk)
{
	unsigned room = READING_SERIES;
	struct sweep *sweep = sweep_new();
	struct wraps *wraps = wraps_new();
	struct tables *tables = tables_new();
	sweep_begin(sweep, 1000);
	reading_add(sweep, walk, wraps, &room);
	sweep_end(sweep);
	wraps_free(wraps);
	sweep_free(sweep);
	tables_add(tables, walk, "10.0.0.1");
	tables_end(tables, check_table, NULL);
	tables_free(tables);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, data + size};
	struct fw_arena arena = {0};
	struct mib_module module;
	struct walk walk;
	const struct asking *asking;
	unsigned asked = 0;
	bool of_tables = size > 0 && data[0] & 2;
	const char *is = of_tables ? tables_text : text;
	if (module_parse(is, strlen(is), &arena, &module, NULL) < 0)
		abort();
	walk_open(&walk, &module, size > 0 && data[0] & 1);
	while ((asking = walk_next(&walk))) {
		if (++asked > size + 64)
			abort(); /* nothing more to say, and it still asks */
		take_answer(&in, asking, &walk);
	}
	use(&walk);
	walk_done(&walk);
	fw_arena_done(&arena);
	return 0;
}
