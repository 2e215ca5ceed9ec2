/* Texts of the configuration with holes in them: "{{summary|cut 80}}".
 *
 * What goes into a hole comes from hosts and may be hostile, so it is put in
 * by the context: into JSON as a value that jansson writes, into a URL and a form
 * percent-encoded, into a header without control characters. A hole is a name
 * and perhaps a filter; what there is stands in one table.
 */
#pragma once

#include <stdbool.h>

#include <jansson.h>

#include <fenwatch/buf.h>
#include <fenwatch/conf.h>
#include <fenwatch/err.h>

#include "feed.h"

struct template_values {
	const struct notice *notice;
	const char *level; /* the receiver's word for its severity or priority */
	const char *token;
};

enum template_context { TEMPLATE_URL, TEMPLATE_FORM, TEMPLATE_HEADER };

/* Whether each hole is closed and known. */
int template_check(const char *text, struct fw_err *err);
/* The same of every text in a tree. */
int template_check_tree(const struct fw_yaml *node, struct fw_err *err);
bool template_uses(const char *text, const char *name);
bool template_tree_uses(const struct fw_yaml *node, const char *name);

/* Both are only for what was checked. */
void template_fill(struct fw_buf *out, const char *text, const struct template_values *values,
	enum template_context context);
/* A tree as JSON; NULL where a value is no UTF-8. Plain numbers, true, false and null stay
 * what they are; a text that is one hole with the filter `number` becomes a number. */
json_t *template_json(const struct fw_yaml *node, const struct template_values *values);
