/* SPDX-License-Identifier: Apache-2.0 */
#include "test_source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#include "../print.h"
#include "../sweep.h"
#include "test_tree.h"

static char folder[] = "/tmp/fenwatch-source-XXXXXX";
static struct machine machine;
static const struct source *source;
static void *source_state;
static struct sweep *sweep;
static struct fw_buf text;
static struct fw_err err;

void test_open(const struct source *opened)
{
	memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
	assert_non_null(mkdtemp(folder));
	assert_int_equal(machine_open(&machine, folder, &err), 0);
	source = opened;
	source_state = fw_alloc(source->state_size ? source->state_size : 1);
	sweep = sweep_new();
}

int test_close(void **state)
{
	(void)state;
	if (source->close)
		source->close(source_state);
	fw_free(source_state);
	sweep_free(sweep);
	machine_close(&machine);
	fw_buf_done(&text);
	return test_remove_tree(folder);
}

void test_keep_data(void)
{
	machine.var = folder;
}

void test_file(const char *name, const char *content)
{
	test_bytes(name, content, strlen(content));
}

void test_bytes(const char *name, const void *data, size_t size)
{
	int rc = test_put(folder, name, data, size);
	if (rc < 0)
		fail_msg("%s: %s", name, fw_strerror(rc));
}

void test_no_file(const char *name)
{
	assert_int_equal(unlinkat(machine.root, name, 0), 0);
}

void test_choices(const struct choices *choices)
{
	machine.choices = choices;
}

const char *test_sentence(void)
{
	return err.text;
}

int test_read(int64_t now_ms)
{
	machine.now_ms = now_ms;
	sweep_begin(sweep, now_ms);
	int rc = source->read(source_state, &machine, sweep, &err);
	sweep_end(sweep);
	fw_buf_reset(&text);
	fw_buf_puts(&text, "\n");
	print_sweep(sweep, &text);
	return rc;
}

static const char *find(const char *series)
{
	char *line = fw_format("\n%s ", series);
	const char *at = strstr((const char *)text.data, line);
	size_t length = strlen(line);
	fw_free(line);
	return at ? at + length : NULL;
}

const char *test_value(const char *series)
{
	static char value[64];
	const char *at = find(series);
	if (!at)
		fail_msg("no %s in %s", series, (const char *)text.data);
	size_t length = strcspn(at, "\n");
	assert_true(length < sizeof value);
	memcpy(value, at, length);
	value[length] = '\0';
	return value;
}

bool test_has(const char *series)
{
	return find(series) != NULL;
}

unsigned test_count(const char *name)
{
	char *line = fw_format("\n%s{", name);
	unsigned n = 0;
	for (const char *at = (const char *)text.data; (at = strstr(at, line)); at++)
		n++;
	fw_free(line);
	return n;
}

void test_expect(const char *series, const char *value)
{
	assert_string_equal(test_value(series), value);
}
