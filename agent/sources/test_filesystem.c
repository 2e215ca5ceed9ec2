/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts by the thousand, mounts that are missing, and filesystems that went read-only. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/mem.h>

#include "mounts.h"
#include "test_source.h"

#define T0_MS INT64_C(1795390000000)

extern const struct source source_filesystem;

static int setup(void **state)
{
	(void)state;
	test_open(&source_filesystem);
	return 0;
}

static void write_mounts(const struct fw_buf *lines)
{
	test_file("proc/1/mountinfo", (const char *)lines->data);
}

static void put_mount(struct fw_buf *out, unsigned n, const char *device, const char *mountpoint,
	const char *type)
{
	fw_buf_printf(out, "%u 1 8:%u / %s rw,relatime shared:1 - %s %s rw\n", n, n, mountpoint,
		type, device);
}

/* 2,000 mounts: what fstab names and the disks are all there, however late they were
 * mounted; then what others serve, oldest first; of what is in memory nothing is left. */
static void test_two_thousand(void **state)
{
	(void)state;
	struct fw_buf lines = {0};
	for (unsigned i = 0; i < 1000; i++) {
		char pod[64], home[64];
		snprintf(pod, sizeof pod, "/var/lib/kubelet/pods/%u", i);
		snprintf(home, sizeof home, "/home/%u", i);
		put_mount(&lines, i, "tmpfs", pod, "tmpfs");
		if (i < 899)
			put_mount(&lines, i, "nas:/home", home, "nfs4");
	}
	for (unsigned i = 0; i < 100; i++) {
		char disk[64];
		snprintf(disk, sizeof disk, "/srv/disk%u", i);
		put_mount(&lines, i, "/dev/sdb", disk, "xfs");
	}
	put_mount(&lines, 1, "tmpfs", "/srv/scratch", "tmpfs");
	test_file("etc/fstab", "tmpfs /srv/scratch tmpfs size=1g 0 0\n");
	write_mounts(&lines);
	assert_int_equal(test_read(T0_MS), 0);
	assert_int_equal(test_count("node_filesystem_mount_info"), 400);
	test_expect("fenwatch_filesystem_mounts_left_out", "1600");
	assert_true(test_has("node_filesystem_readonly{device=\"tmpfs\",fstype=\"tmpfs\","
			     "mountpoint=\"/srv/scratch\"}"));
	assert_true(test_has("node_filesystem_readonly{device=\"/dev/sdb\",fstype=\"xfs\","
			     "mountpoint=\"/srv/disk99\"}"));
	assert_true(test_has("node_filesystem_readonly{device=\"nas:/home\",fstype=\"nfs4\","
			     "mountpoint=\"/home/298\"}"));
	assert_false(test_has("node_filesystem_readonly{device=\"nas:/home\",fstype=\"nfs4\","
			      "mountpoint=\"/home/299\"}"));
	assert_int_equal(test_count("node_fstab_mount_status"), 1);
	fw_buf_done(&lines);
}

/* Which 400 they are does not change when a later one comes; when one goes, one follows. */
static void test_the_same_ones_stay(void **state)
{
	(void)state;
	struct fw_buf lines = {0};
	for (unsigned i = 0; i < 401; i++) {
		char disk[64];
		snprintf(disk, sizeof disk, "/srv/disk%u", i);
		put_mount(&lines, i, "/dev/sdb", disk, "xfs");
	}
	write_mounts(&lines);
	test_read(T0_MS);
	assert_false(test_has("node_filesystem_readonly{device=\"/dev/sdb\",fstype=\"xfs\","
			      "mountpoint=\"/srv/disk400\"}"));
	const char *second = strchr((const char *)lines.data, '\n') + 1;
	test_file("proc/1/mountinfo", second);
	test_read(T0_MS + 15000);
	assert_true(test_has("node_filesystem_readonly{device=\"/dev/sdb\",fstype=\"xfs\","
			     "mountpoint=\"/srv/disk400\"}"));
	test_expect("fenwatch_filesystem_mounts_left_out", "0");
	fw_buf_done(&lines);
}

static void test_missing_mounts(void **state)
{
	(void)state;
	test_file("etc/fstab",
		"# what should be there\n"
		"\n"
		"UUID=1 / ext4 errors=remount-ro 0 1\n"
		"UUID=2 none swap sw 0 0\n"
		"UUID=3 swap swap sw 0 0\n"
		"/dev/sdc1 /media/usb vfat noauto,user 0 0\n"
		"nas:/a /net/lazy nfs4 noauto,x-systemd.automount 0 0\n"
		"nas:/b /net/unarmed nfs4 x-systemd.automount,_netdev 0 0\n"
		"/srv/data /export/my\\040data none bind 0 0\n"
		"/srv/data /export/gone none bind,nofail 0 0\n"
		"UUID=4 /home/ xfs defaults\n"
		"tmpfs /var/run/app tmpfs defaults\n"
		"UUID=5\n");
	test_file("proc/1/mountinfo",
		"20 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
		"21 20 0:40 / /net/lazy rw shared:1 - autofs systemd-1 rw,direct\n"
		"22 20 8:1 /srv/data /export/my\\040data rw shared:1 - ext4 /dev/sda1 rw\n"
		"23 20 8:4 / /home rw shared:1 - xfs /dev/sda4 rw\n"
		"24 20 0:41 / /run/app rw shared:1 - tmpfs tmpfs rw\n");
	test_read(T0_MS);
	test_expect("node_fstab_mount_status{mountpoint=\"/\"}", "1");
	test_expect("node_fstab_mount_status{mountpoint=\"/net/lazy\"}", "1");
	test_expect("node_fstab_mount_status{mountpoint=\"/net/unarmed\"}", "0");
	test_expect("node_fstab_mount_status{mountpoint=\"/export/my data\"}", "1");
	test_expect("node_fstab_mount_status{mountpoint=\"/export/gone\"}", "0");
	test_expect("node_fstab_mount_status{mountpoint=\"/home\"}", "1");
	test_expect("node_fstab_mount_status{mountpoint=\"/run/app\"}", "1");
	assert_int_equal(test_count("node_fstab_mount_status"), 7);
}

#define SINCE "fenwatch_filesystem_readonly_since_timestamp_seconds"
#define ROOT "{device=\"/dev/sda1\",fstype=\"ext4\",mountpoint=\"/\"}"
#define SRV "{device=\"/dev/sdb1\",fstype=\"xfs\",mountpoint=\"/srv\"}"
#define DVD "{device=\"/dev/sdd1\",fstype=\"vfat\",mountpoint=\"/mnt/ro\"}"

/* Read-only is a fault where fstab wants it written, and where the kernel has forced it
 * on a disk that fstab does not name; never where it was asked for. */
static void test_read_only(void **state)
{
	(void)state;
	test_file("etc/fstab",
		"/dev/sda1 / ext4 errors=remount-ro 0 1\n"
		"/dev/sdd1 /mnt/ro vfat ro,noauto 0 0\n");
	test_file("proc/1/mountinfo",
		"20 1 8:1 / / rw - ext4 /dev/sda1 rw,errors=remount-ro\n"
		"21 1 8:17 / /srv rw - xfs /dev/sdb1 rw\n"
		"22 1 8:49 / /mnt/ro ro - vfat /dev/sdd1 ro\n"
		"23 1 0:30 / /run rw - tmpfs tmpfs rw\n");
	test_read(T0_MS);
	test_expect(SINCE ROOT, "0");
	test_expect(SINCE SRV, "0");
	test_expect(SINCE DVD, "0");
	test_expect("node_filesystem_readonly" DVD, "1");
	assert_int_equal(test_count(SINCE), 3); /* not of what is in memory */

	test_file("proc/1/mountinfo",
		"20 1 8:1 / / ro - ext4 /dev/sda1 ro,errors=remount-ro\n"
		"21 1 8:17 / /srv rw - xfs /dev/sdb1 ro\n"
		"22 1 8:49 / /mnt/ro ro - vfat /dev/sdd1 ro\n");
	test_read(T0_MS + 15000);
	test_read(T0_MS + 30000);
	test_expect(SINCE ROOT, "1795390015");
	test_expect(SINCE SRV, "1795390015");
	test_expect(SINCE DVD, "0");

	test_file("proc/1/mountinfo",
		"20 1 8:1 / / rw - ext4 /dev/sda1 rw,errors=remount-ro\n"
		"21 1 8:17 / /srv rw - xfs /dev/sdb1 ro\n");
	test_read(T0_MS + 45000);
	test_expect(SINCE ROOT, "0");
	test_expect(SINCE SRV, "1795390015");
}

static void expect_fstab(const char *text, const char *mountpoint)
{
	struct fw_cursor line = {text, text + strlen(text)};
	struct fstab_line out;
	bool cut = fstab_cut(&line, &out);
	assert_int_equal(cut, mountpoint != NULL);
	if (mountpoint)
		assert_string_equal(out.mountpoint, mountpoint);
}

static void test_lines_of_fstab(void **state)
{
	(void)state;
	expect_fstab("/dev/sda1\t/\text4", "/");
	expect_fstab("  /dev/sda1 /srv/// ext4 ro", "/srv");
	expect_fstab("a /a\\134b x", "/a\\b");
	expect_fstab("a // x", "/");
	expect_fstab("a /var/run/x tmpfs", "/run/x");
	expect_fstab("  # /dev/sda1 / ext4", NULL);
	expect_fstab("/dev/sda1 /", NULL);
	expect_fstab("proc none proc", NULL);
	char long_path[PATH_BYTES + 32];
	memset(long_path, 'a', sizeof long_path);
	memcpy(long_path, "x /", 3);
	memcpy(long_path + sizeof long_path - 6, " ext4", 6);
	expect_fstab(long_path, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_two_thousand, setup, test_close),
		cmocka_unit_test_setup_teardown(test_the_same_ones_stay, setup, test_close),
		cmocka_unit_test_setup_teardown(test_missing_mounts, setup, test_close),
		cmocka_unit_test_setup_teardown(test_read_only, setup, test_close),
		cmocka_unit_test(test_lines_of_fstab),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
