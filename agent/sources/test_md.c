/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays as kernels from 2.6 to 6.12 print them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test_source.h"

extern const struct source source_md;

static int setup(void **state)
{
	(void)state;
	test_open(&source_md);
	return 0;
}

static void test_none(void **state)
{
	(void)state;
	assert_int_equal(test_read(0), -ENODATA);
	test_file("proc/mdstat", "Personalities : [raid1] \nunused devices: <none>\n");
	assert_int_equal(test_read(0), 0);
	assert_int_equal(test_count("node_md_state"), 0);
	assert_int_equal(test_count("fenwatch_md_disk_failed"), 0);
}

static void test_healthy(void **state)
{
	(void)state;
	test_file("proc/mdstat",
		"Personalities : [raid1] [raid6] [raid5] [raid4] \n"
		"md0 : active raid1 sdb1[1] sda1[0]\n"
		"      1047552 blocks super 1.2 [2/2] [UU]\n"
		"      bitmap: 0/1 pages [0KB], 65536KB chunk\n"
		"\n"
		"md127 : active (auto-read-only) raid0 sdd[1] sdc[0]\n"
		"      314159265 blocks 64k chunks\n"
		"      \n"
		"unused devices: <none>\n");
	test_file("sys/block/md0/dev", "9:0\n");
	test_file("sys/block/md0/md/level", "raid1\n");
	test_file("sys/block/md0/md/metadata_version", "1.2\n");
	test_file("sys/block/md0/md/raid_disks", "2\n");
	test_file("sys/block/md0/md/degraded", "0\n");
	test_file("sys/block/md0/md/dev-sda1/slot", "0\n");
	test_file("sys/block/md0/md/dev-sda1/state", "in_sync\n");
	test_file("run/udev/data/b9:0", "I:1\nE:MD_LEVEL=raid1\nE:MD_DEVNAME=boot\n");
	test_read(0);
	test_expect("node_md_state{device=\"md0\",state=\"active\"}", "1");
	test_expect("node_md_state{device=\"md0\",state=\"recovering\"}", "0");
	test_expect("node_md_disks{device=\"md0\",state=\"active\"}", "2");
	test_expect("node_md_disks{device=\"md0\",state=\"failed\"}", "0");
	test_expect("node_md_disks_required{device=\"md0\"}", "2");
	test_expect("node_md_blocks{device=\"md0\"}", "1047552");
	test_expect("node_md_blocks_synced{device=\"md0\"}", "1047552");
	test_expect("node_md_raid_disks{device=\"md0\"}", "2");
	test_expect("node_md_degraded{device=\"md0\"}", "0");
	test_expect("node_md_info{md_device=\"md0\",md_metadata_version=\"1.2\",md_name=\"boot\","
		    "raid_level=\"1\"}",
		"1");
	test_expect("node_md_disk_info{disk_device=\"sda1\",md_device=\"md0\"}", "1");
	test_expect("node_md_state{device=\"md127\",state=\"active\"}", "1");
	test_expect("node_md_disks{device=\"md127\",state=\"active\"}", "2");
	test_expect("node_md_disks_required{device=\"md127\"}", "2");
	test_expect("node_md_blocks{device=\"md127\"}", "314159265");
}

static void test_rebuilding(void **state)
{
	(void)state;
	test_file("proc/mdstat",
		"Personalities : [raid6] [raid5] [raid4] \n"
		"md2 : active raid5 sde1[4] sdd1[3](F) sdc1[1] sdb1[0] sdf1[5](S)\n"
		"      585890304 blocks super 1.2 level 5, 512k chunk, algorithm 2 [3/2] [UU_]\n"
		"      [==>..................]  recovery = 12.6% (37043392/292945152) "
		"finish=127.5min speed=33440K/sec\n"
		"      bitmap: 2/3 pages [8KB], 65536KB chunk\n"
		"\n"
		"md3 : active raid1 sdg1[0] sdh1[1]\n"
		"      976630336 blocks super 1.2 [2/2] [UU]\n"
		"      \tresync=PENDING\n"
		"\n"
		"md4 : active raid10 sdi1[0] sdj1[1]\n"
		"      100 blocks 2 near-copies [2/2] [UU]\n"
		"      [>....................]  check =  5.0% (5/100) finish=1.0min speed=1K/sec\n"
		"\n"
		"md5 : inactive sdk1[2](S) sdl1[1](S)\n"
		"      1953260 blocks super 1.2\n"
		"       \n"
		"md6 : broken raid0 sdm[0] sdn[1]\n"
		"      200 blocks super 1.2 512k chunks\n"
		"\n"
		"unused devices: <none>\n");
	test_read(0);
	test_expect("node_md_state{device=\"md2\",state=\"recovering\"}", "1");
	test_expect("node_md_state{device=\"md2\",state=\"active\"}", "0");
	test_expect("node_md_disks{device=\"md2\",state=\"active\"}", "2");
	test_expect("node_md_disks{device=\"md2\",state=\"failed\"}", "1");
	test_expect("node_md_disks{device=\"md2\",state=\"spare\"}", "1");
	test_expect("node_md_disks_required{device=\"md2\"}", "3");
	test_expect("node_md_blocks_synced{device=\"md2\"}", "37043392");
	test_expect("fenwatch_md_disk_failed{device=\"md2\",disk=\"sdd1\"}", "1");
	test_expect("fenwatch_md_disk_failed{device=\"md2\",disk=\"sdc1\"}", "0");
	test_expect("node_md_state{device=\"md3\",state=\"resync\"}", "1");
	test_expect("node_md_blocks_synced{device=\"md3\"}", "0");
	test_expect("node_md_state{device=\"md4\",state=\"check\"}", "1");
	test_expect("node_md_blocks_synced{device=\"md4\"}", "5");
	test_expect("node_md_state{device=\"md5\",state=\"inactive\"}", "1");
	test_expect("node_md_disks{device=\"md5\",state=\"active\"}", "0");
	test_expect("node_md_disks_required{device=\"md5\"}", "0");
	test_expect("node_md_disks{device=\"md5\",state=\"spare\"}", "2");
	test_expect("node_md_state{device=\"md6\",state=\"active\"}", "0");
	test_expect("node_md_state{device=\"md6\",state=\"inactive\"}", "0");
}

/* Copies of a raid10 with two sets; a disk that is not in sync belongs to neither. */
static void test_sets(void **state)
{
	(void)state;
	test_file("proc/mdstat", "md0 : active raid10 sdb[1] sda[0]\n      8 blocks [2/2] [UU]\n");
	test_file("sys/block/md0/md/level", "raid10\n");
	test_file("sys/block/md0/md/layout", "131330\n"); /* 0x20102 */
	test_file("sys/block/md0/md/raid_disks", "2\n");
	test_file("sys/block/md0/md/dev-sda/slot", "0\n");
	test_file("sys/block/md0/md/dev-sda/state", "in_sync\n");
	test_file("sys/block/md0/md/dev-sdb/slot", "1\n");
	test_file("sys/block/md0/md/dev-sdb/state", "in_sync\n");
	test_file("sys/block/md0/md/dev-sdc/slot", "none\n");
	test_file("sys/block/md0/md/dev-sdc/state", "spare\n");
	test_read(0);
	test_expect("node_md_disk_info{disk_device=\"sda\",md_device=\"md0\",md_set=\"A\"}", "1");
	test_expect("node_md_disk_info{disk_device=\"sdb\",md_device=\"md0\",md_set=\"B\"}", "1");
	assert_int_equal(test_count("node_md_disk_info"), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_none, setup, test_close),
		cmocka_unit_test_setup_teardown(test_healthy, setup, test_close),
		cmocka_unit_test_setup_teardown(test_rebuilding, setup, test_close),
		cmocka_unit_test_setup_teardown(test_sets, setup, test_close),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
