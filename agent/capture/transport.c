/* SPDX-License-Identifier: Apache-2.0 */
#include "layers.h"

enum {
	PORT_DNS = 53,
	PORT_DHCP_SERVER = 67,
	PORT_DHCP_CLIENT = 68,
	PORT_SNMP = 161,
	PORT_SNMP_TRAP = 162,
	PORT_DNS_MULTICAST = 5353,
	ICMP6_ADVERTISEMENT = 136,
	OPTION_TARGET_MAC = 2,
};

static bool has_port(const struct packet *p, uint16_t port)
{
	return p->from_port == port || p->to_port == port;
}

/* In a stream DNS has its length in front. */
static bool read_dns_stream(struct reading *r)
{
	uint16_t length;
	span_widen(&r->s, PACKET_WIDE_BYTES);
	return span_u16(&r->s, &length) && read_dns(r);
}

static bool read_tcp(struct reading *r, size_t length)
{
	struct packet *out = r->out;
	const uint8_t *head = r->s.at;
	if (span_left(&r->s) < 20)
		return false;
	size_t header = (size_t)(head[12] >> 4) * 4;
	out->from_port = span_be16(head);
	out->to_port = span_be16(head + 2);
	out->tcp.seq = span_be32(head + 4);
	out->tcp.ack = span_be32(head + 8);
	out->tcp.flags = head[13];
	out->tcp.window = span_be16(head + 14);
	if (header < 20 || header > length)
		return false;
	out->payload = (uint32_t)(length - header);
	if (!span_skip(&r->s, header))
		return false;
	if (out->payload == 0)
		return true;
	if (has_port(out, PORT_DNS))
		return read_dns_stream(r);
	read_stream_start(r);
	return true;
}

static bool read_udp(struct reading *r, size_t length)
{
	struct packet *out = r->out;
	uint16_t own, sum;
	if (!span_u16(&r->s, &out->from_port) || !span_u16(&r->s, &out->to_port) ||
		!span_u16(&r->s, &own) || !span_u16(&r->s, &sum) || length < 8)
		return false;
	size_t payload = own >= 8 && own <= length ? own - 8u : length - 8;
	out->payload = (uint32_t)payload;
	span_trim(&r->s, payload);
	if (has_port(out, PORT_DNS) || has_port(out, PORT_DNS_MULTICAST)) {
		span_widen(&r->s, PACKET_WIDE_BYTES);
		return read_dns(r);
	}
	if (has_port(out, PORT_DHCP_SERVER) || has_port(out, PORT_DHCP_CLIENT))
		return read_dhcp(r);
	if (has_port(out, PORT_SNMP) || has_port(out, PORT_SNMP_TRAP))
		read_snmp(r);
	return true;
}

/* Who has which address is told in IPv6 by an advertisement with the MAC as an option. */
static bool read_icmp6(struct reading *r, size_t length)
{
	struct packet *out = r->out;
	uint8_t type;
	out->payload = (uint32_t)length;
	if (!span_u8(&r->s, &type))
		return false;
	if (type != ICMP6_ADVERTISEMENT)
		return true;
	struct packet_neighbour told = {0};
	uint8_t option[2];
	if (!span_skip(&r->s, 7) || !span_copy(&r->s, told.address.bytes, 16))
		return false;
	if (!span_copy(&r->s, option, 2) || option[0] != OPTION_TARGET_MAC || option[1] != 1 ||
		!span_copy(&r->s, told.mac, 6))
		return true;
	out->neighbour = told;
	out->app = PACKET_APP_NEIGHBOUR;
	return true;
}

bool read_transport(struct reading *r, uint8_t protocol, size_t length)
{
	switch (protocol) {
	case PROTOCOL_TCP:
		return read_tcp(r, length);
	case PROTOCOL_UDP:
		return read_udp(r, length);
	case PROTOCOL_ICMP6:
		return read_icmp6(r, length);
	default:
		r->out->payload = (uint32_t)length;
		return true;
	}
}
