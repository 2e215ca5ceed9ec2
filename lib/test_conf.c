/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/buf.h>
#include <fenwatch/file.h>

#include "every_option.h"

static struct fw_arena arena;

static int drop_arena(void **state)
{
	(void)state;
	fw_arena_done(&arena);
	return 0;
}

static struct every_config parse(const char *text)
{
	struct fw_err err = {0};
	struct every_config config = {0};
	if (fw_conf_parse("a.yml", text, strlen(text), every_option, &config, &arena, &err) < 0)
		fail_msg("%s", err.text);
	return config;
}

static void assert_refused(const char *text, const char *sentence)
{
	struct fw_err err = {0};
	struct every_config config = {0};
	int rc = fw_conf_parse("a.yml", text, strlen(text), every_option, &config, &arena, &err);
	assert_int_equal(rc, -EINVAL);
	assert_string_equal(err.text, sentence);
}

static void test_defaults(void **state)
{
	(void)state;
	struct every_config config = parse("");
	assert_true(config.swap);
	assert_int_equal(config.workers, 0);
	assert_int_equal(config.spool_bytes, 32 << 20);
	assert_int_equal(config.interval_ms, 15000);
	assert_null(config.name);
	assert_int_equal(config.class, 0);
	assert_int_equal(config.collectors.count, 2);
	assert_string_equal(config.collectors.items[1], "two:7443");
	assert_string_equal(config.api.listen, "127.0.0.1:7480");
	assert_null(config.api.tls.cert);
	assert_null(config.feed.name);
}

static void test_everything_given(void **state)
{
	(void)state;
	struct every_config config = parse("swap: off\n"
					   "workers: 8\n"
					   "spool: 64MiB\n"
					   "interval: 1m30s\n"
					   "name: \"007\"\n"
					   "class: laptop\n"
					   "collectors: only:7443\n"
					   "api:\n"
					   "  listen: '[::]:7480'\n"
					   "  tls: {cert: c.pem}\n"
					   "feed: {name: desk, live: yes}\n");
	assert_false(config.swap);
	assert_int_equal(config.workers, 8);
	assert_int_equal(config.spool_bytes, 64 << 20);
	assert_int_equal(config.interval_ms, 90000);
	assert_string_equal(config.name, "007");
	assert_int_equal(config.class, 1);
	assert_int_equal(config.collectors.count, 1);
	assert_string_equal(config.collectors.items[0], "only:7443");
	assert_string_equal(config.api.listen, "[::]:7480");
	assert_string_equal(config.api.tls.cert, "c.pem");
	assert_string_equal(config.feed.name, "desk");
	assert_true(config.feed.live);
}

static void test_commented_out_sections_are_absent(void **state)
{
	(void)state;
	struct every_config config = parse("api:\n  #listen: x\ncollectors:\nfeed:\n");
	assert_string_equal(config.api.listen, "127.0.0.1:7480");
	assert_int_equal(config.collectors.count, 2);
	assert_int_equal(parse("collectors: []\n").collectors.count, 0);
	assert_string_equal(parse("name: ''\n").name, "");
}

static void test_unknown_keys_and_the_nearest(void **state)
{
	(void)state;
	assert_refused("\nintervall: 15s\n",
		"config 'a.yml': line 2: unknown key 'intervall'; did you mean 'interval'?");
	assert_refused("api: {lisen: x}\n",
		"config 'a.yml': line 1: unknown key 'lisen' in section api; did you mean 'listen'?");
	assert_refused("feed:\n  name: x\n  password: y\n",
		"config 'a.yml': line 3: unknown key 'password'");
}

static void test_wrong_values(void **state)
{
	(void)state;
	static const struct {
		const char *text, *sentence;
	} cases[] = {
		{"swap: maybe", "'swap' must be true or false, not 'maybe'"},
		{"workers: 1.5", "'workers' must be a whole number, not '1.5'"},
		{"workers: 65", "'workers' must be from 0 to 64, not '65'"},
		{"workers: -1", "'workers' must be from 0 to 64, not '-1'"},
		{"spool: lots", "'spool' must be a size such as 32MiB, not 'lots'"},
		{"spool: 5GiB", "'spool' must be from 1.0 MiB to 1.0 GiB, not '5GiB'"},
		{"interval: 15", "'interval' must be a duration such as 15s or 1h30m, not '15'"},
		{"interval: 2h", "'interval' must be from 1s to 1h, not '2h'"},
		{"class: desktop", "'class' must be server or laptop, not 'desktop'"},
		{"name: [x]", "'name' must be a single value"},
		{"name:", "'name' has no value; leave the line out to have the default"},
		{"collectors: {a: b}", "'collectors' must be a list"},
		{"collectors: [[a]]", "'collectors' must be a list of texts"},
		{"api: here", "'api' must be a section with keys of its own, not 'here'"},
		{"feed: desk", "keys with values are expected here"},
		{"feed: {live: yes}", "key 'name' is missing"},
		{"- x", "keys with values are expected here"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char sentence[256] = "config 'a.yml': line 1: ";
		strncat(sentence, cases[i].sentence, 200);
		assert_refused(cases[i].text, sentence);
	}
}

static void test_required_is_missing(void **state)
{
	(void)state;
	static const struct fw_option inner[] = {
		{.name = "url", .type = FW_OPT_TEXT, .required = true},
		{0},
	};
	static const struct fw_option outer[] = {
		{.name = "desk", .type = FW_OPT_SECTION, .section = inner},
		{0},
	};
	const char *url = NULL;
	struct fw_err err = {0};
	assert_int_equal(fw_conf_parse("a.yml", "", 0, outer, &url, &arena, &err), -EINVAL);
	assert_string_equal(err.text, "config 'a.yml': key 'url' in section desk is missing");
	const char *text = "\ndesk: {}";
	assert_int_equal(fw_conf_parse("a.yml", text, 9, outer, &url, &arena, &err), -EINVAL);
	assert_string_equal(
		err.text, "config 'a.yml': line 2: key 'url' in section desk is missing");
	assert_int_equal(fw_conf_bind(NULL, inner, &url, &arena, &err), -EINVAL);
}

static void test_files(void **state)
{
	(void)state;
	struct fw_err err = {0};
	struct every_config config = {0};
	char path[] = "/tmp/fenwatch-conf-XXXXXX", sentence[128] = "config '";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(fw_write(fd, "workers: 3\n", 11), 0);
	assert_int_equal(fw_conf_load(path, every_option, &config, &arena, &err), 0);
	assert_int_equal(config.workers, 3);
	assert_int_equal(fw_write(fd, "x: 1\n", 5), 0);
	assert_int_equal(fw_conf_load(path, every_option, &config, &arena, &err), -EINVAL);
	strncat(strncat(sentence, path, 64), "': line 2: unknown key 'x'", 64);
	assert_string_equal(err.text, sentence);
	close(fd);
	unlink(path);
	assert_int_equal(fw_conf_load("/absent.yml", every_option, &config, &arena, &err), -ENOENT);
	assert_string_equal(
		err.text, "config: cannot open '/absent.yml': no such file or directory");
}

/* As it stands it says nothing; with every key that has a default taken out of
 * its comment, the defaults. */
static void test_sample_is_a_configuration(void **state)
{
	(void)state;
	struct fw_buf sample = {0}, open = {0};
	fw_conf_sample(every_option, &sample);
	for (const char *line = (char *)sample.data; *line; line = strchr(line, '\n') + 1) {
		size_t indent = strspn(line, " "), length = strcspn(line, "\n");
		assert_true(length <= 78);
		bool opened =
			line[indent] == '#' && line[indent + 1] != ' ' && line[length - 1] != ':';
		fw_buf_printf(&open, "%.*s%.*s\n", (int)indent, line,
			(int)(length - indent - opened), line + indent + opened);
	}
	assert_non_null(strstr((char *)open.data, "\nworkers: 0\n"));
	assert_int_equal(parse((char *)sample.data).interval_ms, 15000);
	assert_int_equal(parse((char *)open.data).spool_bytes, 32 << 20);
	assert_int_equal(parse((char *)open.data).collectors.count, 2);
	fw_buf_done(&sample);
	fw_buf_done(&open);
}

static void test_sample_reads_well(void **state)
{
	(void)state;
	struct fw_buf sample = {0};
	fw_conf_sample(every_option, &sample);
	assert_non_null(strstr((char *)sample.data,
		"\n# Between two readings.\n"
		"# From 1s to 1h.\n"
		"#interval: 15s\n"));
	assert_non_null(strstr((char *)sample.data,
		"\n# What it is.\n"
		"# One of server, laptop.\n"
		"#class: server\n"));
	assert_non_null(strstr((char *)sample.data,
		"\n# The HTTP side.\n"
		"api:\n"
		"  # Address and port.\n"
		"  #listen: 127.0.0.1:7480\n"));
	fw_buf_done(&sample);
}

/* A line that is full to the last column is broken like any other. */
static void test_sample_breaks_at_the_margin(void **state)
{
	(void)state;
	struct fw_buf sample = {0};
	char help[100];
	memset(help, 'x', 76);
	memcpy(help + 76, " more", 6);
	const struct fw_option table[] = {{.name = "a", .help = help, .type = FW_OPT_TEXT}, {0}};
	fw_conf_sample(table, &sample);
	assert_int_equal(sample.data[78], '\n');
	assert_string_equal((char *)sample.data + 79, "# more\n#a:\n");
	fw_buf_done(&sample);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_defaults, drop_arena),
		cmocka_unit_test_teardown(test_everything_given, drop_arena),
		cmocka_unit_test_teardown(test_commented_out_sections_are_absent, drop_arena),
		cmocka_unit_test_teardown(test_unknown_keys_and_the_nearest, drop_arena),
		cmocka_unit_test_teardown(test_wrong_values, drop_arena),
		cmocka_unit_test_teardown(test_required_is_missing, drop_arena),
		cmocka_unit_test_teardown(test_files, drop_arena),
		cmocka_unit_test_teardown(test_sample_is_a_configuration, drop_arena),
		cmocka_unit_test_teardown(test_sample_reads_well, drop_arena),
		cmocka_unit_test(test_sample_breaks_at_the_margin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
