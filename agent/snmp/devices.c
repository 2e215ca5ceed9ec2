/* SPDX-License-Identifier: Apache-2.0 */
#include "devices.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <fenwatch/conn.h>
#include <fenwatch/items.h>

#include "addresses.h"
#include "probe.h"

#define PORT 161

struct device_keys {
	const char *name, *address, *credentials;
	int version;
	struct fw_text_list modules;
	int64_t every_ms, inventory_ms, timeout_ms, retries;
};

static const char *const versions[] = {"1", "2c", "3", NULL};

static const struct fw_option device_table[] = {
	{.name = "name",
		.help = "what it is called; the label `instance`",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct device_keys, name),
		.required = true},
	{.name = "address",
		.help = "HOST or HOST:PORT; the port is 161",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct device_keys, address),
		.required = true},
	{.name = "version",
		.help = "of SNMP",
		.type = FW_OPT_CHOICE,
		.offset = offsetof(struct device_keys, version),
		.fallback = "3",
		.choices = versions},
	{.name = "credentials",
		.help = "file with a community, or a user and its passwords",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct device_keys, credentials),
		.required = true},
	{.name = "modules",
		.help = "what is read",
		.type = FW_OPT_LIST,
		.offset = offsetof(struct device_keys, modules),
		.fallback = "[system, interfaces, identity]"},
	{.name = "every",
		.help = "time between two reads",
		.type = FW_OPT_DURATION,
		.offset = offsetof(struct device_keys, every_ms),
		.fallback = "60s",
		.min = 1000,
		.max = 86400000},
	{.name = "inventory",
		.help = "time between two reads of what modules give as tables",
		.type = FW_OPT_DURATION,
		.offset = offsetof(struct device_keys, inventory_ms),
		.fallback = "10m",
		.min = 1000,
		.max = 86400000},
	{.name = "timeout",
		.help = "of one packet",
		.type = FW_OPT_DURATION,
		.offset = offsetof(struct device_keys, timeout_ms),
		.fallback = "2s",
		.min = 50,
		.max = 60000},
	{.name = "retries",
		.help = "of one packet",
		.type = FW_OPT_INT,
		.offset = offsetof(struct device_keys, retries),
		.fallback = "2",
		.min = 0,
		.max = 10},
	{0},
};

static int keep_list(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	(void)arena;
	if (fw_yaml_kind(node) != FW_YAML_SEQUENCE)
		return fw_yaml_fail(
			node, err, "'devices' must be a list, [{name: ..., address: ...}, ...]");
	if (fw_yaml_count(node) > DEVICES_DEVICES)
		return fw_yaml_fail(node, err, "more than %d devices", DEVICES_DEVICES);
	*(const struct fw_yaml **)field = node;
	return 0;
}

const struct fw_option devices_table[] = {
	{
		.name = "socket",
		.help = "of the agent that takes what is read; `probe` in its configuration",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct devices, socket),
		.fallback = PROBE_SOCKET,
	},
	{
		.name = "modules",
		.help = "folders of modules, files NAME.yml; of two with one name the later counts",
		.type = FW_OPT_LIST,
		.offset = offsetof(struct devices, folders),
		.fallback = "[/usr/share/fenwatch/snmp-modules, /etc/fenwatch/snmp-modules]",
	},
	{
		.name = "addresses",
		.help = "the file that tells the receiver of traps which device has which address",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct devices, addresses),
		.fallback = ADDRESSES_PATH,
	},
	{
		.name = "counters",
		.help = "the file in which it keeps how often counters of 32 bits have wrapped",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct devices, counters),
		.fallback = COUNTERS_PATH,
	},
	{
		.name = "devices",
		.help = "name, address, version (1, 2c, 3), credentials (a file), modules, every, "
			"inventory, timeout and retries of each",
		.type = FW_OPT_CUSTOM,
		.offset = offsetof(struct devices, list),
		.parse = keep_list,
	},
	{0},
};

/* ---- modules ---- */

static char *find_file(struct devices *s, const char *name)
{
	char *found = NULL;
	for (size_t i = 0; i < s->folders.count && !strchr(name, '/'); i++) {
		char *path = fw_arena_format(&s->arena, "%s/%s.yml", s->folders.items[i], name);
		if (access(path, R_OK) == 0)
			found = path;
	}
	return found;
}

static const struct mib_module *find_module(
	struct devices *s, const struct fw_yaml *node, const char *name, struct fw_err *err)
{
	for (size_t i = 0; i < s->n_modules; i++)
		if (strcmp(s->modules[i]->name, name) == 0)
			return s->modules[i];
	const char *path = find_file(s, name);
	if (!path) {
		fw_yaml_fail(node, err, "there is no module '%.60s'", name);
		return NULL;
	}
	struct mib_module *module = fw_arena_alloc(&s->arena, sizeof *module);
	if (module_load(path, &s->arena, module, err) < 0)
		return NULL;
	if (strcmp(module->name, name) != 0) {
		fw_fail(err, -EINVAL, "module '%s': its name is '%s'", path, module->name);
		return NULL;
	}
	s->modules = fw_realloc(s->modules, (s->n_modules + 1) * sizeof(struct mib_module *));
	return s->modules[s->n_modules++] = module;
}

static const char *metric_of(const struct mib_module *module, unsigned i)
{
	return module->columns[i].lookup ? NULL : module->columns[i].metric.name;
}

/* One series cannot come from two places: the name of a metric that both give, or NULL. */
static const char *shared_metric(const struct mib_module *a, const struct mib_module *b)
{
	for (unsigned i = 0; i < a->n_columns; i++)
		for (unsigned k = a == b ? i + 1 : 0; k < b->n_columns; k++)
			if (metric_of(a, i) && metric_of(b, k) &&
				strcmp(metric_of(a, i), metric_of(b, k)) == 0)
				return metric_of(a, i);
	return NULL;
}

static int take_module(const struct fw_yaml *node, const struct mib_module *module,
	struct device_settings *d, struct fw_err *err)
{
	if (d->n_modules == DEVICES_MODULES)
		return fw_yaml_fail(node, err, "a device has at most %d modules", DEVICES_MODULES);
	d->modules[d->n_modules++] = module;
	for (unsigned k = 0; k < d->n_modules; k++) {
		const char *both = d->modules[k] == module && k + 1 < d->n_modules
			? "all"
			: shared_metric(d->modules[k], module);
		if (both)
			return fw_yaml_fail(node, err, "modules '%s' and '%s' both give %s",
				d->modules[k]->name, module->name, both);
	}
	return 0;
}

/* How many kinds of documents its modules give, each counted once. */
static size_t count_kinds(const struct device_settings *d)
{
	const char *kinds[DEVICES_MODULES * MODULE_DOCUMENTS];
	size_t n = 0;
	for (unsigned i = 0; i < d->n_modules; i++)
		for (unsigned k = 0; k < d->modules[i]->n_documents; k++) {
			size_t at = 0;
			while (at < n && strcmp(kinds[at], d->modules[i]->documents[k].kind) != 0)
				at++;
			if (at == n)
				kinds[n++] = d->modules[i]->documents[k].kind;
		}
	return n;
}

static bool has_metrics(const struct device_settings *d)
{
	for (unsigned i = 0; i < d->n_modules; i++)
		if (d->modules[i]->n_documents == 0)
			return true;
	return false;
}

static int take_modules(struct devices *s, const struct fw_yaml *node,
	const struct fw_text_list *names, struct device_settings *d, struct fw_err *err)
{
	for (size_t i = 0; i < names->count; i++) {
		const struct mib_module *module = find_module(s, node, names->items[i], err);
		if (!module)
			return -EINVAL;
		int rc = take_module(node, module, d, err);
		if (rc < 0)
			return rc;
	}
	if (count_kinds(d) > FW_DOCUMENTS_LIMIT)
		return fw_yaml_fail(
			node, err, "more than %d kinds of tables of a device", FW_DOCUMENTS_LIMIT);
	return has_metrics(d) ? 0 : fw_yaml_fail(node, err, "a device without a module of metrics");
}

/* ---- devices ---- */

static int take_address(struct devices *s, const struct fw_yaml *node, const char *address,
	struct device_settings *d, struct fw_err *err)
{
	char host[256];
	d->port = PORT;
	d->host = address;
	if (!strchr(address, ':') && address[0] && strlen(address) < sizeof host)
		return 0;
	if (fw_split_host_port(address, host, sizeof host, &d->port) < 0 || d->port == 0)
		return fw_yaml_fail(node, err,
			"'address' must be HOST, HOST:PORT or [IPV6]:PORT, not '%.60s'", address);
	d->host = fw_arena_strdup(&s->arena, host);
	return 0;
}

static int take_device(struct devices *s, const struct fw_yaml *node, struct fw_err *err)
{
	struct device_keys keys = {0};
	int rc = fw_conf_bind(node, device_table, &keys, &s->arena, err);
	if (rc < 0)
		return rc;
	if (!keys.name[0] || strlen(keys.name) > 255)
		return fw_yaml_fail(node, err, "'name' must have 1 to 255 bytes");
	if (devices_find(s, keys.name))
		return fw_yaml_fail(node, err, "there are two devices '%s'", keys.name);
	struct device_settings *d = &s->devices[s->n_devices];
	*d = (struct device_settings){.name = keys.name,
		.credentials = keys.credentials,
		.version = (enum snmp_version)keys.version,
		.every_ms = keys.every_ms,
		.inventory_ms = keys.inventory_ms,
		.timeout_ms = keys.timeout_ms,
		.retries = keys.retries};
	rc = take_address(s, node, keys.address, d, err);
	if (rc >= 0)
		rc = take_modules(s, node, &keys.modules, d, err);
	if (rc >= 0)
		s->n_devices++;
	return rc;
}

const struct device_settings *devices_find(const struct devices *s, const char *name)
{
	for (size_t i = 0; i < s->n_devices; i++)
		if (strcmp(s->devices[i].name, name) == 0)
			return &s->devices[i];
	return NULL;
}

static int take_devices(struct devices *s, struct fw_err *err)
{
	size_t n = s->list ? fw_yaml_count(s->list) : 0;
	s->devices = fw_arena_alloc(&s->arena, (n + 1) * sizeof *s->devices);
	for (size_t i = 0; i < n; i++) {
		int rc = take_device(s, fw_yaml_item(s->list, i), err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int devices_read(struct devices *out, const char *path, struct fw_err *err)
{
	*out = (struct devices){0};
	int rc = fw_conf_load(path, devices_table, out, &out->arena, err);
	if (rc >= 0) {
		rc = take_devices(out, err);
		if (rc < 0)
			rc = fw_fail_in(err, rc, "config '%s'", path);
	}
	if (rc < 0)
		devices_done(out);
	return rc;
}

void devices_done(struct devices *s)
{
	fw_free(s->modules);
	fw_arena_done(&s->arena);
	*s = (struct devices){0};
}
