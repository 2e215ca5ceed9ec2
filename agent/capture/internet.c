/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 with its options, IPv6 with its extension headers, and fragments of both. */
#include "layers.h"

enum {
	HEADER_HOP_BY_HOP = 0,
	HEADER_ROUTING = 43,
	HEADER_FRAGMENT = 44,
	HEADER_AUTHENTICATION = 51,
	HEADER_DESTINATION = 60,
	HEADER_MOBILITY = 135,
	HEADER_HIP = 139,
	HEADER_SHIM6 = 140,
};

#define MOST_EXTENSIONS 8

/* The rest of the packet on the wire, where a header does not say (segments that the
 * network card was left to cut). */
static size_t rest_of(const struct reading *r)
{
	size_t before = (size_t)(r->s.at - r->s.frame);
	return r->out->length > before ? r->out->length - before : 0;
}

bool read_internet4(struct reading *r)
{
	struct packet *out = r->out;
	const uint8_t *head = r->s.at;
	if (span_left(&r->s) < 20)
		return false;
	size_t header = (size_t)(head[0] & 15) * 4, total = span_be16(head + 2);
	if (head[0] >> 4 != 4 || header < 20)
		return false;
	if (total == 0)
		total = rest_of(r);
	if (total < header)
		return false;
	out->ip = 4;
	out->protocol = head[9];
	packet_put_address4(&out->from, head + 12);
	packet_put_address4(&out->to, head + 16);
	out->fragment = (span_be16(head + 6) & 0x1fff) != 0;
	span_trim(&r->s, total);
	if (!span_skip(&r->s, header))
		return false;
	return out->fragment || read_transport(r, out->protocol, total - header);
}

static bool is_extension(uint8_t header)
{
	switch (header) {
	case HEADER_HOP_BY_HOP:
	case HEADER_ROUTING:
	case HEADER_FRAGMENT:
	case HEADER_AUTHENTICATION:
	case HEADER_DESTINATION:
	case HEADER_MOBILITY:
	case HEADER_HIP:
	case HEADER_SHIM6:
		return true;
	default:
		return false;
	}
}

/* Past one extension header; how long it was comes off `length`. */
static bool skip_extension(struct reading *r, uint8_t *next, size_t *length)
{
	if (span_left(&r->s) < 8)
		return false;
	const uint8_t *head = r->s.at;
	size_t size = (size_t)(head[1] + 1) * 8;
	if (*next == HEADER_FRAGMENT) {
		size = 8;
		r->out->fragment = (span_be16(head + 2) & 0xfff8) != 0;
	} else if (*next == HEADER_AUTHENTICATION) {
		size = (size_t)(head[1] + 2) * 4;
	}
	if (*length < size || !span_skip(&r->s, size))
		return false;
	*next = head[0];
	*length -= size;
	return true;
}

bool read_internet6(struct reading *r)
{
	struct packet *out = r->out;
	const uint8_t *head = r->s.at;
	if (span_left(&r->s) < 40 || head[0] >> 4 != 6)
		return false;
	size_t length = span_be16(head + 4);
	uint8_t next = head[6];
	out->ip = 6;
	memcpy(out->from.bytes, head + 8, 16);
	memcpy(out->to.bytes, head + 24, 16);
	span_skip(&r->s, 40);
	if (length == 0 && next != HEADER_HOP_BY_HOP)
		length = rest_of(r);
	span_trim(&r->s, length);
	for (int i = 0; i < MOST_EXTENSIONS && is_extension(next) && !out->fragment; i++)
		if (!skip_extension(r, &next, &length))
			return false;
	out->protocol = next;
	return out->fragment || is_extension(next) || read_transport(r, next, length);
}

bool read_internet(struct reading *r)
{
	if (span_left(&r->s) < 1)
		return false;
	return r->s.at[0] >> 4 == 6 ? read_internet6(r) : read_internet4(r);
}
