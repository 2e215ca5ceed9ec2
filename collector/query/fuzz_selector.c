/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <fenwatch/mem.h>
#include <fenwatch/text.h>

#include "matching.h"
#include "number.h"
#include "query.h"
#include "selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_matchers(const struct selector *selector, struct fw_arena *arena)
{
	struct matching matching;
	struct fw_err err;
	if (matching_init(&matching, selector, arena, &err) < 0)
		return;
	for (size_t i = 0; i < matching.n_matchers; i++) {
		const struct store_matcher *m = &matching.matchers[i];
		/* The second answer is a remembered one. */
		bool first = m->accepts(m, "node");
		assert(m->accepts(m, "node") == first);
	}
	matching_done(&matching);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fw_arena arena = {0};
	char *text = fw_arena_strndup(&arena, (const char *)data, size);
	struct selector selector;
	struct fw_err err;
	int64_t ms;
	if (selector_parse(text, &arena, &selector, &err) == 0 &&
		selector.kind == SELECTOR_SERIES) {
		for (size_t i = 0; i < selector.n_matchers; i++)
			assert(fw_utf8_valid(
				selector.matchers[i].value, strlen(selector.matchers[i].value)));
		assert(selector.range_ms >= 0);
		try_matchers(&selector, &arena);
	}
	if (promql_duration(text, strlen(text), &ms) == 0)
		assert(ms >= 0);
	fw_arena_done(&arena);
	return 0;
}
