/* SPDX-License-Identifier: Apache-2.0 */
/* Writes what the agent and the programs beside it say of their metrics as rows in C, for
 * the collector's API: {name, unit, help}, in the order of names. Run by the build; the
 * arguments are the modules of SNMP. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/capture_metrics.h"
#include "check/metrics.h"
#include "sampler.h"
#include "self.h"
#include "snmp/module.h"
#include "snmp/reading.h"
#include "source.h"

#define METRICS_LIMIT 10000

static const struct metric *all[METRICS_LIMIT];
static size_t n_all;

/* In an order that is the same whatever sorts them: of two of a name the first is written. */
static int by_content(const void *a, const void *b)
{
	const struct metric *const *x = a, *const *y = b;
	int order = strcmp((*x)->name, (*y)->name);
	return order ? order : strcmp((*x)->help, (*y)->help);
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

static void add(const struct metric *metrics, size_t n)
{
	for (size_t i = 0; i < n && n_all < METRICS_LIMIT; i++)
		all[n_all++] = &metrics[i];
}

static void add_programs(void)
{
	size_t n;
	const struct metric *metrics = self_metrics(&n);
	add(metrics, n);
	metrics = sampler_metrics(&n);
	add(metrics, n);
	metrics = reading_metrics(&n);
	add(metrics, n);
	add(check_metrics, CHECK_METRICS);
	add(capture_metrics, CAPTURE_METRICS);
	for (size_t i = 0; sources[i]; i++)
		add(sources[i]->metrics, sources[i]->n_metrics);
}

static int add_module(const char *path, struct fw_arena *arena)
{
	struct mib_module module;
	struct fw_err err;
	if (module_load(path, arena, &module, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	for (unsigned i = 0; i < module.n_columns && module.n_documents == 0; i++)
		if (!module.columns[i].lookup)
			add(&module.columns[i].metric, 1);
	return 0;
}

static void write_all(void)
{
	qsort(all, n_all, sizeof *all, by_content);
	for (size_t i = 0; i < n_all; i++) {
		if (i > 0 && strcmp(all[i - 1]->name, all[i]->name) == 0)
			continue;
		printf("{");
		put_text(all[i]->name);
		printf(", ");
		put_text(all[i]->unit);
		printf(", ");
		put_text(all[i]->help);
		printf("},\n");
	}
}

int main(int argc, char **argv)
{
	struct fw_arena arena = {0};
	int rc = 0;
	add_programs();
	for (int i = 1; i < argc && rc == 0; i++)
		rc = add_module(argv[i], &arena);
	if (rc == 0)
		write_all();
	fw_arena_done(&arena);
	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
