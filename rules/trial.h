/* Running a file of tests: the engine over the file's own series, the groups of its rule
 * files at every evaluation, and what came of it against what was expected. */
#pragma once

#include <stddef.h>

#include <fenwatch/mem.h>

#include "testfile.h"

struct trial_failure {
	const char *test; /* its name, or "test 2" */
	unsigned line;
	const char *what;           /* "alert 'HostDown' at 10m" */
	const char *expected, *got; /* NULL: it could not even be tried, `why` */
	const char *why;
};

struct trial {
	struct fw_arena *arena;
	struct trial_failure *failures;
	size_t n_failures, capacity;
	size_t n_tests, n_failed;
};

/* `problems` are those of the rule files that it names. */
void trial_run(const struct testfile *file, struct trial *trial, struct problems *problems);
