/* SPDX-License-Identifier: Apache-2.0 */
/* Every name that public dashboards and rules ask a host for is in a table of ours, with the
 * type they expect (tests/names/hosts: Node Exporter Full, public host rules, node-mixin).
 *
 * A line is a name and its type, or a name, "-" and why no host of ours has it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/file.h>

#include "sampler.h"
#include "self.h"
#include "source.h"

#define NAMES_AT_LEAST 238

static const char *path;

static const struct metric *find_in(const struct metric *metrics, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(metrics[i].name, name) == 0)
			return &metrics[i];
	return NULL;
}

static const struct metric *find(const char *name)
{
	size_t n;
	const struct metric *found = self_metrics(&n);
	found = find_in(found, n, name);
	if (!found) {
		const struct metric *of_sampler = sampler_metrics(&n);
		found = find_in(of_sampler, n, name);
	}
	for (size_t i = 0; !found && sources[i]; i++)
		found = find_in(sources[i]->metrics, sources[i]->n_metrics, name);
	return found;
}

static const char *type_of(const struct metric *metric)
{
	static const char *const types[] = {
		[FW_GAUGE] = "gauge", [FW_COUNTER] = "counter", [FW_UNTYPED] = "untyped"};
	return metric ? types[metric->type] : "-";
}

struct tally {
	size_t lines, wrong;
};

static void complain(struct tally *tally, const char *name, const char *listed, const char *ours)
{
	print_error(
		"%s: '%s' in the list, '%s' in our tables ('-': in none)\n", name, listed, ours);
	tally->wrong++;
}

static void check_line(char *line, struct tally *tally)
{
	char *type = strchr(line, ' ');
	if (line[0] == '#' || !type)
		return;
	*type++ = '\0';
	char *reason = strchr(type, ' ');
	if (reason)
		*reason++ = '\0';
	const char *ours = type_of(find(line));
	if (strcmp(ours, type) != 0)
		complain(tally, line, type, ours);
	else if (strcmp(type, "-") == 0 && !reason)
		complain(tally, line, "no reason", ours);
	tally->lines++;
}

static void test_every_name_is_given(void **state)
{
	(void)state;
	struct fw_buf text = {0};
	struct fw_err err;
	struct tally tally = {0};
	if (fw_file_read(path, 1 << 20, &text, &err) < 0)
		fail_msg("%s", err.text);
	for (char *at = (char *)text.data, *end; (end = strchr(at, '\n')); at = end + 1) {
		*end = '\0';
		check_line(at, &tally);
	}
	fw_buf_done(&text);
	assert_int_equal(tally.wrong, 0);
	assert_true(tally.lines >= NAMES_AT_LEAST);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	path = argv[1];
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_name_is_given)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
