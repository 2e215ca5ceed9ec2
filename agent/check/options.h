/* The configuration: what is checked, and by which kind with which options. */
#pragma once

#include <stddef.h>

#include <fenwatch/conf.h>
#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#include "check.h"

#define CHECK_CONFIG "/etc/fenwatch/check.yml"
#define CHECKS_LIMIT 4096

struct check_config {
	struct fw_arena arena;
	const char *socket; /* of the agent */
	struct check_spec *specs;
	size_t n_specs;
};

/* The file is refused where others than root or who runs this may write it, since it
 * names programs to run. */
int check_config_load(struct check_config *config, const char *path, struct fw_err *err);
void check_config_done(struct check_config *config);
const struct check_spec *check_config_find(
	const struct check_config *config, const char *name, struct fw_err *err);

extern const struct fw_option check_config_table[];
extern const struct fw_option check_options_icmp[], check_options_tcp[], check_options_tls[],
	check_options_http[], check_options_dns[], check_options_plugin[];
extern const char *const check_records[]; /* of DNS, NULL-ended */
extern const int check_record_codes[];
