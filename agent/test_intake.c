/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fenwatch/buf.h>
#include <fenwatch/frame.h>

#include "intake.h"

#define SCHEMA_BYTES (1u << 20) /* what each takes here, so that sixteen are all that may be */

/* A schema's number stands in the name of its only column. */
static uint32_t lend(const struct fw_schema *schema, size_t *bytes, void *arg)
{
	int *lent = arg;
	(*lent)++;
	*bytes = SCHEMA_BYTES;
	return (uint32_t)strtoul(schema->columns[0].name + 1, NULL, 10) + 1;
}

static void get_back(uint32_t id, void *arg)
{
	int *lent = arg;
	assert_int_not_equal(id, 0);
	(*lent)--;
}

static bool has_room(enum fw_frame_type type, void *arg)
{
	(void)type, (void)arg;
	return true;
}

static void take_nothing(const struct handed *handed, void *arg)
{
	(void)handed, (void)arg;
}

static const struct intake_ops ops = {lend, get_back, has_room, take_nothing};

static void put_hello(struct fw_buf *out)
{
	Fenwatch__Wire__Hello hello = FENWATCH__WIRE__HELLO__INIT;
	uint8_t bytes[64];
	hello.proto = 1;
	hello.version = (char *)"test";
	fw_frame_put(out, FW_FRAME_HELLO, bytes, fenwatch__wire__hello__pack(&hello, bytes));
}

/* As the number `wire` of a program. */
static int give_schema(struct intake *in, uint32_t wire, unsigned which, struct fw_err *err)
{
	char name[16];
	snprintf(name, sizeof name, "a%u", which);
	struct fw_column column = {.name = name, .type = FW_GAUGE, .factor = 1};
	struct fw_schema schema = {.n_columns = 1, .columns = &column};
	struct fw_buf message = {0}, frame = {0};
	fw_schema_seal(&schema);
	fw_schema_encode(&schema, wire, NULL, &message);
	fw_frame_put(&frame, FW_FRAME_SCHEMA, message.data, message.length);
	ssize_t rc = intake_take(in, frame.data, frame.length, err);
	fw_buf_done(&message);
	fw_buf_done(&frame);
	return rc < 0 ? (int)rc : 0;
}

static struct intake *begin(int *lent)
{
	struct intake *in = intake_new(&ops, lent);
	struct fw_buf hello = {0};
	put_hello(&hello);
	assert_true(intake_take(in, hello.data, hello.length, NULL) > 0);
	fw_buf_done(&hello);
	return in;
}

/* A thousand devices of one model take no more than one. */
static void test_what_many_share_counts_once(void **state)
{
	struct fw_err err;
	int lent = 0;
	struct intake *in = begin(&lent);
	(void)state;
	for (uint32_t wire = 1; wire <= 1000; wire++)
		assert_int_equal(give_schema(in, wire, wire % 2, &err), 0);
	/* They change one by one, and back: what nobody has any more does not count. */
	for (uint32_t wire = 1; wire <= 1000; wire++)
		assert_int_equal(give_schema(in, wire, 2, &err), 0);
	for (uint32_t wire = 1; wire <= 14; wire++)
		assert_int_equal(give_schema(in, wire, 3 + wire, &err), 0);
	assert_int_equal(lent, 1000);
	intake_free(in);
	assert_int_equal(lent, 0);
}

static void test_what_each_has_of_its_own_is_bounded(void **state)
{
	struct fw_err err;
	int lent = 0, rc = 0;
	uint32_t wire = 0;
	struct intake *in = begin(&lent);
	(void)state;
	for (; rc == 0 && wire < 100; wire++)
		rc = give_schema(in, wire + 1, wire, &err);
	assert_int_equal(wire, 18);
	assert_string_equal(err.text, "more than 4096 schemas, or 16 MiB of them");
	intake_free(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_many_share_counts_once),
		cmocka_unit_test(test_what_each_has_of_its_own_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
