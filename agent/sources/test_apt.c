/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <sys/mman.h>

#include <fenwatch/buf.h>
#include <fenwatch/fault.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "../documents.h"
#include "apt.h"
#include "aptcache.h"
#include "aptphase.h"

static int file_of(const char *text)
{
	int fd = memfd_create("test", 0);
	assert_true(fd >= 0);
	assert_int_equal(fw_write(fd, text, strlen(text)), 0);
	return fd;
}

static const struct apt_archive stable = {
	"Debian", "Debian", "stable", "bookworm", false, false, 0};
static const struct apt_archive security = {
	"Debian", "Debian-Security", "stable-security", "bookworm-security", false, false, 0};
static const struct apt_archive backports = {
	"Debian Backports", "", "stable-backports", "bookworm-backports", true, true, 0};
static const struct apt_archive experimental = {
	"Debian", "Debian", "experimental", "rc-buggy", true, false, 0};

static const char status[] =
	"Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.21\n\n"
	"Package: tool\nSource: toolbox (1.0)\nStatus: install ok installed\nArchitecture: amd64\n"
	"Version: 1.0-1\n"
	"Description: first\n Version: 9.9\n\n"
	"Package: kept\nStatus: hold ok installed\nArchitecture: all\nVersion: 2.0\n\n"
	"Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 3.0\n\n";

static struct apt *open_apt(const char *preferences)
{
	struct apt *a = apt_new();
	struct fw_err err;
	int fd = file_of(status);
	if (apt_read_status(a, fd, &err) < 0)
		fail_msg("%s", err.text);
	fw_close(fd);
	fd = file_of(preferences);
	apt_read_preferences(a, fd);
	fw_close(fd);
	return a;
}

static void read_list(struct apt *a, const struct apt_archive *archive, const char *name,
	const char *arch, const char *version)
{
	char *text = fw_format("Package: %s\nArchitecture: %s\nVersion: %s\n", name, arch, version);
	int fd = file_of(text);
	assert_int_equal(apt_read_list(a, fd, "", archive, NULL), 0);
	fw_close(fd);
	fw_free(text);
}

static struct apt_summary close_apt(struct apt *a)
{
	struct apt_summary s;
	apt_summarise(a, &s);
	apt_free(a);
	return s;
}

static uint32_t others(const struct apt_summary *s)
{
	return s->pending[APT_BUGFIX] + s->pending[APT_UNKNOWN];
}

static void test_nothing_pending(void **state)
{
	(void)state;
	struct apt *a = open_apt("");
	read_list(a, &stable, "tool", "amd64", "1.0-1");
	read_list(a, &stable, "gone", "amd64", "4.0");
	read_list(a, &stable, "tool", "i386", "5.0");
	struct apt_summary s = close_apt(a);
	assert_int_equal(s.pending[APT_SECURITY] + others(&s), 0);
	assert_int_equal(s.obsolete, 2); /* dpkg and kept are in no list */
	assert_int_equal(s.n_origins, 1);
	assert_string_equal(s.origins[0].text, "Debian:bookworm/stable");
	assert_int_equal(s.origins[0].installed, 1);
}

static void test_security_and_held(void **state)
{
	(void)state;
	struct apt *a = open_apt("");
	read_list(a, &stable, "tool", "amd64", "1.0-1");
	read_list(a, &security, "tool", "amd64", "1.0-1+deb12u1");
	read_list(a, &security, "kept", "all", "2.1");
	struct apt_summary s = close_apt(a);
	assert_int_equal(s.pending[APT_SECURITY], 2);
	assert_int_equal(s.security_upgrades, 1);
	assert_int_equal(others(&s), 0);
	assert_int_equal(s.held, 1);
}

/* A fix for security stays one when a later version without it is taken. */
static void test_security_superseded(void **state)
{
	(void)state;
	struct apt *a = open_apt("");
	read_list(a, &security, "tool", "amd64", "1.0-1+deb12u1");
	read_list(a, &stable, "tool", "amd64", "1.0-1+deb12u2");
	struct apt_summary s = close_apt(a);
	assert_int_equal(s.pending[APT_SECURITY], 1);
	assert_int_equal(s.origins[1].pending, 1);
	assert_string_equal(s.origins[1].text, "Debian:bookworm/stable");
}

static void test_archives_that_are_not_automatic(void **state)
{
	(void)state;
	struct apt *a = open_apt("");
	read_list(a, &stable, "tool", "amd64", "1.0-1");
	read_list(a, &backports, "tool", "amd64", "2.0-1~bpo12+1");
	read_list(a, &experimental, "kept", "all", "9.0");
	struct apt_summary s = close_apt(a);
	assert_int_equal(others(&s), 0);
	/* What was itself taken from backports is kept up to date from there. */
	a = open_apt("");
	read_list(a, &stable, "tool", "amd64", "0.9-1");
	read_list(a, &backports, "tool", "amd64", "2.0-1~bpo12+1");
	s = close_apt(a);
	assert_int_equal(others(&s), 1);
}

static void test_preferences(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint32_t pending;
	} cases[] = {
		{"", 1},
		{"Package: tool\nPin: release n=bookworm\nPin-Priority: -1\n", 0},
		{"Package: to*\nPin: release a=stable,o=Debian\nPin-Priority: 50\n", 0},
		{"Package: *\nPin: release o=Other\nPin-Priority: -1\n", 1},
		{"Package: *\nPin: release o=Debian\nPin-Priority: -1\n", 0},
		{"Package: tool\nPin: version 1.0*\nPin-Priority: 900\n", 0},
		{"Package: other\nPin: release o=Debian\nPin-Priority: -1\n", 1},
		{"Package: tool\nPin: origin \"x\"\nPin-Priority: -1\n", 1},
		{"Package: *\nPin: release o=Debian\nPin-Priority: -1\n\n"
		 "Package: tool\nPin: release o=Debian\nPin-Priority: 500\n",
			1},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct apt *a = open_apt(cases[i].text);
		read_list(a, &stable, "tool", "amd64", "1.0-1");
		read_list(a, &stable, "tool", "amd64", "1.1-1");
		struct apt_summary s = close_apt(a);
		if (others(&s) != cases[i].pending)
			fail_msg("case %zu: %u", i, others(&s));
	}
}

static void test_release_file(void **state)
{
	(void)state;
	struct apt_archive archive;
	int fd = file_of(
		"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: Debian\n"
		"Label: Debian-Security\nSuite: stable-security\nCodename: bookworm-security\n"
		"NotAutomatic: yes\nSHA256:\n 00 1 Origin: evil\n");
	assert_int_equal(apt_read_release(fd, &archive), 0);
	fw_close(fd);
	assert_string_equal(archive.origin, "Debian");
	assert_string_equal(archive.codename, "bookworm-security");
	assert_true(archive.not_automatic);
	assert_false(archive.but_automatic_upgrades);
}

static void test_newer_kernel(void **state)
{
	(void)state;
	static const char kernels[] =
		"Package: linux-image-6.1.0-9-amd64\nStatus: install ok installed\n"
		"Architecture: amd64\nVersion: 1\n\n"
		"Package: linux-image-6.1.0-21-amd64\nStatus: install ok installed\n"
		"Architecture: amd64\nVersion: 1\n\n"
		"Package: linux-image-amd64\nStatus: install ok installed\n"
		"Architecture: amd64\nVersion: 1\n\n";
	struct apt *a = apt_new();
	int fd = file_of(kernels);
	assert_int_equal(apt_read_status(a, fd, NULL), 0);
	fw_close(fd);
	struct apt_kernel kernel;
	static const char same[] = "#1 SMP Debian 1-1 (2025-12-30)";
	static const char older[] = "#1 SMP Debian 0.9-1 (2025-12-01)";
	assert_true(apt_has_newer_kernel(a, "6.1.0-9-amd64", same, &kernel));
	assert_string_equal(kernel.package, "linux-image-6.1.0-21-amd64");
	assert_false(apt_has_newer_kernel(a, "6.1.0-21-amd64", same, &kernel));
	assert_true(apt_has_newer_kernel(a, "6.1.0-21-amd64", older, &kernel));
	assert_string_equal(kernel.package, "linux-image-6.1.0-21-amd64");
	/* Another flavour; not dpkg's kernel. */
	assert_false(apt_has_newer_kernel(a, "6.1.0-9-rt", same, &kernel));
	assert_false(apt_has_newer_kernel(a, "5.0.0-1-amd64", same, &kernel));
	apt_free(a);
}

/* Lines and values longer than any buffer, a file without a newline at its end. */
static void test_long_lines(void **state)
{
	(void)state;
	struct fw_buf text = {0};
	fw_buf_puts(&text, "Depends: ");
	for (int i = 0; i < 3 * DEB822_BUFFER; i++)
		fw_buf_putc(&text, 'x');
	fw_buf_puts(&text, "\nPackage: ");
	for (int i = 0; i < 100; i++)
		fw_buf_putc(&text, 'y');
	fw_buf_puts(&text, "\nVersion:\t1.2 \r\n\n\n\nPackage: last");
	char name[32], version[32];
	const struct deb822_field fields[] = {
		{"Package", name, sizeof name}, {"Version", version, sizeof version}};
	int fd = file_of((const char *)text.data);
	struct deb822 *r = deb822_open(fd, "");
	assert_int_equal(deb822_next(r, fields, 2), 1);
	assert_string_equal(name, ""); /* did not fit */
	assert_string_equal(version, "1.2");
	assert_int_equal(deb822_next(r, fields, 2), 1);
	assert_string_equal(name, "last");
	assert_string_equal(version, "");
	assert_int_equal(deb822_next(r, fields, 2), 0);
	fw_close(fd);
	deb822_close(r);
	fw_buf_done(&text);
}

#ifdef FW_TEST_SEAMS
static void test_failing_disk(void **state)
{
	(void)state;
	struct fw_err err;
	struct apt *a = apt_new();
	int fd = file_of(status);
	fw_fault_arm(FW_OP_READ, 1, -EIO, false);
	assert_int_equal(apt_read_status(a, fd, &err), -EIO);
	fw_fault_clear();
	apt_free(a);
	a = apt_new();
	assert_int_equal(apt_read_status(a, fd, &err), 0);
	apt_free(a);
	fw_close(fd);
}
#endif

static void test_empty_status(void **state)
{
	(void)state;
	struct fw_err err;
	struct apt *a = apt_new();
	int fd = file_of("\n\n");
	assert_int_equal(apt_read_status(a, fd, &err), -EBADMSG);
	fw_close(fd);
	apt_free(a);
}

/* Only what is whole is taken. */
static void test_cache(void **state)
{
	(void)state;
	char folder[] = "/tmp/fenwatch-apt-XXXXXX";
	assert_non_null(mkdtemp(folder));
	char *path = fw_format("%s/packages.cache", folder);
	struct apt_outcome saved = {.n_unreadable = 1, .newer_kernel = true}, loaded;
	saved.summary = (struct apt_summary){.pending = {2, 0, 3},
		.held = 7,
		.lacks_security = true,
		.dated_s = 1795390001,
		.n_origins = 2,
		.origins = {{"A b:c/d", "amd64", 1795390000, false, 5, 6},
			{":/", "all", 0, false, 0, 1}}};
	uint64_t fingerprint;
	assert_false(aptcache_load(folder, &fingerprint, &loaded));
	aptcache_save(folder, 42, &saved);
	assert_true(aptcache_load(folder, &fingerprint, &loaded));
	assert_memory_equal(&loaded, &saved, sizeof saved);
	assert_int_equal(fingerprint, 42);
	struct fw_buf whole = {0};
	assert_true(fw_file_read(path, 4096, &whole, NULL) >= 0);
	for (size_t length = 0; length < whole.length; length++) {
		int fd = fw_open(path, O_WRONLY | O_TRUNC, 0);
		assert_int_equal(fw_write(fd, whole.data, length), 0);
		fw_close(fd);
		assert_false(aptcache_load(folder, &fingerprint, &loaded));
	}
	fw_buf_done(&whole);
	fw_unlink(path);
	rmdir(folder);
	fw_free(path);
}

static void test_inventory(void **state)
{
	(void)state;
	static const char *const kinds[] = {"packages", NULL};
	static const struct source source = {.name = "test", .documents = kinds};
	struct machine m = {.documents = documents_new(NULL, &source)};
	struct fw_buf text = {0};
	struct apt *a = open_apt("");
	read_list(a, &stable, "tool", "amd64", "1.0-1");
	apt_inventory(a, document_begin(&m, "packages"));
	documents_print(m.documents, false, &text);
	assert_string_equal((const char *)text.data,
		"# INVENTORY packages 3 items\n"
		"# INVENTORY packages dpkg:amd64\tversion=1.21\n"
		"# INVENTORY packages kept:all\tversion=2.0\n"
		"# INVENTORY packages tool:amd64\tversion=1.0-1\tsource=toolbox"
		"\torigin=Debian:bookworm/stable\n");
	fw_buf_done(&text);
	apt_free(a);
	documents_free(m.documents);
}

/* Numbers that GNU's C++ library draws. Where a machine has no id it takes all. */
static void test_a_phased_update(void **state)
{
	(void)state;
	static const char id[] = "8d7ac6db0b3a4b2c9c1e0c1f2a3b4c5d";
	assert_int_equal(aptphase_draw(""), 63);
	assert_int_equal(aptphase_draw("a"), 94);
	assert_int_equal(aptphase_draw("abc"), 18);
	assert_int_equal(
		aptphase_draw("curl-7.81.0-1ubuntu1.16-8d7ac6db0b3a4b2c9c1e0c1f2a3b4c5d"), 72);
	assert_true(aptphase_is_later("curl", "7.81.0-1ubuntu1.16", id, 71));
	assert_false(aptphase_is_later("curl", "7.81.0-1ubuntu1.16", id, 72));
	assert_false(aptphase_is_later("curl", "7.81.0-1ubuntu1.16", "", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inventory),
		cmocka_unit_test(test_a_phased_update),
		cmocka_unit_test(test_nothing_pending),
		cmocka_unit_test(test_security_and_held),
		cmocka_unit_test(test_security_superseded),
		cmocka_unit_test(test_archives_that_are_not_automatic),
		cmocka_unit_test(test_preferences),
		cmocka_unit_test(test_release_file),
		cmocka_unit_test(test_newer_kernel),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_cache),
#ifdef FW_TEST_SEAMS
		cmocka_unit_test(test_failing_disk),
#endif
		cmocka_unit_test(test_empty_status),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
