/* SPDX-License-Identifier: Apache-2.0 */
#include "packet.h"

#include <stdio.h>

#include <arpa/inet.h>
#include <pcap/dlt.h>

#include "layers.h"

/* Headers of links that are read here: a few fixed bytes, and what follows them. */

static bool read_null(struct reading *r)
{
	return span_skip(&r->s, 4) && read_internet(r);
}

static bool read_link_address(struct reading *r, uint16_t length, const uint8_t bytes[8])
{
	if (length == 6) {
		memcpy(r->out->from_mac, bytes, 6);
		r->out->has_macs = true;
	}
	return true;
}

static void put_direction(struct packet *out, uint16_t kind)
{
	out->broadcast = kind == 1;
	out->multicast = kind == 2;
}

/* Linux cooked capture, as of the interface "any". */
static bool read_cooked(struct reading *r)
{
	uint16_t kind, hardware, length, type;
	uint8_t address[8];
	if (!span_u16(&r->s, &kind) || !span_u16(&r->s, &hardware) || !span_u16(&r->s, &length) ||
		!span_copy(&r->s, address, sizeof address) || !span_u16(&r->s, &type))
		return false;
	put_direction(r->out, kind);
	read_link_address(r, length, address);
	return type == 4 ? read_llc(r) : read_ether_type(r, type);
}

static bool read_cooked2(struct reading *r)
{
	uint16_t type, reserved;
	uint8_t kind, length, address[8];
	if (!span_u16(&r->s, &type) || !span_u16(&r->s, &reserved) || !span_skip(&r->s, 6) ||
		!span_u8(&r->s, &kind) || !span_u8(&r->s, &length) ||
		!span_copy(&r->s, address, sizeof address))
		return false;
	put_direction(r->out, kind);
	read_link_address(r, length, address);
	return type == 4 ? read_llc(r) : read_ether_type(r, type);
}

static bool read_hdlc(struct reading *r)
{
	uint16_t address, type;
	return span_u16(&r->s, &address) && span_u16(&r->s, &type) && read_ether_type(r, type);
}

static bool read_pppoe_link(struct reading *r)
{
	return read_ether_type(r, ETHER_PPPOE);
}

static const struct {
	int link;
	bool (*read)(struct reading *r);
} links[] = {
	{DLT_EN10MB, read_ethernet},
	{DLT_LINUX_SLL, read_cooked},
	{DLT_LINUX_SLL2, read_cooked2},
	{DLT_RAW, read_internet},
	{14, read_internet},  /* what OpenBSD calls raw */
	{101, read_internet}, /* raw as a file has it */
	{DLT_IPV4, read_internet4},
	{DLT_IPV6, read_internet6},
	{DLT_NULL, read_null},
	{DLT_LOOP, read_null},
	{DLT_IEEE802_11, read_wireless},
	{DLT_IEEE802_11_RADIO, read_radiotap},
	{DLT_PPP, read_ppp},
	{DLT_PPP_SERIAL, read_ppp},
	{DLT_PPP_ETHER, read_pppoe_link},
	{DLT_C_HDLC, read_hdlc},
};

bool packet_knows_link(int link)
{
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		if (links[i].link == link)
			return true;
	return false;
}

void packet_parse(struct packet *out, int link, const uint8_t *data, size_t captured, size_t length,
	bool names)
{
	memset(out, 0, sizeof *out);
	out->length = (uint32_t)length;
	size_t first = captured < PACKET_HEADER_BYTES ? captured : PACKET_HEADER_BYTES;
	struct reading r = {
		.out = out,
		.s = {.at = data, .end = data + first, .frame = data, .last = data + captured},
		.names = names,
	};
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		if (links[i].link == link) {
			out->cut = !links[i].read(&r);
			return;
		}
}

void packet_put_address4(struct packet_address *out, const uint8_t bytes[4])
{
	memset(out->bytes, 0, 10);
	out->bytes[10] = out->bytes[11] = 0xff;
	memcpy(out->bytes + 12, bytes, 4);
}

static bool is_address4(const struct packet_address *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	return memcmp(a->bytes, mapped, sizeof mapped) == 0;
}

const char *packet_address_text(const struct packet_address *address, char *text, size_t size)
{
	bool four = is_address4(address);
	if (!inet_ntop(four ? AF_INET : AF_INET6, address->bytes + (four ? 12 : 0), text,
		    (socklen_t)size))
		snprintf(text, size, "?");
	return text;
}

bool packet_address_is_none(const struct packet_address *address)
{
	static const uint8_t none[16];
	size_t from = is_address4(address) ? 12 : 0;
	return memcmp(address->bytes + from, none, sizeof none - from) == 0;
}

/* What may stand between quotes as it is. */
static bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void packet_put_text(char *out, size_t size, const uint8_t *text, size_t length)
{
	size_t n = length < size - 1 ? length : size - 1;
	for (size_t i = 0; i < n; i++)
		out[i] = (char)(is_plain(text[i]) ? text[i] : '?');
	out[n] = '\0';
}
