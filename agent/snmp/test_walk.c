/* SPDX-License-Identifier: Apache-2.0 */
/* Walks against a device of this test's: a sorted list of names and numbers, which can
 * loop, refuse, be slow of understanding and never end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/buf.h>

#include "print.h"
#include "reading.h"
#include "walk.h"

static const char text[] = "name: test\n"
			   "scalars:\n"
			   "  - {name: ports, oid: 1.1.0}\n"
			   "tables:\n"
			   "  - index: [port]\n"
			   "    labels: {portName: 1.2.9}\n"
			   "    metrics:\n"
			   "      - {name: bytes64, oid: 1.2.1, type: counter}\n"
			   "      - {name: bytes32, oid: 1.2.2, type: counter, unless: bytes64}\n"
			   "      - {name: kind, oid: 1.2.3, type: enum, values: {6: ether}}\n"
			   "      - {name: mac, oid: 1.2.4, type: mac}\n"
			   "  - index: [port, queue]\n"
			   "    labels: {portName: 1.2.9}\n"
			   "    metrics: [{name: queued, oid: 1.3.1}]\n";

/* What a device has; texts where `bytes` is set. */
struct thing {
	const char *oid;
	int64_t number;
	const char *bytes;
};

enum manner { WELL, LOOPS, REFUSES, TOO_BIG, ENDLESS };

struct stage {
	struct fw_arena arena;
	struct mib_module module;
	struct walk walk;
	const struct thing *things;
	enum manner manner;
	unsigned asked;
};

static const struct thing modern[] = {{"1.1.0", 5, NULL}, {"1.2.1.1", 100, NULL},
	{"1.2.1.7", 700, NULL}, {"1.2.2.1", 99, NULL}, {"1.2.3.1", 6, NULL}, {"1.2.3.7", 8, NULL},
	{"1.2.4.1", 0, "\x00\x1b\xff"}, {"1.2.9.1", 0, "one"}, {"1.2.9.7", 0, "sev\x01"},
	{"1.3.1.1.3", 13, NULL}, {"1.3.1.7.4", 74, NULL}, {"1.4.1", 1, NULL}, {NULL, 0, NULL}};
static const struct thing old[] = {
	{"1.1.0", 5, NULL}, {"1.2.2.1", 99, NULL}, {"1.2.2.2", 98, NULL}, {NULL, 0, NULL}};

static int set_up(void **state)
{
	static struct stage s;
	struct fw_err err;
	s = (struct stage){.things = modern};
	if (module_parse(text, sizeof text - 1, &s.arena, &s.module, &err) < 0)
		fail_msg("%s", err.text);
	*state = &s;
	return 0;
}

static int tear_down(void **state)
{
	struct stage *s = *state;
	if (s->walk.module)
		walk_done(&s->walk);
	fw_arena_done(&s->arena);
	return 0;
}

/* The first thing behind `oid`, as a device answers a getnext. */
static void next_of(const struct stage *s, const struct oid *oid, struct binding *out)
{
	*out = (struct binding){.name = *oid};
	if (s->manner == ENDLESS && oid->n >= 3) {
		if (oid->n == 3)
			out->name.ids[out->name.n++] = 0;
		out->name.ids[out->name.n - 1]++;
		out->kind = VALUE_INTEGER;
		return;
	}
	for (const struct thing *t = s->things; t->oid; t++) {
		struct oid name;
		assert_true(oid_parse(t->oid, &name));
		if (oid_compare(name.ids, name.n, oid->ids, oid->n) <= 0)
			continue;
		out->name = name;
		out->kind = t->bytes ? VALUE_TEXT : VALUE_INTEGER;
		out->number = t->number;
		out->bytes = (const uint8_t *)t->bytes;
		out->length = t->bytes ? t->bytes[0] ? strlen(t->bytes) : 3 : 0;
		return;
	}
}

static void answer(struct stage *s, const struct asking *asking, struct answer *out)
{
	static struct binding bindings[512];
	unsigned rows = asking->repetitions ? asking->repetitions : 1;
	*out = (struct answer){.bindings = bindings};
	s->asked++;
	if (s->manner == TOO_BIG && asking->n * rows > 2)
		out->error = ANSWER_TOO_BIG;
	if (s->manner == REFUSES && asking->n > 1) {
		out->error = 16;
		out->error_index = 2;
	}
	for (unsigned row = 0; out->error == ANSWER_WELL && row < rows; row++)
		for (unsigned i = 0; i < asking->n; i++) {
			const struct oid *from = row && s->manner != LOOPS
				? &bindings[out->n - asking->n].name
				: asking->names[i];
			next_of(s, from, &bindings[out->n++]);
		}
}

static void walk_all(struct stage *s, bool bulk)
{
	const struct asking *asking;
	walk_open(&s->walk, &s->module, bulk);
	while ((asking = walk_next(&s->walk))) {
		struct answer got;
		assert_true(s->asked < 20000);
		assert_true(asking->n > 0 && asking->n <= WALK_GROUP);
		answer(s, asking, &got);
		walk_take(&s->walk, &got);
	}
}

/* All series without their HELP and TYPE, in Prometheus' form. */
static void check_series(struct stage *s, const char *expected)
{
	struct sweep *sweep = sweep_new();
	struct wraps *wraps = wraps_new();
	struct fw_buf all = {0}, lines = {0};
	unsigned room = READING_SERIES;
	sweep_begin(sweep, 1000);
	assert_true(reading_add(sweep, &s->walk, wraps, &room));
	sweep_end(sweep);
	print_sweep(sweep, &all);
	struct fw_cursor rest = {(char *)all.data, (char *)all.data + all.length}, line;
	while (fw_cut_line(&rest, &line))
		if (*line.at != '#')
			fw_buf_printf(&lines, "%.*s\n", (int)(line.end - line.at), line.at);
	assert_string_equal((char *)lines.data, expected);
	fw_buf_done(&lines);
	fw_buf_done(&all);
	wraps_free(wraps);
	sweep_free(sweep);
}

static const char modern_series[] = "ports 5\n"
				    "bytes64{port=\"1\",portName=\"one\"} 100\n"
				    "bytes64{port=\"7\",portName=\"sev\\\\x01\"} 700\n"
				    "kind_info{kind=\"ether\",port=\"1\",portName=\"one\"} 1\n"
				    "kind_info{kind=\"8\",port=\"7\",portName=\"sev\\\\x01\"} 1\n"
				    "mac{mac=\"00:1B:FF\",port=\"1\",portName=\"one\"} 1\n"
				    "queued{port=\"1\",portName=\"one\",queue=\"3\"} 13\n"
				    "queued{port=\"7\",portName=\"sev\\\\x01\",queue=\"4\"} 74\n";

static void test_a_table_is_joined(void **state)
{
	struct stage *s = *state;
	walk_all(s, true);
	check_series(s, modern_series);
	assert_null(walk_ended(&s->walk));
	assert_int_equal(s->walk.columns[3].n, 0); /* all ports have 64 bits: the 32 are not read */
	assert_true(s->asked <= 4);
}

static void test_one_after_another_gives_the_same(void **state)
{
	struct stage *s = *state;
	walk_all(s, false);
	check_series(s, modern_series);
}

static void test_what_is_too_big_is_asked_for_in_parts(void **state)
{
	struct stage *s = *state;
	s->manner = TOO_BIG;
	walk_all(s, true);
	check_series(s, modern_series);
}

static void test_32_bits_where_there_are_no_64(void **state)
{
	struct stage *s = *state;
	s->things = old;
	walk_all(s, true);
	check_series(s, "ports 5\nbytes32{port=\"1\"} 99\nbytes32{port=\"2\"} 98\n");
}

/* Port 2 is a slow one, and has none of 64: it takes those of 32, and the others stay. */
static void test_32_bits_of_the_ports_that_have_no_64(void **state)
{
	static const struct thing mixed[] = {{"1.1.0", 5, NULL}, {"1.2.1.1", 100, NULL},
		{"1.2.1.7", 700, NULL}, {"1.2.2.1", 99, NULL}, {"1.2.2.2", 98, NULL},
		{"1.2.2.7", 97, NULL}, {"1.2.9.1", 0, "one"}, {"1.2.9.2", 0, "two"},
		{NULL, 0, NULL}};
	struct stage *s = *state;
	s->things = mixed;
	walk_all(s, true);
	check_series(s,
		"ports 5\nbytes64{port=\"1\",portName=\"one\"} 100\n"
		"bytes64{port=\"7\"} 700\nbytes32{port=\"2\",portName=\"two\"} 98\n");
}

/* An index of a text, say: the rows behind it are there. */
static void test_a_name_as_long_as_can_be(void **state)
{
	char name[300] = "1.3.1.2";
	struct thing things[] = {{"1.3.1.1.3", 13, NULL}, {name, 25, NULL}, {"1.3.1.7.4", 74, NULL},
		{NULL, 0, NULL}};
	struct stage *s = *state;
	for (size_t n = 4, at = strlen(name); n < 128; n++)
		at += (size_t)snprintf(name + at, sizeof name - at, ".5");
	s->things = things;
	walk_all(s, true);
	assert_int_equal(s->walk.columns[s->module.n_columns - 1].n, 3);
	assert_int_equal(s->walk.columns[s->module.n_columns - 1].rows[1].n, 125);
	assert_null(walk_ended(&s->walk));
}

/* Each row comes again and again: the first of each is taken, then it ends. */
static void test_oids_that_loop_end_it(void **state)
{
	struct stage *s = *state;
	s->manner = LOOPS;
	walk_all(s, true);
	assert_string_equal(walk_ended(&s->walk), "its OIDs do not ascend");
	assert_true(s->asked < 10);
}

static void test_more_rows_than_are_allowed_end_it(void **state)
{
	struct stage *s = *state;
	s->manner = ENDLESS;
	walk_all(s, true);
	assert_string_equal(walk_ended(&s->walk), "it has more rows than are allowed");
	for (unsigned i = 0; i < s->module.n_columns; i++)
		assert_true(s->walk.columns[i].n <= WALK_ROWS);
	struct sweep *sweep = sweep_new();
	struct wraps *wraps = wraps_new();
	unsigned room = READING_SERIES;
	sweep_begin(sweep, 1000);
	assert_false(reading_add(sweep, &s->walk, wraps, &room));
	sweep_end(sweep);
	/* One series of one value, and rows of a port with three each. */
	assert_int_equal(sweep_schema(sweep)->n_columns, READING_SERIES - room);
	assert_int_equal(room, (READING_SERIES - 1) % 3);
	wraps_free(wraps);
	sweep_free(sweep);
}

/* A port is there with all that it has, or not at all. */
static void test_what_has_no_room_is_left_out_by_rows(void **state)
{
	struct stage *s = *state;
	struct sweep *sweep = sweep_new();
	struct wraps *wraps = wraps_new();
	struct fw_buf all = {0};
	unsigned room = 5; /* 1 + 3 of port 1; port 7 has 2 more */
	walk_all(s, true);
	sweep_begin(sweep, 1000);
	assert_false(reading_add(sweep, &s->walk, wraps, &room));
	sweep_end(sweep);
	print_sweep(sweep, &all);
	const char *is = (char *)all.data;
	assert_int_equal(room, 1);
	assert_non_null(strstr(is, "\nports 5\n"));
	assert_non_null(strstr(is, "\nbytes64{port=\"1\",portName=\"one\"} 100\n"));
	assert_non_null(strstr(is, "\nkind_info{kind=\"ether\",port=\"1\""));
	assert_non_null(strstr(is, "\nmac{mac=\"00:1B:FF\",port=\"1\""));
	assert_null(strstr(is, "port=\"7\""));
	fw_buf_done(&all);
	wraps_free(wraps);
	sweep_free(sweep);
}

/* One row of every column, with a text of `length` bytes and a name as long as can be. */
static void answer_with_texts(const struct asking *asking, size_t length, struct answer *out)
{
	static struct binding bindings[WALK_GROUP];
	static uint8_t bytes[WALK_TEXT];
	for (unsigned i = 0; i < asking->n; i++) {
		struct oid *name = &bindings[i].name;
		bool first = asking->names[i]->n < OID_LIMIT;
		*name = *asking->names[i];
		while (name->n < OID_LIMIT)
			name->ids[name->n++] = 0;
		name->ids[OID_LIMIT - 1] += !first;
		bindings[i].kind = VALUE_TEXT;
		bindings[i].bytes = bytes;
		bindings[i].length = length;
	}
	*out = (struct answer){.bindings = bindings, .n = asking->n};
}

static void test_more_memory_than_is_allowed_ends_it(void **state)
{
	struct stage *s = *state;
	const struct asking *asking;
	struct answer got;
	size_t n = 0;
	walk_open(&s->walk, &s->module, true);
	while ((asking = walk_next(&s->walk))) {
		answer_with_texts(asking, WALK_TEXT, &got);
		walk_take(&s->walk, &got);
	}
	assert_string_equal(walk_ended(&s->walk), "its rows take more memory than is allowed");
	assert_true(s->walk.arena.used <= WALK_BYTES + 4096);
	for (unsigned i = 0; i < s->module.n_columns; i++)
		n += s->walk.columns[i].n;
	assert_true(n > 8000); /* what devices say has room */
}

static void test_what_is_refused_ends_with_a_reason(void **state)
{
	struct stage *s = *state;
	s->manner = REFUSES;
	walk_all(s, true);
	assert_string_equal(walk_ended(&s->walk), "the device refuses it");
}

static void test_modules_that_are_wrong(void **state)
{
	static const char *const cases[][2] = {
		{"name: x\n", "reads nothing"},
		{"name: x\nscalars: [{name: a, oid: 1.x}]\n", "no numeric OID"},
		{"name: x\nscalars: [{name: 1a, oid: 1.2.0}]\n", "no name of a metric"},
		{"name: x\nscalars: [{name: a, oid: 1.2.0, unless: b}]\n", "before it"},
		{"name: x\nscalars: [{name: a, oyd: 1.2.0}]\n", "did you mean 'oid'"},
		{"name: x\ntables: [{index: [a-b], metrics: []}]\n", "no name of a label"},
		{"name: x\nscalars: [{name: a, oid: 1.2.0, type: enum, values: [3]}]\n",
			"NUMBER: NAME"},
		{"name: x\ntables:\n  - {index: [i, i], metrics: []}\n",
			"line 3: there are two labels 'i'"},
		{"name: x\ntables:\n  - index: [i]\n    labels: {i: 1.2}\n    metrics: []\n",
			"line 4: there are two labels 'i'"},
		{"name: x\ntables:\n  - index: [i]\n    labels:\n      a: 1.2\n      job: 1.3\n"
		 "    metrics: []\n",
			"line 6: no label can be called 'job'"},
		{"name: x\ntables: [{index: [instance], metrics: []}]\n", "'instance'"},
		{"name: x\ntables: [{index: [__name__], metrics: []}]\n", "'__name__'"},
		{"name: x\nscalars:\n  - {name: instance, oid: 1.2.0, type: text}\n",
			"line 3: 'instance' would be"},
		{"name: x\nscalars:\n  - {name: a, oid: 1.2.0}\n  - {name: up, oid: 1.3.0}\n",
			"line 4: no metric of a module can be called 'up'"},
		{"name: x\nscalars: [{name: snmp_scrape_duration_seconds, oid: 1.2.0}]\n",
			"can be called 'snmp_scrape_duration_seconds'"},
		{"name: x\nscalars: [{name: fenwatch_host, oid: 1.2.0, type: enum}]\n",
			"can be called 'fenwatch_host_info'"},
		{"name: x\nscalars: [{name: a, oid: 1.2.0, unless: a}]\n", "before it"},
		{"name: x\nscalars: [{name: a, oid: 1.2.0, values: {1: b}}]\n", "type: enum"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fw_arena arena = {0};
		struct mib_module module;
		struct fw_err err = {""};
		assert_true(
			module_parse(cases[i][0], strlen(cases[i][0]), &arena, &module, &err) < 0);
		if (!strstr(err.text, cases[i][1]))
			fail_msg("'%s' where '%s' was expected", err.text, cases[i][1]);
		fw_arena_done(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_table_is_joined, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_one_after_another_gives_the_same, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_is_too_big_is_asked_for_in_parts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_32_bits_where_there_are_no_64, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_32_bits_of_the_ports_that_have_no_64, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_name_as_long_as_can_be, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_oids_that_loop_end_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_more_rows_than_are_allowed_end_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_has_no_room_is_left_out_by_rows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_more_memory_than_is_allowed_ends_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_is_refused_ends_with_a_reason, set_up, tear_down),
		cmocka_unit_test(test_modules_that_are_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
