/* SPDX-License-Identifier: Apache-2.0 */
/* What a request brings as advisories: taken within every limit, or refused. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "advisories.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct patch_advisory *a)
{
	assert(*a->name && strlen(a->name) <= PATCH_ADVISORY_TEXT);
	assert(a->issued_s > 0 && a->cvss >= 0 && a->cvss <= 10);
	assert(a->n_fixes <= PATCH_ADVISORY_FIXES);
	for (size_t i = 0; i < a->n_fixes; i++) {
		assert(*a->fixes[i].package && *a->fixes[i].version);
		assert(strlen(a->fixes[i].release) <= PATCH_ADVISORY_TEXT);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fw_arena arena = {0};
	struct patch_advisory *list;
	struct fw_err err;
	size_t n;
	char *text = fw_strndup((const char *)data, size);
	if (advisories_read(text, &arena, &list, &n, &err) == 0) {
		assert(n <= ADVISORIES_AT_ONCE);
		for (size_t i = 0; i < n; i++)
			check(&list[i]);
	}
	fw_free(text);
	fw_arena_done(&arena);
	return 0;
}
