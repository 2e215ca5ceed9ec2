/* SPDX-License-Identifier: Apache-2.0 */
/* Documentation/hwmon/sysfs-interface.rst: a chip is a folder of files such as
 * temp1_input, of a type, a number and a property. Old drivers keep them in the
 * folder of the chip's device.
 *
 * Names are node_exporter's, which are not always right: an alarm of a limit has
 * the limit's unit. A chip is known by the place of its device, since drivers' names
 * are not unique. A chip may be slow to answer or hang its bus, so a child reads it;
 * one that sleeps is left asleep, and so is the temperature of a disk that turns,
 * since asking would keep it turning.
 */
#include "parse.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

/* Type, property, name behind node_hwmon_, kind, unit, decimals. */
// clang-format off
#define ATTRIBUTES(X) \
	X("in", "input", "in_volts", FW_GAUGE, "volts", 3) \
	X("in", "min", "in_min_volts", FW_GAUGE, "volts", 3) \
	X("in", "max", "in_max_volts", FW_GAUGE, "volts", 3) \
	X("in", "lcrit", "in_lcrit_volts", FW_GAUGE, "volts", 3) \
	X("in", "crit", "in_crit_volts", FW_GAUGE, "volts", 3) \
	X("in", "average", "in_average_volts", FW_GAUGE, "volts", 3) \
	X("in", "lowest", "in_lowest_volts", FW_GAUGE, "volts", 3) \
	X("in", "highest", "in_highest_volts", FW_GAUGE, "volts", 3) \
	X("in", "rated_min", "in_rated_min_volts", FW_GAUGE, "volts", 3) \
	X("in", "rated_max", "in_rated_max_volts", FW_GAUGE, "volts", 3) \
	X("in", "alarm", "in_alarm", FW_GAUGE, "", 0) \
	X("in", "min_alarm", "in_min_alarm_volts", FW_GAUGE, "volts", 3) \
	X("in", "max_alarm", "in_max_alarm_volts", FW_GAUGE, "volts", 3) \
	X("in", "lcrit_alarm", "in_lcrit_alarm_volts", FW_GAUGE, "volts", 3) \
	X("in", "crit_alarm", "in_crit_alarm_volts", FW_GAUGE, "volts", 3) \
	X("in", "fault", "in_fault", FW_GAUGE, "", 0) \
	X("in", "beep", "in_beep_enabled", FW_GAUGE, "", 0) \
	X("in", "enable", "in_enable_volts", FW_GAUGE, "volts", 3) \
	X("cpu", "vid", "cpu_vid_volts", FW_GAUGE, "volts", 3) \
	X("temp", "input", "temp_celsius", FW_GAUGE, "celsius", 3) \
	X("temp", "min", "temp_min_celsius", FW_GAUGE, "celsius", 3) \
	X("temp", "max", "temp_max_celsius", FW_GAUGE, "celsius", 3) \
	X("temp", "min_hyst", "temp_min_hyst_celsius", FW_GAUGE, "celsius", 3) \
	X("temp", "max_hyst", "temp_max_hyst_celsius", FW_GAUGE, "celsius", 3) \
	X("temp", "lcrit", "temp_lcrit_celsius", FW_GAUGE, "celsius", 3) \
	X("temp", "lcrit_hyst", "temp_lcrit_hyst_celsius", FW_GAUGE, "celsius", 3) \
	X("temp", "crit", "temp_crit_celsius", FW_GAUGE, "celsius", 3) \
	X("temp", "crit_hyst", "temp_crit_hyst_celsius", FW_GAUGE, "celsius", 3) \
	X("temp", "emergency", "temp_emergency_celsius", FW_GAUGE, "celsius", 3) \
	X("temp", "emergency_hyst", "temp_emergency_hyst_celsius", FW_GAUGE, "celsius", 3) \
	X("temp", "lowest", "temp_lowest_celsius", FW_GAUGE, "celsius", 3) \
	X("temp", "highest", "temp_highest_celsius", FW_GAUGE, "celsius", 3) \
	X("temp", "offset", "temp_offset_celsius", FW_GAUGE, "celsius", 3) \
	X("temp", "rated_min", "temp_rated_min_celsius", FW_GAUGE, "celsius", 3) \
	X("temp", "rated_max", "temp_rated_max_celsius", FW_GAUGE, "celsius", 3) \
	X("temp", "alarm", "temp_alarm", FW_GAUGE, "", 0) \
	X("temp", "min_alarm", "temp_min_alarm_celsius", FW_GAUGE, "celsius", 3) \
	X("temp", "max_alarm", "temp_max_alarm_celsius", FW_GAUGE, "celsius", 3) \
	X("temp", "lcrit_alarm", "temp_lcrit_alarm_celsius", FW_GAUGE, "celsius", 3) \
	X("temp", "crit_alarm", "temp_crit_alarm_celsius", FW_GAUGE, "celsius", 3) \
	X("temp", "emergency_alarm", "temp_emergency_alarm_celsius", FW_GAUGE, "celsius", 3) \
	X("temp", "fault", "temp_fault", FW_GAUGE, "", 0) \
	X("temp", "beep", "temp_beep_enabled", FW_GAUGE, "", 0) \
	X("temp", "enable", "temp_enable_celsius", FW_GAUGE, "celsius", 3) \
	X("temp", "type", "temp_type", FW_GAUGE, "", 0) \
	X("fan", "input", "fan_rpm", FW_GAUGE, "", 0) \
	X("fan", "min", "fan_min_rpm", FW_GAUGE, "", 0) \
	X("fan", "max", "fan_max_rpm", FW_GAUGE, "", 0) \
	X("fan", "target", "fan_target_rpm", FW_GAUGE, "", 0) \
	X("fan", "div", "fan_div", FW_GAUGE, "", 0) \
	X("fan", "pulses", "fan_pulses", FW_GAUGE, "", 0) \
	X("fan", "alarm", "fan_alarm", FW_GAUGE, "", 0) \
	X("fan", "min_alarm", "fan_min_alarm", FW_GAUGE, "", 0) \
	X("fan", "max_alarm", "fan_max_alarm", FW_GAUGE, "", 0) \
	X("fan", "fault", "fan_fault", FW_GAUGE, "", 0) \
	X("fan", "beep", "fan_beep_enabled", FW_GAUGE, "", 0) \
	X("fan", "enable", "fan_enable", FW_GAUGE, "", 0) \
	X("pwm", "", "pwm", FW_GAUGE, "", 0) \
	X("pwm", "enable", "pwm_enable", FW_GAUGE, "", 0) \
	X("pwm", "mode", "pwm_mode", FW_GAUGE, "", 0) \
	X("pwm", "freq", "pwm_freq", FW_GAUGE, "", 0) \
	X("curr", "input", "curr_amps", FW_GAUGE, "amperes", 3) \
	X("curr", "min", "curr_min_amps", FW_GAUGE, "amperes", 3) \
	X("curr", "max", "curr_max_amps", FW_GAUGE, "amperes", 3) \
	X("curr", "lcrit", "curr_lcrit_amps", FW_GAUGE, "amperes", 3) \
	X("curr", "crit", "curr_crit_amps", FW_GAUGE, "amperes", 3) \
	X("curr", "average", "curr_average_amps", FW_GAUGE, "amperes", 3) \
	X("curr", "lowest", "curr_lowest_amps", FW_GAUGE, "amperes", 3) \
	X("curr", "highest", "curr_highest_amps", FW_GAUGE, "amperes", 3) \
	X("curr", "rated_min", "curr_rated_min_amps", FW_GAUGE, "amperes", 3) \
	X("curr", "rated_max", "curr_rated_max_amps", FW_GAUGE, "amperes", 3) \
	X("curr", "alarm", "curr_alarm", FW_GAUGE, "", 0) \
	X("curr", "min_alarm", "curr_min_alarm_amps", FW_GAUGE, "amperes", 3) \
	X("curr", "max_alarm", "curr_max_alarm_amps", FW_GAUGE, "amperes", 3) \
	X("curr", "lcrit_alarm", "curr_lcrit_alarm_amps", FW_GAUGE, "amperes", 3) \
	X("curr", "crit_alarm", "curr_crit_alarm_amps", FW_GAUGE, "amperes", 3) \
	X("curr", "beep", "curr_beep_enabled", FW_GAUGE, "", 0) \
	X("curr", "enable", "curr_enable_amps", FW_GAUGE, "amperes", 3) \
	X("power", "input", "power_watt", FW_GAUGE, "watts", 6) \
	X("power", "average", "power_average_watt", FW_GAUGE, "watts", 6) \
	X("power", "average_min", "power_average_min_watt", FW_GAUGE, "watts", 6) \
	X("power", "average_max", "power_average_max_watt", FW_GAUGE, "watts", 6) \
	X("power", "average_lowest", "power_average_lowest_watt", FW_GAUGE, "watts", 6) \
	X("power", "average_highest", "power_average_highest_watt", FW_GAUGE, "watts", 6) \
	X("power", "average_interval", "power_average_interval_seconds", FW_GAUGE, "seconds", 3) \
	X("power", "average_interval_min", "power_average_interval_min_seconds", FW_GAUGE, "seconds", 3) \
	X("power", "average_interval_max", "power_average_interval_max_seconds", FW_GAUGE, "seconds", 3) \
	X("power", "input_lowest", "power_input_lowest_watt", FW_GAUGE, "watts", 6) \
	X("power", "input_highest", "power_input_highest_watt", FW_GAUGE, "watts", 6) \
	X("power", "cap", "power_cap_watt", FW_GAUGE, "watts", 6) \
	X("power", "cap_min", "power_cap_min_watt", FW_GAUGE, "watts", 6) \
	X("power", "cap_max", "power_cap_max_watt", FW_GAUGE, "watts", 6) \
	X("power", "cap_hyst", "power_cap_hyst_watt", FW_GAUGE, "watts", 6) \
	X("power", "min", "power_min_watt", FW_GAUGE, "watts", 6) \
	X("power", "max", "power_max_watt", FW_GAUGE, "watts", 6) \
	X("power", "lcrit", "power_lcrit_watt", FW_GAUGE, "watts", 6) \
	X("power", "crit", "power_crit_watt", FW_GAUGE, "watts", 6) \
	X("power", "rated_min", "power_rated_min_watt", FW_GAUGE, "watts", 6) \
	X("power", "rated_max", "power_rated_max_watt", FW_GAUGE, "watts", 6) \
	X("power", "is_battery", "power_is_battery_watt", FW_GAUGE, "watts", 6) \
	X("power", "alarm", "power_alarm", FW_GAUGE, "", 0) \
	X("power", "min_alarm", "power_min_alarm_watt", FW_GAUGE, "watts", 6) \
	X("power", "max_alarm", "power_max_alarm_watt", FW_GAUGE, "watts", 6) \
	X("power", "lcrit_alarm", "power_lcrit_alarm_watt", FW_GAUGE, "watts", 6) \
	X("power", "crit_alarm", "power_crit_alarm_watt", FW_GAUGE, "watts", 6) \
	X("power", "cap_alarm", "power_cap_alarm_watt", FW_GAUGE, "watts", 6) \
	X("power", "enable", "power_enable_watt", FW_GAUGE, "watts", 6) \
	X("energy", "input", "energy_joule_total", FW_COUNTER, "joules", 6) \
	X("energy", "enable", "energy_enable_joule_total", FW_COUNTER, "joules", 6) \
	X("humidity", "input", "humidity", FW_GAUGE, "", 6) \
	X("humidity", "min", "humidity_min", FW_GAUGE, "", 6) \
	X("humidity", "min_hyst", "humidity_min_hyst", FW_GAUGE, "", 6) \
	X("humidity", "max", "humidity_max", FW_GAUGE, "", 6) \
	X("humidity", "max_hyst", "humidity_max_hyst", FW_GAUGE, "", 6) \
	X("humidity", "rated_min", "humidity_rated_min", FW_GAUGE, "", 6) \
	X("humidity", "rated_max", "humidity_rated_max", FW_GAUGE, "", 6) \
	X("humidity", "alarm", "humidity_alarm", FW_GAUGE, "", 0) \
	X("humidity", "fault", "humidity_fault", FW_GAUGE, "", 0) \
	X("humidity", "enable", "humidity_enable", FW_GAUGE, "", 6) \
	X("intrusion", "alarm", "intrusion_alarm", FW_GAUGE, "", 0) \
	X("intrusion", "beep", "intrusion_beep_enabled", FW_GAUGE, "", 0) \
	X("beep_enable", "", "beep_enabled", FW_GAUGE, "", 0) \
	X("update_interval", "", "update_interval_seconds", FW_GAUGE, "seconds", 3) \
	X("vrm", "", "voltage_regulator_version", FW_GAUGE, "", 0)
// clang-format on
#define METRIC(type, property, name, kind, unit, scale) \
	{"node_hwmon_" name, kind, unit, "Hardware monitor: " type " " property ".", scale, 1},
#define ATTRIBUTE(type, property, name, kind, unit, scale) {type, property},

static const struct metric metrics[] = {
	ATTRIBUTES(METRIC){"node_hwmon_chip_names", FW_GAUGE, "",
		"Annotation metric for human-readable chip names", 0, 1},
	{"node_hwmon_sensor_label", FW_GAUGE, "", "Label for given chip and sensor", 0, 1},
};
static const struct {
	const char *type, *property;
} attributes[] = {ATTRIBUTES(ATTRIBUTE)};
enum { CHIP_NAMES = COUNT(attributes), SENSOR_LABEL };

#define CLASS "sys/class/hwmon"

struct hwmon {
	struct sweep *out;
	char chip[TEXT_BYTES]; /* the one that is being read */
	struct fw_buf labels;  /* those that are taken, each ended by NUL */
};

/* ---- which chip ---- */

/* As a label: small letters, digits, colons, and one "_" for each other byte. */
static void clean(char *text)
{
	size_t n = 0;
	for (const char *at = text; *at; at++) {
		char c = (char)tolower((unsigned char)*at);
		bool good = (c >= 'a' && c <= 'z') || isdigit((unsigned char)c) || c == ':';
		if (good || n > 0)
			text[n++] = good ? c : '_';
	}
	while (n > 0 && text[n - 1] == '_')
		n--;
	text[n] = '\0';
}

/* ".../devices/platform/coretemp.0" is platform_coretemp_0. */
static bool name_by_device(struct machine *m, char *out, size_t size)
{
	char self[64], place[4096];
	int fd = fw_openat(m->root, "device", O_PATH, 0);
	if (fd < 0)
		return false;
	snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(self, place, sizeof place - 1);
	fw_close(fd);
	if (length <= 0)
		return false;
	place[length] = '\0';
	char *device = strrchr(place, '/');
	*device++ = '\0';
	const char *bus = strrchr(place, '/');
	char first[TEXT_BYTES];
	snprintf(first, sizeof first, "%s", bus ? bus + 1 : "");
	clean(first);
	clean(device);
	snprintf(out, size, "%s%s%s", first, first[0] && device[0] ? "_" : "", device);
	return out[0] != '\0';
}

static bool is_taken(const struct hwmon *h, const char *chip)
{
	const char *at = (const char *)h->labels.data, *end = at ? at + h->labels.length : at;
	for (; at < end; at += strlen(at) + 1)
		if (strcmp(at, chip) == 0)
			return true;
	return false;
}

/* Chips that cannot be told apart have the folder's name as well. */
static void name_chip(struct machine *m, struct hwmon *h, const char *folder)
{
	char name[TEXT_BYTES];
	read_text(m, "name", name, sizeof name);
	clean(name);
	if (!name_by_device(m, h->chip, sizeof h->chip))
		snprintf(h->chip, sizeof h->chip, "%s", name[0] ? name : folder);
	if (is_taken(h, h->chip)) {
		char *end = h->chip + strlen(h->chip);
		snprintf(end, (size_t)(h->chip + sizeof h->chip - end), "_%s", folder);
	}
	fw_buf_append(&h->labels, h->chip, strlen(h->chip) + 1);
	if (name[0])
		sweep_add(h->out, &metrics[CHIP_NAMES], 1,
			SWEEP_LABELS("chip", h->chip, "chip_name", name));
}

/* ---- whether to ask it ---- */

static int on_block(struct machine *m, const char *name, void *arg)
{
	char path[512];
	int64_t rotates;
	snprintf(path, sizeof path, "device/block/%s/queue/rotational", name);
	if (machine_read_i64(m, path, &rotates) == 0 && rotates != 0)
		*(bool *)arg = true;
	return 0;
}

static bool is_better_left_alone(struct machine *m)
{
	char text[TEXT_BYTES];
	bool turns = false;
	read_text(m, "device/power/runtime_status", text, sizeof text);
	if (strcmp(text, "suspended") == 0)
		return true;
	read_text(m, "name", text, sizeof text);
	if (strcmp(text, "drivetemp") == 0)
		machine_list(m, "device/block", on_block, &turns);
	return turns;
}

/* ---- what it says ---- */

/* "temp1_crit_alarm" is of the sensor temp1 and has the property crit_alarm. A name
 * without a number is that of one thing of the whole chip. */
static bool split(const char *file, char *sensor, size_t size, size_t *type, const char **property)
{
	*type = strcspn(file, "0123456789");
	size_t length = *type + strspn(file + *type, "0123456789");
	const char *rest = file + length;
	bool numbered = length > *type;
	if ((*rest != '\0' && (*rest != '_' || rest[1] == '\0')) || length + 2 > size)
		return false;
	snprintf(sensor, size, "%.*s%s", (int)length, file, numbered ? "" : "0");
	*property = *rest ? rest + 1 : rest;
	return true;
}

static const struct metric *find_attribute(const char *type, size_t length, const char *property)
{
	for (size_t i = 0; i < COUNT(attributes); i++)
		if (strlen(attributes[i].type) == length &&
			strncmp(attributes[i].type, type, length) == 0 &&
			strcmp(attributes[i].property, property) == 0)
			return &metrics[i];
	return NULL;
}

static void add_label(struct machine *m, struct hwmon *h, const char *sensor, const char *path)
{
	char label[TEXT_BYTES];
	if (read_text(m, path, label, sizeof label))
		sweep_add(h->out, &metrics[SENSOR_LABEL], 1,
			SWEEP_LABELS("chip", h->chip, "label", label, "sensor", sensor));
}

static void add_file(struct machine *m, struct hwmon *h, const char *file, const char *path)
{
	char sensor[NAME_BYTES];
	const char *property;
	size_t type;
	int64_t value;
	if (!split(file, sensor, sizeof sensor, &type, &property))
		return;
	const struct metric *metric = find_attribute(file, type, property);
	if (strcmp(property, "label") == 0)
		add_label(m, h, sensor, path);
	else if (metric && machine_read_i64(m, path, &value) == 0)
		sweep_add(h->out, metric, value, SWEEP_LABELS("chip", h->chip, "sensor", sensor));
}

static int on_file(struct machine *m, const char *name, void *arg)
{
	add_file(m, arg, name, name);
	return 0;
}

static int on_old_file(struct machine *m, const char *name, void *arg)
{
	char path[512];
	snprintf(path, sizeof path, "device/%s", name);
	add_file(m, arg, name, path);
	return 0;
}

static int on_chip(struct machine *m, const char *folder, void *arg)
{
	struct hwmon *h = arg;
	char path[512];
	snprintf(path, sizeof path, CLASS "/%s", folder);
	int root = machine_enter(m, path);
	if (root < 0)
		return 0;
	name_chip(m, h, folder);
	if (!is_better_left_alone(m)) {
		machine_list(m, ".", on_file, h);
		machine_list(m, "device", on_old_file, h);
	}
	machine_leave(m, root);
	return 0;
}

static int read_hwmon(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	struct hwmon h = {.out = out};
	int rc = machine_list(m, CLASS, on_chip, &h);
	fw_buf_done(&h.labels);
	if (rc == -ENOENT)
		return fw_fail(err, -ENODATA, "this machine has no /" CLASS);
	return rc < 0 ? fw_fail_sys(err, rc, "/" CLASS) : 0;
}

const struct source source_hwmon = {
	.name = "hwmon",
	.help = "Temperatures, fans, voltages and power, as the machine's own sensors say.",
	.purpose = "A fan that stops or a machine that is too warm fails soon.",
	.reads = "/sys/class/hwmon",
	.slow = true,
	.every_s = 60,
	.timeout_s = 30,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_hwmon,
};
