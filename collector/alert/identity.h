/* What makes two notices speak of the same fault.
 *
 * "fw1-" and the first 32 hex digits of SHA-256 over estate, host, rule and
 * every identity label's name and value, in order of name. Each text is
 * preceded by its length in bytes (u32, little-endian), so no two different
 * lists give the same bytes. No value, severity or moment is in it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "feed.h"

#define IDENTITY_KEY 37 /* with its NUL */

void identity_key(const char *estate, const char *host, const char *rule,
	const struct notice_pair *labels, size_t n_labels, char key[IDENTITY_KEY]);

/* For tables of keys in memory. */
uint32_t identity_hash(const char *key);
