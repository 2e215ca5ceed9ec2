/* What a Nagios-style plugin prints, taken apart: "text | 'label'=value[unit];warn;crit ...".
 *
 * The first line's text, and performance data behind the first "|" of that line and, after
 * a later line with one, to the end. What is not well formed is passed over.
 */
#pragma once

#include <math.h>
#include <stddef.h>

#define PERF_LABEL 128
#define PERF_UNIT 16
#define PERF_VALUES 256 /* of one plugin */

/* Bounds that the plugin warns of; NAN: none. */
struct perf_range {
	double lower, upper;
};

struct perf_value {
	char label[PERF_LABEL], unit[PERF_UNIT];
	double value;
	struct perf_range warning, critical;
};

/* The first line without performance data and blanks at its ends; cut to fit. */
void perf_text(const char *output, size_t length, char *text, size_t size);
/* At most PERF_VALUES of them. */
void perf_each(const char *output, size_t length,
	void (*each)(const struct perf_value *value, void *arg), void *arg);
