/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host.h"

static struct hosts before, after;

static struct fw_label labels[] = {{"instance", "sw1"}, {"job", "snmp"}};
static const struct named_host names[] = {
	{.id = 1, .labels = labels, .n_labels = 2},
	{.id = 2, .labels = labels, .n_labels = 2},
	{.id = 3, .labels = labels, .n_labels = 2},
};

static void test_when_hosts_were_heard_is_kept(void **state)
{
	(void)state;
	struct fw_buf entries = {0};
	hosts_init(&before);
	hosts_init(&after);
	struct host *measured = hosts_add(&before, &names[0]);
	struct host *unknown = hosts_add(&before, &names[1]);
	struct host *told = hosts_add(&before, &names[2]);
	measured->newest_ms = 1000;
	measured->received_ms = 1500;
	measured->agent[15] = 7;
	told->record_ms = 2000; /* a document, and no sweep */
	host_put(&entries, measured);
	host_put(&entries, unknown);
	host_put(&entries, told);
	measured = hosts_add(&after, &names[0]);
	told = hosts_add(&after, &names[2]);
	hosts_take_entries(&after, entries.data, entries.length);
	assert_int_equal(measured->newest_ms, 1000);
	assert_int_equal(measured->received_ms, 1500);
	assert_int_equal(measured->record_ms, 0);
	assert_int_equal(measured->agent[15], 7);
	assert_int_equal(told->newest_ms, 0);
	assert_int_equal(told->received_ms, 0);
	assert_int_equal(told->record_ms, 2000);
	fw_buf_done(&entries);
	hosts_done(&before);
	hosts_done(&after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_when_hosts_were_heard_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
