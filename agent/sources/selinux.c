/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <errno.h>
#include <string.h>

enum { ENABLED, CONFIG_MODE, CURRENT_MODE };
enum { DISABLED = -1, PERMISSIVE, ENFORCING };

static const struct metric metrics[] = {
	[ENABLED] = {"node_selinux_enabled", FW_GAUGE, "",
		"SELinux is enabled, 1 is true, 0 is false", 0, 1},
	[CONFIG_MODE] = {"node_selinux_config_mode", FW_GAUGE, "",
		"Configured SELinux enforcement mode", 0, 1},
	[CURRENT_MODE] = {"node_selinux_current_mode", FW_GAUGE, "",
		"Current SELinux enforcement mode", 0, 1},
};

/* "SELINUX=enforcing" */
static int64_t read_config_mode(struct machine *m)
{
	struct fw_cursor c, line;
	int64_t mode = DISABLED;
	int rc = machine_read(m, "etc/selinux/config", &c);
	while (rc == 0 && fw_cut_line(&c, &line)) {
		fw_skip_blanks(&line);
		if (!fw_cut_literal(&line, "SELINUX="))
			continue;
		mode = fw_cut_literal(&line, "enforcing")     ? ENFORCING
			: fw_cut_literal(&line, "permissive") ? PERMISSIVE
							      : DISABLED;
	}
	return mode;
}

/* Before Linux 3.1 it has a place of its own. */
static bool read_enforce(struct machine *m, int64_t *enforces)
{
	return machine_read_i64(m, "sys/fs/selinux/enforce", enforces) == 0 ||
		machine_read_i64(m, "selinux/enforce", enforces) == 0;
}

static int read_selinux(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	int64_t enforces;
	struct machine_file sys;
	if (machine_stat(m, "sys", &sys) < 0)
		return fw_fail(err, -ENODATA, "this machine has no /sys");
	bool enabled = read_enforce(m, &enforces);
	sweep_add_plain(out, &metrics[ENABLED], enabled);
	if (!enabled)
		return 0;
	sweep_add_plain(out, &metrics[CONFIG_MODE], read_config_mode(m));
	sweep_add_plain(out, &metrics[CURRENT_MODE], enforces == 1 ? ENFORCING : PERMISSIVE);
	return 0;
}

const struct source source_selinux = {
	.name = "selinux",
	.help = "Whether SELinux is on, and enforces.",
	.purpose = "Whether a protection is in force that should be.",
	.reads = "/etc/selinux/config, /sys/fs/selinux",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_selinux,
};
