/* SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"

#include <stdio.h>
#include <string.h>

#include <fenwatch/buf.h>

#define MINUTE_MS (60 * 1000)
#define DAY_S (24 * 3600.0)

const struct rule rules[RULES] = {
	{
		.name = "HostSilent",
		.help = "The host has missed so many of its intervals (the hold counts from when it "
			"was last heard). Look whether it is running, and whether it reaches the "
			"collector.",
		.severity = "critical",
		.kind = RULE_SILENCE,
		.identity = "job",
		.limits = {ABOVE, 2.5, 2.5, MINUTE_MS},
		.summary = "{instance} has gone silent",
	},
	{
		.name = "FilesystemAlmostFull",
		.help = "The share of the filesystem that is left for ordinary users. Delete or move "
			"what is not needed, or enlarge it.",
		.severity = "warning",
		.kind = RULE_SERIES,
		.metric = "node_filesystem_avail_bytes",
		.divisor = "node_filesystem_size_bytes",
		.unless = "node_filesystem_readonly",
		.identity = "mountpoint",
		.limits = {BELOW, 0.10, 0.12, MINUTE_MS},
		.summary = "{instance}: {mountpoint} has {percent} left",
	},
	{
		.name = "FilesystemInodesAlmostGone",
		.help = "The share of the filesystem's inodes that is left. Look for a directory with "
			"very many small files.",
		.severity = "warning",
		.kind = RULE_SERIES,
		.metric = "node_filesystem_files_free",
		.divisor = "node_filesystem_files",
		.unless = "node_filesystem_readonly",
		.identity = "mountpoint",
		.limits = {BELOW, 0.10, 0.12, MINUTE_MS},
		.summary = "{instance}: {mountpoint} has {percent} of its inodes left",
	},
	{
		.name = "FilesystemFullSoon",
		.help = "The filesystem has broken its high-water mark again and again, and fills "
			"within a week if that goes on; 'fenwatch disks HOST' says what that rests "
			"on. Find what grows, or enlarge it before then.",
		.severity = "warning",
		.kind = RULE_SERIES,
		.metric = "fenwatch_filesystem_fills_timestamp_seconds",
		.label = "bound",
		.value = "likely",
		.ahead = true,
		.identity = "mountpoint",
		.limits = {BELOW, 7 * DAY_S, 10 * DAY_S, 10 * MINUTE_MS},
		.summary = "{instance}: {mountpoint} fills in about {time}",
	},
	{
		.name = "FilesystemInodesGoneSoon",
		.help = "The same of the filesystem's inodes. Look for a directory with very many "
			"small files.",
		.severity = "warning",
		.kind = RULE_SERIES,
		.metric = "fenwatch_filesystem_inodes_gone_timestamp_seconds",
		.label = "bound",
		.value = "likely",
		.ahead = true,
		.identity = "mountpoint",
		.limits = {BELOW, 7 * DAY_S, 10 * DAY_S, 10 * MINUTE_MS},
		.summary = "{instance}: {mountpoint} has no inodes left in about {time}",
	},
	{
		.name = "DiskFailing",
		.help = "The disk's own SMART says that it fails, or an NVMe device warns. Copy what "
			"is on it and replace it.",
		.severity = "critical",
		.kind = RULE_SERIES,
		.metric = "smartmon_device_smart_healthy",
		.identity = "disk",
		.limits = {BELOW, 1, 1, 0},
		.summary = "{instance}: {disk} says that it is failing",
	},
	{
		.name = "FilesystemReadOnly",
		.help = "A filesystem that should be written is read-only: its disk has failed, or what is "
			"on it is damaged. The kernel's log says which; save what is there before trying "
			"to write again.",
		.severity = "critical",
		.kind = RULE_SERIES,
		.metric = "fenwatch_filesystem_readonly_since_timestamp_seconds",
		.identity = "mountpoint",
		.limits = {ABOVE, 0, 0, MINUTE_MS},
		.summary = "{instance}: {mountpoint} has become read-only",
	},
	{
		.name = "MountMissing",
		.help = "/etc/fstab wants it mounted, and it is not: what is written there now goes to the "
			"disk below. 'mount' and the journal say why.",
		.severity = "warning",
		.kind = RULE_SERIES,
		.metric = "node_fstab_mount_status",
		.identity = "mountpoint",
		.limits = {BELOW, 1, 1, 5 * MINUTE_MS},
		.summary = "{instance}: {mountpoint} is not mounted",
	},
	{
		.name = "MountNotAnswering",
		.help = "A question for its size is not answered: the server of a network filesystem, or the "
			"program behind a FUSE one, is gone. Whoever opens a file there waits too.",
		.severity = "warning",
		.kind = RULE_SERIES,
		.metric = "node_filesystem_device_error",
		.label = "device_error",
		.value = "mountpoint timeout",
		.identity = "mountpoint",
		.limits = {ABOVE, 0, 0, 2 * MINUTE_MS},
		.summary = "{instance}: {mountpoint} does not answer",
	},
	{
		.name = "ArrayDegraded",
		.help = "A software RAID works without so many of its disks: when the next one fails, data is "
			"lost. Replace the disk, or see that the array is being rebuilt.",
		.severity = "critical",
		.kind = RULE_SERIES,
		.metric = "node_md_degraded",
		.identity = "device",
		.limits = {ABOVE, 0, 0, MINUTE_MS},
		.summary = "{instance}: {device} lacks {value} of its disks",
	},
	{
		.name = "ArrayInactive",
		.help = "A software RAID has not been put together: too many of its disks are missing, or "
			"they do not agree. 'mdadm --detail' and --examine of its disks say more.",
		.severity = "critical",
		.kind = RULE_SERIES,
		.metric = "node_md_state",
		.label = "state",
		.value = "inactive",
		.identity = "device",
		.limits = {ABOVE, 0, 0, 2 * MINUTE_MS},
		.summary = "{instance}: {device} is not running",
	},
	{
		.name = "ArrayDiskFailed",
		.help = "A software RAID has given this disk up. Look what SMART says of it, and replace it.",
		.severity = "warning",
		.kind = RULE_SERIES,
		.metric = "fenwatch_md_disk_failed",
		.identity = "disk",
		.limits = {ABOVE, 0, 0, 0},
		.summary = "{instance}: {disk} of {device} has failed",
	},
	{
		.name = "PoolDegraded",
		.help = "A ZFS pool is not online: a disk is missing or faulty, or the pool is suspended. "
			"'zpool status' says which.",
		.severity = "critical",
		.kind = RULE_SERIES,
		.metric = "node_zfs_zpool_state",
		.label = "state",
		.value = "online",
		.identity = "zpool",
		.limits = {BELOW, 1, 1, MINUTE_MS},
		.summary = "{instance}: the pool {zpool} is not online",
	},
	{
		.name = "BtrfsDeviceMissing",
		.help = "A btrfs filesystem works without so many of its devices. 'btrfs filesystem show' says "
			"which; replace them.",
		.severity = "critical",
		.kind = RULE_SERIES,
		.metric = "fenwatch_btrfs_devices_missing",
		.identity = "uuid",
		.limits = {ABOVE, 0, 0, MINUTE_MS},
		.summary = "{instance}: the btrfs filesystem {uuid} lacks {value} of its devices",
	},
	{
		.name = "VolumeDeviceMissing",
		.help = "A logical volume lacks a device that it should lie on. 'lvs -a -o +devices' says "
			"which.",
		.severity = "critical",
		.kind = RULE_SERIES,
		.metric = "fenwatch_lvm_volume_faulty",
		.identity = "device",
		.limits = {ABOVE, 0, 0, MINUTE_MS},
		.summary = "{instance}: the logical volume {lv_name} of {vg_name} lacks a device",
	},
	{
		.name = "PathFailed",
		.help = "A device with several paths works without so many of them. 'multipath -ll' says "
			"which; look at the cable, the switch and the storage.",
		.severity = "warning",
		.kind = RULE_SERIES,
		.metric = "node_dmmultipath_device_paths_failed",
		.identity = "device",
		.limits = {ABOVE, 0, 0, 2 * MINUTE_MS},
		.summary = "{instance}: {device} lacks {value} of its paths",
	},
	{
		.name = "SecurityUpdatesPending",
		.help = "Security updates that the package lists offer and that are not installed.",
		.severity = "warning",
		.kind = RULE_SERIES,
		.metric = "apt_security_upgrades_pending",
		.limits = {ABOVE, 0, 0, 60 * MINUTE_MS},
		.summary = "{instance}: security updates pending: {value}",
	},
	{
		.name = "RebootRequired",
		.help = "An update asks for a restart of the machine before it is in force.",
		.severity = "warning",
		.kind = RULE_SERIES,
		.metric = "node_reboot_required",
		.limits = {ABOVE, 0, 0, 10 * MINUTE_MS},
		.summary = "{instance} needs a reboot",
	},
	{
		.name = "PatchOverdue",
		.help = "So many fixes that Cyber Essentials asks for within 14 days of their release "
			"are not in force: not installed, or waiting for a restart. 'fenwatch patches "
			"HOST' lists each with its due date. Install them and restart what they need.",
		.severity = "critical",
		.kind = RULE_SERIES,
		.metric = "fenwatch_patch_overdue",
		.label = "policy",
		.value = "ce14",
		.identity = "policy",
		.limits = {ABOVE, 0, 0, 5 * MINUTE_MS},
		.summary = "{instance}: fixes overdue: {value}{detail}",
	},
	{
		.name = "RebootOverdue",
		.help = "A restart of the machine has been required for so many days; until then its "
			"fixes are not in force. Plan the restart.",
		.severity = "warning",
		.kind = RULE_SERIES,
		.metric = "fenwatch_reboot_required_since_timestamp_seconds",
		.is_age = true,
		.identity = "detector",
		.limits = {ABOVE, 7, 7, MINUTE_MS},
		.summary = "{instance} has needed a reboot for {value} days (by its {detector})",
	},
	{
		.name = "OperatingSystemUnsupported",
		.help = "No more fixes come for its operating system. Upgrade it; or buy extended "
			"support and name the host in 'patches: {paid_support: [...]}'.",
		.severity = "critical",
		.kind = RULE_SERIES,
		.metric = "fenwatch_os_supported",
		.limits = {BELOW, 1, 1, 5 * MINUTE_MS},
		.summary = "{instance}: its operating system is past its support{detail}",
	},
	{
		.name = "PatchSourceUnproven",
		.help = "Its patch level cannot be told, so it counts as not compliant. See that its "
			"package lists are refreshed daily and can be read.",
		.severity = "warning",
		.kind = RULE_SERIES,
		.metric = "fenwatch_patch_proven",
		.limits = {BELOW, 1, 1, 60 * MINUTE_MS},
		.summary = "{instance}: its patch level is not proven{detail}",
	},
	{
		.name = "SystemdUnitFailed",
		.help = "A unit is in state failed. 'systemctl status' and the journal say why.",
		.severity = "warning",
		.kind = RULE_SERIES,
		.metric = "node_systemd_unit_state",
		.label = "state",
		.value = "failed",
		.identity = "name",
		.limits = {ABOVE, 0, 0, MINUTE_MS},
		.summary = "{instance}: {name} has failed",
	},
	{
		.name = "HostCloned",
		.help = "Two machines came with one certificate. The one that enrolled goes on; enrol "
			"the other anew.",
		.severity = "critical",
		.kind = RULE_RAISED,
		.limits = {ABOVE, 0, 0, 0},
		.summary = "{instance}: one identity on two machines",
	},
};

const struct rule *rule_find(const char *name)
{
	for (size_t i = 0; i < RULES; i++)
		if (strcmp(rules[i].name, name) == 0)
			return &rules[i];
	return NULL;
}

void rules_in_force(const struct alert_options *options, struct alert_rule_option out[RULES])
{
	for (size_t i = 0; i < RULES; i++)
		out[i] = (struct alert_rule_option){&rules[i], true, rules[i].limits};
	for (size_t i = 0; options && i < options->n_rules; i++)
		out[options->rules[i].rule - rules] = options->rules[i];
}

/* "5 days", "3 hours", "0 minutes" */
static void put_time(struct fw_buf *out, double seconds)
{
	if (seconds >= 2 * DAY_S)
		fw_buf_printf(out, "%.0f days", seconds / DAY_S);
	else if (seconds >= 2 * 3600)
		fw_buf_printf(out, "%.0f hours", seconds / 3600);
	else
		fw_buf_printf(out, "%.0f minutes", seconds > 0 ? seconds / 60 : 0);
}

static void fill_gap(struct fw_buf *out, const char *name, size_t length,
	const struct pairs *labels, double value, const char *detail)
{
	char copy[64];
	snprintf(copy, sizeof copy, "%.*s", (int)length, name);
	if (strcmp(copy, "value") == 0)
		fw_buf_printf(out, "%g", value);
	else if (strcmp(copy, "percent") == 0)
		fw_buf_printf(out, "%.1f %%", value * 100);
	else if (strcmp(copy, "time") == 0)
		put_time(out, value);
	else if (strcmp(copy, "detail") == 0)
		fw_buf_printf(out, "%s%s", *detail ? ": " : "", detail);
	else
		fw_buf_puts(out, pairs_get(labels, copy));
}

char *rule_summary(
	const struct rule *rule, const struct pairs *labels, double value, const char *detail)
{
	struct fw_buf out = {0};
	if (rule->is_age)
		value = (double)(int64_t)value;
	for (const char *at = rule->summary; *at;) {
		size_t plain = strcspn(at, "{");
		fw_buf_append(&out, at, plain);
		at += plain;
		if (*at == '\0')
			break;
		size_t gap = strcspn(at, "}");
		fill_gap(&out, at + 1, gap - 1, labels, value, detail);
		at += gap + 1;
	}
	char *text = fw_strdup((const char *)out.data);
	fw_buf_done(&out);
	return text;
}
