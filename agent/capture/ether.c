/* SPDX-License-Identifier: Apache-2.0 */
/* Ethernet and what stacks between it and the network layer: tags, labels, PPPoE, LLC. */
#include "layers.h"

static const uint8_t broadcast_mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

bool read_ethernet(struct reading *r)
{
	struct packet *out = r->out;
	uint16_t type;
	if (!span_copy(&r->s, out->to_mac, 6) || !span_copy(&r->s, out->from_mac, 6) ||
		!span_u16(&r->s, &type))
		return false;
	out->has_macs = true;
	out->broadcast = memcmp(out->to_mac, broadcast_mac, 6) == 0;
	out->multicast = !out->broadcast && (out->to_mac[0] & 1);
	if (type >= ETHER_FEWEST)
		return read_ether_type(r, type);
	span_trim(&r->s, type);
	return read_llc(r);
}

static bool read_vlan(struct reading *r)
{
	uint16_t tag, type;
	if (!span_u16(&r->s, &tag) || !span_u16(&r->s, &type))
		return false;
	r->out->vlan = tag & 0xfff;
	return type >= ETHER_FEWEST ? read_ether_type(r, type) : read_llc(r);
}

/* What a label carries is not said: IP shows its version, a pseudo-wire begins with a
 * control word of zeroes and then Ethernet. */
static bool read_mpls(struct reading *r)
{
	uint32_t label = 0;
	for (unsigned i = 0; i < READING_MOST_LAYERS && !(label & 0x100); i++)
		if (!span_u32(&r->s, &label))
			return false;
	if (!(label & 0x100) || span_left(&r->s) < 1)
		return false;
	uint8_t version = r->s.at[0] >> 4;
	if (version == 4 || version == 6)
		return read_internet(r);
	return version != 0 || (span_skip(&r->s, 4) && read_ethernet(r));
}

bool read_ppp(struct reading *r)
{
	uint16_t protocol;
	if (span_left(&r->s) >= 2 && r->s.at[0] == 0xff && r->s.at[1] == 0x03)
		span_skip(&r->s, 2);
	if (!span_u16(&r->s, &protocol))
		return false;
	switch (protocol) {
	case 0x0021:
		return read_ether_type(r, ETHER_IP4);
	case 0x0057:
		return read_ether_type(r, ETHER_IP6);
	case 0x0281:
		return read_ether_type(r, ETHER_MPLS);
	default:
		return true;
	}
}

static bool read_pppoe(struct reading *r)
{
	uint16_t head, session, length;
	if (!span_u16(&r->s, &head) || !span_u16(&r->s, &session) || !span_u16(&r->s, &length))
		return false;
	if (head != 0x1100)
		return true;
	span_trim(&r->s, length);
	return read_ppp(r);
}

/* SNAP alone says more than who speaks: an Ethernet type, or Cisco's own. */
bool read_llc(struct reading *r)
{
	static const uint8_t snap[3] = {0xaa, 0xaa, 0x03};
	uint8_t head[3];
	uint32_t organisation = 0;
	uint16_t type;
	if (!span_copy(&r->s, head, sizeof head))
		return false;
	if (memcmp(head, snap, sizeof snap) != 0)
		return true;
	if (!span_copy(&r->s, (uint8_t *)&organisation + 1, 3) || !span_u16(&r->s, &type))
		return false;
	organisation = span_be32((const uint8_t *)&organisation);
	if (organisation == 0x00000c && type == 0x2000)
		return read_cdp(r);
	return organisation != 0 || type < ETHER_FEWEST || read_ether_type(r, type);
}

bool read_ether_type(struct reading *r, uint16_t type)
{
	r->out->ether_type = type;
	if (++r->depth > READING_MOST_LAYERS)
		return false;
	switch (type) {
	case ETHER_IP4:
		return read_internet4(r);
	case ETHER_IP6:
		return read_internet6(r);
	case ETHER_ARP:
		return read_arp(r);
	case ETHER_VLAN:
	case ETHER_QINQ:
	case ETHER_QINQ_OLD:
		return read_vlan(r);
	case ETHER_MPLS:
	case ETHER_MPLS_MULTICAST:
		return read_mpls(r);
	case ETHER_PPPOE:
		return read_pppoe(r);
	case ETHER_LLDP:
		return read_lldp(r);
	default:
		return true;
	}
}
