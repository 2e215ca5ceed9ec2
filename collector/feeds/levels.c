/* SPDX-License-Identifier: Apache-2.0 */
#include "levels.h"

#include <string.h>

static const char *const priority_names[PRIORITIES] = {"P1", "P2", "P3", "P4", "P5"};

/* Where the word for this name belongs; NULL: it is no such name. */
static const char **place_of(struct levels *levels, const char *name)
{
	for (size_t i = 0; i < SEVERITIES; i++)
		if (strcmp(severity_names[i], name) == 0)
			return &levels->severities[i];
	for (size_t i = 0; i < PRIORITIES; i++)
		if (strcmp(priority_names[i], name) == 0)
			return &levels->priorities[i];
	return NULL;
}

static int parse_word(const struct fw_yaml *key, const struct fw_yaml *value, struct levels *levels,
	struct fw_arena *arena, struct fw_err *err)
{
	const char *name = fw_yaml_text(key), *word = fw_yaml_text(value);
	const char **place = place_of(levels, name);
	if (!place)
		return fw_yaml_fail(key, err,
			"'%.60s' is no severity (critical, major, minor, warning, info) and no "
			"priority (P1 to P5)",
			name);
	if (!word)
		return fw_yaml_fail(value, err, "levels have single words, no lists and sections");
	*place = fw_arena_strdup(arena, word);
	return 0;
}

static size_t count(const char *const words[PRIORITIES])
{
	size_t n = 0;
	for (size_t i = 0; i < PRIORITIES; i++)
		n += words[i] != NULL;
	return n;
}

static int check(const struct fw_yaml *node, const struct levels *levels, struct fw_err *err)
{
	bool by_priority = count(levels->priorities) > 0;
	if (by_priority && count(levels->severities) > 0)
		return fw_yaml_fail(node, err, "levels go by severity or by priority, not by both");
	for (size_t i = 0; i < PRIORITIES; i++)
		if (!(by_priority ? levels->priorities : levels->severities)[i])
			return fw_yaml_fail(node, err, "levels lack '%s'",
				by_priority ? priority_names[i] : severity_names[i]);
	return 0;
}

int levels_parse(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	int rc = 0;
	if (fw_yaml_kind(node) != FW_YAML_MAPPING)
		return fw_yaml_fail(node, err, "levels are written like {P1: 1, P2: 2, ...}");
	for (size_t i = 0; rc == 0 && i < fw_yaml_count(node); i++)
		rc = parse_word(fw_yaml_key(node, i), fw_yaml_item(node, i), field, arena, err);
	return rc < 0 ? rc : check(node, field, err);
}

bool levels_are_set(const struct levels *levels)
{
	return *levels->severities || *levels->priorities;
}

const char *levels_word(const struct levels *levels, const struct notice *notice)
{
	return *levels->priorities ? levels->priorities[notice_priority(notice)]
				   : levels->severities[notice_severity(notice)];
}
