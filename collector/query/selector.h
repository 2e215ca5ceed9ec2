/* A question as people write it, taken apart.
 *
 *   up{job=~"n.*", instance!="x"}[5m] offset 1h
 *
 * Quoted names in braces may hold any UTF-8: {"my.metric", "lab.el"="v"}. A
 * number or a quoted string alone is a question too. Failures are worded as
 * Prometheus words them, with line and column in front. What is read lives in
 * the arena and nothing points into the text.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#include "node.h"

#define SELECTOR_TEXT_LIMIT (64u << 10)
#define SELECTOR_MATCHERS_LIMIT 64

enum selector_kind { SELECTOR_SERIES, SELECTOR_NUMBER, SELECTOR_STRING };

struct selector_matcher {
	enum matcher_kind kind;
	const char *name, *value; /* "__name__" for the metric */
	const char *at;           /* where it stands, "line:column" */
};

struct selector {
	enum selector_kind kind;
	struct selector_matcher *matchers;
	size_t n_matchers;
	int64_t range_ms;  /* 0: an instant */
	int64_t offset_ms; /* looks so far back; may be negative */
	const char *at;
	double number;
	const char *string;
};

int selector_parse(
	const char *text, struct fw_arena *arena, struct selector *out, struct fw_err *err);
