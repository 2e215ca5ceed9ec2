/* SPDX-License-Identifier: Apache-2.0 */
/* Over real sockets on loopback, one loop for both ends.
 *
 * Every test ends with uv_loop_close() == 0: no handle, request or connection
 * is left behind, however it ended.
 */
#include <fenwatch/conn.h>

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/buf.h>
#include <fenwatch/clock.h>
#include <fenwatch/fault.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#include "test_pki.h"

#define DAY_MS 86400000LL
#define GUARD_MS 20000
#define TICK_MS 5

static struct pki pki, stranger;
static struct pki_leaf server_leaf, agent_leaf, strange_leaf, server_as_agent;

struct side {
	struct fw_conn *conn;
	unsigned ready, ended, drained;
	bool in_call; /* set around calls: no event may come meanwhile */
	char why[256];
	struct fw_buf received;
	void (*on_ready)(struct side *side);
	void (*on_data)(struct side *side);
	bool keep; /* not freed at its end */
	bool confirmed;
};

struct world {
	uv_loop_t loop;
	struct fw_listener *listener;
	unsigned port;
	char address[32];
	SSL_CTX *server_tls;
	struct side server, client;
	struct fw_conn_config server_config;
	uv_timer_t guard;
	uint64_t until_ms;
	bool timed_out;
};

static void on_event(struct fw_conn *conn, const struct fw_conn_happening *happening, void *arg)
{
	struct side *side = arg;
	assert_false(side->in_call);
	assert_int_equal(side->ended, 0);
	switch (happening->event) {
	case FW_CONN_READY:
		side->ready++;
		if (side->on_ready)
			side->on_ready(side);
		break;
	case FW_CONN_DATA:
		assert_int_equal(side->ready, 1);
		fw_buf_append(&side->received, happening->data, happening->length);
		if (side->on_data)
			side->on_data(side);
		break;
	case FW_CONN_DRAINED:
		side->drained++;
		break;
	case FW_CONN_ENDED:
		side->ended++;
		side->confirmed = happening->confirmed;
		snprintf(side->why, sizeof side->why, "%s", happening->why);
		if (!side->keep) {
			fw_conn_free(conn);
			side->conn = NULL;
		}
		break;
	}
}

static struct fw_conn_config config_for(struct side *side, SSL_CTX *tls)
{
	return (struct fw_conn_config){
		.tls = tls,
		.alpn = FW_ALPN,
		.handshake_ms = 20000,
		.idle_ms = 45000,
		.limit = 1u << 20,
		.on_event = on_event,
		.arg = side,
	};
}

static void on_accepted(struct fw_listener *listener, int fd, void *arg)
{
	struct world *world = arg;
	struct fw_err err;
	(void)listener;
	assert_int_equal(
		fw_conn_accept(&world->server.conn, &world->loop, fd, &world->server_config, &err),
		0);
}

/* Ticks, too, so that UV_RUN_ONCE comes back after what a timer has told. */
static void on_guard(uv_timer_t *timer)
{
	struct world *world = FW_CONTAINER(timer, struct world, guard);
	world->timed_out = uv_now(&world->loop) > world->until_ms;
}

static void world_init(struct world *world, const struct fw_tls_config *tls)
{
	struct fw_err err;
	memset(world, 0, sizeof *world);
	assert_int_equal(uv_loop_init(&world->loop), 0);
	assert_int_equal(fw_tls_server(&world->server_tls, tls, &err), 0);
	world->server_config = config_for(&world->server, world->server_tls);
	assert_int_equal(fw_listener_open(&world->listener, &world->loop, "127.0.0.1:0", true,
				 on_accepted, world, &world->port, &err),
		0);
	snprintf(world->address, sizeof world->address, "127.0.0.1:%u", world->port);
	uv_timer_init(&world->loop, &world->guard);
	world->until_ms = uv_now(&world->loop) + GUARD_MS;
	uv_timer_start(&world->guard, on_guard, TICK_MS, TICK_MS);
}

static struct fw_tls_config server_tls(void)
{
	return (struct fw_tls_config){.ca_pem = pki.ca_pem,
		.cert_pem = server_leaf.cert,
		.key_pem = server_leaf.key,
		.client_cert_optional = true};
}

static void dial_with(struct world *world, const struct fw_tls_config *tls, const char *alpn)
{
	SSL_CTX *ctx;
	struct fw_err err;
	assert_int_equal(fw_tls_client(&ctx, tls, &err), 0);
	struct fw_conn_config config = config_for(&world->client, ctx);
	config.alpn = alpn;
	world->client.in_call = true;
	assert_int_equal(fw_conn_dial(&world->client.conn, &world->loop, world->address, NULL,
				 &config, &err),
		0);
	world->client.in_call = false;
	SSL_CTX_free(ctx); /* the connection holds its own reference */
}

static void dial(struct world *world)
{
	struct fw_tls_config tls = {
		.ca_pem = pki.ca_pem, .cert_pem = agent_leaf.cert, .key_pem = agent_leaf.key};
	dial_with(world, &tls, FW_ALPN);
}

/* Runs until `what` holds or the guard rings. */
#define run_until(world, what)                               \
	do {                                                 \
		while (!(what) && !(world)->timed_out)       \
			uv_run(&(world)->loop, UV_RUN_ONCE); \
		assert_true(what);                           \
	} while (0)

static void world_done(struct world *world)
{
	fw_conn_free(world->client.conn);
	fw_conn_free(world->server.conn);
	fw_listener_close(world->listener);
	uv_close((uv_handle_t *)&world->guard, NULL);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
	SSL_CTX_free(world->server_tls);
	fw_buf_done(&world->client.received);
	fw_buf_done(&world->server.received);
}

static void say_hello(struct side *side)
{
	side->in_call = true;
	assert_int_equal(fw_conn_write(side->conn, "hello", 5), 0);
	side->in_call = false;
}

static void both_ends_talk_and_close(void **state)
{
	(void)state;
	struct world world;
	struct fw_tls_config tls = server_tls();
	world_init(&world, &tls);
	world.client.on_ready = say_hello;
	world.server.on_data = say_hello;
	dial(&world);
	run_until(&world, world.client.received.length == 5);
	assert_string_equal(world.server.received.data, "hello");
	assert_string_equal(fw_conn_alpn(world.server.conn), FW_ALPN);
	assert_string_equal(fw_conn_peer(world.server.conn)->uuid, agent_leaf.uuid);
	assert_string_equal(fw_conn_peer(world.client.conn)->uuid, server_leaf.uuid);
	assert_false(fw_conn_peer_expired(world.server.conn));
	assert_string_equal(fw_conn_peer_address(world.client.conn), world.address);
	world.client.in_call = true;
	fw_conn_close(world.client.conn);
	fw_conn_close(world.client.conn);
	world.client.in_call = false;
	run_until(&world, world.client.ended && world.server.ended);
	assert_string_equal(world.client.why, "closed here");
	assert_string_equal(world.server.why, "closed by the peer");
	assert_true(world.client.confirmed && !world.server.confirmed);
	world_done(&world);
}

struct refusal {
	const char *what, *said;
	struct fw_tls_config client;
	const char *alpn;
	int64_t shift_ms; /* of the clock */
};

/* Each of these is refused by the server, and its own sentence says why. */
static void strangers_are_refused(void **state)
{
	(void)state;
	const struct refusal refusals[] = {
		{
			.what = "no certificate",
			.said = "no certificate",
			.client = {.ca_pem = pki.ca_pem},
		},
		{
			.what = "another CA",
			.said = "certificate of 'spy'",
			.client = {.ca_pem = pki.ca_pem,
				.cert_pem = strange_leaf.cert,
				.key_pem = strange_leaf.key},
		},
		{
			.what = "a collector's certificate as an agent's",
			.said = "unsuitable certificate purpose",
			.client = {.ca_pem = pki.ca_pem,
				.cert_pem = server_as_agent.cert,
				.key_pem = server_as_agent.key},
		},
		{
			.what = "expired",
			.said = "certificate has expired",
			.client = {.ca_pem = pki.ca_pem,
				.cert_pem = agent_leaf.cert,
				.key_pem = agent_leaf.key},
			.shift_ms = 8 * DAY_MS,
		},
		{
			.what = "not valid yet",
			.said = "certificate is not yet valid",
			.client = {.ca_pem = pki.ca_pem,
				.cert_pem = agent_leaf.cert,
				.key_pem = agent_leaf.key},
			.shift_ms = -DAY_MS / 2,
		},
		{
			.what = "another protocol",
			.said = "no application protocol",
			.client = {.ca_pem = pki.ca_pem,
				.cert_pem = agent_leaf.cert,
				.key_pem = agent_leaf.key},
			.alpn = "http/1.1",
		},
	};
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		const struct refusal *refusal = &refusals[i];
		struct world world;
		struct fw_tls_config tls = server_tls();
		world_init(&world, &tls);
		fw_fault_clock(refusal->shift_ms);
		/* Both ends share the clock; whichever meets the wrong date first says so. */
		dial_with(&world, &refusal->client, refusal->alpn ? refusal->alpn : FW_ALPN);
		run_until(&world, world.server.ended && world.client.ended);
		fw_fault_clock(0);
		if (!strstr(world.server.why, refusal->said) &&
			!strstr(world.client.why, refusal->said))
			fail_msg("%s: server says '%s', client says '%s'", refusal->what,
				world.server.why, world.client.why);
		assert_int_equal(world.server.ready, 0);
		assert_int_equal(world.server.received.length, 0);
		world_done(&world);
	}
}

/* While one CA takes over from another, each side has certificates of both. */
static void a_peer_of_either_ca_is_let_in(void **state)
{
	(void)state;
	char both[2 * PKI_TEXT];
	snprintf(both, sizeof both, "%s%s", pki.ca_pem, stranger.ca_pem);
	const struct pki_leaf *leaves[] = {&agent_leaf, &strange_leaf};
	for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++) {
		struct world world;
		struct fw_tls_config tls = server_tls();
		tls.ca_pem = both;
		world_init(&world, &tls);
		const struct fw_tls_config client = {
			.ca_pem = both, .cert_pem = leaves[i]->cert, .key_pem = leaves[i]->key};
		dial_with(&world, &client, FW_ALPN);
		run_until(&world, world.server.ready && world.client.ready);
		assert_string_equal(fw_conn_peer(world.server.conn)->uuid, leaves[i]->uuid);
		world_done(&world);
	}
}

static void a_wrong_collector_is_refused(void **state)
{
	(void)state;
	struct world world;
	struct fw_tls_config tls = {.ca_pem = stranger.ca_pem,
		.cert_pem = strange_leaf.cert,
		.key_pem = strange_leaf.key};
	world_init(&world, &tls);
	dial(&world);
	run_until(&world, world.server.ended && world.client.ended);
	assert_non_null(strstr(world.client.why, "refused"));
	assert_int_equal(world.client.ready, 0);
	assert_int_equal(world.server.ready, 0);
	world_done(&world);
}

static void an_agents_certificate_is_no_collectors(void **state)
{
	(void)state;
	struct world world;
	struct fw_tls_config tls = server_tls();
	tls.cert_pem = agent_leaf.cert;
	tls.key_pem = agent_leaf.key;
	world_init(&world, &tls);
	dial(&world);
	run_until(&world, world.client.ended);
	assert_non_null(strstr(world.client.why, "unsuitable certificate purpose"));
	world_done(&world);
}

static void an_expired_peer_is_let_in_within_the_grace(void **state)
{
	(void)state;
	for (int over = 0; over < 2; over++) {
		struct world world;
		struct fw_tls_config tls = server_tls();
		tls.expired_grace_ms = 90 * DAY_MS;
		world_init(&world, &tls);
		fw_fault_clock((over ? 98 : 96) * DAY_MS);
		dial(&world);
		if (over) {
			run_until(&world, world.server.ended);
			assert_non_null(strstr(world.server.why, "has expired"));
		} else {
			run_until(&world, world.server.ready);
			assert_true(fw_conn_peer_expired(world.server.conn));
		}
		fw_fault_clock(0);
		world_done(&world);
	}
}

static void who_enrols_pins_the_ca(void **state)
{
	(void)state;
	struct world world;
	struct fw_tls_config tls = server_tls();
	struct fw_tls_config pinned = {.pin = pki.fingerprint};
	world_init(&world, &tls);
	dial_with(&world, &pinned, FW_ALPN_ENROL);
	run_until(&world, world.client.ready && world.server.ready);
	assert_string_equal(fw_conn_alpn(world.server.conn), FW_ALPN_ENROL);
	assert_null(fw_conn_peer(world.server.conn));
	world_done(&world);

	world_init(&world, &tls);
	pinned.pin = stranger.fingerprint;
	dial_with(&world, &pinned, FW_ALPN_ENROL);
	run_until(&world, world.client.ended);
	assert_non_null(strstr(world.client.why, "fingerprint"));
	assert_int_equal(world.client.ready, 0);
	world_done(&world);
}

/* A socket that is no peer of ours at all. */
static int plain_socket(unsigned port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static void plaintext_is_refused(void **state)
{
	(void)state;
	struct world world;
	struct fw_tls_config tls = server_tls();
	world_init(&world, &tls);
	int fd = plain_socket(world.port);
	static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	assert_int_equal(write(fd, request, sizeof request - 1), sizeof request - 1);
	close(fd);
	run_until(&world, world.server.ended);
	assert_non_null(strstr(world.server.why, "HTTP without TLS"));
	world_done(&world);
}

static void a_peer_that_says_nothing_is_hung_up_on(void **state)
{
	(void)state;
	struct world world;
	struct fw_tls_config tls = server_tls();
	world_init(&world, &tls);
	world.server_config.handshake_ms = 50;
	int fd = plain_socket(world.port);
	run_until(&world, world.server.ended);
	assert_non_null(strstr(world.server.why, "no TLS handshake within"));
	close(fd);
	world_done(&world);
}

static void tls_1_2_is_refused(void **state)
{
	(void)state;
	struct world world;
	struct fw_tls_config tls = server_tls();
	world_init(&world, &tls);
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	struct fw_conn_config config = config_for(&world.client, ctx);
	struct fw_err err;
	assert_int_equal(
		fw_conn_dial(&world.client.conn, &world.loop, world.address, NULL, &config, &err),
		0);
	run_until(&world, world.server.ended && world.client.ended);
	assert_non_null(strstr(world.server.why, "does not speak TLS 1.3"));
	assert_non_null(strstr(world.client.why, "protocol version"));
	SSL_CTX_free(ctx);
	world_done(&world);
}

static void silence_ends_a_connection(void **state)
{
	(void)state;
	struct world world;
	struct fw_tls_config tls = server_tls();
	world_init(&world, &tls);
	world.server_config.idle_ms = 80;
	dial(&world);
	run_until(&world, world.server.ended && world.client.ended);
	assert_int_equal(world.server.ready, 1);
	assert_string_equal(world.server.why, "nothing heard for 0 s");
	assert_string_equal(world.client.why, "closed by the peer");
	world_done(&world);
}

static void pause_now(struct side *side)
{
	fw_conn_pause(side->conn);
}

static void on_moment(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

static void let_pass(struct world *world, uint64_t ms)
{
	bool passed = false;
	uv_timer_t timer;
	uv_timer_init(&world->loop, &timer);
	timer.data = &passed;
	uv_timer_start(&timer, on_moment, ms, 0);
	run_until(world, passed);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&world->loop, UV_RUN_NOWAIT);
}

#define CHUNK 100000

static void write_much(struct side *side)
{
	static char data[CHUNK];
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (char)(i * 7);
	side->in_call = true;
	assert_int_equal(fw_conn_write(side->conn, data, sizeof data), 0);
	assert_int_equal(fw_conn_write(side->conn, data, sizeof data), 0);
	side->in_call = false;
}

static void a_paused_reader_gets_everything_later(void **state)
{
	(void)state;
	struct world world;
	struct fw_tls_config tls = server_tls();
	world_init(&world, &tls);
	world.server.on_data = pause_now;
	world.client.on_ready = write_much;
	dial(&world);
	while (world.server.received.length < 2 * CHUNK) {
		size_t before = world.server.received.length;
		run_until(&world, world.server.received.length > before);
		before = world.server.received.length;
		assert_true(before <= 2 * CHUNK);
		let_pass(&world, 2);
		assert_int_equal(world.server.received.length, before);
		world.server.in_call = true;
		fw_conn_resume(world.server.conn);
		world.server.in_call = false;
	}
	for (size_t i = 0; i < 2 * CHUNK; i++)
		if (world.server.received.data[i] != (uint8_t)((i % CHUNK) * 7))
			fail_msg("byte %zu is wrong", i);
	world_done(&world);
}

static void fill_up(struct side *side)
{
	static char data[65536];
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < 10000; i++) {
		rc = fw_conn_write(side->conn, data, sizeof data);
		assert_true(fw_conn_queued(side->conn) < (2u << 20));
	}
	assert_int_equal(rc, -ENOBUFS);
}

static void writing_has_its_limit(void **state)
{
	(void)state;
	struct world world;
	struct fw_tls_config tls = server_tls();
	world_init(&world, &tls);
	world.server.on_ready = pause_now;
	world.client.on_ready = fill_up;
	dial(&world);
	run_until(&world, world.client.ready && world.server.ready);
	assert_int_equal(world.client.drained, 0);
	fw_conn_resume(world.server.conn);
	run_until(&world, world.client.drained == 1);
	assert_int_equal(fw_conn_queued(world.client.conn), 0);
	world_done(&world);
}

static void close_with_much_queued(struct side *side)
{
	write_much(side);
	fw_conn_close(side->conn);
}

static void closing_sends_what_is_queued(void **state)
{
	(void)state;
	struct world world;
	struct fw_tls_config tls = server_tls();
	world_init(&world, &tls);
	world.client.on_ready = close_with_much_queued;
	world.server.on_ready = say_hello; /* unread at the client: must not reset the connection */
	dial(&world);
	run_until(&world, world.client.ended && world.server.ended);
	assert_int_equal(world.server.received.length, 2 * CHUNK);
	assert_string_equal(world.server.why, "closed by the peer");
	world_done(&world);
}

static void free_now(struct side *side)
{
	fw_conn_free(side->conn);
	side->conn = NULL;
}

/* Lets the loop turn n times, then frees: every stage between dialling and data. */
static void it_can_be_freed_at_any_moment(void **state)
{
	(void)state;
	for (int turns = 0; turns < 12; turns++) {
		struct world world;
		struct fw_tls_config tls = server_tls();
		world_init(&world, &tls);
		world.client.on_ready = say_hello;
		dial(&world);
		for (int i = 0; i < turns; i++)
			uv_run(&world.loop, UV_RUN_NOWAIT);
		free_now(&world.client);
		world_done(&world);
	}
	struct world world;
	struct fw_tls_config tls = server_tls();
	world_init(&world, &tls);
	world.client.on_ready = write_much;
	world.server.on_data = free_now;
	dial(&world);
	run_until(&world, world.client.ended);
	assert_null(world.server.conn);
	assert_int_equal(world.server.ended, 0);
	world_done(&world);
}

static void nobody_listens(void **state)
{
	(void)state;
	struct world world;
	struct fw_tls_config tls = server_tls();
	world_init(&world, &tls);
	fw_listener_close(world.listener);
	world.listener = NULL;
	uv_run(&world.loop, UV_RUN_NOWAIT);
	dial(&world);
	run_until(&world, world.client.ended);
	assert_non_null(strstr(world.client.why, "connection refused"));
	assert_non_null(strstr(world.client.why, world.address));
	world_done(&world);
}

static void an_address_needs_host_and_port(void **state)
{
	(void)state;
	char host[256];
	unsigned port;
	assert_int_equal(fw_split_host_port("web.example:7443", host, sizeof host, &port), 0);
	assert_string_equal(host, "web.example");
	assert_int_equal(port, 7443);
	assert_int_equal(fw_split_host_port("[2001:db8::1]:1", host, sizeof host, &port), 0);
	assert_string_equal(host, "2001:db8::1");
	static const char *const wrong[] = {
		"", "host", ":1", "host:", "host:65536", "host:1x", "::1:5", "[::1:5", "[]:5"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(fw_split_host_port(wrong[i], host, sizeof host, &port), -EINVAL);
	char long_name[300];
	memset(long_name, 'a', sizeof long_name);
	memcpy(long_name + 254, ":1", 3);
	assert_int_equal(fw_split_host_port(long_name, host, sizeof host, &port), -EINVAL);
}

static int group_init(void **state)
{
	(void)state;
	pki_init(&pki);
	pki_init(&stranger);
	pki_leaf(&pki, FW_CERT_COLLECTOR, "collector", 365 * DAY_MS, &server_leaf);
	pki_leaf(&pki, FW_CERT_COLLECTOR, "collector", 365 * DAY_MS, &server_as_agent);
	pki_leaf(&pki, FW_CERT_AGENT, "web01", 7 * DAY_MS, &agent_leaf);
	pki_leaf(&stranger, FW_CERT_AGENT, "spy", 7 * DAY_MS, &strange_leaf);
	return 0;
}

static int group_done(void **state)
{
	(void)state;
	pki_done(&pki);
	pki_done(&stranger);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ends_talk_and_close),
		cmocka_unit_test(strangers_are_refused),
		cmocka_unit_test(a_peer_of_either_ca_is_let_in),
		cmocka_unit_test(a_wrong_collector_is_refused),
		cmocka_unit_test(an_agents_certificate_is_no_collectors),
		cmocka_unit_test(an_expired_peer_is_let_in_within_the_grace),
		cmocka_unit_test(who_enrols_pins_the_ca),
		cmocka_unit_test(plaintext_is_refused),
		cmocka_unit_test(a_peer_that_says_nothing_is_hung_up_on),
		cmocka_unit_test(tls_1_2_is_refused),
		cmocka_unit_test(silence_ends_a_connection),
		cmocka_unit_test(a_paused_reader_gets_everything_later),
		cmocka_unit_test(writing_has_its_limit),
		cmocka_unit_test(closing_sends_what_is_queued),
		cmocka_unit_test(it_can_be_freed_at_any_moment),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(an_address_needs_host_and_port),
	};
	return cmocka_run_group_tests(tests, group_init, group_done);
}
