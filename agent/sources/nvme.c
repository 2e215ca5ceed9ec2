/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <errno.h>
#include <stdio.h>

static const struct metric metrics[] = {
	{"node_nvme_info", FW_GAUGE, "",
		"What is known of an NVMe controller, and its state; value is always 1.", 0, 1},
};

static void read_of(struct machine *m, const char *device, const char *file, char out[TEXT_BYTES])
{
	char path[NAME_BYTES + 48];
	snprintf(path, sizeof path, "sys/class/nvme/%.*s/%s", NAME_BYTES, device, file);
	read_text(m, path, out, TEXT_BYTES);
}

static int add_controller(struct machine *m, const char *device, void *arg)
{
	char cntlid[TEXT_BYTES], firmware[TEXT_BYTES], model[TEXT_BYTES], serial[TEXT_BYTES],
		state[TEXT_BYTES];
	read_of(m, device, "cntlid", cntlid);
	read_of(m, device, "firmware_rev", firmware);
	read_of(m, device, "model", model);
	read_of(m, device, "serial", serial);
	read_of(m, device, "state", state);
	sweep_add(arg, &metrics[0], 1,
		SWEEP_LABELS("cntlid", cntlid, "device", device, "firmware_revision", firmware,
			"model", model, "serial", serial, "state", state));
	return 0;
}

static int read_nvme(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	int rc = machine_list(m, "sys/class/nvme", add_controller, out);
	return rc == 0 ? 0 : fw_fail(err, -ENODATA, "this machine has no NVMe controllers");
}

const struct source source_nvme = {
	.name = "nvme",
	.help = "NVMe controllers: what they are, and their state.",
	.purpose = "Which controllers there are, with which firmware, and whether they are alive.",
	.reads = "/sys/class/nvme",
	.slow = true,
	.only_with = "sys/class/nvme",
	.every_s = 60,
	.timeout_s = 20,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_nvme,
};
