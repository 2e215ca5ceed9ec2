/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

static const struct metric metrics[] = {
	{"node_time_seconds", FW_GAUGE, "seconds", "System time in seconds since epoch (1970).", 3,
		1},
};

static int read_time(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	(void)err;
	sweep_add_plain(out, &metrics[0], m->now_ms);
	return 0;
}

const struct source source_time = {
	.name = "time",
	.help = "This machine's clock.",
	.purpose = "Certificates, logs and logins go wrong with a wrong clock.",
	.reads = "the clock",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_time,
};
