/* SPDX-License-Identifier: Apache-2.0 */
/* What is sent, byte by byte where it matters; snmptrapd itself is in the stories. */
#include "testkit.h"

#include <string.h>

#include <arpa/inet.h>

#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

/* A UDP port that remembers what came, and may say something. */
struct trap_port {
	uv_udp_t udp;
	unsigned port;
	char space[4096];
	uint8_t last[4096];
	size_t length, n;
	bool answers;
	unsigned n_engines; /* that it claims, each in a report of its own */
	bool says_nothing;  /* in them: they answer another request */
};

static struct trap_port trap_port;

static void on_space(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
	(void)handle;
	(void)wanted;
	*buf = uv_buf_init(trap_port.space, sizeof trap_port.space);
}

/* The same as a response: only the PDU's type differs, 0xa6 from 0xa2. */
static void answer(const struct sockaddr *to)
{
	const uint8_t *community =
		(const uint8_t *)memmem(trap_port.last, trap_port.length, "\x04\x06public", 8);
	size_t at = (size_t)(community - trap_port.last) + 8;
	assert_int_equal(trap_port.last[at], 0xa6);
	uint8_t reply[sizeof trap_port.last];
	memcpy(reply, trap_port.last, trap_port.length);
	reply[at] = 0xa2;
	uv_buf_t buf = uv_buf_init((char *)reply, (unsigned)trap_port.length);
	assert_true(uv_udp_try_send(&trap_port.udp, &buf, 1, to) > 0);
}

#define NOBODYS "\x80\x00\x7e\xd9\x04?"

static void make_engine(uint8_t engine[6], unsigned number)
{
	const uint8_t made[6] = {0x80, 0, 0x7e, (uint8_t)(0xe0 | number >> 8), (uint8_t)number, 4};
	memcpy(engine, made, sizeof made);
}

static void replace(uint8_t *text, size_t length, const void *before, const void *after, size_t n)
{
	for (uint8_t *at; (at = memmem(text, length, before, n));)
		memcpy(at, after, n);
}

/* The question as a report, in the name of one engine after the other. */
static void claim_engines(const struct sockaddr *to)
{
	for (unsigned i = 0; i < trap_port.n_engines; i++) {
		uint8_t reply[sizeof trap_port.last], engine[6];
		size_t length = trap_port.length;
		memcpy(reply, trap_port.last, length);
		make_engine(engine, i);
		replace(reply, length, NOBODYS, engine, sizeof engine);
		replace(reply, length, "\x04\x00\xa0", "\x04\x00\xa8", 3);
		uint8_t *version = memmem(reply, length, "\x02\x01\x03\x30", 4);
		assert_non_null(version);
		if (trap_port.says_nothing)
			version[8] ^= 0x55; /* the message's number */
		uv_buf_t buf = uv_buf_init((char *)reply, (unsigned)length);
		uv_udp_try_send(&trap_port.udp, &buf, 1, to);
	}
}

static void on_datagram(
	uv_udp_t *udp, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from, unsigned flags)
{
	(void)udp;
	(void)flags;
	if (n <= 0)
		return;
	memcpy(trap_port.last, buf->base, (size_t)n);
	trap_port.length = (size_t)n;
	trap_port.n++;
	if (trap_port.answers)
		answer(from);
	if (memmem(trap_port.last, trap_port.length, NOBODYS, 6))
		claim_engines(from);
}

static int set_up(void **arg)
{
	struct sockaddr_in address;
	struct sockaddr_storage bound;
	int length = sizeof bound;
	kit_set_up(arg);
	struct kit *kit = *arg;
	memset(&trap_port, 0, sizeof trap_port);
	uv_udp_init(&kit->loop, &trap_port.udp);
	uv_ip4_addr("127.0.0.1", 0, &address);
	uv_udp_bind(&trap_port.udp, (struct sockaddr *)&address, 0);
	uv_udp_recv_start(&trap_port.udp, on_space, on_datagram);
	uv_udp_getsockname(&trap_port.udp, (struct sockaddr *)&bound, &length);
	trap_port.port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
	return 0;
}

static int tear_down(void **arg)
{
	uv_close((uv_handle_t *)&trap_port.udp, NULL);
	return kit_tear_down(arg);
}

static void configure(struct kit *kit, const char *more)
{
	kit_file(kit, "community", "public\n");
	kit_configure(kit, "snmp",
		fw_arena_format(&kit->arena,
			"server: 127.0.0.1:%u\nversion: 2c\ncommunity_file: DIR/community\n%s",
			trap_port.port, more));
}

static void await_datagram(struct kit *kit)
{
	while (trap_port.n == 0)
		uv_run(&kit->loop, UV_RUN_ONCE);
}

static bool was_sent(const char *bytes, size_t length)
{
	return memmem(trap_port.last, trap_port.length, bytes, length) != NULL;
}

/* The object 1.3.6.1.4.1.32473.7480.1.N.0 and what it holds. */
#define OBJECT "\x06\x0d\x2b\x06\x01\x04\x01\x81\xfd\x59\xba\x38\x01"
#define HOLDS(n, type_length_value) OBJECT n "\x00" type_length_value
#define assert_sent(bytes) assert_true(was_sent(bytes, sizeof(bytes) - 1))

static void test_an_inform_is_answered(void **arg)
{
	struct kit *kit = *arg;
	trap_port.answers = true;
	configure(kit, "");
	kit_judge(kit);
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_sent("\x2b\x06\x01\x06\x03\x01\x01\x04\x01\x00\x06\x0c\x2b\x06\x01\x04\x01\x81\xfd"
		    "\x59\xba\x38\x00\x01");
	assert_sent(HOLDS("\x01",
		"\x04\x24"
		"fw1-0123456789abcdef0123456789abcdef"));
	assert_sent(HOLDS("\x02", "\x02\x01\x01"));
	assert_sent(HOLDS("\x03", "\x02\x01\x03"));
	assert_sent(HOLDS("\x04",
		"\x04\x05"
		"web01"));
	assert_sent(HOLDS("\x05",
		"\x04\x14"
		"FilesystemAlmostFull"));
	assert_sent(HOLDS("\x06",
		"\x04\x1a"
		"web01: /srv has 4.0 % left"));
	assert_sent(HOLDS("\x09",
		"\x04\x02"
		"P2"));
	assert_sent(HOLDS("\x0a",
		"\x04\x0b"
		"Boston Fire"));
	assert_sent(HOLDS("\x0b", "\x04\x00"));
	assert_sent(HOLDS("\x0c",
		"\x04\x0c"
		"01522 580397"));
	assert_sent(HOLDS("\x07", "\x04\x0b\x07\xea\x0b\x16\x0a\x00\x00\x00+\x00\x00"));
}

static void test_its_end(void **arg)
{
	struct kit *kit = *arg;
	trap_port.answers = true;
	configure(kit, "");
	kit_resolve(kit, "");
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_sent("\x06\x0c\x2b\x06\x01\x04\x01\x81\xfd\x59\xba\x38\x00\x02");
	assert_sent(HOLDS("\x02", "\x02\x01\x02"));
	assert_sent(HOLDS("\x03", "\x02\x01\x01"));
}

static void test_a_trap_is_not_answered(void **arg)
{
	struct kit *kit = *arg;
	configure(kit, "inform: false\n");
	assert_int_equal(kit_deliver(kit), DELIVERED);
	await_datagram(kit);
	assert_sent("\x04\x06public\xa7");
}

static void test_hostile_texts(void **arg)
{
	struct kit *kit = *arg;
	char endless[600];
	for (size_t i = 0; i + 2 < sizeof endless; i += 2)
		memcpy(endless + i, "\xc3\xa9", 3);
	const struct notice_pair labels[] = {{"instance", "a\nb\xff\x1b"}};
	const struct notice_pair said[] = {{"summary", endless}};
	kit_set_labels(kit, labels, 1);
	kit->notice.annotations = said;
	kit->notice.n_annotations = 1;
	trap_port.answers = true;
	configure(kit, "");
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_sent(HOLDS("\x04",
		"\x04\x05"
		"a b? "));
	assert_sent(HOLDS("\x06", "\x04\x81\xfe\xc3\xa9"));
}

static void test_who_does_not_answer_is_asked_again(void **arg)
{
	struct kit *kit = *arg;
	configure(kit, "");
	assert_int_equal(kit_deliver(kit), TRY_LATER);
	assert_non_null(strstr(kit->why, "does not answer"));
	assert_true(trap_port.n > 1);
}

static void test_interrupted(void **arg)
{
	struct kit *kit = *arg;
	configure(kit, "");
	kit_start(kit);
	await_datagram(kit);
	kit->feed->cancel(&kit->delivery);
	assert_int_equal(kit->finished, 1);
	assert_int_equal(kit->verdict, TRY_LATER);
	kit_start(kit); /* and while the name is looked up */
	kit->feed->cancel(&kit->delivery);
	assert_int_equal(kit->finished, 1);
}

static void test_secrets(void **arg)
{
	struct kit *kit = *arg;
	configure(kit, "");
	kit_file(kit, "community", "");
	assert_int_equal(kit_deliver(kit), TRY_LATER);
	assert_non_null(strstr(kit->why, "does not hold a secret"));
	assert_int_equal(trap_port.n, 0);
}

/* How many of these the library knows. */
static unsigned engines_known(unsigned n)
{
	unsigned known = 0;
	for (unsigned i = 0; i < n; i++) {
		u_int boots, seconds;
		uint8_t engine[6];
		make_engine(engine, i);
		known += get_enginetime(engine, sizeof engine, &boots, &seconds, 0) ==
			SNMPERR_SUCCESS;
	}
	return known;
}

static void configure_v3(struct kit *kit)
{
	kit_file(kit, "words", "correct horse\n");
	kit_configure(kit, "snmp",
		fw_arena_format(&kit->arena,
			"server: 127.0.0.1:%u\nuser: fenwatch\nauth_file: DIR/words\n"
			"privacy_file: DIR/words\n",
			trap_port.port));
}

/* A receiver that claims to be another engine every time costs no memory for it. */
static void test_engines_are_forgotten(void **arg)
{
	struct kit *kit = *arg;
	configure_v3(kit);
	trap_port.n_engines = 10;
	trap_port.says_nothing = true;
	for (unsigned i = 0; i < 30; i++) {
		kit_start(kit);
		while (engines_known(10) < 10) /* the control: the library remembers them */
			uv_run(&kit->loop, UV_RUN_ONCE);
		kit->feed->cancel(&kit->delivery);
		assert_int_equal(engines_known(10), 0);
	}
}

static bool knows_user(void)
{
	uint8_t engine[6];
	make_engine(engine, 0);
	return usm_get_user(engine, sizeof engine, (char[]){"fenwatch"}) != NULL;
}

static void test_users_are_forgotten(void **arg)
{
	struct kit *kit = *arg;
	configure_v3(kit);
	trap_port.n_engines = 1;
	kit_start(kit);
	while (trap_port.n < 2) /* the question for its engine, then the inform */
		uv_run(&kit->loop, UV_RUN_ONCE);
	assert_true(knows_user());
	kit->feed->cancel(&kit->delivery);
	assert_false(knows_user());
}

static void test_answers_without_end_end(void **arg)
{
	struct kit *kit = *arg;
	configure_v3(kit);
	trap_port.n_engines = 200;
	trap_port.says_nothing = true;
	assert_int_equal(kit_deliver(kit), TRY_LATER);
	assert_non_null(strstr(kit->why, "answers without end"));
	assert_int_equal(trap_port.n, 1);
	assert_int_equal(engines_known(200), 0);
}

static void test_another_enterprise(void **arg)
{
	struct kit *kit = *arg;
	trap_port.answers = true;
	configure(kit, "enterprise: 99999\n");
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_sent("\x2b\x06\x01\x04\x01\x86\x8d\x1f\xba\x38\x00\x01");
	assert_false(was_sent("\x81\xfd\x59", 3));
}

static void test_what_is_refused_at_load(void **arg)
{
	struct kit *kit = *arg;
	static const struct {
		const char *more, *sentence;
	} cases[] = {
		{"version: 2c\n", "version 2c wants a community_file"},
		{"user: fenwatch\n", "version 3 wants user, auth_file and privacy_file"},
		{"user: a\nauth_file: b\nprivacy_file: c\ninform: false\n",
			"version 3 is always sent as informs"},
		{"user: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nauth_file: b\nprivacy_file: c\n",
			"user: SNMP's have at most 32 characters"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(
			kit_refusal(kit, "snmp",
				fw_arena_format(&kit->arena, "server: nms:162\n%s", cases[i].more)),
			cases[i].sentence);
	assert_string_equal(kit_refusal(kit, "snmp", "server: nms\n"),
		"server: write it like nms.example:162, not 'nms'");
}

int main(void)
{
#define WITH_PORT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_PORT(test_an_inform_is_answered),
		WITH_PORT(test_its_end),
		WITH_PORT(test_a_trap_is_not_answered),
		WITH_PORT(test_hostile_texts),
		WITH_PORT(test_who_does_not_answer_is_asked_again),
		WITH_PORT(test_interrupted),
		WITH_PORT(test_secrets),
		WITH_PORT(test_engines_are_forgotten),
		WITH_PORT(test_users_are_forgotten),
		WITH_PORT(test_answers_without_end_end),
		WITH_PORT(test_another_enterprise),
		WITH_PORT(test_what_is_refused_at_load),
	};
	return cmocka_run_group_tests_name("feeds: snmp", tests, NULL, NULL);
}
