/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SLAVES, ACTIVE };

static const struct metric metrics[] = {
	[SLAVES] = {"node_bonding_slaves", FW_GAUGE, "",
		"Number of configured slaves per bonding interface.", 0, 1},
	[ACTIVE] = {"node_bonding_active", FW_GAUGE, "",
		"Number of active slaves per bonding interface.", 0, 1},
};

#define NET "sys/class/net"

/* Kernels before 3.9 call the link slave_NAME. */
static bool is_up(struct machine *m, const char *master, const char *slave)
{
	static const char *const prefixes[] = {"lower", "slave"};
	char path[256], status[NAME_BYTES];
	for (size_t i = 0; i < COUNT(prefixes); i++) {
		snprintf(path, sizeof path, NET "/%s/%s_%s/bonding_slave/mii_status", master,
			prefixes[i], slave);
		if (read_text(m, path, status, sizeof status))
			return strcmp(status, "up") == 0;
	}
	return false;
}

static void add_master(struct machine *m, struct sweep *out, const char *master)
{
	char path[256], names[4096], slave[NAME_BYTES];
	snprintf(path, sizeof path, NET "/%s/bonding/slaves", master);
	read_text(m, path, names, sizeof names);
	struct fw_cursor c = {names, names + strlen(names)};
	int64_t slaves = 0, active = 0;
	while (cut_name(&c, ' ', slave, sizeof slave)) {
		slaves++;
		active += is_up(m, master, slave);
	}
	sweep_add(out, &metrics[SLAVES], slaves, SWEEP_LABELS("master", master));
	sweep_add(out, &metrics[ACTIVE], active, SWEEP_LABELS("master", master));
}

static int read_bonding(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	char masters[4096], master[NAME_BYTES];
	if (!read_text(m, NET "/bonding_masters", masters, sizeof masters))
		return fw_fail(err, -ENODATA, "this machine bonds no network devices");
	struct fw_cursor c = {masters, masters + strlen(masters)};
	while (cut_name(&c, ' ', master, sizeof master))
		add_master(m, out, master);
	return 0;
}

const struct source source_bonding = {
	.name = "bonding",
	.help = "Network devices that stand in for one another, and how many of them work.",
	.purpose = "Whether the spare link works before it is needed.",
	.reads = "/sys/class/net",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_bonding,
};
