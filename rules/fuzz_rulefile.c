/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "rulefile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Refused with a sentence, or every rule has what it needs. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fw_arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct rulefile file;
	rulefile_parse("x.yml", (const char *)data, size, &arena, &file, &problems);
	for (size_t g = 0; problems.n_errors == 0 && g < file.n_groups; g++)
		for (size_t i = 0; i < file.groups[g].n_rules; i++)
			if (!*file.groups[g].rules[i].name || !file.groups[g].rules[i].node)
				abort();
	if ((problems.n == 0) != (problems.n_errors == 0))
		abort();
	rulefile_find_doubles(&file, &problems);
	fw_arena_done(&arena);
	return 0;
}
