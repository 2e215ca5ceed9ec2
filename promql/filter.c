/* SPDX-License-Identifier: Apache-2.0 */
#include "filter.h"

#include <errno.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "shim.h"

int filter_init(struct filter *out, const struct matcher *matchers, size_t n, struct fw_err *err)
{
	char why[128];
	*out = (struct filter){matchers, fw_alloc_array(n + 1, sizeof *out->regexes), n};
	for (size_t i = 0; i < n; i++) {
		const struct matcher *m = &matchers[i];
		if (m->kind != MATCHER_REGEX && m->kind != MATCHER_NOT_REGEX)
			continue;
		out->regexes[i] = shim_regex_new(m->value, why, sizeof why);
		if (!out->regexes[i]) {
			filter_done(out);
			return fw_fail(err, -EINVAL, "error parsing regexp: %s", why);
		}
	}
	return 0;
}

static bool accepts(const struct matcher *m, const struct shim_regex *regex, const char *value)
{
	bool is_negative = m->kind == MATCHER_DIFFERENT || m->kind == MATCHER_NOT_REGEX;
	bool matches = regex ? shim_regex_matches(regex, value) : strcmp(m->value, value) == 0;
	return matches != is_negative;
}

bool filter_takes(const struct filter *filter, const struct fw_label *labels, size_t n_labels)
{
	for (size_t i = 0; i < filter->n; i++)
		if (!accepts(&filter->matchers[i], filter->regexes[i],
			    fw_label_value(labels, n_labels, filter->matchers[i].name)))
			return false;
	return true;
}

void filter_done(struct filter *filter)
{
	for (size_t i = 0; filter->regexes && i < filter->n; i++)
		shim_regex_free(filter->regexes[i]);
	fw_free(filter->regexes);
	*filter = (struct filter){0};
}
