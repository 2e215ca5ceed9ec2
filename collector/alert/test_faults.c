/* SPDX-License-Identifier: Apache-2.0 */
/* What was promised to the feeds arrives whatever fails on the way: each write
 * and sync of the disk, and each piece of memory, once and for ever. */
#include "place.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fenwatch/fault.h>
#include <fenwatch/log.h>

/* ---- the disk ---- */

/* Fires and resolves whatever fails, as often as it takes. True when the receiver
 * heard of it once and in order, counting repeats under the same key as one. */
static bool told_in_spite_of(
	struct place *place, const char *key, enum fw_op op, uint64_t nth, int with, bool forever)
{
	struct episode episode = episode_of(key, START_MS);
	fw_fault_arm(op, nth, with, forever);
	for (int i = 0; i < 3 && write_fired(place, &episode) < 0; i++)
		if (i == 1)
			fw_fault_clear();
	for (int i = 0; i < 200 && accepted(place, key, "firing") == 0; i++) {
		outbox_wake(place->outbox);
		uv_run(&place->loop, UV_RUN_NOWAIT);
		usleep(500);
		if (i == 20)
			fw_fault_clear();
	}
	for (int i = 0; i < 3 && write_resolved(place, &episode) < 0; i++)
		fw_fault_clear();
	fw_fault_clear();
	int64_t end_ms = fw_mono_ms() + WAIT_MS;
	while (counts(place).waiting > 0 && fw_mono_ms() < end_ms) {
		outbox_wake(place->outbox);
		uv_run(&place->loop, UV_RUN_NOWAIT);
		usleep(500);
	}
	return accepted(place, key, "firing") >= 1 && accepted(place, key, "resolved") >= 1 &&
		counts(place).waiting == 0;
}

static void test_every_fault_of_the_disk(void **arg)
{
	struct place *place = *arg;
	static const enum fw_op ops[] = {FW_OP_WRITE, FW_OP_FSYNC};
	static const int errors[] = {-EIO, -ENOSPC};
	size_t rounds = 0;
	open_outbox(place);
	for (size_t i = 0; i < 2; i++) {
		for (uint64_t nth = 1; nth <= 12; nth++) {
			for (int how = 0; how < 4; how++) {
				char key[32];
				snprintf(key, sizeof key, "fw1-%zu.", rounds++);
				assert_true(told_in_spite_of(
					place, key, ops[i], nth, errors[how & 1], how & 2));
			}
		}
	}
	/* Nothing was told twice, but for a repeat under the same key after a failed write. */
	assert_int_equal(different(place, "firing"), rounds);
	assert_int_equal(different(place, "resolved"), rounds);
}

/* The control: a disk that only pretends to write must make the test above fail. */
static void test_control_a_disk_that_pretends_is_noticed(void **arg)
{
	struct place *place = *arg;
	struct episode one = episode_of("fw1-1", START_MS);
	open_outbox(place);
	fw_fault_arm(FW_OP_WRITE, 1, 1, true);
	assert_int_equal(write_fired(place, &one), 0);
	kill_and_restart(place);
	fw_fault_clear();
	run_for(place, 50);
	assert_int_equal(accepted(place, "fw1-1", "firing"), 0);
}

/* ---- memory ---- */

enum { GROUP = 32, BRIEF_MS = 40 };

/* What a life in a process of its own came to, in memory that it shares. */
struct trial {
	char key[32];
	uint64_t calls; /* allocations, when none failed */
	bool fired, resolved;
};

static void on_brief(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

/* Counts anew only when something has happened: a count allocates, and how many allocations
 * there are to fail must not depend on how busy the machine is. */
static void tell(struct place *place)
{
	struct book_counts counts = {.waiting = 1};
	bool is_over = false;
	uv_timer_t brief = {.data = &is_over};
	uv_timer_init(&place->loop, &brief);
	uv_timer_start(&brief, on_brief, BRIEF_MS, 0);
	outbox_wake(place->outbox);
	while (counts.waiting > 0 && !is_over) {
		uv_run(&place->loop, UV_RUN_ONCE);
		if (book_count(place->state, "desk", &counts, NULL) < 0)
			break;
	}
	uv_close((uv_handle_t *)&brief, NULL);
	uv_run(&place->loop, UV_RUN_NOWAIT);
}

/* Opens, fires, tells, resolves, tells and closes; goes on as far as it can. */
static void live(struct place *place, struct trial *trial)
{
	struct outbox_config config = {
		.loop = &place->loop,
		.state = place->state,
		.options = &place->options,
		.external_url = "http://collector:7480",
	};
	struct episode episode = episode_of(trial->key, START_MS);
	uv_loop_init(&place->loop);
	if (state_open(&place->state, place->dir, NULL) < 0)
		return;
	config.state = place->state;
	if (book_open(place->state, NULL) < 0 ||
		pauses_open(&place->pauses, place->state, NULL) < 0)
		return;
	config.pauses = place->pauses;
	if (outbox_open(&place->outbox, &config, NULL) < 0)
		return;
	trial->fired = write_fired(place, &episode) == 0;
	tell(place);
	trial->resolved = trial->fired && write_resolved(place, &episode) == 0;
	tell(place);
	close_outbox(place);
	close_state(place);
}

/* The receiver is this process's; it answers while the child trials. */
static void live_apart(struct place *place, struct trial *trial, uint64_t nth, bool forever)
{
	int status = 0;
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		struct rlimit none = {0, 0};
		struct place own = *place;
		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL);
		freopen("/dev/null", "w", stderr);
		fw_fault_clear();
		if (nth)
			fw_fault_arm(FW_OP_ALLOC, nth, -ENOMEM, forever);
		live(&own, trial);
		trial->calls = fw_fault_calls(FW_OP_ALLOC);
		_exit(0);
	}
	while (waitpid(child, &status, WNOHANG) == 0) {
		uv_run(&place->loop, UV_RUN_NOWAIT);
		usleep(100);
	}
	assert_true(WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGABRT);
}

/* True when everything promised has arrived, or does so after a start in which nothing
 * fails; what was over before it could be told is not told at all. */
static bool are_kept(struct place *place, const struct trial *trials, size_t n)
{
	bool kept = true;
	open_state(place);
	open_outbox(place);
	outbox_wake(place->outbox);
	RUN_UNTIL(place, counts(place).waiting == 0);
	for (size_t i = 0; i < n; i++) {
		bool firing = accepted(place, trials[i].key, "firing") > 0;
		bool resolved = accepted(place, trials[i].key, "resolved") > 0;
		kept = kept && (firing || !trials[i].fired || trials[i].resolved);
		kept = kept && (resolved == firing || !trials[i].resolved);
	}
	close_outbox(place);
	close_state(place);
	return kept;
}

static struct trial *shared_trials(void)
{
	return mmap(NULL, GROUP * sizeof(struct trial), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void test_every_allocation(void **arg)
{
	struct place *place = *arg;
	struct trial *trials = shared_trials();
	size_t n = 0, rounds = 0, promised = 0;
	bool kept = true;
	close_state(place);
	snprintf(trials->key, sizeof trials->key, "fw1-clean.");
	live_apart(place, trials, 0, false);
	assert_true(trials->resolved);
	uint64_t calls = trials->calls, stride = fw_fault_stride(11);
	for (uint64_t nth = 1; kept && nth <= calls; nth += stride) {
		for (int forever = 0; forever < 2; forever++) {
			struct trial *trial = &trials[n++];
			*trial = (struct trial){0};
			snprintf(trial->key, sizeof trial->key, "fw1-%zu.", rounds++);
			live_apart(place, trial, nth, forever);
			promised += trial->fired + trial->resolved;
		}
		if (n == GROUP || nth + stride > calls) {
			kept = are_kept(place, trials, n);
			n = 0;
		}
	}
	print_message("# %zu calls, %zu lives, %zu promises\n", (size_t)calls, rounds, promised);
	open_state(place);
	assert_true(kept);
	assert_in_range(promised, rounds / 10, 2 * rounds - 10);
	munmap(trials, GROUP * sizeof *trials);
}

/* The control: a life whose first allocation failed, and which claims to have promised. */
static void test_control_a_promise_that_was_lost_is_noticed(void **arg)
{
	struct place *place = *arg;
	struct trial *trial = shared_trials();
	close_state(place);
	snprintf(trial->key, sizeof trial->key, "fw1-lost.");
	live_apart(place, trial, 1, false);
	assert_false(trial->fired);
	assert_true(are_kept(place, trial, 1));
	trial->fired = true;
	assert_false(are_kept(place, trial, 1));
	open_state(place);
	munmap(trial, GROUP * sizeof *trial);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_every_fault_of_the_disk),
		CASE(test_control_a_disk_that_pretends_is_noticed),
		CASE(test_every_allocation),
		CASE(test_control_a_promise_that_was_lost_is_noticed),
	};
	fw_log_init("test_faults", (enum fw_level)0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
