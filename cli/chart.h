/* A chart of some series over time, in braille: a character is two dots wide and four
 * high. A line of names stands below, in the colours of the chart. Values that are no
 * numbers and gaps leave it open. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "screen.h"

#define CHART_SERIES 6       /* that are told apart */
#define CHART_WIDTH_LEAST 40 /* of the screen */

struct chart_point {
	double at_s, value;
};

struct chart_series {
	const char *name;
	const struct chart_point *points; /* their times rise */
	size_t n;
};

struct chart {
	const struct chart_series *series;
	size_t n_series;
	double from_s, to_s, step_s; /* points further apart than two steps are not joined */
};

/* False, and nothing is written: there is no number to be drawn. */
bool chart_write(struct screen *s, const struct chart *chart);
