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
	struct registry *registry;
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
	register_drop(stage->registry);
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
	register_drop(stage->registry);
	if (register_load(&stage->registry, stage->dir, &stage->err) < 0)
		fail_msg("%s", stage->err.text);
}

static void expect_refused(struct stage *stage, const char *const *words)
{
	struct registry *registry;
	assert_true(register_load(&registry, stage->dir, &stage->err) < 0);
	for (; *words; words++)
		if (!strstr(stage->err.text, *words))
			fail_msg("'%s' lacks '%s'", stage->err.text, *words);
}

static const struct register_licence *licences_of(const struct stage *stage, size_t count)
{
	size_t n;
	const struct register_licence *licences = register_licences(stage->registry, &n);
	assert_int_equal(n, count);
	return licences;
}

static void no_folder_and_an_empty_one_hold_nothing(void **state)
{
	struct stage *stage = *state;
	load(stage);
	licences_of(stage, 0);
	register_drop(stage->registry);
	assert_int_equal(register_load(&stage->registry, NULL, &stage->err), 0);
	licences_of(stage, 0);
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
	const struct register_licence *first = licences_of(stage, 2);
	assert_string_equal(first->entry.name, "Oracle Database");
	assert_int_equal(first->packages.count, 2);
	assert_string_equal(first->packages.items[1], "oracle-database*");
	assert_int_equal(first->entitled, 12);
	assert_string_equal(first->expires.day, "2027-03-31");
	assert_string_equal(
		fw_time_format(first->expires.end_ms, end, sizeof end), "2027-04-01T00:00:00.000Z");
	assert_string_equal(first->note, "contract 4711, Jo in procurement");
	assert_string_equal(first->entry.file, "licences.yml");
	assert_int_equal(first->entry.line, 3);
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
	const struct register_licence *items = licences_of(stage, 3);
	assert_string_equal(items[0].entry.name, "A");
	assert_string_equal(items[1].entry.name, "C");
	assert_string_equal(items[2].entry.name, "B");
	assert_string_equal(items[1].entry.file, "a.yml");
	assert_string_equal(items[2].entry.file, "b.yml");
}

#define ONE(more) "licences:\n  - {name: A, packages: aa, entitled: 1" more "}\n"

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *text, *words[5];
	} cases[] = {
		{"licenses: []", {"line 1", "licenses", "did you mean 'licences'?"}},
		{"licences: 3", {"line 1", "a list is expected"}},
		{"licences: {name: A}", {"line 1", "a list is expected"}},
		{"licences: [A]", {"line 1", "keys with values"}},
		{ONE(", expire: 2027-03-31"), {"line 2", "expire", "did you mean 'expires'?"}},
		{"licences:\n  - {name: A, packages: aa}", {"line 2", "entitled", "missing"}},
		{"licences:\n  - {name: A, entitled: 1}", {"line 2", "packages", "missing"}},
		{"licences:\n  - {packages: aa, entitled: 1}", {"line 2", "name", "missing"}},
		{"licences: [{name: A, packages: aa, entitled: many}]", {"whole number", "many"}},
		{"licences: [{name: A, packages: aa, entitled: -1}]", {"from 0 to 10000000"}},
		{"licences: [{name: '', packages: aa, entitled: 1}]", {"name", "1 to 255"}},
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
		expect_refused(stage, (const char *const[]){"bad.yml", NULL});
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
	licences_of(stage, 1000);
	put_many(stage, "c.yml", 'c', 1);
	expect_refused(stage, (const char *const[]){"c.yml", "line 2", "1000", NULL});
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
	struct registry *registry;
	assert_int_equal(register_load(&registry, "/nonexistent/r", &stage->err), -ENOENT);
	assert_non_null(strstr(stage->err.text, "'/nonexistent/r'"));
}

static const char *supplier_of(const struct stage *stage, const char *instance, const char *job)
{
	const struct fw_label labels[] = {{"instance", instance}, {"job", job}};
	const char *supplier = register_host_supplier(stage->registry, labels, 2);
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

static void expect_line_of(const struct stage *stage, const char *site, const char *supplier)
{
	const char *found = register_site(stage->registry, site)->supplier;
	assert_string_equal(found ? found : "nobody", supplier);
}

static void lines_of_sites_have_suppliers(void **state)
{
	struct stage *stage = *state;
	put(stage, "a.yml",
		"sites:\n"
		"  - {name: Room, parent: Station}\n"
		"  - {name: Station, parent: County, links: [typo, bos-rtr1]}\n"
		"  - {name: Hall, parent: County, links: [bos-rtr1], supplier: Contoso}\n"
		"  - {name: Depot, parent: County}\n"
		"  - {name: County, supplier: Northwind}\n"
		"  - {name: Elsewhere}\n"
		"hosts: [{match: {instance: '.*-rtr1'}, supplier: Fabrikam}]\n");
	load(stage);
	expect_line_of(stage, "Hall", "Contoso");
	expect_line_of(stage, "Station", "Fabrikam");
	expect_line_of(stage, "Room", "Fabrikam");
	expect_line_of(stage, "Depot", "Northwind");
	expect_line_of(stage, "Elsewhere", "nobody");
	put(stage, "b.yml", "suppliers: [{name: Fabrikam}, {name: Northwind}]");
	expect_refused(stage,
		(const char *const[]){"a.yml", "line 4", "there is no supplier 'Contoso'", NULL});
}

static void a_supplier_that_is_not_listed_is_told_from_those_that_are(void **state)
{
	struct stage *stage = *state;
	struct fw_err err;
	put(stage, "a.yml", "hosts: [{host: web01, supplier: Contoso}]");
	load(stage);
	assert_int_equal(register_check_supplier(stage->registry, "anybody", &err), 0);
	put(stage, "a.yml", "suppliers: [{name: Contoso}, {name: Fabrikam}]");
	load(stage);
	assert_int_equal(register_check_supplier(stage->registry, "Contoso", &err), 0);
	assert_int_equal(register_check_supplier(stage->registry, "Contso", &err), -EINVAL);
	assert_string_equal(
		err.text, "the register has no supplier 'Contso'; did you mean 'Contoso'?");
}

static void expect_suppliers(const struct stage *stage, const char *expected)
{
	struct fw_arena arena = {0};
	struct fw_text_list names = register_supplier_names(stage->registry, &arena);
	char found[128] = "";
	for (size_t i = 0; i < names.count; i++)
		snprintf(
			found + strlen(found), sizeof found - strlen(found), "%s ", names.items[i]);
	assert_string_equal(found, expected);
	fw_arena_done(&arena);
}

static void suppliers_are_those_that_are_listed_or_else_those_of_hosts(void **state)
{
	struct stage *stage = *state;
	load(stage);
	expect_suppliers(stage, "");
	put(stage, "a.yml",
		"hosts:\n"
		"  - {match: {instance: 'lib-.*'}, supplier: Fabrikam}\n"
		"  - {host: web01, supplier: Contoso}\n"
		"  - {host: web02}\n");
	load(stage);
	expect_suppliers(stage, "Contoso Fabrikam ");
	put(stage, "b.yml", "suppliers: [{name: Fabrikam}, {name: Contoso}, {name: Northwind}]");
	load(stage);
	expect_suppliers(stage, "Contoso Fabrikam Northwind ");
}

/* Who answers a question meanwhile goes on with what it began with. */
static void a_register_lives_while_it_is_held(void **state)
{
	struct stage *stage = *state;
	const struct fw_label labels[] = {{"instance", "web01"}};
	put(stage, "a.yml", "hosts: [{host: web01, supplier: Contoso}]");
	load(stage);
	struct registry *held = register_hold(stage->registry);
	put(stage, "a.yml", "hosts: [{host: web01, supplier: Fabrikam}]");
	load(stage);
	assert_string_equal(register_host_supplier(held, labels, 1), "Contoso");
	assert_string_equal(supplier_of(stage, "web01", "node"), "Fabrikam");
	register_drop(held);
}

static void mistakes_in_hosts_are_named(void **state)
{
	static const struct {
		const char *text, *words[4];
	} rows[] = {
		{"hosts: {host: a}", {"line 1", "a list is expected"}},
		{"hosts: [{supplier: a}]", {"either 'host' or 'match'"}},
		{"hosts: [{host: a, match: {job: b}, supplier: c}]", {"either 'host' or 'match'"}},
		{"hosts: [{match: {}, supplier: c}]", {"1 to 8 labels"}},
		{"hosts:\n- {match: {job: '('}, supplier: c}", {"line 2", "'(' is no expression"}},
		{"hosts: [{match: {job: [x]}, supplier: c}]", {"an expression has 1 to 255"}},
		{"hosts: [{host: a, supplier: ''}]", {"'supplier' is one line of 1 to 255"}},
		{"hosts: [{host: a, suplier: x}]", {"did you mean 'supplier'?"}},
		{"hosts:\n- {host: a, supplier: x}\n- {host: a, supplier: y}",
			{"host 'a' stands in 'a.yml', line 2", "line 3"}},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		put(*state, "a.yml", rows[i].text);
		expect_refused(*state, rows[i].words);
	}
}

static const char tree[] =
	"calendars:\n"
	"  - name: library\n"
	"    hours: {tue-fri: ['09:00-12:00', '13:00-17:00'], sat: '09:00-12:00'}\n"
	"    days: {2026-12-24: '09:00-11:00', 2026-12-29: closed}\n"
	"sites:\n"
	"  - {name: Boston library, parent: Boston, calendar: library, tier: standard,\n"
	"     days: {2026-12-24: closed, 2026-12-30: all day}}\n"
	"  - {name: Boston, parent: County, tier: blue-light, links: [bos-rtr1, bos-rtr2]}\n"
	"  - {name: County, calendar: office, address: \"Newland, Lincoln\", telephone: 01522 1}\n"
	"  - {name: Boston fire station, parent: Boston}\n";

static int64_t worked_h(const struct calendar *calendar, const char *from, const char *to)
{
	int64_t from_ms, to_ms;
	assert_int_equal(fw_time_parse(from, &from_ms), 0);
	assert_int_equal(fw_time_parse(to, &to_ms), 0);
	return calendar_worked_ms(calendar, from_ms, to_ms) / 3600000;
}

static void sites_have_what_their_parents_say(void **state)
{
	struct stage *stage = *state;
	put(stage, "sites.yml", tree);
	load(stage);
	const struct register_site *library = register_site(stage->registry, "Boston library");
	const struct register_site *station = register_site(stage->registry, "Boston fire station");
	const struct register_site *boston = register_site(stage->registry, "Boston");
	assert_ptr_equal(library->parent, boston);
	assert_ptr_equal(boston->parent, register_site(stage->registry, "County"));
	assert_int_equal(library->tier, TIER_STANDARD);
	assert_int_equal(station->tier, TIER_BLUE_LIGHT);
	assert_int_equal(boston->parent->tier, TIER_STANDARD);
	assert_string_equal(station->calendar.name, "office");
	assert_string_equal(boston->links.items[1], "bos-rtr2");
	assert_string_equal(boston->parent->address, "Newland, Lincoln");
	assert_null(register_site(stage->registry, "Grimsby"));
	/* Its own days before the calendar's: nothing on the 24th, 24 hours on the 30th. */
	assert_int_equal(
		worked_h(&library->calendar, "2026-12-22T00:00:00Z", "2027-01-01T00:00:00Z"),
		7 + 7 + 0 + 0 + 3 * 0 + 0 + 24 + 7);
}

static void suppliers_have_contacts_and_hours(void **state)
{
	struct stage *stage = *state;
	put(stage, "a.yml",
		"suppliers:\n"
		"  - name: Contoso\n"
		"    towers: [servers, storage]\n"
		"    calendar: office\n"
		"    contacts:\n"
		"      - {name: Duty desk, telephone: 01522 552222, mail: desk@contoso.example}\n"
		"      - {name: Jo}\n"
		"  - {name: Fabrikam}\n");
	load(stage);
	const struct register_supplier *contoso = register_supplier(stage->registry, "Contoso");
	assert_string_equal(contoso->towers.items[1], "storage");
	assert_int_equal(contoso->n_contacts, 2);
	assert_string_equal(contoso->contacts[0].mail, "desk@contoso.example");
	assert_null(contoso->contacts[1].telephone);
	assert_string_equal(contoso->calendar.name, "office");
	assert_string_equal(register_supplier(stage->registry, "Fabrikam")->calendar.name, "24x7");
	assert_null(register_supplier(stage->registry, "Northwind"));
}

static void each_key_of_a_host_is_of_the_first_row_that_says_it(void **state)
{
	struct stage *stage = *state;
	const struct fw_label labels[] = {{"instance", "bos-db1"}};
	struct register_host host;
	put(stage, "sites.yml", tree);
	put(stage, "hosts.yml",
		"hosts:\n"
		"  - {match: {instance: 'bos-.*'}, site: Boston, supplier: Contoso, owner: Fire}\n"
		"  - {match: {instance: '.*-db.*'}, owner: DBA team, class: server, vip: true,\n"
		"     lifecycle: retiring, retires: 2027-06-30}\n"
		"  - {host: bos-db1, supplier: Fabrikam, tier: vip, contract: no. 4711,\n"
		"     contract_ends: 2027-03-31, rack: B7, start: ask first}\n");
	load(stage);
	register_host(stage->registry, labels, 1, &host);
	assert_string_equal(host.texts[HOST_SUPPLIER], "Fabrikam");
	assert_string_equal(host.texts[HOST_OWNER], "Fire");
	assert_string_equal(host.texts[HOST_CLASS], "server");
	assert_string_equal(host.texts[HOST_RACK], "B7");
	assert_null(host.texts[HOST_SERIAL]);
	assert_string_equal(host.site->entry.name, "Boston");
	assert_int_equal(host.tier, TIER_VIP);
	assert_true(host.vip);
	assert_int_equal(host.life.is, LIFE_RETIRING);
	assert_string_equal(host.life.retires.day, "2027-06-30");
	assert_string_equal(host.contract_ends.day, "2027-03-31");
}

#define JUNE_30 INT64_C(1814313600000) /* 2027-06-30, its first moment */
#define LIFE_DAY INT64_C(86400000)

static enum register_lifecycle life_at(struct stage *stage, const char *name, int64_t at_ms)
{
	const struct fw_label labels[] = {{"instance", name}};
	struct register_host host;
	struct register_life life;
	register_host(stage->registry, labels, 1, &host);
	register_host_life(stage->registry, labels, 1, &life);
	assert_int_equal(life.is, host.life.is);
	assert_true(life.retires.end_ms == host.life.retires.end_ms);
	return register_lifecycle_at(&life, at_ms);
}

static void a_life_goes_by_the_day(void **state)
{
	struct stage *stage = *state;
	put(stage, "hosts.yml",
		"hosts:\n"
		"  - {match: {instance: '.*-old'}, lifecycle: retired}\n"
		"  - {match: {instance: '.*'}, retires: 2027-06-30}\n"
		"  - {host: a, lifecycle: retiring}\n"
		"  - {host: b, lifecycle: retired}\n"
		"  - {host: c, lifecycle: planned}\n"
		"  - {host: d}\n");
	load(stage);
	assert_int_equal(life_at(stage, "a", JUNE_30 + LIFE_DAY - 1), LIFE_RETIRING);
	assert_int_equal(life_at(stage, "a", JUNE_30 + LIFE_DAY), LIFE_RETIRED);
	assert_int_equal(life_at(stage, "b", JUNE_30 - 1), LIFE_RETIRING);
	assert_int_equal(life_at(stage, "b", JUNE_30), LIFE_RETIRED);
	assert_int_equal(life_at(stage, "x-old", JUNE_30), LIFE_RETIRED);
	assert_int_equal(life_at(stage, "c", JUNE_30 + 2 * LIFE_DAY), LIFE_PLANNED);
	assert_int_equal(life_at(stage, "d", JUNE_30 + 2 * LIFE_DAY), LIFE_LIVE);
	put(stage, "hosts.yml", "hosts: [{host: b, lifecycle: retired}]");
	load(stage);
	assert_int_equal(life_at(stage, "b", 0), LIFE_RETIRED);
}

static void who_is_in_service(void **state)
{
	(void)state;
	assert_false(register_is_in_service(LIFE_PLANNED));
	assert_true(register_is_in_service(LIFE_LIVE));
	assert_true(register_is_in_service(LIFE_RETIRING));
	assert_false(register_is_in_service(LIFE_RETIRED));
}

/* Of its tier a host says nothing; its site does. */
static void a_host_without_a_word_is_live_and_standard(void **state)
{
	struct stage *stage = *state;
	const struct fw_label labels[] = {{"instance", "web01"}};
	struct register_host host;
	put(stage, "sites.yml", tree);
	load(stage);
	register_host(stage->registry, labels, 1, &host);
	assert_null(host.site);
	assert_int_equal(host.tier, TIER_STANDARD);
	assert_int_equal(host.life.is, LIFE_LIVE);
	put(stage, "hosts.yml", "hosts: [{host: web01, site: Boston fire station}]");
	load(stage);
	register_host(stage->registry, labels, 1, &host);
	assert_int_equal(host.tier, TIER_BLUE_LIGHT);
}

static int priority_of(const struct stage *stage, const char *instance, const char *severity)
{
	const struct fw_label labels[] = {{"instance", instance}};
	struct register_host host;
	register_host(stage->registry, labels, 1, &host);
	return register_priority(stage->registry, &host, severity);
}

static void priorities_are_impact_by_urgency(void **state)
{
	struct stage *stage = *state;
	put(stage, "a.yml",
		"hosts: [{host: bl, tier: blue-light}, {host: vip, vip: true, class: laptop},"
		" {host: lap, class: laptop}]");
	load(stage);
	assert_int_equal(priority_of(stage, "bl", "critical"), 1);
	assert_int_equal(priority_of(stage, "vip", "warning"), 2);
	assert_int_equal(priority_of(stage, "web01", "critical"), 2);
	assert_int_equal(priority_of(stage, "web01", "page"), 3);
	assert_int_equal(priority_of(stage, "lap", "critical"), 3);
	assert_int_equal(priority_of(stage, "lap", "info"), 5);
	put(stage, "b.yml",
		"priorities:\n"
		"  impact: {vip: medium, laptop: medium}\n"
		"  urgency: {info: medium}\n"
		"  matrix: [[P1, P1, P2], [P2, P4, P4], [P4, P5, P5]]\n");
	load(stage);
	assert_int_equal(priority_of(stage, "bl", "warning"), 1);
	assert_int_equal(priority_of(stage, "vip", "critical"), 2);
	assert_int_equal(priority_of(stage, "lap", "info"), 4);
}

static void hosts_come_from_a_table(void **state)
{
	struct stage *stage = *state;
	const struct fw_label labels[] = {{"instance", "lib-02"}};
	struct register_host host;
	put(stage, "hosts.csv",
		"\xef\xbb\xbfhost,supplier,purpose,rack\r\n"
		"lib-01,Contoso,,\r\n"
		"\r\n"
		"lib-02,\"Northwind, \"\"Co\"\"\",keeps: the \\ books,B7");
	load(stage);
	assert_string_equal(supplier_of(stage, "lib-01", "node"), "Contoso");
	register_host(stage->registry, labels, 1, &host);
	assert_string_equal(host.texts[HOST_SUPPLIER], "Northwind, \"Co\"");
	assert_string_equal(host.texts[HOST_PURPOSE], "keeps: the \\ books");
	assert_string_equal(host.texts[HOST_RACK], "B7");
}

static void mistakes_in_tables_are_named(void **state)
{
	static const struct {
		const char *text, *words[4];
	} tables[] = {
		{"", {"hosts.csv", "line 1", "host,site,supplier"}},
		{"host,rak\na,b\n", {"line 2", "unknown key 'rak'", "'rack'"}},
		{"host,rack\na,b\nc\n", {"line 3", "2 fields are expected"}},
		{"host,rack\na,b,c\n", {"line 2", "2 fields are expected"}},
		{"host,rack\na,\"b\nc\"\n", {"line 2", "2 fields are expected"}},
		{"host,rack\na,b\"c\n", {"line 2", "2 fields are expected"}},
		{"host,rack\na,\"b\"c\n", {"line 2", "2 fields are expected"}},
		{"host,rack\na,b\x01\n", {"line 2", "one line"}},
		{"host,rack\n,b\n", {"line 2", "either 'host' or 'match'"}},
		{"host,site\n\na,b\n", {"'hosts.csv', line 3", "there is no site 'b'"}},
		{"host\na\na\n", {"'a'", "line 2", "line 3"}},
	};
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		put(*state, "hosts.csv", tables[i].text);
		expect_refused(*state, tables[i].words);
	}
}

/* `n` times `item`, one after the other, between the two others. */
static void expect_too_many(struct stage *stage, const char *before, const char *item, int n,
	const char *after, const char *sentence)
{
	struct fw_buf text = {0};
	struct registry *registry;
	for (int more = 0; more < 2; more++) {
		fw_buf_reset(&text);
		fw_buf_puts(&text, before);
		for (int i = 0; i < n + more; i++)
			fw_buf_printf(&text, item, i, i - 1);
		fw_buf_puts(&text, after);
		put(stage, "many.yml", (const char *)text.data);
		if (more)
			break;
		if (register_load(&registry, stage->dir, &stage->err) < 0)
			fail_msg("%d are allowed: %s", n, stage->err.text);
		register_drop(registry);
	}
	expect_refused(stage, (const char *const[]){"many.yml", sentence, NULL});
	fw_buf_done(&text);
}

static void there_are_limits_of_every_kind(void **state)
{
	static const struct {
		const char *before, *item;
		int n;
		const char *after, *sentence;
	} rows[] = {
		{"suppliers: [{name: A, contacts: [", "{name: c%d}, ", 20, "]}]", "at most 20"},
		{"suppliers: [{name: A, towers: [", "t%d, ", 50, "]}]", "at most 50 towers"},
		{"maintenance: [{name: A, hours: {sun: all day}, hosts: [", "h%d, ", 1000, "]}]",
			"at most 1000 hosts"},
		{"hosts:\n", "- {match: {instance: 'a%d'}, owner: x}\n", 1000, "", "at most 1000"},
		{"suppliers:\n", "- {name: s%d}\n", 1000, "", "at most 1000"},
		{"maintenance:\n", "- {name: m%d, hours: {sun: all day}, hosts: [a]}\n", 1000, "",
			"at most 1000"},
		{"sites:\n- {name: s-1}\n", "- {name: s%d, parent: s%d}\n", 15, "",
			"more than 15 others"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		expect_too_many(*state, rows[i].before, rows[i].item, rows[i].n, rows[i].after,
			rows[i].sentence);
}

static void priorities_stand_in_one_file(void **state)
{
	struct stage *stage = *state;
	put(stage, "a.yml", "priorities: {impact: {vip: low}}");
	put(stage, "b.yml", "priorities: {impact: {vip: high}}");
	expect_refused(stage, (const char *const[]){"b.yml", "in another file already", NULL});
}

static void mistakes_in_sites_suppliers_and_calendars_are_named(void **state)
{
	static const struct {
		const char *text, *words[4];
	} cases[] = {
		{"sites:\n- {name: A, parent: B}", {"'a.yml', line 2", "there is no site 'B'"}},
		{"sites: [{name: Lincoln}, {name: A, parent: Lincon}]",
			{"did you mean 'Lincoln'?"}},
		{"sites: [{name: A, parent: B}, {name: B, parent: A}]", {"circle"}},
		{"sites: [{name: A, parent: A}]", {"circle"}},
		{"sites: [{name: A, tier: gold}]", {"standard, blue-light, vip", "'gold'"}},
		{"sites: [{name: A, calendar: offise}]", {"there is no calendar 'offise'"}},
		{"sites: [{name: A, links: [\"a\\nb\"]}]", {"'links' is one line"}},
		{"sites: [{name: A}, {name: A}]", {"site 'A' stands in"}},
		{"sites: [{name: A, days: {soon: closed}}]", {"a day is expected"}},
		{"calendars: [{name: office, hours: {mon: '8:00-9:00'}}]",
			{"'office' is built in"}},
		{"calendars: [{name: c}]", {"'hours' is missing"}},
		{"calendars: [{name: c, hours: {mo: '8:00-9:00'}}]", {"mon, tue", "'mo'"}},
		{"calendars: [{name: c, hours: {fri-mon: '8:00-9:00'}}]", {"'fri-mon'"}},
		{"calendars: [{name: c, hours: {mon: '9:00-8:00'}}]", {"'9:00-8:00'", "midnight"}},
		{"calendars: [{name: c, hours: {mon: '9:00-24:01'}}]", {"'9:00-24:01'"}},
		{"calendars: [{name: c, hours: {mon: ['9:00-12:00', '11:00-13:00']}}]", {"apart"}},
		{"calendars: [{name: c, hours: {mon: [1, 2]}}]", {"'08:00-18:00', not '1'"}},
		{"calendars: [{name: c, hours: {mon: ['1:00-2:00', '3:00-4:00', '5:00-6:00', "
		 "'7:00-8:00', '9:00-10:00']}}]",
			{"at most 4 stretches"}},
		{"calendars: [{name: c, hours: [mon]}]", {"written as {mon-fri:"}},
		{"calendars: [{name: c, hours: {mon: all day}, days: [soon]}]",
			{"written as {2026-12-24:"}},
		{"calendars: [{name: c, hours: {mon: all day}}, {name: c, hours: {mon: all day}}]",
			{"calendar 'c' stands in"}},
		{"suppliers: [{name: A}, {name: A}]", {"supplier 'A' stands in"}},
		{"suppliers: [{name: A, contacts: {name: x}}]", {"contacts are a list"}},
		{"suppliers: [{name: A, calendar: x}]", {"there is no calendar 'x'"}},
		{"suppliers: [{name: A, contacts: [{mail: x}]}]", {"'name' is missing"}},
		{"suppliers: [{name: A}]\nhosts:\n- {host: a, supplier: B}",
			{"line 3", "there is no supplier 'B'"}},
		{"priorities: {matrix: [[P1]]}", {"a row each for impact"}},
		{"priorities: {matrix: [[P1, P2, P3], [P1, P2], [P1, P2, P3]]}", {"a row of the"}},
		{"priorities: {matrix: [[P1, P2, P6], [P1, P2, P3], [P1, P2, P3]]}", {"'P6'"}},
		{"priorities: {impact: {vip: huge}}", {"high or medium or low", "'huge'"}},
		{"priorities: {urgency: {critcal: high}}", {"did you mean 'critical'?"}},
		{"hosts: [{host: a, lifecycle: new}]", {"planned, live, retiring, retired"}},
		{"hosts: [{host: a, site: x}]", {"there is no site 'x'"}},
		{"hosts:\n- {host: a, class: desktop}",
			{"line 2", "server, laptop, blue-light", "'desktop'"}},
		{"hosts:\n- {match: {site: x}}", {"line 2", "'instance' and 'job'", "'site'"}},
		{"calendars: [{name: c, hours: {}}]", {"'c' is never open"}},
		{"calendars: [{name: c, hours: {mon: closed}, days: {2026-12-24: closed}}]",
			{"'c' is never open"}},
		{"suppliers:\n- name: A\n  contacts: [{name: x, mail: not an address}]",
			{"line 3", "desk@contoso.example, not 'not an address'"}},
		{"suppliers: [{name: A, contacts: [{name: x, mail: desk@}]}]", {"not 'desk@'"}},
		{"targets:\n- {respond: 1h, resolve: 30m}", {"line 2", "shorter than 'respond'"}},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		put(*state, "a.yml", cases[i].text);
		expect_refused(*state, cases[i].words);
	}
}

static void expect_target(
	struct stage *stage, struct register_fault fault, unsigned line, const char *calendar)
{
	struct register_target target;
	if (!register_target(stage->registry, &fault, &target))
		fail_msg("%s %s: none fits", fault.supplier, fault.priority);
	assert_int_equal(target.line, line);
	assert_string_equal(target.calendar->name, calendar);
}

static void the_first_target_that_fits_counts(void **arg)
{
	struct stage *stage = *arg;
	struct register_target target;
	put(stage, "a.yml",
		"suppliers: [{name: Contoso, calendar: office}]\n"
		"sites: [{name: Depot, calendar: 24x7}]\n"
		"targets:\n"
		"  - {tier: blue-light, priority: P1, respond: 10m, resolve: 2h, calendar: 24x7}\n"
		"  - {supplier: Contoso, priority: P1, respond: 15m}\n"
		"  - {supplier: Contoso, resolve: 3d}\n");
	load(stage);
	struct register_fault fault = {"Contoso", "", "blue-light", "P1"};
	expect_target(stage, fault, 4, "24x7");
	fault.tier = "standard";
	expect_target(stage, fault, 5, "office");
	fault.site = "Depot";
	expect_target(stage, fault, 5, "24x7");
	fault.priority = "P4";
	expect_target(stage, fault, 6, "24x7");
	assert_true(register_target(stage->registry, &fault, &target));
	assert_int_equal(target.respond_ms, 0);
	assert_int_equal(target.resolve_ms, INT64_C(3) * 86400000);
	fault.supplier = "";
	assert_false(register_target(stage->registry, &fault, &target));
}

static void expect_contact(struct stage *stage, size_t place, const char *day, const char *name)
{
	char noon[32];
	int64_t at_ms;
	snprintf(noon, sizeof noon, "%sT12:00:00Z", day);
	assert_int_equal(fw_time_parse(noon, &at_ms), 0);
	const struct register_contact *contact =
		register_contact(stage->registry, "Contoso", place, at_ms);
	assert_string_equal(contact ? contact->name : "nobody", name);
}

static void expect_worked_at(
	struct stage *stage, const char *time, const char *host, const char *site, const char *name)
{
	int64_t at_ms;
	assert_int_equal(fw_time_parse(time, &at_ms), 0);
	const struct register_maintenance *window = register_in_maintenance(
		stage->registry, host, register_site(stage->registry, site), at_ms);
	if (strcmp(window ? window->entry.name : "nothing", name) != 0)
		fail_msg("%s %s: %s", time, host, window ? window->entry.name : "nothing");
}

/* On England's clock, down the tree of sites, and on the night in which the clock changes. */
static void maintenance_is_of_hosts_and_of_sites_with_all_below(void **arg)
{
	struct stage *stage = *arg;
	put(stage, "a.yml",
		"sites: [{name: County}, {name: Boston, parent: County}, {name: Lincoln}]\n"
		"maintenance:\n"
		"  - {name: Patch night, hours: {sun: '02:00-04:00'}, sites: [County]}\n"
		"  - {name: CHG-1, days: {2026-12-03: '20:00-24:00'}, hosts: [db01, 'lib-*']}\n");
	load(stage);
	expect_worked_at(stage, "2026-11-29T02:00:00Z", "web01", "Boston", "Patch night");
	expect_worked_at(stage, "2026-11-29T03:59:59Z", "web01", "County", "Patch night");
	expect_worked_at(stage, "2026-11-29T04:00:00Z", "web01", "Boston", "nothing");
	expect_worked_at(stage, "2026-11-29T02:30:00Z", "web01", "Lincoln", "nothing");
	expect_worked_at(stage, "2026-06-07T01:30:00Z", "web01", "Boston", "Patch night");
	expect_worked_at(stage, "2026-03-29T00:59:00Z", "web01", "Boston", "nothing");
	expect_worked_at(stage, "2026-03-29T01:00:00Z", "web01", "Boston", "Patch night");
	expect_worked_at(stage, "2026-12-03T21:00:00Z", "lib-pc7", "Lincoln", "CHG-1");
	expect_worked_at(stage, "2026-12-03T21:00:00Z", "web01", "Lincoln", "nothing");
	expect_worked_at(stage, "2026-12-10T21:00:00Z", "db01", "", "nothing");
}

static void mistakes_in_maintenance_are_named(void **state)
{
	static const struct {
		const char *text, *words[4];
	} cases[] = {
		{"maintenance: [{name: A, hosts: [a]}]", {"'hours', 'days' or both"}},
		{"maintenance: [{name: A, hours: {sun: all day}}]", {"names 'hosts', 'sites'"}},
		{"maintenance: [{name: A, hours: {son: all day}, hosts: [a]}]", {"'son'"}},
		{"maintenance: [{name: A, hours: {sun: all day}, sites: [x]}]", {"no site 'x'"}},
		{"maintenance: [{hours: {sun: all day}, hosts: [a]}]", {"'name'"}},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		put(*state, "a.yml", cases[i].text);
		expect_refused(*state, cases[i].words);
	}
}

static void contacts_take_turns(void **arg)
{
	struct stage *stage = *arg;
	put(stage, "a.yml",
		"suppliers:\n"
		"  - {name: Contoso, rota: {from: 2026-11-30, turn_days: 7},\n"
		"     contacts: [{name: Ann}, {name: Ben}, {name: Cas}]}\n"
		"  - {name: Fabrikam, contacts: [{name: Dot}]}\n");
	load(stage);
	expect_contact(stage, 1, "2026-11-01", "Ann");
	expect_contact(stage, 1, "2026-12-06", "Ann");
	expect_contact(stage, 1, "2026-12-07", "Ben");
	expect_contact(stage, 2, "2026-12-07", "Cas");
	expect_contact(stage, 3, "2026-12-07", "Ann");
	expect_contact(stage, 4, "2026-12-07", "nobody");
	expect_contact(stage, 1, "2026-12-21", "Ann");
	assert_null(register_contact(stage->registry, "Northwind", 1, 0));
	assert_string_equal(register_contact(stage->registry, "Fabrikam", 1, 0)->name, "Dot");
	/* Turns that begin in summer are over on the same day of the week. */
	put(stage, "a.yml",
		"suppliers:\n"
		"  - {name: Contoso, rota: {from: 2026-06-01, turn_days: 7},\n"
		"     contacts: [{name: Ann}, {name: Ben}]}\n");
	load(stage);
	expect_contact(stage, 1, "2026-06-07", "Ann");
	expect_contact(stage, 1, "2026-06-08", "Ben");
	expect_contact(stage, 1, "2026-12-07", "Ben");
	put(stage, "a.yml", "suppliers: [{name: Contoso, rota: {turn_days: 7}}]");
	expect_refused(stage, (const char *const[]){"'from'", NULL});
}

static void mistakes_in_targets_are_named(void **state)
{
	static const struct {
		const char *text, *words[4];
	} cases[] = {
		{"targets: [{priority: P1}]", {"'respond' or 'resolve'"}},
		{"targets: [{priority: P7, resolve: 1h}]", {"P4, P5", "'P7'"}},
		{"targets: [{tier: gold, resolve: 1h}]", {"blue-light", "'gold'"}},
		{"targets: [{calendar: offise, resolve: 1h}]", {"no calendar 'offise'"}},
		{"suppliers: [{name: Contoso}]\ntargets: [{supplier: Contso, resolve: 1h}]",
			{"line 2", "did you mean 'Contoso'?"}},
		{"targets: {resolve: 1h}", {"a list is expected"}},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		put(*state, "a.yml", cases[i].text);
		expect_refused(*state, cases[i].words);
	}
}

static void on_doubt(const char *sentence, void *arg)
{
	char *said = arg; /* of 2048 bytes */
	snprintf(said + strlen(said), 2048 - strlen(said), "%s\n", sentence);
}

/* 2026-11-30. */
static void expect_doubts(struct stage *stage, const char *expected)
{
	char said[2048] = "";
	load(stage);
	register_doubts(stage->registry, INT64_C(1796040000000), on_doubt, said);
	assert_string_equal(said, expected);
}

static void what_has_no_effect_is_doubted(void **arg)
{
	struct stage *stage = *arg;
	put(stage, "old.YML", "no: [");
	put(stage, "sites.yaml", "no: [");
	put(stage, ".hidden.yaml", "");
	put(stage, "notes.txt", "");
	put(stage, "a.yml",
		"sites: [{name: Hall, links: [hal-rtr1, hal-rtr2, wan-1]}]\n"
		"hosts:\n"
		"  - {host: hal-rtr2, lifecycle: retiring}\n"
		"  - {host: web01, retires: 2027-01-01}\n"
		"  - {host: web02, lifecycle: retiring, retires: 2027-01-01}\n"
		"  - {match: {instance: 'wan-.*'}, site: Hall}\n"
		"maintenance:\n"
		"  - {name: CHG-1, days: {2026-11-28: all day, 2026-11-29: all day}, sites: [Hall]}\n"
		"  - {name: CHG-2, days: {2026-11-30: all day}, sites: [Hall]}\n"
		"  - {name: CHG-3, hours: {sun: all day}, days: {2026-11-29: closed}, sites: [Hall]}\n");
	expect_doubts(stage,
		"register: 'old.YML' is not read: names of its files end in .yml or .csv\n"
		"register: 'sites.yaml' is not read: names of its files end in .yml or .csv\n"
		"register: 'a.yml', line 1: no row of hosts speaks of the link 'hal-rtr1'; did "
		"you mean 'hal-rtr2'?\n"
		"register: 'a.yml', line 3: 'retiring' without the day 'retires' never ends: it "
		"counts as live\n"
		"register: 'a.yml', line 4: 'retires' counts where 'lifecycle' is retiring or "
		"retired; this one is live\n"
		"register: 'a.yml', line 8: the maintenance 'CHG-1' is over: all of its days are "
		"past\n");
}

static void halves_in_two_rows_are_no_doubt(void **arg)
{
	struct stage *stage = *arg;
	put(stage, "a.yml",
		"sites: [{name: Hall, links: [hal-rtr1]}]\n"
		"hosts:\n"
		"  - {match: {instance: '.*'}, retires: 2027-06-30}\n"
		"  - {host: a, lifecycle: retiring}\n");
	expect_doubts(stage, "");
}

static void tables_of_spreadsheets_are_read(void **arg)
{
	struct stage *stage = *arg;
	struct register_host host;
	const struct fw_label label = {"instance", "web01"};
	put(stage, "a.csv", "host,vip\r\nweb01,TRUE\r\nweb02,FALSE\r\nweb03,Yes\r\n");
	load(stage);
	register_host(stage->registry, &label, 1, &host);
	assert_true(host.vip);
	put(stage, "a.csv", "host,purpose\nweb01,forms\nweb02,caf\xe9\n");
	expect_refused(
		stage, (const char *const[]){"a.csv", "line 3 is not UTF-8", "'CSV UTF-8'", NULL});
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
		TEST(lines_of_sites_have_suppliers),
		TEST(a_supplier_that_is_not_listed_is_told_from_those_that_are),
		TEST(suppliers_are_those_that_are_listed_or_else_those_of_hosts),
		TEST(a_register_lives_while_it_is_held),
		TEST(mistakes_in_hosts_are_named),
		TEST(sites_have_what_their_parents_say),
		TEST(suppliers_have_contacts_and_hours),
		TEST(each_key_of_a_host_is_of_the_first_row_that_says_it),
		TEST(a_life_goes_by_the_day),
		TEST(who_is_in_service),
		TEST(a_host_without_a_word_is_live_and_standard),
		TEST(priorities_are_impact_by_urgency),
		TEST(hosts_come_from_a_table),
		TEST(mistakes_in_tables_are_named),
		TEST(there_are_limits_of_every_kind),
		TEST(priorities_stand_in_one_file),
		TEST(mistakes_in_sites_suppliers_and_calendars_are_named),
		TEST(the_first_target_that_fits_counts),
		TEST(mistakes_in_targets_are_named),
		TEST(contacts_take_turns),
		TEST(maintenance_is_of_hosts_and_of_sites_with_all_below),
		TEST(mistakes_in_maintenance_are_named),
		TEST(what_has_no_effect_is_doubted),
		TEST(halves_in_two_rows_are_no_doubt),
		TEST(tables_of_spreadsheets_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
