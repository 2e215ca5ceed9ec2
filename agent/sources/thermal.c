/* SPDX-License-Identifier: Apache-2.0 */
/* Documentation/ABI/testing/sysfs-class-thermal. A zone's driver may ask firmware
 * or a chip that is slow to answer: that is why a child reads them. */
#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { ZONE_TEMP, CUR_STATE, MAX_STATE };

static const struct metric metrics[] = {
	[ZONE_TEMP] = {"node_thermal_zone_temp", FW_GAUGE, "celsius", "Zone temperature in Celsius",
		3, 1},
	[CUR_STATE] = {"node_cooling_device_cur_state", FW_GAUGE, "",
		"Current throttle state of the cooling device", 0, 1},
	[MAX_STATE] = {"node_cooling_device_max_state", FW_GAUGE, "",
		"Maximum throttle state of the cooling device", 0, 1},
};

#define CLASS "sys/class/thermal"

static void add_zone(struct machine *m, struct sweep *out, const char *zone)
{
	char type[TEXT_BYTES];
	int64_t temperature;
	if (machine_read_i64(m, "temp", &temperature) < 0)
		return; /* its sensor sleeps */
	read_text(m, "type", type, sizeof type);
	sweep_add(out, &metrics[ZONE_TEMP], temperature, SWEEP_LABELS("type", type, "zone", zone));
}

static void add_device(struct machine *m, struct sweep *out, const char *name)
{
	char type[TEXT_BYTES];
	int64_t state;
	read_text(m, "type", type, sizeof type);
	const char *const *labels = SWEEP_LABELS("name", name, "type", type);
	if (machine_read_i64(m, "cur_state", &state) == 0)
		sweep_add(out, &metrics[CUR_STATE], state, labels);
	if (machine_read_i64(m, "max_state", &state) == 0)
		sweep_add(out, &metrics[MAX_STATE], state, labels);
}

static int on_entry(struct machine *m, const char *name, void *arg)
{
	static const char zone[] = "thermal_zone", device[] = "cooling_device";
	char path[512];
	snprintf(path, sizeof path, CLASS "/%s", name);
	int root = machine_enter(m, path);
	if (root < 0)
		return 0;
	if (strncmp(name, zone, strlen(zone)) == 0)
		add_zone(m, arg, name + strlen(zone));
	else if (strncmp(name, device, strlen(device)) == 0)
		add_device(m, arg, name + strlen(device));
	machine_leave(m, root);
	return 0;
}

static int read_thermal(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	int rc = machine_list(m, CLASS, on_entry, out);
	if (rc == -ENOENT)
		return fw_fail(err, -ENODATA, "this machine has no /" CLASS);
	return rc < 0 ? fw_fail_sys(err, rc, "/" CLASS) : 0;
}

const struct source source_thermal = {
	.name = "thermal",
	.help = "Temperature of each thermal zone, and how hard cooling works.",
	.purpose = "Whether a machine is too warm, and cooled as hard as it can be.",
	.reads = "/sys/class/thermal",
	.slow = true,
	.every_s = 60,
	.timeout_s = 20,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_thermal,
};
