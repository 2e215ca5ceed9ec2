/* SPDX-License-Identifier: Apache-2.0 */
/* As promtool does it: every group is evaluated at every step of the file's interval from
 * the first moment on, with no more of the series to be seen than what is of that time or
 * before. An alert that is asked for between two steps is taken from the earlier one. */
#include "trial.h"

#include <errno.h>
#include <glob.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/text.h>

#include "group.h"
#include "memory.h"
#include "number.h"
#include "template.h"

#define GROUPS_LIMIT 10000
#define STEPS_LIMIT 1000000

static const struct promql_limits limits = {
	.max_samples = 50000000,
	.max_bytes = 1u << 30,
	.timeout_ms = 120000,
};

struct rule_files {
	struct rulefile *items;
	size_t n;
};

struct run_of_test {
	struct trial *trial;
	const struct testfile *file;
	const struct test_case *test;
	const char *name;
	struct promql_memory memory;
	struct promql_data inner, data;
	int64_t till_ms; /* what is of later is not seen yet */
	struct group *groups;
	size_t n_groups;
	bool failed;
};

/* ---- failures ---- */

static void fail(struct run_of_test *t, struct trial_failure failure)
{
	struct trial *trial = t->trial;
	failure.test = t->name;
	t->failed = true;
	if (trial->n_failures == trial->capacity) {
		size_t capacity = trial->capacity ? 2 * trial->capacity : 8;
		struct trial_failure *moved =
			fw_arena_alloc(trial->arena, capacity * sizeof *moved);
		if (trial->n_failures)
			memcpy(moved, trial->failures, trial->n_failures * sizeof *moved);
		trial->failures = moved;
		trial->capacity = capacity;
	}
	trial->failures[trial->n_failures++] = failure;
}

static const char *time_text(struct run_of_test *t, int64_t at_ms)
{
	char text[64];
	return fw_arena_strdup(t->trial->arena, fw_format_duration(at_ms, text, sizeof text));
}

/* ---- the series ---- */

static int select_till(const struct promql_data *data, const struct promql_selection *selection,
	const struct promql_select_to *to, struct fw_err *err)
{
	const struct run_of_test *t = data->arg;
	struct promql_selection seen = *selection;
	if (seen.to_ms > t->till_ms)
		seen.to_ms = t->till_ms;
	return seen.from_ms > seen.to_ms ? 0 : t->inner.select(&t->inner, &seen, to, err);
}

static int load(struct run_of_test *t)
{
	struct fw_err err;
	for (size_t i = 0; i < t->test->n_series; i++) {
		const struct test_series *series = &t->test->series[i];
		if (promql_memory_load(&t->memory, series->labels, series->values,
			    t->test->start_ms, t->test->interval_ms, &err) == 0)
			continue;
		fail(t,
			(struct trial_failure){.line = series->line,
				.what = fw_arena_format(
					t->trial->arena, "series '%s'", series->labels),
				.why = fw_arena_strdup(t->trial->arena, err.text)});
		return -EINVAL;
	}
	return 0;
}

static int on_samples(
	void *arg, const struct group_sample *samples, size_t n, int64_t at_ms, struct fw_err *err)
{
	struct run_of_test *t = arg;
	(void)err;
	for (size_t i = 0; i < n; i++)
		promql_memory_add(&t->memory, samples[i].labels.items, samples[i].labels.n, at_ms,
			samples[i].value);
	t->inner = promql_memory_data(&t->memory);
	return 0;
}

/* ---- alerts ---- */

struct alert_list {
	struct test_alert *items;
	size_t n;
};

static int by_alert(const void *a, const void *b)
{
	const struct test_alert *x = a, *y = b;
	int order = label_set_compare(&x->labels, &y->labels);
	return order ? order : label_set_compare(&x->annotations, &y->annotations);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct fw_label *)a)->name, ((const struct fw_label *)b)->name);
}

static struct label_set sorted(
	struct run_of_test *t, const struct label_set *from, const char *alertname)
{
	struct fw_label *items = fw_arena_alloc(t->trial->arena, (from->n + 1) * sizeof *items);
	size_t n = 0;
	for (size_t i = 0; i < from->n; i++)
		if (!alertname || strcmp(from->items[i].name, "alertname") != 0)
			items[n++] = from->items[i];
	if (alertname)
		items[n++] = (struct fw_label){"alertname", alertname};
	qsort(items, n, sizeof *items, by_name);
	return (struct label_set){items, n};
}

static struct alert_list expected_alerts(struct run_of_test *t, const struct test_firing *firing)
{
	struct alert_list list = {.n = firing->n_alerts};
	list.items = fw_arena_alloc(t->trial->arena, (list.n + 1) * sizeof *list.items);
	for (size_t i = 0; i < list.n; i++) {
		list.items[i].labels = sorted(t, &firing->alerts[i].labels, firing->alertname);
		list.items[i].annotations = sorted(t, &firing->alerts[i].annotations, NULL);
	}
	qsort(list.items, list.n, sizeof *list.items, by_alert);
	return list;
}

static bool is_asked_for(const struct group_rule *rule, const char *alertname)
{
	return rule->rule->is_alert && strcmp(rule->rule->name, alertname) == 0;
}

static struct alert_list firing_alerts(struct run_of_test *t, const char *alertname)
{
	struct alert_list list = {0};
	size_t most = 0;
	for (size_t g = 0; g < t->n_groups; g++)
		for (size_t i = 0; i < t->groups[g].file->n_rules; i++)
			most += t->groups[g].rules[i].lives.n;
	list.items = fw_arena_alloc(t->trial->arena, (most + 1) * sizeof *list.items);
	for (size_t g = 0; g < t->n_groups; g++)
		for (size_t i = 0; i < t->groups[g].file->n_rules; i++) {
			const struct group_rule *rule = &t->groups[g].rules[i];
			for (size_t k = 0; k < rule->lives.n && is_asked_for(rule, alertname); k++)
				if (rule->lives.alerts[k].phase == ALERT_IS_FIRING)
					list.items[list.n++] =
						(struct test_alert){rule->lives.alerts[k].labels,
							rule->lives.alerts[k].annotations, 0};
		}
	qsort(list.items, list.n, sizeof *list.items, by_alert);
	return list;
}

static void print_set(const struct label_set *set, const char *less, struct fw_buf *out)
{
	size_t n = 0;
	fw_buf_putc(out, '{');
	for (size_t i = 0; i < set->n; i++)
		if (!less || strcmp(set->items[i].name, less) != 0)
			fw_buf_printf(out, "%s%s=\"%s\"", n++ ? ", " : "", set->items[i].name,
				set->items[i].value);
	fw_buf_putc(out, '}');
}

static const char *take_text(struct run_of_test *t, struct fw_buf *text)
{
	const char *copy = fw_arena_strndup(
		t->trial->arena, text->length ? (const char *)text->data : "", text->length);
	fw_buf_done(text);
	return copy;
}

static const char *alerts_text(struct run_of_test *t, const struct alert_list *list)
{
	struct fw_buf text = {0};
	for (size_t i = 0; i < list->n; i++) {
		fw_buf_puts(&text, i ? "\n" : "");
		print_set(&list->items[i].labels, "alertname", &text);
		if (list->items[i].annotations.n) {
			fw_buf_puts(&text, " ");
			print_set(&list->items[i].annotations, NULL, &text);
		}
	}
	if (list->n == 0)
		fw_buf_puts(&text, "nothing");
	return take_text(t, &text);
}

static bool same_alerts(const struct alert_list *a, const struct alert_list *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (by_alert(&a->items[i], &b->items[i]) != 0)
			return false;
	return true;
}

static void check_firing(struct run_of_test *t, const struct test_firing *firing)
{
	struct alert_list expected = expected_alerts(t, firing);
	struct alert_list got = firing_alerts(t, firing->alertname);
	if (same_alerts(&expected, &got))
		return;
	fail(t,
		(struct trial_failure){
			.line = firing->line,
			.what = fw_arena_format(t->trial->arena, "alert '%s' at %s",
				firing->alertname, time_text(t, firing->at_ms)),
			.expected = alerts_text(t, &expected),
			.got = alerts_text(t, &got),
		});
}

/* ---- questions ---- */

struct sample_list {
	struct template_sample *items;
	size_t n;
};

static int by_sample(const void *a, const void *b)
{
	const struct template_sample *x = a, *y = b;
	return label_set_compare(&x->labels, &y->labels);
}

static int parse_labels(
	struct run_of_test *t, const char *text, struct label_set *out, struct fw_err *err)
{
	struct node *node;
	*out = (struct label_set){0};
	if (!text[strspn(text, " {}\t")])
		return 0;
	int rc = promql_parse_selector(text, t->trial->arena, &node, err);
	if (rc < 0)
		return rc;
	struct fw_label *items =
		fw_arena_alloc(t->trial->arena, (node->selector.n_matchers + 1) * sizeof *items);
	for (size_t i = 0; i < node->selector.n_matchers; i++) {
		const struct matcher *matcher = &node->selector.matchers[i];
		if (matcher->kind != MATCHER_EQUAL)
			return fw_fail(err, -EINVAL, "'%s' does not name one series", text);
		items[i] = (struct fw_label){matcher->name, matcher->value};
	}
	struct label_set none = {0};
	*out = label_set_with(&none, items, node->selector.n_matchers, t->trial->arena);
	return 0;
}

static int expected_samples(struct run_of_test *t, const struct test_question *question,
	struct sample_list *out, struct fw_err *err)
{
	int rc = 0;
	*out = (struct sample_list){.n = question->n_samples};
	out->items = fw_arena_alloc(t->trial->arena, (out->n + 1) * sizeof *out->items);
	for (size_t i = 0; i < out->n && rc == 0; i++) {
		out->items[i].value = question->samples[i].value;
		rc = parse_labels(t, question->samples[i].labels, &out->items[i].labels, err);
	}
	qsort(out->items, out->n, sizeof *out->items, by_sample);
	return rc;
}

static int got_samples(struct run_of_test *t, const struct test_question *question,
	struct fw_arena *arena, struct sample_list *out, struct fw_err *err)
{
	struct promql_result result;
	*out = (struct sample_list){0};
	int rc = promql_instant(&t->data, question->expr, t->test->start_ms + question->at_ms,
		&limits, arena, &result, err);
	arena->limit = 0;
	if (rc < 0)
		return rc;
	if (result.type != PROMQL_VECTOR && result.type != PROMQL_SCALAR)
		return fw_fail(err, -EINVAL, "rule result is not a vector or scalar");
	bool is_scalar = result.type == PROMQL_SCALAR;
	size_t n = is_scalar ? 1 : result.value.n_series;
	out->items = fw_arena_alloc(arena, (n + 1) * sizeof *out->items);
	if (is_scalar)
		out->items[out->n++].value = result.value.scalar[0];
	for (size_t i = 0; i < n && !is_scalar; i++) {
		const struct series *series = &result.value.series[i];
		if (!promql_is_absent(series->values[0]))
			out->items[out->n++] = (struct template_sample){
				{series->labels, series->n_labels}, series->values[0]};
	}
	qsort(out->items, out->n, sizeof *out->items, by_sample);
	return 0;
}

/* Neighbours count as equal where the file asks for it. NaN equals nothing, as in promtool. */
static bool same_value(const struct run_of_test *t, double a, double b)
{
	return a == b ||
		(t->file->is_fuzzy &&
			(nextafter(a, -INFINITY) == b || nextafter(a, INFINITY) == b));
}

static bool same_samples(
	const struct run_of_test *t, const struct sample_list *a, const struct sample_list *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (by_sample(&a->items[i], &b->items[i]) != 0 ||
			!same_value(t, a->items[i].value, b->items[i].value))
			return false;
	return true;
}

static const char *samples_text(struct run_of_test *t, const struct sample_list *list)
{
	char number[PROMQL_NUMBER_SIZE];
	struct fw_buf text = {0};
	for (size_t i = 0; i < list->n; i++) {
		const struct template_sample *sample = &list->items[i];
		fw_buf_printf(
			&text, "%s%s", i ? "\n" : "", label_set_get(&sample->labels, "__name__"));
		print_set(&sample->labels, "__name__", &text);
		fw_buf_printf(&text, " %s", promql_number(sample->value, number, sizeof number));
	}
	if (list->n == 0)
		fw_buf_puts(&text, "nothing");
	return take_text(t, &text);
}

static void check_question(struct run_of_test *t, const struct test_question *question)
{
	struct fw_arena arena = {0};
	struct sample_list expected, got;
	struct fw_err err;
	const char *what = fw_arena_format(
		t->trial->arena, "'%s' at %s", question->expr, time_text(t, question->at_ms));
	int rc = expected_samples(t, question, &expected, &err);
	if (rc == 0)
		rc = got_samples(t, question, &arena, &got, &err);
	if (rc < 0)
		fail(t,
			(struct trial_failure){.line = question->line,
				.what = what,
				.why = fw_arena_strdup(t->trial->arena, err.text)});
	else if (!same_samples(t, &expected, &got))
		fail(t,
			(struct trial_failure){.line = question->line,
				.what = what,
				.expected = samples_text(t, &expected),
				.got = samples_text(t, &got)});
	fw_arena_done(&arena);
}

/* ---- evaluating ---- */

/* 0, or -EINVAL where a rule fails: then nothing after it means anything. */
static int evaluate(struct run_of_test *t, int64_t at_ms)
{
	const struct group_settings settings = {
		.data = &t->data,
		.limits = limits,
		.external_labels = &t->test->external_labels,
		.external_url = t->test->external_url,
		.on_samples = on_samples,
		.arg = t,
	};
	int rc = 0;
	t->till_ms = at_ms;
	for (size_t g = 0; g < t->n_groups; g++) {
		if (group_evaluate(&t->groups[g], at_ms, &settings) == 0)
			continue;
		for (size_t i = 0; i < t->groups[g].file->n_rules; i++) {
			const struct group_rule *rule = &t->groups[g].rules[i];
			if (rule->health != RULE_FAILED)
				continue;
			rc = -EINVAL;
			fail(t,
				(struct trial_failure){.line = t->test->line,
					.what = fw_arena_format(t->trial->arena, "rule '%s' at %s",
						rule->rule->name,
						time_text(t, at_ms - t->test->start_ms)),
					.why = fw_arena_strdup(t->trial->arena, rule->trouble)});
		}
	}
	return rc;
}

static int64_t last_ms(const struct test_case *test)
{
	int64_t last = 0;
	for (size_t i = 0; i < test->n_firing; i++)
		if (test->firing[i].at_ms > last)
			last = test->firing[i].at_ms;
	for (size_t i = 0; i < test->n_questions; i++)
		if (test->questions[i].at_ms > last)
			last = test->questions[i].at_ms;
	return last;
}

static void run(struct run_of_test *t)
{
	int64_t every_ms = t->file->every_ms, last = last_ms(t->test);
	if (last / every_ms > STEPS_LIMIT) {
		fail(t,
			(struct trial_failure){.line = t->test->line,
				.what = "its times",
				.why = "more than a million evaluations would be needed"});
		return;
	}
	for (int64_t at_ms = 0; at_ms <= last; at_ms += every_ms) {
		if (evaluate(t, t->test->start_ms + at_ms) < 0)
			return;
		for (size_t i = 0; i < t->test->n_firing; i++)
			if (t->test->firing[i].at_ms >= at_ms &&
				t->test->firing[i].at_ms < at_ms + every_ms)
				check_firing(t, &t->test->firing[i]);
	}
	for (size_t i = 0; i < t->test->n_questions; i++)
		check_question(t, &t->test->questions[i]);
}

/* ---- groups, in their order ---- */

struct ordered {
	const struct file_group *group;
	size_t place, number;
};

static int by_place(const void *a, const void *b)
{
	const struct ordered *x = a, *y = b;
	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

/* A group that is not named comes with the first that is. */
static size_t place_of(const struct testfile *file, const char *name)
{
	for (size_t i = 0; i < file->group_order.n; i++)
		if (strcmp(file->group_order.items[i], name) == 0)
			return i;
	return 0;
}

static void open_groups(struct run_of_test *t, const struct rule_files *files)
{
	struct ordered *ordered =
		fw_arena_alloc(t->trial->arena, (GROUPS_LIMIT + 1) * sizeof *ordered);
	for (size_t f = 0; f < files->n; f++)
		for (size_t g = 0; g < files->items[f].n_groups && t->n_groups < GROUPS_LIMIT;
			g++) {
			const struct file_group *group = &files->items[f].groups[g];
			ordered[t->n_groups] = (struct ordered){
				group, place_of(t->file, group->name), t->n_groups};
			t->n_groups++;
		}
	qsort(ordered, t->n_groups, sizeof *ordered, by_place);
	t->groups = fw_alloc_array(t->n_groups + 1, sizeof *t->groups);
	for (size_t g = 0; g < t->n_groups; g++) {
		group_init(&t->groups[g], ordered[g].group);
		for (size_t i = 0; i < ordered[g].group->n_rules; i++)
			t->groups[g].rules[i].is_restored = true;
	}
}

static void run_test(struct trial *trial, const struct testfile *file,
	const struct rule_files *files, size_t number)
{
	struct run_of_test t = {.trial = trial, .file = file, .test = &file->tests[number]};
	t.name = *t.test->name ? fw_arena_format(trial->arena, "test '%s'", t.test->name)
			       : fw_arena_format(trial->arena, "test %zu", number + 1);
	t.data = (struct promql_data){select_till, &t};
	if (load(&t) == 0) {
		t.inner = promql_memory_data(&t.memory);
		open_groups(&t, files);
		run(&t);
	}
	for (size_t g = 0; t.groups && g < t.n_groups; g++)
		group_done(&t.groups[g]);
	fw_free(t.groups);
	promql_memory_done(&t.memory);
	trial->n_tests++;
	trial->n_failed += t.failed;
}

/* ---- rule files ---- */

#define FILES_LIMIT 1000

static void add_file(struct rule_files *files, const char *path, struct problems *problems)
{
	if (files->n == FILES_LIMIT)
		return;
	struct problems own = {.arena = problems->arena};
	rulefile_read(path, problems->arena, &files->items[files->n++], &own);
	for (size_t i = 0; i < own.n; i++)
		problem_add(
			problems, 0, "%s: line %u: %s", path, own.items[i].line, own.items[i].text);
}

static void add_files(struct rule_files *files, const struct testfile *file, const char *pattern,
	struct problems *problems)
{
	glob_t found = {0};
	const char *slash = strrchr(file->path, '/'), *path = pattern;
	if (*pattern != '/' && slash)
		path = fw_arena_format(
			problems->arena, "%.*s/%s", (int)(slash - file->path), file->path, pattern);
	if (glob(path, 0, NULL, &found) != 0)
		problem_warn(problems, 0, "no rule file is named '%s'", path);
	for (size_t i = 0; i < found.gl_pathc; i++)
		add_file(files, found.gl_pathv[i], problems);
	globfree(&found);
}

void trial_run(const struct testfile *file, struct trial *trial, struct problems *problems)
{
	struct rule_files files = {0};
	files.items = fw_arena_alloc(problems->arena, FILES_LIMIT * sizeof *files.items);
	for (size_t i = 0; i < file->rule_files.n; i++)
		add_files(&files, file, file->rule_files.items[i], problems);
	for (size_t i = 0; i < file->n_tests && problems->n_errors == 0; i++)
		run_test(trial, file, &files, i);
}
