/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of a device of this test's, by the modules that come with fenwatch-snmp; their
 * folder is the only argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <fenwatch/items.h>

#include "tables.h"

static const char *folder;

/* A number, or a text of `length` bytes. */
struct thing {
	const char *oid;
	int64_t number;
	const char *bytes;
	size_t length;
};

#define TEXT(oid, text)                        \
	{                                      \
		oid, 0, text, sizeof(text) - 1 \
	}
#define NUMBER(oid, number)          \
	{                            \
		oid, number, NULL, 0 \
	}

struct stage {
	struct fw_arena arena;
	struct tables *tables;
	struct fw_buf text;
};

static int set_up(void **state)
{
	static struct stage s;
	s = (struct stage){.tables = tables_new()};
	*state = &s;
	return 0;
}

static int tear_down(void **state)
{
	struct stage *s = *state;
	tables_free(s->tables);
	fw_buf_done(&s->text);
	fw_arena_done(&s->arena);
	return 0;
}

static void answer(const struct thing *things, const struct oid *behind, struct binding *out)
{
	*out = (struct binding){.name = *behind};
	for (const struct thing *t = things; t->oid; t++) {
		struct oid name;
		assert_true(oid_parse(t->oid, &name));
		if (oid_compare(name.ids, name.n, behind->ids, behind->n) <= 0)
			continue;
		*out = (struct binding){.name = name,
			.kind = t->bytes ? VALUE_TEXT : VALUE_INTEGER,
			.number = t->number,
			.bytes = (const uint8_t *)t->bytes,
			.length = t->length};
		return;
	}
}

static void read_by(struct stage *s, struct mib_module *module, const struct thing *things)
{
	const struct asking *asking;
	struct walk walk;
	walk_open(&walk, module, false);
	while ((asking = walk_next(&walk))) {
		struct binding bindings[WALK_GROUP];
		struct answer got = {.bindings = bindings, .n = asking->n};
		for (unsigned i = 0; i < asking->n; i++)
			answer(things, asking->names[i], &bindings[i]);
		walk_take(&walk, &got);
	}
	tables_add(s->tables, &walk, "10.9.0.1");
	walk_done(&walk);
}

/* `things` ascend, as a device has them. */
static void read_module(struct stage *s, const char *name, const struct thing *things)
{
	struct mib_module *module = fw_arena_alloc(&s->arena, sizeof *module);
	struct fw_err err;
	char path[512];
	snprintf(path, sizeof path, "%s/%s.yml", folder, name);
	if (module_load(path, &s->arena, module, &err) < 0)
		fail_msg("%s", err.text);
	read_by(s, module, things);
}

static void take(const char *kind, const struct fw_buf *lines, void *arg)
{
	struct stage *s = arg;
	fw_buf_printf(&s->text, "%s\n", kind);
	fw_buf_append(&s->text, lines->data, lines->length);
}

static void check_tables(struct stage *s, const char *expected)
{
	tables_end(s->tables, take, s);
	fw_buf_putc(&s->text, '\0');
	assert_string_equal((char *)s->text.data, expected);
}

static void test_ports_by_vlan(void **state)
{
	static const struct thing things[] = {NUMBER("1.3.6.1.2.1.17.1.4.1.2.3", 10103),
		NUMBER("1.3.6.1.2.1.17.4.3.1.2.2.0.0.0.0.80", 1), /* is not asked for */
		NUMBER("1.3.6.1.2.1.17.7.1.2.2.1.2.7.2.0.0.0.0.80", 3),
		NUMBER("1.3.6.1.2.1.17.7.1.2.2.1.2.7.2.0.0.0.0.81", 4),
		NUMBER("1.3.6.1.2.1.17.7.1.2.2.1.2.9.2.0.0.0.0.80", 3),
		NUMBER("1.3.6.1.2.1.17.7.1.2.2.1.2.9.2.0.0.0.0.255", 0),
		NUMBER("1.3.6.1.2.1.17.7.1.2.2.1.3.9.2.0.0.0.0.255", 4), /* its own */
		TEXT("1.3.6.1.2.1.31.1.1.1.1.10103", "Gi0/3"), {0}};
	struct stage *s = *state;
	read_module(s, "bridge", things);
	check_tables(s,
		"macs\n"
		"+02:00:00:00:00:50 7\tport=Gi0/3\n"
		"+02:00:00:00:00:50 9\tport=Gi0/3\n"
		"+02:00:00:00:00:51 7\tport=4\n");
}

static void test_ports_without_vlans(void **state)
{
	static const struct thing things[] = {TEXT("1.3.6.1.2.1.2.2.1.2.1", "eth3"),
		NUMBER("1.3.6.1.2.1.17.1.4.1.2.3", 1),
		NUMBER("1.3.6.1.2.1.17.4.3.1.2.2.0.0.0.0.80", 3),
		NUMBER("1.3.6.1.2.1.17.4.3.1.3.2.0.0.0.0.80", 3), {0}};
	struct stage *s = *state;
	read_module(s, "bridge", things);
	check_tables(s, "macs\n+02:00:00:00:00:50\tport=eth3\n");
}

static void test_addresses_of_both_kinds(void **state)
{
	static const struct thing things[] = {
		TEXT("1.3.6.1.2.1.4.35.1.4.2.1.4.10.9.0.80", "\x02\0\0\0\0P"),
		TEXT("1.3.6.1.2.1.4.35.1.4.2.1.4.10.9.0.81", ""),
		TEXT("1.3.6.1.2.1.4.35.1.4.2.1.4.127.0.0.1", "\x02\0\0\0\0P"),
		TEXT("1.3.6.1.2.1.4.35.1.4.2.1.4.224.0.0.5", "\x02\0\0\0\0P"),
		TEXT("1.3.6.1.2.1.4.35.1.4.2.2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.80",
			"\x02\0\0\0\0P"),
		TEXT("1.3.6.1.2.1.4.35.1.4.2.4.20.254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.80.0.0.0.2",
			"\x02\0\0\0\0P"),
		NUMBER("1.3.6.1.2.1.4.35.1.6.2.1.4.10.9.0.80", 3),
		TEXT("1.3.6.1.2.1.31.1.1.1.1.2", "Vlan7"), {0}};
	struct stage *s = *state;
	read_module(s, "arp", things);
	check_tables(s,
		"arp\n"
		"+10.9.0.80\tmac=02:00:00:00:00:50\tport=Vlan7\n"
		"+2001:db8::50\tmac=02:00:00:00:00:50\tport=Vlan7\n"
		"+fe80::50\tmac=02:00:00:00:00:50\tport=Vlan7\n");
}

static void test_addresses_of_an_old_router(void **state)
{
	static const struct thing things[] = {
		TEXT("1.3.6.1.2.1.4.22.1.2.2.10.9.0.80", "\x02\0\0\0\0P"),
		TEXT("1.3.6.1.2.1.4.22.1.2.2.10.9.0.81", "\x02\0\0\0\0Q"),
		NUMBER("1.3.6.1.2.1.4.22.1.4.2.10.9.0.81", 2), /* not any more */
		{0}};
	struct stage *s = *state;
	read_module(s, "arp", things);
	check_tables(s, "arp\n+10.9.0.80\tmac=02:00:00:00:00:50\tport=2\n");
}

/* What LLDP and CDP tell is one table; of one key that of the module which is named first. */
static void test_neighbours(void **state)
{
	static const struct thing lldp[] = {NUMBER("1.0.8802.1.1.2.1.3.7.1.2.5", 5),
		NUMBER("1.0.8802.1.1.2.1.3.7.1.2.6", 3),
		TEXT("1.0.8802.1.1.2.1.3.7.1.3.5", "Gi0/5"),
		TEXT("1.0.8802.1.1.2.1.3.7.1.3.6", "\x02\0\0\0\0\x06"),
		NUMBER("1.0.8802.1.1.2.1.4.1.1.4.0.5.1", 4),
		NUMBER("1.0.8802.1.1.2.1.4.1.1.4.0.6.1", 7),
		TEXT("1.0.8802.1.1.2.1.4.1.1.5.0.5.1", "\x02\0\0\0\0R"),
		TEXT("1.0.8802.1.1.2.1.4.1.1.5.0.6.1", "printer\twest"),
		NUMBER("1.0.8802.1.1.2.1.4.1.1.6.0.6.1", 3),
		TEXT("1.0.8802.1.1.2.1.4.1.1.7.0.6.1", "\x02\0\0\0\0S"),
		TEXT("1.0.8802.1.1.2.1.4.1.1.9.0.5.1", "phone"),
		NUMBER("1.0.8802.1.1.2.1.4.2.1.3.0.5.1.1.4.10.9.0.82", 2), {0}};
	static const struct thing cdp[] = {TEXT("1.3.6.1.2.1.31.1.1.1.1.5", "Gi0/5"),
		NUMBER("1.3.6.1.4.1.9.9.23.1.2.1.1.3.5.1", 1),
		NUMBER("1.3.6.1.4.1.9.9.23.1.2.1.1.3.7.4", 1),
		TEXT("1.3.6.1.4.1.9.9.23.1.2.1.1.4.7.4", "\x0a\x09\0T"),
		TEXT("1.3.6.1.4.1.9.9.23.1.2.1.1.6.5.1", "another"),
		TEXT("1.3.6.1.4.1.9.9.23.1.2.1.1.6.7.4", "router"), {0}};
	struct stage *s = *state;
	read_module(s, "lldp", lldp);
	read_module(s, "cdp", cdp);
	check_tables(s,
		"neighbours\n"
		"+6 1\tname=printer\\twest\tmac=02:00:00:00:00:53\n"
		"+7 4\tname=router\taddress=10.9.0.84\n"
		"+Gi0/5 1\tname=phone\tmac=02:00:00:00:00:52\taddress=10.9.0.82\n");
}

static void test_what_a_device_is(void **state)
{
	static const struct thing things[] = {TEXT("1.3.6.1.2.1.1.5.0", "edge-1"),
		TEXT("1.3.6.1.2.1.2.2.1.6.3", "\x02\0\0\0\0\x03"),
		NUMBER("1.3.6.1.2.1.4.20.1.2.10.9.0.1", 3),
		NUMBER("1.3.6.1.2.1.4.20.1.2.127.0.0.1", 3),
		TEXT("1.3.6.1.2.1.17.1.1.0", "\x02\0\0\0\0\x01"),
		NUMBER("1.3.6.1.2.1.47.1.1.1.1.5.1", 9), NUMBER("1.3.6.1.2.1.47.1.1.1.1.5.2", 3),
		TEXT("1.3.6.1.2.1.47.1.1.1.1.10.1", "of a card"),
		TEXT("1.3.6.1.2.1.47.1.1.1.1.10.2", "15.2(4)E8"),
		TEXT("1.3.6.1.2.1.47.1.1.1.1.11.2", "FOC1"),
		TEXT("1.3.6.1.2.1.47.1.1.1.1.13.1", "a card"),
		TEXT("1.3.6.1.2.1.47.1.1.1.1.13.2", "C2960"), {0}};
	struct stage *s = *state;
	read_module(s, "identity", things);
	check_tables(s,
		"device\n"
		"+10.9.0.1\taddress=10.9.0.1\tmac=02:00:00:00:00:03\n"
		"+device\taddress=10.9.0.1\tmac=02:00:00:00:00:01\tname=edge-1"
		"\tmodel=C2960\tfirmware=15.2(4)E8\tserial=FOC1\n");
}

static void test_a_table_of_nothing_is_one(void **state)
{
	static const struct thing none[] = {{0}};
	struct stage *s = *state;
	read_module(s, "bridge", none);
	check_tables(s, "macs\n");
}

static void test_modules_that_are_wrong(void **state)
{
	static const char columns[] = "columns: [{name: a, oid: 1.2.3}, {name: b, oid: 1.2.4}]\n";
	static const char *const cases[][2] = {
		{"documents: [{kind: arp, fields: {x: c}}]\n", "there is no column 'c'"},
		{"documents: [{kind: arp, fields: {x: a > c}}]\n", "there is no column 'c'"},
		{"documents: [{kind: 'A b', fields: {x: a}}]\n", "no kind of a document"},
		{"documents: [{kind: arp, rows: a, fields: {x: a}}]\n", "'key' must be"},
		{"documents: [{kind: arp, key: [a], fields: {x: a}}]\n", "goes with 'rows'"},
		{"documents: [{kind: arp, fields: {x: {from: a, where: b}}}]\n", "'is' or 'not'"},
		{"documents: [{kind: arp, fields: {x: {from: a, as: colour}}}]\n", "as"},
		{"documents: [{kind: arp, fields: {X-Y: a}}]\n", "a field is called"},
		{"documents: [{kind: arp, fields: {x: a > b > a > b > a}}]\n", "at most 4 columns"},
		{"documents: []\n", "go together"},
		{"scalars: [{name: ports, oid: 1.1.0}]\ndocuments: [{kind: arp, fields: {x: a}}]\n",
			"either metrics or documents"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fw_arena arena = {0};
		struct mib_module module;
		struct fw_err err = {""};
		char *text = fw_arena_format(&arena, "name: x\n%s%s", columns, cases[i][0]);
		assert_true(module_parse(text, strlen(text), &arena, &module, &err) < 0);
		if (!strstr(err.text, cases[i][1]))
			fail_msg("'%s' where '%s' was expected", err.text, cases[i][1]);
		fw_arena_done(&arena);
	}
}

#define AT_A_DEVICE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		AT_A_DEVICE(test_ports_by_vlan),
		AT_A_DEVICE(test_ports_without_vlans),
		AT_A_DEVICE(test_addresses_of_both_kinds),
		AT_A_DEVICE(test_addresses_of_an_old_router),
		AT_A_DEVICE(test_neighbours),
		AT_A_DEVICE(test_what_a_device_is),
		AT_A_DEVICE(test_a_table_of_nothing_is_one),
		cmocka_unit_test(test_modules_that_are_wrong),
	};
	if (argc != 2) {
		fputs("usage: test_tables FOLDER\n", stderr);
		return 2;
	}
	folder = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
