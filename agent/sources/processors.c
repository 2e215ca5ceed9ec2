/* SPDX-License-Identifier: Apache-2.0 */
/* What the processors are, how fast they run, how often heat slowed them, and what
 * they are vulnerable to.
 *
 * Asking a CPU for its frequency wakes it where it sleeps, and takes some ten
 * milliseconds on many kernels, so a child does it, and not in each sweep.
 * Documentation/ABI/testing/sysfs-devices-system-cpu.
 */
#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/mem.h>

enum { INFO, CORE_THROTTLES, PACKAGE_THROTTLES, VULNERABILITIES, FIRST_FREQUENCY };

#define FREQUENCY(name, help)                                       \
	{                                                           \
		"node_cpu_" name, FW_GAUGE, "hertz", help, 0, 1000, \
	}

static const struct metric metrics[] = {
	[INFO] = {"node_cpu_info", FW_GAUGE, "", "CPU information from /proc/cpuinfo.", 0, 1},
	[CORE_THROTTLES] = {"node_cpu_core_throttles_total", FW_COUNTER, "",
		"Number of times this CPU core has been throttled.", 0, 1},
	[PACKAGE_THROTTLES] = {"node_cpu_package_throttles_total", FW_COUNTER, "",
		"Number of times this CPU package has been throttled.", 0, 1},
	[VULNERABILITIES] = {"node_cpu_vulnerabilities_info", FW_GAUGE, "",
		"What the kernel says of each CPU vulnerability, value is always 1.", 0, 1},
	[FIRST_FREQUENCY] = FREQUENCY("frequency_min_hertz", "Minimum CPU frequency in hertz."),
	FREQUENCY("frequency_max_hertz", "Maximum CPU frequency in hertz."),
	FREQUENCY("scaling_frequency_hertz", "Current scaled CPU frequency in hertz."),
	FREQUENCY("scaling_frequency_min_hertz", "Minimum scaled CPU frequency in hertz."),
	FREQUENCY("scaling_frequency_max_hertz", "Maximum scaled CPU frequency in hertz."),
};

/* Files of a CPU, in the order of the frequencies above, in kHz. */
static const char *const frequencies[] = {
	"cpufreq/cpuinfo_min_freq",
	"cpufreq/cpuinfo_max_freq",
	"cpufreq/scaling_cur_freq",
	"cpufreq/scaling_min_freq",
	"cpufreq/scaling_max_freq",
};

#define CPUS "sys/devices/system/cpu"

/* ---- /proc/cpuinfo: a paragraph for each CPU ---- */

enum {
	CACHESIZE,
	CORE,
	CPU,
	FAMILY,
	MICROCODE,
	MODEL,
	MODEL_NAME,
	PACKAGE,
	STEPPING,
	VENDOR,
	LABELS
};

static const char *const labels[LABELS] = {"cachesize", "core", "cpu", "family", "microcode",
	"model", "model_name", "package", "stepping", "vendor"};

/* x86 has the first names, ARM the later ones. */
static const struct {
	const char *key;
	size_t label;
} keys[] = {
	{"processor", CPU},
	{"vendor_id", VENDOR},
	{"cpu family", FAMILY},
	{"model", MODEL},
	{"model name", MODEL_NAME},
	{"stepping", STEPPING},
	{"microcode", MICROCODE},
	{"cache size", CACHESIZE},
	{"physical id", PACKAGE},
	{"core id", CORE},
	{"CPU implementer", VENDOR},
	{"CPU architecture", FAMILY},
	{"CPU part", MODEL},
	{"CPU revision", STEPPING},
};

struct paragraph {
	char values[LABELS][TEXT_BYTES];
};

static void keep_line(struct paragraph *p, struct fw_cursor line)
{
	struct fw_cursor key, value;
	if (!cut_pair(line, &key, &value))
		return;
	for (size_t i = 0; i < COUNT(keys); i++)
		if (cursor_is(&key, keys[i].key))
			snprintf(p->values[keys[i].label], TEXT_BYTES, "%.*s",
				(int)(value.end - value.at), value.at);
}

static void add_paragraph(struct sweep *out, struct paragraph *p)
{
	const char *pairs[2 * LABELS + 1] = {0};
	for (size_t i = 0; i < LABELS; i++) {
		pairs[2 * i] = labels[i];
		pairs[2 * i + 1] = p->values[i];
	}
	if (is_number(p->values[CPU]))
		sweep_add(out, &metrics[INFO], 1, pairs);
	memset(p, 0, sizeof *p);
}

static int add_info(struct machine *m, struct sweep *out, struct fw_err *err)
{
	struct fw_cursor c, line;
	struct paragraph p = {0};
	int rc = read_facts(m, "proc/cpuinfo", &c, err);
	while (rc == 0 && fw_cut_line(&c, &line)) {
		if (line.at == line.end)
			add_paragraph(out, &p);
		else
			keep_line(&p, line);
	}
	add_paragraph(out, &p);
	return rc;
}

/* ---- /sys/devices/system/cpu/cpuN ---- */

struct place {
	struct sweep *out;
	const char *cpu;
};

static void add_frequencies(struct machine *m, const struct place *place)
{
	int64_t khz;
	for (size_t i = 0; i < COUNT(frequencies); i++)
		if (machine_read_i64(m, frequencies[i], &khz) == 0)
			sweep_add(place->out, &metrics[FIRST_FREQUENCY + i], khz,
				SWEEP_LABELS("cpu", place->cpu));
}

/* The CPUs of a core have one count: what the sweep has already it does not take again. */
static void add_throttles(struct machine *m, const struct place *place)
{
	char package[24], core[24];
	int64_t count;
	if (!read_text(m, "topology/physical_package_id", package, sizeof package) ||
		!read_text(m, "topology/core_id", core, sizeof core))
		return;
	if (machine_read_i64(m, "thermal_throttle/core_throttle_count", &count) == 0)
		sweep_add(place->out, &metrics[CORE_THROTTLES], count,
			SWEEP_LABELS("core", core, "package", package));
	if (machine_read_i64(m, "thermal_throttle/package_throttle_count", &count) == 0)
		sweep_add(place->out, &metrics[PACKAGE_THROTTLES], count,
			SWEEP_LABELS("package", package));
}

static int on_cpu(struct machine *m, const char *name, void *arg)
{
	char path[512];
	if (strncmp(name, "cpu", 3) != 0 || !is_number(name + 3))
		return 0;
	snprintf(path, sizeof path, CPUS "/%s", name);
	int root = machine_enter(m, path);
	if (root < 0)
		return 0;
	const struct place place = {arg, name + 3};
	add_frequencies(m, &place);
	add_throttles(m, &place);
	machine_leave(m, root);
	return 0;
}

/* "Mitigation: PTI", "KVM: Vulnerable: no microcode", "Not affected"; old kernels say
 * "Processor vulnerable". Whatever else it says is the mitigation of a state unknown. */
static void add_vulnerability(struct sweep *out, const char *codename, const char *text)
{
	static const char *const states[][2] = {
		{"Not affected", "not affected"},
		{"Vulnerable", "vulnerable"},
		{"Processor vulnerable", "vulnerable"},
		{"Mitigation", "mitigation"},
	};
	struct fw_cursor rest = {text, text + strlen(text)};
	const char *state = "unknown";
	fw_cut_literal(&rest, "KVM: ");
	for (size_t i = 0; i < COUNT(states); i++)
		if (fw_cut_literal(&rest, states[i][0]))
			state = states[i][1];
	fw_cut_literal(&rest, ": ");
	sweep_add(out, &metrics[VULNERABILITIES], 1,
		SWEEP_LABELS("codename", codename, "mitigation", rest.at, "state", state));
}

static int on_vulnerability(struct machine *m, const char *name, void *arg)
{
	char path[512], text[512];
	snprintf(path, sizeof path, CPUS "/vulnerabilities/%s", name);
	if (read_text(m, path, text, sizeof text))
		add_vulnerability(arg, name, text);
	return 0;
}

static int read_processors(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	int rc = add_info(m, out, err);
	if (rc < 0)
		return rc;
	machine_list(m, CPUS, on_cpu, out);
	machine_list(m, CPUS "/vulnerabilities", on_vulnerability, out);
	return 0;
}

const struct source source_processors = {
	.name = "processors",
	.help = "What the processors are, how fast they run and what they are vulnerable to.",
	.purpose = "Whether processors are held back by heat, and open to known attacks.",
	.reads = "/proc/cpuinfo, /sys/devices/system/cpu",
	.slow = true,
	.every_s = 60,
	.timeout_s = 20,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_processors,
};
