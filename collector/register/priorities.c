/* SPDX-License-Identifier: Apache-2.0 */
/* How soon a fault must be met: impact by urgency (ITIL's matrix of three by three). */
#include <string.h>

#include "internal.h"

const char *const register_priority_names[] = {"P1", "P2", "P3", "P4", "P5", NULL};
static const char *const levels[] = {"high", "medium", "low", NULL};

/* ---- what may stand in a file ---- */

static int parse_row(const struct fw_yaml *row, int out[LEVELS], struct fw_err *err)
{
	int rc = 0;
	if (fw_yaml_kind(row) != FW_YAML_SEQUENCE || fw_yaml_count(row) != LEVELS)
		return fw_yaml_fail(row, err,
			"a row of the matrix is one of urgency high, medium "
			"and low: [P1, P2, P3]");
	for (size_t i = 0; rc == 0 && i < LEVELS; i++)
		rc = register_parse_one_of(
			fw_yaml_item(row, i), register_priority_names, &out[i], err);
	return rc;
}

static int parse_matrix(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	int(*matrix)[LEVELS] = field;
	int rc = 0;
	(void)arena;
	if (fw_yaml_kind(node) != FW_YAML_SEQUENCE || fw_yaml_count(node) != LEVELS)
		return fw_yaml_fail(node, err,
			"the matrix has a row each for impact high, medium and low: "
			"[[P1, P2, P3], [P2, P3, P4], [P3, P4, P5]]");
	for (size_t i = 0; rc == 0 && i < LEVELS; i++)
		rc = parse_row(fw_yaml_item(node, i), matrix[i], err);
	return rc;
}

#define LEVEL(key, member, usual, about)                                                  \
	{                                                                                 \
		.name = (key), .help = (about), .type = FW_OPT_CHOICE, .choices = levels, \
		.offset = offsetof(struct priorities, member), .fallback = (usual),       \
	}
static const struct fw_option impact_table[] = {
	LEVEL("blue-light", impact[IMPACT_BLUE_LIGHT], "high", "of a host of this tier"),
	LEVEL("vip", impact[IMPACT_VIP], "high", "of a host of this tier, or marked so"),
	LEVEL("standard", impact[IMPACT_STANDARD], "medium", "of any other"),
	LEVEL("laptop", impact[IMPACT_LAPTOP], "low", "of a laptop of tier standard"),
	{0},
};

static const struct fw_option urgency_table[] = {
	LEVEL("critical", urgency[URGENCY_CRITICAL], "high", "of an alert of this severity"),
	LEVEL("warning", urgency[URGENCY_WARNING], "medium", "of this one, and of any other"),
	LEVEL("info", urgency[URGENCY_INFO], "low", "of this one"),
	{0},
};

static const struct fw_option table[] = {
	{
		.name = "matrix",
		.help = "a row each for impact high, medium and low; in it urgency the same",
		.type = FW_OPT_CUSTOM,
		.parse = parse_matrix,
		.offset = offsetof(struct priorities, matrix),
		.fallback = "[[P1, P2, P3], [P2, P3, P4], [P3, P4, P5]]",
	},
	{
		.name = "impact",
		.help = "how much a host's failure hurts: high, medium or low",
		.type = FW_OPT_SECTION,
		.section = impact_table,
	},
	{
		.name = "urgency",
		.help = "how fast what an alert tells gets worse",
		.type = FW_OPT_SECTION,
		.section = urgency_table,
	},
	{0},
};

int register_parse_priorities(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct priorities *priorities = field;
	if (priorities->line != 0)
		return fw_yaml_fail(node, err, "'priorities' stand in another file already");
	int rc = fw_conf_bind(node, table, priorities, arena, err);
	priorities->line = node ? fw_yaml_line(node) : 0;
	return rc;
}

/* ---- of one alert ---- */

static int impact_of(const struct register_host *host)
{
	const char *class = host->texts[HOST_CLASS];
	if (host->tier == TIER_BLUE_LIGHT)
		return IMPACT_BLUE_LIGHT;
	if (host->tier == TIER_VIP || host->vip)
		return IMPACT_VIP;
	return class && strcmp(class, "laptop") == 0 ? IMPACT_LAPTOP : IMPACT_STANDARD;
}

static int urgency_of(const char *severity)
{
	if (strcmp(severity, "critical") == 0)
		return URGENCY_CRITICAL;
	return strcmp(severity, "info") == 0 ? URGENCY_INFO : URGENCY_WARNING;
}

int register_priority(
	const struct registry *registry, const struct register_host *host, const char *severity)
{
	const struct priorities *priorities = &registry->priorities;
	return priorities->matrix[priorities->impact[impact_of(host)]]
				 [priorities->urgency[urgency_of(severity)]];
}
