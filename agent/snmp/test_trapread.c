/* SPDX-License-Identifier: Apache-2.0 */
/* What a trap says in fields, and when the same one is only counted. Without MIB files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/text.h>

#include "trapread.h"
#include "trapwindow.h"

#define DOWN "1.3.6.1.6.3.1.1.5.3"
#define TRAP_OID "1.3.6.1.6.3.1.1.4.1.0"
#define UPTIME "1.3.6.1.2.1.1.3.0"
#define IF_INDEX "1.3.6.1.2.1.2.2.1.1"
#define EVENT_BYTES (64u << 10)

static const char *field(const struct trap *trap, const char *name)
{
	for (size_t i = 0; i < trap->n; i++)
		if (strcmp(trap->fields[i].name, name) == 0)
			return trap->fields[i].value;
	return NULL;
}

static void put(netsnmp_pdu *pdu, const char *name, char type, const char *value)
{
	oid ids[MAX_OID_LEN];
	size_t n = MAX_OID_LEN;
	assert_true(read_objid(name, ids, &n));
	assert_int_equal(snmp_add_var(pdu, ids, n, type, value), 0);
}

static void put_octets(netsnmp_pdu *pdu, const char *name, const void *bytes, size_t length)
{
	oid ids[MAX_OID_LEN];
	size_t n = MAX_OID_LEN;
	assert_true(read_objid(name, ids, &n));
	assert_non_null(snmp_pdu_add_variable(pdu, ids, n, ASN_OCTET_STR, bytes, length));
}

static netsnmp_pdu *second(const char *what, const char *uptime)
{
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_TRAP2);
	pdu->version = SNMP_VERSION_2c;
	put(pdu, UPTIME, 't', uptime);
	put(pdu, TRAP_OID, 'o', what);
	return pdu;
}

static netsnmp_pdu *first(long generic, long specific)
{
	static const oid enterprise[] = {1, 3, 6, 1, 4, 1, 318};
	static const u_char origin[] = {10, 7, 0, 9};
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_TRAP);
	pdu->version = SNMP_VERSION_1;
	pdu->trap_type = generic;
	pdu->specific_type = specific;
	pdu->time = 4200;
	pdu->enterprise = snmp_duplicate_objid(enterprise, 7);
	pdu->enterprise_length = 7;
	memcpy(pdu->agent_addr, origin, sizeof origin);
	return pdu;
}

static void set_community(netsnmp_pdu *pdu, const char *text)
{
	pdu->community = (u_char *)strdup(text);
	pdu->community_len = strlen(text);
}

/* Reads it as if it came in these bytes, and lets it go. */
static void read_as(netsnmp_pdu *pdu, bool from_relay, const char *bytes, struct fw_arena *arena,
	struct trap *out)
{
	const struct trap_packet packet = {.data = (const uint8_t *)bytes,
		.length = strlen(bytes),
		.from = "192.0.2.1",
		.from_relay = from_relay};
	trap_read(pdu, &packet, arena, out);
	snmp_free_pdu(pdu);
}

static void test_version_1_has_the_names_of_version_2(void **state)
{
	struct fw_arena arena = {0};
	struct trap trap;
	(void)state;
	read_as(first(2, 0), false, "", &arena, &trap);
	assert_string_equal(field(&trap, "oid"), DOWN);
	assert_string_equal(field(&trap, "trap"), "IF-MIB::linkDown");
	assert_string_equal(field(&trap, "version"), "1");
	assert_string_equal(field(&trap, "uptime"), "4200");
	read_as(first(6, 5), false, "", &arena, &trap);
	assert_string_equal(field(&trap, "oid"), "1.3.6.1.4.1.318.0.5");
	assert_string_equal(field(&trap, "trap"), "1.3.6.1.4.1.318.0.5");
	fw_arena_done(&arena);
}

static void test_a_relay_alone_says_whose_it_is(void **state)
{
	struct fw_arena arena = {0};
	struct trap trap;
	(void)state;
	read_as(first(2, 0), false, "", &arena, &trap);
	assert_string_equal(trap.source, "192.0.2.1");
	assert_null(field(&trap, "relay"));
	read_as(first(2, 0), true, "", &arena, &trap);
	assert_string_equal(trap.source, "10.7.0.9");
	assert_string_equal(field(&trap, "relay"), "192.0.2.1");
	netsnmp_pdu *pdu = second(DOWN, "1");
	put(pdu, "1.3.6.1.6.3.18.1.3.0", 'a', "10.7.0.8");
	read_as(pdu, true, "", &arena, &trap);
	assert_string_equal(field(&trap, "source"), "10.7.0.8");
	fw_arena_done(&arena);
}

static void test_variables_have_names_and_values(void **state)
{
	struct fw_arena arena = {0};
	struct trap trap;
	netsnmp_pdu *pdu = second(DOWN, "1");
	(void)state;
	put(pdu, IF_INDEX ".3", 'i', "3");
	put(pdu, IF_INDEX ".4", 'i', "4");
	put(pdu, "1.3.6.1.4.1.9999.8.1", 'C', "18446744073709551615");
	put_octets(pdu, "1.3.6.1.2.1.1.5.0", "\x1b[2J\xff", 5);
	put_octets(pdu, "1.3.6.1.2.1.2.2.1.2.3", "Gi0/3", 5);
	read_as(pdu, false, "", &arena, &trap);
	assert_string_equal(field(&trap, "ifIndex"), "3");
	assert_string_equal(field(&trap, "ifIndex.4"), "4");
	assert_string_equal(field(&trap, "1.3.6.1.4.1.9999.8.1"), "18446744073709551615");
	assert_string_equal(field(&trap, "sysName"), "1b5b324aff");
	assert_string_equal(field(&trap, "ifDescr"), "Gi0/3");
	assert_null(field(&trap, "cut"));
	fw_arena_done(&arena);
}

static void test_one_variable_again_and_again(void **state)
{
	struct fw_arena arena = {0};
	struct trap trap;
	netsnmp_pdu *pdu = second(DOWN, "1");
	(void)state;
	put(pdu, "1.3.6.1.4.1.9999.8.1", 'i', "1");
	put(pdu, "1.3.6.1.4.1.9999.8.1", 'i', "2");
	put(pdu, "1.3.6.1.4.1.9999.8.1", 'i', "3");
	put(pdu, IF_INDEX ".4", 'i', "4");
	put(pdu, IF_INDEX ".4", 'i', "5");
	put(pdu, IF_INDEX ".4", 'i', "6");
	read_as(pdu, false, "", &arena, &trap);
	assert_string_equal(field(&trap, "1.3.6.1.4.1.9999.8.1"), "1");
	assert_string_equal(field(&trap, "1.3.6.1.4.1.9999.8.1_2"), "2");
	assert_string_equal(field(&trap, "1.3.6.1.4.1.9999.8.1_3"), "3");
	assert_string_equal(field(&trap, "ifIndex"), "4");
	assert_string_equal(field(&trap, "ifIndex.4"), "5");
	assert_string_equal(field(&trap, "ifIndex.4_2"), "6");
	for (size_t i = 0; i < trap.n; i++)
		for (size_t k = i + 1; k < trap.n; k++)
			assert_string_not_equal(trap.fields[i].name, trap.fields[k].name);
	fw_arena_done(&arena);
}

static void test_a_power_supply_is_understood_without_mibs(void **state)
{
	static const char *const traps[][2] = {{"1.3.6.1.2.1.33.2.1", "UPS-MIB::upsTrapOnBattery"},
		{"1.3.6.1.2.1.33.2.0.2", "UPS-MIB::upsTrapTestCompleted"},
		{"1.3.6.1.2.1.33.2.3", "UPS-MIB::upsTrapAlarmEntryAdded"},
		{"1.3.6.1.2.1.33.2.4", "UPS-MIB::upsTrapAlarmEntryRemoved"},
		{"1.3.6.1.2.1.33.2.5", "1.3.6.1.2.1.33.2.5"}};
	struct fw_arena arena = {0};
	struct trap trap;
	(void)state;
	for (size_t i = 0; i < sizeof traps / sizeof *traps; i++) {
		netsnmp_pdu *pdu = second(traps[i][0], "1");
		put(pdu, "1.3.6.1.2.1.33.1.7.3.0", 'i', i == 1 ? "3" : "7");
		put(pdu, "1.3.6.1.2.1.33.1.6.2.1.1.9", 'i', "9");
		read_as(pdu, false, "", &arena, &trap);
		assert_string_equal(field(&trap, "trap"), traps[i][1]);
		assert_string_equal(
			field(&trap, "upsTestResultsSummary"), i == 1 ? "doneError(3)" : "7");
		assert_string_equal(field(&trap, "upsAlarmId"), "9");
	}
	fw_arena_done(&arena);
}

/* However much a sender says, it fits into an event, so that its inform can be answered. */
static void test_the_largest_fits(void **state)
{
	struct fw_arena arena = {0};
	struct trap trap;
	netsnmp_pdu *pdu = second(DOWN, "1");
	uint8_t bytes[1000];
	char name[64], packet[5000];
	size_t total = 0;
	(void)state;
	memset(bytes, 0xff, sizeof bytes);
	for (int i = 0; i < 70; i++) {
		snprintf(name, sizeof name, "1.3.6.1.4.1.9999.4294967295.4294967295.%d", i);
		put_octets(pdu, name, bytes, sizeof bytes);
	}
	memset(packet, 'p', sizeof packet - 1);
	packet[sizeof packet - 1] = '\0';
	read_as(pdu, false, packet, &arena, &trap);
	for (size_t i = 0; i < trap.n; i++)
		total += strlen(trap.fields[i].name) + strlen(trap.fields[i].value) + 12;
	assert_in_range(total, 50000, EVENT_BYTES - 1024);
	assert_non_null(field(&trap, "cut"));
	assert_true(trap.n <= TRAP_FIELDS);
	fw_arena_done(&arena);
}

static void test_what_is_cut_is_marked(void **state)
{
	struct fw_arena arena = {0};
	struct trap trap;
	netsnmp_pdu *pdu = second(DOWN, "1");
	char text[600], packet[4098];
	(void)state;
	memset(packet, 'p', sizeof packet - 1);
	packet[sizeof packet - 1] = '\0';
	memset(text, 'x', sizeof text);
	memcpy(text + 511, "\xc3\xa9", 2); /* a letter across the end */
	put_octets(pdu, "1.3.6.1.2.1.1.1.0", text, sizeof text);
	memset(text + 512, 0, sizeof text - 512);
	put_octets(pdu, "1.3.6.1.2.1.1.5.0", text, 510);
	read_as(pdu, false, packet, &arena, &trap);
	assert_int_equal(strlen(field(&trap, "sysDescr")), 511);
	assert_int_equal(strlen(field(&trap, "sysName")), 510);
	assert_string_equal(field(&trap, "cut_values"), "1 after 512 bytes");
	assert_int_equal(strlen(field(&trap, "raw")), (size_t)2 * 4096);
	assert_string_equal(field(&trap, "cut_raw"), "after 4096 of 4097 bytes");
	assert_null(field(&trap, "cut"));
	read_as(second(DOWN, "1"), false, packet + 1, &arena, &trap);
	assert_null(field(&trap, "cut_raw"));
	assert_null(field(&trap, "cut_values"));
	fw_arena_done(&arena);
}

static void test_no_community_is_in_raw(void **state)
{
	struct fw_arena arena = {0};
	struct trap trap;
	char secret[16], origin[16];
	netsnmp_pdu *pdu = second(DOWN, "1");
	(void)state;
	set_community(pdu, "s3cret");
	put(pdu, "1.3.6.1.6.3.18.1.4.0", 's', "0rigin");
	read_as(pdu, true, "s3 s3cret and 0rigin, s3cret", &arena, &trap);
	fw_hex((const uint8_t *)"s3cret", 6, secret);
	fw_hex((const uint8_t *)"0rigin", 6, origin);
	assert_null(strstr(field(&trap, "raw"), secret));
	assert_null(strstr(field(&trap, "raw"), origin));
	assert_non_null(strstr(field(&trap, "raw"), "616e64")); /* "and" */
	fw_arena_done(&arena);
}

/* ---- windows ---- */

static void take_digest_of(const char *index, const char *uptime, uint8_t out[32])
{
	struct fw_arena arena = {0};
	struct trap trap;
	netsnmp_pdu *pdu = second(DOWN, uptime);
	put(pdu, IF_INDEX ".3", 'i', index);
	read_as(pdu, false, uptime, &arena, &trap);
	memcpy(out, trap.digest, 32);
	fw_arena_done(&arena);
}

struct told {
	unsigned n;
	bool is_full;
	struct trap_window last;
	char order[32]; /* the value of each one's first field */
};

static bool on_told(const struct trap_window *window, void *arg)
{
	struct told *told = arg;
	if (told->is_full)
		return false;
	told->n++;
	told->last = *window;
	strncat(told->order, window->fields[0].value, sizeof told->order - strlen(told->order) - 1);
	return true;
}

static struct trap_window *find(struct trap_windows *w, const uint8_t digest[32], int64_t at_ms)
{
	return trap_windows_find(w, digest, "192.0.2.1", false, at_ms);
}

static void test_the_same_but_for_when_is_counted(void **state)
{
	const struct fw_label fields[] = {{"oid", DOWN}};
	struct trap_windows *w = trap_windows_new(10000);
	struct told told = {0};
	uint8_t one[32], later[32], other[32];
	(void)state;
	take_digest_of("3", "100", one);
	take_digest_of("3", "200", later);
	take_digest_of("4", "100", other);
	assert_null(find(w, one, 501000));
	assert_non_null(trap_windows_begin(w, one, fields, 1, 501000, 1000));
	assert_int_equal(find(w, later, 5000)->count, 2); /* somebody has set the clock */
	assert_null(find(w, other, 5000));
	assert_non_null(trap_windows_begin(w, other, fields, 1, 5000, 5000));
	assert_false(trap_windows_are_due(w));
	trap_windows_end(w, 10999, on_told, &told);
	assert_int_equal(told.n, 0);
	trap_windows_end(w, 11000, on_told, &told);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.last.count, 2);
	assert_int_equal(told.last.first_ms, 501000);
	assert_int_equal(told.last.last_ms, 5000);
	assert_null(find(w, one, 11001));
	trap_windows_end(w, 15000, on_told, &told);
	assert_int_equal(told.n, 1); /* the other came once */
	trap_windows_free(w);
}

/* Down is 0, up is 1 of one device; 2 is of another. */
static void come(struct trap_windows *w, int what, bool is_awaited)
{
	static const char *const names[] = {"0", "1", "2"};
	const struct fw_label fields[] = {{"oid", names[what]}};
	uint8_t digest[32] = {(uint8_t)what};
	const char *source = what < 2 ? "192.0.2.1" : "192.0.2.2";
	if (!trap_windows_find(w, digest, source, is_awaited, 1000))
		assert_non_null(trap_windows_begin(w, digest, fields, 1, 1000, 1000));
}

static void test_what_came_after_another_is_told_soon(void **state)
{
	struct trap_windows *w = trap_windows_new(10000);
	struct told told = {0};
	(void)state;
	come(w, 0, false);
	come(w, 2, false);
	come(w, 0, false); /* the other is of another device */
	assert_false(trap_windows_are_due(w));
	come(w, 1, false);
	assert_false(trap_windows_are_due(w));
	come(w, 0, false);
	assert_true(trap_windows_are_due(w));
	come(w, 1, false);
	come(w, 0, false);
	trap_windows_end(w, 1000, on_told, &told);
	assert_string_equal(told.order, "10"); /* what came last is said last */
	assert_int_equal(told.last.count, 4);
	assert_false(trap_windows_are_due(w));
	trap_windows_free(w);
}

static void test_what_is_awaited_is_told_soon(void **state)
{
	struct trap_windows *w = trap_windows_new(10000);
	struct told told = {.is_full = true};
	(void)state;
	come(w, 0, true);
	assert_false(trap_windows_are_due(w)); /* it was told by itself */
	come(w, 0, true);
	come(w, 0, false);
	trap_windows_end(w, 1000, on_told, &told);
	assert_true(trap_windows_are_due(w)); /* there was no room to say it */
	told.is_full = false;
	trap_windows_end(w, 1000, on_told, &told);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.last.count, 3);
	trap_windows_free(w);
}

static void test_what_is_sent_again_has_its_key(void **state)
{
	uint64_t keys[4];
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct fw_arena arena = {0};
		struct trap trap;
		netsnmp_pdu *pdu = second(i == 1 ? UPTIME : DOWN, i == 2 ? "200" : "100");
		pdu->reqid = i == 3 ? 8 : 7;
		read_as(pdu, false, "", &arena, &trap);
		keys[i] = trap.key;
		for (int k = 0; k < i; k++)
			assert_true(keys[k] != keys[i]);
		pdu = second(i == 1 ? UPTIME : DOWN, i == 2 ? "200" : "100");
		pdu->reqid = i == 3 ? 8 : 7;
		read_as(pdu, false, "other bytes", &arena, &trap);
		assert_true(trap.key == keys[i]);
		fw_arena_done(&arena);
	}
}

static void test_windows_are_bounded(void **state)
{
	const struct fw_label fields[] = {{"oid", DOWN}};
	struct trap_windows *w = trap_windows_new(10000), *none = trap_windows_new(0);
	uint8_t digest[32] = {0};
	(void)state;
	assert_null(trap_windows_begin(none, digest, fields, 1, 0, 0));
	for (uint32_t i = 0; i < TRAP_WINDOWS; i++) {
		memcpy(digest, &i, sizeof i);
		assert_non_null(trap_windows_begin(w, digest, fields, 1, 0, 0));
	}
	memset(digest, 0xff, sizeof digest);
	assert_null(trap_windows_begin(w, digest, fields, 1, 0, 0));
	trap_windows_free(none);
	trap_windows_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version_1_has_the_names_of_version_2),
		cmocka_unit_test(test_a_relay_alone_says_whose_it_is),
		cmocka_unit_test(test_variables_have_names_and_values),
		cmocka_unit_test(test_one_variable_again_and_again),
		cmocka_unit_test(test_a_power_supply_is_understood_without_mibs),
		cmocka_unit_test(test_the_largest_fits),
		cmocka_unit_test(test_what_is_cut_is_marked),
		cmocka_unit_test(test_no_community_is_in_raw),
		cmocka_unit_test(test_the_same_but_for_when_is_counted),
		cmocka_unit_test(test_what_came_after_another_is_told_soon),
		cmocka_unit_test(test_what_is_awaited_is_told_soon),
		cmocka_unit_test(test_what_is_sent_again_has_its_key),
		cmocka_unit_test(test_windows_are_bounded),
	};
	const struct fw_text_list no_folders = {0};
	setenv("MIBS", "", 1);
	trap_read_mibs(&no_folders);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
