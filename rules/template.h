/* Templates of alerts: Go's text/template with the functions of Prometheus.
 *
 *   {{ $labels.instance }} is at {{ $value | humanizePercentage }}
 *
 * A template is parsed once and expanded for every alert: actions, pipelines,
 * variables, if, with, range, define and template, comparisons, printf and the
 * rest. Which sentence stands where something fails is Go's. Expanding has
 * limits of its own in steps, depth and bytes, as what it ranges over comes
 * from questions.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#include "label_set.h"

#define TEMPLATE_TEXT_LIMIT (256u << 10) /* of one, and of what it expands to */
#define TEMPLATE_DEPTH_LIMIT 100
#define TEMPLATE_STEPS_LIMIT 100000
#define TEMPLATE_BYTES_LIMIT (16u << 20) /* of all that is made on the way */

struct template;

struct template_sample {
	struct label_set labels;
	double value;
};

struct template_data {
	const struct label_set *labels, *external_labels; /* NULL: none */
	const char *external_url;                         /* NULL: none */
	double value;
	/* An instant question, for `query`; may be NULL: then there is nothing to ask. */
	int (*ask)(void *arg, const char *query, struct fw_arena *arena,
		struct template_sample **samples, size_t *n, struct fw_err *err);
	void *arg;
};

/* `alert`: its name stands in what goes wrong. */
int template_parse(const char *alert, const char *text, struct fw_arena *arena,
	struct template **out, struct fw_err *err);
/* Always gives a text: what fails becomes "<error expanding template: ...>", and -EINVAL. */
int template_expand(const struct template *template, const struct template_data *data,
	struct fw_arena *arena, const char **out);
