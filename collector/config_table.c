/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand in collector.yml: a row for each key, with its help. The sample, the check
 * and the manual are made from the same rows. */
#include "config.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/conn.h>
#include <fenwatch/crc.h>

#define AT(member) offsetof(struct config, member)

static int parse_address(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct config_address *address = field;
	const char *text = fw_yaml_text(node);
	char host[254];
	unsigned port;
	if (!text || fw_split_host_port(text, host, sizeof host, &port) < 0)
		return fw_yaml_fail(node, err,
			"an address is written HOST:PORT, or [::]:PORT for every address of this machine");
	address->text = fw_arena_strdup(arena, text);
	address->line = fw_yaml_line(node);
	return 0;
}

static const char *const auth_names[] = {"none", "tokens", NULL};

#define AGENTS(member) (AT(agents.member) - AT(agents))
static const struct fw_option agents_table[] = {
	{
		.name = "listen",
		.help = "address and port where agents connect",
		.type = FW_OPT_CUSTOM,
		.parse = parse_address,
		.offset = AGENTS(listen),
		.fallback = "'[::]:7443'",
	},
	{
		.name = "workers",
		.help = "threads that take in; 0 means one for each core",
		.type = FW_OPT_INT,
		.offset = AGENTS(workers),
		.fallback = "0",
		.min = 0,
		.max = 64,
	},
	{0},
};

#define TLS(member) (AT(api.tls.member) - AT(api.tls))
static const struct fw_option tls_table[] = {
	{
		.name = "cert",
		.help = "file with the certificate, in PEM, read with SIGHUP too",
		.type = FW_OPT_TEXT,
		.offset = TLS(cert),
	},
	{
		.name = "key",
		.help = "file with its key, in PEM, read with SIGHUP too",
		.type = FW_OPT_TEXT,
		.offset = TLS(key),
	},
	{0},
};

#define API(member) (AT(api.member) - AT(api))
static const struct fw_option api_table[] = {
	{
		.name = "listen",
		.help = "address and port where people and programs ask",
		.type = FW_OPT_CUSTOM,
		.parse = parse_address,
		.offset = API(listen),
		.fallback = "'127.0.0.1:7480'",
	},
	{
		.name = "auth",
		.help = "'none' is allowed on a loopback address only",
		.type = FW_OPT_CHOICE,
		.offset = API(auth),
		.choices = auth_names,
		.fallback = "tokens",
	},
	{
		.name = "external_url",
		.help = "how people reach the API, for links in notices. Default: http:// and its address, or the "
			"machine's name where it listens on all",
		.type = FW_OPT_TEXT,
		.offset = API(external_url),
	},
	{
		.name = "cors",
		.help = "origins whose pages may read answers, as a regular expression such as "
			"'https://grafana\\.example'; unset, none may",
		.type = FW_OPT_TEXT,
		.offset = API(cors),
	},
	{
		.name = "tls",
		.help = "certificate and key; required where 'listen' is not a loopback address",
		.type = FW_OPT_SECTION,
		.offset = API(tls),
		.section = tls_table,
	},
	{0},
};

#define STORE(member) (AT(store.member) - AT(store))
static const struct fw_option store_table[] = {
	{
		.name = "raw",
		.help = "size of the ring of sweeps on disk; allocated at the first start, it never grows",
		.type = FW_OPT_SIZE,
		.offset = STORE(tier_bytes[STORE_RAW]),
		.fallback = "5GiB",
		.min = STORE_TIER_LEAST,
		.max = INT64_C(1) << 50,
	},
	{
		.name = "five_minute",
		.help = "size of the ring of five-minute rows; unset, 8/5 of raw",
		.type = FW_OPT_SIZE,
		.offset = STORE(tier_bytes[STORE_FIVE_MINUTE]),
		.min = STORE_TIER_LEAST,
		.max = INT64_C(1) << 50,
	},
	{
		.name = "hour",
		.help = "size of the ring of hourly rows; unset, 3/5 of raw",
		.type = FW_OPT_SIZE,
		.offset = STORE(tier_bytes[STORE_HOUR]),
		.min = STORE_TIER_LEAST,
		.max = INT64_C(1) << 50,
	},
	{
		.name = "late",
		.help = "samples that arrive older than this are refused and counted",
		.type = FW_OPT_DURATION,
		.offset = STORE(late_ms),
		.fallback = "35d",
		.min = 60000,
		.max = INT64_C(3660) * 86400000,
	},
	{
		.name = "any_age",
		.help = "true accepts samples of every age, to fill in history",
		.type = FW_OPT_BOOL,
		.offset = STORE(any_age),
		.fallback = "false",
	},
	{
		.name = "columns_per_host",
		.help = "series that one host may have",
		.type = FW_OPT_INT,
		.offset = STORE(columns_per_host),
		.fallback = "5000",
		.min = 1,
		.max = 1000000,
	},
	{
		.name = "foreign_series",
		.help = "series from elsewhere that the ring may hold",
		.type = FW_OPT_INT,
		.offset = STORE(foreign_series),
		.fallback = "1000000",
		.min = 1,
		.max = 16000000,
	},
	{
		.name = "foreign_series_per_host",
		.help = "those of one instance and job",
		.type = FW_OPT_INT,
		.offset = STORE(foreign_series_per_host),
		.fallback = "200000",
		.min = 1,
		.max = 16000000,
	},
	{0},
};

#define QUERY(member) offsetof(struct api_query, member)
static const struct fw_option query_table[] = {
	{
		.name = "timeout",
		.help = "a question that takes longer ends with an error",
		.type = FW_OPT_DURATION,
		.offset = QUERY(timeout_ms),
		.fallback = "30s",
		.min = 1000,
		.max = 3600000,
	},
	{
		.name = "max_samples",
		.help = "samples that one question may look at",
		.type = FW_OPT_INT,
		.offset = QUERY(max_samples),
		.fallback = "10000000",
		.min = 1000,
		.max = 1000000000,
	},
	{
		.name = "concurrency",
		.help = "questions that are answered at once; others wait their turn",
		.type = FW_OPT_INT,
		.offset = QUERY(concurrency),
		.fallback = "2",
		.min = 1,
		.max = 64,
	},
	{
		.name = "lookback",
		.help = "how old the newest sample of a series may be to be taken for its value",
		.type = FW_OPT_DURATION,
		.offset = QUERY(lookback_ms),
		.fallback = "5m",
		.min = 1000,
		.max = 86400000,
	},
	{0},
};

/* ---- settings: CLASS: {...} ---- */

struct settings_section {
	int64_t interval_ms;
	uint64_t spool_bytes;
	struct fw_text_list on, off;
};

#define SETTINGS(member) offsetof(struct settings_section, member)
static const struct fw_option settings_table[] = {
	{
		.name = "interval",
		.help = "time between two sweeps",
		.type = FW_OPT_DURATION,
		.offset = SETTINGS(interval_ms),
		.min = 1000,
		.max = 3600000,
	},
	{
		.name = "spool",
		.help = "room on the agent's disk for what it could not send yet",
		.type = FW_OPT_SIZE,
		.offset = SETTINGS(spool_bytes),
		.min = 1 << 20,
		.max = INT64_C(64) << 30,
	},
	{
		.name = "sources_on",
		.help = "sources to read that are off by default",
		.type = FW_OPT_LIST,
		.offset = SETTINGS(on),
	},
	{
		.name = "sources_off",
		.help = "sources not to read",
		.type = FW_OPT_LIST,
		.offset = SETTINGS(off),
	},
	{0},
};

static uint32_t list_crc(uint32_t crc, const struct fw_text_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		crc = fw_crc32c(crc, list->items[i], strlen(list->items[i]) + 1);
	return fw_crc32c(crc, "", 1);
}

/* A number that is another one whenever the content is, and never 0. */
static uint64_t version_of(const struct ingest_settings *s)
{
	uint32_t crc = fw_crc32c(0, &s->interval_ms, sizeof s->interval_ms);
	crc = fw_crc32c(crc, &s->spool_max_bytes, sizeof s->spool_max_bytes);
	crc = list_crc(crc, &s->on);
	crc = list_crc(crc, &s->off);
	return (UINT64_C(1) << 32) | crc;
}

static int parse_settings(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct config_settings *settings = field;
	if (fw_yaml_kind(node) != FW_YAML_MAPPING)
		return fw_yaml_fail(node, err, "'settings' must be CLASS: {interval: ...}");
	settings->count = fw_yaml_count(node);
	settings->items = fw_arena_alloc(arena, settings->count * sizeof *settings->items);
	for (size_t i = 0; i < settings->count; i++) {
		struct settings_section section = {0};
		struct ingest_settings *item = &settings->items[i];
		int rc = fw_conf_bind(fw_yaml_item(node, i), settings_table, &section, arena, err);
		if (rc < 0)
			return rc;
		item->class = fw_arena_strdup(arena, fw_yaml_text(fw_yaml_key(node, i)));
		item->interval_ms = (uint32_t)section.interval_ms;
		item->spool_max_bytes = section.spool_bytes;
		item->on = section.on;
		item->off = section.off;
		item->version = version_of(item);
	}
	return 0;
}

/* ---- external_labels: {NAME: VALUE} ---- */

static bool is_label_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	size_t n = strspn(name, letters);
	return n > 0 && name[n + strspn(name + n, "0123456789")] == '\0';
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct fw_label *)a)->name, ((const struct fw_label *)b)->name);
}

static int parse_external(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct label_set *set = field;
	size_t n = fw_yaml_count(node);
	if (fw_yaml_kind(node) != FW_YAML_MAPPING || n > SEND_EXTERNAL)
		return fw_yaml_fail(
			node, err, "'external_labels' is at most %d of NAME: VALUE", SEND_EXTERNAL);
	struct fw_label *labels = fw_arena_alloc(arena, (n + 1) * sizeof *labels);
	for (size_t i = 0; i < n; i++) {
		const char *name = fw_yaml_text(fw_yaml_key(node, i));
		const char *value = fw_yaml_text(fw_yaml_item(node, i));
		if (!is_label_name(name) || strcmp(name, "__name__") == 0)
			return fw_yaml_fail(fw_yaml_key(node, i), err,
				"'%.100s' is no name of an external label", name);
		if (!value || !*value)
			return fw_yaml_fail(fw_yaml_item(node, i), err,
				"the external label '%.100s' needs a text", name);
		labels[i] = (struct fw_label){
			fw_arena_strdup(arena, name), fw_arena_strdup(arena, value)};
	}
	if (n > 1)
		qsort(labels, n, sizeof *labels, by_name);
	*set = (struct label_set){labels, n};
	return 0;
}

const struct fw_option config_table[] = {
	{
		.name = "data",
		.help = "folder of the ring, the log, alerts, tokens and the certification authority",
		.type = FW_OPT_TEXT,
		.offset = AT(data),
		.fallback = "/var/lib/fenwatch-collector",
	},
	{
		.name = "agents",
		.help = "where agents connect",
		.type = FW_OPT_SECTION,
		.offset = AT(agents),
		.section = agents_table,
	},
	{
		.name = "api",
		.help = "where people and programs ask",
		.type = FW_OPT_SECTION,
		.offset = AT(api),
		.section = api_table,
	},
	{
		.name = "store",
		.help = "how much is kept",
		.type = FW_OPT_SECTION,
		.offset = AT(store),
		.section = store_table,
	},
	{
		.name = "query",
		.help = "what questions may take",
		.type = FW_OPT_SECTION,
		.offset = AT(query),
		.section = query_table,
	},
	{
		.name = "feeds",
		.help = "who is told of alerts: a list of {name, type, live} and what the type asks "
			"for; a feed is in rehearsal until it has live: true",
		.type = FW_OPT_CUSTOM,
		.parse = alert_parse_feeds,
		.offset = AT(alerts),
	},
	{
		.name = "builtin_rules",
		.help = "changes of the built-in rules, NAME: {enabled, threshold, recovery, hold}",
		.type = FW_OPT_CUSTOM,
		.parse = alert_parse_rules,
		.offset = AT(alerts),
	},
	{
		.name = "event_rules",
		.help = "which events raise an alert and which clear it, beside those that are built "
			"in: a list of {name, raise, clear, by, severity, summary, ends}",
		.type = FW_OPT_CUSTOM,
		.parse = events_parse_rules,
		.offset = AT(event_rules),
	},
	{
		.name = "absence",
		.help = "how long a host may not be heard, by its class",
		.type = FW_OPT_SECTION,
		.offset = AT(alerts.absence),
		.section = alert_absence_table,
	},
	{
		.name = "noise",
		.help = "how many alerts of one rule at once, and how many tickets a day, feeds are told",
		.type = FW_OPT_SECTION,
		.offset = AT(alerts.noise),
		.section = alert_noise_table,
	},
	{
		.name = "patches",
		.help = "what the patch clock goes by",
		.type = FW_OPT_SECTION,
		.offset = AT(patches),
		.section = patch_option_table,
	},
	{
		.name = "settings",
		.help = "what agents are told, CLASS: {interval, spool, sources_on, sources_off}; what "
			"stands in an agent's own file wins",
		.type = FW_OPT_CUSTOM,
		.parse = parse_settings,
		.offset = AT(settings),
	},
	{
		.name = "register",
		.help = "folder of the register, read with SIGHUP too; seen from this file's folder",
		.type = FW_OPT_TEXT,
		.offset = AT(register_folder),
	},
	{
		.name = "rules",
		.help = "Prometheus rule files, [rules.d/*.yml], read with SIGHUP too; seen from this "
			"file's folder",
		.type = FW_OPT_LIST,
		.offset = AT(rule_files),
	},
	{
		.name = "evaluation_interval",
		.help = "how often groups of rules are evaluated that do not say it themselves",
		.type = FW_OPT_DURATION,
		.offset = AT(evaluation_ms),
		.fallback = "1m",
		.min = 1000,
		.max = 86400000,
	},
	{
		.name = "external_labels",
		.help = "{NAME: VALUE}, put to what leaves by remote_write and /federate and lacks "
			"them; templates of rules know them",
		.type = FW_OPT_CUSTOM,
		.parse = parse_external,
		.offset = AT(external_labels),
	},
	{
		.name = "remote_write",
		.help = "receivers of all samples: [{url: ..., name: ..., protocol: 1 or 2, "
			"compression: snappy or zstd, token_file: ..., match: [...], tls: {...}}, ...]",
		.type = FW_OPT_CUSTOM,
		.parse = send_parse,
		.offset = AT(remote_write),
	},
	{0},
};
