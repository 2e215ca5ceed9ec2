/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DISK(name, type, unit, help, scale, factor)                 \
	{                                                           \
		"node_disk_" name, type, unit, help, scale, factor, \
	}

/* In the order of the fields of /proc/diskstats behind the name. Sectors there
 * are 512 bytes, whatever the disk has. */
static const struct metric metrics[] = {
	DISK("reads_completed_total", FW_COUNTER, "", "Reads completed.", 0, 1),
	DISK("reads_merged_total", FW_COUNTER, "", "Reads merged with another.", 0, 1),
	DISK("read_bytes_total", FW_COUNTER, "bytes", "Bytes read.", 0, 512),
	DISK("read_time_seconds_total", FW_COUNTER, "seconds", "Seconds spent by all reads.", 3, 1),
	DISK("writes_completed_total", FW_COUNTER, "", "Writes completed.", 0, 1),
	DISK("writes_merged_total", FW_COUNTER, "", "Writes merged with another.", 0, 1),
	DISK("written_bytes_total", FW_COUNTER, "bytes", "Bytes written.", 0, 512),
	DISK("write_time_seconds_total", FW_COUNTER, "seconds", "Seconds spent by all writes.", 3,
		1),
	DISK("io_now", FW_GAUGE, "", "I/Os in progress.", 0, 1),
	DISK("io_time_seconds_total", FW_COUNTER, "seconds", "Seconds spent doing I/Os.", 3, 1),
	DISK("io_time_weighted_seconds_total", FW_COUNTER, "seconds",
		"Seconds spent doing I/Os, each counted.", 3, 1),
	DISK("discards_completed_total", FW_COUNTER, "", "Discards completed.", 0, 1),
	DISK("discards_merged_total", FW_COUNTER, "", "Discards merged with another.", 0, 1),
	DISK("discarded_sectors_total", FW_COUNTER, "", "Sectors discarded.", 0, 1),
	DISK("discard_time_seconds_total", FW_COUNTER, "seconds", "Seconds spent by all discards.",
		3, 1),
	DISK("flush_requests_total", FW_COUNTER, "", "Flushes completed.", 0, 1),
	DISK("flush_requests_time_seconds_total", FW_COUNTER, "seconds",
		"Seconds spent by all flushes.", 3, 1),
	DISK("info", FW_GAUGE, "", "What is known of a disk, value is always 1.", 0, 1),
};
enum { FIELDS = COUNT(metrics) - 1, INFO = FIELDS };

static const char *skip_digits(const char *text)
{
	return text + strspn(text, "0123456789");
}

/* Partitions, loops and disks in memory are left out:
 * (z?ram|loop|fd|(h|s|v|xv)d[a-z]+|nvme[0-9]+n[0-9]+p)[0-9]+ */
static bool is_ignored(const char *device)
{
	static const char *const numbered[] = {"ram", "zram", "loop", "fd"};
	for (size_t i = 0; i < COUNT(numbered); i++) {
		size_t length = strlen(numbered[i]);
		if (strncmp(device, numbered[i], length) == 0 && isdigit(device[length]))
			return *skip_digits(device + length) == '\0';
	}
	if (strncmp(device, "nvme", 4) == 0) {
		const char *partition = strchr(device, 'p');
		return partition && isdigit(partition[1]) && *skip_digits(partition + 1) == '\0';
	}
	const char *at = strncmp(device, "xv", 2) == 0 ? device + 1 : device;
	if (!strchr("hsv", at[0]) || at[1] != 'd' || !islower(at[2]))
		return false;
	at += 2;
	while (islower(*at))
		at++;
	return isdigit(*at) && *skip_digits(at) == '\0';
}

/* What udev found out: "E:ID_MODEL=...". */
struct facts {
	char model[128], path[128], revision[64], serial[128], wwn[64];
};

static void read_udev(struct machine *m, uint64_t major, uint64_t minor, struct facts *f)
{
	const struct {
		const char *key;
		char *value;
		size_t size;
	} keys[] = {
		{"E:ID_MODEL=", f->model, sizeof f->model},
		{"E:ID_PATH=", f->path, sizeof f->path},
		{"E:ID_REVISION=", f->revision, sizeof f->revision},
		{"E:ID_SERIAL_SHORT=", f->serial, sizeof f->serial},
		{"E:ID_WWN=", f->wwn, sizeof f->wwn},
	};
	char path[64];
	snprintf(path, sizeof path, "run/udev/data/b%llu:%llu", (unsigned long long)major,
		(unsigned long long)minor);
	struct fw_cursor c, line;
	if (machine_read(m, path, &c) < 0)
		return;
	while (fw_cut_line(&c, &line))
		for (size_t i = 0; i < COUNT(keys); i++)
			if (fw_cut_literal(&line, keys[i].key))
				snprintf(keys[i].value, keys[i].size, "%.*s",
					(int)(line.end - line.at), line.at);
}

static void add_info(
	struct machine *m, struct sweep *out, const char *device, uint64_t major, uint64_t minor)
{
	struct facts f = {0};
	char path[128], major_text[24], minor_text[24], rotational[4] = "";
	int64_t rotates;
	read_udev(m, major, minor, &f);
	snprintf(path, sizeof path, "sys/block/%s/queue/rotational", device);
	if (machine_read_i64(m, path, &rotates) == 0)
		snprintf(rotational, sizeof rotational, "%d", rotates != 0);
	snprintf(major_text, sizeof major_text, "%llu", (unsigned long long)major);
	snprintf(minor_text, sizeof minor_text, "%llu", (unsigned long long)minor);
	sweep_add(out, &metrics[INFO], 1,
		SWEEP_LABELS("device", device, "major", major_text, "minor", minor_text, "model",
			f.model, "path", f.path, "revision", f.revision, "rotational", rotational,
			"serial", f.serial, "wwn", f.wwn));
}

/* Kernels have added fields at the end; what a line lacks is not there. */
static void add_fields(struct sweep *out, const char *device, struct fw_cursor *line)
{
	int64_t value;
	for (size_t i = 0; i < FIELDS && fw_cut_i64(line, &value); i++)
		sweep_add(out, &metrics[i], value, SWEEP_LABELS("device", device));
}

static void add_line(struct machine *m, struct sweep *out, struct fw_cursor *line)
{
	uint64_t major, minor;
	char device[NAME_BYTES];
	if (!fw_cut_u64(line, &major) || !fw_cut_u64(line, &minor) ||
		!cut_name(line, ' ', device, sizeof device) || is_ignored(device))
		return;
	add_fields(out, device, line);
	add_info(m, out, device, major, minor);
}

/* A copy of /proc/diskstats, since more is read for every line of it. */
struct disk {
	struct fw_buf text;
};

static int read_disk(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	struct disk *d = state;
	struct fw_cursor c, line;
	int rc = read_facts(m, "proc/diskstats", &c, err);
	if (rc < 0)
		return rc;
	fw_buf_reset(&d->text);
	fw_buf_append(&d->text, c.at, (size_t)(c.end - c.at));
	c.at = (const char *)d->text.data;
	c.end = c.at + d->text.length;
	while (fw_cut_line(&c, &line))
		add_line(m, out, &line);
	return 0;
}

static void close_disk(void *state)
{
	struct disk *d = state;
	fw_buf_done(&d->text);
}

const struct source source_disk = {
	.name = "disk",
	.help = "Reads, writes and the time they took, for each whole disk.",
	.purpose = "Disks that are slow or overloaded make everything on them slow.",
	.reads = "/proc/diskstats, /sys/block, /run/udev/data",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.state_size = sizeof(struct disk),
	.close = close_disk,
	.read = read_disk,
};
