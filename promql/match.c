/* SPDX-License-Identifier: Apache-2.0 */
/* Vector with vector: which series of one side meet which of the other.
 *
 * Series with the same labels to look at are a match group. On the "one" side a
 * group may have several series, as long as no two have a value at one step.
 */
#include <errno.h>

#include "evaluate.h"

struct member {
	struct member *next;
	const struct series *series;
};

/* Of the side that is to be unique; and what met it at each step. */
struct match_group {
	struct member *first, **end;
	bool *matched; /* one-to-one: something has met it here */
};

struct matching {
	struct evaluation *e;
	const struct node *node;
	const struct node_matching *how;
	const struct axis *axis;
	struct value many, one;
	bool swapped; /* "many" stands on the right */
	struct label_table signatures;
	struct match_group *groups;
	struct label_table results;
	size_t *result_groups; /* of each result: the group that made it */
	size_t groups_capacity;
	struct collection out;
	struct label_room room;
	double *values; /* of the pair at hand */
};

static size_t signature_of(
	struct matching *m, const struct series *s, const struct fw_label **labels)
{
	struct fw_label *picked = label_room(m->e, &m->room, s->n_labels);
	*labels = picked;
	return labels_pick(
		s->labels, s->n_labels, m->how->labels, m->how->n_labels, m->how->on, picked);
}

/* ---- the one side ---- */

static int fail_duplicate(
	struct matching *m, const struct series *earlier, const struct series *later)
{
	struct fw_buf group = {0}, a = {0}, b = {0};
	const struct fw_label *signature;
	size_t n = signature_of(m, later, &signature);
	labels_print(signature, n, &group);
	labels_print(later->labels, later->n_labels, &a);
	labels_print(earlier->labels, earlier->n_labels, &b);
	int rc = fail_execution(m->e,
		"found duplicate series for the match group %s on the %s hand-side of the operation: [%s, %s];many-to-many matching not allowed: matching labels must be unique on one side",
		(const char *)group.data, m->swapped ? "left" : "right", (const char *)a.data,
		(const char *)b.data);
	fw_buf_done(&group);
	fw_buf_done(&a);
	fw_buf_done(&b);
	return rc;
}

/* Where the other side has nothing at all, nothing is compared. `seen` is room for one
 * series a step. */
static int check_unique(struct matching *m, const struct match_group *group, const bool *any_many,
	const struct series **seen)
{
	if (!group->first->next)
		return 0;
	memset(seen, 0, m->axis->n * sizeof(struct series *));
	for (const struct member *member = group->first; member; member = member->next)
		for (size_t i = 0; i < m->axis->n; i++) {
			if (!any_many[i] || promql_is_absent(member->series->values[i]))
				continue;
			if (seen[i])
				return fail_duplicate(m, seen[i], member->series);
			seen[i] = member->series;
		}
	return 0;
}

static bool *steps_with_any(struct matching *m, const struct value *value)
{
	bool *any = take(m->e, m->axis->n, sizeof *any);
	for (size_t s = 0; any && s < value->n_series; s++)
		for (size_t i = 0; i < m->axis->n; i++)
			any[i] |= !promql_is_absent(value->series[s].values[i]);
	return any;
}

static int group_one_side(struct matching *m)
{
	struct member *members = take(m->e, m->one.n_series, sizeof *members);
	m->groups = take(m->e, m->one.n_series, sizeof *m->groups);
	bool *any_many = steps_with_any(m, &m->many);
	const struct series **seen = take(m->e, m->axis->n, sizeof *seen);
	if (!members || !m->groups || !any_many || !seen)
		return -E2BIG;
	for (size_t i = 0; i < m->one.n_series; i++) {
		const struct fw_label *labels;
		size_t n = signature_of(m, &m->one.series[i], &labels);
		struct match_group *group = &m->groups[label_table_put(&m->signatures, labels, n)];
		members[i].series = &m->one.series[i];
		if (!group->first)
			group->end = &group->first;
		*group->end = &members[i];
		group->end = &members[i].next;
	}
	for (size_t i = 0; i < m->signatures.n; i++) {
		int rc = check_unique(m, &m->groups[i], any_many, seen);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- what comes of a pair ---- */

static const struct fw_label *result_labels(
	struct matching *m, const struct series *many, const struct series *one, size_t *n)
{
	const struct node_matching *how = m->how;
	struct fw_label *labels = label_room(m->e, &m->room, many->n_labels + how->n_include);
	bool is_filter = node_is_comparison(m->node->binary.op) && !m->node->binary.returns_bool;
	*n = 0;
	for (size_t i = 0; i < many->n_labels; i++) {
		bool among = false;
		for (size_t k = 0; k < how->n_labels; k++)
			among |= strcmp(many->labels[i].name, how->labels[k]) == 0;
		if (how->cardinality == ONE_TO_ONE && among != how->on)
			continue;
		if (is_filter || strcmp(many->labels[i].name, LABEL_NAME) != 0)
			labels[(*n)++] = many->labels[i];
	}
	for (size_t i = 0; i < how->n_include; i++)
		*n = labels_put(labels, *n, how->include[i],
			fw_label_value(one->labels, one->n_labels, how->include[i]));
	if (m->node->binary.returns_bool) /* a name that was included goes as well */
		*n = labels_put(labels, *n, LABEL_NAME, "");
	return labels;
}

static double pair_value(const struct matching *m, double many, double one)
{
	double left = m->swapped ? one : many, right = m->swapped ? many : one;
	if (promql_is_absent(many) || promql_is_absent(one))
		return promql_absent();
	return binary_value(m->node, left, right, left);
}

static int mark_matched(struct matching *m, struct match_group *group, const double *values)
{
	if (m->how->cardinality != ONE_TO_ONE)
		return 0;
	if (!group->matched)
		group->matched = take(m->e, m->axis->n, sizeof *group->matched);
	if (!group->matched)
		return -E2BIG;
	for (size_t i = 0; i < m->axis->n; i++) {
		if (promql_is_absent(values[i]))
			continue;
		if (group->matched[i])
			return fail_execution(m->e,
				"multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)");
		group->matched[i] = true;
	}
	return 0;
}

static int fail_same_result(struct matching *m, size_t number, size_t group)
{
	const enum node_cardinality cardinality = m->how->cardinality;
	if (cardinality == ONE_TO_ONE || cardinality == MANY_TO_MANY ||
		m->result_groups[number] != group)
		return fail_same_labels(m->e);
	return fail_execution(
		m->e, "multiple matches for labels: grouping labels must ensure unique matches");
}

/* Into the result with these labels, or as a new one. */
static int put_result(
	struct matching *m, const struct fw_label *labels, size_t n, size_t group, double *values)
{
	size_t number = label_table_put(&m->results, labels, n);
	if (number == m->out.value->n_series) {
		size_t *groups = room_for_one(
			m->e, m->result_groups, number, &m->groups_capacity, sizeof *groups);
		if (!groups)
			return -E2BIG;
		m->result_groups = groups;
		m->result_groups[number] = group;
		return collection_add(
			&m->out, &(struct series){m->results.entries[number].labels, n, values});
	}
	double *into = m->out.value->series[number].values;
	for (size_t i = 0; i < m->axis->n; i++) {
		if (promql_is_absent(values[i]))
			continue;
		if (!promql_is_absent(into[i]))
			return fail_same_result(m, number, group);
		into[i] = values[i];
	}
	return 0;
}

static int match_pair(
	struct matching *m, const struct series *many, const struct series *one, size_t group)
{
	bool any = false;
	for (size_t i = 0; i < m->axis->n; i++) {
		m->values[i] = pair_value(m, many->values[i], one->values[i]);
		any |= !promql_is_absent(m->values[i]);
	}
	int rc = check_limits(m->e, m->axis->n);
	if (rc >= 0 && any)
		rc = mark_matched(m, &m->groups[group], m->values);
	if (rc < 0 || !any)
		return rc;
	double *values = take(m->e, m->axis->n, sizeof *values);
	if (!values)
		return -E2BIG;
	memcpy(values, m->values, m->axis->n * sizeof *values);
	size_t n;
	const struct fw_label *labels = result_labels(m, many, one, &n);
	return put_result(m, labels, n, group, values);
}

static int match_series(struct matching *m, const struct series *many)
{
	const struct fw_label *labels;
	size_t n = signature_of(m, many, &labels);
	size_t number = label_table_find(&m->signatures, labels, n);
	if (number == LABEL_TABLE_NONE)
		return 0;
	int rc = 0;
	for (const struct member *one = m->groups[number].first; one && rc >= 0; one = one->next)
		rc = match_pair(m, many, one->series, number);
	return rc;
}

/* ---- and, or, unless ---- */

/* At which steps a match group has a value. */
struct presence {
	struct label_table signatures;
	bool **steps;
};

static int find_presence(struct matching *m, const struct value *of, struct presence *out)
{
	*out = (struct presence){.signatures = {.arena = m->e->arena}};
	out->steps = take(m->e, of->n_series, sizeof *out->steps);
	if (!out->steps)
		return -E2BIG;
	for (size_t s = 0; s < of->n_series; s++) {
		const struct fw_label *labels;
		size_t n = signature_of(m, &of->series[s], &labels);
		bool **steps = &out->steps[label_table_put(&out->signatures, labels, n)];
		if (!*steps)
			*steps = take(m->e, m->axis->n, sizeof **steps);
		if (!*steps)
			return -E2BIG;
		for (size_t i = 0; i < m->axis->n; i++)
			(*steps)[i] |= !promql_is_absent(of->series[s].values[i]);
	}
	return 0;
}

/* The series, where its group is there (or is not). */
static int put_where(
	struct matching *m, struct series *s, const struct presence *presence, bool there)
{
	const struct fw_label *labels;
	size_t n = signature_of(m, s, &labels);
	size_t number = label_table_find(&presence->signatures, labels, n);
	bool any = false;
	for (size_t i = 0; i < m->axis->n; i++) {
		bool is_there = number != LABEL_TABLE_NONE && presence->steps[number][i];
		if (is_there != there)
			s->values[i] = promql_absent();
		any |= !promql_is_absent(s->values[i]);
	}
	return any ? put_result(m, s->labels, s->n_labels, 0, s->values) : 0;
}

static int match_sets(struct matching *m)
{
	struct presence presence;
	enum node_operator op = m->node->binary.op;
	int rc = find_presence(m, op == OP_OR ? &m->many : &m->one, &presence);
	for (size_t i = 0; i < m->many.n_series && rc >= 0; i++) {
		struct series *s = &m->many.series[i];
		rc = op == OP_OR ? put_result(m, s->labels, s->n_labels, 0, s->values)
				 : put_where(m, s, &presence, op == OP_AND);
	}
	for (size_t i = 0; op == OP_OR && i < m->one.n_series && rc >= 0; i++)
		rc = put_where(m, &m->one.series[i], &presence, false);
	return rc;
}

static int match_pairs(struct matching *m)
{
	m->values = take(m->e, m->axis->n, sizeof *m->values);
	int rc = m->values ? group_one_side(m) : -E2BIG;
	for (size_t i = 0; i < m->many.n_series && rc >= 0; i++)
		rc = match_series(m, &m->many.series[i]);
	return rc;
}

int match_vectors(
	struct evaluation *e, const struct node *node, const struct axis *axis, struct value *out)
{
	struct matching m = {
		.e = e,
		.node = node,
		.how = &node->binary.matching,
		.axis = axis,
		.swapped = node->binary.matching.cardinality == ONE_TO_MANY,
		.signatures = {.arena = e->arena},
		.results = {.arena = e->arena},
		.out = collection_of(e, axis, out),
	};
	int rc = evaluate(e, node->binary.left, axis, m.swapped ? &m.one : &m.many);
	if (rc >= 0)
		rc = evaluate(e, node->binary.right, axis, m.swapped ? &m.many : &m.one);
	if (rc < 0)
		return rc;
	rc = node_is_set(node->binary.op) ? match_sets(&m) : match_pairs(&m);
	let_go(e, &m.many, axis);
	let_go(e, &m.one, axis);
	return rc;
}
