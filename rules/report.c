/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <fenwatch/log.h>

#include "rulefile.h"
#include "trial.h"

/* ---- what both say ---- */

/* A text as it may stand on a terminal. */
static const char *safe(const char *text, char *out, size_t size)
{
	return fw_escape(text, out, size);
}

static void print_problem(const char *path, const struct problem *problem, struct fw_buf *out)
{
	char file[1024], text[2048];
	fw_buf_printf(out, "%s: ", safe(path, file, sizeof file));
	if (problem->line)
		fw_buf_printf(out, "line %u: ", problem->line);
	fw_buf_printf(out, "%s%s\n", problem->is_warning ? "warning: " : "",
		safe(problem->text, text, sizeof text));
}

static json_t *problems_json(const struct problems *problems, bool warnings)
{
	json_t *list = json_array();
	for (size_t i = 0; i < problems->n; i++)
		if (problems->items[i].is_warning == warnings)
			json_array_append_new(list,
				json_pack("{s:i,s:s}", "line", (int)problems->items[i].line,
					"message", problems->items[i].text));
	return list;
}

static void put_json(json_t *files, struct fw_buf *out)
{
	json_t *all = json_pack("{s:o}", "files", files);
	char *text = json_dumps(all, JSON_INDENT(2) | JSON_SORT_KEYS);
	fw_buf_printf(out, "%s\n", text ? text : "null");
	free(text);
	json_decref(all);
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void print_count(const char *path, size_t n, const char *what, struct fw_buf *out)
{
	char file[1024];
	fw_buf_printf(out, "%s: %zu %s%s\n", safe(path, file, sizeof file), n, what, plural(n));
}

/* ---- check ---- */

static void print_check(
	const struct rulefile *file, const struct problems *problems, struct fw_buf *out)
{
	char path[1024];
	for (size_t i = 0; i < problems->n; i++)
		print_problem(file->path, &problems->items[i], out);
	if (problems->n_errors)
		print_count(file->path, problems->n_errors, "error", out);
	else
		fw_buf_printf(out, "%s: sound: %zu rule%s in %zu group%s\n",
			safe(file->path, path, sizeof path), file->n_rules, plural(file->n_rules),
			file->n_groups, plural(file->n_groups));
}

static json_t *check_json(const struct rulefile *file, const struct problems *problems)
{
	return json_pack("{s:s,s:b,s:I,s:I,s:o,s:o}", "file", file->path, "sound",
		problems->n_errors == 0, "rules", (json_int_t)file->n_rules, "groups",
		(json_int_t)file->n_groups, "errors", problems_json(problems, false), "warnings",
		problems_json(problems, true));
}

int rules_check(char *const *files, size_t n, bool json, struct fw_buf *out)
{
	int status = 0;
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++) {
		struct fw_arena arena = {0};
		struct problems problems = {.arena = &arena};
		struct rulefile file;
		rulefile_read(files[i], &arena, &file, &problems);
		rulefile_find_doubles(&file, &problems);
		if (json)
			json_array_append_new(list, check_json(&file, &problems));
		else
			print_check(&file, &problems, out);
		status |= problems.n_errors > 0;
		fw_arena_done(&arena);
	}
	if (json)
		put_json(list, out);
	else
		json_decref(list);
	return status;
}

/* ---- test ---- */

/* One line each, the first behind its word and the others under it. */
static void print_lines(const char *word, const char *lines, struct fw_buf *out)
{
	char line[4096], shown[4096];
	while (*lines) {
		size_t length = strcspn(lines, "\n");
		snprintf(line, sizeof line, "%.*s", (int)length, lines);
		fw_buf_printf(out, "    %-9s %s\n", word, safe(line, shown, sizeof shown));
		lines += length + (lines[length] == '\n');
		word = "";
	}
}

static void print_failure(const char *path, const struct trial_failure *failure, struct fw_buf *out)
{
	char file[1024], test[512], what[1024];
	fw_buf_printf(out, "%s: line %u: %s: %s\n", safe(path, file, sizeof file), failure->line,
		safe(failure->test, test, sizeof test), safe(failure->what, what, sizeof what));
	if (failure->expected) {
		print_lines("expected", failure->expected, out);
		print_lines("got", failure->got, out);
	} else {
		print_lines("failed", failure->why, out);
	}
}

static void print_test(const struct testfile *file, const struct problems *problems,
	const struct trial *trial, struct fw_buf *out)
{
	char path[1024];
	safe(file->path, path, sizeof path);
	for (size_t i = 0; i < problems->n; i++)
		print_problem(file->path, &problems->items[i], out);
	for (size_t i = 0; i < trial->n_failures; i++)
		print_failure(file->path, &trial->failures[i], out);
	if (problems->n_errors)
		print_count(file->path, problems->n_errors, "error", out);
	else if (trial->n_failed)
		fw_buf_printf(out, "%s: %zu of %zu test%s failed\n", path, trial->n_failed,
			trial->n_tests, plural(trial->n_tests));
	else
		fw_buf_printf(out, "%s: %zu test%s passed\n", path, trial->n_tests,
			plural(trial->n_tests));
}

static json_t *failures_json(const struct trial *trial)
{
	json_t *list = json_array();
	for (size_t i = 0; i < trial->n_failures; i++) {
		const struct trial_failure *f = &trial->failures[i];
		json_array_append_new(list,
			json_pack("{s:s,s:i,s:s,s:s?,s:s?,s:s?}", "test", f->test, "line",
				(int)f->line, "what", f->what, "expected", f->expected, "got",
				f->got, "error", f->why));
	}
	return list;
}

static json_t *test_json(
	const struct testfile *file, const struct problems *problems, const struct trial *trial)
{
	return json_pack("{s:s,s:b,s:I,s:I,s:o,s:o,s:o}", "file", file->path, "passed",
		problems->n_errors == 0 && trial->n_failed == 0, "tests",
		(json_int_t)trial->n_tests, "failed", (json_int_t)trial->n_failed, "failures",
		failures_json(trial), "errors", problems_json(problems, false), "warnings",
		problems_json(problems, true));
}

int rules_test(char *const *files, size_t n, bool json, struct fw_buf *out)
{
	int status = 0;
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++) {
		struct fw_arena arena = {0};
		struct problems problems = {.arena = &arena};
		struct trial trial = {.arena = &arena};
		struct testfile file;
		testfile_read(files[i], &arena, &file, &problems);
		if (problems.n_errors == 0)
			trial_run(&file, &trial, &problems);
		if (json)
			json_array_append_new(list, test_json(&file, &problems, &trial));
		else
			print_test(&file, &problems, &trial, out);
		status |= problems.n_errors > 0 || trial.n_failed > 0;
		fw_arena_done(&arena);
	}
	if (json)
		put_json(list, out);
	else
		json_decref(list);
	return status;
}
