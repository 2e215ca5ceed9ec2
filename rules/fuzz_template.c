/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int ask(void *arg, const char *query, struct fw_arena *arena,
	struct template_sample **samples, size_t *n, struct fw_err *err)
{
	static const struct fw_label labels[] = {{"a", "b"}};
	(void)arg;
	(void)err;
	*n = *query == 'x' ? 3 : 0;
	*samples = fw_arena_alloc(arena, 3 * sizeof **samples);
	for (size_t i = 0; i < 3; i++)
		(*samples)[i] = (struct template_sample){{labels, 1}, (double)i};
	return 0;
}

/* What is taken in is expanded to a text, within the limits. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fw_label labels[] = {{"instance", "a:1"}};
	static const struct label_set set = {labels, 1};
	const struct template_data with = {.labels = &set, .value = 1.5, .ask = ask};
	struct fw_arena arena = {0};
	struct template *template;
	struct fw_err err;
	const char *out = NULL;
	char *text = fw_strndup((const char *)data, size);
	if (template_parse("A", text, &arena, &template, &err) == 0) {
		template_expand(template, &with, &arena, &out);
		if (!out)
			abort();
	}
	fw_free(text);
	fw_arena_done(&arena);
	return 0;
}
