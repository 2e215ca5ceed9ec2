/* SPDX-License-Identifier: Apache-2.0 */
#include "choice.h"

#include "filter.h"
#include "promql.h"

static int add(struct choice *choice, const char *selector, struct fw_err *err)
{
	struct node *node;
	int rc = promql_parse_selector(selector, &choice->arena, &node, err);
	if (rc >= 0)
		rc = filter_init(&choice->filters[choice->n], node->selector.matchers,
			node->selector.n_matchers, err);
	if (rc < 0)
		return fw_fail_in(err, rc, "match '%.100s'", selector);
	choice->n++;
	return 0;
}

int choice_init(struct choice *choice, const struct fw_text_list *selectors, struct fw_err *err)
{
	int rc = 0;
	*choice = (struct choice){.n = 0};
	choice->filters =
		fw_arena_alloc(&choice->arena, (selectors->count + 1) * sizeof *choice->filters);
	for (size_t i = 0; i < selectors->count && rc >= 0; i++)
		rc = add(choice, selectors->items[i], err);
	return rc;
}

bool choice_takes(const void *arg, const struct fw_label *labels, size_t n_labels)
{
	const struct choice *choice = arg;
	for (size_t i = 0; i < choice->n; i++)
		if (filter_takes(&choice->filters[i], labels, n_labels))
			return true;
	return false;
}

void choice_done(struct choice *choice)
{
	for (size_t i = 0; i < choice->n; i++)
		filter_done(&choice->filters[i]);
	fw_arena_done(&choice->arena);
	*choice = (struct choice){.n = 0};
}
