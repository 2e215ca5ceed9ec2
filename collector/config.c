/* SPDX-License-Identifier: Apache-2.0 */
/* collector.yml is read by its table; then what no row can know alone is checked, and the
 * register and the rule files that it names are loaded. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <fenwatch/conn.h>

#include "shim.h"

static bool is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]:", 6) == 0 ||
		strncmp(address, "localhost:", 10) == 0;
}

static int check_cors(const struct config *config, struct fw_err *err)
{
	char why[200];
	if (!config->api.cors)
		return 0;
	struct shim_regex *regex = shim_regex_new(config->api.cors, why, sizeof why);
	if (!regex)
		return fw_fail(err, -EINVAL, "'cors' is no regular expression: %s", why);
	shim_regex_free(regex);
	return 0;
}

static int check(const struct config *config, struct fw_err *err)
{
	const struct config_address *listen = &config->api.listen;
	int rc = check_cors(config, err);
	if (rc < 0)
		return rc;
	if (!config->api.tls.cert != !config->api.tls.key)
		return fw_fail(err, -EINVAL, "'tls' needs both 'cert' and 'key'");
	if (is_loopback(listen->text))
		return 0;
	if (config->api.auth == 0)
		return fw_fail(err, -EINVAL,
			"line %u: without 'auth: tokens' the API may listen on a loopback address only, "
			"not on '%s'",
			listen->line, listen->text);
	if (!config->api.tls.cert)
		return fw_fail(err, -EINVAL,
			"line %u: the API may listen on '%s' only with 'tls: {cert: FILE, key: FILE}'",
			listen->line, listen->text);
	return 0;
}

/* How people reach the API unless they say: by its address, or by the machine's name where
 * that is every address, which is none to go to. */
static const char *url_of(struct config *config)
{
	const char *listen = config->api.listen.text, *s = config->api.tls.cert ? "s" : "";
	char host[254], name[256] = "";
	unsigned port;
	bool all = fw_split_host_port(listen, host, sizeof host, &port) == 0 &&
		(strcmp(host, "::") == 0 || strcmp(host, "0.0.0.0") == 0);
	if (all && gethostname(name, sizeof name - 1) == 0)
		return fw_arena_format(&config->arena, "http%s://%s:%u", s, name, port);
	return fw_arena_format(&config->arena, "http%s://%s", s, listen);
}

/* Beside the file at `path`, where it does not begin at the root. */
static const char *beside(struct fw_arena *arena, const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');
	if (*name == '/' || !slash)
		return name;
	return fw_arena_format(arena, "%.*s/%s", (int)(slash - path), path, name);
}

static int load_register(struct config *config, const char *path, struct fw_err *err)
{
	const char *folder = config->register_folder;
	if (folder && !*folder)
		return fw_fail(err, -EINVAL, "config '%s': 'register' must name a folder", path);
	if (folder)
		folder = beside(&config->arena, path, folder);
	int rc = register_load(&config->registry, folder, err);
	if (rc == 0)
		config->alerts.registry = config->registry;
	return rc;
}

static int load_rules(struct config *config, const char *path, struct fw_err *err)
{
	const char *slash = strrchr(path, '/');
	const char *folder =
		slash ? fw_arena_strndup(&config->arena, path, (size_t)(slash - path)) : "";
	config->rules = fw_alloc(sizeof *config->rules);
	return rule_set_load(
		config->rules, config->rule_files.items, config->rule_files.count, folder, err);
}

struct rule_set *config_take_rules(struct config *config)
{
	struct rule_set *rules = config->rules;
	config->rules = NULL;
	return rules;
}

int config_load(struct config *config, const char *path, struct fw_err *err)
{
	*config = (struct config){0};
	int rc = fw_conf_load(path, config_table, config, &config->arena, err);
	config->remote_write.external = config->external_labels.items;
	config->remote_write.n_external = config->external_labels.n;
	if (!config->event_rules.items)
		config->event_rules = events_builtin();
	if (rc == 0) {
		rc = check(config, err);
		if (rc < 0)
			fw_fail_in(err, rc, "config '%s'", path);
	}
	if (rc == 0 && !config->api.external_url)
		config->api.external_url = url_of(config);
	if (rc == 0)
		rc = load_register(config, path, err);
	if (rc == 0)
		rc = load_rules(config, path, err);
	if (rc < 0)
		config_done(config);
	return rc;
}

void config_done(struct config *config)
{
	register_drop(config->registry);
	if (config->rules)
		rule_set_done(config->rules);
	fw_free(config->rules);
	fw_arena_done(&config->arena);
	*config = (struct config){0};
}
