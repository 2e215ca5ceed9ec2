/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of files, as people write them: what they hold, and what is wrong with them. */
#include "register.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <fenwatch/buf.h>
#include <fenwatch/clock.h>
#include <fenwatch/file.h>

#include "test_tree.h"

struct stage {
	char dir[64];
	struct registry registry;
	struct fw_err err;
};

static int setup(void **state)
{
	struct stage *stage = fw_alloc(sizeof *stage);
	snprintf(stage->dir, sizeof stage->dir, "/tmp/fenwatch-register-XXXXXX");
	assert_non_null(mkdtemp(stage->dir));
	*state = stage;
	return 0;
}

static int teardown(void **state)
{
	struct stage *stage = *state;
	register_done(&stage->registry);
	int rc = test_remove_tree(stage->dir);
	fw_free(stage);
	return rc;
}

static void put(struct stage *stage, const char *name, const char *text)
{
	char path[256];
	struct fw_err err;
	snprintf(path, sizeof path, "%s/%s", stage->dir, name);
	if (fw_file_replace(path, text, strlen(text), 0600, &err) < 0)
		fail_msg("%s", err.text);
}

static void load(struct stage *stage)
{
	register_done(&stage->registry);
	if (register_load(&stage->registry, stage->dir, &stage->err) < 0)
		fail_msg("%s", stage->err.text);
}

static void expect_refused(struct stage *stage, const char *const *words)
{
	struct registry registry;
	assert_true(register_load(&registry, stage->dir, &stage->err) < 0);
	for (; *words; words++)
		if (!strstr(stage->err.text, *words))
			fail_msg("'%s' lacks '%s'", stage->err.text, *words);
}

static void no_folder_and_an_empty_one_hold_nothing(void **state)
{
	struct stage *stage = *state;
	load(stage);
	assert_int_equal(stage->registry.licences.count, 0);
	assert_int_equal(register_load(&stage->registry, NULL, &stage->err), 0);
	assert_int_equal(stage->registry.licences.count, 0);
}

static void licences_are_read(void **state)
{
	struct stage *stage = *state;
	char end[32];
	put(stage, "licences.yml",
		"# what we pay for\n"
		"licences:\n"
		"  - name: Oracle Database\n"
		"    packages: [oracle-xe, oracle-database*]\n"
		"    entitled: 12\n"
		"    expires: 2027-03-31\n"
		"    note: contract 4711, Jo in procurement\n"
		"  - {name: Zebra, packages: zebra-driver, entitled: 0}\n");
	load(stage);
	assert_int_equal(stage->registry.licences.count, 2);
	const struct register_licence *first = &stage->registry.licences.items[0];
	assert_string_equal(first->name, "Oracle Database");
	assert_int_equal(first->packages.count, 2);
	assert_string_equal(first->packages.items[1], "oracle-database*");
	assert_int_equal(first->entitled, 12);
	assert_string_equal(first->expires.day, "2027-03-31");
	assert_string_equal(
		fw_time_format(first->expires.end_ms, end, sizeof end), "2027-04-01T00:00:00.000Z");
	assert_string_equal(first->note, "contract 4711, Jo in procurement");
	assert_string_equal(first->place.file, "licences.yml");
	assert_int_equal(first->place.line, 3);
	assert_int_equal(first[1].entitled, 0);
	assert_null(first[1].expires.day);
	assert_null(first[1].note);
	assert_int_equal(first[1].packages.count, 1);
}

static void files_add_up_by_name(void **state)
{
	struct stage *stage = *state;
	put(stage, "b.yml", "licences: [{name: B, packages: bb, entitled: 1}]");
	put(stage, "a.yml",
		"licences: [{name: A, packages: aa, entitled: 1}, {name: C, packages: cc, entitled: 1}]");
	put(stage, "c.yml", "# nothing yet\nlicences:\n");
	put(stage, "a.yml~", "nonsense: [");
	put(stage, ".a.yml", "nonsense: [");
	put(stage, "README", "nonsense: [");
	load(stage);
	const struct register_licence *items = stage->registry.licences.items;
	assert_int_equal(stage->registry.licences.count, 3);
	assert_string_equal(items[0].name, "A");
	assert_string_equal(items[1].name, "C");
	assert_string_equal(items[2].name, "B");
	assert_string_equal(items[1].place.file, "a.yml");
	assert_string_equal(items[2].place.file, "b.yml");
}

#define ONE(more) "licences:\n  - {name: A, packages: aa, entitled: 1" more "}\n"

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *text, *words[4];
	} cases[] = {
		{"licenses: []", {"line 1", "licenses", "did you mean 'licences'?"}},
		{"licences: 3", {"line 1", "licences are a list"}},
		{"licences: {name: A}", {"line 1", "licences are a list"}},
		{"licences: [A]", {"line 1", "keys with values"}},
		{ONE(", expire: 2027-03-31"), {"line 2", "expire", "did you mean 'expires'?"}},
		{"licences:\n  - {name: A, packages: aa}", {"line 2", "entitled", "missing"}},
		{"licences:\n  - {name: A, entitled: 1}", {"line 2", "packages", "missing"}},
		{"licences:\n  - {packages: aa, entitled: 1}", {"line 2", "name", "missing"}},
		{"licences: [{name: A, packages: aa, entitled: many}]", {"whole number", "many"}},
		{"licences: [{name: A, packages: aa, entitled: -1}]", {"from 0 to 10000000"}},
		{"licences: [{name: '', packages: aa, entitled: 1}]", {"name", "1 to 100"}},
		{"licences: [{name: \"a\\nb\", packages: aa, entitled: 1}]", {"one line"}},
		{ONE(", note: \"a\\x07b\""), {"line 2", "note"}},
		{ONE(", expires: soon"), {"line 2", "2027-03-31"}},
		{ONE(", expires: 2027-02-30"), {"line 2", "2027-03-31"}},
		{ONE(", expires: 2027-3-1"), {"line 2", "2027-03-31"}},
		{ONE(", expires: [2027-03-31]"), {"line 2", "2027-03-31"}},
		{"licences: [{name: A, packages: [], entitled: 1}]", {"1 to 50 'packages'"}},
		{"licences: [{name: A, packages: {a: b}, entitled: 1}]", {"list"}},
		{"licences: [{name: A, packages: ['*'], entitled: 1}]", {"'*'", "2 characters"}},
		{"licences: [{name: A, packages: ['a*'], entitled: 1}]", {"'a*'", "2 characters"}},
		{"licences: [{name: A, packages: ['*aa'], entitled: 1}]", {"'*aa'", "NAME*"}},
		{"licences: [{name: A, packages: ['aa*b'], entitled: 1}]", {"'aa*b'", "NAME*"}},
		{"licences: [{name: A, packages: ['aa:amd64'], entitled: 1}]",
			{"'aa:amd64'", "without an architecture"}},
		{"licences:\n- name: A\n  entitled: 1\n  packages:\n  - aa-x\n  - bb\n  - aa*\n",
			{"line 5", "'aa-x' is covered by 'aa*'"}},
		{"licences: [{name: A, packages: [aa, aa], entitled: 1}]", {"covered by 'aa'"}},
		{ONE("") "  - {name: A, packages: bb, entitled: 1}\n",
			{"line 3", "licence 'A'", "'bad.yml', line 2"}},
		{"licences: [&a {name: A}]", {"anchor"}},
		{"licences: [", {"line"}},
	};
	struct stage *stage = *state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		put(stage, "bad.yml", cases[i].text);
		expect_refused(stage, cases[i].words);
		expect_refused(stage, (const char *const[]){stage->dir, "bad.yml", NULL});
	}
	put(stage, "bad.yml", ONE(""));
	load(stage);
}

static void one_name_in_two_files_is_a_mistake(void **state)
{
	struct stage *stage = *state;
	put(stage, "a.yml", ONE(""));
	put(stage, "b.yml", "\n" ONE(""));
	expect_refused(stage,
		(const char *const[]){"b.yml", "line 3", "licence 'A'", "'a.yml', line 2", NULL});
}

static void put_many(struct stage *stage, const char *file, char letter, int n)
{
	struct fw_buf text = {0};
	fw_buf_puts(&text, "licences:\n");
	for (int i = 0; i < n; i++)
		fw_buf_printf(&text, "- {name: %c%d, packages: aa, entitled: 1}\n", letter, i);
	put(stage, file, (const char *)text.data);
	fw_buf_done(&text);
}

static void there_are_limits(void **state)
{
	struct stage *stage = *state;
	struct fw_buf text = {0};
	put_many(stage, "a.yml", 'a', 600);
	put_many(stage, "b.yml", 'b', 400);
	load(stage);
	assert_int_equal(stage->registry.licences.count, 1000);
	put_many(stage, "c.yml", 'c', 1);
	expect_refused(stage, (const char *const[]){"c.yml", "line 2", "1000 licences", NULL});
	put(stage, "c.yml", "");
	fw_buf_puts(&text, "licences: [{name: A, entitled: 1, packages: [");
	for (int i = 0; i < 51; i++)
		fw_buf_printf(&text, "p%d, ", i);
	fw_buf_puts(&text, "]}]");
	put(stage, "a.yml", (const char *)text.data);
	expect_refused(stage, (const char *const[]){"a.yml", "1 to 50", NULL});
	fw_buf_done(&text);
}

static void too_many_files_and_too_much(void **state)
{
	struct stage *stage = *state;
	size_t length = 1 << 20;
	char name[32], *comment = fw_alloc(length + 1);
	memset(comment, '#', length);
	for (int i = 0; i < 17; i++) {
		snprintf(name, sizeof name, "%02d.yml", i);
		put(stage, name, comment);
	}
	expect_refused(stage, (const char *const[]){"16.yml", "larger than 16 MiB", NULL});
	for (int i = 0; i < 257; i++) {
		snprintf(name, sizeof name, "%02d.yml", i);
		put(stage, name, "");
	}
	expect_refused(stage, (const char *const[]){"257 files", "256", NULL});
	fw_free(comment);
}

/* A folder, a pipe that nobody writes to, a link into nothing. */
static void what_is_no_file_is_told(void **state)
{
	struct stage *stage = *state;
	char path[128];
	snprintf(path, sizeof path, "%s/x.yml", stage->dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_refused(stage, (const char *const[]){"x.yml", "is no file", NULL});
	assert_int_equal(remove(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	expect_refused(stage, (const char *const[]){"x.yml", "is no file", NULL});
	struct registry registry;
	assert_int_equal(register_load(&registry, "/nonexistent/r", &stage->err), -ENOENT);
	assert_non_null(strstr(stage->err.text, "'/nonexistent/r'"));
}

static const char *supplier_of(const struct stage *stage, const char *instance, const char *job)
{
	const struct fw_label labels[] = {{"instance", instance}, {"job", job}};
	const char *supplier = register_supplier(stage->registry.hosts, labels, 2);
	return supplier ? supplier : "nobody";
}

static void hosts_have_suppliers(void **state)
{
	struct stage *stage = *state;
	put(stage, "a.yml",
		"hosts:\n"
		"  - {match: {instance: 'lib-.*', job: node}, supplier: Contoso}\n"
		"  - {match: {instance: '.*-0[1-3]'}, supplier: Fabrikam}\n");
	put(stage, "b.yml",
		"hosts:\n"
		"  - {host: web01, supplier: Contoso}\n"
		"  - {host: lib-07, supplier: \"Northwind & Co\"}\n");
	load(stage);
	assert_string_equal(supplier_of(stage, "web01", "node"), "Contoso");
	assert_string_equal(supplier_of(stage, "web012", "node"), "nobody");
	assert_string_equal(supplier_of(stage, "lib-01", "node"), "Contoso");
	assert_string_equal(supplier_of(stage, "lib-01", "snmp"), "Fabrikam");
	assert_string_equal(supplier_of(stage, "lib-07", "node"), "Northwind & Co");
	assert_string_equal(supplier_of(stage, "x-lib-04", "node"), "nobody");
	assert_string_equal(supplier_of(stage, "", ""), "nobody");
}

/* Who answers a question meanwhile goes on with what it began with. */
static void hosts_outlive_their_register(void **state)
{
	struct stage *stage = *state;
	const struct fw_label labels[] = {{"instance", "web01"}};
	put(stage, "a.yml", "hosts: [{host: web01, supplier: Contoso}]");
	load(stage);
	struct register_hosts *held = register_hosts_hold(stage->registry.hosts);
	put(stage, "a.yml", "hosts: [{host: web01, supplier: Fabrikam}]");
	load(stage);
	assert_string_equal(register_supplier(held, labels, 1), "Contoso");
	assert_string_equal(supplier_of(stage, "web01", "node"), "Fabrikam");
	register_hosts_drop(held);
	assert_null(register_hosts_hold(NULL));
	assert_null(register_supplier(NULL, labels, 1));
}

static void mistakes_in_hosts_are_named(void **state)
{
	static const struct {
		const char *text, *words[3];
	} rows[] = {
		{"hosts: {host: a}", {"line 1", "hosts are a list"}},
		{"hosts:\n  - {host: a}", {"line 2", "supplier"}},
		{"hosts: [{supplier: a}]", {"either 'host' or 'match'"}},
		{"hosts: [{host: a, match: {job: b}, supplier: c}]", {"either 'host' or 'match'"}},
		{"hosts: [{match: {}, supplier: c}]", {"1 to 8 labels"}},
		{"hosts:\n- {match: {job: '('}, supplier: c}", {"line 2", "'(' is no expression"}},
		{"hosts: [{match: {job: [x]}, supplier: c}]", {"an expression has 1 to 255"}},
		{"hosts: [{host: a, supplier: ''}]", {"names have 1 to 255"}},
		{"hosts: [{host: a, suplier: x}]", {"did you mean 'supplier'?"}},
		{"hosts:\n- {host: a, supplier: x}\n- {host: a, supplier: y}",
			{"host 'a' stands in 'a.yml', line 2", "line 3"}},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		put(*state, "a.yml", rows[i].text);
		expect_refused(*state, rows[i].words);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(no_folder_and_an_empty_one_hold_nothing),
		TEST(licences_are_read),
		TEST(files_add_up_by_name),
		TEST(mistakes_are_named),
		TEST(one_name_in_two_files_is_a_mistake),
		TEST(there_are_limits),
		TEST(too_many_files_and_too_much),
		TEST(what_is_no_file_is_told),
		TEST(hosts_have_suppliers),
		TEST(hosts_outlive_their_register),
		TEST(mistakes_in_hosts_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
