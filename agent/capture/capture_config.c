/* SPDX-License-Identifier: Apache-2.0 */
#include "capture_config.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <net/if.h>
#include <sys/stat.h>

#include <fenwatch/buf.h>
#include <fenwatch/file.h>
#include <fenwatch/text.h>

#include "probe.h"
#include "sandbox.h"

#define AT(member) offsetof(struct capture_config, member)
#define MOST_TEXT (1u << 20)
#define DAY_MS INT64_C(86400000)

const struct fw_option capture_config_table[] = {
	{
		.name = "interfaces",
		.help = "where it listens: names of at most 8 network interfaces, or \"any\". "
			"Default: nowhere, and so the program ends at once",
		.type = FW_OPT_LIST,
		.offset = AT(interfaces),
	},
	{
		.name = "interval",
		.help = "how often counts and services are told",
		.type = FW_OPT_DURATION,
		.offset = AT(interval_ms),
		.fallback = "60s",
		.min = 5000,
		.max = 3600000,
	},
	{
		.name = "tables_interval",
		.help = "how often it is told, where it has changed, who uses which service and which "
			"hosts there are",
		.type = FW_OPT_DURATION,
		.offset = AT(tables_ms),
		.fallback = "1h",
		.min = 5000,
		.max = 86400000,
	},
	{
		.name = "keep",
		.help = "how long a client or host that is not heard any more stays in these tables",
		.type = FW_OPT_DURATION,
		.offset = AT(keep_ms),
		.fallback = "90d",
		.min = 3600000,
		.max = INT64_C(400) * 86400000,
	},
	{
		.name = "data",
		.help = "a folder of its own, where these tables outlive a restart",
		.type = FW_OPT_TEXT,
		.offset = AT(data),
		.fallback = "/var/lib/fenwatch-capture",
	},
	{
		.name = "user",
		.help = "whom it becomes once the interfaces are open, where root starts it",
		.type = FW_OPT_TEXT,
		.offset = AT(user),
		.fallback = SANDBOX_USER,
	},
	{
		.name = "budget",
		.help = "percent of one processor core; what would take more is sampled",
		.type = FW_OPT_INT,
		.offset = AT(budget),
		.fallback = "10",
		.min = 1,
		.max = 100,
	},
	{
		.name = "buffer",
		.help = "room for packets that wait, for each interface",
		.type = FW_OPT_SIZE,
		.offset = AT(buffer),
		.fallback = "4MiB",
		.min = 1 << 20,
		.max = 64 << 20,
	},
	{
		.name = "promiscuous",
		.help = "also hears what is for others, as on the mirror port of a switch",
		.type = FW_OPT_BOOL,
		.offset = AT(promiscuous),
		.fallback = "false",
	},
	{
		.name = "agent",
		.help = "the agent's own configuration, for its class: on a laptop nothing is heard",
		.type = FW_OPT_TEXT,
		.offset = AT(agent),
		.fallback = "/etc/fenwatch/agent.yml",
	},
	{
		.name = "socket",
		.help = "the agent's socket for programs beside it",
		.type = FW_OPT_TEXT,
		.offset = AT(socket),
		.fallback = "/run/fenwatch-agent/probe.sock",
	},
	{
		.name = "names",
		.help = "a file of root's that says who allows names of DNS and TLS to be kept, and "
			"until when; where it is not there none is",
		.type = FW_OPT_TEXT,
		.offset = AT(names),
		.fallback = "/etc/fenwatch/capture-names.yml",
	},
	{0},
};

static int check(const struct capture_config *c, struct fw_err *err)
{
	if (c->interfaces.count > CAPTURE_INTERFACES)
		return fw_fail(err, -EINVAL, "'interfaces' has more than %d", CAPTURE_INTERFACES);
	for (size_t i = 0; i < c->interfaces.count; i++) {
		size_t length = strlen(c->interfaces.items[i]);
		if (length == 0 || length >= IF_NAMESIZE || strchr(c->interfaces.items[i], '/'))
			return fw_fail(err, -EINVAL, "'%.60s' is not the name of an interface",
				c->interfaces.items[i]);
	}
	return 0;
}

int capture_config_load(struct capture_config *c, const char *path, struct fw_err *err)
{
	*c = (struct capture_config){0};
	int rc = fw_conf_load(path, capture_config_table, c, &c->arena, err);
	if (rc == 0) {
		rc = check(c, err);
		if (rc < 0)
			rc = fw_fail_in(err, rc, "config '%s'", path);
	}
	if (rc < 0)
		capture_config_done(c);
	return rc;
}

void capture_config_done(struct capture_config *c)
{
	fw_arena_done(&c->arena);
	*c = (struct capture_config){0};
}

/* ---- other files ---- */

/* The text of one key of a small YAML file; NULL in `out` where it is not there. */
static int read_key(
	const struct fw_yaml *root, const char *key, const char **out, struct fw_err *err)
{
	*out = NULL;
	if (fw_yaml_kind(root) != FW_YAML_MAPPING)
		return fw_fail(err, -EINVAL, "line 1: not a list of keys");
	const struct fw_yaml *node = fw_yaml_get(root, key);
	if (!node)
		return 0;
	*out = fw_yaml_text(node);
	return *out ? 0 : fw_yaml_fail(node, err, "'%s' must be a text", key);
}

static int class_of(
	const struct fw_buf *text, struct fw_arena *arena, const char **class, struct fw_err *err)
{
	const struct fw_yaml *root;
	int rc = fw_yaml_parse((const char *)text->data, text->length, arena, &root, err);
	return rc < 0 ? rc : read_key(root, "class", class, err);
}

int capture_may_listen(const char *agent_path, struct fw_err *err)
{
	struct fw_buf text = {0};
	struct fw_arena arena = {0};
	const char *class = NULL;
	int rc = fw_file_read(agent_path, MOST_TEXT, &text, err);
	if (rc >= 0)
		rc = class_of(&text, &arena, &class, err);
	if (rc < 0)
		rc = fw_fail_in(err, -EPERM, "what class of machine this is, '%s'", agent_path);
	else if (class && strcmp(class, "laptop") == 0)
		rc = fw_fail(err, -EPERM,
			"nothing is captured on somebody's device: '%s' says class: laptop",
			agent_path);
	fw_arena_done(&arena);
	fw_buf_done(&text);
	return rc < 0 ? rc : 0;
}

/* ---- who allows names ---- */

/* Days from 1970 to a date of the Gregorian calendar: years begin in March here. */
static int64_t days_to(int64_t year, int64_t month, int64_t day)
{
	year -= month <= 2;
	int64_t era = year / 400, of_era = year % 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* "2026-12-31": the end of that day. */
static int parse_until(const char *text, int64_t *until_ms)
{
	struct fw_cursor c = {text, text + strlen(text)};
	uint64_t year, month, day;
	if (strlen(text) != 10 || !fw_cut_u64(&c, &year) || !fw_cut_literal(&c, "-") ||
		!fw_cut_u64(&c, &month) || !fw_cut_literal(&c, "-") || !fw_cut_u64(&c, &day) ||
		c.at != c.end || year < 2000 || month < 1 || month > 12 || day < 1 || day > 31)
		return -EINVAL;
	*until_ms = (days_to((int64_t)year, (int64_t)month, (int64_t)day) + 1) * DAY_MS;
	return 0;
}

static int take_authority(
	struct capture_authority *a, const struct fw_yaml *root, struct fw_err *err)
{
	const char *name, *until;
	struct capture_authority found = {0};
	int rc = read_key(root, "authority", &name, err);
	if (rc == 0)
		rc = read_key(root, "until", &until, err);
	if (rc < 0)
		return rc;
	if (!name || !fw_is_line(name, sizeof found.name - 1) || name[0] == '\0')
		return fw_fail(err, -EINVAL, "'authority' must say who allows names to be kept");
	if (!until || parse_until(until, &found.until_ms) < 0)
		return fw_fail(err, -EINVAL, "'until' must be the last day, as in 2026-12-31");
	memcpy(found.name, name, strlen(name));
	*a = found;
	return 0;
}

int capture_authority_parse(
	struct capture_authority *a, const char *text, size_t length, struct fw_err *err)
{
	struct fw_arena arena = {0};
	const struct fw_yaml *root;
	*a = (struct capture_authority){0};
	int rc = fw_yaml_parse(text, length, &arena, &root, err);
	if (rc == 0)
		rc = take_authority(a, root, err);
	fw_arena_done(&arena);
	return rc;
}

int capture_authority_load(struct capture_authority *a, const char *path, struct fw_err *err)
{
	struct fw_buf text = {0};
	struct stat st;
	*a = (struct capture_authority){0};
	if (stat(path, &st) < 0)
		return errno == ENOENT ? 0 : fw_fail_sys(err, -errno, "names, '%s'", path);
	if (!probe_file_is_roots(&st, S_IWGRP | S_IWOTH, false) || !S_ISREG(st.st_mode))
		return fw_fail(
			err, -EINVAL, "names, '%s': not a file that only root may write", path);
	int rc = fw_file_read(path, MOST_TEXT, &text, err);
	if (rc >= 0)
		rc = capture_authority_parse(a, (const char *)text.data, text.length, err);
	fw_buf_done(&text);
	return rc < 0 ? fw_fail_in(err, rc, "names, '%s'", path) : 0;
}

bool capture_authority_holds(const struct capture_authority *a, int64_t now_ms)
{
	return now_ms < a->until_ms;
}
