/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/fault.h>
#include <fenwatch/mem.h>

static void test_memory_is_zeroed(void **state)
{
	(void)state;
	char zeroes[200] = {0};
	char *memory = fw_alloc(sizeof zeroes);
	assert_memory_equal(memory, zeroes, sizeof zeroes);
	fw_free(memory);
	memory = fw_alloc_array(20, 10);
	assert_memory_equal(memory, zeroes, sizeof zeroes);
	fw_free(memory);
	fw_free(NULL);
}

static void test_texts_are_copied(void **state)
{
	(void)state;
	char *whole = fw_strdup("rack"), *part = fw_strndup("rack", 2),
	     *beyond = fw_strndup("ra", 9);
	char *made = fw_format("%s-%03d", whole, 7);
	assert_string_equal(whole, "rack");
	assert_string_equal(part, "ra");
	assert_string_equal(beyond, "ra");
	assert_string_equal(made, "rack-007");
	fw_free(whole);
	fw_free(part);
	fw_free(beyond);
	fw_free(made);
}

static void test_try_alloc_may_fail(void **state)
{
	(void)state;
	fw_fault_arm(FW_OP_ALLOC, 2, -12, false);
	void *first = fw_try_alloc(10), *second = fw_try_alloc(10), *third = fw_try_alloc(10);
	fw_fault_clear();
	assert_non_null(first);
	assert_null(second);
	assert_non_null(third);
	fw_free(first);
	fw_free(third);
}

/* Runs it in a child and gives the signal that ended it. */
static int signal_of(void (*run)(void))
{
	pid_t child = fork();
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0});
		signal(SIGABRT, SIG_DFL);
		if (!freopen("/dev/null", "w", stderr))
			_exit(3);
		run();
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void alloc_normally(void)
{
	fw_free(fw_alloc(1));
}

static void alloc_without_memory(void)
{
	fw_fault_arm(FW_OP_ALLOC, 1, -12, false);
	fw_alloc(1);
}

static void alloc_overflowing(void)
{
	fw_alloc_array(SIZE_MAX / 2, 3);
}

static void realloc_without_memory(void)
{
	fw_fault_arm(FW_OP_ALLOC, 1, -12, false);
	fw_realloc(NULL, 10);
}

static void test_failed_alloc_ends_the_program(void **state)
{
	(void)state;
	assert_int_equal(signal_of(alloc_normally), 0);
	assert_int_equal(signal_of(alloc_without_memory), SIGABRT);
	assert_int_equal(signal_of(alloc_overflowing), SIGABRT);
	assert_int_equal(signal_of(realloc_without_memory), SIGABRT);
}

static void test_arena_gives_zeroed_and_aligned_memory(void **state)
{
	(void)state;
	struct fw_arena arena = {0};
	for (int round = 0; round < 2; round++) {
		for (size_t bytes = 0; bytes < 3000; bytes += 7) {
			unsigned char *memory = fw_arena_alloc(&arena, bytes);
			assert_int_equal((uintptr_t)memory % 16, 0);
			for (size_t i = 0; i < bytes; i++)
				assert_int_equal(memory[i], 0);
			memset(memory, 0xff, bytes);
		}
		fw_arena_reset(&arena);
	}
	fw_arena_done(&arena);
	fw_arena_done(&arena);
}

static void test_arena_reset_keeps_the_first_block(void **state)
{
	(void)state;
	struct fw_arena arena = {0};
	void *first = fw_arena_alloc(&arena, 16);
	for (int i = 0; i < 1000; i++)
		fw_arena_alloc(&arena, 1000);
	fw_arena_reset(&arena);
	assert_int_equal(arena.used, 0);
	fw_fault_arm(FW_OP_ALLOC, 1, -12, true);
	void *again = fw_arena_alloc(&arena, 16);
	fw_fault_clear();
	assert_ptr_equal(again, first);
	fw_arena_done(&arena);
}

static void test_big_request_leaves_room_in_use(void **state)
{
	(void)state;
	struct fw_arena arena = {0};
	char *before = fw_arena_alloc(&arena, 16);
	fw_arena_alloc(&arena, 1 << 20);
	char *after = fw_arena_alloc(&arena, 16);
	assert_ptr_equal(after, before + 16);
	fw_arena_done(&arena);
}

static void test_arena_limit(void **state)
{
	(void)state;
	struct fw_arena arena = {.limit = 1000};
	assert_non_null(fw_arena_try(&arena, 512));
	assert_null(fw_arena_try(&arena, 512));
	assert_null(fw_arena_try(&arena, SIZE_MAX));
	assert_non_null(fw_arena_try(&arena, 400));
	fw_arena_done(&arena);
}

static void test_arena_try_without_memory(void **state)
{
	(void)state;
	struct fw_arena arena = {0};
	fw_fault_arm(FW_OP_ALLOC, 1, -12, false);
	assert_null(fw_arena_try(&arena, 10));
	assert_non_null(fw_arena_try(&arena, 10));
	fw_fault_clear();
	fw_arena_done(&arena);
}

static void test_arena_texts(void **state)
{
	(void)state;
	struct fw_arena arena = {0};
	assert_string_equal(fw_arena_strdup(&arena, "disk"), "disk");
	assert_string_equal(fw_arena_strndup(&arena, "disk", 1), "d");
	assert_string_equal(fw_arena_format(&arena, "%d/%s", 5, "x"), "5/x");
	fw_arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_is_zeroed),
		cmocka_unit_test(test_texts_are_copied),
		cmocka_unit_test(test_try_alloc_may_fail),
		cmocka_unit_test(test_failed_alloc_ends_the_program),
		cmocka_unit_test(test_arena_gives_zeroed_and_aligned_memory),
		cmocka_unit_test(test_arena_reset_keeps_the_first_block),
		cmocka_unit_test(test_big_request_leaves_room_in_use),
		cmocka_unit_test(test_arena_limit),
		cmocka_unit_test(test_arena_try_without_memory),
		cmocka_unit_test(test_arena_texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
