/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that Go's text/template brings along itself. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "template_tree.h"

/* ---- truth and order ---- */

static int give_bool(bool truth, struct operand *out)
{
	*out = (struct operand){.kind = IS_BOOL, .truth = truth};
	return 0;
}

static int call_not(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)run;
	(void)n;
	return give_bool(!operand_is_true(args), out);
}

static bool is_nothing(const struct operand *o)
{
	return o->kind == IS_NONE || o->kind == IS_NIL;
}

/* -1, 0, 1, or 2 where one is no number; of two of the same kind. */
static int compare(const struct operand *a, const struct operand *b)
{
	if (a->kind == IS_INT)
		return (a->number > b->number) - (a->number < b->number);
	if (a->kind == IS_TEXT) {
		int order = strcmp(a->text, b->text);
		return (order > 0) - (order < 0);
	}
	if (isnan(a->value) || isnan(b->value))
		return 2;
	return (a->value > b->value) - (a->value < b->value);
}

static int check_comparable(
	struct run *run, const struct operand *a, const struct operand *b, bool ordered)
{
	bool is_basic = a->kind == IS_INT || a->kind == IS_FLOAT || a->kind == IS_TEXT ||
		(!ordered && a->kind == IS_BOOL);
	if (!is_basic)
		return run_fail(run, "invalid type for comparison");
	if (a->kind != b->kind)
		return run_fail(run, "incompatible types for comparison");
	return 0;
}

static int equal(struct run *run, const struct operand *a, const struct operand *b, bool *truth)
{
	*truth = is_nothing(a) && is_nothing(b);
	if (is_nothing(a) || is_nothing(b))
		return 0;
	int rc = check_comparable(run, a, b, false);
	if (rc == 0)
		*truth = a->kind == IS_BOOL ? a->truth == b->truth : compare(a, b) == 0;
	return rc;
}

static int call_eq(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	bool truth = false;
	int rc = 0;
	for (size_t i = 1; i < n && rc == 0 && !truth; i++)
		rc = equal(run, &args[0], &args[i], &truth);
	return rc < 0 ? rc : give_bool(truth, out);
}

static int call_ne(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	bool truth = false;
	int rc = equal(run, &args[0], &args[1], &truth);
	(void)n;
	return rc < 0 ? rc : give_bool(!truth, out);
}

static int order(struct run *run, const struct operand *args, int *result)
{
	int rc = check_comparable(run, &args[0], &args[1], true);
	*result = rc < 0 ? 2 : compare(&args[0], &args[1]);
	return rc;
}

static int call_lt(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	int result, rc = order(run, args, &result);
	(void)n;
	return rc < 0 ? rc : give_bool(result == -1, out);
}

static int call_le(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	int result, rc = order(run, args, &result);
	(void)n;
	return rc < 0 ? rc : give_bool(result == -1 || result == 0, out);
}

/* As Go has it: not "<=", so that NaN is greater than anything. */
static int call_gt(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	int result, rc = order(run, args, &result);
	(void)n;
	return rc < 0 ? rc : give_bool(result == 1 || result == 2, out);
}

static int call_ge(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	int result, rc = order(run, args, &result);
	(void)n;
	return rc < 0 ? rc : give_bool(result != -1, out);
}

/* ---- parts ---- */

static int call_len(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	size_t length;
	(void)n;
	if (args->kind == IS_TEXT)
		length = strlen(args->text);
	else if (args->kind == IS_MAP)
		length = args->map->n;
	else if (args->kind == IS_ARGS || args->kind == IS_SAMPLES)
		length = args->n;
	else if (is_nothing(args))
		return run_fail(run, "len of nil pointer");
	else
		return run_fail(run, "len of type %s", operand_type(args));
	*out = (struct operand){.kind = IS_INT, .number = (int64_t)length};
	return 0;
}

static int index_position(
	struct run *run, const struct operand *index, size_t length, size_t *position)
{
	if (is_nothing(index))
		return run_fail(run, "cannot index slice/array with nil");
	if (index->kind != IS_INT)
		return run_fail(run, "cannot index slice/array with type %s", operand_type(index));
	if (index->number < 0 || (size_t)index->number >= length)
		return run_fail(run, "index out of range: %lld", (long long)index->number);
	*position = (size_t)index->number;
	return 0;
}

static int index_map(
	struct run *run, const struct operand *map, const struct operand *key, struct operand *out)
{
	if (is_nothing(key))
		return run_fail(run, "value is nil; should be of type string");
	if (key->kind != IS_TEXT)
		return run_fail(run, "value has type %s; should be string", operand_type(key));
	if (map->kind == IS_MAP) {
		*out = (struct operand){
			.kind = IS_TEXT, .text = label_set_get(map->map, key->text)};
		return 0;
	}
	*out = (struct operand){.kind = IS_NONE};
	for (size_t i = 0; i < map->n; i++) {
		char name[32];
		snprintf(name, sizeof name, "arg%zu", i);
		if (strcmp(name, key->text) == 0)
			*out = map->args[i];
	}
	return 0;
}

static int index_one(
	struct run *run, const struct operand *of, const struct operand *by, struct operand *out)
{
	size_t at;
	int rc;
	switch (of->kind) {
	case IS_MAP:
	case IS_ARGS:
		return index_map(run, of, by, out);
	case IS_SAMPLES:
		rc = index_position(run, by, of->n, &at);
		if (rc == 0)
			*out = (struct operand){.kind = IS_SAMPLE, .samples = of->samples + at};
		return rc;
	case IS_TEXT:
		rc = index_position(run, by, strlen(of->text), &at);
		if (rc == 0)
			*out = (struct operand){
				.kind = IS_INT, .number = (unsigned char)of->text[at]};
		return rc;
	case IS_NONE:
	case IS_NIL:
		return run_fail(run, "index of untyped nil");
	default:
		return run_fail(run, "can't index item of type %s", operand_type(of));
	}
}

static int call_index(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct operand at = args[0];
	int rc = 0;
	for (size_t i = 1; i < n && rc == 0; i++) {
		struct operand of = at;
		rc = index_one(run, &of, &args[i], &at);
	}
	*out = at;
	return rc;
}

static int call_slice(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	if (args->kind != IS_TEXT && args->kind != IS_SAMPLES)
		return run_fail(run, "can't slice item of type %s", operand_type(args));
	size_t length = args->kind == IS_TEXT ? strlen(args->text) : args->n;
	size_t ends[2] = {0, length};
	int rc = 0;
	for (size_t i = 1; i < n && rc == 0; i++)
		rc = index_position(run, &args[i], length + 1, &ends[i - 1]);
	if (rc == 0 && ends[0] > ends[1])
		rc = run_fail(run, "invalid slice index: %zu > %zu", ends[0], ends[1]);
	if (rc < 0)
		return rc;
	if (args->kind == IS_TEXT)
		return run_copy(run, args->text + ends[0], ends[1] - ends[0], out);
	*out = (struct operand){
		.kind = IS_SAMPLES, .n = ends[1] - ends[0], .samples = args->samples + ends[0]};
	return 0;
}

/* ---- printing and escaping ---- */

/* A blank between two that are no texts. */
static void put_print(const struct operand *args, size_t n, struct fw_buf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (i && args[i - 1].kind != IS_TEXT && args[i].kind != IS_TEXT)
			fw_buf_putc(out, ' ');
		operand_print(&args[i], out);
	}
}

static int call_print(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct fw_buf made = {.limit = TEMPLATE_TEXT_LIMIT};
	put_print(args, n, &made);
	return run_text(run, &made, out);
}

static int call_println(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct fw_buf made = {.limit = TEMPLATE_TEXT_LIMIT};
	for (size_t i = 0; i < n; i++) {
		if (i)
			fw_buf_putc(&made, ' ');
		operand_print(&args[i], &made);
	}
	fw_buf_putc(&made, '\n');
	return run_text(run, &made, out);
}

static int call_printf(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct fw_buf made = {.limit = TEMPLATE_TEXT_LIMIT};
	template_printf(args[0].text, args + 1, n - 1, &made);
	return run_text(run, &made, out);
}

static int call_html(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct fw_buf plain = {.limit = TEMPLATE_TEXT_LIMIT}, made = {.limit = TEMPLATE_TEXT_LIMIT};
	put_print(args, n, &plain);
	for (size_t i = 0; i < plain.length; i++) {
		static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&#34;", "&#39;"};
		const char *special = strchr("&<>\"'", plain.data[i]);
		if (special && plain.data[i])
			fw_buf_puts(&made, names[special - strchr("&<>\"'", '&')]);
		else
			fw_buf_putc(&made, (char)plain.data[i]);
	}
	fw_buf_done(&plain);
	return run_text(run, &made, out);
}

static int call_js(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct fw_buf plain = {.limit = TEMPLATE_TEXT_LIMIT}, made = {.limit = TEMPLATE_TEXT_LIMIT};
	put_print(args, n, &plain);
	for (size_t i = 0; i < plain.length; i++) {
		char c = (char)plain.data[i];
		if (c == '\\' || c == '\'' || c == '"')
			fw_buf_printf(&made, "\\%c", c);
		else if ((unsigned char)c < ' ' || strchr("<>&=", c))
			fw_buf_printf(&made, "\\u%04X", (unsigned char)c);
		else
			fw_buf_putc(&made, c);
	}
	fw_buf_done(&plain);
	return run_text(run, &made, out);
}

static int call_urlquery(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct fw_buf plain = {.limit = TEMPLATE_TEXT_LIMIT}, made = {.limit = TEMPLATE_TEXT_LIMIT};
	put_print(args, n, &plain);
	template_escape_query(plain.length ? (const char *)plain.data : "", &made);
	fw_buf_done(&plain);
	return run_text(run, &made, out);
}

/* ---- control ---- */

static int call_call(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)n;
	(void)out;
	return run_fail(run, "non-function of type %s", operand_type(args));
}

/* Both end at the first argument that decides, which run.c knows. */
static int call_last(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)run;
	*out = args[n - 1];
	return 0;
}

const struct template_function template_go[] = {
	{"and", ".", 1, -1, call_last},
	{"call", ".", 1, -1, call_call},
	{"eq", ".", 2, -1, call_eq},
	{"ge", ".", 2, 2, call_ge},
	{"gt", ".", 2, 2, call_gt},
	{"html", ".", 0, -1, call_html},
	{"index", ".", 1, -1, call_index},
	{"js", ".", 0, -1, call_js},
	{"le", ".", 2, 2, call_le},
	{"len", ".", 1, 1, call_len},
	{"lt", ".", 2, 2, call_lt},
	{"ne", ".", 2, 2, call_ne},
	{"not", ".", 1, 1, call_not},
	{"or", ".", 1, -1, call_last},
	{"print", ".", 0, -1, call_print},
	{"printf", "s.", 1, -1, call_printf},
	{"println", ".", 0, -1, call_println},
	{"slice", ".", 1, 3, call_slice},
	{"urlquery", ".", 0, -1, call_urlquery},
	{0},
};
