/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded machines, read whole and compared with what they are expected to give.
 *
 * With FENWATCH_WRITE_EXPECTED set, the expectations are written anew instead,
 * for a person to read the difference.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "documents.h"
#include "print.h"
#include "source.h"
#include "sweep.h"

#define NOW_MS 1795390000000
#define SOURCES_LIMIT 64

static const char *machines; /* the folder of recorded trees */

struct reading {
	struct machine m;
	struct sweep *sweep;
	void *states[SOURCES_LIMIT];
};

/* As a configuration of the council says it. */
static const char *council[] = {"10.20.0.0/16", "council.example"};
static struct choices choices = {
	.council = {council, 2},
	.textfile = "/var/lib/prometheus/node-exporter",
	.jobs = "/var/lib/fenwatch-jobs",
};

static void open_reading(struct reading *r, const char *root)
{
	struct fw_err err;
	if (machine_open(&r->m, root, &err) < 0)
		fail_msg("%s", err.text);
	choices.device = strstr(root, "laptop") != NULL;
	r->m.choices = &choices;
	r->sweep = sweep_new();
	for (size_t i = 0; sources[i]; i++) {
		r->states[i] = sources[i]->state_size ? fw_alloc(sources[i]->state_size) : NULL;
		if (sources[i]->open)
			assert_int_equal(sources[i]->open(r->states[i], &r->m, &err), 0);
	}
}

static bool read_all(struct reading *r, int64_t now_ms)
{
	r->m.now_ms = now_ms;
	sweep_begin(r->sweep, now_ms);
	for (size_t i = 0; sources[i]; i++) {
		struct fw_err err;
		int rc = sources[i]->read(r->states[i], &r->m, r->sweep, &err);
		if (rc < 0 && rc != -ENODATA)
			fail_msg("%s: %s", sources[i]->name, err.text);
	}
	return sweep_end(r->sweep);
}

static void close_reading(struct reading *r)
{
	for (size_t i = 0; sources[i]; i++) {
		if (sources[i]->close)
			sources[i]->close(r->states[i]);
		fw_free(r->states[i]);
	}
	sweep_free(r->sweep);
	machine_close(&r->m);
}

/* The tables of all sources, item by item. */
static void read_inventory(struct reading *r, struct fw_buf *out)
{
	sweep_begin(r->sweep, NOW_MS);
	for (size_t i = 0; sources[i]; i++) {
		if (!sources[i]->documents)
			continue;
		assert_true(sources[i]->slow);
		r->m.documents = documents_new(NULL, sources[i]);
		sources[i]->read(r->states[i], &r->m, r->sweep, NULL);
		documents_print(r->m.documents, false, out);
		documents_free(r->m.documents);
		r->m.documents = NULL;
	}
	sweep_end(r->sweep);
}

/* Shows the first line that differs. */
static void compare(const char *machine, const char *got, const char *expected)
{
	size_t line = 1;
	while (*got && *got == *expected) {
		line += *got == '\n';
		got++;
		expected++;
	}
	while (line > 1 && *got && *got != '\n' && got[-1] != '\n') {
		got--;
		expected--;
	}
	if (strcmp(got, expected) != 0)
		fail_msg("%s:%zu:\n   got %.*s\nwanted %.*s", machine, line,
			(int)strcspn(got, "\n"), got, (int)strcspn(expected, "\n"), expected);
}

static void check(const char *machine, const char *ending, const struct fw_buf *got)
{
	char *path = fw_format("%s/%s.%s", machines, machine, ending);
	struct fw_buf expected = {0};
	struct fw_err err;
	if (getenv("FENWATCH_WRITE_EXPECTED")) {
		assert_int_equal(fw_file_replace(path, got->data, got->length, 0644, &err), 0);
	} else {
		if (fw_file_read(path, 1 << 20, &expected, &err) < 0)
			fail_msg("%s", err.text);
		compare(path, (const char *)got->data, (const char *)expected.data);
	}
	fw_buf_done(&expected);
	fw_free(path);
}

static void check_machine(const char *machine)
{
	char *root = fw_format("%s/%s", machines, machine);
	struct reading r = {0};
	struct fw_buf metrics = {0}, inventory = {0};
	open_reading(&r, root);
	assert_true(read_all(&r, NOW_MS));
	print_sweep(r.sweep, &metrics);
	assert_false(read_all(&r, NOW_MS + 15000));
	fw_buf_puts(&inventory, "");
	read_inventory(&r, &inventory);
	close_reading(&r);
	check(machine, "prom", &metrics);
	check(machine, "inventory", &inventory);
	fw_buf_done(&metrics);
	fw_buf_done(&inventory);
	fw_free(root);
}

static void test_modern_server(void **state)
{
	(void)state;
	check_machine("server-2024");
}

static void test_old_server(void **state)
{
	(void)state;
	check_machine("server-2011");
}

static void test_two_sockets(void **state)
{
	(void)state;
	check_machine("server-2u");
}

static void test_disks(void **state)
{
	(void)state;
	check_machine("storage-2016");
}

static void test_many_of_everything(void **state)
{
	(void)state;
	check_machine("server-64");
}

static void test_failed_disk(void **state)
{
	(void)state;
	check_machine("server-raid");
}

static void test_pools(void **state)
{
	(void)state;
	check_machine("server-pools");
}

static void test_laptop(void **state)
{
	(void)state;
	check_machine("laptop-2019");
}

static void test_plain_vm(void **state)
{
	(void)state;
	check_machine("debian-12");
}

static void test_ubuntu(void **state)
{
	(void)state;
	check_machine("ubuntu-22.04");
}

static void test_pending_kernel(void **state)
{
	(void)state;
	check_machine("pending-kernel");
}

static void test_centos_6(void **state)
{
	(void)state;
	check_machine("centos-6");
}

static void test_centos_7(void **state)
{
	(void)state;
	check_machine("centos-7");
}

static void test_rhel_9(void **state)
{
	(void)state;
	check_machine("rhel-9");
}

static void test_sles_15(void **state)
{
	(void)state;
	check_machine("sles-15");
}

/* Of a machine without any files every source says that it has nothing. */
static void test_empty_machine(void **state)
{
	(void)state;
	char root[] = "/tmp/fenwatch-machine-XXXXXX";
	assert_non_null(mkdtemp(root));
	struct reading r = {0};
	open_reading(&r, root);
	read_all(&r, NOW_MS);
	assert_int_equal(sweep_schema(r.sweep)->n_columns, 1); /* node_time_seconds */
	close_reading(&r);
	rmdir(root);
}

/* A name belongs to one source, or to those of which a machine has but one, in the same
 * words. */
static void check_unlike(const struct source *source, const struct metric *metric,
	const struct source *other_source, const struct metric *other)
{
	if (strcmp(metric->name, other->name) != 0)
		return;
	if (source == other_source)
		fail_msg("%s: twice in %s", metric->name, source->name);
	assert_string_equal(source->name, "rpm");
	assert_string_equal(other_source->name, "packages");
	assert_string_equal(metric->help, other->help);
	assert_int_equal(metric->type, other->type);
	assert_int_equal(metric->scale, other->scale);
}

/* Every metric has a help text, and a scale that the wire allows. */
static void test_metric_tables(void **state)
{
	(void)state;
	for (size_t i = 0; sources[i]; i++) {
		assert_non_null(sources[i]->purpose);
		assert_non_null(sources[i]->reads);
		for (size_t k = 0; k < sources[i]->n_metrics; k++) {
			const struct metric *metric = &sources[i]->metrics[k];
			assert_non_null(metric->name);
			assert_true(strlen(metric->help) > 0);
			assert_in_range(metric->scale, 0, FW_SCALE_LIMIT);
			for (size_t j = 0; j <= i; j++)
				for (size_t l = 0; l < (j < i ? sources[j]->n_metrics : k); l++)
					check_unlike(sources[i], metric, sources[j],
						&sources[j]->metrics[l]);
		}
	}
}

/* The real machine: whatever it is, reading it twice works and the second sweep
 * meets the first one's columns. */
static void test_this_machine(void **state)
{
	(void)state;
	struct reading r = {0};
	open_reading(&r, "/");
	assert_true(read_all(&r, NOW_MS));
	uint32_t columns = sweep_schema(r.sweep)->n_columns;
	assert_true(columns > 50);
	close_reading(&r);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	machines = argv[1];
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modern_server),
		cmocka_unit_test(test_old_server),
		cmocka_unit_test(test_two_sockets),
		cmocka_unit_test(test_disks),
		cmocka_unit_test(test_many_of_everything),
		cmocka_unit_test(test_failed_disk),
		cmocka_unit_test(test_pools),
		cmocka_unit_test(test_laptop),
		cmocka_unit_test(test_plain_vm),
		cmocka_unit_test(test_ubuntu),
		cmocka_unit_test(test_pending_kernel),
		cmocka_unit_test(test_centos_6),
		cmocka_unit_test(test_centos_7),
		cmocka_unit_test(test_rhel_9),
		cmocka_unit_test(test_sles_15),
		cmocka_unit_test(test_empty_machine),
		cmocka_unit_test(test_metric_tables),
		cmocka_unit_test(test_this_machine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
