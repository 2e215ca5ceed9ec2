/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fenwatch/text.h>

#include "probe.h"
#include "shim.h"

#define AT(member) offsetof(struct check_spec, member)

const char *const check_records[] = {
	"A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT", "CAA", NULL};
const int check_record_codes[] = {1, 28, 5, 15, 2, 12, 6, 33, 16, 257};

static const char *const check_protocols[] = {"any", "ip4", "ip6", NULL};
static const char *const transports[] = {"udp", "tcp", NULL};
static const char *const rcodes[] = {
	"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", NULL};

int check_parse_regex(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	char why[200];
	const char *text = fw_yaml_text(node);
	(void)arena;
	if (!text)
		return fw_yaml_fail(node, err, "a regular expression is one text");
	struct shim_regex *regex = shim_regex_search_new(text, why, sizeof why);
	if (!regex)
		return fw_yaml_fail(node, err, "'%.100s': %s", text, why);
	*(struct shim_regex **)field = regex;
	return 0;
}

static int parse_statuses(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	uint64_t *bits = field, status;
	(void)arena;
	if (fw_yaml_kind(node) != FW_YAML_SEQUENCE || fw_yaml_count(node) == 0)
		return fw_yaml_fail(node, err, "'status' must be a list, [200, 401]");
	for (size_t i = 0; i < fw_yaml_count(node); i++) {
		const char *text = fw_yaml_text(fw_yaml_item(node, i));
		if (!text || fw_parse_u64(text, &status) < 0 || status < 100 || status > 599)
			return fw_yaml_fail(node, err, "a status is a number from 100 to 599");
		bits[status / 64] |= UINT64_C(1) << status % 64;
	}
	return 0;
}

/* ---- the keys of a check, by its kind ---- */

/* clang-format off */
#define COMMON                                                                                  \
	{.name = "name", .help = "what the check is called; the label `check`",                 \
		.type = FW_OPT_TEXT, .offset = AT(name), .required = true},                     \
	{.name = "type", .help = "icmp, tcp, tls, http, dns or plugin",                         \
		.type = FW_OPT_TEXT, .offset = AT(kind_name), .required = true},                \
	{.name = "every", .help = "time between two readings", .type = FW_OPT_DURATION,         \
		.offset = AT(every_ms), .fallback = "60s", .min = 1000, .max = 86400000},       \
	{.name = "timeout", .help = "how long one may take. Default: 10s, at most 'every'",     \
		.type = FW_OPT_DURATION, .offset = AT(timeout_ms), .min = 100, .max = 300000}

#define TARGET(text)                                                                            \
	{.name = "target", .help = (text), .type = FW_OPT_TEXT, .offset = AT(target),           \
		.required = true}

/* Of what is reached by a socket: which of its addresses. */
#define REACH                                                                                   \
	{.name = "preferred_ip_protocol", .help = "ip4 or ip6: which is tried where a name "    \
		"has both. Default: any, as the system ranks them", .type = FW_OPT_CHOICE,      \
		.offset = AT(prefer), .fallback = "any", .choices = check_protocols},           \
	{.name = "ip_protocol_fallback", .help = "off: a name without it is a failure",         \
		.type = FW_OPT_BOOL, .offset = AT(fallback), .fallback = "on"}

#define SCRIPT                                                                                  \
	{.name = "query_response", .help = "what is said then, [{expect: '^220 '}, {send: "     \
		"QUIT}]", .type = FW_OPT_CUSTOM, .offset = AT(script), .parse = dialog_parse}

#define WHOSE                                                                                   \
	{.name = "server_name", .help = "whom the certificate must name. Default: the target",  \
		.type = FW_OPT_TEXT, .offset = AT(server_name)}

#define TRUST                                                                                   \
	{.name = "ca", .help = "file of authorities that are believed. Default: the system's",  \
		.type = FW_OPT_TEXT, .offset = AT(ca)},                                         \
	{.name = "verify", .help = "off: a server is well whatever certificate it has",         \
		.type = FW_OPT_BOOL, .offset = AT(verify), .fallback = "on"}

const struct fw_option check_options_icmp[] = {
	COMMON,
	TARGET("name or address"),
	REACH,
	{0},
};

const struct fw_option check_options_tcp[] = {
	COMMON,
	TARGET("HOST:PORT"),
	REACH,
	SCRIPT,
	TRUST,
	WHOSE,
	{0},
};

const struct fw_option check_options_tls[] = {
	COMMON,
	TARGET("HOST:PORT; without a port 443"),
	REACH,
	SCRIPT,
	TRUST,
	WHOSE,
	{0},
};

const struct fw_option check_options_http[] = {
	COMMON,
	TARGET("URL, http:// or https://"),
	REACH,
	TRUST,
	{.name = "method", .help = "GET or HEAD, say", .type = FW_OPT_TEXT,
		.offset = AT(method), .fallback = "GET"},
	{.name = "status", .help = "which are well, [200, 401]. Default: 200 to 299",
		.type = FW_OPT_CUSTOM, .offset = AT(statuses), .parse = parse_statuses},
	{.name = "redirects", .help = "how many are followed", .type = FW_OPT_INT,
		.offset = AT(redirects), .fallback = "10", .min = 0, .max = 20},
	{.name = "headers", .help = "sent with the request, ['Accept: text/html']; no secrets",
		.type = FW_OPT_LIST, .offset = AT(headers)},
	{.name = "user_file", .help = "file of USER:PASSWORD, for basic authentication",
		.type = FW_OPT_TEXT, .offset = AT(user_file)},
	{.name = "token_file", .help = "file of a bearer token", .type = FW_OPT_TEXT,
		.offset = AT(token_file)},
	{.name = "matches", .help = "regular expression (RE2) that the body must match",
		.type = FW_OPT_CUSTOM, .offset = AT(matches), .parse = check_parse_regex},
	{.name = "lacks", .help = "regular expression that the body must not match",
		.type = FW_OPT_CUSTOM, .offset = AT(lacks), .parse = check_parse_regex},
	{0},
};

const struct fw_option check_options_dns[] = {
	COMMON,
	TARGET("name server, HOST or HOST:PORT"),
	REACH,
	{.name = "transport_protocol", .help = "udp or tcp", .type = FW_OPT_CHOICE,
		.offset = AT(transport), .fallback = "udp", .choices = transports},
	{.name = "query", .help = "the name that is asked for", .type = FW_OPT_TEXT,
		.offset = AT(query), .required = true},
	{.name = "record", .help = "its type", .type = FW_OPT_CHOICE, .offset = AT(record),
		.fallback = "A", .choices = check_records},
	{.name = "rcode", .help = "the code that is well", .type = FW_OPT_CHOICE,
		.offset = AT(rcode), .fallback = "NOERROR", .choices = rcodes},
	{.name = "matches", .help = "regular expression that a record of the answer must match, "
		"as in \"10 mail.example.gov.uk\"", .type = FW_OPT_CUSTOM, .offset = AT(matches),
		.parse = check_parse_regex},
	{.name = "lacks", .help = "regular expression that no record may match",
		.type = FW_OPT_CUSTOM, .offset = AT(lacks), .parse = check_parse_regex},
	{0},
};

const struct fw_option check_options_plugin[] = {
	COMMON,
	{.name = "target", .help = "the host that it is about. Default: the check's name",
		.type = FW_OPT_TEXT, .offset = AT(target)},
	{.name = "command", .help = "path and arguments, [/usr/lib/nagios/plugins/check_ntp_time, "
		"-H, ntp.example.gov.uk]; no shell", .type = FW_OPT_LIST, .offset = AT(command),
		.required = true},
	{0},
};
/* clang-format on */

/* ---- a list of checks ---- */

static const struct check_kind *find_kind(const struct fw_yaml *node)
{
	const struct fw_yaml *type = fw_yaml_get(node, "type");
	const char *text = type ? fw_yaml_text(type) : NULL;
	for (size_t i = 0; text && check_kinds[i]; i++)
		if (strcmp(check_kinds[i]->name, text) == 0)
			return check_kinds[i];
	return NULL;
}

static int finish_spec(struct check_spec *spec, struct fw_err *err)
{
	if (!fw_is_line(spec->name, 128) || !spec->name[0])
		return fw_fail(err, -EINVAL, "'name' must be one line of at most 128 bytes");
	if (!spec->target)
		spec->target = spec->name;
	if (!fw_is_line(spec->target, 512) || !spec->target[0])
		return fw_fail(err, -EINVAL, "'target' must be one line of at most 512 bytes");
	if (spec->timeout_ms == 0)
		spec->timeout_ms = spec->every_ms < 10000 ? spec->every_ms : 10000;
	if (spec->timeout_ms > spec->every_ms)
		return fw_fail(err, -EINVAL, "'timeout' must not be longer than 'every'");
	return spec->kind->prepare ? spec->kind->prepare(spec, err) : 0;
}

static int parse_check(const struct fw_yaml *node, struct check_spec *spec, struct fw_arena *arena,
	struct fw_err *err)
{
	if (fw_yaml_kind(node) != FW_YAML_MAPPING)
		return fw_yaml_fail(node, err, "a check is {name: ..., type: ..., target: ...}");
	spec->kind = find_kind(node);
	if (!spec->kind)
		return fw_yaml_fail(
			node, err, "a check needs a type: icmp, tcp, tls, http, dns or plugin");
	int rc = fw_conf_bind(node, spec->kind->options, spec, arena, err);
	if (rc < 0)
		return rc;
	rc = finish_spec(spec, err);
	return rc < 0
		? fw_fail_in(err, rc, "line %u: check '%.100s'", fw_yaml_line(node), spec->name)
		: 0;
}

static int parse_checks(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct check_config *config = (struct check_config *)(void *)((char *)field -
		offsetof(struct check_config, specs));
	if (fw_yaml_kind(node) != FW_YAML_SEQUENCE)
		return fw_yaml_fail(node, err, "'checks' must be a list");
	size_t n = fw_yaml_count(node);
	if (n > CHECKS_LIMIT)
		return fw_yaml_fail(node, err, "there are more than %d checks", CHECKS_LIMIT);
	config->specs = fw_arena_alloc(arena, (n + 1) * sizeof *config->specs);
	for (size_t i = 0; i < n; i++) {
		struct check_spec *spec = &config->specs[config->n_specs++];
		int rc = parse_check(fw_yaml_item(node, i), spec, arena, err);
		if (rc < 0)
			return rc;
		for (size_t j = 0; j < i; j++)
			if (strcmp(config->specs[j].name, spec->name) == 0)
				return fw_yaml_fail(fw_yaml_item(node, i), err,
					"a second check '%.100s'", spec->name);
	}
	return 0;
}

const struct fw_option check_config_table[] = {
	{
		.name = "socket",
		.help = "socket of the agent, which takes what is found",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct check_config, socket),
		.fallback = PROBE_SOCKET,
	},
	{
		.name = "plugins_at_once",
		.help = "how many plugins run beside each other; others wait until one ends",
		.type = FW_OPT_INT,
		.offset = offsetof(struct check_config, most_plugins),
		.fallback = "32",
		.min = 1,
		.max = 256,
	},
	{
		.name = "plugins_socket",
		.help = "of who runs plugins as a user of their own, fenwatch-check-plugins",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct check_config, plugins_socket),
		.fallback = CHECK_PLUGINS_SOCKET,
	},
	{
		.name = "plugins_user",
		.help = "whom plugins run as where nobody listens there, and root starts this",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct check_config, plugins_user),
		.fallback = CHECK_PLUGINS_USER,
	},
	{
		.name = "checks",
		.help = "what is checked, a list of {name: ..., type: ..., target: ...}; "
			"fenwatch-check.yml(5) tells the keys of each type",
		.type = FW_OPT_CUSTOM,
		.offset = offsetof(struct check_config, specs),
		.parse = parse_checks,
	},
	{0},
};

/* ---- the file ---- */

/* `how` is what access() is asked. */
static int look_at_file(const struct check_spec *spec, const char *key, const char *path, int how,
	struct fw_err *err)
{
	if (!path || access(path, how) == 0)
		return 0;
	return fw_fail_sys(err, -errno, "check '%.100s': %s, '%s'", spec->name, key, path);
}

static int look_at_files(const struct check_spec *spec, struct fw_err *err)
{
	const char *program = spec->command.count > 0 ? spec->command.items[0] : NULL;
	int rc = look_at_file(spec, "ca", spec->ca, R_OK, err);
	if (rc == 0)
		rc = look_at_file(spec, "user_file", spec->user_file, R_OK, err);
	if (rc == 0)
		rc = look_at_file(spec, "token_file", spec->token_file, R_OK, err);
	return rc == 0 ? look_at_file(spec, "command", program, X_OK, err) : rc;
}

int check_config_files(const struct check_config *config, const char *path, struct fw_err *err)
{
	int rc = 0;
	for (size_t i = 0; i < config->n_specs && rc == 0; i++)
		rc = look_at_files(&config->specs[i], err);
	return rc < 0 ? fw_fail_in(err, rc, "config '%s'", path) : 0;
}

static int look_at_owner(const char *path, bool own, struct fw_err *err)
{
	struct stat is;
	if (stat(path, &is) < 0)
		return fw_fail_sys(err, -errno, "config '%s'", path);
	if (!probe_file_is_roots(&is, S_IWGRP | S_IWOTH, own))
		return fw_fail(err, -EPERM,
			"config '%s': it names programs to run, so it must be root's, and no other "
			"able to write it",
			path);
	return 0;
}

int check_config_load(struct check_config *config, const char *path, bool own, struct fw_err *err)
{
	*config = (struct check_config){0};
	int rc = look_at_owner(path, own, err);
	if (rc == 0)
		rc = fw_conf_load(path, check_config_table, config, &config->arena, err);
	if (rc < 0)
		check_config_done(config);
	return rc < 0 ? rc : 0;
}

void check_config_done(struct check_config *config)
{
	for (size_t i = 0; i < config->n_specs; i++) {
		shim_regex_free(config->specs[i].matches);
		shim_regex_free(config->specs[i].lacks);
		dialog_free(&config->specs[i].script);
	}
	fw_arena_done(&config->arena);
	*config = (struct check_config){0};
}

const struct check_spec *check_config_find(
	const struct check_config *config, const char *name, struct fw_err *err)
{
	for (size_t i = 0; i < config->n_specs; i++)
		if (strcmp(config->specs[i].name, name) == 0)
			return &config->specs[i];
	fw_fail(err, -ENOENT, "there is no check '%.100s'", name);
	return NULL;
}
