/* SPDX-License-Identifier: Apache-2.0 */
/* Machines that are large, or whose hardware does not answer, written file by file. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <sys/stat.h>

#include <fenwatch/buf.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "../print.h"
#include "../source.h"
#include "../sweep.h"
#include "test_tree.h"

extern const struct source source_connections, source_hwmon, source_processes, source_thermal;

struct place {
	char root[64];
	struct machine m;
};

static void make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
		*slash = '/';
	}
}

static void put(const struct place *place, const char *path, const char *text)
{
	char *whole = fw_format("%s/%s", place->root, path);
	make_folders(whole);
	int fd = fw_open(whole, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fw_write(fd, text, strlen(text)), 0);
	fw_close(fd);
	fw_free(whole);
}

/* A file that opens and cannot be read, as a sensor's whose chip sleeps: a folder. */
static void put_unreadable(const struct place *place, const char *path)
{
	char *whole = fw_format("%s/%s/", place->root, path);
	make_folders(whole);
	fw_free(whole);
}

/* What a source gives at once, as --print shows it, without help lines. */
static char *read_source(struct place *place, const struct source *source, int expected)
{
	struct fw_err err = {.text = ""};
	struct fw_buf text = {0};
	struct sweep *sweep = sweep_new();
	void *state = fw_alloc(source->state_size ? source->state_size : 1);
	place->m.now_ms = 1795390000000;
	sweep_begin(sweep, place->m.now_ms);
	assert_int_equal(source->read(state, &place->m, sweep, &err), expected);
	sweep_end(sweep);
	fw_buf_puts(&text, "");
	print_sweep(sweep, &text);
	if (source->close)
		source->close(state);
	fw_free(state);
	sweep_free(sweep);
	return (char *)text.data;
}

static void expect(const char *text, const char *line)
{
	assert_non_null(text);
	if (!strstr(text, line))
		print_error("not there: %s", line);
	assert_non_null(strstr(text, line));
}

static int setup(void **state)
{
	struct place *place = fw_alloc(sizeof *place);
	struct fw_err err;
	snprintf(place->root, sizeof place->root, "/tmp/fenwatch-extremes-XXXXXX");
	assert_non_null(mkdtemp(place->root));
	assert_int_equal(machine_open(&place->m, place->root, &err), 0);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;
	machine_close(&place->m);
	test_remove_tree(place->root);
	fw_free(place);
	return 0;
}

/* ---- many ---- */

/* Two that are written out, of which the others are links. */
static void put_processes(const struct place *place, unsigned n)
{
	put(place, "proc/1/stat", "1 (worker) S 1 1 1 0 -1");
	put(place, "proc/2/stat", "2 (worker) D 1 1 1 0 -1");
	for (unsigned pid = 3; pid <= n; pid++) {
		char *path = fw_format("%s/proc/%u", place->root, pid);
		assert_int_equal(symlink(pid % 100 == 2 ? "2" : "1", path), 0);
		fw_free(path);
	}
}

static void test_ten_thousand_processes(void **state)
{
	struct place *place = *state;
	put_processes(place, 10000);
	char *text = read_source(place, &source_processes, 0);
	expect(text, "node_processes_pids 10000\n");
	expect(text, "node_processes_state{state=\"S\"} 9900\n");
	expect(text, "node_processes_state{state=\"D\"} 100\n");
	fw_free(text);
}

/* What is cut off at the limit of a file is no sum. */
static void test_more_udp_sockets_than_are_read(void **state)
{
	struct place *place = *state;
	struct fw_buf table = {0};
	for (unsigned i = 0; i < 20000; i++)
		fw_buf_printf(&table,
			"%5u: 00000000:0035 00000000:0000 07 00000000:00000010 00:00000000\n", i);
	put(place, "proc/net/udp6", "  sl  local_address\n 1: 0:0 0:0 07 00000000:00000010 0\n");
	put(place, "proc/net/udp", (const char *)table.data);
	char *text = read_source(place, &source_connections, -EFBIG);
	assert_null(strstr(text, "ip=\"v4\""));
	expect(text, "node_udp_queues{ip=\"v6\",queue=\"rx\"} 16\n");
	fw_free(text);
	fw_buf_done(&table);
}

/* ---- hardware that does not answer ---- */

static void test_a_sensor_that_cannot_be_read(void **state)
{
	struct place *place = *state;
	put(place, "sys/class/hwmon/hwmon0/name", "nct6779\n");
	put(place, "sys/class/hwmon/hwmon0/temp1_input", "41000\n");
	put_unreadable(place, "sys/class/hwmon/hwmon0/temp2_input");
	put(place, "sys/class/hwmon/hwmon0/temp2_max", "80000\n");
	put(place, "sys/class/hwmon/hwmon0/temp3_input", "");
	put(place, "sys/class/hwmon/hwmon0/fan1_input", "nonsense\n");
	put(place, "sys/class/thermal/thermal_zone0/type", "acpitz\n");
	put_unreadable(place, "sys/class/thermal/thermal_zone0/temp");
	put(place, "sys/class/thermal/thermal_zone1/temp", "27800\n");
	char *text = read_source(place, &source_hwmon, 0);
	expect(text, "node_hwmon_temp_celsius{chip=\"nct6779\",sensor=\"temp1\"} 41\n");
	expect(text, "node_hwmon_temp_max_celsius{chip=\"nct6779\",sensor=\"temp2\"} 80\n");
	assert_null(strstr(text, "node_hwmon_temp_celsius{chip=\"nct6779\",sensor=\"temp2\"}"));
	assert_null(strstr(text, "temp3"));
	assert_null(strstr(text, "fan"));
	fw_free(text);
	text = read_source(place, &source_thermal, 0);
	expect(text, "node_thermal_zone_temp{zone=\"1\"} 27.8\n");
	assert_null(strstr(text, "zone=\"0\""));
	fw_free(text);
}

/* Of chips that cannot be told apart each keeps its sensors. */
static void test_chips_of_one_name(void **state)
{
	struct place *place = *state;
	for (unsigned i = 0; i < 200; i++) {
		char path[64];
		snprintf(path, sizeof path, "sys/class/hwmon/hwmon%03u/name", i);
		put(place, path, "acpi_fan\n");
		snprintf(path, sizeof path, "sys/class/hwmon/hwmon%03u/fan1_input", i);
		put(place, path, "1200\n");
	}
	char *text = read_source(place, &source_hwmon, 0);
	size_t fans = 0;
	for (const char *at = text; (at = strstr(at, "\nnode_hwmon_fan_rpm{")); at++)
		fans++;
	assert_int_equal(fans, 200);
	expect(text, "node_hwmon_fan_rpm{chip=\"acpi_fan\",sensor=\"fan1\"} 1200\n");
	expect(text, "node_hwmon_fan_rpm{chip=\"acpi_fan_hwmon199\",sensor=\"fan1\"} 1200\n");
	fw_free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_ten_thousand_processes),
		TEST(test_more_udp_sockets_than_are_read),
		TEST(test_a_sensor_that_cannot_be_read),
		TEST(test_chips_of_one_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
