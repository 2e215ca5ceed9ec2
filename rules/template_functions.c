/* SPDX-License-Identifier: Apache-2.0 */
/* Which functions there are; they stand by subject in files of their own. */
#include <string.h>

#include "template_tree.h"

static const struct template_function *const groups[] = {
	template_go,
	template_humanize,
	template_texts,
	template_samples,
};

const struct template_function *template_function_find(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
		for (const struct template_function *f = groups[i]; f->name; f++)
			if (strlen(f->name) == length && memcmp(f->name, name, length) == 0)
				return f;
	return NULL;
}
