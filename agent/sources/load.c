/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <errno.h>

static const struct metric metrics[] = {
	{"node_load1", FW_GAUGE, "", "1m load average.", 2, 1},
	{"node_load5", FW_GAUGE, "", "5m load average.", 2, 1},
	{"node_load15", FW_GAUGE, "", "15m load average.", 2, 1},
};

static int read_load(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	struct fw_cursor c;
	int rc = read_facts(m, "proc/loadavg", &c, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < 3; i++) {
		int64_t value;
		if (!fw_cut_decimal(&c, 2, &value))
			return fw_fail(err, -EBADMSG, "/proc/loadavg: three numbers expected");
		sweep_add_plain(out, &metrics[i], value);
	}
	return 0;
}

const struct source source_load = {
	.name = "load",
	.help = "Processes running or waiting, averaged over 1, 5 and 15 minutes.",
	.purpose = "Whether more wants to run than can.",
	.reads = "/proc/loadavg",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_load,
};
