/* SPDX-License-Identifier: Apache-2.0 */
#include "template.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include <fenwatch/clock.h>
#include <fenwatch/mem.h>
#include <fenwatch/text.h>

#include "notice.h"

#define NAME_BYTES 64
#define DIGITS 15 /* that fit a JSON number everywhere */

enum filter { FILTER_NONE, FILTER_CUT, FILTER_NUMBER, FILTER_BASE64, FILTER_HTML };

struct hole {
	char name[NAME_BYTES];
	enum filter filter;
	uint64_t most; /* of the filter cut */
	const char *after;
};

/* ---- what may go into a hole ---- */

static void put_time(struct fw_buf *out, int64_t ms)
{
	char text[32];
	if (ms != 0)
		fw_buf_puts(out, fw_time_format(ms, text, sizeof text));
}

static void put_key(struct fw_buf *out, const struct template_values *v)
{
	fw_buf_puts(out, v->notice->key);
}

static void put_status(struct fw_buf *out, const struct template_values *v)
{
	fw_buf_puts(out, v->notice->status);
}

static void put_summary(struct fw_buf *out, const struct template_values *v)
{
	char *summary = notice_summary(v->notice);
	fw_buf_puts(out, summary);
	fw_free(summary);
}

static void put_description(struct fw_buf *out, const struct template_values *v)
{
	fw_buf_puts(out, notice_annotation(v->notice, "description"));
}

static void put_register(struct fw_buf *out, const struct template_values *v)
{
	notice_put_register(out, v->notice);
}

static void put_severity(struct fw_buf *out, const struct template_values *v)
{
	fw_buf_puts(out, severity_names[notice_severity(v->notice)]);
}

static void put_level(struct fw_buf *out, const struct template_values *v)
{
	fw_buf_puts(out, v->level);
}

static void put_priority(struct fw_buf *out, const struct template_values *v)
{
	fw_buf_puts(out, v->notice->priority ? v->notice->priority : "");
}

static void put_starts(struct fw_buf *out, const struct template_values *v)
{
	put_time(out, v->notice->starts_ms);
}

static void put_ends(struct fw_buf *out, const struct template_values *v)
{
	put_time(out, v->notice->ends_ms);
}

static void put_ticket(struct fw_buf *out, const struct template_values *v)
{
	fw_buf_puts(out, v->notice->receipt);
}

static void put_token(struct fw_buf *out, const struct template_values *v)
{
	fw_buf_puts(out, v->token);
}

static void put_feed(struct fw_buf *out, const struct template_values *v)
{
	fw_buf_puts(out, v->notice->receiver);
}

static void put_generator(struct fw_buf *out, const struct template_values *v)
{
	fw_buf_puts(out, v->notice->generator_url);
}

static void put_labels(struct fw_buf *out, const struct template_values *v)
{
	for (size_t i = 0; i < v->notice->n_labels; i++)
		fw_buf_printf(out, "%s%s: %s", i > 0 ? "\n" : "", v->notice->labels[i].name,
			v->notice->labels[i].value);
}

static const struct {
	const char *name;
	void (*put)(struct fw_buf *out, const struct template_values *values);
} names[] = {
	{"key", put_key},
	{"status", put_status},
	{"summary", put_summary},
	{"description", put_description},
	{"register", put_register},
	{"severity", put_severity},
	{"level", put_level},
	{"priority", put_priority},
	{"starts_at", put_starts},
	{"ends_at", put_ends},
	{"ticket", put_ticket},
	{"token", put_token},
	{"feed", put_feed},
	{"generator_url", put_generator},
	{"labels", put_labels},
};
#define NAMES (sizeof names / sizeof *names)

static const char *behind(const char *text, const char *prefix)
{
	size_t length = strlen(prefix);
	return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

static bool is_known(const char *name)
{
	const char *own = behind(name, "labels.");
	own = own ? own : behind(name, "annotations.");
	if (own)
		return *own;
	for (size_t i = 0; i < NAMES; i++)
		if (strcmp(names[i].name, name) == 0)
			return true;
	return false;
}

static void put_value(struct fw_buf *out, const char *name, const struct template_values *values)
{
	const char *label = behind(name, "labels."), *annotation = behind(name, "annotations.");
	if (label)
		fw_buf_puts(out, notice_label(values->notice, label));
	if (annotation)
		fw_buf_puts(out, notice_annotation(values->notice, annotation));
	for (size_t i = 0; i < NAMES; i++)
		if (strcmp(names[i].name, name) == 0)
			names[i].put(out, values);
}

/* ---- holes ---- */

static bool cut_name(struct fw_cursor *c, char *name)
{
	size_t length = 0;
	while (c->at < c->end && length < NAME_BYTES - 1 &&
		(isalnum((unsigned char)*c->at) || *c->at == '_' || *c->at == '.'))
		name[length++] = *c->at++;
	name[length] = '\0';
	return length > 0;
}

static bool cut_filter(struct fw_cursor *c, struct hole *hole)
{
	fw_skip_blanks(c);
	if (fw_cut_literal(c, "number"))
		hole->filter = FILTER_NUMBER;
	else if (fw_cut_literal(c, "base64"))
		hole->filter = FILTER_BASE64;
	else if (fw_cut_literal(c, "html"))
		hole->filter = FILTER_HTML;
	else if (fw_cut_literal(c, "cut") && fw_cut_u64(c, &hole->most))
		hole->filter = FILTER_CUT;
	return hole->filter != FILTER_NONE;
}

static int fail_unknown(const char *name, struct fw_err *err)
{
	const char *known[NAMES];
	for (size_t i = 0; i < NAMES; i++)
		known[i] = names[i].name;
	const char *near = fw_nearest(name, known, NAMES);
	return fw_fail(err, -EINVAL, "nothing is called {{%.60s}}%s%s%s", name,
		near ? "; did you mean {{" : "", near ? near : "", near ? "}}?" : "");
}

/* `text` begins with "{{". */
static int read_hole(const char *text, struct hole *hole, struct fw_err *err)
{
	const char *end = strstr(text, "}}");
	if (!end)
		return fw_fail(err, -EINVAL, "'{{' without '}}'");
	struct fw_cursor c = {text + 2, end};
	*hole = (struct hole){.after = end + 2};
	fw_skip_blanks(&c);
	bool whole = cut_name(&c, hole->name);
	fw_skip_blanks(&c);
	if (whole && fw_cut_literal(&c, "|"))
		whole = cut_filter(&c, hole);
	fw_skip_blanks(&c);
	if (!whole || c.at != c.end)
		return fw_fail(err, -EINVAL,
			"'%.*s' is no name and filter; the filters are cut N, number, base64 and html",
			(int)(end + 2 - text > 80 ? 80 : end + 2 - text), text);
	return is_known(hole->name) ? 0 : fail_unknown(hole->name, err);
}

int template_check(const char *text, struct fw_err *err)
{
	struct hole hole;
	for (const char *at = text; (at = strstr(at, "{{")); at = hole.after) {
		int rc = read_hole(at, &hole, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

bool template_uses(const char *text, const char *name)
{
	struct hole hole;
	for (const char *at = text; (at = strstr(at, "{{")); at = hole.after)
		if (read_hole(at, &hole, NULL) < 0 || strcmp(hole.name, name) == 0)
			return true;
	return false;
}

int template_check_tree(const struct fw_yaml *node, struct fw_err *err)
{
	struct fw_err why;
	const char *text = fw_yaml_text(node);
	if (text && template_check(text, &why) < 0)
		return fw_yaml_fail(node, err, "%s", why.text);
	for (size_t i = 0; !text && i < fw_yaml_count(node); i++) {
		int rc = template_check_tree(fw_yaml_item(node, i), err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

bool template_tree_uses(const struct fw_yaml *node, const char *name)
{
	const char *text = node ? fw_yaml_text(node) : NULL;
	if (text)
		return template_uses(text, name);
	for (size_t i = 0; node && i < fw_yaml_count(node); i++)
		if (template_tree_uses(fw_yaml_item(node, i), name))
			return true;
	return false;
}

/* ---- filling ---- */

static void put_base64(struct fw_buf *out, const struct fw_buf *value)
{
	uint8_t *space = fw_buf_reserve(out, (value->length + 2) / 3 * 4 + 1);
	out->length += (size_t)EVP_EncodeBlock(space, value->data, (int)value->length);
}

/* A desk that shows a page would take what a host says for its tags. */
static void put_html(struct fw_buf *out, const struct fw_buf *value)
{
	for (size_t i = 0; i < value->length; i++)
		if (strchr("&<>\"'", value->data[i]) && value->data[i])
			fw_buf_printf(out, "&#%d;", value->data[i]);
		else
			fw_buf_putc(out, (char)value->data[i]);
}

/* What goes into this hole, as it is. */
static void put_filtered(
	struct fw_buf *out, const struct hole *hole, const struct template_values *values)
{
	struct fw_buf value = {0};
	put_value(&value, hole->name, values);
	if (value.length > 0 && hole->filter == FILTER_BASE64)
		put_base64(out, &value);
	else if (value.length > 0 && hole->filter == FILTER_HTML)
		put_html(out, &value);
	else if (value.length > 0 && hole->filter == FILTER_CUT)
		fw_buf_append(out, value.data, text_cut((char *)value.data, hole->most));
	else if (value.length > 0)
		fw_buf_append(out, value.data, value.length);
	if (value.data)
		explicit_bzero(value.data, value.length);
	fw_buf_done(&value);
}

/* A value of nothing but dots would be a step through the path. */
static void put_percent(struct fw_buf *out, const char *text)
{
	bool dots = strspn(text, ".") == strlen(text);
	for (; *text; text++)
		if (isalnum((unsigned char)*text) || strchr("-_~", *text) ||
			(*text == '.' && !dots))
			fw_buf_putc(out, *text);
		else
			fw_buf_printf(out, "%%%02X", (unsigned char)*text);
}

static void put_escaped(struct fw_buf *out, const struct hole *hole,
	const struct template_values *values, enum template_context context)
{
	struct fw_buf value = {0};
	put_filtered(&value, hole, values);
	const char *text = value.data ? (const char *)value.data : "";
	/* A URL may hold its secret as a path or a query: it is the operator's own. */
	if (context == TEMPLATE_HEADER)
		text_put_line(out, text, SIZE_MAX);
	else if (context == TEMPLATE_URL && strcmp(hole->name, "token") == 0)
		fw_buf_puts(out, text);
	else
		put_percent(out, text);
	if (value.data)
		explicit_bzero(value.data, value.length);
	fw_buf_done(&value);
}

/* A form's own texts are values, too. */
static void put_literal(
	struct fw_buf *out, const char *text, size_t length, enum template_context context)
{
	char *copy = fw_strndup(text, length);
	if (context == TEMPLATE_FORM)
		put_percent(out, copy);
	else
		fw_buf_puts(out, copy);
	fw_free(copy);
}

void template_fill(struct fw_buf *out, const char *text, const struct template_values *values,
	enum template_context context)
{
	struct hole hole;
	for (const char *at; (at = strstr(text, "{{")) && read_hole(at, &hole, NULL) == 0;
		text = hole.after) {
		put_literal(out, text, (size_t)(at - text), context);
		put_escaped(out, &hole, values, context);
	}
	put_literal(out, text, strlen(text), context);
}

/* ---- JSON ---- */

static bool is_digits(const char *text)
{
	size_t length = strlen(text);
	return length > 0 && length <= DIGITS && strspn(text, "0123456789") == length;
}

/* What stands unquoted and without holes means what it would in YAML. */
static json_t *plain(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
	if (json_is_number(value) || json_is_boolean(value) || json_is_null(value))
		return value;
	json_decref(value);
	return json_string(text);
}

static json_t *with_holes(const char *text, const struct template_values *values)
{
	struct fw_buf out = {0};
	struct hole hole = {.filter = FILTER_NONE};
	bool number = false;
	for (const char *at; (at = strstr(text, "{{")) && read_hole(at, &hole, NULL) == 0;
		text = hole.after) {
		number = hole.filter == FILTER_NUMBER && at == text && !*hole.after &&
			out.length == 0;
		fw_buf_append(&out, text, (size_t)(at - text));
		put_filtered(&out, &hole, values);
	}
	fw_buf_puts(&out, text);
	const char *filled = out.data ? (const char *)out.data : "";
	uint64_t count;
	json_t *value = number && is_digits(filled) && fw_parse_u64(filled, &count) == 0
		? json_integer((json_int_t)count)
		: json_string(filled);
	fw_buf_done(&out);
	return value;
}

static json_t *scalar(const struct fw_yaml *node, const struct template_values *values)
{
	const char *text = fw_yaml_text(node);
	if (strstr(text, "{{"))
		return with_holes(text, values);
	return fw_yaml_is_quoted(node) ? json_string(text) : plain(text);
}

json_t *template_json(const struct fw_yaml *node, const struct template_values *values)
{
	if (fw_yaml_text(node))
		return scalar(node, values);
	bool list = fw_yaml_kind(node) == FW_YAML_SEQUENCE;
	json_t *all = list ? json_array() : json_object();
	int rc = all ? 0 : -1;
	for (size_t i = 0; rc == 0 && i < fw_yaml_count(node); i++) {
		json_t *item = template_json(fw_yaml_item(node, i), values);
		rc = list ? json_array_append_new(all, item)
			  : json_object_set_new(all, fw_yaml_text(fw_yaml_key(node, i)), item);
	}
	if (rc == 0)
		return all;
	json_decref(all);
	return NULL;
}
