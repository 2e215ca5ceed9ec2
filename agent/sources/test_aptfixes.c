/* SPDX-License-Identifier: Apache-2.0 */
/* A machine's fixes over weeks: its files are written as apt and dpkg would, the
 * source is read, and what it gives becomes the table of the read before. */
#include "aptfixes.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "../sweep.h"
#include "restarts.h"
#include "test_place.h"

#define LIST "var/lib/apt/lists/d_dists_stable-security_"

extern const struct source source_packages;

/* Package, version; package, version; ... */
static void install(struct place *place, const char *const *pairs)
{
	struct fw_buf text = {0};
	for (; pairs[0]; pairs += 2)
		fw_buf_printf(&text,
			"Package: %s\nStatus: install ok installed\nArchitecture: amd64\n"
			"Version: %s\n\n",
			pairs[0], pairs[1]);
	place_put(place, "var/lib/dpkg/status", (char *)text.data);
	fw_buf_done(&text);
}

static void publish(struct place *place, const char *date, const char *const *pairs)
{
	struct fw_buf text = {0};
	for (; pairs[0]; pairs += 2)
		fw_buf_printf(&text, "Package: %s\nArchitecture: amd64\nVersion: %s\n%s\n",
			pairs[0], pairs[1],
			strstr(pairs[1], "phased") ? "Phased-Update-Percentage: 0\n" : "");
	place_put(place, LIST "main_binary-amd64_Packages", (char *)text.data);
	fw_buf_reset(&text);
	fw_buf_printf(&text,
		"Origin: Debian\nLabel: %s\nSuite: stable\nCodename: bookworm\nDate: %s\n",
		"Debian-Security", date);
	place_put(place, LIST "InRelease", (char *)text.data);
	fw_buf_done(&text);
}

#define PAIRS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* As a Release file says it. */
static const char *days_ago(const struct place *place, int days)
{
	static char text[64];
	time_t at_s = (time_t)(place->now_ms / 1000 - days * INT64_C(86400));
	struct tm tm;
	assert_non_null(gmtime_r(&at_s, &tm));
	assert_true(strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S UTC", &tm) > 0);
	return text;
}

static int set_up(void **state)
{
	struct place *place = *state = fw_alloc(sizeof *place);
	place_init(place);
	place_put(place, "proc/sys/kernel/osrelease", "6.1.0-9-amd64\n");
	place_put(place, "proc/sys/kernel/version", "#1 SMP Debian 6.1.27-1 (2023-05-08)\n");
	place_put(place, "etc/machine-id", "8d7ac6db0b3a4b2c9c1e0c1f2a3b4c5d\n");
	return 0;
}

static int tear_down(void **state)
{
	place_done(*state);
	fw_free(*state);
	return 0;
}

static void read_again(struct place *place)
{
	place_read(place, &source_packages);
}

static void expect(struct place *place, const char *table)
{
	read_again(place);
	assert_string_equal(place->table, table);
}

#define ORIGIN "origin=Debian:bookworm/stable\tclass=security\t"
#define FIRST "Mon, 02 Nov 2026 08:00:00 UTC"  /* 1793606400 */
#define SECOND "Tue, 10 Nov 2026 08:00:00 UTC" /* 1794297600 */
#define THIRD "Fri, 20 Nov 2026 08:00:00 UTC"  /* 1795161600 */

static void test_a_fix_is_dated_by_the_list_that_lacked_it(void **state)
{
	struct place *place = *state;
	install(place, PAIRS("dpkg", "1", "curl", "7.88-1"));
	publish(place, FIRST, PAIRS("curl", "7.88-1"));
	expect(place, "");
	publish(place, SECOND, PAIRS("curl", "7.88-2"));
	expect(place,
		"+curl:amd64\tinstalled=7.88-1\tcandidate=7.88-2\tsource=curl\t" ORIGIN
		"state=pending\tlisted=1793606400\n");
	/* The same candidate keeps its date, another one has its own. */
	publish(place, THIRD, PAIRS("curl", "7.88-2", "dpkg", "1"));
	read_again(place);
	assert_non_null(strstr(place->table, "candidate=7.88-2"));
	assert_non_null(strstr(place->table, "listed=1793606400"));
	publish(place, THIRD, PAIRS("curl", "7.88-3"));
	read_again(place);
	assert_non_null(strstr(place->table, "candidate=7.88-3"));
	assert_non_null(strstr(place->table, "listed=1795161600\tsince=1793606400"));
	install(place, PAIRS("dpkg", "1", "curl", "7.88-3"));
	expect(place, "");
}

static void test_nothing_is_known_before_the_first_list(void **state)
{
	struct place *place = *state;
	install(place, PAIRS("dpkg", "1", "curl", "7.88-1"));
	publish(place, SECOND, PAIRS("curl", "7.88-2"));
	expect(place,
		"+curl:amd64\tinstalled=7.88-1\tcandidate=7.88-2\tsource=curl\t" ORIGIN
		"state=pending\n");
}

static void test_held_and_phased(void **state)
{
	struct place *place = *state;
	place_put(place, "var/lib/dpkg/status",
		"Package: curl\nStatus: hold ok installed\nArchitecture: amd64\nVersion: 1\n\n"
		"Package: wget\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n");
	place_put(place, "var/lib/apt/lists/u_dists_jammy-updates_main_binary-amd64_Packages",
		"Package: curl\nArchitecture: amd64\nVersion: 2\n\n"
		"Package: wget\nArchitecture: amd64\nVersion: 2\nPhased-Update-Percentage: 0\n\n");
	place_put(place, "var/lib/apt/lists/u_dists_jammy-updates_InRelease",
		"Origin: Ubuntu\nSuite: jammy-updates\nCodename: jammy\nDate: " FIRST "\n");
	expect(place,
		"+curl:amd64\tinstalled=1\tcandidate=2\tsource=curl\torigin=Ubuntu:jammy/"
		"jammy-updates\tclass=unknown\tstate=held\n"
		"+wget:amd64\tinstalled=1\tcandidate=2\tsource=wget\torigin=Ubuntu:jammy/"
		"jammy-updates\tclass=unknown\tstate=phased\n");
}

#define META "linux-image-amd64"
#define OLD "linux-image-6.1.0-9-amd64"
#define NEW "linux-image-6.1.0-10-amd64"

static void test_a_kernel_is_done_when_it_runs(void **state)
{
	struct place *place = *state;
	install(place, PAIRS("dpkg", "1", META, "6.1.27", OLD, "6.1.27-1"));
	publish(place, FIRST, PAIRS(META, "6.1.27"));
	expect(place, "");
	publish(place, SECOND, PAIRS(META, "6.1.38"));
	expect(place,
		"+" META ":amd64\tinstalled=6.1.27\tcandidate=6.1.38\tsource=" META "\t" ORIGIN
		"needs=reboot\tstate=pending\tlisted=1793606400\n");
	install(place, PAIRS("dpkg", "1", META, "6.1.38", OLD, "6.1.27-1", NEW, "6.1.38-1"));
	expect(place,
		"+" META ":amd64\tinstalled=6.1.38\tcandidate=6.1.38\tsource=" META "\t" ORIGIN
		"needs=reboot\tstate=unfinished\tlisted=1793606400\n");
	/* And stays so until the machine has been started again. */
	publish(place, THIRD, PAIRS(META, "6.1.38"));
	read_again(place);
	assert_non_null(strstr(place->table, "state=unfinished\tlisted=1793606400"));
	place_put(place, "proc/sys/kernel/osrelease", "6.1.0-10-amd64\n");
	place_put(place, "proc/sys/kernel/version", "#1 SMP Debian 6.1.38-1 (2023-07-14)\n");
	expect(place, "");
}

static void test_a_kernel_installed_before_we_came(void **state)
{
	struct place *place = *state;
	install(place, PAIRS("dpkg", "1", OLD, "6.1.27-1", NEW, "6.1.38-1"));
	publish(place, FIRST, PAIRS("dpkg", "1"));
	expect(place,
		"+" NEW ":amd64\tinstalled=6.1.38-1\tcandidate=6.1.38-1\tclass=unknown\t"
		"needs=reboot\tstate=unfinished\n");
}

/* Ubuntu names the packages that ask for a reboot. */
static void test_a_library_that_asks_for_a_reboot(void **state)
{
	struct place *place = *state;
	install(place, PAIRS("dpkg", "1", "libc6", "2.36-1", "curl", "1"));
	publish(place, FIRST, PAIRS("dpkg", "1"));
	read_again(place);
	publish(place, SECOND, PAIRS("libc6", "2.36-2", "curl", "2"));
	read_again(place);
	install(place, PAIRS("dpkg", "1", "libc6", "2.36-2", "curl", "2"));
	place_put(place, "run/reboot-required", "*** System restart required ***\n");
	place_put(place, "run/reboot-required.pkgs", "libc6\nlibssl3\n");
	expect(place,
		"+libc6:amd64\tinstalled=2.36-2\tcandidate=2.36-2\tsource=libc6\t" ORIGIN
		"needs=reboot\tstate=unfinished\tlisted=1793606400\n");
	place_take_away(place, "run/reboot-required");
	place_take_away(place, "run/reboot-required.pkgs");
	expect(place, "");
}

#define SSL "usr/lib/x86_64-linux-gnu/libssl.so.3"

/* A fix is not at work while a service runs the old library. */
static void test_a_library_that_a_service_still_runs(void **state)
{
	struct place *place = *state;
	install(place, PAIRS("dpkg", "1.21", "libssl3", "3.0.1", "nginx", "1.22"));
	publish(place, FIRST, PAIRS("libssl3", "3.0.1"));
	read_again(place);
	publish(place, SECOND, PAIRS("libssl3", "3.0.2"));
	read_again(place);
	install(place, PAIRS("dpkg", "1.21", "libssl3", "3.0.2", "nginx", "1.22"));
	place_put(place, "var/lib/dpkg/info/libssl3:amd64.list", "/.\n/" SSL "\n");
	place_put(place, "var/lib/dpkg/info/nginx.list", "/.\n/usr/sbin/nginx\n");
	place_put(place, "proc/700/maps", "1-2 r-xp 0 08:01 9 /" SSL " (deleted)\n");
	place_put(place, "proc/700/cgroup", "0::/system.slice/nginx.service\n");
	read_again(place);
	assert_non_null(strstr(place->table,
		"+libssl3:amd64\tinstalled=3.0.2\tcandidate=3.0.2\tsource=libssl3\t" ORIGIN
		"needs=restart\tservices=nginx.service\tstate=unfinished\t"
		"listed="));
	place_put(place, "proc/700/maps", "1-2 r-xp 0 08:01 9 /" SSL "\n");
	read_again(place);
	assert_null(strstr(place->table, "unfinished"));
}

/* A detector says since when a reboot is required. */
static bool waits_for(const struct place *place, const char *detector)
{
	const struct fw_schema *schema = sweep_schema(place->sweep);
	for (uint32_t i = 0; i < schema->n_columns; i++)
		if (strcmp(sweep_metric(place->sweep, i)->name,
			    "fenwatch_reboot_required_since_timestamp_seconds") == 0 &&
			strcmp(schema->columns[i].labels[0].value, detector) == 0 &&
			sweep_cells(place->sweep)[i] != FW_ABSENT)
			return true;
	return false;
}

/* Replaced before there was a table: dpkg's own file of it, without /usr and an architecture. */
static void test_the_first_process_runs_what_was_replaced(void **state)
{
	struct place *place = *state;
	install(place, PAIRS("dpkg", "1.21", "libc6", "2.36-9+deb12u9"));
	publish(place, FIRST, PAIRS("libc6", "2.36-9+deb12u9"));
	place_put(place, "var/lib/dpkg/info/libc6.list", "/lib/x86_64-linux-gnu/libc.so.6\n");
	place_put(place, "proc/1/maps",
		"1-2 r-xp 0 08:01 9 /usr/lib/x86_64-linux-gnu/libc.so.6 (deleted)\n");
	place_put(place, "proc/1/cgroup", "0::/init.scope\n");
	read_again(place);
	assert_non_null(
		strstr(place->table, "needs=restart\tservices=init.scope\tstate=unfinished"));
	assert_true(waits_for(place, "libraries"));
	place_put(place, "proc/1/maps", "1-2 r-xp 0 08:01 9 /usr/lib/x86_64-linux-gnu/libc.so.6\n");
	read_again(place);
	assert_false(waits_for(place, "libraries"));
}

static void test_what_proves_nothing(void **state)
{
	struct place *place = *state;
	place_put(place, "etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
	install(place, PAIRS("dpkg", "1", "curl", "7.88-1"));
	read_again(place);
	assert_non_null(strstr(place->proof, "+source/apt\tstate=unproven\twhy=none"));
	publish(place, days_ago(place, 1), PAIRS("curl", "7.88-1"));
	read_again(place);
	assert_non_null(strstr(place->proof, "+os\tid=debian\tversion=12\n"));
	assert_non_null(strstr(place->proof, "+source/apt\tstate=ok\tfetched="));
	place->now_ms += INT64_C(365) * 86400000;
	read_again(place);
	assert_non_null(strstr(place->proof, "+source/apt\tstate=unproven\twhy=old\tfetched="));
	place->now_ms = fw_wall_ms();
	place_put(place, LIST "contrib_binary-amd64_Packages.xz", "this is no xz");
	read_again(place);
	assert_non_null(strstr(place->proof, "+source/apt\tstate=unproven\twhy=unreadable"));
}

/* Times of a recorded tree; `days` before now. */
static void put_times(struct place *place, const char *const *paths, const int *days)
{
	struct fw_buf text = {0};
	for (size_t i = 0; paths[i]; i++)
		fw_buf_printf(&text, "%s %" PRIi64 "\n", paths[i],
			place->now_ms / 1000 - days[i] * INT64_C(86400));
	place_put(place, "recorded/mtimes", (char *)text.data);
	fw_buf_done(&text);
}

#define MAIN "var/lib/apt/lists/d_dists_stable_"

/* apt runs every day; one archive's server is gone, and the attempts touch folders. */
static void test_an_archive_that_does_not_answer(void **state)
{
	struct place *place = *state;
	const char *const paths[] = {"var/lib/apt/lists", "var/lib/apt/lists/partial",
		"var/lib/apt/periodic/update-stamp", LIST "InRelease", MAIN "InRelease", NULL};
	install(place, PAIRS("dpkg", "1", "curl", "1"));
	publish(place, days_ago(place, 1), PAIRS("curl", "1"));
	place_put(place, MAIN "main_binary-amd64_Packages",
		"Package: dpkg\nArchitecture: amd64\nVersion: 1\n\n");
	place_put(place, MAIN "InRelease",
		"Origin: Debian\nSuite: stable\nCodename: bookworm\nDate: " FIRST "\n");
	put_times(place, paths, (const int[]){0, 0, 0, 0, 2});
	read_again(place);
	assert_non_null(strstr(place->proof, "+source/apt\tstate=ok"));
	put_times(place, paths, (const int[]){0, 0, 0, 0, 4});
	read_again(place);
	assert_non_null(strstr(place->proof, "+source/apt\tstate=unproven\twhy=old"));
	assert_non_null(strstr(
		place->proof, "+source/apt/Debian:bookworm/stable\tstate=unproven\twhy=old"));
	put_times(place, paths, (const int[]){0, 0, 0, 4, 0});
	read_again(place);
	assert_non_null(strstr(place->proof, "+source/apt\tstate=unproven\twhy=old"));
	/* Without a signature nothing tells when it answered. */
	const char *const folders[] = {paths[0], paths[1], paths[2], NULL};
	put_times(place, folders, (const int[]){4, 0, 0});
	read_again(place);
	assert_non_null(strstr(place->proof, "+source/apt\tstate=unproven\twhy=old"));
	put_times(place, folders, (const int[]){1, 0, 0});
	read_again(place);
	assert_non_null(strstr(place->proof, "+source/apt\tstate=ok"));
}

static void keep_restarts(struct place *place, bool partial, int hours_ago)
{
	struct fw_buf body = {0};
	struct facts_libraries *all = fw_alloc(sizeof *all);
	char path[128];
	all->partial = partial;
	facts_put_libraries(all, &body);
	restarts_keep(&place->m, &body);
	snprintf(path, sizeof path, "%s/restarts", place->var);
	const struct timespec at = {.tv_sec = place->now_ms / 1000 - hours_ago * 3600};
	assert_int_equal(utimensat(AT_FDCWD, path, (const struct timespec[]){at, at}, 0), 0);
	fw_buf_done(&body);
	fw_free(all);
}

/* What others run that was replaced could not be seen: a fix may wait for their restart. */
static void test_processes_of_others(void **state)
{
	struct place *place = *state;
	install(place, PAIRS("dpkg", "1"));
	publish(place, days_ago(place, 1), PAIRS("dpkg", "1"));
	place->m.recorded = false;
	keep_restarts(place, true, 0);
	read_again(place);
	assert_non_null(strstr(place->proof, "+source/restarts\tstate=unproven\twhy=partial"));
	keep_restarts(place, false, 0); /* the control */
	read_again(place);
	assert_non_null(strstr(place->proof, "+source/restarts\tstate=ok"));
	/* Nobody has looked for hours: the source looks itself. */
	keep_restarts(place, true, 5);
	read_again(place);
	assert_non_null(strstr(place->proof, "+source/restarts\tstate=ok"));
}

/* Fetched while the clock was years ahead. */
static void test_lists_of_times_to_come(void **state)
{
	struct place *place = *state;
	install(place, PAIRS("dpkg", "1"));
	publish(place, days_ago(place, 1), PAIRS("dpkg", "1"));
	put_times(place, PAIRS("var/lib/apt/lists"), (const int[]){-1000});
	read_again(place);
	assert_non_null(strstr(place->proof, "+source/apt\tstate=unproven\twhy=old"));
	put_times(place, PAIRS("var/lib/apt/lists"), (const int[]){0});
	read_again(place);
	assert_non_null(strstr(place->proof, "+source/apt\tstate=ok"));
}

static void test_no_archive_for_security(void **state)
{
	struct place *place = *state;
	install(place, PAIRS("dpkg", "1"));
	place_put(place, MAIN "main_binary-amd64_Packages",
		"Package: dpkg\nArchitecture: amd64\nVersion: 1\n\n");
	place_put(place, MAIN "InRelease", "Origin: Debian\nSuite: stable\nCodename: bookworm\n");
	read_again(place);
	assert_non_null(strstr(place->proof, "+source/apt\tstate=unproven\twhy=security"));
	/* Somebody else's, that is called so. */
	place_put(place, "var/lib/apt/lists/o_security:_tools_Packages",
		"Package: tool\nArchitecture: amd64\nVersion: 1\n\n");
	place_put(place, "var/lib/apt/lists/o_security:_tools_InRelease",
		"Origin: obs://example/security:tools\nLabel: security:tools\n");
	read_again(place);
	assert_non_null(strstr(place->proof, "+source/apt\tstate=unproven\twhy=security"));
	/* A mirror that has made one of all archives. */
	place_put(place, MAIN "InRelease", "Origin: Council\nSuite: stable\nCodename: bookworm\n");
	read_again(place);
	assert_non_null(strstr(place->proof, "+source/apt\tstate=ok"));
	/* A supplier's list alone, and the base is in none. */
	place_put(place, MAIN "main_binary-amd64_Packages",
		"Package: docker\nArchitecture: amd64\nVersion: 1\n\n");
	read_again(place);
	assert_non_null(strstr(place->proof, "+source/apt\tstate=unproven\twhy=security"));
}

/* What is missing of it may be what is not up to date. */
static void test_a_status_that_is_not_whole(void **state)
{
	static const char whole[] =
		"Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n"
		"Package: old\nStatus: purge ok not-installed\n\n";
	struct place *place = *state;
	publish(place, days_ago(place, 1), PAIRS("dpkg", "1"));
	place_put(place, "var/lib/dpkg/status", whole);
	read_again(place);
	assert_non_null(strstr(place->proof, "+source/apt\tstate=ok"));
	const char *const spoilt[] = {"Package: curl\nStatus: install ok inst",
		"Package: curl\nStatus: install ok installed\nArchitecture: amd64\n\n",
		"\x01\x02\x03\n\n"};
	for (size_t i = 0; i < sizeof spoilt / sizeof *spoilt; i++) {
		char *text = fw_format("%s%s", whole, spoilt[i]);
		place_put(place, "var/lib/dpkg/status", text);
		fw_free(text);
		read_again(place);
		assert_non_null(
			strstr(place->proof, "+source/apt\tstate=unproven\twhy=unreadable"));
	}
}

/* A mirror that is not kept up answers every day, with lists of long ago. */
static void test_lists_that_were_made_long_ago(void **state)
{
	struct place *place = *state;
	install(place, PAIRS("dpkg", "1"));
	place_put(place, MAIN "main_binary-amd64_Packages",
		"Package: dpkg\nArchitecture: amd64\nVersion: 1\n\n");
	place_put(place, MAIN "InRelease",
		"Origin: Debian\nSuite: stable\nCodename: bookworm\nDate: " FIRST "\n");
	publish(place, days_ago(place, 13), PAIRS("dpkg", "1"));
	read_again(place);
	assert_non_null(strstr(place->proof, "+source/apt\tstate=ok"));
	publish(place, days_ago(place, 15), PAIRS("dpkg", "1"));
	read_again(place);
	assert_non_null(strstr(place->proof, "+source/apt\tstate=unproven\twhy=frozen"));
}

/* apt update and apt upgrade in one go: nobody saw them pending. */
static void test_a_reboot_for_what_nobody_saw(void **state)
{
	struct place *place = *state;
	install(place, PAIRS("dpkg", "1", "libc6", "2.36-2"));
	publish(place, FIRST, PAIRS("dpkg", "1"));
	place_put(place, "run/reboot-required", "");
	place_put(place, "run/reboot-required.pkgs", "libc6\nlibc6\nnobody\n");
	place_put(place, "var/lib/dpkg/info/libc6:amd64.list", "/.\n");
	put_times(place, PAIRS("var/lib/dpkg/info/libc6:amd64.list"), (const int[]){5});
	char *expected =
		fw_format("+libc6:amd64\tinstalled=2.36-2\tcandidate=2.36-2\t"
			  "class=unknown\tneeds=reboot\tstate=unfinished\twaits=%" PRIi64 "\n",
			place->now_ms / 1000 - 5 * INT64_C(86400));
	expect(place, expected);
	place_take_away(place, "run/reboot-required");
	expect(place, "");
	fw_free(expected);
}

/* A flag that does not say for what may be meant for all that was installed since. */
static void test_a_reboot_for_nobody_knows_what(void **state)
{
	struct place *place = *state;
	install(place, PAIRS("dpkg", "1", "curl", "1"));
	publish(place, FIRST, PAIRS("curl", "1"));
	read_again(place);
	publish(place, SECOND, PAIRS("curl", "2"));
	read_again(place);
	place_put(place, "run/reboot-required", "");
	install(place, PAIRS("dpkg", "1", "curl", "2"));
	expect(place,
		"+curl:amd64\tinstalled=2\tcandidate=2\tsource=curl\t" ORIGIN
		"needs=reboot\tstate=unfinished\tlisted=1793606400\n");
	place_take_away(place, "run/reboot-required");
	expect(place, "");
}

/* apt does not offer it; the clock of the fix runs all the same. */
static void test_a_fix_that_preferences_keep_away(void **state)
{
	static const char held[] =
		"+curl:amd64\tinstalled=1\tcandidate=2\tsource=curl\t" ORIGIN "state=held\n";
	struct place *place = *state;
	install(place, PAIRS("dpkg", "1", "curl", "1"));
	publish(place, FIRST, PAIRS("curl", "2"));
	place_put(place, "etc/apt/preferences",
		"Package: curl\nPin: version 1*\nPin-Priority: 1001\n");
	place_put(place, MAIN "main_binary-amd64_Packages",
		"Package: curl\nArchitecture: amd64\nVersion: 1\n\n");
	expect(place, held);
	place_put(place, "etc/apt/preferences",
		"Package: curl\nPin: release a=stable\nPin-Priority: never\n");
	expect(place, held);
	/* An archive that is there for single packages only holds nothing back. */
	place_put(place, "etc/apt/preferences",
		"Package: *\nPin: release a=stable\nPin-Priority: -1\n");
	expect(place, "");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_a_fix_is_dated_by_the_list_that_lacked_it),
		CASE(test_nothing_is_known_before_the_first_list),
		CASE(test_held_and_phased),
		CASE(test_a_kernel_is_done_when_it_runs),
		CASE(test_a_kernel_installed_before_we_came),
		CASE(test_a_library_that_asks_for_a_reboot),
		CASE(test_a_library_that_a_service_still_runs),
		CASE(test_the_first_process_runs_what_was_replaced),
		CASE(test_what_proves_nothing),
		CASE(test_an_archive_that_does_not_answer),
		CASE(test_processes_of_others),
		CASE(test_lists_of_times_to_come),
		CASE(test_no_archive_for_security),
		CASE(test_lists_that_were_made_long_ago),
		CASE(test_a_status_that_is_not_whole),
		CASE(test_a_reboot_for_what_nobody_saw),
		CASE(test_a_reboot_for_nobody_knows_what),
		CASE(test_a_fix_that_preferences_keep_away),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
