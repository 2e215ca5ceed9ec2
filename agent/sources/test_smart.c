/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that falls asleep goes on being told of, with the date of what it said; one that
 * does not answer takes nothing from the others. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/buf.h>

#include "smart.h"
#include "test_source.h"

#define T0_MS INT64_C(1795390000000)
#define SUSPENDED "sys/block/sda/device/power/runtime_status"

extern const struct source source_smart;

static int setup(void **state)
{
	(void)state;
	test_open(&source_smart);
	test_keep_data();
	test_file("sys/block/sda/dev", "8:0\n");
	test_file("sys/block/sda/device/vendor", "ATA\n");
	test_file("sys/block/sdb/dev", "8:16\n");
	test_file("sys/block/sdb/device/vendor", "ATA\n");
	return 0;
}

static void write_healthy(const char *disk, const char *time)
{
	char path[64];
	struct fw_buf text = {0};
	snprintf(path, sizeof path, "recorded/smartctl/%s.json", disk);
	fw_buf_printf(&text,
		"{\"smartctl\":{\"exit_status\":0},\"local_time\":{\"time_t\":%s},"
		"\"device\":{\"type\":\"sat\"},\"smart_status\":{\"passed\":true}}",
		time);
	test_file(path, (const char *)text.data);
	fw_buf_done(&text);
}

static void test_asleep(void **state)
{
	(void)state;
	write_healthy("sda", "1795389000");
	write_healthy("sdb", "1795389000");
	assert_int_equal(test_read(T0_MS), 0);
	test_expect("smartmon_device_active{disk=\"/dev/sda\",type=\"sat\"}", "1");
	test_file(SUSPENDED, "suspended\n");
	write_healthy("sdb", "1795392600");
	assert_int_equal(test_read(T0_MS + 3600000), 0);
	test_expect("smartmon_device_active{disk=\"/dev/sda\",type=\"sat\"}", "0");
	test_expect("smartmon_device_smart_healthy{disk=\"/dev/sda\",type=\"sat\"}", "1");
	test_expect("fenwatch_smart_ok{device=\"sda\"}", "1");
	test_expect("fenwatch_smart_read_timestamp_seconds{device=\"sda\"}", "1795389000");
	test_expect("fenwatch_smart_read_timestamp_seconds{device=\"sdb\"}", "1795392600");
	test_no_file(SUSPENDED);
	write_healthy("sda", "1795396200");
	assert_int_equal(test_read(T0_MS + 7200000), 0);
	test_expect("smartmon_device_active{disk=\"/dev/sda\",type=\"sat\"}", "1");
	test_expect("fenwatch_smart_read_timestamp_seconds{device=\"sda\"}", "1795396200");
}

/* By smartctl's own word, before which there was nothing to keep. */
static void test_smartctl_finds_it_asleep(void **state)
{
	(void)state;
	write_healthy("sdb", "1795389000");
	test_file("recorded/smartctl/sda.json",
		"{\"smartctl\":{\"messages\":[{\"string\":\"Device is in IDLE_A mode, exit(2)\","
		"\"severity\":\"information\"}],\"exit_status\":2}}");
	assert_int_equal(test_read(T0_MS), 0);
	test_expect("smartmon_device_active{disk=\"/dev/sda\",type=\"sat\"}", "0");
	assert_false(test_has("smartmon_device_smart_available{disk=\"/dev/sda\",type=\"sat\"}"));
	test_expect("fenwatch_smart_ok{device=\"sda\"}", "1");
}

static void test_one_does_not_answer(void **state)
{
	(void)state;
	test_file("recorded/smartctl/sda.json",
		"{\"smartctl\":{\"messages\":[{\"string\":\"Smartctl open device: /dev/sda failed: "
		"Input/output error\",\"severity\":\"error\"}],\"exit_status\":2}}");
	write_healthy("sdb", "1795389000");
	assert_int_equal(test_read(T0_MS), 0);
	test_expect("fenwatch_smart_ok{device=\"sda\"}", "0");
	test_expect("fenwatch_smart_ok{device=\"sdb\"}", "1");
	test_expect("smartmon_device_smart_healthy{disk=\"/dev/sdb\",type=\"sat\"}", "1");
}

static void test_no_smartctl(void **state)
{
	(void)state;
	assert_int_equal(test_read(T0_MS), -ENODATA);
}

/* Before 7.0 it says that it does not know the option, and what its usage is. */
static void test_old_smartctl(void **state)
{
	(void)state;
	test_file("recorded/smartctl/sda.json",
		"smartctl 6.2 2017-02-27 r4394 [x86_64-linux-3.10.0-1160.el7.x86_64]\n\n"
		"=======> UNRECOGNIZED OPTION: json=c\n");
	assert_int_equal(test_read(T0_MS), -ENOTSUP);
}

/* A counter of 128 bits is no reason to lose the rest. */
static void test_numbers(void **state)
{
	(void)state;
	struct fw_buf text = {0};
	struct smart_report *report;
	fw_buf_puts(&text,
		"{\"smartctl\":{\"exit_status\":0},\"nvme_smart_health_information_log\":{"
		"\"data_units_read\":340282366920938463463374607431768211455,"
		"\"media_errors\":-1e300,\"power_on_hours\":\"12\",\"available_spare\":99}}");
	assert_int_equal(smart_parse(&text, &report, NULL), 0);
	assert_int_equal(report->nvme.units_read, SMART_NONE);
	assert_int_equal(report->nvme.media_errors, SMART_NONE);
	assert_int_equal(report->nvme.hours, SMART_NONE);
	assert_int_equal(report->nvme.spare, 99);
	assert_int_equal(report->available, 1);
	smart_free(report);
	fw_buf_done(&text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, test_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_asleep),
		TEST(test_smartctl_finds_it_asleep),
		TEST(test_one_does_not_answer),
		TEST(test_no_smartctl),
		TEST(test_old_smartctl),
		cmocka_unit_test(test_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
