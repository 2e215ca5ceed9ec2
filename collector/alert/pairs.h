/* Names and values, in order of name: an alert's labels and annotations. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "feed.h"

struct pairs {
	struct notice_pair *items; /* one block of memory with their texts */
	size_t n;
};

/* A sorted copy; where a name comes twice, the last one counts. */
void pairs_copy(struct pairs *out, const struct notice_pair *items, size_t n);
void pairs_done(struct pairs *pairs);
const char *pairs_get(const struct pairs *pairs, const char *name); /* "" where there is none */

bool pairs_same(const struct pairs *a, const struct pairs *b);

/* In the place of what it had under this name. */
void pairs_set(struct pairs *pairs, const char *name, const char *value);

/* As they lie in SQLite: a JSON object. */
char *pairs_json(const struct pairs *pairs);
int pairs_parse(const char *json, struct pairs *out);
