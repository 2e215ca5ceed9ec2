/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <fenwatch/conn.h>
#include <fenwatch/text.h>

#include "facts/facts.h"
#include "handover.h"
#include "sources/whereabouts.h"

const char *const config_classes[] = {"server", "laptop", "blue-light", NULL};

static int parse_sources(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err);
static int parse_proxy(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err);
static int parse_collectors(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err);
static int parse_probe(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err);
static int parse_council(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err);

#define AT(member) offsetof(struct config, member)

static const struct fw_option spool_table[] = {
	{
		.name = "max",
		.help = "room on disk for what the collector has not got yet; when it is used up the "
			"oldest goes. Default: what the collector says, else 32MiB",
		.type = FW_OPT_SIZE,
		.offset = 0,
		.min = 1 << 20,
		.max = INT64_C(64) << 30,
	},
	{
		.name = "keep_free",
		.help = "stop writing when the filesystem has less than this left (or less than 5 %)",
		.type = FW_OPT_SIZE,
		.offset = sizeof(uint64_t),
		.fallback = "200MiB",
		.min = 0,
		.max = INT64_C(1) << 50,
	},
	{0},
};

static const struct fw_option network_table[] = {
	{
		.name = "council",
		.help = "the council's networks (10.20.0.0/16) and its resolvers' search domains "
			"(example.gov.uk); a machine is there when it has an address in one and, where "
			"domains are given, one of them too. Default: not told apart",
		.type = FW_OPT_CUSTOM,
		.offset = offsetof(struct choices, council),
		.parse = parse_council,
	},
	{0},
};

static const struct fw_option textfile_table[] = {
	{
		.name = "dir",
		.help = "folder of files NAME.prom in Prometheus' text format, as for node_exporter",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct choices, textfile),
		.fallback = "/var/lib/prometheus/node-exporter",
	},
	{0},
};

static const struct fw_option jobs_table[] = {
	{
		.name = "dir",
		.help = "folder in which a job writes its exit status into a file of its name",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct choices, jobs),
		.fallback = "/var/lib/fenwatch-jobs",
	},
	{0},
};

const struct fw_option config_table[] = {
	{
		.name = "name",
		.help = "what this machine is called; the label `instance`. Default: its node name",
		.type = FW_OPT_TEXT,
		.offset = AT(name),
	},
	{
		.name = "class",
		.help = "a laptop may be away for days without an alert; blue-light is missed within seconds",
		.type = FW_OPT_CHOICE,
		.offset = AT(class),
		.fallback = "server",
		.choices = config_classes,
	},
	{
		.name = "data",
		.help = "folder of the agent's identity, key and spool",
		.type = FW_OPT_TEXT,
		.offset = AT(data),
		.fallback = "/var/lib/fenwatch-agent",
	},
	{
		.name = "collectors",
		.help = "addresses (HOST:PORT) of one collector or of a stand-by restored from its "
			"backup, in order of preference",
		.type = FW_OPT_CUSTOM,
		.offset = AT(collectors),
		.parse = parse_collectors,
	},
	{
		.name = "proxy",
		.help = "http://HOST:PORT of a proxy that is asked to CONNECT. Default: none",
		.type = FW_OPT_CUSTOM,
		.offset = AT(proxy),
		.parse = parse_proxy,
	},
	{
		.name = "interval",
		.help = "time between two sweeps. Default: what the collector says, else 15s",
		.type = FW_OPT_DURATION,
		.offset = AT(interval_ms),
		.min = 1000,
		.max = 3600000,
	},
	{
		.name = "batch",
		.help = "sweeps sent at once; more than 1 saves bytes on thin links and costs delay",
		.type = FW_OPT_INT,
		.offset = AT(batch),
		.fallback = "1",
		.min = 1,
		.max = 60,
	},
	{
		.name = "spool",
		.help = "where frames wait while the collector cannot be reached",
		.type = FW_OPT_SECTION,
		.offset = AT(spool),
		.section = spool_table,
	},
	{
		.name = "sources",
		.help = "NAME: on, NAME: off, or NAME: {every: 1h} for the slow ones; "
			"fenwatch-agent --list-sources names them all",
		.type = FW_OPT_CUSTOM,
		.offset = AT(sources),
		.parse = parse_sources,
	},
	{
		.name = "facts",
		.help = "socket of the helper fenwatch-facts, which reads what takes root",
		.type = FW_OPT_TEXT,
		.offset = AT(facts),
		.fallback = FACTS_SOCKET,
	},
	{
		.name = "probe",
		.help = "socket by which fenwatch-snmp and the like hand over what they learn; off: "
			"none. Where its folder is missing there is none either",
		.type = FW_OPT_CUSTOM,
		.offset = AT(probe),
		.fallback = HANDOVER_SOCKET,
		.parse = parse_probe,
	},
	{
		.name = "network",
		.help = "what the source 'whereabouts' goes by",
		.type = FW_OPT_SECTION,
		.offset = AT(choices),
		.section = network_table,
	},
	{
		.name = "textfile",
		.help = "where the source 'textfile' looks",
		.type = FW_OPT_SECTION,
		.offset = AT(choices),
		.section = textfile_table,
	},
	{
		.name = "jobs",
		.help = "where the source 'jobs' looks",
		.type = FW_OPT_SECTION,
		.offset = AT(choices),
		.section = jobs_table,
	},
	{
		.name = "certificates",
		.help = "files and folders in which the source 'certificates' looks for "
			"certificates. Default: where web and mail servers keep them",
		.type = FW_OPT_LIST,
		.offset = AT(choices.certificates),
	},
	{
		.name = "root",
		.help = "where /proc, /sys, /etc and /var are looked for",
		.type = FW_OPT_TEXT,
		.offset = AT(root),
		.fallback = "/",
	},
	{0},
};

static size_t source_count(void)
{
	size_t n = 0;
	while (sources[n])
		n++;
	return n;
}

int config_find_source(const char *name, struct fw_err *err)
{
	const char *names[128];
	size_t n = source_count();
	for (size_t i = 0; i < n; i++) {
		if (strcmp(sources[i]->name, name) == 0)
			return (int)i;
		if (i < sizeof names / sizeof *names)
			names[i] = sources[i]->name;
	}
	const char *near = fw_nearest(name, names, n);
	return fw_fail(err, -ENOENT, "there is no source '%s'%s", name, fw_did_you_mean(near).text);
}

struct slow_choice {
	int64_t every_ms;
};

static const struct fw_option slow_table[] = {
	{
		.name = "every",
		.help = "time between two reads",
		.type = FW_OPT_DURATION,
		.offset = offsetof(struct slow_choice, every_ms),
		.min = 10000,
		.max = INT64_C(7) * 86400000,
		.required = true,
	},
	{0},
};

static int parse_switch(const struct fw_yaml *node, struct source_choice *choice)
{
	static const char *const on[] = {"on", "true", "yes"},
				 *const off[] = {"off", "false", "no"};
	const char *text = fw_yaml_text(node);
	for (size_t i = 0; text && i < 3; i++) {
		if (strcmp(text, on[i]) == 0)
			choice->said = SOURCE_ON;
		if (strcmp(text, off[i]) == 0)
			choice->said = SOURCE_OFF;
	}
	return choice->said == SOURCE_UNSAID ? -EINVAL : 0;
}

static int parse_source(const struct source *source, const struct fw_yaml *node,
	struct source_choice *choice, struct fw_arena *arena, struct fw_err *err)
{
	if (fw_yaml_kind(node) == FW_YAML_SCALAR) {
		if (parse_switch(node, choice) < 0)
			return fw_yaml_fail(node, err,
				"source '%s' must be on, off or {every: DURATION}", source->name);
		return 0;
	}
	if (!source->slow)
		return fw_yaml_fail(node, err,
			"source '%s' is read at every sweep; it can only be on or off",
			source->name);
	struct slow_choice slow = {0};
	int rc = fw_conf_bind(node, slow_table, &slow, arena, err);
	if (rc < 0)
		return rc;
	choice->said = SOURCE_ON;
	choice->every_ms = slow.every_ms;
	return 0;
}

static int parse_sources(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct source_choice *choices = fw_arena_alloc(arena, source_count() * sizeof *choices);
	*(struct source_choice **)field = choices;
	if (fw_yaml_kind(node) != FW_YAML_MAPPING)
		return fw_yaml_fail(node, err, "'sources' must be a mapping, NAME: on or off");
	for (size_t i = 0; i < fw_yaml_count(node); i++) {
		const struct fw_yaml *key = fw_yaml_key(node, i);
		int index = config_find_source(fw_yaml_text(key), err);
		if (index < 0)
			return fw_fail_in(err, -EINVAL, "line %u", fw_yaml_line(key));
		int rc = parse_source(
			sources[index], fw_yaml_item(node, i), &choices[index], arena, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int parse_proxy(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	static const char scheme[] = "http://";
	const char *text = fw_yaml_text(node);
	char host[256];
	unsigned port;
	if (!text || strncmp(text, scheme, sizeof scheme - 1) != 0)
		return fw_yaml_fail(node, err, "'proxy' must be http://HOST:PORT");
	char *address = fw_arena_strdup(arena, text + sizeof scheme - 1);
	size_t length = strlen(address);
	if (length > 0 && address[length - 1] == '/')
		address[length - 1] = 0;
	if (fw_split_host_port(address, host, sizeof host, &port) < 0)
		return fw_yaml_fail(node, err, "'proxy' must be http://HOST:PORT, not '%s'", text);
	*(const char **)field = address;
	return 0;
}

static int parse_collectors(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct fw_text_list *list = field;
	char host[256];
	unsigned port;
	if (fw_yaml_kind(node) != FW_YAML_SEQUENCE || fw_yaml_count(node) == 0)
		return fw_yaml_fail(node, err, "'collectors' must be a list, [HOST:PORT, ...]");
	list->count = fw_yaml_count(node);
	list->items = fw_arena_alloc(arena, list->count * sizeof *list->items);
	for (size_t i = 0; i < list->count; i++) {
		const struct fw_yaml *item = fw_yaml_item(node, i);
		const char *text = fw_yaml_text(item);
		if (!text || fw_split_host_port(text, host, sizeof host, &port) < 0 || port == 0)
			return fw_yaml_fail(item, err, "'collectors' must be HOST:PORT, not '%s'",
				text ? text : "something else");
		list->items[i] = fw_arena_strdup(arena, text);
	}
	return 0;
}

static int parse_probe(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	const char *text = fw_yaml_text(node);
	bool is_off = text && strcmp(text, "off") == 0;
	if (!text || (!is_off && text[0] != '/'))
		return fw_yaml_fail(node, err, "'probe' must be a path from /, or off");
	*(const char **)field = is_off ? NULL : fw_arena_strdup(arena, text);
	return 0;
}

static int parse_council(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct fw_text_list *list = field;
	struct network network;
	if (fw_yaml_kind(node) != FW_YAML_SEQUENCE)
		return fw_yaml_fail(
			node, err, "'council' must be a list, [10.20.0.0/16, example.gov.uk]");
	list->count = fw_yaml_count(node);
	list->items = fw_arena_alloc(arena, (list->count + 1) * sizeof *list->items);
	for (size_t i = 0; i < list->count; i++) {
		const struct fw_yaml *item = fw_yaml_item(node, i);
		const char *text = fw_yaml_text(item);
		if (!text || (!network_parse(text, &network) && !domain_is_valid(text)))
			return fw_yaml_fail(item, err,
				"'%.60s' is neither a network (10.20.0.0/16) nor a domain",
				text ? text : "something else");
		list->items[i] = fw_arena_strdup(arena, text);
	}
	return 0;
}

static int config_finish(struct config *c, struct fw_err *err)
{
	char node[256];
	if (!c->name || !c->name[0]) {
		if (gethostname(node, sizeof node) < 0)
			return fw_fail_sys(err, -errno, "this machine's node name");
		node[sizeof node - 1] = 0;
		c->name = fw_arena_strdup(&c->arena, node);
	}
	if (strlen(c->name) > 255)
		return fw_fail(err, -EINVAL, "'name' must have at most 255 bytes");
	c->choices.device = c->class == CLASS_LAPTOP;
	if (!c->sources)
		c->sources = fw_arena_alloc(&c->arena, source_count() * sizeof *c->sources);
	return 0;
}

int config_load(struct config *config, const char *path, struct fw_err *err)
{
	*config = (struct config){0};
	int rc = fw_conf_load(path, config_table, config, &config->arena, err);
	if (rc >= 0) {
		rc = config_finish(config, err);
		if (rc < 0)
			rc = fw_fail_in(err, rc, "config '%s'", path);
	}
	if (rc < 0)
		config_done(config);
	return rc;
}

int config_parse(struct config *config, const char *name, const char *text, size_t length,
	struct fw_err *err)
{
	*config = (struct config){0};
	int rc = fw_conf_parse(name, text, length, config_table, config, &config->arena, err);
	if (rc >= 0) {
		rc = config_finish(config, err);
		if (rc < 0)
			rc = fw_fail_in(err, rc, "config '%s'", name);
	}
	if (rc < 0)
		config_done(config);
	return rc;
}

void config_done(struct config *config)
{
	fw_arena_done(&config->arena);
	*config = (struct config){0};
}
