/* SPDX-License-Identifier: Apache-2.0 */
/* Devices: encryption through layers, who is logged in, Wi-Fi, where the machine is. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <utmp.h>

#include <cmocka.h>

#include "nl80211.h"
#include "test_source.h"
#include "whereabouts.h"

#define T0_MS INT64_C(1795390000000)

extern const struct source source_posture, source_logins, source_whereabouts, source_wifi;

/* ---- posture ---- */

static int posture(void **state)
{
	(void)state;
	test_open(&source_posture);
	return 0;
}

static void mount_root(const char *device, const char *number)
{
	char line[128];
	snprintf(line, sizeof line, "25 1 %s / / rw - ext4 %s rw\n", number, device);
	test_file("proc/1/mountinfo", line);
}

static void test_a_plain_partition(void **state)
{
	(void)state;
	mount_root("/dev/sda2", "8:2");
	test_file("sys/dev/block/8:2/partition", "2\n");
	assert_int_equal(test_read(T0_MS), 0);
	test_expect("fenwatch_disk_encrypted{volume=\"/\"}", "0");
}

static void test_volume_on_luks(void **state)
{
	(void)state;
	mount_root("/dev/mapper/vg-root", "253:1");
	test_file("sys/dev/block/253:1/dm/uuid", "LVM-abc\n");
	test_file("sys/dev/block/253:1/slaves/dm-0/dm/uuid", "CRYPT-LUKS2-abc-x\n");
	test_file("sys/dev/block/253:1/slaves/dm-0/slaves/sda2/partition", "2\n");
	assert_int_equal(test_read(T0_MS), 0);
	test_expect("fenwatch_disk_encrypted{volume=\"/\"}", "1");
	/* A second disk in the group that is not encrypted makes it none. */
	test_file("sys/dev/block/253:1/slaves/sdb/size", "8\n");
	assert_int_equal(test_read(T0_MS), 0);
	test_expect("fenwatch_disk_encrypted{volume=\"/\"}", "0");
}

static void test_btrfs_is_found_by_name(void **state)
{
	(void)state;
	mount_root("/dev/mapper/luks-root", "0:31");
	test_file("sys/class/block/dm-3/dm/name", "luks-root\n");
	test_file("sys/class/block/dm-3/dm/uuid", "CRYPT-LUKS1-abc-x\n");
	assert_int_equal(test_read(T0_MS), 0);
	test_expect("fenwatch_disk_encrypted{volume=\"/\"}", "1");
}

static void test_firmware(void **state)
{
	(void)state;
	test_file("sys/firmware/acpi/x", "");
	test_file("sys/class/block/x", "");
	assert_int_equal(test_read(T0_MS), 0);
	test_expect("fenwatch_secure_boot_enabled", "0");
	test_expect("fenwatch_tpm_version", "0");
	test_file("sys/class/tpm/tpm0/device/caps", "TCG version: 1.2\n");
	test_file("sys/firmware/efi/runtime", "");
	assert_int_equal(test_read(T0_MS), 0);
	test_expect("fenwatch_tpm_version", "1");
	assert_int_equal(test_count("fenwatch_secure_boot_enabled"), 0);
}

static void test_screen_lock(void **state)
{
	(void)state;
	assert_int_equal(test_read(T0_MS), 0);
	assert_false(test_has("fenwatch_screen_lock_enabled"));
	test_file("etc/xdg/kscreenlockerrc", "[Daemon][$i]\nAutolock=true\nTimeout=5\n");
	assert_int_equal(test_read(T0_MS), 0);
	test_expect("fenwatch_screen_lock_enabled", "1");
	test_expect("fenwatch_screen_lock_enforced", "1");
	test_expect("fenwatch_screen_lock_idle_seconds", "300");
}

/* ---- logins ---- */

static int logins(void **state)
{
	(void)state;
	test_open(&source_logins);
	return 0;
}

static void test_one_person_counts_once_a_kind(void **state)
{
	(void)state;
	test_file(
		"run/systemd/sessions/1", "UID=7\nSTATE=active\nREMOTE=1\nTYPE=tty\nCLASS=user\n");
	test_file(
		"run/systemd/sessions/2", "UID=7\nSTATE=online\nREMOTE=1\nTYPE=tty\nCLASS=user\n");
	test_file("run/systemd/sessions/3", "UID=8\nSTATE=closing\nTYPE=x11\nCLASS=user\n");
	test_file("run/systemd/sessions/4.ref", "");
	assert_int_equal(test_read(T0_MS), 0);
	test_expect("fenwatch_users{kind=\"remote\"}", "1");
	test_expect("fenwatch_users{kind=\"graphical\"}", "0");
	test_expect("node_logind_sessions{class=\"user\",remote=\"true\",type=\"tty\"}", "2");
}

static void add_entry(struct utmp *entry, const char *user, const char *line, const char *host)
{
	*entry = (struct utmp){.ut_type = USER_PROCESS};
	memcpy(entry->ut_user, user, strlen(user));
	memcpy(entry->ut_line, line, strlen(line));
	memcpy(entry->ut_host, host, strlen(host));
}

static void test_utmp_where_there_is_no_logind(void **state)
{
	(void)state;
	struct utmp entries[5];
	assert_int_equal(test_read(T0_MS), -ENODATA);
	add_entry(&entries[0], "a", "tty1", "");
	add_entry(&entries[1], "a", "pts/0", "192.0.2.9");
	add_entry(&entries[2], "b", "pts/1", "192.0.2.9");
	add_entry(&entries[3], "c", ":0", ":0");
	add_entry(&entries[4], "a", "tty2", "");
	test_bytes("run/utmp", entries, sizeof entries - 1);
	assert_int_equal(test_read(T0_MS), 0);
	test_expect("fenwatch_users{kind=\"console\"}", "1");
	test_expect("fenwatch_users{kind=\"remote\"}", "2");
	test_expect("fenwatch_users{kind=\"graphical\"}", "1");
}

/* ---- Wi-Fi ---- */

static int wifi(void **state)
{
	(void)state;
	test_open(&source_wifi);
	return 0;
}

static void test_signal(void **state)
{
	(void)state;
	assert_int_equal(test_read(T0_MS), -ENODATA);
	test_file("proc/net/wireless",
		"head\nhead\n wlan0: 0000   56.  -54.  -256        0\n wlan1: 0000 0 0 0\n");
	assert_int_equal(test_read(T0_MS), 0);
	test_expect("node_wifi_station_signal_dbm{device=\"wlan0\"}", "-54");
	assert_int_equal(test_count("node_wifi_station_signal_dbm"), 1);
}

/* A dump of two interfaces, as the kernel lays it out, cut at every byte. */
static void test_netlink(void **state)
{
	(void)state;
	static const uint8_t one[] = {40, 0, 0, 0, 28, 0, 2, 0, 1, 0, 0, 0, 2, 0, 0, 0, 7, 1, 0, 0,
		8, 0, 3, 0, 3, 0, 0, 0, 11, 0, 4, 0, 'w', 'l', 'p', '2', 's', '0', 0, 0};
	uint8_t two[2 * sizeof one];
	struct wifi found = {.n = 0};
	memcpy(two, one, sizeof one);
	memcpy(two + sizeof one, one, sizeof one);
	assert_int_equal(nl80211_take_interfaces(two, sizeof two, &found), 0);
	assert_int_equal(found.n, 2);
	assert_string_equal(found.devices[1].name, "wlp2s0");
	assert_int_equal(found.devices[1].index, 3);
	for (size_t length = 0; length < sizeof two; length++)
		nl80211_take_interfaces(two, length, &found);
	assert_true(found.n <= WIFI_DEVICES);
}

static void test_station(void **state)
{
	(void)state;
	static const uint8_t answer[] = {44, 0, 0, 0, 28, 0, 2, 0, 1, 0, 0, 0, 2, 0, 0, 0, 19, 1, 0,
		0, 10, 0, 6, 0, 2, 0xc0, 0xff, 0xee, 0, 0x99, 0, 0, 12, 0, 21, 0x80, 5, 0, 7, 0,
		0xca, 0, 0, 0};
	struct wifi_device device = {.name = "wlp2s0"};
	assert_int_equal(nl80211_take_station(answer, sizeof answer, &device), 0);
	assert_true(device.has_signal);
	assert_int_equal(device.signal_dbm, -54);
}

static void test_refusal(void **state)
{
	(void)state;
	static const uint8_t refused[] = {
		20, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff};
	uint16_t family = 0;
	assert_int_equal(nl80211_take_family(refused, sizeof refused, &family), -ENOENT);
}

/* ---- whereabouts ---- */

static const char *networks[] = {"10.20.0.0/16", "2001:db8:5::/48"};
static const char *with_domain[] = {"10.20.0.0/16", "example.gov.uk"};
static struct choices choices;

static int whereabouts(void **state)
{
	(void)state;
	test_open(&source_whereabouts);
	test_choices(&choices);
	choices.council = (struct fw_text_list){networks, 2};
	return 0;
}

static void have_address(const char *address)
{
	char text[256];
	snprintf(text, sizeof text,
		"     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- %s\n        /32 host LOCAL\n"
		"     |-- 10.20.0.1\n        /32 link UNICAST\n",
		address);
	test_file("proc/net/fib_trie", text);
}

static void expect_class(const char *council, const char *other)
{
	assert_int_equal(test_read(T0_MS), 0);
	test_expect("fenwatch_network_class{class=\"council\"}", council);
	test_expect("fenwatch_network_class{class=\"other\"}", other);
}

static void test_networks(void **state)
{
	(void)state;
	have_address("10.20.255.255");
	expect_class("1", "0");
	have_address("10.21.0.0");
	expect_class("0", "1");
	test_file("proc/net/if_inet6", "20010db8000500000000000000000001 02 40 00 80 eth0\n");
	expect_class("1", "0");
	test_file("proc/net/if_inet6", "fe800000000000000000000000000001 02 40 20 80 eth0\n");
	have_address("127.0.0.2");
	expect_class("0", "0");
}

/* At home the router hands out 10.20.0.5. */
static void test_domains(void **state)
{
	(void)state;
	choices.council = (struct fw_text_list){with_domain, 2};
	have_address("10.20.0.5");
	test_file("etc/resolv.conf", "search fritz.box notexample.gov.uk\n");
	expect_class("0", "1");
	test_file("etc/resolv.conf", "nameserver 10.0.0.1\nsearch home HQ.Example.gov.uk\n");
	expect_class("1", "0");
}

static void test_unsaid(void **state)
{
	(void)state;
	choices.council = (struct fw_text_list){NULL, 0};
	have_address("10.20.0.5");
	assert_int_equal(test_read(T0_MS), -ENODATA);
}

static void test_how_networks_are_written(void **state)
{
	(void)state;
	struct network network;
	static const char *const wrong[] = {
		"10.0.0.0", "10.0.0.0/33", "10.0.0/8", "::/129", "/8", "a/8", "10.0.0.0/", ""};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(network_parse(wrong[i], &network));
	assert_true(network_parse("10.0.0.0/8", &network));
	assert_int_equal(network.bits, 104);
	assert_true(network_parse("::/0", &network));
	assert_false(domain_is_valid("a b"));
	assert_true(domain_is_valid("example.gov.uk"));
}

#define CASE(test, setup) cmocka_unit_test_setup_teardown(test, setup, test_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_a_plain_partition, posture),
		CASE(test_volume_on_luks, posture),
		CASE(test_btrfs_is_found_by_name, posture),
		CASE(test_firmware, posture),
		CASE(test_screen_lock, posture),
		CASE(test_one_person_counts_once_a_kind, logins),
		CASE(test_utmp_where_there_is_no_logind, logins),
		CASE(test_signal, wifi),
		cmocka_unit_test(test_netlink),
		cmocka_unit_test(test_station),
		cmocka_unit_test(test_refusal),
		CASE(test_networks, whereabouts),
		CASE(test_domains, whereabouts),
		CASE(test_unsaid, whereabouts),
		cmocka_unit_test(test_how_networks_are_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
