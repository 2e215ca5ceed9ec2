/* SPDX-License-Identifier: Apache-2.0 */
/* By the name of a series which rules it concerns.
 *
 * Each new schema asks this of all its columns, and most of them concern no rule. The
 * rules are compiled in, so the answers are laid out once, in an open table, and never
 * forgotten.
 */
#include "rules.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#define SLOTS 256 /* a power of 2 */

_Static_assert(RULES <= 64, "each has a bit");

struct named {
	const char *name; /* not terminated; NULL: the slot is free */
	size_t length;
	struct rule_set set;
};

static struct named table[SLOTS];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

/* FNV-1a */
static uint32_t hash_of(const char *name, size_t length)
{
	uint32_t hash = 2166136261u;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)name[i]) * 16777619u;
	return hash ^ hash >> 16;
}

/* Where that name is, or would be. */
static struct named *slot_of(const char *name, size_t length)
{
	uint32_t at = hash_of(name, length) % SLOTS;
	while (table[at].name &&
		(table[at].length != length || memcmp(table[at].name, name, length) != 0))
		at = (at + 1) % SLOTS;
	return &table[at];
}

/* Each of "a|b"; NULL: none. */
static void note(const char *names, uint64_t rule, bool is_metric)
{
	static size_t n_named;
	for (const char *at = names; at; at = strchr(at, '|'), at += at != NULL) {
		size_t length = strcspn(at, "|");
		struct named *named = slot_of(at, length);
		n_named += named->name == NULL;
		named->name = at;
		named->length = length;
		named->set.looks |= rule;
		named->set.metric |= is_metric ? rule : 0;
	}
	assert(n_named <= SLOTS / 2);
}

static void lay_out(void)
{
	for (size_t i = 0; i < RULES; i++) {
		uint64_t rule = UINT64_C(1) << i;
		note(rules[i].metric, rule, true);
		note(rules[i].divisor, rule, false);
		note(rules[i].unless, rule, false);
		note(rules[i].per, rule, false);
	}
}

struct rule_set rules_of_name(const char *name)
{
	pthread_once(&table_once, lay_out);
	return slot_of(name, strlen(name))->set;
}
