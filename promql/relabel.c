/* SPDX-License-Identifier: Apache-2.0 */
/* Labels made from labels. */
#include <errno.h>
#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/text.h>

#include "expand.h"
#include "labels.h"
#include "shim.h"
#include "workings.h"

static int check_name(const struct call_context *context, const char *name, const char *what)
{
	if (*name && fw_utf8_valid(name, strlen(name)))
		return 0;
	return fw_fail(context->err, -EINVAL, "invalid %s label name in %s(): %s", what,
		context->node->call.function->name, name);
}

/* Expansions of expansions would outgrow any memory. */
#define VALUE_LIMIT PROMQL_TEXT_LIMIT

static int set_label(const struct call_context *context, struct series *series, const char *name,
	const struct fw_buf *value)
{
	if (value->overflowed)
		return fw_fail(context->err, -E2BIG, "label value of more than %u bytes in %s()",
			VALUE_LIMIT, context->node->call.function->name);
	struct fw_label *labels =
		fw_arena_try(context->arena, (series->n_labels + 1) * sizeof *labels);
	char *text = fw_arena_try(context->arena, value->length + 1);
	if (!labels || !text)
		return promql_fail_too_many(context);
	if (series->n_labels)
		memcpy(labels, series->labels, series->n_labels * sizeof *labels);
	if (value->length)
		memcpy(text, value->data, value->length);
	series->n_labels = labels_put(labels, series->n_labels, name, text);
	series->labels = labels;
	return 0;
}

/* ---- label_join ---- */

int call_label_join(
	const struct call_context *context, const struct value *arguments, struct value *out)
{
	const size_t n = context->node->call.n_arguments;
	const char *name = arguments[1].string, *separator = arguments[2].string;
	int rc = 0;
	for (size_t k = 3; k < n && rc == 0; k++)
		rc = check_name(context, arguments[k].string, "source");
	if (rc == 0)
		rc = check_name(context, name, "destination");
	*out = arguments[0];
	struct fw_buf joined = {.limit = VALUE_LIMIT};
	for (size_t i = 0; i < out->n_series && rc == 0; i++) {
		struct series *series = &out->series[i];
		fw_buf_reset(&joined);
		for (size_t k = 3; k < n; k++) {
			fw_buf_puts(&joined, k > 3 ? separator : "");
			fw_buf_puts(&joined,
				fw_label_value(
					series->labels, series->n_labels, arguments[k].string));
		}
		rc = set_label(context, series, name, &joined);
	}
	fw_buf_done(&joined);
	return rc;
}

/* ---- label_replace ---- */

static int replace(const struct call_context *context, const struct value *arguments,
	const struct shim_regex *regex, struct value *out)
{
	const char *name = arguments[1].string, *source = arguments[3].string;
	int spans[2 * SHIM_GROUPS];
	struct fw_buf expanded = {.limit = VALUE_LIMIT};
	int rc = 0;
	for (size_t i = 0; i < out->n_series && rc == 0; i++) {
		struct series *series = &out->series[i];
		const char *value = fw_label_value(series->labels, series->n_labels, source);
		if (!shim_regex_find(regex, value, spans, SHIM_GROUPS))
			continue;
		fw_buf_reset(&expanded);
		promql_expand(regex, arguments[2].string, value, spans, &expanded);
		rc = set_label(context, series, name, &expanded);
	}
	fw_buf_done(&expanded);
	return rc;
}

int call_label_replace(
	const struct call_context *context, const struct value *arguments, struct value *out)
{
	char why[128];
	struct shim_regex *regex = shim_regex_new(arguments[4].string, why, sizeof why);
	if (!regex)
		return fw_fail(context->err, -EINVAL,
			"invalid regular expression in label_replace(): %s", arguments[4].string);
	int rc = check_name(context, arguments[1].string, "destination");
	*out = arguments[0];
	if (rc == 0)
		rc = replace(context, arguments, regex, out);
	shim_regex_free(regex);
	return rc;
}
