/* SPDX-License-Identifier: Apache-2.0 */
/* Writes what the sources say of their metrics as rows in C, for the collector's API:
 * {name, unit, help}, in the order of names. Run by the build. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source.h"

#define METRICS_LIMIT 10000

static int by_name(const void *a, const void *b)
{
	const struct metric *const *x = a, *const *y = b;
	return strcmp((*x)->name, (*y)->name);
}

static void put_text(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (strchr("\"\\", *text))
			putchar('\\');
		putchar(*text);
	}
	putchar('"');
}

int main(void)
{
	static const struct metric *metrics[METRICS_LIMIT];
	size_t n = 0;
	for (size_t i = 0; sources[i]; i++)
		for (size_t k = 0; k < sources[i]->n_metrics && n < METRICS_LIMIT; k++)
			metrics[n++] = &sources[i]->metrics[k];
	qsort(metrics, n, sizeof *metrics, by_name);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && by_name(&metrics[i - 1], &metrics[i]) == 0)
			continue;
		printf("{");
		put_text(metrics[i]->name);
		printf(", ");
		put_text(metrics[i]->unit);
		printf(", ");
		put_text(metrics[i]->help);
		printf("},\n");
	}
	return 0;
}
