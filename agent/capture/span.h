/* Bytes of one packet, read in order and never past their end.
 *
 * `end` is as far as may be looked at: by default the headers. What lies behind it up
 * to `last` is there, but only a protocol with a wider limit of its own may ask for it.
 * A read past `end` changes nothing and returns false.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *at, *end;
	const uint8_t *frame, *last; /* where the packet began, and what was captured of it */
};

static inline size_t span_left(const struct span *s)
{
	return (size_t)(s->end - s->at);
}

static inline bool span_skip(struct span *s, size_t n)
{
	if (span_left(s) < n)
		return false;
	s->at += n;
	return true;
}

static inline bool span_u8(struct span *s, uint8_t *out)
{
	if (span_left(s) < 1)
		return false;
	*out = *s->at++;
	return true;
}

static inline uint16_t span_be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t span_be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline bool span_u16(struct span *s, uint16_t *out)
{
	if (span_left(s) < 2)
		return false;
	*out = span_be16(s->at);
	s->at += 2;
	return true;
}

static inline bool span_u32(struct span *s, uint32_t *out)
{
	if (span_left(s) < 4)
		return false;
	*out = span_be32(s->at);
	s->at += 4;
	return true;
}

static inline bool span_copy(struct span *s, void *out, size_t n)
{
	if (span_left(s) < n)
		return false;
	memcpy(out, s->at, n);
	s->at += n;
	return true;
}

/* Takes the next `n` bytes, or what there is of them, as a span of their own. */
static inline struct span span_take(struct span *s, size_t n)
{
	struct span part = *s;
	if (n < span_left(s))
		part.end = s->at + n;
	if (n < (size_t)(s->last - s->at))
		part.last = s->at + n;
	s->at = part.end;
	return part;
}

/* What lies behind the next `n` bytes is no part of this. */
static inline void span_trim(struct span *s, size_t n)
{
	if (n < (size_t)(s->last - s->at))
		s->last = s->at + n;
	if (s->end > s->last)
		s->end = s->last;
}

/* Lets it be read up to byte `n` of the packet. */
static inline void span_widen(struct span *s, size_t n)
{
	size_t there = (size_t)(s->last - s->frame);
	const uint8_t *end = s->frame + (n < there ? n : there);
	if (end > s->end)
		s->end = end;
}
