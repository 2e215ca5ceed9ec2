/* SPDX-License-Identifier: Apache-2.0 */
#include "layers.h"

/* The first question's name as text with dots. A question is the first name there is, so
 * it cannot point back to another: a pointer ends the reading. */
static bool read_question(struct reading *r, char *name, size_t size)
{
	size_t n = 0;
	uint8_t length;
	for (;;) {
		if (!span_u8(&r->s, &length))
			return false;
		if (length == 0)
			break;
		if (length > 63 || span_left(&r->s) < length)
			return false;
		if (r->names && n + length + 2 < size) {
			if (n > 0)
				name[n++] = '.';
			packet_put_text(name + n, size - n, r->s.at, length);
			n += length;
		}
		span_skip(&r->s, length);
	}
	return true;
}

bool read_dns(struct reading *r)
{
	struct packet *out = r->out;
	uint16_t id, flags, questions;
	if (!span_u16(&r->s, &id) || !span_u16(&r->s, &flags) || !span_u16(&r->s, &questions) ||
		!span_skip(&r->s, 6))
		return false;
	out->app = PACKET_APP_DNS;
	out->dns = (struct packet_dns){
		.id = id,
		.response = flags >> 15,
		.rcode = flags & 15,
	};
	if (questions == 0)
		return true;
	return read_question(r, out->name, sizeof out->name) && span_u16(&r->s, &out->dns.type);
}
