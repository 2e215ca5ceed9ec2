/* SPDX-License-Identifier: Apache-2.0 */
/* What switches say of themselves and of the port: LLDP, and CDP of Cisco's. */
#include "layers.h"

enum {
	LLDP_END = 0,
	LLDP_PORT = 2,
	LLDP_SYSTEM = 5,
	LLDP_MAC_SUBTYPE = 3,
	CDP_DEVICE = 1,
	CDP_PORT = 3,
};

/* A port by its MAC, or by a text. */
static void put_port(struct packet *out, const uint8_t *value, size_t length)
{
	if (length < 2 || value[0] == LLDP_MAC_SUBTYPE)
		return;
	packet_put_text(out->port_name, sizeof out->port_name, value + 1, length - 1);
}

bool read_lldp(struct reading *r)
{
	struct packet *out = r->out;
	uint16_t head;
	span_widen(&r->s, PACKET_WIDE_BYTES);
	out->app = PACKET_APP_LLDP;
	while (span_u16(&r->s, &head) && head >> 9 != LLDP_END) {
		size_t length = head & 0x1ff;
		if (span_left(&r->s) < length)
			return false;
		if (head >> 9 == LLDP_PORT)
			put_port(out, r->s.at, length);
		if (head >> 9 == LLDP_SYSTEM)
			packet_put_text(out->name, sizeof out->name, r->s.at, length);
		span_skip(&r->s, length);
	}
	return true;
}

bool read_cdp(struct reading *r)
{
	struct packet *out = r->out;
	uint16_t type, length;
	span_widen(&r->s, PACKET_WIDE_BYTES);
	out->app = PACKET_APP_CDP;
	if (!span_skip(&r->s, 4)) /* version, time to live, checksum */
		return false;
	while (span_u16(&r->s, &type) && span_u16(&r->s, &length)) {
		if (length < 4 || span_left(&r->s) < length - 4u)
			return false;
		if (type == CDP_DEVICE)
			packet_put_text(out->name, sizeof out->name, r->s.at, length - 4u);
		if (type == CDP_PORT)
			packet_put_text(
				out->port_name, sizeof out->port_name, r->s.at, length - 4u);
		span_skip(&r->s, length - 4u);
	}
	return true;
}
