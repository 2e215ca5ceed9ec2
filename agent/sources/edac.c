/* SPDX-License-Identifier: Apache-2.0 */
/* Documentation/admin-guide/RAS/main.rst: memory controllers, and in them the rows
 * of chips. What a controller could not place counts as the row "unknown". */
#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { CORRECTABLE, UNCORRECTABLE, ROW_CORRECTABLE, ROW_UNCORRECTABLE };

static const struct metric metrics[] = {
	[CORRECTABLE] = {"node_edac_correctable_errors_total", FW_COUNTER, "",
		"Total correctable memory errors.", 0, 1},
	[UNCORRECTABLE] = {"node_edac_uncorrectable_errors_total", FW_COUNTER, "",
		"Total uncorrectable memory errors.", 0, 1},
	[ROW_CORRECTABLE] = {"node_edac_csrow_correctable_errors_total", FW_COUNTER, "",
		"Total correctable memory errors for this csrow.", 0, 1},
	[ROW_UNCORRECTABLE] = {"node_edac_csrow_uncorrectable_errors_total", FW_COUNTER, "",
		"Total uncorrectable memory errors for this csrow.", 0, 1},
};

#define CONTROLLERS "sys/devices/system/edac/mc"

struct place {
	struct sweep *out;
	const char *controller;
};

static void add(struct machine *m, const struct place *place, size_t metric, const char *row,
	const char *file)
{
	int64_t count;
	if (machine_read_i64(m, file, &count) == 0)
		sweep_add(place->out, &metrics[metric], count,
			SWEEP_LABELS("controller", place->controller, "csrow", row));
}

static int on_row(struct machine *m, const char *name, void *arg)
{
	char path[512];
	if (strncmp(name, "csrow", 5) != 0)
		return 0;
	snprintf(path, sizeof path, "%s/ce_count", name);
	add(m, arg, ROW_CORRECTABLE, name + 5, path);
	snprintf(path, sizeof path, "%s/ue_count", name);
	add(m, arg, ROW_UNCORRECTABLE, name + 5, path);
	return 0;
}

static int on_controller(struct machine *m, const char *name, void *arg)
{
	char path[512];
	if (strncmp(name, "mc", 2) != 0 || !is_number(name + 2))
		return 0;
	snprintf(path, sizeof path, CONTROLLERS "/%s", name);
	int root = machine_enter(m, path);
	if (root < 0)
		return 0;
	struct place place = {arg, name + 2};
	add(m, &place, CORRECTABLE, "", "ce_count");
	add(m, &place, UNCORRECTABLE, "", "ue_count");
	add(m, &place, ROW_CORRECTABLE, "unknown", "ce_noinfo_count");
	add(m, &place, ROW_UNCORRECTABLE, "unknown", "ue_noinfo_count");
	machine_list(m, ".", on_row, &place);
	machine_leave(m, root);
	return 0;
}

static int read_edac(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	int rc = machine_list(m, CONTROLLERS, on_controller, out);
	if (rc == -ENOENT)
		return fw_fail(err, -ENODATA, "this machine has no /" CONTROLLERS);
	return rc < 0 ? fw_fail_sys(err, rc, "/" CONTROLLERS) : 0;
}

const struct source source_edac = {
	.name = "edac",
	.help = "Memory errors that were corrected, and those that could not be.",
	.purpose = "A memory module that is about to fail says so first.",
	.reads = "/sys/devices/system/edac",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_edac,
};
