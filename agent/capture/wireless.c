/* SPDX-License-Identifier: Apache-2.0 */
/* 802.11 with or without radiotap. Only data that is not encrypted says more. */
#include "layers.h"

enum {
	TYPE_DATA = 2,
	SUBTYPE_EMPTY = 4,
	SUBTYPE_QOS = 8,
	FLAG_TO = 1,
	FLAG_FROM = 2,
	FLAG_PROTECTED = 0x40,
	FLAG_ORDER = 0x80,
	QOS_AGGREGATE = 0x80,
};

static size_t header_length(uint8_t subtype, uint8_t flags)
{
	size_t length = 24;
	if ((flags & (FLAG_TO | FLAG_FROM)) == (FLAG_TO | FLAG_FROM))
		length += 6;
	if (subtype & SUBTYPE_QOS)
		length += flags & FLAG_ORDER ? 6 : 2;
	return length;
}

/* Which of the three or four addresses is whose depends on the way through the air. */
static void put_addresses(struct packet *out, const uint8_t *head, uint8_t flags)
{
	const uint8_t *first = head + 4, *second = head + 10, *third = head + 16;
	const uint8_t *to = flags & FLAG_TO ? third : first, *from = second;
	if (flags & FLAG_FROM)
		from = flags & FLAG_TO ? head + 24 : third;
	memcpy(out->to_mac, to, 6);
	memcpy(out->from_mac, from, 6);
	out->has_macs = true;
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	out->broadcast = memcmp(to, all, sizeof all) == 0;
	out->multicast = !out->broadcast && (to[0] & 1);
}

static bool read_air(struct reading *r, bool padded)
{
	if (span_left(&r->s) < 2)
		return false;
	uint8_t type = r->s.at[0] >> 2 & 3, subtype = r->s.at[0] >> 4, flags = r->s.at[1];
	if (type != TYPE_DATA || (subtype & SUBTYPE_EMPTY) || (flags & FLAG_PROTECTED))
		return true;
	const uint8_t *head = r->s.at;
	size_t length = header_length(subtype, flags), plain = length;
	if (padded)
		length = (length + 3) & ~(size_t)3;
	if (!span_skip(&r->s, length))
		return false;
	put_addresses(r->out, head, flags);
	size_t qos = plain - (flags & FLAG_ORDER ? 6 : 2);
	if ((subtype & SUBTYPE_QOS) && (head[qos] & QOS_AGGREGATE))
		return true;
	return read_llc(r);
}

bool read_wireless(struct reading *r)
{
	return read_air(r, false);
}

static uint32_t little32(const uint8_t *at)
{
	return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

/* The flags say whether the 802.11 header is padded: they come behind the time stamp, and
 * both behind as many words of presence bits as say that another follows. */
static bool is_padded(const uint8_t *head, size_t length)
{
	size_t at = 8;
	uint32_t present = little32(head + 4);
	for (uint32_t more = present; more >> 31; at += 4) {
		if (at + 4 > length)
			return false;
		more = little32(head + at);
	}
	if (present & 1)
		at = ((at + 7) & ~(size_t)7) + 8;
	return (present & 2) && at < length && (head[at] & 0x20);
}

bool read_radiotap(struct reading *r)
{
	if (span_left(&r->s) < 8)
		return false;
	const uint8_t *head = r->s.at;
	size_t length = (size_t)head[2] | (size_t)head[3] << 8;
	if (length < 8 || !span_skip(&r->s, length))
		return false;
	return read_air(r, is_padded(head, length));
}
