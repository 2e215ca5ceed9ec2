/* Cutting apart what a child hands back: numbers as varints, texts up to a NUL.
 * False: the bytes end before. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <fenwatch/buf.h>

struct reader {
	const uint8_t *at, *end;
};

static inline bool cut_number(struct reader *r, uint64_t *value)
{
	size_t used = fw_get_varint(r->at, (size_t)(r->end - r->at), value);
	r->at += used;
	return used > 0;
}

static inline bool cut_text(struct reader *r, const char **text)
{
	const uint8_t *nul = memchr(r->at, '\0', (size_t)(r->end - r->at));
	if (!nul)
		return false;
	*text = (const char *)r->at;
	r->at = nul + 1;
	return true;
}

static inline bool cut_bytes(struct reader *r, size_t length, const uint8_t **bytes)
{
	if (length > (size_t)(r->end - r->at))
		return false;
	*bytes = r->at;
	r->at += length;
	return true;
}

/* How a part of the answer begins: what became of it, and how many things follow. */
static inline bool cut_answer(struct reader *r, int *rc, const char **sentence, uint64_t *n)
{
	uint64_t number;
	if (!cut_number(r, &number) || !cut_text(r, sentence) || !cut_number(r, n))
		return false;
	*rc = (int)fw_unzigzag(number);
	return true;
}
