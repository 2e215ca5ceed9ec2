/* SPDX-License-Identifier: Apache-2.0 */
/* What a register may say, and hardly means. */
#include <stdarg.h>
#include <stdio.h>

#include "internal.h"

void register_doubt(
	const struct doubts *doubts, const struct register_entry *entry, const char *format, ...)
{
	char sentence[512];
	va_list args;
	int n = snprintf(sentence, sizeof sentence, "register: '%.100s', line %u: ", entry->file,
		entry->line);
	va_start(args, format);
	vsnprintf(sentence + n, sizeof sentence - (size_t)n, format, args);
	va_end(args);
	doubts->on_doubt(sentence, doubts->arg);
}

static void doubt_files(const struct registry *registry, const struct doubts *doubts)
{
	for (size_t i = 0; i < registry->passed_over.count; i++) {
		char sentence[512];
		snprintf(sentence, sizeof sentence,
			"register: '%.300s' is not read: names of its files end in .yml or .csv",
			registry->passed_over.items[i]);
		doubts->on_doubt(sentence, doubts->arg);
	}
}

void register_doubts(const struct registry *registry, int64_t now_ms,
	void (*on_doubt)(const char *sentence, void *arg), void *arg)
{
	const struct doubts doubts = {now_ms, on_doubt, arg};
	doubt_files(registry, &doubts);
	register_doubt_links(registry, &doubts);
	register_doubt_hosts(registry, &doubts);
	register_doubt_maintenance(registry, &doubts);
}
