/* Tests of rules, in the files that promtool reads.
 *
 * A test has series, given as Prometheus' tests note them, and says which
 * alerts fire and what expressions give at which times.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/conf.h>

#include "label_set.h"
#include "problems.h"

#define TESTFILE_BYTES_LIMIT (1u << 20)

struct test_texts {
	const char **items;
	size_t n;
};

struct test_series {
	const char *labels, *values;
	unsigned line;
};

struct test_alert {
	struct label_set labels, annotations;
	unsigned line;
};

/* What is to fire under this name at this time. */
struct test_firing {
	const char *alertname;
	int64_t at_ms;
	struct test_alert *alerts;
	size_t n_alerts;
	unsigned line;
};

struct test_sample {
	const char *labels;
	double value;
	unsigned line;
};

struct test_question {
	const char *expr;
	int64_t at_ms;
	struct test_sample *samples;
	size_t n_samples;
	unsigned line;
};

struct test_case {
	const char *name; /* or "" */
	int64_t interval_ms, start_ms;
	struct test_series *series;
	size_t n_series;
	struct test_firing *firing;
	size_t n_firing;
	struct test_question *questions;
	size_t n_questions;
	struct label_set external_labels;
	const char *external_url;
	unsigned line;
};

struct testfile {
	const char *path;
	struct test_texts rule_files, group_order;
	int64_t every_ms; /* between evaluations */
	bool is_fuzzy;    /* the last bit of a value does not count */
	struct test_case *tests;
	size_t n_tests;
};

/* Sound when no errors were added. */
void testfile_read(
	const char *path, struct fw_arena *arena, struct testfile *out, struct problems *problems);
