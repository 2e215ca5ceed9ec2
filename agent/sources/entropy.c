/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

static const struct metric metrics[] = {
	{"node_entropy_available_bits", FW_GAUGE, "", "Bits of available entropy.", 0, 1},
	{"node_entropy_pool_size_bits", FW_GAUGE, "", "Bits of entropy pool.", 0, 1},
};

static int read_entropy(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	int64_t value;
	int rc = read_number(m, "proc/sys/kernel/random/entropy_avail", &value, err);
	if (rc < 0)
		return rc;
	sweep_add_plain(out, &metrics[0], value);
	if (machine_read_i64(m, "proc/sys/kernel/random/poolsize", &value) == 0)
		sweep_add_plain(out, &metrics[1], value);
	return 0;
}

const struct source source_entropy = {
	.name = "entropy",
	.help = "The kernel's pool of random bits.",
	.purpose = "Programs may wait for random bits on old kernels.",
	.reads = "/proc/sys/kernel/random",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_entropy,
};
