/* SPDX-License-Identifier: Apache-2.0 */
/* How well a machine is guarded against who holds it in his hands. */
#include "parse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "encryption.h"
#include "mounts.h"
#include "screenlock.h"

enum { ENCRYPTED, SECURE_BOOT, TPM, LOCK_ENABLED, LOCK_ENFORCED, LOCK_IDLE };

static const struct metric metrics[] = {
	[ENCRYPTED] = {"fenwatch_disk_encrypted", FW_GAUGE, "",
		"Whether what is mounted at '/' and '/home', and swap, lies on dm-crypt (LUKS) all "
		"the way down. What a disk encrypts by itself cannot be seen and counts as 0.",
		0, 1},
	[SECURE_BOOT] = {"fenwatch_secure_boot_enabled", FW_GAUGE, "",
		"Whether the firmware starts only what is signed.", 0, 1},
	[TPM] = {"fenwatch_tpm_version", FW_GAUGE, "",
		"Major version of the trusted platform module; 0: there is none.", 0, 1},
	[LOCK_ENABLED] = {"fenwatch_screen_lock_enabled", FW_GAUGE, "",
		"Whether the system's policy locks the screen when nobody is there; no value where "
		"it has none that can be read.",
		0, 1},
	[LOCK_ENFORCED] = {"fenwatch_screen_lock_enforced", FW_GAUGE, "",
		"Whether the policy forbids a user to turn the lock off.", 0, 1},
	[LOCK_IDLE] = {"fenwatch_screen_lock_idle_seconds", FW_GAUGE, "seconds",
		"How long nobody may be there until the screen is blanked, by the policy.", 0, 1},
};

/* ---- encryption ---- */

struct volume {
	const char *name;
	char device[PATH_BYTES + 32]; /* its folder below /sys; "": not there */
};

struct mapper {
	const char *name;
	struct volume *volume;
};

static int on_mapped(struct machine *m, const char *block, void *arg)
{
	const struct mapper *mapper = arg;
	char path[128];
	const char *name;
	if (strncmp(block, "dm-", 3) != 0)
		return 0;
	snprintf(path, sizeof path, "sys/class/block/%.64s/dm/name", block);
	if (machine_read_line(m, path, &name) == 0 && strcmp(name, mapper->name) == 0)
		snprintf(mapper->volume->device, sizeof mapper->volume->device,
			"sys/class/block/%.64s", block);
	return 0;
}

/* "/dev/mapper/NAME" is a link that /sys does not have; the device tells its name itself. */
static void find_by_name(struct machine *m, const char *device, struct volume *volume)
{
	struct fw_cursor c = {device, device + strlen(device)};
	if (fw_cut_literal(&c, "/dev/mapper/"))
		machine_list(m, "sys/class/block", on_mapped, &(struct mapper){c.at, volume});
	else if (fw_cut_literal(&c, "/dev/"))
		snprintf(volume->device, sizeof volume->device, "sys/class/block/%s", c.at);
}

/* The last one mounted there is seen; btrfs and the like have a number of their own,
 * whose major is 0. */
static void find_mounted(struct machine *m, struct volume *volume)
{
	struct fw_cursor c, line;
	struct mount mount, last = {0};
	int rc = machine_read(m, "proc/1/mountinfo", &c);
	if (rc < 0)
		rc = machine_read(m, "proc/self/mountinfo", &c);
	while (rc == 0 && fw_cut_line(&c, &line))
		if (mount_cut(&line, &mount) && strcmp(mount.mountpoint, volume->name) == 0)
			last = mount;
	if (last.major != 0)
		snprintf(volume->device, sizeof volume->device, "sys/dev/block/%llu:%llu",
			(unsigned long long)last.major, (unsigned long long)last.minor);
	else
		find_by_name(m, last.device, volume);
}

/* The first area on a device: "/dev/dm-1  partition  8388604  0  -2". One in a file lies
 * on a filesystem, and zram in memory. */
static void find_swap(struct machine *m, struct volume *volume)
{
	struct fw_cursor c, line;
	char device[NAME_BYTES];
	if (machine_read(m, "proc/swaps", &c) < 0)
		return;
	while (!volume->device[0] && fw_cut_line(&c, &line))
		if (fw_cut_literal(&line, "/dev/") && cut_name(&line, ' ', device, sizeof device) &&
			strncmp(device, "zram", 4) != 0)
			snprintf(volume->device, sizeof volume->device, "sys/class/block/%s",
				device);
}

static void add_volume(struct machine *m, struct sweep *out, const struct volume *volume)
{
	int encrypted = volume->device[0] ? encryption_of(m, volume->device) : -ENOENT;
	if (encrypted >= 0)
		sweep_add(
			out, &metrics[ENCRYPTED], encrypted, SWEEP_LABELS("volume", volume->name));
}

static void add_encryption(struct machine *m, struct sweep *out)
{
	struct volume root = {.name = "/"}, home = {.name = "/home"}, swap = {.name = "swap"};
	find_mounted(m, &root);
	find_mounted(m, &home);
	find_swap(m, &swap);
	add_volume(m, out, &root);
	add_volume(m, out, &home);
	add_volume(m, out, &swap);
}

/* ---- firmware ---- */

static bool is_there(struct machine *m, const char *path)
{
	struct machine_file file;
	return machine_stat(m, path, &file) == 0;
}

/* Four bytes of attributes, then the value. Without EFI there is none of it. */
static void add_secure_boot(struct machine *m, struct sweep *out)
{
	struct fw_cursor c;
	int rc = machine_read(
		m, "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", &c);
	if (rc == 0 && c.end - c.at == 5)
		sweep_add_plain(out, &metrics[SECURE_BOOT], c.at[4] == 1);
	else if (is_there(m, "sys/firmware") && !is_there(m, "sys/firmware/efi"))
		sweep_add_plain(out, &metrics[SECURE_BOOT], 0);
}

/* Kernels before 5.6 do not tell the version; 2.0 has no file "caps" there. */
static void add_tpm(struct machine *m, struct sweep *out)
{
	int64_t version;
	if (!is_there(m, "sys/class/block"))
		return;
	if (!is_there(m, "sys/class/tpm/tpm0"))
		version = 0;
	else if (machine_read_i64(m, "sys/class/tpm/tpm0/tpm_version_major", &version) < 0)
		version = is_there(m, "sys/class/tpm/tpm0/device/caps") ? 1 : 2;
	sweep_add_plain(out, &metrics[TPM], version);
}

static void add_screen_lock(struct machine *m, struct sweep *out)
{
	struct screen_lock lock;
	screen_lock_read(m, &lock);
	if (lock.known) {
		sweep_add_plain(out, &metrics[LOCK_ENABLED], lock.enabled);
		sweep_add_plain(out, &metrics[LOCK_ENFORCED], lock.enforced);
	}
	if (lock.idle_s >= 0)
		sweep_add_plain(out, &metrics[LOCK_IDLE], lock.idle_s);
}

static int read_posture(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	(void)err;
	add_encryption(m, out);
	add_secure_boot(m, out);
	add_tpm(m, out);
	add_screen_lock(m, out);
	return 0;
}

const struct source source_posture = {
	.name = "posture",
	.help = "Disk encryption, Secure Boot, TPM, and the policy for locking the screen.",
	.purpose = "What a lost or stolen machine gives away.",
	.reads = "/proc/1/mountinfo, /proc/swaps, /sys/dev/block, /sys/class/block, "
		 "/sys/firmware/efi, /sys/class/tpm, /etc/dconf/db, /etc/xdg/kscreenlockerrc",
	.slow = true,
	.every_s = 600,
	.timeout_s = 20,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_posture,
};
