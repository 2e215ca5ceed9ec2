/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/schema.h>
#include <fenwatch/wire.h>

#define COLUMNS(...)                                                                               \
	{                                                                                          \
		.n_columns = sizeof((struct fw_column[]){__VA_ARGS__}) / sizeof(struct fw_column), \
		.columns = (struct fw_column[])                                                    \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

#define LOAD                                                                    \
	{                                                                       \
		.name = "node_load1", .scale = 2, .factor = 1, .type = FW_GAUGE \
	}
#define BOOT                                                                    \
	{                                                                       \
		.name = "node_boot_time_seconds", .factor = 1, .type = FW_GAUGE \
	}
#define DOUBLE                                                           \
	{                                                                \
		.name = "d", .factor = 1, .type = FW_UNTYPED | FW_DOUBLE \
	}
#define CPU(mode)                                                                           \
	{                                                                                   \
		.name = "node_cpu_seconds_total",                                           \
		.labels = (struct fw_label[]){{"cpu", "0"}, {"mode", mode}}, .n_labels = 2, \
		.scale = 2, .factor = 1, .type = FW_COUNTER                                 \
	}

static const struct fw_schema *find_one(const uint8_t *hash, void *arg)
{
	const struct fw_schema *schema = arg;
	return memcmp(hash, schema->hash, FW_SCHEMA_HASH) == 0 ? schema : NULL;
}

static bool same(const struct fw_schema *a, const struct fw_schema *b)
{
	if (a->n_columns != b->n_columns || memcmp(a->hash, b->hash, FW_SCHEMA_HASH) != 0)
		return false;
	for (uint32_t i = 0; i < a->n_columns; i++)
		if (!fw_column_same(&a->columns[i], &b->columns[i]))
			return false;
	return true;
}

/* Encodes against `base`, reads it back, compares; gives the message's length. */
static size_t trip(struct fw_schema *schema, struct fw_schema *base)
{
	struct fw_buf message = {0};
	struct fw_arena arena = {.limit = FW_WIRE_ARENA};
	struct fw_schema back;
	struct fw_err err = {{0}};
	uint32_t id = 0;
	fw_schema_seal(schema);
	if (base)
		fw_schema_seal(base);
	fw_schema_encode(schema, 7, base, &message);
	int rc = fw_schema_decode(message.data, message.length, &arena, base ? find_one : NULL,
		base, &id, &back, &err);
	assert_string_equal(err.text, "");
	assert_int_equal(rc, 0);
	assert_int_equal(id, 7);
	assert_true(same(schema, &back));
	size_t length = message.length;
	fw_arena_done(&arena);
	fw_buf_done(&message);
	return length;
}

static void test_round_trip(void **unused)
{
	(void)unused;
	struct fw_schema one = COLUMNS(LOAD);
	struct fw_schema all = COLUMNS(LOAD, CPU("idle"), DOUBLE, CPU("user"), BOOT);
	trip(&one, NULL);
	trip(&all, NULL);
}

static void test_hash_is_of_the_columns(void **unused)
{
	(void)unused;
	struct fw_schema a = COLUMNS(LOAD, BOOT), b = COLUMNS(BOOT, LOAD), c = COLUMNS(LOAD, BOOT);
	struct fw_column other[] = {LOAD, BOOT};
	struct fw_schema d = {.n_columns = 2, .columns = other};
	fw_schema_seal(&a);
	fw_schema_seal(&b);
	fw_schema_seal(&c);
	assert_memory_equal(a.hash, c.hash, FW_SCHEMA_HASH);
	assert_memory_not_equal(a.hash, b.hash, FW_SCHEMA_HASH);
	other[1].scale = -1;
	fw_schema_seal(&d);
	assert_memory_not_equal(a.hash, d.hash, FW_SCHEMA_HASH);
	other[1].scale = 0;
	other[1].factor = 4096;
	fw_schema_seal(&d);
	assert_memory_not_equal(a.hash, d.hash, FW_SCHEMA_HASH);
}

static void test_differences(void **unused)
{
	(void)unused;
	struct fw_schema base = COLUMNS(LOAD, CPU("idle"), CPU("system"), CPU("user"), BOOT);
	struct fw_schema same_again = COLUMNS(LOAD, CPU("idle"), CPU("system"), CPU("user"), BOOT);
	struct fw_schema front = COLUMNS(CPU("idle"), CPU("system"), CPU("user"), BOOT);
	struct fw_schema back =
		COLUMNS(LOAD, CPU("idle"), CPU("system"), CPU("user"), BOOT, DOUBLE);
	struct fw_schema mid = COLUMNS(LOAD, CPU("idle"), CPU("nice"), CPU("user"), BOOT);
	struct fw_schema more = COLUMNS(DOUBLE, LOAD, CPU("idle"), CPU("iowait"), CPU("nice"),
		CPU("system"), CPU("user"), BOOT);
	struct fw_schema less = COLUMNS(CPU("system"));
	struct fw_schema moved = COLUMNS(BOOT, CPU("user"), CPU("system"), CPU("idle"), LOAD);
	struct fw_schema others = COLUMNS(DOUBLE);
	size_t whole = trip(&base, NULL);
	assert_true(trip(&same_again, &base) < 42);
	assert_true(trip(&front, &base) < whole / 2);
	trip(&back, &base);
	trip(&mid, &base);
	trip(&more, &base);
	trip(&less, &base);
	trip(&moved, &base);
	assert_true(trip(&others, &base) <= trip(&others, NULL));
}

static void test_changed_scale_is_another_column(void **unused)
{
	(void)unused;
	struct fw_column columns[] = {BOOT, CPU("idle"), LOAD, CPU("user"), DOUBLE};
	struct fw_schema base = COLUMNS(BOOT, CPU("idle"), LOAD, CPU("user"), DOUBLE);
	struct fw_schema schema = {.n_columns = 5, .columns = columns};
	columns[2].scale = 3;
	trip(&schema, &base);
}

static void test_base_not_known(void **unused)
{
	(void)unused;
	struct fw_schema base = COLUMNS(LOAD, BOOT), other = COLUMNS(DOUBLE), out;
	struct fw_buf message = {0};
	struct fw_arena arena = {0};
	uint32_t id;
	fw_schema_seal(&base);
	fw_schema_seal(&other);
	fw_schema_encode(&base, 1, &base, &message);
	assert_int_equal(fw_schema_decode(message.data, message.length, &arena, find_one, &other,
				 &id, &out, NULL),
		-ENOENT);
	assert_int_equal(
		fw_schema_decode(message.data, message.length, &arena, NULL, NULL, &id, &out, NULL),
		-ENOENT);
	fw_arena_done(&arena);
	fw_buf_done(&message);
}

static struct fw_schema make_wide(struct fw_arena *arena, uint32_t n, uint32_t skip)
{
	struct fw_column *columns = fw_arena_alloc(arena, n * sizeof *columns);
	for (uint32_t i = 0; i < n; i++) {
		struct fw_label *labels = fw_arena_alloc(arena, 2 * sizeof *labels);
		labels[0] =
			(struct fw_label){"device", fw_arena_format(arena, "sd%u", i / 10 * skip)};
		labels[1] = (struct fw_label){"part", i % 2 ? "odd" : "even"};
		columns[i] = (struct fw_column){
			.name = fw_arena_format(arena, "node_disk_metric_%u", i % 10),
			.labels = labels,
			.n_labels = 2,
			.factor = i + 1,
			.type = FW_COUNTER,
		};
	}
	return (struct fw_schema){.n_columns = n, .columns = columns};
}

static void test_wide(void **unused)
{
	(void)unused;
	struct fw_arena arena = {0};
	struct fw_schema wide = make_wide(&arena, 5000, 1), other = make_wide(&arena, 5000, 2);
	size_t whole = trip(&wide, NULL);
	assert_true(whole < FW_FRAME_LIMIT / 4);
	assert_true(trip(&wide, &wide) < 42);
	trip(&other, &wide);
	wide = make_wide(&arena, FW_COLUMNS_LIMIT, 1);
	trip(&wide, NULL);
	fw_arena_done(&arena);
}

/* A message as somebody else might build it. */
struct crafted {
	Fenwatch__Wire__Schema message;
	uint8_t hash[FW_SCHEMA_HASH], type[4];
	const char *symbols[8];
	uint32_t name[4], n_labels[4], label[8], factor[4], splice[6];
	int32_t scale[4];
};

/* Two columns: node_load1 and node_cpu_seconds_total{cpu="0",mode="user"}. */
static void craft(struct crafted *c)
{
	*c = (struct crafted){
		.message = FENWATCH__WIRE__SCHEMA__INIT,
		.type = {FW_GAUGE, FW_COUNTER},
		.symbols = {"node_load1", "node_cpu_seconds_total", "cpu", "0", "mode", "user", "",
			""},
		.name = {0, 1},
		.n_labels = {0, 2},
		.label = {2, 3, 4, 5},
		.factor = {1, 1},
		.scale = {2, 2},
	};
	struct fw_schema schema = COLUMNS(LOAD, CPU("user"));
	fw_schema_seal(&schema);
	memcpy(c->hash, schema.hash, sizeof c->hash);
	Fenwatch__Wire__Schema *m = &c->message;
	m->hash = (ProtobufCBinaryData){sizeof c->hash, c->hash};
	m->type = (ProtobufCBinaryData){2, c->type};
	m->n_symbol = 6, m->symbol = (char **)c->symbols;
	m->n_name = m->n_n_labels = m->n_scale = m->n_factor = 2;
	m->name = c->name, m->n_labels = c->n_labels, m->scale = c->scale, m->factor = c->factor;
	m->n_label = 4, m->label = c->label;
	m->splice = c->splice;
}

static int read_crafted(const struct crafted *c, const struct fw_schema *base, const char *why)
{
	struct fw_buf message = {0};
	struct fw_arena arena = {.limit = FW_WIRE_ARENA};
	struct fw_schema out;
	struct fw_err err;
	uint32_t id;
	size_t length = protobuf_c_message_get_packed_size(&c->message.base);
	message.length =
		protobuf_c_message_pack(&c->message.base, fw_buf_reserve(&message, length));
	int rc = fw_schema_decode(message.data, message.length, &arena, base ? find_one : NULL,
		(void *)base, &id, &out, &err);
	if (rc < 0)
		assert_string_equal(err.text, why);
	fw_arena_done(&arena);
	fw_buf_done(&message);
	return rc;
}

#define REFUSED(change, why)                                             \
	do {                                                             \
		craft(&c);                                               \
		change;                                                  \
		assert_int_equal(read_crafted(&c, NULL, why), -EBADMSG); \
	} while (0)

static void test_refusals(void **unused)
{
	(void)unused;
	struct crafted c;
	craft(&c);
	assert_int_equal(read_crafted(&c, NULL, ""), 0);
	REFUSED(c.hash[3] ^= 1, "schema: its hash does not match");
	REFUSED(c.message.hash.len = 15, "schema: a hash of the wrong length");
	REFUSED(c.message.n_scale = 1, "schema: lists of different lengths");
	REFUSED(c.message.type.len = 1, "schema: lists of different lengths");
	REFUSED(c.n_labels[0] = 1, "schema: labels that belong to no column");
	REFUSED(c.n_labels[1] = 33, "schema: a column with too many labels");
	REFUSED(c.name[0] = 6, "schema: a symbol that is not there");
	REFUSED(c.label[3] = UINT32_MAX, "schema: a symbol that is not there");
	REFUSED(c.symbols[5] = "", "schema: a name or value that is empty or too long");
	REFUSED(c.symbols[5] = "\x1b[2J", "Schema.symbol: a control character");
	REFUSED(c.scale[0] = 19, "schema: a type, scale or factor out of range");
	REFUSED(c.scale[1] = -19, "schema: a type, scale or factor out of range");
	REFUSED(c.factor[0] = 0, "schema: a type, scale or factor out of range");
	REFUSED(c.type[0] = 3, "schema: a type, scale or factor out of range");
	REFUSED(c.type[0] = 16, "schema: a type, scale or factor out of range");
	REFUSED(c.label[0] = 4; c.label[2] = 2, "schema: labels out of order");
	REFUSED(c.label[2] = 2, "schema: labels out of order");
	REFUSED(c.name[1] = 0; c.n_labels[1] = 0;
		c.message.n_label = 0, "schema: 'node_load1' twice with the same labels");
	REFUSED(c.message.n_name = c.message.n_n_labels = c.message.n_scale = c.message.n_factor =
			c.message.type.len = c.message.n_label = 0,
		"schema: fewer or more columns than its splices say");
}

static void test_long_symbol(void **unused)
{
	(void)unused;
	static char text[FW_SYMBOL_LIMIT + 2];
	struct crafted c;
	memset(text, 'x', FW_SYMBOL_LIMIT + 1);
	REFUSED(c.symbols[5] = text, "schema: a name or value that is empty or too long");
	text[FW_SYMBOL_LIMIT] = '\0';
	REFUSED(c.symbols[5] = text, "schema: its hash does not match");
}

static void test_splices(void **unused)
{
	(void)unused;
	static const struct {
		uint32_t splice[6];
		size_t n;
		const char *why;
	} cases[] = {
		{{1, 1, 2}, 3, NULL},
		{{1, 1, 1, 2, 0, 1}, 6, NULL},
		{{1, 1}, 2, "schema: splices that are cut short"},
		{{1, 1, 1}, 3, "schema: fewer or more columns than its splices say"},
		{{1, 1, 3}, 3, "schema: fewer or more columns than its splices say"},
		{{1, 2, 2}, 3, "schema: a splice out of order or out of range"},
		{{3, 0, 2}, 3, "schema: a splice out of order or out of range"},
		{{1, UINT32_MAX, 2}, 3, "schema: a splice out of order or out of range"},
		{{1, 1, 1, 1, 0, 1}, 6, "schema: a splice out of order or out of range"},
	};
	struct fw_schema base = COLUMNS(BOOT, DOUBLE), whole = COLUMNS(BOOT, LOAD, CPU("user"));
	fw_schema_seal(&base);
	fw_schema_seal(&whole);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct crafted c;
		craft(&c);
		memcpy(c.hash, whole.hash, sizeof c.hash);
		memcpy(c.splice, cases[i].splice, sizeof c.splice);
		c.message.n_splice = cases[i].n;
		c.message.base_hash = (ProtobufCBinaryData){FW_SCHEMA_HASH, base.hash};
		assert_int_equal(
			read_crafted(&c, &base, cases[i].why), cases[i].why ? -EBADMSG : 0);
	}
}

static void test_too_many_columns(void **unused)
{
	(void)unused;
	enum { MANY = FW_COLUMNS_LIMIT + 1 };
	static uint32_t ones[MANY];
	static uint8_t types[MANY];
	struct crafted c;
	craft(&c);
	c.message.n_name = c.message.n_n_labels = c.message.n_factor = c.message.n_scale = MANY;
	c.message.name = c.message.n_labels = c.message.factor = ones;
	c.message.scale = (int32_t *)ones;
	c.message.type = (ProtobufCBinaryData){MANY, types};
	assert_int_equal(read_crafted(&c, NULL, "schema: 16385 columns; at most 16384 are allowed"),
		-EMSGSIZE);
}

/* A base and a difference that together go past the limit. */
static void test_too_many_columns_with_base(void **unused)
{
	(void)unused;
	struct fw_arena arena = {0};
	struct fw_schema base = make_wide(&arena, FW_COLUMNS_LIMIT, 1);
	struct crafted c;
	fw_schema_seal(&base);
	craft(&c);
	c.splice[2] = 2;
	c.message.n_splice = 3;
	c.message.base_hash = (ProtobufCBinaryData){FW_SCHEMA_HASH, base.hash};
	assert_int_equal(
		read_crafted(&c, &base, "schema: more columns than are allowed"), -EMSGSIZE);
	fw_arena_done(&arena);
}

static void test_every_prefix_and_bit(void **unused)
{
	(void)unused;
	struct fw_schema schema = COLUMNS(LOAD, CPU("idle"), DOUBLE), base = COLUMNS(LOAD, BOOT),
			 out;
	struct fw_buf message = {0};
	struct fw_arena arena = {0};
	uint32_t id;
	fw_schema_seal(&schema);
	fw_schema_seal(&base);
	fw_schema_encode(&schema, 3, &base, &message);
	for (size_t length = 0; length < message.length; length++)
		assert_true(fw_schema_decode(message.data, length, &arena, find_one, &base, &id,
				    &out, NULL) < 0);
	for (size_t bit = 0; bit < 8 * message.length; bit++) {
		message.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		int rc = fw_schema_decode(
			message.data, message.length, &arena, find_one, &base, &id, &out, NULL);
		assert_true(rc < 0 || same(&schema, &out)); /* the id may differ, the columns not */
		message.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		fw_arena_reset(&arena);
	}
	fw_arena_done(&arena);
	fw_buf_done(&message);
}

static void test_values(void **unused)
{
	(void)unused;
	const struct fw_column cents = {.scale = 2, .factor = 1}, pages = {.factor = 4096};
	const struct fw_column thousands = {.scale = -3, .factor = 1}, real = DOUBLE;
	const double pi = 3.14159;
	int64_t bits;
	uint64_t stale_bits;
	memcpy(&bits, &pi, sizeof bits);
	assert_true(fw_column_value(&cents, 314) == 3.14);
	assert_true(fw_column_value(&cents, -1) == -0.01);
	assert_true(fw_column_value(&pages, 3) == 12288);
	assert_true(fw_column_value(&thousands, 7) == 7000);
	assert_true(fw_column_value(&real, bits) == pi);
	double stale = fw_column_value(&cents, INT64_MIN);
	memcpy(&stale_bits, &stale, sizeof stale_bits);
	assert_true(isnan(stale) && stale_bits == FW_STALE_NAN_BITS);
}

/* Every double has a cell of its own, and only the stale NaN has that of no value. */
static void test_cells_of_doubles(void **state)
{
	static const uint64_t values[] = {0, 0x8000000000000000, 1, 0x8000000000000001,
		0x3ff0000000000000, 0x7ff0000000000000, 0xfff0000000000000, FW_STALE_NAN_BITS,
		0x7ff0000000000001, 0x7ff8000000000000, 0xffffffffffffffff};
	(void)state;
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		double value, back;
		memcpy(&value, &values[i], sizeof value);
		int64_t cell = fw_double_cell(value);
		assert_int_equal(cell == INT64_MIN, values[i] == FW_STALE_NAN_BITS);
		back = fw_cell_double(cell);
		assert_memory_equal(&back, &value, sizeof back);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_hash_is_of_the_columns),
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_changed_scale_is_another_column),
		cmocka_unit_test(test_base_not_known),
		cmocka_unit_test(test_wide),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_long_symbol),
		cmocka_unit_test(test_splices),
		cmocka_unit_test(test_too_many_columns),
		cmocka_unit_test(test_too_many_columns_with_base),
		cmocka_unit_test(test_every_prefix_and_bit),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_cells_of_doubles),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
