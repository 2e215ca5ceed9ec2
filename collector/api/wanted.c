/* SPDX-License-Identifier: Apache-2.0 */
#include "wanted.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include <fenwatch/text.h>
#include <fenwatch/tls.h>

#include "node.h"

void wanted_token(const struct schedule_group *group, char out[WANTED_TOKEN])
{
	struct fw_buf text = {0};
	uint8_t sum[32];
	fw_buf_printf(&text, "%s;%s", group->file, group->name);
	fw_sha256(text.data, text.length, sum);
	fw_hex(sum, (WANTED_TOKEN - 1) / 2, out);
	fw_buf_done(&text);
}

/* ---- reading ---- */

static int read_type(const struct request *r, struct wanted *w, struct fw_err *err)
{
	const char *type = params_get(&r->params, "type");
	w->recording = !type || !*type || strcasecmp(type, "record") == 0;
	w->alerting = !type || !*type || strcasecmp(type, "alert") == 0;
	if (w->recording || w->alerting)
		return 0;
	return fw_fail(
		err, -EINVAL, "invalid parameter \"type\": not supported value \"%.80s\"", type);
}

/* Truths as Go reads them, in any case. */
static int read_exclude(const struct request *r, struct wanted *w, struct fw_err *err)
{
	static const char *const truths[] = {"1", "t", "true", "", "0", "f", "false"};
	const char *text = params_get(&r->params, "exclude_alerts");
	for (size_t i = 0; i < sizeof truths / sizeof *truths; i++)
		if (strcasecmp(text ? text : "", truths[i]) == 0) {
			w->without_alerts = i < 3;
			return 0;
		}
	return fw_fail(err, -EINVAL,
		"invalid parameter \"exclude_alerts\": error converting exclude_alerts: strconv.ParseBool: parsing \"%.80s\": invalid syntax",
		text);
}

static int read_page(const struct request *r, struct wanted *w, struct fw_err *err)
{
	static const char in[] = "invalid parameter \"group_limit\": group_limit needs to be";
	const char *limit = params_get(&r->params, "group_limit");
	const char *first = params_get(&r->params, "group_next_token");
	bool has_limit = limit && *limit;
	w->first = first && *first ? first : NULL;
	if (w->first && !has_limit)
		return fw_fail(err, -EINVAL,
			"invalid parameter \"group_next_token\": group_limit needs to be present in order to paginate over the groups");
	if (has_limit && fw_parse_u64(limit + (*limit == '-'), &w->limit) < 0)
		return fw_fail(err, -EINVAL,
			"%s a valid number: strconv.ParseInt: parsing \"%.80s\": invalid syntax",
			in, limit);
	if (has_limit && (*limit == '-' || w->limit == 0))
		return fw_fail(err, -EINVAL, "%s greater than 0", in);
	return 0;
}

static int add_filter(struct request *r, struct wanted *w, const char *text, struct fw_err *err)
{
	struct node *node;
	int rc = promql_parse_selector(text, &r->arena, &node, err);
	if (rc == 0 && node_takes_all(node))
		rc = fw_fail(err, -EINVAL, "match[] must contain at least one non-empty matcher");
	if (rc == 0)
		rc = filter_init(&w->filters[w->n_filters], node->selector.matchers,
			node->selector.n_matchers, err);
	if (rc == 0)
		w->n_filters++;
	return rc;
}

static int read_filters(struct request *r, struct wanted *w, struct fw_err *err)
{
	const char **selectors;
	size_t n = params_all(&r->params, "match[]", &selectors);
	int rc = 0;
	w->filters = fw_arena_alloc(&r->arena, (n + 1) * sizeof *w->filters);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_filter(r, w, selectors[i], err);
	return rc;
}

int wanted_read(struct request *r, struct wanted *out, struct fw_err *err)
{
	*out = (struct wanted){0};
	out->n_names = params_all(&r->params, "rule_name[]", &out->names);
	out->n_groups = params_all(&r->params, "rule_group[]", &out->groups);
	out->n_files = params_all(&r->params, "file[]", &out->files);
	int rc = read_filters(r, out, err);
	if (rc == 0)
		rc = read_type(r, out, err);
	if (rc == 0)
		rc = read_exclude(r, out, err);
	return rc < 0 ? rc : read_page(r, out, err);
}

void wanted_done(struct wanted *w)
{
	for (size_t i = 0; i < w->n_filters; i++)
		filter_done(&w->filters[i]);
	*w = (struct wanted){0};
}

/* ---- asking ---- */

static bool lists(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return n == 0;
}

bool wanted_group(const struct wanted *w, const struct schedule_group *group)
{
	return lists(w->groups, w->n_groups, group->name) &&
		lists(w->files, w->n_files, group->file);
}

static bool has_labels(const struct wanted *w, const struct label_set *labels)
{
	for (size_t i = 0; i < w->n_filters; i++)
		if (filter_takes(&w->filters[i], labels->items, labels->n))
			return true;
	return w->n_filters == 0;
}

bool wanted_rule(const struct wanted *w, const struct schedule_rule *rule)
{
	return (rule->is_alert ? w->alerting : w->recording) &&
		lists(w->names, w->n_names, rule->name) && has_labels(w, &rule->labels);
}
