/* SPDX-License-Identifier: Apache-2.0 */
#include "oid.h"

#include <stdio.h>

#include <fenwatch/text.h>

bool oid_parse(const char *text, struct oid *out)
{
	struct fw_cursor c = {text, text};
	while (*c.end)
		c.end++;
	out->n = 0;
	fw_cut_literal(&c, ".");
	do {
		uint64_t id;
		if (out->n == OID_LIMIT || c.at == c.end || *c.at < '0' || *c.at > '9' ||
			!fw_cut_u64(&c, &id) || id > UINT32_MAX)
			return false;
		out->ids[out->n++] = (uint32_t)id;
	} while (fw_cut_literal(&c, "."));
	return c.at == c.end;
}

const char *oid_format(const uint32_t *ids, size_t n, char *text)
{
	size_t length = 0;
	text[0] = '\0';
	for (size_t i = 0; i < n && i < OID_LIMIT; i++)
		length += (size_t)snprintf(
			text + length, OID_TEXT - length, i ? ".%u" : "%u", ids[i]);
	return text;
}

int oid_compare(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b)
{
	for (size_t i = 0; i < n_a && i < n_b; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return n_a == n_b ? 0 : n_a < n_b ? -1 : 1;
}

bool oid_is_below(const struct oid *oid, const struct oid *base)
{
	return oid->n > base->n && oid_compare(oid->ids, base->n, base->ids, base->n) == 0;
}
