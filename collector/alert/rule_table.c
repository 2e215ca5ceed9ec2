/* SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"

#define MINUTE_MS (60 * 1000)
#define DAY_S (24 * 3600.0)

/* One certificate goes through several rules as its end comes near, and has one alert. */
#define CERTIFICATE_ENDS_WITHIN(days)                                                \
	.metric = "fenwatch_certificate_not_after_timestamp_seconds", .ahead = true, \
	.source = "certificates", .identity = "path",                                \
	.limits = {BELOW, (days)*DAY_S, (days)*DAY_S, 0}

/* A value that is four minutes old when it comes is past the five minutes that rule files look
 * back before the next one is there, where one comes every minute. */
#define CLOCK_IS_OFF .limits = {ABOVE, 240, 180, 5 * MINUTE_MS}

const struct rule rules[RULES] = {
	{
		.name = "HostSilent",
		.help = "The host has missed so many of its intervals (the hold counts from when it "
			"was last heard). Look whether it is running, and whether it reaches the "
			"collector.",
		.severity = "critical",
		.kind = RULE_SILENCE,
		.identity = "check",
		.identity_too = "job",
		.limits = {ABOVE, 2.5, 2.5, MINUTE_MS},
		.summary = "{instance} has gone silent",
	},
	{
		.name = "HostNeverHeard",
		.help = "The register has this host as live, and nothing was ever heard of it (the hold "
			"counts from when the register first said so, and its class has as long as for "
			"silence). Install its agent, or say in the register that it is planned.",
		.severity = "warning",
		.kind = RULE_RAISED,
		.limits = {ABOVE, 0, 0, MINUTE_MS},
		.summary = "{instance} was never heard",
	},
	{
		.name = "FilesystemAlmostFull",
		.help = "The share of the filesystem that is left for ordinary users. Delete or move "
			"what is not needed, or enlarge it.",
		.severity = "warning",
		.metric = "node_filesystem_avail_bytes",
		.source = "filesystem",
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
		.metric = "node_filesystem_files_free",
		.source = "filesystem",
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
		.metric = "smartmon_device_smart_healthy",
		.source = "smart",
		.outlasts = true,
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
		.metric = "fenwatch_filesystem_readonly_since_timestamp_seconds",
		.source = "filesystem",
		.identity = "mountpoint",
		.limits = {ABOVE, 0, 0, MINUTE_MS},
		.summary = "{instance}: {mountpoint} has become read-only",
	},
	{
		.name = "MountMissing",
		.help = "/etc/fstab wants it mounted, and it is not: what is written there now goes to the "
			"disk below. 'mount' and the journal say why.",
		.severity = "warning",
		.metric = "node_fstab_mount_status",
		.source = "filesystem",
		.identity = "mountpoint",
		.limits = {BELOW, 1, 1, 5 * MINUTE_MS},
		.summary = "{instance}: {mountpoint} is not mounted",
	},
	{
		.name = "MountNotAnswering",
		.help = "A question for its size is not answered: the server of a network filesystem, or the "
			"program behind a FUSE one, is gone. Whoever opens a file there waits too.",
		.severity = "warning",
		.metric = "node_filesystem_device_error",
		.source = "filesystem",
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
		.metric = "node_md_degraded",
		.source = "md|mdadm",
		.outlasts = true,
		.identity = "device",
		.limits = {ABOVE, 0, 0, MINUTE_MS},
		.summary = "{instance}: {device} lacks {value} of its disks",
	},
	{
		.name = "ArrayInactive",
		.help = "A software RAID has not been put together: too many of its disks are missing, or "
			"they do not agree. 'mdadm --detail' and --examine of its disks say more.",
		.severity = "critical",
		.metric = "node_md_state",
		.source = "md|mdadm",
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
		.metric = "fenwatch_md_disk_failed",
		.source = "md|mdadm",
		.identity = "disk",
		.limits = {ABOVE, 0, 0, 0},
		.summary = "{instance}: {disk} of {device} has failed",
	},
	{
		.name = "PoolDegraded",
		.help = "A ZFS pool is not online: a disk is missing or faulty, or the pool is suspended. "
			"'zpool status' says which.",
		.severity = "critical",
		.metric = "node_zfs_zpool_state",
		.source = "zfs",
		.outlasts = true,
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
		.metric = "fenwatch_btrfs_devices_missing",
		.source = "btrfs",
		.outlasts = true,
		.identity = "uuid",
		.limits = {ABOVE, 0, 0, MINUTE_MS},
		.summary = "{instance}: the btrfs filesystem {uuid} lacks {value} of its devices",
	},
	{
		.name = "VolumeDeviceMissing",
		.help = "A logical volume lacks a device that it should lie on. 'lvs -a -o +devices' says "
			"which.",
		.severity = "critical",
		.metric = "fenwatch_lvm_volume_faulty",
		.source = "lvm",
		.outlasts = true,
		.identity = "device",
		.limits = {ABOVE, 0, 0, MINUTE_MS},
		.summary = "{instance}: the logical volume {lv_name} of {vg_name} lacks a device",
	},
	{
		.name = "PathFailed",
		.help = "A device with several paths works without so many of them. 'multipath -ll' says "
			"which; look at the cable, the switch and the storage.",
		.severity = "warning",
		.metric = "node_dmmultipath_device_paths_failed",
		.source = "multipath|dmmultipath",
		.identity = "device",
		.limits = {ABOVE, 0, 0, 2 * MINUTE_MS},
		.summary = "{instance}: {device} lacks {value} of its paths",
	},
	{
		.name = "SecurityUpdatesPending",
		.help = "Security updates that the package lists offer and that are not installed. "
			"Work for the next patch night: no feed hears of it, PatchOverdue tells "
			"of what is late.",
		.severity = "warning",
		.late = "PatchOverdue",
		.metric = "fenwatch_patch_pending",
		.label = "class",
		.value = "security",
		.sums = true,
		.limits = {ABOVE, 0, 0, 60 * MINUTE_MS},
		.summary = "{instance}: security updates pending: {value}",
	},
	{
		.name = "RebootRequired",
		.help = "An update asks for a restart of the machine before it is in force. Work for "
			"the next patch night: no feed hears of it, RebootOverdue tells of what is "
			"late.",
		.severity = "warning",
		.late = "RebootOverdue",
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
		.is_work = true,
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
		.is_work = true,
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
		.is_work = true,
		.metric = "fenwatch_os_supported",
		.limits = {BELOW, 1, 1, 5 * MINUTE_MS},
		.summary = "{instance}: its operating system is past its support{detail}",
	},
	{
		.name = "PatchSourceUnproven",
		.help = "Its patch level cannot be told, so it counts as not compliant. See that its "
			"package lists are refreshed daily and can be read.",
		.severity = "warning",
		.is_work = true,
		.metric = "fenwatch_patch_proven",
		.limits = {BELOW, 1, 1, 60 * MINUTE_MS},
		.summary = "{instance}: its patch level is not proven{detail}",
	},
	{
		.name = "SystemdUnitFailed",
		.help = "A unit is in state failed. 'systemctl status' and the journal say why.",
		.severity = "warning",
		.metric = "node_systemd_unit_state",
		.source = "systemd",
		.label = "state",
		.value = "failed",
		.identity = "name",
		.limits = {ABOVE, 0, 0, MINUTE_MS},
		.summary = "{instance}: {name} has failed",
	},
	{
		.name = "CertificateRenewalDue",
		.help = "A certificate that is valid for years ends within 60 days: order the next one "
			"now, as that takes its time.",
		.severity = "info",
		.is_work = true,
		CERTIFICATE_ENDS_WITHIN(60),
		.label = "valid_for",
		.value = "years",
		.worse = "CertificateEndsSoon",
		.summary = "{instance}: the certificate {path} ends in {time}",
	},
	{
		.name = "CertificateEndsSoon",
		.help = "A certificate that is valid for years ends within 30 days. Renew it, and see "
			"that the service reads the new one.",
		.severity = "warning",
		CERTIFICATE_ENDS_WITHIN(30),
		.label = "valid_for",
		.value = "years",
		.worse = "CertificateEndsThisWeek",
		.summary = "{instance}: the certificate {path} ends in {time}",
	},
	{
		.name = "CertificateNotRenewed",
		.help = "A certificate that is valid for months is renewed by a program, weeks before "
			"it ends; 14 days before it, this one is not. The program's log says why.",
		.severity = "warning",
		CERTIFICATE_ENDS_WITHIN(14),
		.label = "valid_for",
		.value = "months",
		.worse = "CertificateEndsThisWeek",
		.summary =
			"{instance}: the certificate {path} has not been renewed and ends in {time}",
	},
	{
		.name = "CertificateEndsThisWeek",
		.help = "A certificate that is valid for longer than two weeks ends within 7 days. Renew "
			"it before the weekend.",
		.severity = "critical",
		CERTIFICATE_ENDS_WITHIN(7),
		.label = "valid_for",
		.value = "years|months",
		.worse = "CertificateEnds",
		.summary = "{instance}: the certificate {path} ends in {time}",
	},
	{
		.name = "CertificateEnds",
		.help = "A certificate ends within a day, or has ended: who checks it is turned away. "
			"Renew it, or delete it where nothing uses it.",
		.severity = "critical",
		CERTIFICATE_ENDS_WITHIN(1),
		.summary = "{instance}: the certificate {path} ends within a day, or has ended",
	},
	{
		.name = "CheckFailing",
		.help = "What is checked from outside (ping, TCP, TLS, HTTP, DNS) does not go well. "
			"'fenwatch events' says why, and 'fenwatch-check test NAME', on the machine "
			"that checks it, tries it anew.",
		.severity = "critical",
		.metric = "probe_success",
		.identity = "check",
		.limits = {BELOW, 1, 1, MINUTE_MS},
		.summary = "{instance}: the check {check} fails",
	},
	{
		.name = "CheckedCertificateEnds",
		.help = "The certificate that a server shows, or one of those that it sends with it, "
			"ends within 14 days. Renew it, and see that the server reads the new one.",
		.severity = "warning",
		.metric = "probe_ssl_earliest_cert_expiry",
		.ahead = true,
		.identity = "check",
		.limits = {BELOW, 14 * DAY_S, 14 * DAY_S, 0},
		.summary = "{instance}: a certificate that it shows ends in {time}",
	},
	{
		.name = "PluginWarning",
		.help = "A plugin of fenwatch-check warns; 'fenwatch events' has what it said.",
		.severity = "warning",
		.metric = "fenwatch_plugin_status",
		.identity = "check",
		.limits = {ABOVE, 0, 0, MINUTE_MS},
		.worse = "PluginCritical",
		.summary = "{instance}: the plugin of {check} warns",
	},
	{
		.name = "PluginCritical",
		.help = "A plugin of fenwatch-check calls something critical, or does not know how it "
			"is; 'fenwatch events' has what it said.",
		.severity = "critical",
		.metric = "fenwatch_plugin_status",
		.identity = "check",
		.limits = {ABOVE, 1, 1, MINUTE_MS},
		.summary = "{instance}: the plugin of {check} says critical, or unknown",
	},
	{
		.name = "WireAddressConflict",
		.help = "Two devices say that one address is theirs, so many times in ten minutes: what "
			"is sent to it reaches now one, now the other. 'fenwatch events --kind "
			"duplicate' names both; give one of them another address, or look for a "
			"second DHCP server.",
		.severity = "warning",
		.metric = "fenwatch_capture_recent_address_conflicts",
		.limits = {ABOVE, 1, 0, 0},
		.summary = "{instance}: on its network two devices have one address",
	},
	{
		.name = "WireArpStorm",
		.help = "So many seconds of the last ten minutes had more than 100 ARP requests. Look for "
			"a loop between switches, or a device that scans.",
		.severity = "warning",
		.metric = "fenwatch_capture_recent_arp_storm_seconds",
		.limits = {ABOVE, 30, 5, 0},
		.summary =
			"{instance}: a storm of ARP requests on its network ({value} s of ten minutes)",
	},
	{
		.name = "WireDhcpFailing",
		.help = "The share of devices that asked for an address in ten minutes and were offered "
			"none in 10 s, where most were before. Look at the DHCP server, its pool, and "
			"the relay on the router.",
		.severity = "warning",
		.metric = "fenwatch_capture_recent_dhcp_unanswered_ratio",
		.limits = {ABOVE, 0.50, 0.20, 5 * MINUTE_MS},
		.summary = "{instance}: on its network {percent} of DHCP requests have no answer",
	},
	{
		.name = "WireDnsFailing",
		.help = "The share of DNS queries in ten minutes that were answered with an error (other "
			"than \"no such name\"), or not in 5 s. fenwatch_capture_dns_failures_total and "
			"fenwatch_capture_dns_unanswered_total say of which server.",
		.severity = "warning",
		.metric = "fenwatch_capture_recent_dns_failed_ratio",
		.limits = {ABOVE, 0.10, 0.05, 10 * MINUTE_MS},
		.summary = "{instance}: on its network {percent} of DNS queries fail",
	},
	{
		.name = "WireRetransmissions",
		.help = "The share of TCP segments in ten minutes that were sent again: packets get lost, "
			"and whoever waits for them feels it. "
			"fenwatch_capture_tcp_retransmissions_total says of which service; look at the "
			"line and the ports on the way for errors and full queues.",
		.severity = "warning",
		.metric = "fenwatch_capture_recent_tcp_retransmitted_ratio",
		.limits = {ABOVE, 0.05, 0.03, 15 * MINUTE_MS},
		.summary = "{instance}: {percent} of TCP segments on its network are sent again",
	},
	{
		.name = "CaptureDropping",
		.help = "The share of packets in ten minutes that the kernel dropped as fenwatch-capture "
			"did not fetch them in time: what it counts is too low. Raise 'buffer' in "
			"capture.yml.",
		.severity = "info",
		.metric = "fenwatch_capture_recent_kernel_dropped_ratio",
		.limits = {ABOVE, 0.01, 0.001, 15 * MINUTE_MS},
		.summary = "{instance}: its capture misses {percent} of the packets",
	},
	{
		.name = "CaptureSampling",
		.help = "The share of conversations that fenwatch-capture looks into, as more would take "
			"more of the processor than it may: who seldom uses a service may be missed. "
			"Raise 'budget' in capture.yml.",
		.severity = "info",
		.metric = "fenwatch_capture_sampled_ratio",
		.limits = {BELOW, 0.25, 0.50, 60 * MINUTE_MS},
		.summary = "{instance}: its capture looks into {percent} of the conversations",
	},
	{
		.name = "JobFailed",
		.help = "A job of cron has left an exit status that is not 0. Its own log says why. (One "
			"of a systemd timer is SystemdUnitFailed.)",
		.severity = "warning",
		.metric = "fenwatch_job_ok",
		.source = "jobs",
		.label = "kind",
		.value = "stamp",
		.identity = "name",
		.limits = {BELOW, 1, 1, 0},
		.summary = "{instance}: the job {name} has failed",
	},
	{
		.name = "JobMissed",
		.help = "A job has not ended again by when it must have: its timer was stopped, it hangs, "
			"or cron does not start it.",
		.severity = "warning",
		.metric = "fenwatch_job_due_timestamp_seconds",
		.source = "jobs",
		.is_age = true,
		.identity = "name",
		.limits = {ABOVE, 0, 0, 10 * MINUTE_MS},
		.summary = "{instance}: the job {name} did not run when it was due",
	},
	{
		.name = "MemoryAlmostGone",
		.help = "The share of its memory that programs can still have. 'ps' and systemd-cgtop say "
			"who has the rest; restart or mend that, before the kernel kills something.",
		.severity = "warning",
		.metric = "node_memory_MemAvailable_bytes",
		.source = "memory|meminfo",
		.divisor = "node_memory_MemTotal_bytes",
		.limits = {BELOW, 0.05, 0.08, 15 * MINUTE_MS},
		.summary = "{instance} has {percent} of its memory left",
	},
	{
		.name = "LoadHigh",
		.help = "So many processes for each processor want to run, or wait for a disk, for half an "
			"hour. 'top' says which; a load without busy processors is a slow disk or mount.",
		.severity = "warning",
		.metric = "node_load15",
		.source = "load|loadavg",
		.per = "node_cpu_seconds_total",
		.per_mode = "idle",
		.limits = {ABOVE, 2, 1.5, 30 * MINUTE_MS},
		.summary = "{instance} has a load of {value} a processor",
	},
	{
		.name = "ClockWrong",
		.help = "Its clock is so many seconds from what its time servers say. What it writes has the "
			"wrong time, and logins may fail. 'chronyc tracking' or 'timedatectl "
			"timesync-status' say more.",
		.severity = "warning",
		.metric = "node_timex_offset_seconds",
		.source = "timex",
		.is_either_way = true,
		.limits = {ABOVE, 0.05, 0.03, 10 * MINUTE_MS},
		.summary = "{instance}: its clock is off by {value} s",
	},
	{
		.name = "ClockNotSynchronised",
		.help = "Nothing keeps its clock right: no time server answers, or no program asks one. See "
			"that chrony or systemd-timesyncd runs and reaches its servers.",
		.severity = "warning",
		.metric = "node_timex_sync_status",
		.source = "timex",
		.limits = {BELOW, 1, 1, 60 * MINUTE_MS},
		.summary = "{instance}: its clock is not synchronised",
	},
	{
		.name = "ClockBehind",
		.help = "What it sends has a time so many seconds before it comes. Rule files look back "
			"five minutes and find nothing of it, so none of their alerts fires, and its "
			"graphs have an end. Set its clock right: see that chrony or systemd-timesyncd "
			"runs and reaches its servers. Where many hosts say so at once, the collector's "
			"clock may be the wrong one.",
		.severity = "warning",
		.kind = RULE_BEHIND,
		CLOCK_IS_OFF,
		.summary = "{instance}: its clock is {time} behind the collector's",
	},
	{
		.name = "ClockAhead",
		.help = "What it sends has a time so many seconds after it comes. Rule files see it that "
			"much later; from ten minutes on it is kept under the time at which it came. "
			"Set its clock right: see that chrony or systemd-timesyncd runs and reaches its "
			"servers. Where many hosts say so at once, the collector's clock may be the "
			"wrong one.",
		.severity = "warning",
		.kind = RULE_AHEAD,
		CLOCK_IS_OFF,
		.summary = "{instance}: its clock is {time} ahead of the collector's",
	},
	{
		.name = "BatteryWorn",
		.help = "The share of what the battery held when it was new that it holds when it is full. "
			"Replace it before it is needed.",
		.severity = "info",
		.is_work = true,
		.metric = "node_power_supply_energy_full|node_power_supply_charge_full",
		.source = "power|powersupplyclass",
		.divisor =
			"node_power_supply_energy_full_design|node_power_supply_charge_full_design",
		.identity = "power_supply",
		.limits = {BELOW, 0.50, 0.55, 60 * MINUTE_MS},
		.summary = "{instance}: the battery {power_supply} holds {percent} of what it did",
	},
	{
		.name = "TemperatureHigh",
		.help = "The share of the temperature at which the part shuts itself off, or is damaged. Look "
			"at fans, dust and the room's cooling.",
		.severity = "warning",
		.metric = "node_hwmon_temp_celsius",
		.source = "hwmon",
		.divisor = "node_hwmon_temp_crit_celsius",
		.identity = "chip",
		.identity_too = "sensor",
		.limits = {ABOVE, 0.95, 0.90, 5 * MINUTE_MS},
		.summary =
			"{instance}: {sensor} of {chip} is at {percent} of its critical temperature",
	},
	{
		.name = "SpoolDropping",
		.help = "The agent was away for longer than its spool holds, and the oldest of what it had "
			"measured is lost. Raise 'spool: {max: ...}' in agent.yml, or mend its line.",
		.severity = "warning",
		.kind = RULE_RAISED,
		.limits = {ABOVE, 0, 0, 0},
		.summary = "{instance}: some of what it measured is lost",
	},
	{
		.name = "RingTooShort",
		.help = "A tier of the collector's ring will not reach as far back as it should at today's "
			"load. Raise its size in 'store:' of collector.yml.",
		.severity = "warning",
		.kind = RULE_RAISED,
		.limits = {ABOVE, 0, 0, 0},
		.summary = "the collector's ring is too short",
	},
	{
		.name = "SamplesRefused",
		.help = "The collector could not take some of what was sent to it: too many series, labels "
			"that cannot be stored, or times too far ahead or back. Its /metrics say which.",
		.severity = "warning",
		.kind = RULE_RAISED,
		.limits = {ABOVE, 0, 0, 0},
		.summary = "the collector refuses samples",
	},
	{
		.name = "RulesLate",
		.help = "Groups of rule files could not be evaluated when they were due: an expression takes "
			"too long. /api/v1/rules says how long each takes; record what is asked often.",
		.severity = "warning",
		.kind = RULE_RAISED,
		.limits = {ABOVE, 0, 0, 0},
		.summary = "rules are evaluated late",
	},
	{
		.name = "FeedFailing",
		.help = "A feed's receiver does not take notices. 'fenwatch feed list' says why; what waits "
			"is sent once it does, and 'fenwatch feed retry' sends what it refused.",
		.severity = "critical",
		.kind = RULE_RAISED,
		.identity = "feed",
		.limits = {ABOVE, 0, 0, 0},
		.summary = "the feed {feed} fails",
	},
	{
		.name = "CollectorCertificateEnds",
		.help = "The certificate of the collector's API, or its authority's, ends within 30 days. "
			"Renew 'api: {tls: {cert: ...}}' and reload the collector; of the authority, "
			"'fenwatch ca rollover'.",
		.severity = "warning",
		.kind = RULE_RAISED,
		.identity = "certificate",
		.limits = {ABOVE, 0, 0, 0},
		.summary = "the collector's certificate {certificate} ends soon",
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
	{
		.name = "DeviceClaimedTwice",
		.help = "An agent sends values of a device for which another agent speaks, or of a name "
			"that is a machine's with an agent of its own. They are refused. Take the "
			"device out of one of the two files, or give it another name; if nobody wrote "
			"it there, that agent's machine may be in other hands.",
		.severity = "warning",
		.kind = RULE_RAISED,
		.limits = {ABOVE, 0, 0, 0},
		.summary = "{instance} sends values of another agent's device",
	},
	{
		.name = "SiteUnreachable",
		.help = "Nothing of the site's links, or of nearly all its hosts, is heard. Its hosts are "
			"unobserved, and none of them is told of by itself. Look at the line.",
		.severity = "critical",
		.kind = RULE_RAISED,
		.identity = "site",
		.limits = {ABOVE, 0, 0, 60 * 1000},
		.summary = "the site {site} cannot be reached",
	},
	{
		.name = "AlertStorm",
		.help = "Many hosts have broken one rule at once. A few of them were told of; the "
			"others are held, for they may have one cause: fenwatch alerts lists them.",
		.severity = "critical",
		.kind = RULE_RAISED,
		.identity = "rule",
		.limits = {ABOVE, 0, 0, 0},
		.summary = "many alerts of {rule} are held",
	},
	{
		.name = "TicketBudgetSpent",
		.help = "More alerts fire than tickets were agreed for a day; what is beyond is held: "
			"fenwatch alerts lists it. Mend what makes the noise, or raise noise: in "
			"collector.yml.",
		.severity = "warning",
		.kind = RULE_RAISED,
		.identity = "budget",
		.limits = {ABOVE, 0, 0, 0},
		.summary = "the budget of tickets is spent: {budget}",
	},

	{
		.name = "TargetAtRisk",
		.help = "Four fifths of the time that was agreed for a ticket are gone, or all of "
			"it; see 'fenwatch tickets'.",
		.severity = "info",
		.kind = RULE_RAISED,
		.is_aside = true,
		.limits = {ABOVE, 0, 0, 0},
		.summary = "{instance}: a ticket's target is near",
	},
};
