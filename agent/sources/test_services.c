/* SPDX-License-Identifier: Apache-2.0 */
/* Text files, jobs and certificates. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <fenwatch/mem.h>

#include "exposition.h"
#include "test_source.h"

#define T0_MS INT64_C(1795390000000)

extern const struct source source_textfile, source_jobs, source_certificates;

static const struct choices choices = {.textfile = "/text", .jobs = "/jobs"};

/* ---- text files ---- */

static int textfile(void **state)
{
	(void)state;
	test_open(&source_textfile);
	test_choices(&choices);
	return 0;
}

static void test_a_file_as_scripts_write_it(void **state)
{
	(void)state;
	test_file("text/a.prom",
		"# HELP site_jobs Jobs that wait.\n# TYPE site_jobs gauge\n\n"
		"site_jobs{queue=\"a b\",host=\"x\\\"\\\\\\n\"} 3\nsite_jobs 1.5e3\n"
		"site_size_bucket{le=\"+Inf\"} 0\nbad_value NaN\nsite_low -Inf\nsite_zero -0\n");
	assert_int_equal(test_read(T0_MS), 0);
	test_expect("site_jobs{host=\"x\\\"\\\\\\n\",queue=\"a b\"}", "3");
	test_expect("site_jobs", "1500");
	test_expect("site_zero", "-0");
	test_expect("node_textfile_scrape_error", "0");
	assert_int_equal(test_count("node_textfile_mtime_seconds"), 1);
	/* The same again, and then without one: the metrics outlive a new schema. */
	assert_int_equal(test_read(T0_MS + 15000), 0);
	test_file("text/a.prom", "site_jobs 4\nsite_more 1\n");
	assert_int_equal(test_read(T0_MS + 30000), 0);
	test_expect("site_jobs", "4");
}

static void test_a_mistake_is_told_and_touches_no_other_file(void **state)
{
	(void)state;
	test_file("text/a.prom", "good 1\n");
	test_file("text/b.prom", "also_good 1\nbad{x=1} 2\n");
	assert_int_equal(test_read(T0_MS), -EINVAL);
	assert_non_null(strstr(test_sentence(), "/text/b.prom: line 2: "));
	test_expect("node_textfile_scrape_error", "1");
	test_expect("good", "1");
	assert_false(test_has("also_good"));
}

static void test_what_is_ours_is_refused(void **state)
{
	(void)state;
	test_file("text/a.prom",
		"node_load1 7\nfenwatch_spool_depth 1\nmine{instance=\"other\"} 1\nfine 1\n");
	assert_int_equal(test_read(T0_MS), 0);
	assert_false(test_has("node_load1"));
	test_expect("fine", "1");
	test_expect("fenwatch_textfile_refused_series{file=\"/text/a.prom\",reason=\"ours\"}", "2");
	test_expect(
		"fenwatch_textfile_refused_series{file=\"/text/a.prom\",reason=\"label\"}", "1");
}

static void test_series_have_a_limit(void **state)
{
	(void)state;
	struct fw_buf many = {0};
	for (int i = 0; i < 2100; i++)
		fw_buf_printf(&many, "many{n=\"%d\"} 1\n", i);
	test_bytes("text/a.prom", many.data, many.length);
	fw_buf_done(&many);
	assert_int_equal(test_read(T0_MS), 0);
	assert_int_equal(test_count("many"), 2000);
	test_expect(
		"fenwatch_textfile_refused_series{file=\"/text/a.prom\",reason=\"limit\"}", "100");
}

static void test_no_folder(void **state)
{
	(void)state;
	assert_int_equal(test_read(T0_MS), -ENODATA);
	test_file("text/README", "no metrics at all\n");
	assert_int_equal(test_read(T0_MS), 0);
	test_expect("node_textfile_scrape_error", "0");
}

/* It may stop to answer, and with it every source. */
static void test_nothing_is_read_from_a_server(void **state)
{
	(void)state;
	test_file("text/a.prom", "fine 1\n");
	test_file("proc/self/mountinfo",
		"20 1 8:1 / / rw - ext4 /dev/sda1 rw\n31 20 0:40 / /text rw - nfs4 nas:/text rw\n");
	assert_int_equal(test_read(T0_MS), -EOPNOTSUPP);
	assert_non_null(strstr(test_sentence(), "/text lies on /text (nfs4), which may stop"));
	assert_false(test_has("fine"));
	/* The control: the same beside it, and a local disk mounted over it. */
	test_file("proc/self/mountinfo",
		"20 1 8:1 / / rw - ext4 /dev/sda1 rw\n31 20 0:40 / /tex rw - nfs4 nas:/text rw\n"
		"32 20 0:41 / /text rw - fuse.sshfs far:/ rw\n33 32 8:2 / /text rw - xfs /dev/sdb rw\n");
	assert_int_equal(test_read(T0_MS + 15000), 0);
	test_expect("fine", "1");
}

static int count(const struct exposition_sample *sample, void *arg)
{
	(void)sample;
	++*(int *)arg;
	return 0;
}

static void test_what_is_not_of_the_format(void **state)
{
	(void)state;
	static const char *const wrong[] = {"1a 1", "a", "a{} ", "a 1 1795390000", "a{b=\"c} 1",
		"a{b=\"\\q\"} 1", "a{b=\"1\",b=\"2\"} 1", "a 0x10", "a 1 2 3", "# TYPE a curve",
		"# TYPE", "a nan", "a infinity", "a -", "a{b=\"1\" c=\"2\"} 1", "a{=\"1\"} 1"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct fw_err err;
		int n = 0;
		struct fw_cursor c = {wrong[i], wrong[i] + strlen(wrong[i])};
		if (exposition_read(c, count, &n, &err) != -EINVAL &&
			strcmp(wrong[i], "# TYPE") != 0)
			fail_msg("taken: %s", wrong[i]);
	}
}

/* ---- jobs ---- */

static int jobs(void **state)
{
	(void)state;
	test_open(&source_jobs);
	test_choices(&choices);
	return 0;
}

#define DUE "fenwatch_job_due_timestamp_seconds"

static void test_stamps(void **state)
{
	(void)state;
	assert_int_equal(test_read(T0_MS), -ENODATA);
	test_file("jobs/backup", "23\n");
	test_file("jobs/other", "0\n");
	test_file("jobs/half", "");
	test_file("jobs/daily", "0 26h\n");
	test_file("jobs/odd", "0 often\n");
	test_file("recorded/mtimes", "jobs/daily 1795380000\n");
	assert_int_equal(test_read(T0_MS), 0);
	test_expect("fenwatch_job_ok{kind=\"stamp\",name=\"backup\"}", "0");
	test_expect("fenwatch_job_exit_status{kind=\"stamp\",name=\"backup\"}", "23");
	test_expect("fenwatch_job_ok{kind=\"stamp\",name=\"other\"}", "1");
	test_expect(DUE "{kind=\"stamp\",name=\"daily\"}", "1795473600");
	test_expect("fenwatch_job_ok{kind=\"stamp\",name=\"odd\"}", "1");
	assert_int_equal(test_count(DUE), 1);
	assert_int_equal(test_count("fenwatch_job_ok"), 4);
}

/* One that waits, one that was stopped, and one that was stopped and disabled. */
static void test_timers_are_due(void **state)
{
	(void)state;
	static const char ran[] = "Result=success\nExecMainStatus=0\n"
				  "ExecMainExitTimestamp=Sun 2026-11-22 06:14:09 UTC\n\n";
	static const char stopped[] = "NextElapseUSecRealtime=\nActiveState=inactive\n"
				      "LastTriggerUSec=Sun 2026-11-22 06:14:00 UTC\n";
	struct fw_buf text = {0};
	fw_buf_printf(&text, "Id=a.service\n%sId=b.service\n%sId=c.service\n%s", ran, ran, ran);
	fw_buf_printf(&text,
		"Id=a.timer\nUnit=a.service\nActiveState=active\nUnitFileState=enabled\n"
		"NextElapseUSecRealtime=Mon 2026-11-23 06:14:00 UTC\n"
		"LastTriggerUSec=Sun 2026-11-22 06:14:00 UTC\n\n");
	fw_buf_printf(&text, "Id=b.timer\nUnit=b.service\nUnitFileState=enabled\n%s\n", stopped);
	fw_buf_printf(&text, "Id=c.timer\nUnit=c.service\nUnitFileState=disabled\n%s", stopped);
	test_bytes("recorded/systemctl-jobs", text.data, text.length);
	fw_buf_done(&text);
	assert_int_equal(test_read(T0_MS), 0);
	test_expect(DUE "{kind=\"timer\",name=\"a.service\"}", "1795500840");
	test_expect(DUE "{kind=\"timer\",name=\"b.service\"}", "1795414440");
	assert_int_equal(test_count(DUE), 2);
}

static void test_timers(void **state)
{
	(void)state;
	test_file("recorded/systemctl-jobs",
		"Id=a.service\nResult=exit-code\nExecMainStatus=1\n"
		"ExecMainExitTimestamp=Sun 2026-11-22 06:14:09 UTC\n\n"
		"Id=plain.service\nResult=success\nExecMainStatus=0\n"
		"ExecMainExitTimestamp=Sun 2026-11-22 06:14:09 UTC\n\n"
		"Id=never.service\nResult=success\nExecMainStatus=0\nExecMainExitTimestamp=\n\n"
		"Id=a.timer\nUnit=a.service\n\nId=never.timer\nUnit=never.service\n");
	assert_int_equal(test_read(T0_MS), 0);
	test_expect("fenwatch_job_ok{kind=\"timer\",name=\"a.service\"}", "0");
	test_expect("fenwatch_job_finished_timestamp_seconds{kind=\"timer\",name=\"a.service\"}",
		"1795328049");
	assert_int_equal(test_count("fenwatch_job_ok"), 1);
}

/* ---- certificates ---- */

static const char *paths[] = {"/certs", "/one.pem"};
static const struct choices where = {.certificates = {paths, 2}};

static int certificates(void **state)
{
	(void)state;
	test_open(&source_certificates);
	test_choices(&where);
	return 0;
}

static EVP_PKEY *key;

static long made_s; /* from when on the next certificates are valid */

/* A certificate that ends then, in PEM or DER. */
static void put_certificate(struct fw_buf *out, long end_s, bool pem)
{
	X509 *cert = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	if (!key)
		key = EVP_EC_gen("P-256");
	ASN1_TIME_set(X509_getm_notBefore(cert), made_s);
	ASN1_TIME_set(X509_getm_notAfter(cert), end_s);
	X509_set_pubkey(cert, key);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_int_equal(pem ? PEM_write_bio_X509(bio, cert) : i2d_X509_bio(bio, cert), 1);
	fw_buf_append(out, data, (size_t)BIO_get_mem_data(bio, &data));
	BIO_free(bio);
	X509_free(cert);
}

static void put_file(const char *path, const long *ends_s, size_t n, bool pem, const char *more)
{
	struct fw_buf text = {0};
	for (size_t i = 0; i < n; i++)
		put_certificate(&text, ends_s[i], pem);
	fw_buf_append(&text, more, strlen(more));
	test_bytes(path, text.data, text.length);
	fw_buf_done(&text);
}

#define NOT_AFTER "fenwatch_certificate_not_after_timestamp_seconds"

static void test_the_first_of_a_chain_to_end(void **state)
{
	(void)state;
	static const long ends_s[] = {2000000000, 1900000000, 2100000000, 1, 2, 3, 4, 5, 6};
	put_file("certs/live/site/cert.pem", ends_s, 3, true, "");
	put_file("certs/a.der", ends_s, 1, false, "");
	put_file("certs/authorities.crt", ends_s, 9, true, "");
	put_file("certs/cert.key", ends_s, 1, true, "");
	put_file("one.pem", ends_s, 1, true, "");
	assert_int_equal(test_read(T0_MS), 0);
	test_expect(
		NOT_AFTER "{path=\"/certs/live/site/cert.pem\",valid_for=\"years\"}", "1900000000");
	test_expect(NOT_AFTER "{path=\"/certs/a.der\",valid_for=\"years\"}", "2000000000");
	test_expect(NOT_AFTER "{path=\"/one.pem\",valid_for=\"years\"}", "2000000000");
	assert_int_equal(test_count(NOT_AFTER), 3);
	test_expect("fenwatch_certificates_unread", "0");
}

static void test_for_how_long_it_was_made(void **state)
{
	(void)state;
	static const long end_s = 2000000000;
	made_s = end_s - 90 * 86400L;
	put_file("certs/site.pem", &end_s, 1, true, "");
	made_s = end_s - 6 * 86400L;
	put_file("one.pem", &end_s, 1, true, "");
	made_s = 0;
	assert_int_equal(test_read(T0_MS), 0);
	test_expect(NOT_AFTER "{path=\"/certs/site.pem\",valid_for=\"months\"}", "2000000000");
	test_expect(NOT_AFTER "{path=\"/one.pem\",valid_for=\"days\"}", "2000000000");
}

static void test_a_key_is_passed_over_and_rubbish_is_told(void **state)
{
	(void)state;
	static const long end_s = 2000000000;
	put_file("certs/with-key.pem", &end_s, 1, true, "-----BEGIN PRIVATE KEY-----\nAA==\n");
	test_file("certs/rubbish.pem", "hello\n");
	assert_int_equal(test_read(T0_MS), 0);
	assert_int_equal(test_count(NOT_AFTER), 0);
	test_expect("fenwatch_certificates_unread", "1");
}

static void test_no_certificates(void **state)
{
	(void)state;
	assert_int_equal(test_read(T0_MS), -ENODATA);
}

#define CASE(test, setup) cmocka_unit_test_setup_teardown(test, setup, test_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_a_file_as_scripts_write_it, textfile),
		CASE(test_a_mistake_is_told_and_touches_no_other_file, textfile),
		CASE(test_what_is_ours_is_refused, textfile),
		CASE(test_series_have_a_limit, textfile),
		CASE(test_no_folder, textfile),
		CASE(test_nothing_is_read_from_a_server, textfile),
		cmocka_unit_test(test_what_is_not_of_the_format),
		CASE(test_stamps, jobs),
		CASE(test_timers, jobs),
		CASE(test_timers_are_due, jobs),
		CASE(test_the_first_of_a_chain_to_end, certificates),
		CASE(test_for_how_long_it_was_made, certificates),
		CASE(test_a_key_is_passed_over_and_rubbish_is_told, certificates),
		CASE(test_no_certificates, certificates),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	EVP_PKEY_free(key);
	return failed;
}
