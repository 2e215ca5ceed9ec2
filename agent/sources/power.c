/* SPDX-License-Identifier: Apache-2.0 */
/* Documentation/ABI/testing/sysfs-class-power. A battery's controller may take
 * long to answer: that is why a child reads it. Its wear is energy_full (or
 * charge_full) against that of its design. */
#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* File, name behind node_power_supply_, decimals: the kernel gives millionths, and
 * tenths of a degree. */
#define NUMBERS(X)                                                         \
	X("authentic", "authentic", 0)                                     \
	X("calibrate", "calibrate", 0)                                     \
	X("capacity", "capacity", 0)                                       \
	X("capacity_alert_max", "capacity_alert_max", 0)                   \
	X("capacity_alert_min", "capacity_alert_min", 0)                   \
	X("charge_control_limit", "charge_control_limit", 6)               \
	X("charge_control_limit_max", "charge_control_limit_max", 6)       \
	X("charge_counter", "charge_counter", 6)                           \
	X("charge_empty", "charge_empty", 6)                               \
	X("charge_empty_design", "charge_empty_design", 6)                 \
	X("charge_full", "charge_full", 6)                                 \
	X("charge_full_design", "charge_full_design", 6)                   \
	X("charge_now", "charge_ampere", 6)                                \
	X("charge_term_current", "charge_term_current", 6)                 \
	X("constant_charge_current", "constant_charge_current", 6)         \
	X("constant_charge_current_max", "constant_charge_current_max", 6) \
	X("constant_charge_voltage", "constant_charge_voltage", 6)         \
	X("constant_charge_voltage_max", "constant_charge_voltage_max", 6) \
	X("current_boot", "current_boot", 6)                               \
	X("current_max", "current_max", 6)                                 \
	X("current_now", "current_ampere", 6)                              \
	X("cycle_count", "cyclecount", 0)                                  \
	X("energy_empty", "energy_empty", 6)                               \
	X("energy_empty_design", "energy_empty_design", 6)                 \
	X("energy_full", "energy_full", 6)                                 \
	X("energy_full_design", "energy_full_design", 6)                   \
	X("energy_now", "energy_watthour", 6)                              \
	X("input_current_limit", "input_current_limit", 6)                 \
	X("online", "online", 0)                                           \
	X("power_now", "power_watt", 6)                                    \
	X("precharge_current", "precharge_current", 6)                     \
	X("present", "present", 0)                                         \
	X("temp", "temp_celsius", 1)                                       \
	X("temp_alert_max", "temp_alert_max_celsius", 1)                   \
	X("temp_alert_min", "temp_alert_min_celsius", 1)                   \
	X("temp_ambient", "temp_ambient_celsius", 1)                       \
	X("temp_ambient_max", "temp_ambient_max_celsius", 1)               \
	X("temp_ambient_min", "temp_ambient_min_celsius", 1)               \
	X("temp_max", "temp_max_celsius", 1)                               \
	X("temp_min", "temp_min_celsius", 1)                               \
	X("time_to_empty_now", "time_to_empty_seconds", 0)                 \
	X("time_to_full_now", "time_to_full_seconds", 0)                   \
	X("voltage_boot", "voltage_boot", 6)                               \
	X("voltage_max", "voltage_max", 6)                                 \
	X("voltage_max_design", "voltage_max_design", 6)                   \
	X("voltage_min", "voltage_min", 6)                                 \
	X("voltage_min_design", "voltage_min_design", 6)                   \
	X("voltage_now", "voltage_volt", 6)                                \
	X("voltage_ocv", "voltage_ocv", 6)
#define METRIC(file, name, scale)                 \
	{"node_power_supply_" name, FW_GAUGE, "", \
		name " value of /sys/class/power_supply/<power_supply>.", scale, 1},
#define FILE_NAME(file, name, scale) file,

static const struct metric metrics[] = {
	NUMBERS(METRIC){"node_power_supply_info", FW_GAUGE, "",
		"What a power supply says of itself, value is always 1.", 0, 1},
};
static const char *const files[] = {NUMBERS(FILE_NAME)};
enum { INFO = COUNT(files) };

#define CLASS "sys/class/power_supply"

/* In order of name, as labels are. */
static const char *const words[] = {"capacity_level", "charge_type", "health", "manufacturer",
	"model_name", "power_supply", "scope", "serial_number", "status", "technology", "type",
	"usb_type"};

static void add_info(struct machine *m, struct sweep *out, const char *supply)
{
	char texts[COUNT(words)][TEXT_BYTES];
	const char *labels[2 * COUNT(words) + 1] = {0};
	for (size_t i = 0; i < COUNT(words); i++) {
		bool name = strcmp(words[i], "power_supply") == 0;
		if (!name)
			read_text(m, words[i], texts[i], sizeof texts[i]);
		labels[2 * i] = words[i];
		labels[2 * i + 1] = name ? supply : texts[i];
	}
	sweep_add(out, &metrics[INFO], 1, labels);
}

static int on_supply(struct machine *m, const char *supply, void *arg)
{
	char path[512];
	int64_t value;
	snprintf(path, sizeof path, CLASS "/%s", supply);
	int root = machine_enter(m, path);
	if (root < 0)
		return 0;
	for (size_t i = 0; i < COUNT(files); i++)
		if (machine_read_i64(m, files[i], &value) == 0)
			sweep_add(arg, &metrics[i], value, SWEEP_LABELS("power_supply", supply));
	add_info(m, arg, supply);
	machine_leave(m, root);
	return 0;
}

static int read_power(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	int rc = machine_list(m, CLASS, on_supply, out);
	if (rc == -ENOENT)
		return fw_fail(err, -ENODATA, "this machine has no /" CLASS);
	return rc < 0 ? fw_fail_sys(err, rc, "/" CLASS) : 0;
}

const struct source source_power = {
	.name = "power",
	.help = "Batteries and mains: charge, wear, cycles.",
	.purpose = "Which batteries are worn out, and whether a machine runs on one.",
	.reads = "/sys/class/power_supply",
	.slow = true,
	.every_s = 60,
	.timeout_s = 20,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_power,
};
