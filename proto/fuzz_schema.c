/* SPDX-License-Identifier: Apache-2.0 */
/* Schemas, in two ways by the first byte.
 *
 * Even: the rest is a Schema message, perhaps a difference to a known base; what
 * can be read is written again and must read the same. Odd, as no fuzzer guesses
 * a SHA-256: the rest are the columns of two schemas, a byte each, and the second
 * is sent as a difference to the first. */
#include <stdlib.h>
#include <string.h>

#include <fenwatch/schema.h>
#include <fenwatch/wire.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PALETTE 255 /* columns to choose from; the byte 255 parts the two schemas */

static struct fw_label labels[PALETTE];
static struct fw_column palette[PALETTE];

static void mix_palette(void)
{
	static const char *const names[] = {"node_cpu_seconds_total", "node_load1", "up", "a"};
	static const char *const values[] = {"0", "1", "2", "3", "user", "system", "idle", "nice"};
	for (unsigned i = 0; i < PALETTE; i++) {
		labels[i] = (struct fw_label){"label", values[i / 4 % 8]};
		palette[i] = (struct fw_column){
			.name = names[i % 4],
			.labels = &labels[i],
			.n_labels = i / 32 % 2,
			.scale = (int8_t)(i / 64),
			.factor = 1,
			.type = FW_COUNTER,
		};
	}
}

static const struct fw_schema *find_base(const uint8_t *hash, void *arg)
{
	const struct fw_schema *known = arg;
	return known && memcmp(hash, known->hash, FW_SCHEMA_HASH) == 0 ? known : NULL;
}

static void expect_same(const struct fw_schema *schema, const struct fw_schema *against)
{
	struct fw_buf message = {0};
	struct fw_arena arena = {.limit = FW_WIRE_ARENA};
	struct fw_schema back;
	uint32_t id;
	fw_schema_encode(schema, 9, against, &message);
	if (fw_schema_decode(message.data, message.length, &arena, find_base, (void *)against, &id,
		    &back, NULL) < 0 ||
		id != 9 || memcmp(back.hash, schema->hash, FW_SCHEMA_HASH) != 0)
		abort();
	fw_arena_done(&arena);
	fw_buf_done(&message);
}

static bool same_series(const struct fw_column *a, const struct fw_column *b)
{
	struct fw_column like_b = *a;
	like_b.scale = b->scale;
	return fw_column_same(&like_b, b);
}

/* Takes columns until the parting byte; those whose series is there already are left out. */
static size_t choose(
	const uint8_t *data, size_t size, struct fw_column *columns, struct fw_schema *schema)
{
	size_t at = 0;
	*schema = (struct fw_schema){.columns = columns};
	for (; at < size && data[at] != PALETTE; at++) {
		uint32_t known = 0;
		while (known < schema->n_columns &&
			!same_series(&columns[known], &palette[data[at]]))
			known++;
		if (known == schema->n_columns)
			columns[schema->n_columns++] = palette[data[at]];
	}
	fw_schema_seal(schema);
	return at < size ? at + 1 : at;
}

static void compare_two(const uint8_t *data, size_t size)
{
	struct fw_column first_columns[PALETTE], second_columns[PALETTE];
	struct fw_schema first, second;
	size_t used = choose(data, size, first_columns, &first);
	choose(data + used, size - used, second_columns, &second);
	if (first.n_columns == 0 || second.n_columns == 0)
		return;
	expect_same(&first, NULL);
	expect_same(&second, &first);
	expect_same(&first, &second);
}

static void read_message(const uint8_t *data, size_t size)
{
	struct fw_arena arena = {.limit = FW_WIRE_ARENA};
	struct fw_schema base = {.n_columns = 24, .columns = palette + 32}, schema;
	uint32_t id;
	fw_schema_seal(&base);
	if (fw_schema_decode(data, size, &arena, find_base, &base, &id, &schema, NULL) == 0) {
		expect_same(&schema, NULL);
		expect_same(&schema, &base);
		expect_same(&schema, &schema);
	}
	fw_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mix_palette();
	if (size > 0 && data[0] % 2)
		compare_two(data + 1, size - 1);
	else if (size > 0)
		read_message(data + 1, size - 1);
	return 0;
}
