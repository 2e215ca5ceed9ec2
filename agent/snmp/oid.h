/* Object identifiers, as numbers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OID_LIMIT 128 /* RFC 2578: no name is longer */
#define OID_TEXT (OID_LIMIT * 11 + 1)

struct oid {
	uint32_t n;
	uint32_t ids[OID_LIMIT];
};

bool oid_parse(const char *text, struct oid *out); /* "1.3.6.1", with or without a dot first */
/* The numbers with dots between; `text` holds OID_TEXT bytes. */
const char *oid_format(const uint32_t *ids, size_t n, char *text);
int oid_compare(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b); /* as a walk goes */
bool oid_is_below(const struct oid *oid, const struct oid *base); /* the base itself is not */
