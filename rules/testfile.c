/* SPDX-License-Identifier: Apache-2.0 */
#include "testfile.h"

#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/clock.h>
#include <fenwatch/file.h>

#define EVERY_MS 60000

/* A list in the file, as rows of `size` bytes; `read_row` fills one. */
struct rows {
	void *items;
	size_t n;
};

static struct rows read_rows(const struct fw_yaml *node, const char *what, size_t size,
	void (*read_row)(const struct fw_yaml *node, void *row, struct problems *problems),
	struct problems *problems)
{
	struct rows rows = {NULL, 0};
	size_t n = yaml_items(node, what, problems);
	rows.items = fw_arena_alloc(problems->arena, (n + 1) * size);
	for (size_t i = 0; i < n; i++)
		if (!yaml_is_null(fw_yaml_item(node, i)))
			read_row(fw_yaml_item(node, i), (char *)rows.items + size * rows.n++,
				problems);
	return rows;
}

/* ---- series ---- */

#define SERIES(member) offsetof(struct test_series, member)
static const struct yaml_field series_fields[] = {
	{"series", yaml_read_text, SERIES(labels)},
	{"values", yaml_read_text, SERIES(values)},
	{0},
};

static void read_one_series(const struct fw_yaml *node, void *row, struct problems *problems)
{
	struct test_series *series = row;
	*series = (struct test_series){"", "", fw_yaml_line(node)};
	yaml_read_struct(node, "a series", series_fields, series, problems);
}

/* ---- alerts ---- */

#define ALERT(member) offsetof(struct test_alert, member)
static const struct yaml_field alert_fields[] = {
	{"exp_labels", yaml_read_texts, ALERT(labels)},
	{"exp_annotations", yaml_read_texts, ALERT(annotations)},
	{0},
};

static void read_alert(const struct fw_yaml *node, void *row, struct problems *problems)
{
	struct test_alert *alert = row;
	alert->line = fw_yaml_line(node);
	yaml_read_struct(node, "an alert", alert_fields, alert, problems);
}

static void read_alerts(const struct fw_yaml *node, void *field, struct problems *problems)
{
	struct rows rows =
		read_rows(node, "'exp_alerts'", sizeof(struct test_alert), read_alert, problems);
	struct test_firing *firing =
		(struct test_firing *)((char *)field - offsetof(struct test_firing, alerts));
	firing->alerts = rows.items;
	firing->n_alerts = rows.n;
}

#define FIRING(member) offsetof(struct test_firing, member)
static const struct yaml_field firing_fields[] = {
	{"eval_time", yaml_read_duration, FIRING(at_ms)},
	{"alertname", yaml_read_text, FIRING(alertname)},
	{"exp_alerts", read_alerts, FIRING(alerts)},
	{0},
};

static void read_firing(const struct fw_yaml *node, void *row, struct problems *problems)
{
	struct test_firing *firing = row;
	*firing = (struct test_firing){.alertname = "", .line = fw_yaml_line(node)};
	yaml_read_struct(node, "an 'alert_rule_test'", firing_fields, firing, problems);
	if (!*firing->alertname)
		problem_add(problems, firing->line, "an 'alert_rule_test' needs an 'alertname'");
}

/* ---- questions ---- */

#define SAMPLE(member) offsetof(struct test_sample, member)
static const struct yaml_field sample_fields[] = {
	{"labels", yaml_read_text, SAMPLE(labels)},
	{"value", yaml_read_double, SAMPLE(value)},
	{0},
};

static void read_sample(const struct fw_yaml *node, void *row, struct problems *problems)
{
	struct test_sample *sample = row;
	*sample = (struct test_sample){"", 0, fw_yaml_line(node)};
	yaml_read_struct(node, "a sample", sample_fields, sample, problems);
}

static void read_samples(const struct fw_yaml *node, void *field, struct problems *problems)
{
	struct rows rows =
		read_rows(node, "'exp_samples'", sizeof(struct test_sample), read_sample, problems);
	struct test_question *question =
		(struct test_question *)((char *)field - offsetof(struct test_question, samples));
	question->samples = rows.items;
	question->n_samples = rows.n;
}

#define QUESTION(member) offsetof(struct test_question, member)
static const struct yaml_field question_fields[] = {
	{"expr", yaml_read_text, QUESTION(expr)},
	{"eval_time", yaml_read_duration, QUESTION(at_ms)},
	{"exp_samples", read_samples, QUESTION(samples)},
	{0},
};

static void read_question(const struct fw_yaml *node, void *row, struct problems *problems)
{
	struct test_question *question = row;
	*question = (struct test_question){.expr = "", .line = fw_yaml_line(node)};
	yaml_read_struct(node, "a 'promql_expr_test'", question_fields, question, problems);
}

/* ---- tests ---- */

static struct test_case *case_of(void *field, size_t offset)
{
	return (struct test_case *)(void *)((char *)field - offset);
}

#define CASE(member) offsetof(struct test_case, member)

static void read_series(const struct fw_yaml *node, void *field, struct problems *problems)
{
	struct rows rows = read_rows(
		node, "'input_series'", sizeof(struct test_series), read_one_series, problems);
	case_of(field, CASE(series))->series = rows.items;
	case_of(field, CASE(series))->n_series = rows.n;
}

static void read_firings(const struct fw_yaml *node, void *field, struct problems *problems)
{
	struct rows rows = read_rows(
		node, "'alert_rule_test'", sizeof(struct test_firing), read_firing, problems);
	case_of(field, CASE(firing))->firing = rows.items;
	case_of(field, CASE(firing))->n_firing = rows.n;
}

static void read_questions(const struct fw_yaml *node, void *field, struct problems *problems)
{
	struct rows rows = read_rows(
		node, "'promql_expr_test'", sizeof(struct test_question), read_question, problems);
	case_of(field, CASE(questions))->questions = rows.items;
	case_of(field, CASE(questions))->n_questions = rows.n;
}

/* RFC 3339, or seconds since 1970. */
static void read_moment(const struct fw_yaml *node, void *field, struct problems *problems)
{
	const char *text = fw_yaml_text(node);
	if (!yaml_is_null(node) && (!text || fw_time_parse(text, field) < 0))
		problem_add(problems, fw_yaml_line(node),
			"a time is written 2026-11-28T21:00:00Z, or in seconds since 1970");
}

static const struct yaml_field case_fields[] = {
	{"name", yaml_read_text, CASE(name)},
	{"interval", yaml_read_duration, CASE(interval_ms)},
	{"start_timestamp", read_moment, CASE(start_ms)},
	{"input_series", read_series, CASE(series)},
	{"alert_rule_test", read_firings, CASE(firing)},
	{"promql_expr_test", read_questions, CASE(questions)},
	{"external_labels", yaml_read_texts, CASE(external_labels)},
	{"external_url", yaml_read_text, CASE(external_url)},
	{0},
};

static void read_case(const struct fw_yaml *node, void *row, struct problems *problems)
{
	struct test_case *test = row;
	*test = (struct test_case){.name = "", .external_url = "", .line = fw_yaml_line(node)};
	yaml_read_struct(node, "a test", case_fields, test, problems);
}

/* ---- the file ---- */

static void read_one_text(const struct fw_yaml *node, void *row, struct problems *problems)
{
	yaml_read_text(node, row, problems);
}

static void read_list(const struct fw_yaml *node, void *field, struct problems *problems)
{
	struct test_texts *texts = field;
	struct rows rows = read_rows(node, "this", sizeof(const char *), read_one_text, problems);
	*texts = (struct test_texts){rows.items, rows.n};
}

static void read_tests(const struct fw_yaml *node, void *field, struct problems *problems)
{
	struct rows rows =
		read_rows(node, "'tests'", sizeof(struct test_case), read_case, problems);
	struct testfile *file =
		(struct testfile *)((char *)field - offsetof(struct testfile, tests));
	file->tests = rows.items;
	file->n_tests = rows.n;
}

#define FILE_AT(member) offsetof(struct testfile, member)
static const struct yaml_field file_fields[] = {
	{"rule_files", read_list, FILE_AT(rule_files)},
	{"evaluation_interval", yaml_read_duration, FILE_AT(every_ms)},
	{"group_eval_order", read_list, FILE_AT(group_order)},
	{"fuzzy_compare", yaml_read_bool, FILE_AT(is_fuzzy)},
	{"tests", read_tests, FILE_AT(tests)},
	{0},
};

static void check_order(const struct testfile *file, struct problems *problems)
{
	for (size_t i = 0; i < file->group_order.n; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(file->group_order.items[i], file->group_order.items[k]) == 0)
				problem_add(problems, 0,
					"group '%s' is there twice in 'group_eval_order'",
					file->group_order.items[i]);
}

static void parse(const struct fw_buf *text, struct testfile *out, struct problems *problems)
{
	const struct fw_yaml *root;
	struct fw_err err;
	if (fw_yaml_parse_foreign(text->length ? (const char *)text->data : "", text->length,
		    problems->arena, &root, &err) < 0) {
		problem_from(problems, err.text);
		return;
	}
	yaml_read_struct(root, "a test file", file_fields, out, problems);
	if (out->every_ms == 0)
		out->every_ms = EVERY_MS;
	for (size_t i = 0; i < out->n_tests; i++)
		if (out->tests[i].interval_ms == 0)
			out->tests[i].interval_ms = out->every_ms;
	check_order(out, problems);
}

void testfile_read(
	const char *path, struct fw_arena *arena, struct testfile *out, struct problems *problems)
{
	struct fw_buf text = {0};
	struct fw_err err;
	*out = (struct testfile){.path = fw_arena_strdup(arena, path)};
	if (fw_file_read(path, TESTFILE_BYTES_LIMIT, &text, &err) < 0)
		problem_add(problems, 0, "%s", err.text);
	else
		parse(&text, out, problems);
	fw_buf_done(&text);
}
