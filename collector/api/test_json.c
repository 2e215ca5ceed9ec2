/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "json.h"

static struct fw_buf out;
static struct json j;

static int begin(void **state)
{
	(void)state;
	out = (struct fw_buf){0};
	j = (struct json){.out = &out};
	return 0;
}

static int end(void **state)
{
	(void)state;
	fw_buf_done(&out);
	return 0;
}

static void test_commas_come_by_themselves(void **state)
{
	(void)state;
	json_open(&j, '{');
	json_put_text(&j, "a", "x");
	json_key(&j, "b");
	json_open(&j, '[');
	json_int(&j, -1);
	json_number(&j, 0.5);
	json_open(&j, '{');
	json_close(&j, '}');
	json_none(&j);
	json_close(&j, ']');
	json_put_bool(&j, "c", true);
	json_put_text(&j, "d", NULL);
	json_close(&j, '}');
	assert_string_equal(out.data, "{\"a\":\"x\",\"b\":[-1,0.5,{},null],\"c\":true,\"d\":null}");
}

static void test_texts_are_escaped(void **state)
{
	(void)state;
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{"", "\"\""},
		{"a\"b\\c", "\"a\\\"b\\\\c\""},
		{"\n\t\x01\x1b\x7f", "\"\\n\\t\\u0001\\u001b\\u007f\""},
		{"</script>&", "\"\\u003c/script\\u003e\\u0026\""},
		{"\xc3\xa9\xf0\x9f\x98\x80", "\"\xc3\xa9\xf0\x9f\x98\x80\""},
		{"a\xff\xc3", "\"a\xef\xbf\xbd\xef\xbf\xbd\""},
		{"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		fw_buf_reset(&out);
		j.after_value = false;
		json_text(&j, rows[i].text);
		assert_string_equal(out.data, rows[i].wanted);
	}
}

static void test_times_and_numbers(void **state)
{
	(void)state;
	json_open(&j, '[');
	json_seconds(&j, 1795383727000);
	json_seconds(&j, 1795383731860);
	json_seconds(&j, 1795383731005);
	json_seconds(&j, 0);
	json_seconds(&j, -500);
	json_seconds(&j, -1500);
	json_time(&j, 0);
	json_time(&j, 1700000000000);
	json_number(&j, NAN);
	json_number(&j, INFINITY);
	json_number(&j, 1e21);
	json_close(&j, ']');
	assert_string_equal(out.data,
		"[1795383727,1795383731.860,1795383731.005,0,-0.500,-1.500,null,\"2023-11-14T22:13:20.000Z\",null,null,1e+21]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_commas_come_by_themselves, begin, end),
		cmocka_unit_test_setup_teardown(test_texts_are_escaped, begin, end),
		cmocka_unit_test_setup_teardown(test_times_and_numbers, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
