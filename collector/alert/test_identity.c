/* SPDX-License-Identifier: Apache-2.0 */
#include "identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/mem.h>

#include "pairs.h"

/* Computed apart from this code, with another language's SHA-256. */
static void test_vectors(void **arg)
{
	(void)arg;
	static const struct {
		const char *estate, *host, *rule, *label, *value, *key;
	} cases[] = {
		{"e", "web01", "HostSilent", "job", "node", "fw1-830f023c3c524a1ddf7cf09b6b69162c"},
		{"e", "web01", "FilesystemAlmostFull", "mountpoint", "/",
			"fw1-9aa0906f9bf6daf5a26868ca33d4f86c"},
		{"", "", "R", NULL, NULL, "fw1-db3b04e24a209f7a32bc22931a6c170d"},
		{"4ed7b9f1-7a3c-4c1e-8d0b-1f2e3d4c5b6a",
			"stra\xc3\x9f"
			"e",
			"RebootRequired", NULL, NULL, "fw1-71e0e923de27bf4ee96ffbc92394d879"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char key[IDENTITY_KEY];
		const struct notice_pair label = {cases[i].label, cases[i].value};
		identity_key(cases[i].estate, cases[i].host, cases[i].rule, &label,
			cases[i].label ? 1 : 0, key);
		assert_string_equal(key, cases[i].key);
	}
}

static void test_moving_a_byte_over_a_border_is_another_key(void **arg)
{
	(void)arg;
	char one[IDENTITY_KEY], two[IDENTITY_KEY];
	identity_key("e", "ab", "c", NULL, 0, one);
	identity_key("e", "a", "bc", NULL, 0, two);
	assert_string_not_equal(one, two);
	const struct notice_pair left = {"a", "bc"}, right = {"ab", "c"};
	identity_key("e", "h", "r", &left, 1, one);
	identity_key("e", "h", "r", &right, 1, two);
	assert_string_not_equal(one, two);
}

static void test_pairs_are_sorted_and_the_last_of_a_name_counts(void **arg)
{
	(void)arg;
	const struct notice_pair items[] = {
		{"job", "x"},
		{"instance", "web01"},
		{"job", "node"},
		{"alertname", "R"},
	};
	struct pairs pairs, again;
	pairs_copy(&pairs, items, 4);
	assert_int_equal(pairs.n, 3);
	assert_string_equal(pairs.items[0].name, "alertname");
	assert_string_equal(pairs_get(&pairs, "job"), "node");
	assert_string_equal(pairs_get(&pairs, "site"), "");
	char *json = pairs_json(&pairs);
	assert_string_equal(json, "{\"alertname\":\"R\",\"instance\":\"web01\",\"job\":\"node\"}");
	assert_int_equal(pairs_parse(json, &again), 0);
	assert_int_equal(again.n, 3);
	assert_string_equal(pairs_get(&again, "instance"), "web01");
	fw_free(json);
	pairs_done(&pairs);
	pairs_done(&again);
	assert_true(pairs_parse("[1]", &again) < 0);
	assert_true(pairs_parse("{", &again) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_moving_a_byte_over_a_border_is_another_key),
		cmocka_unit_test(test_pairs_are_sorted_and_the_last_of_a_name_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
