/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "udev.h"

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
	DISK("filesystem_info", FW_GAUGE, "",
		"The filesystem, or member of an array, on a disk, value is always 1.", 0, 1),
	DISK("device_mapper_info", FW_GAUGE, "",
		"What a disk of the device mapper is, value is always 1.", 0, 1),
	DISK("ata_write_cache", FW_GAUGE, "", "ATA disk has a write cache.", 0, 1),
	DISK("ata_write_cache_enabled", FW_GAUGE, "", "ATA disk has its write cache enabled.", 0,
		1),
	DISK("ata_rotation_rate_rpm", FW_GAUGE, "", "ATA disk rotation rate in RPMs (0 for SSDs).",
		0, 1),
};
enum {
	FIELDS = COUNT(metrics) - 6,
	INFO = FIELDS,
	FILESYSTEM_INFO,
	DM_INFO,
	ATA_CACHE,
	ATA_CACHE_ON,
	ATA_RPM
};

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

struct facts {
	char model[128], path[128], revision[64], wwn[64];
	char ident[128], serial[128], long_serial[128];
	char fs_type[64], fs_usage[32], fs_uuid[64], fs_version[64];
	char dm_name[128], dm_uuid[192], vg[128], lv[128], layer[64];
	char ata[4], cache[16], cache_on[16], rpm[16];
};

static void read_udev(struct machine *m, const char *device, struct facts *f)
{
	const struct udev_property wanted[] = {
		{"ID_MODEL", f->model, sizeof f->model},
		{"ID_PATH", f->path, sizeof f->path},
		{"ID_REVISION", f->revision, sizeof f->revision},
		{"ID_WWN", f->wwn, sizeof f->wwn},
		{"SCSI_IDENT_SERIAL", f->ident, sizeof f->ident},
		{"ID_SERIAL_SHORT", f->serial, sizeof f->serial},
		{"ID_SERIAL", f->long_serial, sizeof f->long_serial},
		{"ID_FS_TYPE", f->fs_type, sizeof f->fs_type},
		{"ID_FS_USAGE", f->fs_usage, sizeof f->fs_usage},
		{"ID_FS_UUID", f->fs_uuid, sizeof f->fs_uuid},
		{"ID_FS_VERSION", f->fs_version, sizeof f->fs_version},
		{"DM_NAME", f->dm_name, sizeof f->dm_name},
		{"DM_UUID", f->dm_uuid, sizeof f->dm_uuid},
		{"DM_VG_NAME", f->vg, sizeof f->vg},
		{"DM_LV_NAME", f->lv, sizeof f->lv},
		{"DM_LV_LAYER", f->layer, sizeof f->layer},
		{"ID_ATA", f->ata, sizeof f->ata},
		{"ID_ATA_WRITE_CACHE", f->cache, sizeof f->cache},
		{"ID_ATA_WRITE_CACHE_ENABLED", f->cache_on, sizeof f->cache_on},
		{"ID_ATA_ROTATION_RATE_RPM", f->rpm, sizeof f->rpm},
	};
	udev_read(m, device, wanted, COUNT(wanted));
}

/* The one on the label, else the one udev made short, else what virtual disks have. */
static const char *serial_of(const struct facts *f)
{
	return f->ident[0] ? f->ident : f->serial[0] ? f->serial : f->long_serial;
}

static void add_ata(struct sweep *out, const char *device, const struct facts *f)
{
	const struct {
		const struct metric *metric;
		const char *text;
	} numbers[] = {{&metrics[ATA_CACHE], f->cache}, {&metrics[ATA_CACHE_ON], f->cache_on},
		{&metrics[ATA_RPM], f->rpm}};
	uint64_t value;
	for (size_t i = 0; f->ata[0] && i < COUNT(numbers); i++)
		if (fw_parse_u64(numbers[i].text, &value) == 0 && value <= INT64_MAX)
			sweep_add(out, numbers[i].metric, (int64_t)value,
				SWEEP_LABELS("device", device));
}

static void add_layers(struct sweep *out, const char *device, const struct facts *f)
{
	if (f->fs_type[0])
		sweep_add(out, &metrics[FILESYSTEM_INFO], 1,
			SWEEP_LABELS("device", device, "type", f->fs_type, "usage", f->fs_usage,
				"uuid", f->fs_uuid, "version", f->fs_version));
	if (f->dm_name[0])
		sweep_add(out, &metrics[DM_INFO], 1,
			SWEEP_LABELS("device", device, "lv_layer", f->layer, "lv_name", f->lv,
				"name", f->dm_name, "uuid", f->dm_uuid, "vg_name", f->vg));
}

static void add_info(
	struct machine *m, struct sweep *out, const char *device, uint64_t major, uint64_t minor)
{
	struct facts f = {0};
	char path[128], number[48], major_text[24], minor_text[24], rotational[4] = "";
	int64_t rotates;
	snprintf(major_text, sizeof major_text, "%llu", (unsigned long long)major);
	snprintf(minor_text, sizeof minor_text, "%llu", (unsigned long long)minor);
	snprintf(number, sizeof number, "%s:%s", major_text, minor_text);
	read_udev(m, number, &f);
	snprintf(path, sizeof path, "sys/block/%s/queue/rotational", device);
	if (machine_read_i64(m, path, &rotates) == 0)
		snprintf(rotational, sizeof rotational, "%d", rotates != 0);
	sweep_add(out, &metrics[INFO], 1,
		SWEEP_LABELS("device", device, "major", major_text, "minor", minor_text, "model",
			f.model, "path", f.path, "revision", f.revision, "rotational", rotational,
			"serial", serial_of(&f), "wwn", f.wwn));
	add_layers(out, device, &f);
	add_ata(out, device, &f);
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
