/* Samples in OpenMetrics' text, as far as back-filling needs it: every sample with its time.
 *
 * # TYPE, # HELP and # UNIT are noted as metadata, other comments and exemplars passed
 * over. A sentence of failure begins with its line.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>
#include <fenwatch/schema.h>

#include "remote.h"

#define OPENMETRICS_LINE_LIMIT (64u << 10)

struct openmetrics_sample {
	const struct fw_label *labels; /* sorted, "__name__" among them; in the arena */
	size_t n_labels;
	int64_t at_ms;
	double value;
};

struct openmetrics_to {
	void (*on_sample)(const struct openmetrics_sample *sample, void *arg);
	void (*on_about)(const struct remote_about *about, void *arg);
	void *arg;
	struct fw_arena *arena;
};

/* Some whole lines; `line` is the number of the first. -EINVAL. */
int openmetrics_parse(const char *text, size_t length, uint64_t line,
	const struct openmetrics_to *to, struct fw_err *err);
