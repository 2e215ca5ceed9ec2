/* SPDX-License-Identifier: Apache-2.0 */
/* Disks, whether they sleep, and what smartctl says of them.
 *
 * A disk that sleeps is not woken and one that is idle not kept from going to sleep:
 * its power mode is looked at first, in the kernel's word for it, then with ATA's
 * CHECK POWER MODE or SCSI's REQUEST SENSE, neither of which touches the medium.
 * smartctl looks again by itself (-n), but before 7.3 not at SCSI disks, and without
 * its device type (-d) it sends commands that may wake. A solid-state disk that is
 * idle has nothing that turns and is read.
 */
#include "perform.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/hdreg.h>
#include <scsi/sg.h>
#include <sys/ioctl.h>

#include <fenwatch/file.h>

#include "../process.h"

#define PATH_BYTES 128
#define SENSE_BYTES 32
#define ASK_MS 8000

/* ---- the list ---- */

static bool has(struct machine *m, const char *name, const char *file)
{
	char path[PATH_BYTES];
	struct machine_file found;
	snprintf(path, sizeof path, "sys/block/%s/%s", name, file);
	return machine_stat(m, path, &found) == 0;
}

static bool says(struct machine *m, const char *name, const char *file, const char *word)
{
	char path[PATH_BYTES];
	const char *line;
	snprintf(path, sizeof path, "sys/block/%s/%s", name, file);
	return machine_read_line(m, path, &line) == 0 && strncmp(line, word, strlen(word)) == 0;
}

static bool is_on_usb(struct machine *m, const char *name)
{
	char path[PATH_BYTES], target[PATH_MAX];
	snprintf(path, sizeof path, "sys/block/%s", name);
	ssize_t length = readlinkat(m->root, path, target, sizeof target - 1);
	if (length < 0)
		return false;
	target[length] = '\0';
	return strstr(target, "/usb") != NULL;
}

static enum facts_bus bus_of(struct machine *m, const char *name)
{
	if (strncmp(name, "nvme", 4) == 0)
		return FACTS_NVME;
	if (is_on_usb(m, name))
		return FACTS_USB;
	return says(m, name, "device/vendor", "ATA") ? FACTS_ATA : FACTS_SCSI;
}

/* "nvme0n1"; not "nvme0c0n1", one path of several to it. */
static bool is_namespace(const char *name)
{
	size_t length = strspn(name + 4, "0123456789");
	return length > 0 && name[4 + length] == 'n' && isdigit((unsigned char)name[5 + length]);
}

/* Its controller is what answers, and has answered for the namespace before. */
static bool shares_controller(const struct facts_disks *disks, const char *name)
{
	size_t length = 5 + strspn(name + 4, "0123456789");
	for (size_t i = 0; i < disks->n; i++)
		if (strncmp(disks->disk[i].name, name, length) == 0)
			return true;
	return false;
}

static bool is_disk(struct machine *m, const char *name, const struct facts_disks *disks)
{
	if (strncmp(name, "nvme", 4) == 0)
		return is_namespace(name) && !shares_controller(disks, name);
	return strncmp(name, "sd", 2) == 0 && has(m, name, "device") &&
		!says(m, name, "removable", "1");
}

static bool read_number(struct machine *m, struct facts_disk *disk)
{
	char path[PATH_BYTES];
	struct fw_cursor c;
	uint64_t major, minor;
	snprintf(path, sizeof path, "sys/block/%s/dev", disk->name);
	if (machine_read(m, path, &c) < 0 || !fw_cut_u64(&c, &major) || major > UINT32_MAX ||
		!fw_cut_literal(&c, ":") || !fw_cut_u64(&c, &minor) || minor > UINT32_MAX)
		return false;
	disk->major = (uint32_t)major;
	disk->minor = (uint32_t)minor;
	return true;
}

static int on_block(struct machine *m, const char *name, void *arg)
{
	struct facts_disks *disks = arg;
	struct facts_disk disk = {.bus = FACTS_SCSI};
	if (disks->n == FACTS_DISKS_LIMIT || strlen(name) >= sizeof disk.name ||
		!is_disk(m, name, disks))
		return 0;
	snprintf(disk.name, sizeof disk.name, "%s", name);
	disk.bus = bus_of(m, name);
	if (read_number(m, &disk))
		disks->disk[disks->n++] = disk;
	return 0;
}

int disks_list(struct machine *m, struct facts_disks *out)
{
	out->n = 0;
	int rc = machine_list(m, "sys/block", on_block, out);
	return rc == -ENOENT ? 0 : rc;
}

/* ---- power ---- */

/* ATA8-ACS, CHECK POWER MODE: the count register. */
enum facts_power disk_power_of_ata(uint8_t count)
{
	if (count <= 0x01)
		return POWER_STANDBY;
	if (count >= 0x80 && count <= 0x83)
		return POWER_IDLE;
	return count == 0xff || count == 0x40 || count == 0x41 ? POWER_ACTIVE : POWER_UNKNOWN;
}

/* SPC-4, additional sense code 5Eh: which low power condition, in the qualifier. */
enum facts_power disk_power_of_scsi(const uint8_t *sense, size_t length)
{
	bool descriptors = length > 0 && (sense[0] & 0x7f) >= 0x72;
	size_t at = descriptors ? 2 : 12;
	if (length < at + 2)
		return POWER_UNKNOWN;
	if (sense[at] != 0x5e)
		return POWER_ACTIVE;
	switch (sense[at + 1]) {
	case 0x02:
	case 0x04:
	case 0x09:
	case 0x0a:
	case 0x43:
		return POWER_STANDBY;
	case 0x41:
		return POWER_ACTIVE;
	default:
		return POWER_IDLE;
	}
}

static enum facts_power ask_ata(int fd)
{
	uint8_t registers[4] = {WIN_CHECKPOWERMODE1};
	return ioctl(fd, HDIO_DRIVE_CMD, registers) < 0 ? POWER_UNKNOWN
							: disk_power_of_ata(registers[2]);
}

static enum facts_power ask_scsi(int fd)
{
	uint8_t command[6] = {0x03, 0, 0, 0, SENSE_BYTES}, answer[SENSE_BYTES] = {0}, sense[32];
	struct sg_io_hdr io = {
		.interface_id = 'S',
		.dxfer_direction = SG_DXFER_FROM_DEV,
		.cmd_len = sizeof command,
		.cmdp = command,
		.dxfer_len = sizeof answer,
		.dxferp = answer,
		.mx_sb_len = sizeof sense,
		.sbp = sense,
		.timeout = ASK_MS,
	};
	if (ioctl(fd, SG_IO, &io) < 0 || io.status || io.host_status || io.driver_status)
		return POWER_UNKNOWN;
	size_t unused = io.resid > 0 && io.resid <= SENSE_BYTES ? (size_t)io.resid : 0;
	return disk_power_of_scsi(answer, sizeof answer - unused);
}

/* To open a device that the kernel has suspended would wake it. */
static bool is_suspended(struct machine *m, const struct facts_disk *disk)
{
	return says(m, disk->name, "device/power/runtime_status", "suspended") ||
		says(m, disk->name, "device/device/power/runtime_status", "suspended");
}

int disk_power(struct machine *m, const struct facts_disk *disk, enum facts_power *out)
{
	char path[PATH_BYTES];
	*out = is_suspended(m, disk)      ? POWER_STANDBY
		: disk->bus == FACTS_NVME ? POWER_ACTIVE
					  : POWER_UNKNOWN;
	if (*out != POWER_UNKNOWN || m->recorded)
		return 0;
	snprintf(path, sizeof path, "dev/%s", disk->name);
	int fd = fw_openat(m->root, path, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0)
		return fd;
	*out = disk->bus == FACTS_ATA ? ask_ata(fd) : ask_scsi(fd);
	fw_close(fd);
	return 0;
}

/* ---- SMART ---- */

static int read_recorded(struct machine *m, const char *name, struct fw_buf *out)
{
	char path[PATH_BYTES];
	struct fw_cursor c;
	snprintf(path, sizeof path, "recorded/smartctl/%s.json", name);
	int rc = machine_read(m, path, &c);
	if (rc == 0)
		fw_buf_append(out, c.at, (size_t)(c.end - c.at));
	return rc == -ENOENT ? -ENOPKG : rc;
}

/* Its exit status is a set of bits, some of which speak of the disk: what it printed counts. */
static int run_smartctl(
	const char *smartctl, const struct facts_disk *disk, bool spins, struct fw_buf *out)
{
	static const char *const types[] = {
		[FACTS_ATA] = "--device=sat",
		[FACTS_SCSI] = "--device=scsi",
		[FACTS_NVME] = "--device=nvme",
		[FACTS_USB] = "--device=auto",
	};
	char path[PATH_BYTES];
	snprintf(path, sizeof path, "/dev/%s", disk->name);
	const char *argv[] = {smartctl, "--json=c", "--info", "--health", "--attributes",
		spins ? "--nocheck=idle" : "--nocheck=standby", types[disk->bus], path, NULL};
	int rc = process_output(argv, FACTS_ANSWER_LIMIT, out);
	if (rc < 0)
		return rc;
	return rc == 127 && out->length == 0 ? -ENOPKG : 0;
}

int disk_smart(
	struct machine *m, const char *smartctl, const struct facts_disk *disk, struct fw_buf *out)
{
	enum facts_power power;
	bool spins = !says(m, disk->name, "queue/rotational", "0");
	int rc = disk_power(m, disk, &power);
	if (rc < 0)
		return rc;
	if (power == POWER_STANDBY || (power == POWER_IDLE && spins))
		return -EHOSTDOWN;
	return smartctl ? run_smartctl(smartctl, disk, spins, out)
			: read_recorded(m, disk->name, out);
}
