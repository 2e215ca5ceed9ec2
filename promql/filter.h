/* Matchers made ready to be asked of lists of labels. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <fenwatch/err.h>
#include <fenwatch/schema.h>

#include "node.h"

struct filter {
	const struct matcher *matchers; /* the caller's */
	struct shim_regex **regexes;    /* one a matcher, NULL where it has none */
	size_t n;
};

/* On failure nothing is left to be given back. */
int filter_init(struct filter *out, const struct matcher *matchers, size_t n, struct fw_err *err);
bool filter_takes(const struct filter *filter, const struct fw_label *labels, size_t n_labels);
void filter_done(struct filter *filter);
