/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pcap/dlt.h>

#include "packet.h"

struct bytes {
	uint8_t data[2048];
	size_t length;
};

/* Hexadecimal with blanks between. */
static void put(struct bytes *b, const char *hex)
{
	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		const char two[3] = {hex[0], hex[1], '\0'};
		b->data[b->length++] = (uint8_t)strtoul(two, NULL, 16);
		hex++;
	}
}

static void put_text(struct bytes *b, const char *text)
{
	memcpy(b->data + b->length, text, strlen(text));
	b->length += strlen(text);
}

static void put_zeroes(struct bytes *b, size_t n)
{
	memset(b->data + b->length, 0, n);
	b->length += n;
}

/* From a copy of the exact size, so that a read past its end is seen. */
static struct packet parse_part(int link, const struct bytes *b, size_t captured, bool names)
{
	struct packet p;
	uint8_t *copy = malloc(captured ? captured : 1);
	assert_non_null(copy);
	memcpy(copy, b->data, captured);
	packet_parse(&p, link, copy, captured, b->length, names);
	free(copy);
	return p;
}

static struct packet parse(int link, const struct bytes *b)
{
	return parse_part(link, b, b->length, false);
}

#define MACS "ffffffffffff 020000000001 "
#define IP4 "45000030 00010000 40060000 0a000001 0a000002 "
#define TCP "c001 0050 00000001 00000002 5018 2000 0000 0000 "
#define DATA "4142434445464748"
#define IP6 "60000000 001c 06 40 20010db8000000000000000000000001 20010db8000000000000000000000002 "
#define SNAP "aaaa03 000000 "

static const struct {
	const char *name;
	int link;
	const char *head;
	uint8_t ip;
	uint16_t vlan;
} ways[] = {
	{"Ethernet", DLT_EN10MB, MACS "0800" IP4, 4, 0},
	{"Ethernet, IPv6", DLT_EN10MB, MACS "86dd" IP6, 6, 0},
	{"a VLAN", DLT_EN10MB, MACS "8100 0064 0800" IP4, 4, 100},
	{"VLAN in VLAN", DLT_EN10MB, MACS "88a8 0001 8100 6065 0800" IP4, 4, 101},
	{"three VLANs", DLT_EN10MB, MACS "9100 0001 88a8 0002 8100 0003 86dd" IP6, 6, 3},
	{"LLC", DLT_EN10MB, MACS "0038 " SNAP "0800" IP4, 4, 0},
	{"MPLS", DLT_EN10MB, MACS "8847 00010040 00020140" IP4, 4, 0},
	{"a pseudo-wire", DLT_EN10MB, MACS "8847 00010140 00000000" MACS "0800" IP4, 4, 0},
	{"PPPoE", DLT_EN10MB, MACS "8864 1100 0001 0032 0021" IP4, 4, 0},
	{"PPPoE, IPv6", DLT_EN10MB, MACS "8864 1100 0001 0046 0057" IP6, 6, 0},
	{"cooked", DLT_LINUX_SLL, "0000 0001 0006 0200000000010000 0800" IP4, 4, 0},
	{"cooked, a VLAN", DLT_LINUX_SLL, "0000 0001 0006 0200000000010000 8100 0007 86dd" IP6, 6,
		7},
	{"cooked 2", DLT_LINUX_SLL2, "0800 0000 00000002 0001 00 06 0200000000010000" IP4, 4, 0},
	{"raw", DLT_RAW, IP4, 4, 0},
	{"raw, IPv6", DLT_RAW, IP6, 6, 0},
	{"raw of a file", 101, IP4, 4, 0},
	{"IPv4 alone", DLT_IPV4, IP4, 4, 0},
	{"IPv6 alone", DLT_IPV6, IP6, 6, 0},
	{"loopback", DLT_NULL, "02000000" IP4, 4, 0},
	{"loopback of OpenBSD", DLT_LOOP, "00000018" IP6, 6, 0},
	{"PPP", DLT_PPP, "ff03 0021" IP4, 4, 0},
	{"PPP, MPLS", DLT_PPP_SERIAL, "0281 00010140" IP4, 4, 0},
	{"HDLC", DLT_C_HDLC, "0f00 0800" IP4, 4, 0},
	{"PPPoE alone", DLT_PPP_ETHER, "1100 0001 0032 0021" IP4, 4, 0},
	{"802.11 from the air", DLT_IEEE802_11,
		"0802 0000 ffffffffffff 020000000009 020000000001 0000 " SNAP "0800" IP4, 4, 0},
	{"802.11 with quality of service", DLT_IEEE802_11,
		"8801 0000 020000000009 020000000001 ffffffffffff 0000 0000 " SNAP "86dd" IP6, 6,
		0},
	{"802.11 between stations", DLT_IEEE802_11,
		"0803 0000 020000000008 020000000009 ffffffffffff 0000 020000000001 " SNAP
		"0800" IP4,
		4, 0},
	{"radiotap", DLT_IEEE802_11_RADIO,
		"0000 0800 00000000 0802 0000 ffffffffffff 020000000009 020000000001 0000 " SNAP
		"0800" IP4,
		4, 0},
	{"radiotap, padded", DLT_IEEE802_11_RADIO,
		"0000 0900 02000000 20 8802 0000 ffffffffffff 020000000009 020000000001 0000 "
		"0000 0000 " SNAP "0800" IP4,
		4, 0},
	{"options", DLT_RAW, "46000034 00010000 40060000 0a000001 0a000002 01010101" /* and TCP */,
		4, 0},
	{"extension headers", DLT_RAW,
		"60000000 0044 00 40 20010db8000000000000000000000001 "
		"20010db8000000000000000000000002 3c00 010400000000 2c00 010400000000 "
		"3300 0000 00000001 0602 0000 00000001 00000001 00000000",
		6, 0},
};

static void check_segment(const struct packet *p, const char *name)
{
	if (p->cut || p->from_port != 0xc001)
		print_error("%s\n", name);
	assert_false(p->cut);
	assert_int_equal(p->protocol, PROTOCOL_TCP);
	assert_int_equal(p->from_port, 0xc001);
	assert_int_equal(p->to_port, 80);
	assert_int_equal(p->tcp.seq, 1);
	assert_int_equal(p->tcp.ack, 2);
	assert_int_equal(p->tcp.flags, TCP_PUSH | TCP_ACK);
	assert_int_equal(p->tcp.window, 0x2000);
	assert_int_equal(p->payload, 8);
}

static void test_every_way_to_a_segment(void **state)
{
	(void)state;
	char text[46];
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		struct bytes b = {0};
		put(&b, ways[i].head);
		put(&b, TCP DATA);
		struct packet p = parse(ways[i].link, &b);
		check_segment(&p, ways[i].name);
		assert_int_equal(p.ip, ways[i].ip);
		assert_int_equal(p.vlan, ways[i].vlan);
		assert_string_equal(packet_address_text(&p.from, text, sizeof text),
			p.ip == 4 ? "10.0.0.1" : "2001:db8::1");
		if (p.has_macs)
			assert_int_equal(p.from_mac[5], 1);
	}
}

/* Cut anywhere it is read up to there: never past it, and never something else. */
static void test_every_truncation(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		struct bytes b = {0};
		put(&b, ways[i].head);
		size_t headers = b.length + 20;
		put(&b, TCP DATA);
		for (size_t n = 0; n < headers; n++) {
			struct packet p = parse_part(ways[i].link, &b, n, true);
			assert_true(p.cut || p.from_port == 0);
			assert_true(p.from_port == 0 || p.from_port == 0xc001);
		}
		struct packet p = parse_part(ways[i].link, &b, headers, true);
		check_segment(&p, ways[i].name);
	}
}

static void test_what_lies(void **state)
{
	(void)state;
	static const char *const lies[] = {
		MACS "0800 44000028 00010000 40060000 0a000001 0a000002 " TCP, /* header of 16 */
		MACS "0800 4f000028 00010000 40060000 0a000001 0a000002 " TCP, /* of 60, total 40 */
		MACS "0800 45000013 00010000 40060000 0a000001 0a000002 " TCP, /* total of 19 */
		MACS "0800 45000028 00010000 40060000 0a000001 0a000002 c001 0050 00000001 "
		     "00000002 4018 2000 0000 0000", /* TCP of 16 */
		MACS "0800 45000028 00010000 40060000 0a000001 0a000002 c001 0050 00000001 "
		     "00000002 f018 2000 0000 0000",    /* TCP of 60 */
		MACS "8847 00010040 00010040 00010040", /* labels without a last one */
	};
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		struct bytes b = {0};
		put(&b, lies[i]);
		struct packet p = parse(DLT_EN10MB, &b);
		assert_true(p.cut);
		assert_int_equal(p.payload, 0);
	}
}

/* Tags without end stop at a limit: the headers' bytes. */
static void test_tags_without_end(void **state)
{
	(void)state;
	struct bytes b = {0};
	put(&b, MACS);
	for (int i = 0; i < 300; i++)
		put(&b, "8100 0001");
	struct packet p = parse(DLT_EN10MB, &b);
	assert_true(p.cut);
	assert_int_equal(p.ip, 0);
}

static void test_fragments_have_no_ports(void **state)
{
	(void)state;
	struct bytes b = {0};
	put(&b, "45000030 00012001 40060000 0a000001 0a000002 " TCP DATA);
	struct packet p = parse(DLT_RAW, &b);
	assert_true(p.fragment);
	assert_int_equal(p.from_port, 0);
	b.length = 0; /* the first of them has */
	put(&b, "45000030 00012000 40060000 0a000001 0a000002 " TCP DATA);
	p = parse(DLT_RAW, &b);
	assert_false(p.fragment);
	assert_int_equal(p.from_port, 0xc001);
	b.length = 0;
	put(&b,
		"60000000 0024 2c 40 20010db8000000000000000000000001 "
		"20010db8000000000000000000000002 0600 0100 00000001 " TCP DATA);
	p = parse(DLT_RAW, &b);
	assert_true(p.fragment && p.from_port == 0 && p.protocol == PROTOCOL_TCP);
}

static void put_udp(struct bytes *b, uint16_t from, uint16_t to, const struct bytes *payload)
{
	char head[80];
	size_t length = payload->length + 8;
	snprintf(head, sizeof head, MACS "0800 4500%04zx 00010000 40110000 0a000001 0a000002 ",
		length + 20);
	put(b, head);
	snprintf(head, sizeof head, "%04x %04x %04zx 0000", from, to, length);
	put(b, head);
	memcpy(b->data + b->length, payload->data, payload->length);
	b->length += payload->length;
}

static void test_dns(void **state)
{
	(void)state;
	struct bytes dns = {0}, b = {0};
	put(&dns, "1234 8183 0001 0000 0000 0000 07");
	put_text(&dns, "payroll");
	put(&dns, "07");
	put_text(&dns, "council");
	put(&dns, "00 001c 0001");
	put_udp(&b, 53, 40000, &dns);
	struct packet p = parse(DLT_EN10MB, &b);
	assert_int_equal(p.app, PACKET_APP_DNS);
	assert_true(p.dns.response && p.dns.rcode == 3 && p.dns.id == 0x1234 && p.dns.type == 28);
	assert_string_equal(p.name, "");
	p = parse_part(DLT_EN10MB, &b, b.length, true);
	assert_string_equal(p.name, "payroll.council");
	for (size_t n = 0; n < b.length; n++)
		parse_part(DLT_EN10MB, &b, n, true);
	dns.length = b.length = 0; /* a pointer to itself in a question */
	put(&dns, "1234 0100 0001 0000 0000 0000 c00c 0001 0001");
	put_udp(&b, 40000, 53, &dns);
	p = parse_part(DLT_EN10MB, &b, b.length, true);
	assert_true(p.cut && p.app == PACKET_APP_DNS && !p.dns.response);
}

static void test_dhcp(void **state)
{
	(void)state;
	struct bytes dhcp = {0}, b = {0};
	put(&dhcp, "02010600 00abcdef 00000000 00000000 0a000037 00000000 00000000 020000000033");
	put_zeroes(&dhcp, 10 + 64 + 128);
	put(&dhcp, "63825363 3501 06 00 0c07");
	put_text(&dhcp, "till\x01-7");
	put(&dhcp, "ff");
	put_udp(&b, 67, 68, &dhcp);
	struct packet p = parse(DLT_EN10MB, &b);
	assert_int_equal(p.app, PACKET_APP_DHCP);
	assert_true(p.dhcp.reply && p.dhcp.type == 6 && p.dhcp.id == 0xabcdef);
	assert_int_equal(p.dhcp.given.bytes[15], 0x37);
	assert_int_equal(p.dhcp.mac[5], 0x33);
	assert_string_equal(p.name, "till?-7");
	for (size_t n = 0; n < b.length; n++)
		parse_part(DLT_EN10MB, &b, n, false);
}

static void test_neighbours(void **state)
{
	(void)state;
	struct bytes b = {0};
	put(&b, MACS "0806 0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002");
	struct packet p = parse(DLT_EN10MB, &b);
	assert_true(p.app == PACKET_APP_ARP && p.arp.operation == 1 && p.broadcast);
	assert_int_equal(p.arp.sender.bytes[15], 1);
	b.length = 0;
	put(&b,
		"0180c200000e 020000000001 88cc 0207 04 020000000001 0403 05 6731 0602 0078 "
		"0a03 737731 0000");
	p = parse(DLT_EN10MB, &b);
	assert_true(p.app == PACKET_APP_LLDP && p.multicast);
	assert_string_equal(p.name, "sw1");
	assert_string_equal(p.port_name, "g1");
	for (size_t n = 0; n < b.length; n++)
		parse_part(DLT_EN10MB, &b, n, false);
	b.length = 0;
	put(&b,
		"01000ccccccc 020000000001 001c aaaa03 00000c 2000 02b4 0000 0001 0007 737732 "
		"0003 0006 6732 0000");
	p = parse(DLT_EN10MB, &b);
	assert_int_equal(p.app, PACKET_APP_CDP);
	assert_string_equal(p.name, "sw2");
	assert_string_equal(p.port_name, "g2");
	b.length = 0; /* an advertisement of IPv6 */
	put(&b,
		MACS "86dd 60000000 0020 3a ff 20010db8000000000000000000000001 "
		     "20010db8000000000000000000000002 8800 0000 60000000 "
		     "20010db8000000000000000000000009 0201 020000000044");
	p = parse(DLT_EN10MB, &b);
	assert_int_equal(p.app, PACKET_APP_NEIGHBOUR);
	assert_int_equal(p.neighbour.mac[5], 0x44);
	assert_int_equal(p.neighbour.address.bytes[15], 9);
}

static void put_segment(struct bytes *b, uint16_t from, uint16_t to, const struct bytes *payload)
{
	char head[128];
	snprintf(head, sizeof head,
		MACS "0800 4500%04zx 00010000 40060000 0a000001 0a000002 %04x %04x",
		40 + payload->length, from, to);
	put(b, head);
	put(b, "00000001 00000002 5018 2000 0000 0000");
	memcpy(b->data + b->length, payload->data, payload->length);
	b->length += payload->length;
}

static void test_tls(void **state)
{
	(void)state;
	struct bytes hello = {0}, b = {0};
	put(&hello, "16 0301 00f0 01 0000ec 0303");
	put_zeroes(&hello, 32);
	put(&hello, "00 0002 1301 0100 00c0 ff01 0080"); /* a long extension before the name */
	put_zeroes(&hello, 128);
	put(&hello, "0000 000e 000c 00 0009");
	put_text(&hello, "s.council");
	put(&hello, "002b 0007 06 7a7a 0304 0303");
	put_segment(&b, 40000, 443, &hello);
	struct packet p = parse(DLT_EN10MB, &b);
	assert_true(p.app == PACKET_APP_TLS && p.tls.handshake == 1 && p.tls.version == 0x0303);
	assert_string_equal(p.name, ""); /* not even looked for behind the headers */
	p = parse_part(DLT_EN10MB, &b, b.length, true);
	assert_string_equal(p.name, "s.council");
	assert_int_equal(p.tls.version, 0x0304);
	for (size_t n = 0; n < b.length; n++)
		parse_part(DLT_EN10MB, &b, n, true);
	hello.length = b.length = 0; /* a server that speaks 1.0 */
	put(&hello, "16 0301 0031 02 00002d 0301");
	put_zeroes(&hello, 32);
	put(&hello, "00 002f 00");
	put_segment(&b, 443, 40000, &hello);
	p = parse(DLT_EN10MB, &b);
	assert_true(p.app == PACKET_APP_TLS && p.tls.handshake == 2 && p.tls.version == 0x0301);
}

static void test_what_is_old(void **state)
{
	(void)state;
	struct bytes part = {0}, b = {0};
	put(&part, "00000020 ff 534d42 72");
	put_segment(&b, 40000, 445, &part);
	assert_int_equal(parse(DLT_EN10MB, &b).app, PACKET_APP_SMB1);
	part.length = b.length = 0;
	put(&part, "00000020 fe 534d42 40");
	put_segment(&b, 40000, 445, &part);
	assert_int_equal(parse(DLT_EN10MB, &b).app, PACKET_APP_SMB);
	part.length = b.length = 0;
	put(&part, "3082 0026 0201 01 0406");
	put_udp(&b, 40000, 161, &part);
	struct packet p = parse(DLT_EN10MB, &b);
	assert_true(p.app == PACKET_APP_SNMP && p.snmp_version == 1);
}

/* Behind the headers' limit nothing is looked at, however the bytes came there. */
static void test_the_limit_holds(void **state)
{
	(void)state;
	struct bytes b = {0};
	put(&b, MACS "0800 4f000200 00010000 40060000 0a000001 0a000002 ");
	put_zeroes(&b, 40);
	put(&b, "c001 01bd 00000001 00000002 f018 2000 0000 0000");
	put_zeroes(&b, 40);
	put(&b, "00000020 ff 534d42 72"); /* at 134 */
	struct packet p = parse(DLT_EN10MB, &b);
	assert_int_equal(p.from_port, 0xc001);
	assert_int_equal(p.app, PACKET_APP_NONE);
}

static void test_links(void **state)
{
	(void)state;
	assert_true(packet_knows_link(DLT_EN10MB));
	assert_false(packet_knows_link(DLT_USB));
	struct bytes b = {0};
	put(&b, IP4);
	assert_int_equal(parse(DLT_USB, &b).ip, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_way_to_a_segment),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_what_lies),
		cmocka_unit_test(test_tags_without_end),
		cmocka_unit_test(test_fragments_have_no_ports),
		cmocka_unit_test(test_dns),
		cmocka_unit_test(test_dhcp),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_what_is_old),
		cmocka_unit_test(test_the_limit_holds),
		cmocka_unit_test(test_links),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
