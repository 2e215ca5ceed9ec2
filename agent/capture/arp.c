/* SPDX-License-Identifier: Apache-2.0 */
#include "layers.h"

/* Of Ethernet and IPv4, which is all there is. */
bool read_arp(struct reading *r)
{
	static const uint8_t expected[6] = {0, 1, 0x08, 0x00, 6, 4};
	struct packet_arp arp;
	uint8_t head[6], sender[4], target[4];
	span_widen(&r->s, PACKET_WIDE_BYTES);
	if (!span_copy(&r->s, head, sizeof head))
		return false;
	if (memcmp(head, expected, sizeof head) != 0)
		return true;
	if (!span_u16(&r->s, &arp.operation) || !span_copy(&r->s, arp.sender_mac, 6) ||
		!span_copy(&r->s, sender, 4) || !span_skip(&r->s, 6) ||
		!span_copy(&r->s, target, 4))
		return false;
	packet_put_address4(&arp.sender, sender);
	packet_put_address4(&arp.target, target);
	r->out->arp = arp;
	r->out->app = PACKET_APP_ARP;
	return true;
}
