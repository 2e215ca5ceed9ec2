/* The configuration: what is checked, and by which kind with which options. */
#pragma once

#include <stddef.h>

#include <fenwatch/conf.h>
#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#include "check.h"

#define CHECK_CONFIG "/etc/fenwatch/check.yml"
#define CHECK_PLUGINS_SOCKET "/run/fenwatch/plugins.sock"
#define CHECK_PLUGINS_USER "fenwatch-plugins"
#define CHECKS_LIMIT 4096

struct check_config {
	struct fw_arena arena;
	const char *socket; /* of the agent */
	struct check_spec *specs;
	size_t n_specs;
	int64_t most_plugins;       /* that run at once */
	const char *plugins_socket; /* of who runs them */
	const char *plugins_user;   /* whom they run as, where root starts this */
};

/* The file names programs to run. So it is refused where others than root can write it, or own
 * it: who can take over this program must not gain more by its file. `own`: who runs this
 * is a person, whose own file is as good. */
int check_config_load(struct check_config *config, const char *path, bool own, struct fw_err *err);
/* Whether the files that its checks need are there, and can be read by who runs this. */
int check_config_files(const struct check_config *config, const char *path, struct fw_err *err);
void check_config_done(struct check_config *config);
const struct check_spec *check_config_find(
	const struct check_config *config, const char *name, struct fw_err *err);

/* For CUSTOM options that are a regular expression: a struct shim_regex *. */
int check_parse_regex(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err);

extern const struct fw_option check_config_table[];
extern const struct fw_option check_options_icmp[], check_options_tcp[], check_options_tls[],
	check_options_http[], check_options_dns[], check_options_plugin[];
extern const char *const check_records[]; /* of DNS, NULL-ended */
extern const int check_record_codes[];
