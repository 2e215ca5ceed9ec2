/* SPDX-License-Identifier: Apache-2.0 */
/* A machine of rpm's over weeks: its files are written as rpm, dnf, yum and zypper would,
 * and the source is read again, with the table of the read before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "../sweep.h"
#include "test_place.h"

extern const struct source source_rpm;

#define CACHE "var/cache/dnf/base-0123456789abcdef/repodata/"
#define INSTALLED "\t1000\tVendor\n"

/* "name\tepoch\tversion\trelease\tarch", and so on. The database is written with it. */
static void install(struct place *place, const char *packages)
{
	static unsigned changes;
	char mark[16];
	snprintf(mark, sizeof mark, "%u", ++changes);
	place_put(place, "recorded/rpm-qa", packages);
	place_put(place, "var/lib/rpm/rpmdb.sqlite", mark);
	/* Its time may be the same as before: its size is another. */
	char *bytes = fw_format("%0*u", (int)changes, 0);
	place_put(place, "var/lib/rpm/rpmdb.sqlite", bytes);
	fw_free(bytes);
}

#define PACKAGE(name, evr_attributes, more)                                                      \
	"<package type=\"rpm\"><name>" name "</name><arch>x86_64</arch><version " evr_attributes \
	"/><format><rpm:vendor>Vendor</rpm:vendor><rpm:sourcerpm>" name                          \
	"-src-1-1.src.rpm</rpm:sourcerpm>" more "</format></package>"
#define EVR(version, release) "epoch=\"0\" ver=\"" version "\" rel=\"" release "\""

static void write_index(struct place *place, const char *folder, const char *types, int64_t date_s)
{
	struct fw_buf text = {0};
	char *path = fw_format("%srepomd.xml", folder);
	fw_buf_puts(&text, "<repomd xmlns=\"x\">");
	for (const char *at = types; *at;) {
		int length = (int)strcspn(at, " ");
		fw_buf_printf(&text,
			"<data type=\"%.*s\"><location href=\"repodata/%.*s.%s\"/>"
			"<timestamp>%lld</timestamp></data>",
			length, at, length, at,
			strncmp(at, "modules", 7) == 0               ? "yaml"
				: strncmp(at, "primary_db", 10) == 0 ? "sqlite"
								     : "xml",
			(long long)date_s);
		at += length + (at[length] == ' ');
	}
	fw_buf_puts(&text, "</repomd>");
	place_put(place, path, (char *)text.data);
	fw_buf_done(&text);
	fw_free(path);
}

static void publish(
	struct place *place, const char *packages, const char *advisories, int64_t date_s)
{
	char *text = fw_format("<metadata>%s</metadata>", packages);
	place_put(place, CACHE "primary.xml", text);
	fw_free(text);
	text = fw_format("<updates>%s</updates>", advisories);
	place_put(place, CACHE "updateinfo.xml", text);
	fw_free(text);
	write_index(place, CACHE, "primary updateinfo", date_s);
}

#define ADVISORY(id, type, severity, issued, name, version)                               \
	"<update type=\"" type "\"><id>" id "</id><issued date=\"" issued                 \
	"\"/><severity>" severity "</severity><pkglist><collection><package name=\"" name \
	"\" epoch=\"0\" version=\"" version                                               \
	"\" release=\"1\" arch=\"x86_64\"/></collection></pkglist></update>"

static int set_up(void **state)
{
	struct place *place = *state = fw_alloc(sizeof *place);
	place_init(place);
	place_put(place, "proc/sys/kernel/osrelease", "5.14.0-1.el9.x86_64\n");
	place_put(place, "proc/stat", "cpu  1 2 3 4\nbtime 5000\n");
	place_put(place, "etc/dnf/dnf.conf", "[main]\ngpgcheck=1\n");
	place_put(place, "etc/yum.repos.d/base.repo",
		"[base]\nname=Base\nenabled=1\n[off]\nenabled=0\n");
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
	place_read(place, &source_rpm);
}

static bool says(const struct place *place, const char *text)
{
	return strstr(place->table, text) || strstr(place->proof, text) ||
		strstr(place->series, text);
}

static void has(struct place *place, const char *text)
{
	if (!says(place, text))
		fail_msg("no %s in %s%s%s", text, place->table, place->proof, place->series);
}

static void has_not(struct place *place, const char *text)
{
	if (says(place, text))
		fail_msg("%s in %s%s%s", text, place->table, place->proof, place->series);
}

#define CURL "curl\t(none)\t7\t1\tx86_64\tcurl-7-1.src.rpm" INSTALLED
#define BASH "bash\t(none)\t5\t1\tx86_64\tbash-5-1.src.rpm" INSTALLED

static void test_a_fix_and_its_advisories(void **state)
{
	struct place *place = *state;
	install(place, BASH CURL);
	publish(place, PACKAGE("curl", EVR("7", "1"), ""), "", 1000);
	read_again(place);
	has(place, "fenwatch_patch_pending{class=\"security\",source=\"rpm\"} 0");
	has(place, "yum_upgrades_pending 0");
	has(place, "node_reboot_required 0");
	publish(place, PACKAGE("curl", EVR("9", "1"), "") PACKAGE("curl", EVR("8", "1"), ""),
		ADVISORY("A:1", "security", "Low", "2026-01-02", "curl", "7.5") ADVISORY("A:2",
			"security", "Important", "2026-01-03 10:00:00", "curl",
			"8") ADVISORY("A:3", "bugfix", "None", "2026-01-01", "curl", "9")
			ADVISORY("A:4", "security", "Critical", "2026-01-04", "curl", "10")
				ADVISORY("A:5", "security", "Critical", "2026-01-04", "curl", "6"),
		2000);
	read_again(place);
	has(place,
		"+curl:x86_64\tinstalled=7-1\tcandidate=9-1\tsource=curl-src\torigin=base\t"
		"class=security\tstate=pending\tlisted=1000\tseverity=important\t"
		"advisory=A:2 A:1 A:3\treleased=1767434400\n");
	has(place,
		"fenwatch_patch_pending{class=\"security\",severity=\"important\",source=\"rpm\"} 1");
	has(place, "yum_upgrades_pending{origin=\"base\"} 1");
	has(place, "+source/rpm/base\tstate=ok\tfetched=");
	/* Nothing has changed: the table is counted again. */
	read_again(place);
	has(place, "severity=\"important\",source=\"rpm\"} 1");
	has(place, "yum_upgrades_pending{origin=\"base\"} 1");
}

/* No severity is taken for urgent, and is not hidden by a low one. */
static void test_no_severity(void **state)
{
	struct place *place = *state;
	install(place, BASH CURL);
	publish(place, PACKAGE("curl", EVR("9", "1"), ""),
		ADVISORY("A:1", "security", "Low", "1767225600", "curl", "8")
			ADVISORY("A:2", "security", "None", "1767225900", "curl", "9"),
		2000);
	read_again(place);
	has(place, "advisory=A:2 A:1\treleased=1767225900\n");
	has_not(place, "severity=low");
}

static void test_what_proves_nothing(void **state)
{
	struct place *place = *state;
	install(place, BASH CURL);
	read_again(place);
	has(place, "+source/rpm\tstate=unproven\twhy=none");
	has(place, "fenwatch_patch_source_ok{source=\"rpm\"} 0");
	has_not(place, "\nfenwatch_patch_pending{");
	has_not(place, "yum_upgrades_pending 0");
	publish(place, PACKAGE("curl", EVR("7", "1"), ""), "", 1000);
	read_again(place);
	has(place, "+source/rpm\tstate=ok");
	place->now_ms += INT64_C(3) * 86400000 + 60000;
	read_again(place);
	has(place, "+source/rpm\tstate=unproven\twhy=old\tfetched=");
	has(place, "fenwatch_patch_source_ok{source=\"rpm\"} 0");
	has_not(place, "\nfenwatch_patch_pending{");
	place->now_ms = fw_wall_ms();
	place_put(place, CACHE "primary.xml", "<metadata><package><name>cu");
	read_again(place);
	has(place, "+source/rpm\tstate=unproven\twhy=unreadable");
	place_put(place, CACHE "primary.xml",
		"<!DOCTYPE x [<!ENTITY a \"aaaa\">]><metadata>&a;</metadata>");
	read_again(place);
	has(place, "+source/rpm\tstate=unproven\twhy=unreadable");
	place_take_away(place, CACHE "primary.xml");
	read_again(place);
	has(place, "+source/rpm\tstate=unproven\twhy=none");
}

/* A medium does not age; a repository beside it does. */
static void test_a_medium(void **state)
{
	struct place *place = *state;
	install(place, BASH CURL);
	place_take_away(place, "etc/yum.repos.d/base.repo");
	place_put(
		place, "etc/zypp/repos.d/base.repo", "[SLES/15]\nbaseurl=cd:/?devices=/dev/sr0\n");
	place_put(place, "var/cache/zypp/raw/SLES_15/repodata/primary.xml", "<metadata/>");
	write_index(place, "var/cache/zypp/raw/SLES_15/repodata/", "primary", 1000);
	/* Alone it has no fixes, however long it lies there. */
	read_again(place);
	has(place, "+source/rpm\tstate=unproven\twhy=base");
	place_put(place, "etc/zypp/repos.d/updates.repo", "[updates]\nenabled=1\n");
	place_put(place, "var/cache/zypp/raw/updates/repodata/primary.xml", "<metadata/>");
	place_put(place, "var/cache/zypp/raw/updates/repodata/updateinfo.xml", "<updates/>");
	write_index(place, "var/cache/zypp/raw/updates/repodata/", "primary updateinfo",
		place->now_ms / 1000);
	read_again(place);
	has(place, "+source/rpm\tstate=ok");
	place->now_ms += INT64_C(30) * 86400000;
	read_again(place);
	has(place, "+source/rpm\tstate=unproven");
	has(place, "+source/rpm/SLES/15\tstate=ok");
	has(place, "+source/rpm/updates\tstate=unproven\twhy=old");
}

/* Two thousand of which one is enabled, and then more than anybody has. */
static void test_very_many_repositories(void **state)
{
	struct place *place = *state;
	struct fw_buf text = {0};
	install(place, CURL);
	place_take_away(place, "etc/yum.repos.d/base.repo");
	for (int i = 0; i < 2000; i++)
		fw_buf_printf(&text, "[repo-%d]\nname=x\nenabled = 0\n\n", i);
	fw_buf_puts(&text, "[base]\nenabled = 1\n");
	place_put(place, "etc/yum.repos.d/redhat.repo", (char *)text.data);
	publish(place, PACKAGE("curl", EVR("8", "1"), ""), "", 1000);
	read_again(place);
	has(place, "+curl:x86_64\tinstalled=7-1\tcandidate=8-1");
	has(place, "+source/rpm\tstate=ok");
	fw_buf_reset(&text);
	for (int i = 0; i < 400; i++)
		fw_buf_printf(&text, "[repo-%d]\nenabled = 1\n\n", i);
	place_put(place, "etc/yum.repos.d/redhat.repo", (char *)text.data);
	read_again(place);
	has(place, "+source/rpm\tstate=unproven\twhy=unreadable");
	fw_buf_done(&text);
}

#define GLIBC "glibc\t(none)\t2\t1\tx86_64\tglibc-2-1.src.rpm" INSTALLED

/* A subscription that has lapsed takes its repositories with it; a supplier's stay fresh. */
static void test_no_repository_of_the_base(void **state)
{
	struct place *place = *state;
	int64_t now_s = place->now_ms / 1000;
	install(place, GLIBC CURL);
	publish(place, PACKAGE("curl", EVR("7", "1"), ""), "", now_s);
	read_again(place);
	has(place, "+source/rpm\tstate=unproven\twhy=base");
	publish(place, PACKAGE("glibc", EVR("2", "1"), ""), "", now_s - 29 * 86400);
	read_again(place);
	has(place, "+source/rpm\tstate=ok");
	/* It is looked at every day, and nothing has come for a month. */
	publish(place, PACKAGE("glibc", EVR("2", "1"), ""), "", now_s - 31 * 86400);
	read_again(place);
	has(place, "+source/rpm\tstate=unproven\twhy=frozen");
}

static void test_held(void **state)
{
	struct place *place = *state;
	install(place, BASH CURL);
	publish(place, PACKAGE("curl", EVR("8", "1"), "") PACKAGE("bash", EVR("6", "1"), ""), "",
		1000);
	place_put(place, "etc/dnf/plugins/versionlock.conf", "[main]\nenabled=1\n");
	place_put(place, "etc/dnf/plugins/versionlock.list", "# kept\ncurl-0:7-1.*\n");
	read_again(place);
	has(place,
		"+curl:x86_64\tinstalled=7-1\tcandidate=8-1\tsource=curl-src\torigin=base\tclass=unknown\tstate=held\n");
	has(place,
		"+bash:x86_64\tinstalled=5-1\tcandidate=6-1\tsource=bash-src\torigin=base\tclass=unknown\tstate=pending\n");
	has(place, "yum_upgrades_pending{origin=\"base\"} 1");
	has(place, "fenwatch_patch_pending{class=\"unknown\",source=\"rpm\"} 2");
	has(place, "fenwatch_patch_held{source=\"rpm\"} 1");
	read_again(place); /* and counted from the table */
	has(place, "fenwatch_patch_held{source=\"rpm\"} 1");
	place_put(place, "etc/dnf/plugins/versionlock.conf", "[main]\nenabled = 0\n");
	read_again(place);
	has(place, "yum_upgrades_pending{origin=\"base\"} 2");
	/* As yum writes it, and an exclude of one repository, over several lines. */
	place_put(place, "etc/yum/pluginconf.d/versionlock.conf", "[main]\nenabled=1\n");
	place_put(place, "etc/yum/pluginconf.d/versionlock.list", "0:curl-7-1.*\n");
	place_put(place, "etc/yum.repos.d/base.repo", "[base]\nexcludepkgs = foo\n  ba?h\n");
	read_again(place);
	has_not(place, "state=pending");
}

#define KERNEL(release, at) \
	"kernel-core\t(none)\t5.14.0\t" release "\tx86_64\tkernel-5-1.src.rpm\t" at "\tVendor\n"

static void test_what_waits_for_a_start(void **state)
{
	struct place *place = *state;
	install(place, BASH KERNEL("1.el9", "1000"));
	publish(place, PACKAGE("kernel-core", EVR("5.14.0", "2.el9"), ""), "", 1000);
	read_again(place);
	has(place, "+kernel-core:x86_64\tinstalled=5.14.0-1.el9\tcandidate=5.14.0-2.el9");
	has(place, "needs=reboot\tstate=pending");
	has(place, "node_reboot_required 0");
	install(place,
		BASH KERNEL("1.el9", "1000") KERNEL("2.el9",
			"6000") "openssl-libs\t1\t3.0\t1\tx86_64\tx-1-1.src.rpm\t7000\tVendor\n"
				"curl\t(none)\t7\t1\tx86_64\tcurl-7-1.src.rpm\t7000\tVendor\n");
	read_again(place);
	has(place,
		"+kernel-core:x86_64\tinstalled=5.14.0-2.el9\tcandidate=5.14.0-2.el9\tsource=kernel-core-src"
		"\torigin=base\tclass=unknown\tneeds=reboot\tstate=unfinished\twaits=6000\n");
	has(place,
		"+openssl-libs:x86_64\tinstalled=1:3.0-1\tcandidate=1:3.0-1\tclass=unknown\tneeds=reboot\tstate=unfinished\twaits=7000\n");
	has(place, "node_reboot_required 1");
	has(place, "since_timestamp_seconds{detector=\"kernel\"} 6000");
	has(place, "since_timestamp_seconds{detector=\"package\"} 7000");
	/* One that is newer still does not hide that a start is missing; nor does it on the next read. */
	publish(place, PACKAGE("kernel-core", EVR("5.14.0", "3.el9"), ""), "", 2000);
	for (int i = 0; i < 2; i++) {
		read_again(place);
		has(place, "state=pending\tlisted=1000\twaits=6000");
		has(place, "node_reboot_required 1");
		has(place, "since_timestamp_seconds{detector=\"kernel\"} 6000");
	}
	place_put(place, "proc/sys/kernel/osrelease", "5.14.0-2.el9.x86_64\n");
	place_put(place, "proc/stat", "cpu  1 2 3 4\nbtime 8000\n");
	read_again(place);
	has(place, "node_reboot_required 0");
	has_not(place, "unfinished");
	place_put(place, "run/reboot-needed", "");
	read_again(place);
	has(place, "node_reboot_required 1");
	has(place, "detector=\"flag\"");
}

#define OLD_CURL "1-2 r-xp 0 08:01 9 /usr/lib64/libcurl.so.4.7.0 (deleted)\n"

/* A fix is not done before the services that run its old files were restarted, or the
 * machine, where the first process does. */
static void test_what_waits_for_a_restart_of_services(void **state)
{
	struct place *place = *state;
	install(place, BASH CURL);
	publish(place, "", "", 1000);
	place_put(place, "recorded/rpm-qf",
		"file /opt/own.so is not owned by any package\n"
		"curl\tx86_64\t/usr/bin/curl\ncurl\tx86_64\t/lib64/libcurl.so.4.7.0\n");
	place_put(place, "proc/700/cgroup", "0::/system.slice/nginx.service\n");
	place_put(place, "proc/700/maps", OLD_CURL "3-4 r-xp 0 08:01 9 /opt/own.so (deleted)\n");
	for (int i = 0; i < 2; i++) {
		read_again(place);
		has(place,
			"+curl:x86_64\tinstalled=7-1\tcandidate=7-1\tclass=unknown\tneeds=restart\t"
			"services=nginx.service\tstate=unfinished\twaits=1000\n");
		has(place, "node_reboot_required 0");
	}
	place_put(place, "proc/1/cgroup", "0::/init.scope\n");
	place_put(place, "proc/1/maps", OLD_CURL);
	for (int i = 0; i < 2; i++) {
		read_again(place);
		has(place, "class=unknown\tneeds=reboot\tstate=unfinished\twaits=1000\n");
		has(place, "node_reboot_required 1");
		has(place, "since_timestamp_seconds{detector=\"package\"} 1000");
	}
	place_put(place, "proc/1/maps", "");
	place_put(place, "proc/700/maps", "");
	read_again(place);
	has_not(place, "unfinished");
	has(place, "node_reboot_required 0");
}

static void test_a_package_that_takes_anothers_place(void **state)
{
	struct place *place = *state;
	install(place, BASH CURL);
	publish(place,
		PACKAGE("wcurl", EVR("1", "1"),
			"<rpm:obsoletes><rpm:entry name=\"curl\" flags=\"LT\" epoch=\"0\" ver=\"8\"/></rpm:obsoletes>"),
		"", 1000);
	read_again(place);
	has(place,
		"+wcurl:x86_64\tinstalled=7-1\tcandidate=1-1\tsource=wcurl-src\torigin=base\tclass=unknown\tstate=pending\treplaces=curl\n");
	has(place, "yum_upgrades_pending 0");
	has(place, "fenwatch_patch_pending{class=\"unknown\",source=\"rpm\"} 1");
}

#define STREAM(name, artifact)                                                      \
	"---\ndocument: modulemd\nversion: 2\ndata:\n  name: curl\n  stream: " name \
	"\n  artifacts:\n    rpms:\n    - " artifact "\n...\n"

static void test_modules(void **state)
{
	struct place *place = *state;
	install(place, BASH CURL);
	publish(place,
		PACKAGE("curl", EVR("8", "1"), "") PACKAGE("curl", EVR("9", "1"), "")
			PACKAGE("curl", EVR("99", "1"), ""),
		"", 1000);
	write_index(place, CACHE, "primary modules", 1000);
	read_again(place);
	has(place, "+source/rpm\tstate=unproven\twhy=modules");
	place_put(place, CACHE "modules.yaml",
		STREAM("\"8\"", "curl-0:8-1.x86_64") STREAM("\"9\"",
			"curl-0:9-1.x86_64") "---\ndocument: modulemd-defaults\nversion: 1\ndata:\n  module: curl\n  stream: \"8\"\n...\n");
	read_again(place);
	has(place, "+source/rpm\tstate=ok");
	has(place, "candidate=8-1");
	place_put(place, "etc/dnf/modules.d/curl.module",
		"[curl]\nname=curl\nstream=9\nstate=enabled\n");
	read_again(place);
	has(place, "candidate=9-1");
	place_put(place, "etc/dnf/modules.d/curl.module",
		"[curl]\nname=curl\nstream=\nstate=disabled\n");
	read_again(place);
	has(place, "candidate=99-1");
}

/* yum keeps a repository's packages in a database. */
static void test_a_database_of_packages(void **state)
{
	struct place *place = *state;
	const char *folder = "var/cache/yum/x86_64/7/base/";
	place_take_away(place, "etc/dnf/dnf.conf");
	install(place, BASH CURL);
	write_index(place, folder, "primary_db", 1000);
	place_put(place, "var/cache/yum/x86_64/7/base/gen/x", "");
	char *path = fw_format("%s/%sgen/primary_db.sqlite", place->root, folder);
	sqlite3 *db;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db,
			"CREATE TABLE packages (pkgKey INTEGER PRIMARY KEY, name TEXT, arch TEXT, version TEXT, epoch TEXT, "
			"release TEXT, rpm_vendor TEXT, rpm_sourcerpm TEXT);"
			"CREATE TABLE obsoletes (name TEXT, flags TEXT, epoch TEXT, version TEXT, release TEXT, pkgKey INTEGER);"
			"INSERT INTO packages VALUES (1, 'curl', 'x86_64', '8', '0', '1', 'Vendor', 'curl-8-1.src.rpm');"
			"INSERT INTO packages VALUES (2, 'ash', 'x86_64', '8', '0', '1', 'Vendor', 'ash-8-1.src.rpm');"
			"INSERT INTO obsoletes VALUES ('bash', 'LE', '0', '5', '1', 2)",
			NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(db);
	read_again(place);
	has(place, "+source/rpm\tstate=ok");
	has(place, "+curl:x86_64\tinstalled=7-1\tcandidate=8-1\tsource=curl\torigin=base");
	has(place, "+ash:x86_64\tinstalled=5-1\tcandidate=8-1");
	place_put(place, "var/cache/yum/x86_64/7/base/gen/primary_db.sqlite",
		"SQLite format 3, but not really");
	read_again(place);
	has(place, "why=unreadable");
	fw_free(path);
}

static void test_zypper(void **state)
{
	struct place *place = *state;
	const char *folder = "var/cache/zypp/raw/SLE/repodata/";
	install(place, BASH CURL "vim\t(none)\t7\t1\tx86_64\tvim-7-1.src.rpm\t1\tStranger\n");
	place_put(place, "etc/zypp/repos.d/SLE.repo", "[SLE]\nenabled=1\n");
	place_put(
		place, "etc/zypp/locks", "type: package\nmatch_type: glob\nsolvable_name: ba*\n\n");
	place_put(place, "var/cache/zypp/raw/SLE/repodata/primary.xml",
		"<metadata>" PACKAGE("bash", EVR("6", "1"), "") PACKAGE("curl", EVR("8", "1"), "")
			PACKAGE("vim", EVR("8", "1"), "") "</metadata>");
	place_put(place, "var/cache/zypp/raw/SLE/repodata/updateinfo.xml",
		"<updates><update type=\"security\"><id>SLE-1</id><severity>moderate</severity>"
		"<issued date=\"1705316400\"/><reboot_suggested/><references><reference type=\"self\" "
		"id=\"SUSE-SU-2024:0101-1\"/><reference type=\"bugzilla\" id=\"1\"/></references><pkglist>"
		"<collection><package name=\"curl\" epoch=\"0\" version=\"8\" release=\"1\" "
		"arch=\"x86_64\"/></collection></pkglist></update></updates>");
	write_index(place, folder, "primary updateinfo", 1000);
	read_again(place);
	has(place,
		"+bash:x86_64\tinstalled=5-1\tcandidate=6-1\tsource=bash-src\torigin=SLE\tclass=unknown\tstate=held\n");
	has(place,
		"class=security\tneeds=reboot\tstate=pending\tseverity=moderate\tadvisory=SUSE-SU-2024:0101-1\treleased=1705316400\n");
	has_not(place, "+vim");
	place_put(place, "etc/zypp/vendors.d/both", "[main]\nvendors = strange , vendor\n");
	read_again(place);
	has(place, "+vim:x86_64\tinstalled=7-1\tcandidate=8-1");
}

static void test_other_machines(void **state)
{
	struct place *place = *state;
	struct fw_err err;
	assert_int_equal(source_rpm.read(NULL, &place->m, place->sweep, &err), -61);
	install(place, BASH CURL);
	place_put(place, "var/lib/dpkg/status", "Package: dpkg\n");
	assert_int_equal(source_rpm.read(NULL, &place->m, place->sweep, &err), -61);
	place_put(place, "var/lib/dpkg/status", "");
	read_again(place);
}

static void test_what_is_installed(void **state)
{
	struct place *place = *state;
	install(place,
		BASH KERNEL("1.el9", "1000") KERNEL("10.el9", "2000") KERNEL("9.el9",
			"3000") "gpg-pubkey\t(none)\tabc\t1\t(none)\t(none)\t1\t(none)\ntoo\tfew\n");
	publish(place, PACKAGE("bash", EVR("5", "1"), ""), "", 1000);
	read_again(place);
	char *packages = place_load(place, "packages");
	assert_non_null(strstr(packages, "+bash:x86_64\tversion=5-1\torigin=base\n"));
	assert_non_null(strstr(packages,
		"+kernel-core:x86_64\tversion=5.14.0-10.el9\tsource=kernel\tbeside=5.14.0-9.el9 5.14.0-1.el9\n"));
	assert_null(strstr(packages, "gpg-pubkey"));
	fw_free(packages);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_a_fix_and_its_advisories),
		CASE(test_no_severity),
		CASE(test_what_proves_nothing),
		CASE(test_a_medium),
		CASE(test_no_repository_of_the_base),
		CASE(test_very_many_repositories),
		CASE(test_held),
		CASE(test_what_waits_for_a_start),
		CASE(test_what_waits_for_a_restart_of_services),
		CASE(test_a_package_that_takes_anothers_place),
		CASE(test_modules),
		CASE(test_a_database_of_packages),
		CASE(test_zypper),
		CASE(test_other_machines),
		CASE(test_what_is_installed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
