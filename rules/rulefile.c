/* SPDX-License-Identifier: Apache-2.0 */
#include "rulefile.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/file.h>

#include "label_set.h"
#include "node.h"
#include "template.h"

#define SET_FILES_LIMIT 1000

/* ---- as it stands in the file ---- */

struct raw_expr {
	const char *text;
	unsigned line;
};

struct raw_rule {
	const char *record, *alert;
	struct raw_expr expr;
	int64_t for_ms, keep_firing_ms;
	struct label_set labels, annotations;
	unsigned line;
};

struct raw_rules {
	struct raw_rule *items;
	size_t n;
};

struct raw_group {
	const char *name;
	int64_t interval_ms, offset_ms, limit;
	struct label_set labels;
	struct raw_rules rules;
	unsigned line;
};

struct raw_groups {
	struct raw_group *items;
	size_t n;
};

static void read_expr(const struct fw_yaml *node, void *field, struct problems *problems)
{
	struct raw_expr *expr = field;
	yaml_read_raw(node, &expr->text, problems);
	expr->line = fw_yaml_line(node);
}

#define RULE(member) offsetof(struct raw_rule, member)
static const struct yaml_field rule_fields[] = {
	{"record", yaml_read_raw, RULE(record)},
	{"alert", yaml_read_raw, RULE(alert)},
	{"expr", read_expr, RULE(expr)},
	{"for", yaml_read_duration, RULE(for_ms)},
	{"keep_firing_for", yaml_read_duration, RULE(keep_firing_ms)},
	{"labels", yaml_read_texts, RULE(labels)},
	{"annotations", yaml_read_texts, RULE(annotations)},
	{0},
};

static void read_rules(const struct fw_yaml *node, void *field, struct problems *problems)
{
	struct raw_rules *rules = field;
	size_t n = yaml_items(node, "'rules'", problems);
	rules->items = fw_arena_alloc(problems->arena, (n + 1) * sizeof *rules->items);
	for (size_t i = 0; i < n; i++) {
		const struct fw_yaml *item = fw_yaml_item(node, i);
		struct raw_rule *rule = &rules->items[rules->n];
		*rule = (struct raw_rule){.record = "",
			.alert = "",
			.expr = {.text = ""},
			.line = fw_yaml_line(item)};
		yaml_read_struct(item, "a rule", rule_fields, rule, problems);
		rules->n += !yaml_is_null(item);
	}
}

#define GROUP(member) offsetof(struct raw_group, member)
static const struct yaml_field group_fields[] = {
	{"name", yaml_read_text, GROUP(name)},
	{"interval", yaml_read_duration, GROUP(interval_ms)},
	{"query_offset", yaml_read_duration, GROUP(offset_ms)},
	{"limit", yaml_read_int, GROUP(limit)},
	{"labels", yaml_read_texts, GROUP(labels)},
	{"rules", read_rules, GROUP(rules)},
	{0},
};

static void read_groups(const struct fw_yaml *node, void *field, struct problems *problems)
{
	struct raw_groups *groups = field;
	size_t n = yaml_items(node, "'groups'", problems);
	groups->items = fw_arena_alloc(problems->arena, (n + 1) * sizeof *groups->items);
	for (size_t i = 0; i < n; i++) {
		const struct fw_yaml *item = fw_yaml_item(node, i);
		struct raw_group *group = &groups->items[groups->n];
		*group =
			(struct raw_group){.name = "", .offset_ms = -1, .line = fw_yaml_line(item)};
		yaml_read_struct(item, "a group", group_fields, group, problems);
		groups->n += !yaml_is_null(item);
	}
}

static const struct yaml_field file_fields[] = {
	{"groups", read_groups, 0},
	{0},
};

/* ---- checks ---- */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Letters, digits and "_"; of a metric's name, ":" too. */
static bool is_name(const char *text, bool colon)
{
	if (!is_letter(*text) && !(colon && *text == ':'))
		return false;
	for (const char *c = text; *c; c++)
		if (!is_letter(*c) && !(*c >= '0' && *c <= '9') && !(colon && *c == ':'))
			return false;
	return true;
}

static void check_names(
	const struct label_set *labels, const char *what, unsigned line, struct problems *problems)
{
	for (size_t i = 0; i < labels->n; i++) {
		const char *name = labels->items[i].name;
		bool is_metric = strcmp(what, "label") == 0 && strcmp(name, "__name__") == 0;
		if (!is_name(name, false) || is_metric)
			problem_add(problems, line, "invalid %s name '%s'", what, name);
	}
}

static void check_recording(const struct raw_rule *rule, struct problems *problems)
{
	if (rule->annotations.n)
		problem_add(problems, rule->line, "a recording rule has no 'annotations'");
	if (rule->for_ms)
		problem_add(problems, rule->line, "a recording rule has no 'for'");
	if (rule->keep_firing_ms)
		problem_add(problems, rule->line, "a recording rule has no 'keep_firing_for'");
	if (!is_name(rule->record, true))
		problem_add(
			problems, rule->line, "invalid metric name '%s' in 'record'", rule->record);
}

static void check_rule(const struct raw_rule *rule, struct problems *problems)
{
	if (*rule->record && *rule->alert)
		problem_add(
			problems, rule->line, "a rule has either 'record' or 'alert', not both");
	if (!*rule->record && !*rule->alert)
		problem_add(problems, rule->line, "a rule needs 'record' or 'alert'");
	if (*rule->record)
		check_recording(rule, problems);
	check_names(&rule->labels, "label", rule->line, problems);
	check_names(&rule->annotations, "annotation", rule->line, problems);
}

/* ---- into what is evaluated ---- */

static const char *title(const struct raw_rule *rule)
{
	return *rule->alert ? rule->alert : *rule->record ? rule->record : "without a name";
}

static const struct node *take_expr(const struct raw_rule *rule, struct problems *problems)
{
	struct node *node = NULL;
	struct fw_err err;
	if (!*rule->expr.text)
		problem_add(problems, rule->line, "rule '%s' needs an 'expr'", title(rule));
	else if (promql_parse(rule->expr.text, problems->arena, &node, &err) < 0)
		problem_add(problems, rule->expr.line, "rule '%s': could not parse expression: %s",
			title(rule), err.text);
	return node;
}

static const struct template *take_template(const struct raw_rule *rule, const char *what,
	const struct fw_label *text, struct problems *problems)
{
	struct template *template = NULL;
	struct fw_err err;
	if (template_parse(rule->alert, text->value, problems->arena, &template, &err) < 0)
		problem_add(problems, rule->line, "rule '%s': %s '%s': %s", title(rule), what,
			text->name, err.text);
	/* cppcheck-suppress CastIntegerToAddressAtReturn; it reads `template` as C++ does */
	return template;
}

static struct rule_texts take_texts(const struct raw_rule *rule, const char *what,
	const struct label_set *labels, struct problems *problems)
{
	struct rule_texts out = {.n = labels->n};
	out.items = fw_arena_alloc(problems->arena, (out.n + 1) * sizeof *out.items);
	for (size_t i = 0; i < out.n; i++) {
		out.items[i] =
			(struct rule_text){labels->items[i].name, labels->items[i].value, NULL};
		if (*rule->alert)
			out.items[i].template =
				take_template(rule, what, &labels->items[i], problems);
	}
	return out;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct fw_label *)a)->name, ((const struct fw_label *)b)->name);
}

/* What both say is the rule's. */
static struct label_set join(
	const struct label_set *group, const struct label_set *rule, struct fw_arena *arena)
{
	struct fw_label *items = fw_arena_alloc(arena, (group->n + rule->n + 1) * sizeof *items);
	size_t n = 0;
	for (size_t i = 0; i < rule->n; i++)
		items[n++] = rule->items[i];
	for (size_t i = 0; i < group->n; i++) {
		size_t k = 0;
		while (k < rule->n && strcmp(rule->items[k].name, group->items[i].name) != 0)
			k++;
		if (k == rule->n)
			items[n++] = group->items[i];
	}
	qsort(items, n, sizeof *items, by_name);
	return (struct label_set){items, n};
}

static struct file_rule take_rule(
	const struct raw_group *group, const struct raw_rule *raw, struct problems *problems)
{
	const struct label_set none = {0};
	check_rule(raw, problems);
	struct label_set labels = join(&group->labels, &raw->labels, problems->arena);
	struct label_set annotations = join(&none, &raw->annotations, problems->arena);
	return (struct file_rule){
		.name = *raw->alert ? raw->alert : raw->record,
		.is_alert = *raw->alert,
		.expr = raw->expr.text,
		.node = take_expr(raw, problems),
		.for_ms = raw->for_ms,
		.keep_firing_ms = raw->keep_firing_ms,
		.labels = take_texts(raw, "label", &labels, problems),
		.annotations = take_texts(raw, "annotation", &annotations, problems),
		.line = raw->line,
	};
}

static void check_group(const struct raw_groups *groups, size_t g, struct problems *problems)
{
	const struct raw_group *group = &groups->items[g];
	if (!*group->name)
		problem_add(problems, group->line, "a group needs a 'name'");
	for (size_t i = 0; i < g; i++) {
		if (strcmp(groups->items[i].name, group->name) != 0)
			continue;
		problem_add(problems, group->line, "group '%s' is there twice, first in line %u",
			group->name, groups->items[i].line);
		break;
	}
	check_names(&group->labels, "label", group->line, problems);
}

static struct file_group take_group(
	const char *path, const struct raw_group *raw, struct problems *problems)
{
	struct file_group group = {
		.file = path,
		.name = raw->name,
		.interval_ms = raw->interval_ms,
		.offset_ms = raw->offset_ms,
		.limit = raw->limit,
		.n_rules = raw->rules.n,
		.line = raw->line,
	};
	group.rules = fw_arena_alloc(problems->arena, (group.n_rules + 1) * sizeof *group.rules);
	for (size_t i = 0; i < group.n_rules; i++)
		group.rules[i] = take_rule(raw, &raw->rules.items[i], problems);
	return group;
}

void rulefile_parse(const char *path, const char *text, size_t length, struct fw_arena *arena,
	struct rulefile *out, struct problems *problems)
{
	const struct fw_yaml *root;
	struct raw_groups raw = {0};
	struct fw_err err;
	*out = (struct rulefile){.path = fw_arena_strdup(arena, path)};
	if (fw_yaml_parse_foreign(text, length, arena, &root, &err) < 0) {
		problem_from(problems, err.text);
		return;
	}
	yaml_read_struct(root, "a rule file", file_fields, &raw, problems);
	out->groups = fw_arena_alloc(arena, (raw.n + 1) * sizeof *out->groups);
	for (size_t g = 0; g < raw.n; g++) {
		check_group(&raw, g, problems);
		out->groups[g] = take_group(out->path, &raw.items[g], problems);
		out->n_rules += out->groups[g].n_rules;
	}
	out->n_groups = raw.n;
}

void rulefile_read(
	const char *path, struct fw_arena *arena, struct rulefile *out, struct problems *problems)
{
	struct fw_buf text = {0};
	struct fw_err err;
	*out = (struct rulefile){.path = fw_arena_strdup(arena, path)};
	if (fw_file_read(path, RULEFILE_BYTES_LIMIT, &text, &err) < 0)
		problem_add(problems, 0, "%s", err.text);
	else
		rulefile_parse(path, text.length ? (const char *)text.data : "", text.length, arena,
			out, problems);
	fw_buf_done(&text);
}

/* ---- doubles ---- */

bool rulefile_same_rule(const struct file_rule *a, const struct file_rule *b)
{
	if (a->is_alert != b->is_alert || strcmp(a->name, b->name) != 0 ||
		a->labels.n != b->labels.n)
		return false;
	for (size_t i = 0; i < a->labels.n; i++)
		if (strcmp(a->labels.items[i].name, b->labels.items[i].name) != 0 ||
			strcmp(a->labels.items[i].text, b->labels.items[i].text) != 0)
			return false;
	return true;
}

static int by_rule(const void *a, const void *b)
{
	const struct file_rule *x = *(const struct file_rule *const *)a;
	const struct file_rule *y = *(const struct file_rule *const *)b;
	int order = strcmp(x->name, y->name);
	return order ? order : (x->line > y->line) - (x->line < y->line);
}

void rulefile_find_doubles(const struct rulefile *file, struct problems *problems)
{
	size_t n = 0;
	const struct file_rule **rules =
		fw_arena_alloc(problems->arena, (file->n_rules + 1) * sizeof(*rules));
	for (size_t g = 0; g < file->n_groups; g++)
		for (size_t i = 0; i < file->groups[g].n_rules; i++)
			rules[n++] = &file->groups[g].rules[i];
	qsort(rules, n, sizeof(*rules), by_rule);
	for (size_t i = 1; i < n; i++)
		if (rulefile_same_rule(rules[i - 1], rules[i]))
			problem_warn(problems, rules[i]->line,
				"rule '%s' has the name and labels of the one in line %u",
				rules[i]->name, rules[i - 1]->line);
}

/* ---- sets ---- */

static int load_file(struct rule_set *set, const char *path, struct fw_err *err)
{
	struct problems problems = {.arena = &set->arena};
	if (set->n_files == SET_FILES_LIMIT)
		return fw_fail(err, -E2BIG, "more than %d rule files", SET_FILES_LIMIT);
	rulefile_read(path, &set->arena, &set->files[set->n_files++], &problems);
	for (size_t i = 0; i < problems.n; i++)
		if (!problems.items[i].is_warning && problems.items[i].line)
			return fw_fail(err, -EINVAL, "rule file '%s': line %u: %s", path,
				problems.items[i].line, problems.items[i].text);
		else if (!problems.items[i].is_warning)
			return fw_fail(
				err, -EINVAL, "rule file '%s': %s", path, problems.items[i].text);
	return 0;
}

static int load_pattern(struct rule_set *set, const char *pattern, struct fw_err *err)
{
	glob_t found = {0};
	int rc = 0, status = glob(pattern, 0, NULL, &found);
	if (status != 0 && status != GLOB_NOMATCH)
		rc = fw_fail(err, -EIO, "rules: cannot look for '%s'", pattern);
	else if (status == GLOB_NOMATCH && !strpbrk(pattern, "*?["))
		rc = fw_fail(err, -ENOENT, "rules: there is no file '%s'", pattern);
	for (size_t i = 0; i < found.gl_pathc && rc == 0; i++)
		rc = load_file(set, found.gl_pathv[i], err);
	globfree(&found);
	return rc;
}

int rule_set_load(struct rule_set *set, const char *const *patterns, size_t n_patterns,
	const char *folder, struct fw_err *err)
{
	int rc = 0;
	*set = (struct rule_set){0};
	set->files = fw_arena_alloc(&set->arena, SET_FILES_LIMIT * sizeof *set->files);
	for (size_t i = 0; i < n_patterns && rc == 0; i++) {
		const char *pattern = patterns[i];
		if (*pattern != '/' && *folder)
			pattern = fw_arena_format(&set->arena, "%s/%s", folder, pattern);
		rc = load_pattern(set, pattern, err);
	}
	if (rc < 0)
		rule_set_done(set);
	return rc;
}

void rule_set_done(struct rule_set *set)
{
	fw_arena_done(&set->arena);
	*set = (struct rule_set){0};
}
