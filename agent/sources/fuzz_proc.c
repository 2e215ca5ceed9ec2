/* SPDX-License-Identifier: Apache-2.0 */
/* The sources, on a machine where one file has the fuzzer's contents.
 *
 * The first byte chooses the file; the source that reads it runs twice, since
 * some remember what they read.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fenwatch/mem.h>

#include "documents.h"
#include "source.h"
#include "sweep.h"
#include "test_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
	const char *path, *source;
} files[] = {
	{"proc/net/arp", "arp"},
	{"proc/net/stat/nf_conntrack", "conntrack"},
	{"proc/stat", "cpu"},
	{"proc/sys/fs/file-nr", "descriptors"},
	{"proc/diskstats", "disk"},
	{"run/udev/data/b8:0", "disk"},
	{"proc/self/mountinfo", "filesystem"},
	{"recorded/statvfs", "filesystem"},
	{"proc/loadavg", "load"},
	{"proc/meminfo", "memory"},
	{"proc/net/snmp", "netstat"},
	{"proc/net/netstat", "netstat"},
	{"proc/net/snmp6", "netstat"},
	{"proc/net/dev", "network"},
	{"sys/class/net/eth0/flags", "network"},
	{"etc/os-release", "os"},
	{"etc/redhat-release", "os"},
	{"proc/pressure/io", "pressure"},
	{"proc/1/stat", "processes"},
	{"proc/schedstat", "schedstat"},
	{"proc/net/sockstat", "sockstat"},
	{"proc/net/softnet_stat", "softnet"},
	{"recorded/systemctl-show", "systemd"},
	{"recorded/systemctl-manager", "systemd"},
	{"proc/vmstat", "vmstat"},
	{"var/lib/dpkg/status", "packages"},
	{"proc/cpuinfo", "hardware"},
	{"proc/net/tcp6", "peers"},
	{"etc/services", "peers"},
	{"sys/block/sda/device/model", "hardware"},
	{"etc/fstab", "filesystem"},
	{"sys/class/hwmon/hwmon0/name", "hwmon"},
	{"sys/class/hwmon/hwmon0/temp1_label", "hwmon"},
	{"sys/class/hwmon/hwmon0/fan1_input", "hwmon"},
	{"sys/class/thermal/thermal_zone0/type", "thermal"},
	{"sys/class/power_supply/BAT0/model_name", "power"},
	{"proc/cpuinfo", "processors"},
	{"sys/devices/system/cpu/vulnerabilities/meltdown", "processors"},
	{"proc/interrupts", "interrupts"},
	{"proc/net/udp", "connections"},
	{"proc/net/tcp", "connections"},
	{"sys/class/net/bonding_masters", "bonding"},
	{"sys/class/net/bond0/bonding/slaves", "bonding"},
	{"etc/selinux/config", "selinux"},
	{"sys/devices/system/edac/mc/mc0/ce_count", "edac"},
	{"proc/sys/kernel/hung_task_detect_count", "hungtasks"},
	{"sys/class/dmi/id/product_name", "hardware"},
	{"proc/1/maps", "libraries"},
	{"proc/1/cgroup", "libraries"},
	{"etc/ufw/ufw.conf", "firewall"},
	{"recorded/smartctl/sda.json", "smart"},
	{"proc/mdstat", "md"},
	{"proc/spl/kstat/zfs/arcstats", "zfs"},
	{"proc/spl/kstat/zfs/tank/objset-0x36", "zfs"},
	{"etc/lvm/backup/vg0", "lvm"},
	{"sys/fs/btrfs/0abb23a9-579b-43e6-ad30-227ef47fcb9d/commit_stats", "btrfs"},
	{"recorded/btrfs", "btrfs"},
	{"run/systemd/sessions/2", "logins"},
	{"run/utmp", "logins"},
	{"proc/net/wireless", "wifi"},
	{"proc/net/fib_trie", "whereabouts"},
	{"proc/net/if_inet6", "whereabouts"},
	{"etc/resolv.conf", "whereabouts"},
	{"proc/self/mountinfo", "posture"},
	{"proc/swaps", "posture"},
	{"sys/dev/block/8:1/dm/uuid", "posture"},
	{"etc/dconf/db/local.d/00-lock", "posture"},
	{"etc/xdg/kscreenlockerrc", "posture"},
	{"textfile/a.prom", "textfile"},
	{"jobs/backup", "jobs"},
	{"recorded/systemctl-jobs", "jobs"},
	{"etc/ssl/localcerts/a.pem", "certificates"},
};
#define COUNT (sizeof files / sizeof files[0])

/* What must be there before a source looks at the file in question. */
static const struct {
	const char *path, *text;
} surroundings[] = {
	{"proc/sys/net/netfilter/nf_conntrack_count", "1\n"},
	{"proc/sys/net/netfilter/nf_conntrack_max", "2\n"},
	{"proc/diskstats", "8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n"},
	{"proc/self/mountinfo", "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n"},
	{"proc/net/snmp", "Udp: InErrors\nUdp: 1\n"},
	{"proc/net/netstat", "IpExt: InOctets\nIpExt: 1\n"},
	{"proc/net/dev", "a\nb\neth0: 1 2\n"},
	{"sys/class/net/eth0/address", "02:00:00:00:00:01\n"},
	{"recorded/systemctl-manager", "Version=252\n"},
	{"sys/block/sda/size", "8\n"},
	{"sys/block/sda/dev", "8:0\n"},
	{"proc/1/maps", "1-2 r-xp 0 08:01 9 /usr/lib/libc.so.6 (deleted)\n"},
	{"sys/block/md0/md/level", "raid1\n"},
	{"proc/spl/kstat/zfs/tank/state", "ONLINE\n"},
	{"sys/fs/btrfs/0abb23a9-579b-43e6-ad30-227ef47fcb9d/label", "\n"},
	{"sys/class/hwmon/hwmon0/name", "nct6779\n"},
	{"sys/class/thermal/thermal_zone0/temp", "47000\n"},
	{"sys/class/power_supply/BAT0/present", "1\n"},
	{"proc/cpuinfo", "processor\t: 0\n\n"},
	{"sys/class/net/bonding_masters", "bond0\n"},
	{"sys/class/net/bond0/lower_eth0/bonding_slave/mii_status", "up\n"},
	{"sys/fs/selinux/enforce", "1\n"},
	{"proc/net/tcp",
		"  0: 00000000:0016 00000000:0000 0A\n  1: 0100000A:0016 0200000A:8000 01\n"},
};

static char root[] = "/tmp/fenwatch-fuzz-XXXXXX";
static struct machine machine;

static void write_file(const char *path, const void *data, size_t size)
{
	if (test_put(root, path, data, size) < 0)
		abort();
}

static void write_surroundings(void)
{
	for (size_t i = 0; i < sizeof surroundings / sizeof surroundings[0]; i++)
		write_file(
			surroundings[i].path, surroundings[i].text, strlen(surroundings[i].text));
}

static void remove_machine(void)
{
	machine_close(&machine);
	test_remove_tree(root);
}

static const char *council[] = {"10.0.0.0/8", "2001:db8::/32", "example.gov.uk"};
static const struct choices choices = {
	.device = true, .council = {council, 3}, .textfile = "/textfile", .jobs = "/jobs"};

static void make_machine(void)
{
	struct fw_err err;
	if (!mkdtemp(root) || machine_open(&machine, root, &err) < 0)
		abort();
	machine.choices = &choices;
	write_surroundings();
	atexit(remove_machine);
}

static void read_twice(struct machine *m, const struct source *source, struct sweep *s)
{
	void *state = source->state_size ? fw_alloc(source->state_size) : NULL;
	struct fw_err err;
	for (int i = 0; i < 2; i++) {
		m->now_ms = 1795390000000 + i * 60000;
		struct fw_buf inventory = {0};
		m->documents = documents_new(NULL, source);
		sweep_begin(s, m->now_ms);
		source->read(state, m, s, &err);
		sweep_end(s);
		documents_finish(m->documents, m->now_ms, &inventory);
		documents_free(m->documents);
		m->documents = NULL;
		fw_buf_done(&inventory);
	}
	if (source->close)
		source->close(state);
	fw_free(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (!machine.root_path)
		make_machine();
	size_t file = data[0] % COUNT;
	write_file(files[file].path, data + 1, size - 1);
	struct sweep *s = sweep_new();
	for (size_t i = 0; sources[i]; i++)
		if (strcmp(sources[i]->name, files[file].source) == 0)
			read_twice(&machine, sources[i], s);
	sweep_free(s);
	unlinkat(machine.root, files[file].path, 0);
	write_surroundings();
	return 0;
}
