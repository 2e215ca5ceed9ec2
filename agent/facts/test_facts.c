/* SPDX-License-Identifier: Apache-2.0 */
/* Messages both ways, and what each request does on a machine that the test writes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "perform.h"
#include "test_tree.h"

static char folder[] = "/tmp/fenwatch-facts-XXXXXX";
static struct machine machine;

static int set_up(void **state)
{
	(void)state;
	memcpy(strrchr(folder, '-'), "-XXXXXX", 8);
	assert_non_null(mkdtemp(folder));
	return machine_open(&machine, folder, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	machine_close(&machine);
	test_remove_tree(folder);
	return 0;
}

static void write_file(const char *name, const char *text)
{
	char *path = fw_format("%s/%s", folder, name);
	char *slash = strrchr(path, '/');
	*slash = '\0';
	assert_int_equal(fw_mkdir_all(path, 0700), 0);
	*slash = '/';
	assert_int_equal(fw_file_replace(path, text, strlen(text), 0600, NULL), 0);
	fw_free(path);
}

static int perform(enum facts_code code, uint32_t major, uint32_t minor, struct fw_buf *body)
{
	const struct facts_request request = {code, major, minor};
	return facts_perform(&machine, NULL, &request, body);
}

/* ---- messages ---- */

static void test_requests(void **state)
{
	(void)state;
	uint8_t bytes[FACTS_REQUEST_BYTES + 1] = {0};
	struct facts_request got, request = {FACTS_SMART, 259, 0x01020304};
	facts_put_request(&request, bytes);
	assert_int_equal(facts_get_request(bytes, FACTS_REQUEST_BYTES, &got), 0);
	assert_int_equal(got.code, FACTS_SMART);
	assert_int_equal(got.major, 259);
	assert_int_equal(got.minor, 0x01020304);
	assert_int_equal(facts_get_request(bytes, FACTS_REQUEST_BYTES - 1, &got), -EBADMSG);
	assert_int_equal(facts_get_request(bytes, FACTS_REQUEST_BYTES + 1, &got), -EBADMSG);
	for (int code = 0; code < 256; code++) {
		bytes[4] = (uint8_t)code;
		bool known = code >= FACTS_DISKS && code < FACTS_CODES;
		assert_int_equal(
			facts_get_request(bytes, FACTS_REQUEST_BYTES, &got), known ? 0 : -EBADMSG);
	}
	bytes[4] = FACTS_SMART;
	bytes[6] = 1;
	assert_int_equal(facts_get_request(bytes, FACTS_REQUEST_BYTES, &got), -EBADMSG);
	assert_true(FACTS_CODES - FACTS_DISKS <= 8);
}

static void test_answers(void **state)
{
	(void)state;
	struct fw_buf body = {0}, packet = {0}, got = {0};
	fw_buf_puts(&body, "{}");
	facts_put_answer(FACTS_SMART, 0, &body, &packet);
	assert_int_equal(facts_get_answer(FACTS_SMART, packet.data, packet.length, &got), 0);
	assert_string_equal((const char *)got.data, "{}");
	assert_int_equal(facts_get_answer(FACTS_DISKS, packet.data, packet.length, &got), -EBADMSG);
	assert_int_equal(facts_get_answer(FACTS_SMART, packet.data, 11, &got), -EBADMSG);
	fw_buf_reset(&packet);
	facts_put_answer(FACTS_SMART, -EHOSTDOWN, &body, &packet);
	assert_int_equal(
		facts_get_answer(FACTS_SMART, packet.data, packet.length, &got), -EHOSTDOWN);
	/* A failure with a body, and a number that is no errno. */
	fw_buf_putc(&packet, 'x');
	assert_int_equal(facts_get_answer(FACTS_SMART, packet.data, packet.length, &got), -EBADMSG);
	packet.data[10] = 0;
	assert_int_equal(facts_get_answer(FACTS_SMART, packet.data, 12, &got), -EBADMSG);
	fw_buf_done(&body);
	fw_buf_done(&packet);
	fw_buf_done(&got);
}

static void test_bodies_cut_short(void **state)
{
	(void)state;
	struct fw_buf body = {0};
	struct facts_disks *disks = fw_alloc(sizeof *disks);
	struct facts_libraries *libraries = fw_alloc(sizeof *libraries);
	facts_put_disk(&(struct facts_disk){8, 16, FACTS_SCSI, "sdb"}, &body);
	assert_int_equal(facts_get_disks(&body, disks), 0);
	assert_int_equal(disks->n, 1);
	assert_string_equal(disks->disk[0].name, "sdb");
	for (body.length--; body.length > 0; body.length--)
		assert_int_equal(facts_get_disks(&body, disks), -EBADMSG);
	fw_buf_reset(&body);
	libraries->library[libraries->n++] =
		(struct facts_library){.path = "/usr/lib/libz.so.1", .processes = 3};
	libraries->service[libraries->n_services++] = "cron.service";
	libraries->link[0][0] = 1;
	facts_put_libraries(libraries, &body);
	assert_int_equal(facts_get_libraries(&body, libraries), 0);
	assert_int_equal(libraries->library[0].processes, 3);
	assert_true(facts_links(libraries, 0, 0));
	body.data[body.length - 1] = 1; /* of a service that there is not */
	assert_int_equal(facts_get_libraries(&body, libraries), -EBADMSG);
	fw_buf_done(&body);
	fw_free(disks);
	fw_free(libraries);
}

/* More than an answer takes: as many as fit, and it says that these are not all. */
static void test_too_many_libraries(void **state)
{
	(void)state;
	struct fw_arena text = {0};
	struct fw_buf body = {0};
	struct facts_libraries *all = fw_alloc(sizeof *all), *got = fw_alloc(sizeof *got);
	for (int i = 0; i < FACTS_SERVICES_LIMIT; i++)
		all->service[all->n_services++] = "";
	for (int i = 0; i < FACTS_LIBRARIES_LIMIT; i++) {
		all->library[all->n].path = fw_arena_format(&text, "/usr/lib/lib%0150d.so", i);
		memset(all->link[all->n++], 0xff, sizeof all->link[0]);
	}
	facts_put_libraries(all, &body);
	assert_in_range(body.length, FACTS_ANSWER_LIMIT - 1024, FACTS_ANSWER_LIMIT);
	assert_int_equal(facts_get_libraries(&body, got), 0);
	assert_true(got->partial);
	assert_in_range(got->n, 100, 200);
	fw_free(all);
	fw_free(got);
	fw_buf_done(&body);
	fw_arena_done(&text);
}

/* ---- disks ---- */

static void write_disk(const char *name, const char *number, const char *vendor)
{
	char path[96];
	snprintf(path, sizeof path, "sys/block/%s/dev", name);
	write_file(path, number);
	snprintf(path, sizeof path, "sys/block/%s/device/vendor", name);
	write_file(path, vendor);
}

static void test_list_of_disks(void **state)
{
	(void)state;
	struct fw_buf body = {0};
	struct facts_disks *disks = fw_alloc(sizeof *disks);
	write_disk("sda", "8:0\n", "ATA     \n");
	write_disk("sdb", "8:16\n", "SEAGATE \n");
	write_disk("sdc", "8:32\n", "SanDisk \n");
	write_file("sys/block/sdc/removable", "1\n");
	write_disk("sdd", "none\n", "ATA\n");
	write_file("sys/block/nvme0n1/dev", "259:0\n");
	write_file("sys/block/nvme0n2/dev", "259:1\n");
	write_file("sys/block/nvme0c0n1/dev", "259:2\n");
	write_file("sys/block/nvme10n1/dev", "259:3\n");
	write_file("sys/block/dm-0/dev", "254:0\n");
	assert_int_equal(perform(FACTS_DISKS, 0, 0, &body), 0);
	assert_int_equal(facts_get_disks(&body, disks), 0);
	assert_int_equal(disks->n, 4);
	assert_string_equal(disks->disk[0].name, "nvme0n1");
	assert_int_equal(disks->disk[0].bus, FACTS_NVME);
	assert_string_equal(disks->disk[1].name, "nvme10n1");
	assert_string_equal(disks->disk[2].name, "sda");
	assert_int_equal(disks->disk[2].bus, FACTS_ATA);
	assert_int_equal(disks->disk[3].bus, FACTS_SCSI);
	assert_int_equal(disks->disk[3].minor, 16);
	fw_buf_done(&body);
	fw_free(disks);
}

static void test_only_disks_of_the_list(void **state)
{
	(void)state;
	struct fw_buf body = {0};
	write_disk("sda", "8:0\n", "ATA\n");
	assert_int_equal(perform(FACTS_SMART, 8, 16, &body), -ENODEV);
	assert_int_equal(perform(FACTS_POWER, 1, 1, &body), -ENODEV);
	assert_int_equal(perform(FACTS_POWER, 8, 0, &body), 0);
	fw_buf_done(&body);
}

/* A disk that the kernel has suspended is not even opened, and smartctl not run. */
static void test_suspended_disk(void **state)
{
	(void)state;
	struct fw_buf body = {0};
	enum facts_power power;
	write_disk("sda", "8:0\n", "ATA\n");
	write_file("recorded/smartctl/sda.json", "{}");
	assert_int_equal(perform(FACTS_SMART, 8, 0, &body), 0);
	write_file("sys/block/sda/device/power/runtime_status", "suspended\n");
	fw_buf_reset(&body);
	assert_int_equal(perform(FACTS_SMART, 8, 0, &body), -EHOSTDOWN);
	assert_int_equal(perform(FACTS_POWER, 8, 0, &body), 0);
	assert_int_equal(facts_get_power(&body, &power), 0);
	assert_int_equal(power, POWER_STANDBY);
	fw_buf_done(&body);
}

static void test_power_modes(void **state)
{
	(void)state;
	assert_int_equal(disk_power_of_ata(0x00), POWER_STANDBY);
	assert_int_equal(disk_power_of_ata(0x01), POWER_STANDBY);
	assert_int_equal(disk_power_of_ata(0x80), POWER_IDLE);
	assert_int_equal(disk_power_of_ata(0x82), POWER_IDLE);
	assert_int_equal(disk_power_of_ata(0xff), POWER_ACTIVE);
	assert_int_equal(disk_power_of_ata(0x33), POWER_UNKNOWN);
	const uint8_t no_sense[18] = {0x70};
	uint8_t standby[18] = {0x70, [12] = 0x5e, [13] = 0x04};
	const uint8_t idle[8] = {0x72, 0, 0x5e, 0x01};
	assert_int_equal(disk_power_of_scsi(no_sense, sizeof no_sense), POWER_ACTIVE);
	assert_int_equal(disk_power_of_scsi(standby, sizeof standby), POWER_STANDBY);
	assert_int_equal(disk_power_of_scsi(standby, 12), POWER_UNKNOWN);
	standby[13] = 0x07; /* idle_c */
	assert_int_equal(disk_power_of_scsi(standby, sizeof standby), POWER_IDLE);
	assert_int_equal(disk_power_of_scsi(idle, sizeof idle), POWER_IDLE);
	assert_int_equal(disk_power_of_scsi(idle, 0), POWER_UNKNOWN);
}

/* ---- libraries ---- */

#define MAP_OF(file) "7f00-7f10 r-xp 00001000 08:01 42   " file "\n"

static const char service_maps[] =
	"5500-5501 r-xp 00000000 08:01 7   /usr/sbin/nginx\n"
	"7e00-7e10 r--p 00000000 08:01 41   /usr/lib/x86_64-linux-gnu/libonly-read.so (deleted)\n" MAP_OF(
		"/usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)")
		MAP_OF("/usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)") MAP_OF(
			"/memfd:jit (deleted)") MAP_OF("/tmp/.cache/jit-17 (deleted)")
			MAP_OF("/usr/lib/x86_64-linux-gnu/libc.so.6") "7f20-7f30 r-xp 00000000 00:00 0   [vdso]\n";

static void get_libraries(struct facts_libraries *out, struct fw_buf *body)
{
	assert_int_equal(perform(FACTS_LIBRARIES, 0, 0, body), 0);
	assert_int_equal(facts_get_libraries(body, out), 0);
}

static void test_deleted_libraries(void **state)
{
	(void)state;
	struct fw_buf body = {0};
	struct facts_libraries *got = fw_alloc(sizeof *got);
	write_file("proc/700/maps", service_maps);
	write_file("proc/700/cgroup", "12:cpu:/\n1:name=systemd:/system.slice/nginx.service\n");
	write_file("proc/701/maps", service_maps);
	write_file("proc/701/cgroup", "0::/system.slice/nginx.service\n");
	write_file("proc/1/maps", MAP_OF("/usr/lib/x86_64-linux-gnu/libc.so.6 (deleted)"));
	write_file("proc/1/cgroup", "0::/init.scope\n");
	write_file("proc/900/maps", MAP_OF("/usr/bin/bash (deleted)"));
	write_file("proc/900/cgroup", "0::/user.slice/user-1000.slice/session-3.scope\n");
	write_file("proc/950/maps", MAP_OF("/usr/lib/libinside.so (deleted)"));
	write_file("proc/950/cgroup", "0::/system.slice/docker-0a1b.scope\n");
	write_file("proc/self/maps", service_maps);
	get_libraries(got, &body);
	assert_false(got->partial);
	assert_int_equal(got->n, 3);
	assert_string_equal(got->library[0].path, "/usr/lib/x86_64-linux-gnu/libc.so.6");
	assert_true(got->library[0].in_init);
	assert_string_equal(got->library[1].path, "/usr/lib/x86_64-linux-gnu/libssl.so.3");
	assert_int_equal(got->library[1].processes, 2);
	assert_false(got->library[1].in_init);
	assert_int_equal(got->n_services, 3);
	assert_string_equal(got->service[1], "nginx.service");
	assert_true(facts_links(got, 1, 1));
	assert_false(facts_links(got, 1, 0));
	assert_string_equal(got->service[2], "");
	fw_buf_done(&body);
	fw_free(got);
}

static void test_without_systemd(void **state)
{
	(void)state;
	struct fw_buf body = {0};
	struct facts_libraries *got = fw_alloc(sizeof *got);
	write_file("proc/1400/maps", MAP_OF("/lib64/libssl.so.1.0.1e (deleted)"));
	write_file("proc/1400/comm", "httpd\n");
	get_libraries(got, &body);
	assert_int_equal(got->n, 1);
	assert_string_equal(got->service[0], "httpd");
	fw_buf_done(&body);
	fw_free(got);
}

/* ---- the rest ---- */

static void test_serials(void **state)
{
	(void)state;
	struct fw_buf body = {0};
	struct facts_serials serials;
	write_file("sys/class/dmi/id/product_serial", "CZ3456789\n");
	write_file("sys/class/dmi/id/board_serial",
		"a serial number that is far longer than any that a maker prints on a label, by far\n");
	assert_int_equal(perform(FACTS_SERIALS, 0, 0, &body), 0);
	assert_int_equal(facts_get_serials(&body, &serials), 0);
	assert_string_equal(serials.serial[SERIAL_SYSTEM], "CZ3456789");
	assert_int_equal(strlen(serials.serial[SERIAL_BOARD]), sizeof serials.serial[0] - 1);
	assert_string_equal(serials.serial[SERIAL_UUID], "");
	fw_buf_done(&body);
}

static void test_recorded_ruleset(void **state)
{
	(void)state;
	struct fw_buf body = {0};
	struct facts_ruleset ruleset;
	assert_int_equal(perform(FACTS_RULESET, 0, 0, &body), -ENOENT);
	write_file("recorded/nftables", "2 1 7\n");
	assert_int_equal(perform(FACTS_RULESET, 0, 0, &body), 0);
	assert_int_equal(facts_get_ruleset(&body, &ruleset), 0);
	assert_int_equal(ruleset.input_chains, 2);
	assert_int_equal(ruleset.input_policies, 1);
	assert_int_equal(ruleset.refusals, 7);
	fw_buf_done(&body);
}

/* Without a helper, and where something else listens. */
static void test_no_helper(void **state)
{
	(void)state;
	struct fw_err err;
	struct fw_buf body = {0};
	const struct facts_request request = {.code = FACTS_DISKS};
	machine.recorded = false;
	assert_int_equal(facts_ask(&machine, &request, &body, &err), -ENOENT);
	machine.facts = "/nonexistent/facts.sock";
	assert_int_equal(facts_ask(&machine, &request, &body, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/facts.sock"));
	fw_buf_done(&body);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_bodies_cut_short),
		cmocka_unit_test(test_too_many_libraries),
		TEST(test_list_of_disks),
		TEST(test_only_disks_of_the_list),
		TEST(test_suspended_disk),
		cmocka_unit_test(test_power_modes),
		TEST(test_deleted_libraries),
		TEST(test_without_systemd),
		TEST(test_serials),
		TEST(test_recorded_ruleset),
		TEST(test_no_helper),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
