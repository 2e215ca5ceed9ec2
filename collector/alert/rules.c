/* SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"

#include <stdio.h>
#include <string.h>

#include <fenwatch/buf.h>

#define DAY_S (24 * 3600.0)

const struct rule *rule_find(const char *name)
{
	for (size_t i = 0; i < RULES; i++)
		if (strcmp(rules[i].name, name) == 0)
			return &rules[i];
	return NULL;
}

bool rule_looks_back(const struct rule *rule)
{
	return rule->kind == RULE_SERIES || rule->kind == RULE_SILENCE;
}

/* Which of "a|b" this is, from 0; -1: none. */
static int which_of(const char *names, const char *name)
{
	size_t length = strlen(name);
	int i = 0;
	for (const char *at = names; at; at = strchr(at, '|'), at += at != NULL, i++)
		if (strncmp(at, name, length) == 0 && (at[length] == '|' || at[length] == '\0'))
			return i;
	return -1;
}

bool rule_wants(const struct rule *rule, const char *value)
{
	return which_of(rule->value, value) >= 0;
}

bool rule_has_source(const struct rule *rule, const char *name)
{
	return which_of(rule->source, name) >= 0;
}

int rule_metric(const struct rule *rule, const char *name)
{
	return which_of(rule->metric, name);
}

void rule_divisor(const struct rule *rule, int metric, char name[128])
{
	const char *at = rule->divisor;
	for (int i = 0; at && i < metric; i++)
		at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL;
	snprintf(name, 128, "%.*s", at ? (int)strcspn(at, "|") : 0, at ? at : "");
}

void rules_in_force(const struct alert_options *options, struct alert_rule_option out[RULES])
{
	for (size_t i = 0; i < RULES; i++)
		out[i] = (struct alert_rule_option){&rules[i], true, rules[i].limits};
	for (size_t i = 0; options && i < options->n_rules; i++)
		out[options->rules[i].rule - rules] = options->rules[i];
}

/* "5 days", "3 hours", "0 minutes" */
static void put_time(struct fw_buf *out, double seconds)
{
	if (seconds >= 2 * DAY_S)
		fw_buf_printf(out, "%.0f days", seconds / DAY_S);
	else if (seconds >= 2 * 3600)
		fw_buf_printf(out, "%.0f hours", seconds / 3600);
	else
		fw_buf_printf(out, "%.0f minutes", seconds > 0 ? seconds / 60 : 0);
}

static void fill_gap(struct fw_buf *out, const char *name, size_t length,
	const struct pairs *labels, double value, const char *detail)
{
	char copy[64];
	snprintf(copy, sizeof copy, "%.*s", (int)length, name);
	if (strcmp(copy, "value") == 0)
		fw_buf_printf(out, "%g", value);
	else if (strcmp(copy, "percent") == 0)
		fw_buf_printf(out, "%.1f %%", value * 100);
	else if (strcmp(copy, "time") == 0)
		put_time(out, value);
	else if (strcmp(copy, "detail") == 0)
		fw_buf_printf(out, "%s%s", *detail ? ": " : "", detail);
	else
		fw_buf_puts(out, pairs_get(labels, copy));
}

char *rule_summary(
	const struct rule *rule, const struct pairs *labels, double value, const char *detail)
{
	struct fw_buf out = {0};
	if (rule->is_age)
		value = (double)(int64_t)value;
	for (const char *at = rule->summary; *at;) {
		size_t plain = strcspn(at, "{");
		fw_buf_append(&out, at, plain);
		at += plain;
		if (*at == '\0')
			break;
		size_t gap = strcspn(at, "}");
		fill_gap(&out, at + 1, gap - 1, labels, value, detail);
		at += gap + 1;
	}
	char *text = fw_strdup((const char *)out.data);
	fw_buf_done(&out);
	return text;
}
