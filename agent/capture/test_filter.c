/* SPDX-License-Identifier: Apache-2.0 */
/* How much of which packet is handed over: each as the kernel would run the filter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pcap/dlt.h>

#include "packet.h"
#include "wire_filter.h"

#define MACS "ffffffffffff 020000000001 "
#define IP4(protocol) MACS "0800 45000200 00010000 40" protocol "0000 0a000001 0a000002 "
#define IP4_LONG(protocol) \
	MACS "0800 48000200 00010000 40" protocol "0000 0a000001 0a000002 010101010101010101010101 "
#define IP6(next)                       \
	MACS "86dd 60000000 0200 " next \
	     " 40 20010db8000000000000000000000001 20010db8000000000000000000000002 "
#define TCP(ports) ports "00000001 00000002 5018 2000 0000 0000 "
#define TCP_LONG(ports) ports "00000001 00000002 8018 2000 0000 0000 010101010101010101010101 "
#define HELLO_OF_CLIENT "16 0301 00f0 01 0000ec 0303 "
#define HELLO_OF_SERVER "16 0301 00f0 02 0000ec 0303 "

static const struct {
	const char *what, *hex;
	unsigned plain, names; /* bytes handed over */
} packets[] = {
	{"a page asked for", IP4("06") TCP("c001 0050 ") "474554202f", 54, 54},
	{"the same with options", IP4_LONG("06") TCP_LONG("c001 0050 ") "474554202f", 78, 78},
	{"the same of IPv6", IP6("06") TCP("c001 0050 ") "474554202f", 74, 74},
	{"a client's hello", IP4("06") TCP("c001 01bb ") HELLO_OF_CLIENT, 70, PACKET_HELLO_BYTES},
	{"the same of IPv6", IP6("06") TCP("c001 01bb ") HELLO_OF_CLIENT, 90, PACKET_HELLO_BYTES},
	{"a server's hello", IP4("06") TCP("01bb c001 ") HELLO_OF_SERVER, 70, 70},
	{"SMB", IP4("06") TCP("c001 01bd ") "00000020 ff534d42", 70, 70},
	{"zeroes of another", IP4("06") TCP("c001 0bbd ") "00000020 ff534d42", 54, 54},
	{"UDP", IP4("11") "c001 0bbd 0108 0000 4142434445", 42, 42},
	{"SNMP", IP4("11") "c001 00a1 0108 0000 30260201", 58, 58},
	{"ICMP", IP4("01") "0800 0000 0001 0001 4142434445", 42, 42},
	{"a fragment", MACS "0800 45000200 00010010 40060000 0a000001 0a000002 4142434445", 34, 34},
	{"an advertisement of a neighbour", IP6("3a") "8800 0000", 86, 86},
	{"extension headers", IP6("00") "0600 0104", 128, 128},
	{"DNS", IP4("11") "c001 0035 0108 0000 1234", PACKET_WIDE_BYTES, PACKET_HELLO_BYTES},
	{"ARP", MACS "0806 0001", PACKET_WIDE_BYTES, PACKET_HELLO_BYTES},
	{"LLDP", "0180c200000e 020000000001 88cc 0207", PACKET_WIDE_BYTES, PACKET_HELLO_BYTES},
	{"two tags", MACS "88a8 0001 8100 0002 0800", 128, 128},
};

/* All zeroes behind the bytes of the text. */
static void put(uint8_t *out, const char *hex)
{
	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		const char two[3] = {hex[0], hex[1], '\0'};
		*out++ = (uint8_t)strtoul(two, NULL, 16);
		hex++;
	}
}

static void check_all(bool names)
{
	struct wire_filter f;
	struct fw_err err;
	assert_int_equal(wire_filter_make(&f, DLT_EN10MB, names, &err), 0);
	for (size_t i = 0; i < sizeof packets / sizeof *packets; i++) {
		uint8_t packet[526] = {0};
		put(packet, packets[i].hex);
		unsigned got = wire_filter_run(&f, packet, sizeof packet);
		if (got != (names ? packets[i].names : packets[i].plain))
			fail_msg("of %s: %u bytes", packets[i].what, got);
	}
}

static void test_headers_and_no_more(void **state)
{
	(void)state;
	check_all(false);
}

static void test_names_only_where_they_may_be_kept(void **state)
{
	(void)state;
	check_all(true);
}

/* An acknowledgement ends where its headers do: nothing behind them may be looked at. */
static void test_a_packet_without_payload_is_not_lost(void **state)
{
	(void)state;
	struct wire_filter f;
	struct fw_err err;
	uint8_t packet[54] = {0};
	put(packet, IP4("06") TCP("c001 01bd "));
	assert_int_equal(wire_filter_make(&f, DLT_EN10MB, false, &err), 0);
	assert_int_equal(wire_filter_run(&f, packet, sizeof packet), 54);
}

/* Other links have the fixed limit. */
static void test_other_links(void **state)
{
	(void)state;
	static const int links[] = {DLT_LINUX_SLL, DLT_LINUX_SLL2, DLT_RAW, DLT_NULL};
	uint8_t packet[526] = {0};
	for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
		struct wire_filter f;
		struct fw_err err;
		assert_int_equal(wire_filter_make(&f, links[i], true, &err), 0);
		assert_int_equal(wire_filter_run(&f, packet, sizeof packet), PACKET_HEADER_BYTES);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers_and_no_more),
		cmocka_unit_test(test_names_only_where_they_may_be_kept),
		cmocka_unit_test(test_a_packet_without_payload_is_not_lost),
		cmocka_unit_test(test_other_links),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
