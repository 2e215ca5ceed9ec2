/* Numbers and durations as Prometheus reads and writes them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROMQL_NUMBER_SIZE 400 /* holds every number below */

/* As in vectors and matrices: the shortest digits that read back the same, "1e-07", "+Inf", "NaN". */
const char *promql_number(double value, char *text, size_t size);
/* The same, and how long it is. */
size_t promql_number_length(double value, char text[PROMQL_NUMBER_SIZE]);
/* As in scalars: never with an exponent. */
const char *promql_plain(double value, char *text, size_t size);
/* As Go prints numbers in messages and templates: "0.5", "1.5e+06". */
const char *promql_general(double value, char *text, size_t size);
/* As in the values of alerts: always with one, "1e+00". */
const char *promql_exponent(double value, char *text, size_t size);
/* The units of durations, in the order in which a duration names them. */
struct promql_unit {
	const char *name;
	int64_t ms;
	bool whole; /* written only where nothing is left over: 90d reads better than 12w6d */
};
extern const struct promql_unit promql_units[];
extern const size_t promql_n_units;
/* NULL: there is none. */
const struct promql_unit *promql_unit_of(const char *name, size_t length);
/* "1h30m", "15s", or seconds as a number, "0.5"; 0 or -EINVAL. */
int promql_duration(const char *text, size_t length, int64_t *ms);
/* "0.5", "+Inf", "1e3": a double as Go reads it; 0, or -EINVAL. */
int promql_read_number(const char *text, double *value);
