/* SPDX-License-Identifier: Apache-2.0 */
#include "layers.h"

enum {
	OPTION_PAD = 0,
	OPTION_HOST_NAME = 12,
	OPTION_MESSAGE_TYPE = 53,
	OPTION_END = 255,
	BOOT_REPLY = 2,
};

static bool read_options(struct reading *r)
{
	struct packet *out = r->out;
	uint8_t code, length;
	while (span_u8(&r->s, &code) && code != OPTION_END) {
		if (code == OPTION_PAD)
			continue;
		if (!span_u8(&r->s, &length) || span_left(&r->s) < length)
			return false;
		if (code == OPTION_MESSAGE_TYPE && length == 1)
			out->dhcp.type = r->s.at[0];
		if (code == OPTION_HOST_NAME)
			packet_put_text(out->name, sizeof out->name, r->s.at, length);
		span_skip(&r->s, length);
	}
	return true;
}

bool read_dhcp(struct reading *r)
{
	struct packet *out = r->out;
	struct packet_dhcp dhcp = {0};
	uint8_t head[4], given[4];
	uint32_t cookie;
	span_widen(&r->s, PACKET_WIDE_BYTES);
	if (!span_copy(&r->s, head, 4) || !span_u32(&r->s, &dhcp.id) || !span_skip(&r->s, 8) ||
		!span_copy(&r->s, given, 4) || !span_skip(&r->s, 8) ||
		!span_copy(&r->s, dhcp.mac, 6) || !span_skip(&r->s, 10 + 64 + 128) ||
		!span_u32(&r->s, &cookie))
		return false;
	if (cookie != 0x63825363)
		return true;
	dhcp.reply = head[0] == BOOT_REPLY;
	packet_put_address4(&dhcp.given, given);
	out->dhcp = dhcp;
	out->app = PACKET_APP_DHCP;
	return read_options(r);
}
