/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define DEVICE_COUNTER(name)                                        \
	{                                                           \
		"node_network_" name "_total", FW_COUNTER, "",      \
			"Network device statistic " name ".", 0, 1, \
	}
#define DEVICE_GAUGE(name, factor)                                                           \
	{                                                                                    \
		"node_network_" name, FW_GAUGE, "", "Network device property: " name ".", 0, \
			factor,                                                              \
	}

enum { UP = 16, INFO, FIRST_PROPERTY };

static const struct metric metrics[] = {
	DEVICE_COUNTER("receive_bytes"),
	DEVICE_COUNTER("receive_packets"),
	DEVICE_COUNTER("receive_errs"),
	DEVICE_COUNTER("receive_drop"),
	DEVICE_COUNTER("receive_fifo"),
	DEVICE_COUNTER("receive_frame"),
	DEVICE_COUNTER("receive_compressed"),
	DEVICE_COUNTER("receive_multicast"),
	DEVICE_COUNTER("transmit_bytes"),
	DEVICE_COUNTER("transmit_packets"),
	DEVICE_COUNTER("transmit_errs"),
	DEVICE_COUNTER("transmit_drop"),
	DEVICE_COUNTER("transmit_fifo"),
	DEVICE_COUNTER("transmit_colls"),
	DEVICE_COUNTER("transmit_carrier"),
	DEVICE_COUNTER("transmit_compressed"),
	[UP] = {"node_network_up", FW_GAUGE, "", "Value is 1 if operstate is 'up', 0 otherwise.", 0,
		1},
	[INFO] = {"node_network_info", FW_GAUGE, "",
		"What /sys/class/net says of a device in words, value is always 1.", 0, 1},
	[FIRST_PROPERTY] = DEVICE_GAUGE("carrier", 1),
	DEVICE_GAUGE("mtu_bytes", 1),
	DEVICE_GAUGE("transmit_queue_length", 1),
	{"node_network_carrier_changes_total", FW_COUNTER, "",
		"Network device property: carrier_changes_total.", 0, 1},
	DEVICE_GAUGE("speed_bytes", 125000),
	DEVICE_COUNTER("receive_nohandler"),
};

/* Files of a device under /sys/class/net, in the order of the properties above. */
static const char *const files[] = {
	"carrier", "mtu", "tx_queue_len", "carrier_changes", "speed", "statistics/rx_nohandler"};

static void add_counters(struct sweep *out, const char *device, struct fw_cursor *line)
{
	uint64_t value;
	for (size_t i = 0; i < UP && fw_cut_u64(line, &value); i++)
		sweep_add(out, &metrics[i], (int64_t)value, SWEEP_LABELS("device", device));
}

/* A property that the device has not (the speed of a bridge, the carrier of
 * what is down) cannot be read, or is negative. */
static void add_properties(struct machine *m, struct sweep *out, const char *device)
{
	int64_t value;
	for (size_t i = 0; i < COUNT(files); i++)
		if (machine_read_i64(m, files[i], &value) == 0 && value >= 0)
			sweep_add(out, &metrics[FIRST_PROPERTY + i], value,
				SWEEP_LABELS("device", device));
}

struct words {
	char address[128], broadcast[128], duplex[32], ifalias[256], operstate[32];
};

static void read_words(struct machine *m, const char *file, char *out, size_t size)
{
	const char *line;
	out[0] = '\0';
	if (machine_read_line(m, file, &line) == 0)
		snprintf(out, size, "%s", line);
}

static const char *read_adminstate(struct machine *m)
{
	const char *line;
	if (machine_read_line(m, "flags", &line) < 0)
		return "";
	struct fw_cursor c = {line, line + strlen(line)};
	uint64_t flags;
	if (!fw_cut_literal(&c, "0x") || !cut_hex(&c, &flags))
		return "";
	return flags & IFF_UP ? "up" : "down";
}

static void add_device(struct machine *m, struct sweep *out, const char *device)
{
	struct words w = {0};
	read_words(m, "address", w.address, sizeof w.address);
	read_words(m, "broadcast", w.broadcast, sizeof w.broadcast);
	read_words(m, "duplex", w.duplex, sizeof w.duplex);
	read_words(m, "ifalias", w.ifalias, sizeof w.ifalias);
	read_words(m, "operstate", w.operstate, sizeof w.operstate);
	if (w.operstate[0] == '\0')
		return; /* it is going away */
	sweep_add(
		out, &metrics[UP], strcmp(w.operstate, "up") == 0, SWEEP_LABELS("device", device));
	sweep_add(out, &metrics[INFO], 1,
		SWEEP_LABELS("address", w.address, "adminstate", read_adminstate(m), "broadcast",
			w.broadcast, "device", device, "duplex", w.duplex, "ifalias", w.ifalias,
			"operstate", w.operstate));
	add_properties(m, out, device);
}

static int on_device(struct machine *m, const char *device, void *arg)
{
	char path[128];
	snprintf(path, sizeof path, "sys/class/net/%s", device);
	int root = machine_enter(m, path);
	if (root < 0)
		return 0; /* a file, such as bonding_masters */
	add_device(m, arg, device);
	machine_leave(m, root);
	return 0;
}

static int read_network(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	struct fw_cursor c, line;
	int rc = read_facts(m, "proc/net/dev", &c, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; fw_cut_line(&c, &line); i++) {
		char device[NAME_BYTES];
		if (i >= 2 && cut_name(&line, ':', device, sizeof device))
			add_counters(out, device, &line);
	}
	rc = machine_list(m, "sys/class/net", on_device, out);
	return rc == 0 || rc == -ENOENT ? 0 : fw_fail_sys(err, rc, "/sys/class/net");
}

const struct source source_network = {
	.name = "network",
	.help = "Bytes, packets and errors of each network device, and its state.",
	.purpose = "Whether each network card has a link, at which speed, with how many errors.",
	.reads = "/proc/net/dev, /sys/class/net",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_network,
};
