/* SPDX-License-Identifier: Apache-2.0 */
/* Answers questions about traces that are made elsewhere (tests/forecast/).
 *
 *   size SIZE        a new trace
 *   used MS USED     its samples, ascending
 *   ask MS           what is told then: "silent", or "EARLIEST LIKELY LATEST SAMPLES SPAN" in milliseconds
 *
 * Of the samples only those go to the forecast that its plan asks for, as the
 * collector does it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "forecast.h"

#define NEAR_MS (5 * 60 * 1000)

struct trace {
	struct forecast_sample *samples;
	size_t n, capacity;
	double size;
	struct forecast told; /* likely_ms 0: nothing yet */
};

static void add(struct trace *trace, int64_t at_ms, double used)
{
	if (trace->n == trace->capacity) {
		trace->capacity = 2 * trace->capacity + 1024;
		trace->samples =
			fw_realloc(trace->samples, trace->capacity * sizeof *trace->samples);
	}
	trace->samples[trace->n++] = (struct forecast_sample){at_ms, used};
}

static void ask(struct trace *trace, int64_t now_ms)
{
	int64_t moments[FORECAST_MOMENTS];
	struct forecast_sample kept[FORECAST_MOMENTS];
	struct forecast *f = &trace->told, made = {0};
	size_t n_moments = forecast_plan(now_ms, moments), n = 0;
	for (size_t m = 0, i = 0; m < n_moments; m++) {
		while (i < trace->n && trace->samples[i].at_ms < moments[m] - NEAR_MS)
			i++;
		if (i < trace->n && trace->samples[i].at_ms <= now_ms &&
			trace->samples[i].at_ms <= moments[m] + NEAR_MS)
			kept[n++] = trace->samples[i++];
	}
	forecast_make(kept, n, trace->size, now_ms, &made);
	forecast_renew(f, &made, n ? kept[n - 1].used : 0, now_ms);
	if (f->likely_ms == 0)
		puts("silent");
	else
		printf("%" PRId64 " %" PRId64 " %" PRId64 " %zu %" PRId64 "\n", f->earliest_ms,
			f->likely_ms, f->latest_ms, f->samples, f->span_ms);
}

int main(void)
{
	struct trace trace = {0};
	char line[128], *rest;
	while (fgets(line, sizeof line, stdin)) {
		if (strncmp(line, "size ", 5) == 0) {
			trace.size = strtod(line + 5, NULL);
			trace.n = 0;
			trace.told = (struct forecast){0};
		} else if (strncmp(line, "used ", 5) == 0) {
			int64_t at_ms = strtoll(line + 5, &rest, 10);
			add(&trace, at_ms, strtod(rest, NULL));
		} else if (strncmp(line, "ask ", 4) == 0) {
			ask(&trace, strtoll(line + 4, NULL, 10));
		} else {
			fprintf(stderr, "not understood: %s", line);
			return 2;
		}
	}
	fw_free(trace.samples);
	return 0;
}
