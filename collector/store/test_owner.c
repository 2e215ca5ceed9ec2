/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "testkit.h"

#define STEP 60000

static struct kit kit;
static struct sender first, second;
static uint32_t device;

static uint32_t host_of(const char *instance, const char *job, const char *check)
{
	const struct fw_label labels[] = {{"check", check}, {"instance", instance}, {"job", job}};
	uint32_t id = 0;
	const size_t without = *check ? 0 : 1;
	assert_int_equal(store_host_intern(kit.store, labels + without, 3 - without, &id, NULL), 0);
	return id;
}

static int setup(void **state)
{
	(void)state;
	kit_init(&kit);
	first = second = (struct sender){0};
	sender_begin(&first, &kit, 1, 7);
	sender_begin(&second, &kit, 2, 9);
	device = host_of("sw-hall", "snmp", "");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	kit_done(&kit);
	return 0;
}

/* A minute later. */
static enum store_verdict say(struct sender *sender, uint32_t host)
{
	kit_now_ms += STEP;
	return sender_send(sender, STORE_LIVE, host, kit.schema, kit_now_ms, 2, STEP, true);
}

static uint64_t claimed(void)
{
	struct store_stat stat;
	store_stat(kit.store, &stat);
	assert_int_equal(stat.refused, 0);
	return stat.claimed;
}

static struct store_entry tell(struct sender *sender, enum store_kind kind)
{
	static const uint8_t payload[] = "anything";
	struct store_entry entry = {
		.kind = kind,
		.stream = sender->stream,
		.session = sender->session,
		.seq = sender->next[STORE_LIVE],
		.host = device,
		.received_ms = kit_now_ms,
		.payload = payload,
		.length = sizeof payload,
	};
	memcpy(entry.agent, sender->agent, sizeof entry.agent);
	kit_submit(&kit, &entry);
	if (entry.verdict == STORE_DURABLE || entry.verdict == STORE_REFUSED)
		sender->next[STORE_LIVE]++;
	return entry;
}

static void test_a_second_one_is_refused(void **state)
{
	(void)state;
	assert_int_equal(say(&first, device), STORE_DURABLE);
	assert_int_equal(say(&second, device), STORE_REFUSED);
	assert_int_equal(sender_send(&second, STORE_BACKLOG, device, kit.schema,
				 kit_now_ms - 3600000, 2, STEP, true),
		STORE_REFUSED);
	struct store_entry event = tell(&second, STORE_EVENT);
	assert_int_equal(event.verdict, STORE_REFUSED);
	assert_true(event.is_anothers);
	assert_memory_equal(event.owner, first.agent, sizeof event.owner);
	assert_int_equal(tell(&second, STORE_DOCUMENT).verdict, STORE_REFUSED);
	assert_int_equal(claimed(), 4);
	/* It goes on with what is its own, and so does the first. */
	assert_int_equal(say(&second, host_of("sw-cellar", "snmp", "")), STORE_DURABLE);
	assert_int_equal(say(&first, device), STORE_DURABLE);
	assert_int_equal(tell(&first, STORE_EVENT).verdict, STORE_DURABLE);
	assert_int_equal(claimed(), 4);
}

static void test_it_moves_when_its_agent_is_silent(void **state)
{
	(void)state;
	assert_int_equal(say(&first, device), STORE_DURABLE);
	kit_now_ms += STEP;
	assert_int_equal(say(&second, device), STORE_REFUSED);
	kit_now_ms += STEP;
	assert_int_equal(say(&second, device), STORE_DURABLE);
	assert_int_equal(say(&first, device), STORE_REFUSED); /* and now it is that one's */
}

static void test_it_moves_when_its_agent_is_retired(void **state)
{
	(void)state;
	assert_int_equal(say(&first, device), STORE_DURABLE);
	assert_int_equal(say(&second, device), STORE_REFUSED);
	store_disown(kit.store, second.agent); /* not the one whose it is */
	assert_int_equal(say(&second, device), STORE_REFUSED);
	store_disown(kit.store, first.agent);
	assert_int_equal(say(&second, device), STORE_DURABLE);
}

/* However long we were away ourselves. */
static void test_events_alone_make_an_owner(void **state)
{
	(void)state;
	assert_int_equal(tell(&first, STORE_EVENT).verdict, STORE_DURABLE);
	struct store_entry another = tell(&second, STORE_EVENT);
	assert_int_equal(another.verdict, STORE_REFUSED);
	assert_memory_equal(another.owner, first.agent, sizeof another.owner);
	assert_int_equal(tell(&second, STORE_DOCUMENT).verdict, STORE_REFUSED);
	assert_int_equal(say(&second, device), STORE_REFUSED);
	kit_reopen(&kit);
	first.next[STORE_LIVE] = first.next[STORE_BACKLOG] = 0;
	second.next[STORE_LIVE] = second.next[STORE_BACKLOG] = 0;
	sender_begin(&first, &kit, 1, 7);
	sender_begin(&second, &kit, 2, 9);
	kit_now_ms += 3600000 - STEP;
	assert_int_equal(tell(&second, STORE_EVENT).verdict, STORE_REFUSED);
	assert_int_equal(tell(&first, STORE_EVENT).verdict, STORE_DURABLE);
	kit_now_ms += 3600001; /* an hour of which nothing came */
	assert_int_equal(tell(&second, STORE_EVENT).verdict, STORE_DURABLE);
	assert_int_equal(tell(&first, STORE_EVENT).verdict, STORE_REFUSED);
}

static void test_a_restart_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(say(&first, device), STORE_DURABLE);
	kit_reopen(&kit);
	kit_now_ms += 3600000;
	first.next[STORE_LIVE] = first.next[STORE_BACKLOG] = 0;
	second.next[STORE_LIVE] = second.next[STORE_BACKLOG] = 0;
	sender_begin(&first, &kit, 1, 7);
	sender_begin(&second, &kit, 2, 9);
	assert_int_equal(say(&second, device), STORE_REFUSED);
	assert_int_equal(say(&first, device), STORE_DURABLE);
	assert_int_equal(say(&second, device), STORE_REFUSED);
}

static void test_a_name_of_a_machine_with_an_agent_is_taken(void **state)
{
	(void)state;
	uint32_t machine = kit_host(&kit, "web01");
	uint32_t controller = host_of("web01", "snmp", "");
	assert_int_equal(say(&second, controller), STORE_DURABLE); /* it has none yet */
	assert_int_equal(say(&first, machine), STORE_DURABLE);
	assert_int_equal(say(&second, controller), STORE_REFUSED);
	assert_int_equal(say(&second, host_of("web01", "blackbox", "ping")), STORE_DURABLE);
	store_disown(kit.store, second.agent);
	assert_int_equal(say(&first, machine), STORE_DURABLE);
	assert_int_equal(say(&first, controller), STORE_DURABLE);
	/* Machines themselves are told apart by their certificates, not here. */
	assert_int_equal(say(&second, machine), STORE_DURABLE);
	assert_int_equal(claimed(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_second_one_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_it_moves_when_its_agent_is_silent, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_it_moves_when_its_agent_is_retired, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events_alone_make_an_owner, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_restart_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_name_of_a_machine_with_an_agent_is_taken, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
