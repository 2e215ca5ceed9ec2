/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <sys/wait.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "child.h"
#include "process.h"
#include "samples.h"

static const struct metric metrics[] = {
	{"answers", FW_GAUGE, "", "Answers.", 3, 1},
	{"files", FW_GAUGE, "", "Open files.", 0, 1},
};

static const struct child_sink no_sink;

static int foreign_fd; /* opened by the test: a child may not keep it */

static int read_well(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	(void)m;
	(void)err;
	sweep_add(out, &metrics[0], 42, SWEEP_LABELS("a", "1", "b", "two"));
	sweep_add(out, &metrics[0], -7, SWEEP_LABELS("a", "2"));
	sweep_add_plain(out, &metrics[1], fcntl(foreign_fd, F_GETFD) >= 0);
	return 0;
}

static int read_badly(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	(void)m;
	(void)out;
	return fw_fail(err, -EIO, "the disk is on fire");
}

static int read_for_ever(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	(void)m;
	(void)out;
	(void)err;
	while (pause() < 0)
		;
	return 0;
}

static int read_and_die(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)m;
	(void)out;
	(void)err;
	(void)state;
	kill(getpid(), SIGKILL);
	return 0;
}

/* Well the first time; the folder remembers. */
static int read_once(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	if (unlinkat(m->root, "first", 0) < 0)
		return fw_fail(err, -EIO, "only once");
	return read_well(state, m, out, err);
}

static struct source source_that(
	int (*read)(void *, struct machine *, struct sweep *, struct fw_err *))
{
	return (struct source){.name = "test",
		.slow = true,
		.timeout_s = 60,
		.metrics = metrics,
		.n_metrics = 2,
		.read = read};
}

struct wait {
	struct child *child;
	struct child_report report;
	struct sweep *sweep;
	bool changed;
	int until;       /* the loop ends when the report's rc is another than this */
	unsigned rounds; /* or after so many looks */
};

static void on_look(uv_timer_t *timer)
{
	struct wait *w = timer->data;
	sweep_begin(w->sweep, 1000);
	child_replay(w->child, w->sweep, &w->report);
	w->changed = sweep_end(w->sweep);
	if (w->report.rc != w->until || w->rounds-- == 0) {
		uv_close((uv_handle_t *)timer, NULL);
		child_close(w->child);
	}
}

/* Runs a child until its report is another than `until`. */
static struct wait run_child(const struct source *source, const char *root, int until)
{
	uv_loop_t loop;
	uv_timer_t timer;
	struct machine m;
	struct fw_err err;
	struct wait w = {.until = until, .rounds = 6000, .sweep = sweep_new()};
	uv_loop_init(&loop);
	uv_timer_init(&loop, &timer);
	timer.data = &w;
	assert_int_equal(machine_open(&m, root, &err), 0);
	assert_int_equal(child_open(&w.child, &loop, source, 0, &m, &no_sink, &err), 0);
	uv_timer_start(&timer, on_look, 5, 5);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	machine_close(&m);
	return w;
}

static void test_samples_come_back(void **state)
{
	(void)state;
	struct source source = source_that(read_well);
	foreign_fd = fw_open("/dev/null", O_RDONLY, 0);
	struct wait w = run_child(&source, "/", -EAGAIN);
	fw_close(foreign_fd);
	assert_int_equal(w.report.rc, 0);
	assert_true(w.report.read_at_ms > 0);
	assert_int_equal(sweep_schema(w.sweep)->n_columns, 3);
	const struct fw_column *c = &sweep_schema(w.sweep)->columns[0];
	assert_string_equal(c->name, "answers");
	assert_int_equal(c->scale, 3);
	assert_string_equal(c->labels[1].value, "two");
	assert_int_equal(sweep_cells(w.sweep)[0], 42);
	assert_int_equal(sweep_cells(w.sweep)[1], -7);
	assert_int_equal(sweep_cells(w.sweep)[2], 0); /* the parent's file was closed */
	sweep_free(w.sweep);
}

static void test_failure_comes_back(void **state)
{
	(void)state;
	struct source source = source_that(read_badly);
	struct wait w = run_child(&source, "/", -EAGAIN);
	assert_int_equal(w.report.rc, -EIO);
	assert_string_equal(w.report.err.text, "the disk is on fire");
	assert_int_equal(w.report.read_at_ms, 0);
	sweep_free(w.sweep);
}

static void test_stuck_child_is_killed(void **state)
{
	(void)state;
	struct source source = source_that(read_for_ever);
	source.timeout_s = 1;
	struct wait w = run_child(&source, "/", -EAGAIN);
	assert_int_equal(w.report.rc, -ETIMEDOUT);
	assert_string_equal(w.report.err.text, "no answer within 1 s");
	while (waitpid(-1, NULL, 0) > 0)
		;
	sweep_free(w.sweep);
}

static void test_dead_child_is_a_failure(void **state)
{
	(void)state;
	struct source source = source_that(read_and_die);
	struct wait w = run_child(&source, "/", -EAGAIN);
	assert_int_equal(w.report.rc, -EBADMSG);
	assert_string_equal(w.report.err.text, "it ended without an answer");
	sweep_free(w.sweep);
}

/* A machine without the facts costs no child; once they are there, one is made. */
static void test_nothing_to_read(void **state)
{
	(void)state;
	struct source source = source_that(read_well);
	source.only_with = "proc/nonexistent";
	struct wait w = run_child(&source, "/", -EAGAIN);
	assert_int_equal(w.report.rc, -ENODATA);
	assert_string_equal(w.report.err.text, "this machine has no /proc/nonexistent");
	assert_int_equal(sweep_schema(w.sweep)->n_columns, 0);
	sweep_free(w.sweep);
	source.only_with = "proc/stat";
	w = run_child(&source, "/", -EAGAIN);
	assert_int_equal(w.report.rc, 0);
	sweep_free(w.sweep);
}

/* The samples of the read before stay in the sweep, and their age is known. */
static void test_samples_outlive_a_failure(void **state)
{
	(void)state;
	char root[] = "/tmp/fenwatch-child-XXXXXX";
	assert_non_null(mkdtemp(root));
	char *first = fw_format("%s/first", root);
	fw_close(fw_open(first, O_CREAT | O_WRONLY, 0600));
	struct source source = source_that(read_once);
	struct wait w = {.report = {.rc = -EAGAIN}};
	uv_loop_t loop;
	uv_timer_t timer;
	struct machine m;
	struct fw_err err;
	uv_loop_init(&loop);
	uv_timer_init(&loop, &timer);
	assert_int_equal(machine_open(&m, root, &err), 0);
	assert_int_equal(child_open(&w.child, &loop, &source, 0, &m, &no_sink, &err), 0);
	w.sweep = sweep_new();
	while (w.report.rc != -EIO) {
		uv_run(&loop, UV_RUN_ONCE);
		sweep_begin(w.sweep, 1000);
		child_replay(w.child, w.sweep, &w.report);
		sweep_end(w.sweep);
	}
	assert_string_equal(w.report.err.text, "only once");
	assert_true(w.report.read_at_ms > 0);
	assert_int_equal(sweep_cells(w.sweep)[0], 42);
	uv_close((uv_handle_t *)&timer, NULL);
	child_close(w.child);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	machine_close(&m);
	rmdir(root);
	fw_free(first);
	sweep_free(w.sweep);
}

/* Cut anywhere, an answer is refused; whole, it is taken. */
static void test_cut_answers_are_refused(void **state)
{
	(void)state;
	struct source source = source_that(read_well);
	struct fw_err err = {.text = ""};
	struct fw_buf packed = {0};
	struct sweep *s = sweep_new();
	foreign_fd = -1;
	sweep_begin(s, 1000);
	read_well(NULL, NULL, s, NULL);
	sweep_end(s);
	samples_pack(&source, s, 0, &err, &packed);
	size_t all;
	assert_int_equal(samples_check(&source, &packed, &all, &err), 0);
	assert_int_equal(all, packed.length);
	for (size_t length = 0; length < packed.length; length++) {
		struct fw_buf cut = {.data = packed.data, .length = length};
		assert_int_equal(samples_check(&source, &cut, &all, &err), -EBADMSG);
	}
	fw_buf_done(&packed);
	sweep_free(s);
}

static void test_output_of_a_program(void **state)
{
	(void)state;
	struct fw_buf text = {0};
	const char *const hello[] = {"/bin/sh", "-c", "echo hello $LC_ALL; exit 3", NULL};
	assert_int_equal(process_output(hello, 100, &text), 3);
	assert_string_equal((const char *)text.data, "hello C\n");
	const char *const endless[] = {"/bin/sh", "-c", "while :; do echo y; done", NULL};
	assert_int_equal(process_output(endless, 1000, &text), -EFBIG);
	const char *const nothing[] = {"/nonexistent", NULL};
	assert_int_equal(process_output(nothing, 1000, &text), 127);
	fw_buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples_come_back),
		cmocka_unit_test(test_failure_comes_back),
		cmocka_unit_test(test_stuck_child_is_killed),
		cmocka_unit_test(test_dead_child_is_a_failure),
		cmocka_unit_test(test_nothing_to_read),
		cmocka_unit_test(test_samples_outlive_a_failure),
		cmocka_unit_test(test_cut_answers_are_refused),
		cmocka_unit_test(test_output_of_a_program),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
