/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of many sources, and the devices that they are of. */
#include "devices.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1700000000000)
#define MINUTE 60000
#define COUNT(a) (sizeof(a) / sizeof *(a))

static int64_t heard_ms(const char *host, void *arg)
{
	(void)arg;
	return strncmp(host, "gone", 4) == 0 ? NOW - 60 * MINUTE : NOW - MINUTE;
}

static struct fw_arena arena;

static size_t join(const struct device_fact *facts, size_t n, struct device **out)
{
	const struct device_hosts hosts = {.heard_ms = heard_ms, .now_ms = NOW};
	size_t n_out;
	devices_join(facts, n, &hosts, &arena, out, &n_out);
	return n_out;
}

static int tear_down(void **state)
{
	(void)state;
	fw_arena_done(&arena);
	return 0;
}

/* However each of them writes it. */
static void test_one_hardware_address_is_one_device(void **state)
{
	static const struct device_fact facts[] = {
		{DEVICE_FROM_AGENT, .by = "web01", .host = "web01", .mac = "00:1a:2b:03:04:05"},
		{DEVICE_FROM_WIRE, .by = "probe1", .mac = "00:1A:2B:03:04:05",
			.address = "10.0.0.5", .speaks = "smb1", .first_ms = NOW - 9 * MINUTE,
			.last_ms = NOW},
		{DEVICE_FROM_ARP, .by = "rt1", .mac = "001a.2b03.0405", .address = "10.0.0.6"},
		{DEVICE_FROM_BRIDGE, .by = "sw1", .mac = "0:1a:2b:3:4:5", .port = "Gi0/7"},
		{DEVICE_FROM_ARP, .by = "rt1", .mac = "00-1a-2b-03-04-05", .address = "10.0.0.5"},
	};
	struct device *devices;
	(void)state;
	assert_int_equal(join(facts, COUNT(facts), &devices), 1);
	assert_string_equal(devices->host, "web01");
	assert_string_equal(devices->mac, "00:1a:2b:03:04:05");
	assert_int_equal(devices->n_addresses, 2);
	assert_string_equal(devices->switch_name, "sw1");
	assert_string_equal(devices->port, "Gi0/7");
	assert_string_equal(devices->speaks, "smb1");
	assert_int_equal(devices->state, DEVICE_MANAGED);
	assert_true(devices->first_ms == NOW - 9 * MINUTE && devices->last_ms == NOW);
	assert_int_equal(devices->n_clones, 0);
}

static void test_who_is_no_host_of_ours_is_unmanaged(void **state)
{
	static const struct device_fact facts[] = {
		{DEVICE_FROM_WIRE, .by = "p", .mac = "02:00:00:00:00:01", .name = "kitchen-tv"},
		{DEVICE_FROM_WIRE, .by = "p", .mac = "ff:ff:ff:ff:ff:ff", .address = "10.0.0.255"},
		{DEVICE_FROM_WIRE, .by = "p", .mac = "01:00:5e:00:00:fb", .address = "224.0.0.251"},
		{DEVICE_FROM_WIRE, .by = "p", .mac = "00:00:00:00:00:00"},
		{DEVICE_FROM_WIRE, .by = "p", .mac = "no address"},
		{DEVICE_FROM_WIRE, .by = "p", .mac = "02:00:00:00:00:01:02"},
	};
	struct device *devices;
	(void)state;
	assert_int_equal(join(facts, COUNT(facts), &devices), 1);
	assert_int_equal(devices->state, DEVICE_UNMANAGED);
	assert_string_equal(devices->name, "kitchen-tv");
}

static void test_an_agent_that_is_silent_but_talks_is_quiet(void **state)
{
	static const struct device_fact facts[] = {
		{DEVICE_FROM_AGENT, .by = "gone1", .host = "gone1", .mac = "02:00:00:00:00:01"},
		{DEVICE_FROM_WIRE, .by = "p", .mac = "02:00:00:00:00:01", .last_ms = NOW - MINUTE},
		{DEVICE_FROM_AGENT, .by = "gone2", .host = "gone2", .mac = "02:00:00:00:00:02"},
		{DEVICE_FROM_WIRE, .by = "p", .mac = "02:00:00:00:00:02",
			.last_ms = NOW - 70 * MINUTE},
		{DEVICE_FROM_AGENT, .by = "web01", .host = "web01"},
	};
	struct device *devices;
	(void)state;
	assert_int_equal(join(facts, COUNT(facts), &devices), 3);
	assert_int_equal(devices[0].state, DEVICE_QUIET);
	assert_int_equal(devices[1].state, DEVICE_SILENT);
	assert_int_equal(devices[2].state, DEVICE_MANAGED);
}

static void test_a_device_is_found_by_its_address(void **state)
{
	static const struct device_fact facts[] = {
		{DEVICE_FROM_SNMP, .by = "p", .host = "printer", .address = "10.0.0.9"},
		{DEVICE_FROM_ARP, .by = "rt", .mac = "02:00:00:00:00:09", .address = "10.0.0.9"},
		/* Two sites use the same one: whose the device is nobody can tell. */
		{DEVICE_FROM_SNMP, .by = "p", .host = "ups", .address = "192.168.0.2"},
		{DEVICE_FROM_ARP, .by = "rt1", .mac = "02:00:00:00:00:21",
			.address = "192.168.0.2"},
		{DEVICE_FROM_ARP, .by = "rt2", .mac = "02:00:00:00:00:22",
			.address = "192.168.0.2"},
	};
	struct device *devices;
	(void)state;
	assert_int_equal(join(facts, COUNT(facts), &devices), 4);
	assert_string_equal(devices[0].host, "printer");
	assert_string_equal(devices[0].mac, "02:00:00:00:00:09");
	assert_string_equal(devices[1].host, "ups");
	assert_string_equal(devices[1].mac, "");
	assert_int_equal(devices[2].state, DEVICE_UNMANAGED);
}

/* Both are asked by SNMP, and no table tells a hardware address of either; nor is what a router
 * tells of the address a reason to take one for the other. */
static void test_two_hosts_of_one_address_are_two_devices(void **state)
{
	static const struct device_fact facts[] = {
		{DEVICE_FROM_SNMP, .by = "n", .host = "north-ups", .address = "192.168.1.9"},
		{DEVICE_FROM_SNMP, .by = "n", .host = "north-ups", .address = "192.168.1.9"},
		{DEVICE_FROM_SNMP, .by = "s", .host = "south-ups", .address = "192.168.1.9"},
		{DEVICE_FROM_ARP, .by = "rt", .mac = "02:00:00:00:00:09", .address = "192.168.1.9"},
		{DEVICE_FROM_AGENT, .by = "db", .host = "db", .mac = "02:00:00:00:00:01"},
		{DEVICE_FROM_ARP, .by = "rt", .mac = "02:00:00:00:00:01", .address = "192.168.1.7"},
		{DEVICE_FROM_SNMP, .by = "s", .host = "south-db", .address = "192.168.1.7"},
	};
	static const char *const hosts[] = {"db", "north-ups", "south-db", "south-ups", ""};
	struct device *devices;
	(void)state;
	assert_int_equal(join(facts, COUNT(facts), &devices), COUNT(hosts));
	for (size_t i = 0; i < COUNT(hosts); i++) {
		assert_string_equal(devices[i].host, hosts[i]);
		assert_int_equal(devices[i].n_clones, 0);
		assert_int_equal(devices[i].n_addresses, 1);
	}
}

static void test_a_host_with_two_cards_is_one_device_and_clones_are_told(void **state)
{
	static const struct device_fact facts[] = {
		{DEVICE_FROM_AGENT, .by = "db", .host = "db", .mac = "02:00:00:00:00:01"},
		{DEVICE_FROM_AGENT, .by = "db", .host = "db", .mac = "02:00:00:00:00:02"},
		{DEVICE_FROM_WIRE, .by = "p", .mac = "02:00:00:00:00:02", .address = "10.0.0.2"},
		{DEVICE_FROM_AGENT, .by = "vm1", .host = "vm1", .mac = "02:00:00:00:00:03"},
		{DEVICE_FROM_AGENT, .by = "vm2", .host = "vm2", .mac = "02:00:00:00:00:03"},
	};
	struct device *devices;
	(void)state;
	assert_int_equal(join(facts, COUNT(facts), &devices), 2);
	assert_string_equal(devices[0].host, "db");
	assert_int_equal(devices[0].n_addresses, 1);
	assert_int_equal(devices[0].n_clones, 0);
	assert_string_equal(devices[1].host, "vm1");
	assert_int_equal(devices[1].n_clones, 1);
	assert_string_equal(devices[1].clones[0], "vm2");
}

/* An uplink shows everybody; the port that shows fewest is the device's. */
static void test_the_port_is_that_of_the_edge(void **state)
{
	static const struct device_fact facts[] = {
		{DEVICE_FROM_BRIDGE, .by = "core", .mac = "02:00:00:00:00:01", .port = "Te1"},
		{DEVICE_FROM_BRIDGE, .by = "core", .mac = "02:00:00:00:00:02", .port = "Te1"},
		{DEVICE_FROM_BRIDGE, .by = "edge", .mac = "02:00:00:00:00:01", .port = "Gi3"},
		{DEVICE_FROM_BRIDGE, .by = "edge", .mac = "02:00:00:00:00:02", .port = "Gi4"},
		{DEVICE_FROM_NEIGHBOUR, .by = "edge2", .mac = "02:00:00:00:00:03", .port = "Gi5"},
		{DEVICE_FROM_BRIDGE, .by = "core", .mac = "02:00:00:00:00:03", .port = "Te2"},
	};
	struct device *devices;
	(void)state;
	assert_int_equal(join(facts, COUNT(facts), &devices), 3);
	assert_string_equal(devices[0].switch_name, "edge");
	assert_string_equal(devices[0].port, "Gi3");
	assert_string_equal(devices[1].port, "Gi4");
	assert_string_equal(devices[2].switch_name, "edge2"); /* the device says so itself */
}

/* The prepared site of the plan: 50 on the wire, 40 enrolled, 2 clones, 3 silent that talk, 5 with SMB1. */
static void test_a_prepared_site_is_told_exactly(void **state)
{
	struct device_fact facts[100];
	size_t n = 0, tally[4] = {0}, smb1 = 0, clones = 0;
	struct device *devices;
	(void)state;
	for (int i = 0; i < 50; i++) {
		const char *mac = fw_arena_format(&arena, "02:00:00:00:01:%02x", (unsigned)i);
		facts[n++] = (struct device_fact){DEVICE_FROM_WIRE, .by = "p", .mac = mac,
			.last_ms = NOW, .speaks = i % 10 == 0 ? "smb1" : NULL};
		if (i >= 40)
			continue;
		const char *host = fw_arena_format(&arena, i < 3 ? "gone%d" : "host%d", i);
		facts[n++] = (struct device_fact){
			DEVICE_FROM_AGENT, .by = host, .host = host, .mac = mac};
		if (i == 20 || i == 21)
			facts[n++] = (struct device_fact){DEVICE_FROM_AGENT, .by = "copy",
				.host = fw_arena_format(&arena, "x-copy%d", i), .mac = mac};
	}
	size_t count = join(facts, n, &devices);
	assert_int_equal(count, 50);
	for (size_t i = 0; i < count; i++) {
		tally[devices[i].state]++;
		smb1 += strcmp(devices[i].speaks, "smb1") == 0;
		clones += devices[i].n_clones;
	}
	assert_int_equal(tally[DEVICE_MANAGED], 37);
	assert_int_equal(tally[DEVICE_QUIET], 3);
	assert_int_equal(tally[DEVICE_UNMANAGED], 10);
	assert_int_equal(smb1, 5);
	assert_int_equal(clones, 2);
}

/* A table of addresses is as long as whoever hands it in likes. */
static void test_one_that_answers_for_all_takes_little(void **state)
{
	enum { MANY = 20000 };
	struct device_fact *facts = fw_arena_alloc(&arena, MANY * sizeof *facts);
	struct device *devices;
	(void)state;
	for (int i = 0; i < MANY; i++)
		facts[i] = (struct device_fact){DEVICE_FROM_ARP, .by = "rt1",
			.mac = "02:00:00:00:00:01",
			.address = fw_arena_format(&arena, "10.0.%d.%d", i / 250, i % 250)};
	size_t before = arena.used;
	assert_int_equal(join(facts, MANY, &devices), 1);
	assert_int_equal(devices->n_addresses, 64);
	assert_string_equal(devices->addresses[0], "10.0.0.0");
	assert_true(arena.used - before < (size_t)MANY * 400);
	assert_int_equal(join(facts, 20, &devices), 1); /* what is usual is told whole */
	assert_int_equal(devices->n_addresses, 20);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_hardware_address_is_one_device),
		TEST(who_is_no_host_of_ours_is_unmanaged),
		TEST(an_agent_that_is_silent_but_talks_is_quiet),
		TEST(a_device_is_found_by_its_address),
		TEST(two_hosts_of_one_address_are_two_devices),
		TEST(a_host_with_two_cards_is_one_device_and_clones_are_told),
		TEST(the_port_is_that_of_the_edge),
		TEST(a_prepared_site_is_told_exactly),
		TEST(one_that_answers_for_all_takes_little),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
