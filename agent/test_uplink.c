/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/conn.h>
#include <fenwatch/log.h>
#include <fenwatch/mem.h>
#include <fenwatch/wire.h>

#include "test_pki.h"
#include "uplink.h"

/* A collector over real TLS that does what a test tells it, and an agent of a few
 * made-up frames. */

enum { FRAMES_MOST = 200 };

struct stage {
	uv_loop_t loop;
	struct pki pki;
	SSL_CTX *server, *client;
	struct uplink *uplink;
	char address[64];
	const char *items[2];
	struct fw_text_list collectors;
	uv_timer_t limit;

	/* the collector */
	struct fw_listener *listener;
	struct fw_conn *conn;
	struct fw_buf in;
	unsigned connections, hellos, heartbeats, renewals;
	bool welcomes, acks; /* answers Hello; acknowledges every batch */
	uint64_t got[LANES][FRAMES_MOST];
	unsigned n_got[LANES], schemas, differences;
	void (*on_batch)(struct stage *stage, enum lane lane, uint64_t seq);
	void (*on_hello)(struct stage *stage);
	const Fenwatch__Wire__Goodbye *goodbye; /* said instead of a welcome */

	/* the agent */
	uint64_t made[LANES], acked[LANES];
	size_t frame_bytes;   /* of every one; 0: three */
	uint64_t second_from; /* the second schema is in use; 0: never */
	unsigned welcomed, lost, keys_wanted, documents_wanted, renewed, dials;
	int welcome_rc;
	bool must_renew, clock_is_wrong;
	bool done;
};

static void server_send(struct stage *s, enum fw_frame_type type, const ProtobufCMessage *message)
{
	struct fw_buf out = {0};
	fw_wire_put(&out, type, message);
	if (s->conn)
		fw_conn_write(s->conn, out.data, out.length);
	fw_buf_done(&out);
}

static void server_ack(struct stage *s, uint64_t live, uint64_t backlog, uint32_t need_key)
{
	Fenwatch__Wire__Ack ack = FENWATCH__WIRE__ACK__INIT;
	ack.live_to = live;
	ack.backlog_to = backlog;
	ack.need_key = need_key;
	server_send(s, FW_FRAME_ACK, &ack.base);
}

static void server_hang_up(struct stage *s)
{
	if (s->conn)
		fw_conn_free(s->conn);
	s->conn = NULL;
	fw_buf_done(&s->in);
}

static void server_hello(struct stage *s)
{
	s->hellos++;
	if (s->goodbye) {
		server_send(s, FW_FRAME_GOODBYE, &s->goodbye->base);
		return;
	}
	Fenwatch__Wire__Welcome welcome = FENWATCH__WIRE__WELCOME__INIT;
	welcome.acked_live = s->acked[LANE_LIVE];
	welcome.acked_backlog = s->acked[LANE_BACKLOG];
	if (s->welcomes)
		server_send(s, FW_FRAME_WELCOME, &welcome.base);
	if (s->on_hello)
		s->on_hello(s);
}

static void server_batch(struct stage *s, const struct fw_frame *frame)
{
	/* Made below: number, then the lane. */
	uint64_t seq = frame->payload[1];
	enum lane lane = frame->payload[2] ? LANE_BACKLOG : LANE_LIVE;
	assert_true(s->n_got[lane] < FRAMES_MOST);
	s->got[lane][s->n_got[lane]++] = seq;
	if (s->acks)
		server_ack(s, lane == LANE_LIVE ? seq : 0, lane == LANE_BACKLOG ? seq : 0, 0);
	if (s->on_batch)
		s->on_batch(s, lane, seq);
}

static void server_frame(struct stage *s, const struct fw_frame *frame)
{
	Fenwatch__Wire__EnrolReply reply = FENWATCH__WIRE__ENROL_REPLY__INIT;
	switch (frame->type) {
	case FW_FRAME_HELLO:
		server_hello(s);
		break;
	case FW_FRAME_BATCH:
		server_batch(s, frame);
		break;
	case FW_FRAME_SCHEMA:
		s->schemas++;
		s->differences += frame->length == 5;
		break;
	case FW_FRAME_HEARTBEAT:
		s->heartbeats++;
		break;
	case FW_FRAME_ENROL_REQUEST:
		s->renewals++;
		reply.certificate = (char *)"new";
		server_send(s, FW_FRAME_ENROL_REPLY, &reply.base);
		break;
	default:
		fail_msg("a %s from the agent", fw_frame_name(frame->type));
	}
}

static void on_server_event(
	struct fw_conn *conn, const struct fw_conn_happening *happening, void *arg)
{
	struct stage *s = arg;
	if (happening->event == FW_CONN_ENDED && conn == s->conn)
		server_hang_up(s);
	if (happening->event != FW_CONN_DATA)
		return;
	fw_buf_append(&s->in, happening->data, happening->length);
	struct fw_frame frame;
	int used;
	while (s->conn && (used = fw_frame_cut(s->in.data, s->in.length, &frame, NULL)) > 0) {
		server_frame(s, &frame);
		if (s->in.length)
			fw_buf_consume(&s->in, (size_t)used);
	}
}

static void on_accepted(struct fw_listener *listener, int fd, void *arg)
{
	struct stage *s = arg;
	struct fw_conn_config config = {
		.tls = s->server,
		.handshake_ms = 5000,
		.limit = 1 << 20,
		.on_event = on_server_event,
		.arg = s,
	};
	(void)listener;
	server_hang_up(s);
	s->connections++;
	assert_int_equal(fw_conn_accept(&s->conn, &s->loop, fd, &config, NULL), 0);
}

/* ---- the agent's side ---- */

static SSL_CTX *op_tls(void *arg)
{
	struct stage *s = arg;
	s->dials++;
	return s->client;
}

static bool op_must_renew(void *arg)
{
	return ((struct stage *)arg)->must_renew;
}

static void op_hello(struct fw_buf *out, void *arg)
{
	Fenwatch__Wire__Hello hello = FENWATCH__WIRE__HELLO__INIT;
	(void)arg;
	hello.proto = 1;
	fw_wire_put(out, FW_FRAME_HELLO, &hello.base);
}

static int op_on_welcome(const Fenwatch__Wire__Welcome *welcome, void *arg)
{
	struct stage *s = arg;
	(void)welcome;
	s->welcomed++;
	return s->welcome_rc;
}

static uint64_t op_oldest(enum lane lane, void *arg)
{
	return ((struct stage *)arg)->acked[lane] + 1;
}

static int op_frame(enum lane lane, uint64_t seq, struct frame *out, void *arg)
{
	static uint8_t payload[700 << 10];
	struct stage *s = arg;
	if (seq > s->made[lane])
		return -ENOENT;
	payload[0] = 0x08;
	payload[1] = (uint8_t)seq;
	payload[2] = lane == LANE_BACKLOG;
	*out = (struct frame){.type = FW_FRAME_BATCH,
		.lane = lane,
		.seq = seq,
		.schema = s->second_from && seq >= s->second_from ? 2 : 1,
		.payload = payload,
		.length = s->frame_bytes ? s->frame_bytes : 3};
	return 0;
}

static const uint8_t *op_schema_hash(uint32_t id, void *arg)
{
	(void)arg;
	return (const uint8_t *)(id == 2 ? "fedcba9876543210" : "0123456789abcdef");
}

static int op_schema(uint32_t id, const uint8_t **message, size_t *length, void *arg)
{
	(void)id;
	(void)arg;
	*message = (const uint8_t *)"schema";
	*length = 6;
	return 0;
}

/* Of the second to the first. */
static int op_schema_difference(
	uint32_t id, uint32_t *base, const uint8_t **message, size_t *length, void *arg)
{
	(void)arg;
	*base = 1;
	*message = (const uint8_t *)"short";
	*length = 5;
	return id == 2 ? 0 : -ENOENT;
}

static void op_on_acked(const uint64_t to[LANES], void *arg)
{
	struct stage *s = arg;
	for (int lane = 0; lane < LANES; lane++)
		s->acked[lane] = to[lane];
	if (s->acked[LANE_LIVE] == s->made[LANE_LIVE] &&
		s->acked[LANE_BACKLOG] == s->made[LANE_BACKLOG])
		s->done = true;
}

static void op_on_need_document(const char *kind, void *arg)
{
	struct stage *s = arg;
	assert_string_equal(kind, "packages");
	s->documents_wanted++;
}

static void op_on_need_key(void *arg)
{
	((struct stage *)arg)->keys_wanted++;
}

static int op_renewal(struct fw_buf *out, struct fw_err *err, void *arg)
{
	Fenwatch__Wire__EnrolRequest request = FENWATCH__WIRE__ENROL_REQUEST__INIT;
	(void)err;
	(void)arg;
	fw_wire_put(out, FW_FRAME_ENROL_REQUEST, &request.base);
	return 0;
}

static int op_on_renewed(const uint8_t *reply, size_t length, struct fw_err *err, void *arg)
{
	struct stage *s = arg;
	(void)err;
	assert_non_null(memmem(reply, length, "new", 3));
	s->renewed++;
	s->must_renew = s->clock_is_wrong;
	s->done = true;
	return 0;
}

static void op_on_lost(void *arg)
{
	((struct stage *)arg)->lost++;
}

static const struct uplink_ops ops = {
	.tls = op_tls,
	.must_renew = op_must_renew,
	.hello = op_hello,
	.on_welcome = op_on_welcome,
	.oldest = op_oldest,
	.frame = op_frame,
	.schema_hash = op_schema_hash,
	.schema = op_schema,
	.schema_difference = op_schema_difference,
	.on_acked = op_on_acked,
	.on_need_key = op_on_need_key,
	.on_need_document = op_on_need_document,
	.renewal = op_renewal,
	.on_renewed = op_on_renewed,
	.on_lost = op_on_lost,
};

/* ---- the stage ---- */

static void listen_on(struct stage *s)
{
	unsigned port;
	assert_int_equal(fw_listener_open(&s->listener, &s->loop, "127.0.0.1:0", false, on_accepted,
				 s, &port, NULL),
		0);
	snprintf(s->address, sizeof s->address, "127.0.0.1:%u", port);
	s->items[0] = s->address;
	s->collectors = (struct fw_text_list){.items = s->items, .count = 1};
}

static void contexts_make(struct stage *s)
{
	struct pki_leaf server, client;
	pki_init(&s->pki);
	pki_leaf(&s->pki, FW_CERT_COLLECTOR, "collector", 3600000, &server);
	pki_leaf(&s->pki, FW_CERT_AGENT, "agent", 3600000, &client);
	struct fw_tls_config config = {
		.ca_pem = s->pki.ca_pem, .cert_pem = server.cert, .key_pem = server.key};
	assert_int_equal(fw_tls_server(&s->server, &config, NULL), 0);
	config.cert_pem = client.cert;
	config.key_pem = client.key;
	assert_int_equal(fw_tls_client(&s->client, &config, NULL), 0);
}

static int set_up(void **state)
{
	struct stage *s = fw_alloc(sizeof *s);
	fw_log_init("test", FW_ERROR);
	uv_loop_init(&s->loop);
	contexts_make(s);
	listen_on(s);
	uv_timer_init(&s->loop, &s->limit);
	s->welcomes = true;
	*state = s;
	return 0;
}

static void start(struct stage *s)
{
	struct uplink_config config = {
		.collectors = &s->collectors,
		.pause_scale = 0.001,
		.ops = &ops,
		.arg = s,
	};
	assert_int_equal(uplink_open(&s->uplink, &s->loop, &config, NULL), 0);
}

static void on_limit(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

/* Until the agent has nothing left, or `most_ms` have passed. */
static bool play(struct stage *s, uint64_t most_ms)
{
	uv_update_time(&s->loop);
	uv_timer_start(&s->limit, on_limit, most_ms, 0);
	int64_t end_ms = fw_mono_ms() + (int64_t)most_ms;
	while (!s->done && fw_mono_ms() < end_ms)
		uv_run(&s->loop, UV_RUN_ONCE);
	uv_timer_stop(&s->limit);
	bool done = s->done;
	s->done = false;
	return done;
}

static int tear_down(void **state)
{
	struct stage *s = *state;
	uplink_close(s->uplink);
	server_hang_up(s);
	fw_listener_close(s->listener);
	uv_close((uv_handle_t *)&s->limit, NULL);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&s->loop), 0);
	SSL_CTX_free(s->server);
	SSL_CTX_free(s->client);
	pki_done(&s->pki);
	fw_free(s);
	return 0;
}

/* ---- the conversation ---- */

static void test_everything_is_sent_live_first(void **state)
{
	struct stage *s = *state;
	s->acks = true;
	s->made[LANE_LIVE] = 3;
	s->made[LANE_BACKLOG] = 100;
	start(s);
	assert_true(play(s, 10000));
	assert_int_equal(s->n_got[LANE_LIVE], 3);
	assert_int_equal(s->n_got[LANE_BACKLOG], 100);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(s->got[LANE_BACKLOG][i], i + 1);
	assert_int_equal(s->schemas, 1);
	assert_true(uplink_is_online(s->uplink));
	s->made[LANE_LIVE] = 4;
	uplink_wake(s->uplink);
	assert_true(play(s, 10000));
	assert_int_equal(s->got[LANE_LIVE][3], 4);
}

/* What differs is enough where the schema before was told on the same connection. */
static void test_a_new_schema_goes_as_a_difference(void **state)
{
	struct stage *s = *state;
	s->acks = true;
	s->made[LANE_LIVE] = 2;
	s->second_from = 2;
	start(s);
	assert_true(play(s, 10000));
	assert_int_equal(s->n_got[LANE_LIVE], 2);
	assert_int_equal(s->schemas, 2);
	assert_int_equal(s->differences, 1);
}

static void test_control_without_the_one_before_it_goes_whole(void **state)
{
	struct stage *s = *state;
	s->acks = true;
	s->made[LANE_LIVE] = 2;
	s->second_from = 1;
	start(s);
	assert_true(play(s, 10000));
	assert_int_equal(s->n_got[LANE_LIVE], 2);
	assert_int_equal(s->schemas, 1);
	assert_int_equal(s->differences, 0);
}

static void test_no_more_than_the_window(void **state)
{
	struct stage *s = *state;
	s->made[LANE_LIVE] = 2 * WINDOW_LIVE;
	s->made[LANE_BACKLOG] = 100;
	start(s);
	assert_false(play(s, 400));
	assert_int_equal(s->n_got[LANE_LIVE], WINDOW_LIVE);
	assert_int_equal(s->n_got[LANE_BACKLOG], WINDOW_BACKLOG);
	assert_false(uplink_has_window(s->uplink, WINDOW_GUESTS));
	server_ack(s, 5, 0, 0);
	assert_false(play(s, 200));
	assert_int_equal(s->n_got[LANE_LIVE], WINDOW_LIVE + 5);
}

/* A window of these is more than the connection may queue. */
static void test_large_frames_wait_for_room(void **state)
{
	struct stage *s = *state;
	s->acks = true;
	s->frame_bytes = 700 << 10;
	s->made[LANE_LIVE] = WINDOW_LIVE;
	s->made[LANE_BACKLOG] = 3;
	start(s);
	assert_true(play(s, 20000));
	assert_int_equal(s->n_got[LANE_LIVE], WINDOW_LIVE);
	assert_int_equal(s->n_got[LANE_BACKLOG], 3);
	assert_int_equal(s->connections, 1);
}

static void hang_up_at_two(struct stage *s, enum lane lane, uint64_t seq)
{
	if (lane == LANE_LIVE && seq == 2 && s->connections < 3)
		server_hang_up(s);
}

static void test_what_was_not_acknowledged_is_sent_again(void **state)
{
	struct stage *s = *state;
	s->made[LANE_LIVE] = 2;
	s->on_batch = hang_up_at_two;
	start(s);
	while (s->connections < 3)
		assert_false(play(s, 100));
	s->acks = true;
	s->on_batch = NULL;
	server_hang_up(s);
	assert_true(play(s, 10000));
	assert_true(s->lost >= 2);
	assert_int_equal(s->acked[LANE_LIVE], 2);
	assert_int_equal(s->got[LANE_LIVE][2], 1); /* from the first again */
}

static void test_a_key_is_asked_for_once(void **state)
{
	struct stage *s = *state;
	s->made[LANE_LIVE] = 4;
	start(s);
	assert_false(play(s, 300));
	assert_int_equal(s->n_got[LANE_LIVE], 4);
	for (int i = 0; i < 3; i++) /* one for each batch on its way */
		server_ack(s, 1, 0, 1);
	assert_false(play(s, 300));
	assert_int_equal(s->keys_wanted, 1);
	assert_int_equal(s->n_got[LANE_LIVE], 7);
	assert_int_equal(s->got[LANE_LIVE][4], 2);
	server_ack(s, 4, 0, 0);
	assert_true(play(s, 5000));
}

/* As many kinds as one host can have are looked at. */
static void test_whole_inventory_is_asked_for(void **state)
{
	struct stage *s = *state;
	start(s);
	assert_false(play(s, 300));
	Fenwatch__Wire__Ack ack = FENWATCH__WIRE__ACK__INIT;
	char *kinds[FW_DOCUMENTS_LIMIT + 5];
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		kinds[i] = (char *)"packages";
	ack.n_need_document = sizeof kinds / sizeof *kinds;
	ack.need_document = kinds;
	server_send(s, FW_FRAME_ACK, &ack.base);
	play(s, 5000); /* until something is acknowledged: nothing, by this one */
	assert_int_equal(s->documents_wanted, FW_DOCUMENTS_LIMIT);
	assert_int_equal(s->lost, 0);
}

static void test_an_ack_of_what_was_not_sent_ends_it(void **state)
{
	struct stage *s = *state;
	s->made[LANE_LIVE] = 1;
	start(s);
	assert_false(play(s, 300));
	server_ack(s, 2, 0, 0);
	assert_false(play(s, 300));
	assert_true(s->lost >= 1);
	assert_int_equal(s->acked[LANE_LIVE], 0);
}

static void test_a_stale_stream_begins_anew(void **state)
{
	struct stage *s = *state;
	s->welcome_rc = -ESTALE;
	start(s);
	while (s->welcomed < 2)
		assert_false(play(s, 100));
	s->welcome_rc = 0;
	s->acks = true;
	s->made[LANE_LIVE] = 1;
	assert_true(play(s, 10000));
}

static void test_the_certificate_is_renewed_on_the_way(void **state)
{
	struct stage *s = *state;
	start(s);
	while (!uplink_is_online(s->uplink))
		play(s, 20);
	uplink_renew(s->uplink);
	uplink_renew(s->uplink); /* once at a time */
	assert_true(play(s, 5000));
	assert_int_equal(s->renewals, 1);
	assert_int_equal(s->renewed, 1);
	assert_int_equal(s->lost, 0);
}

static void test_an_expired_certificate_is_renewed_first(void **state)
{
	struct stage *s = *state;
	s->must_renew = true;
	start(s);
	assert_true(play(s, 5000));
	assert_int_equal(s->renewed, 1);
	assert_int_equal(s->hellos, 0);
	while (!uplink_is_online(s->uplink))
		play(s, 20);
	assert_int_equal(s->hellos, 1);
}

static void test_a_certificate_that_is_expired_when_it_comes_is_no_loop(void **state)
{
	struct stage *s = *state;
	s->must_renew = s->clock_is_wrong = true;
	start(s);
	int64_t start_ms; /* of the turn in which it came */
	do {
		start_ms = fw_mono_ms();
		play(s, 10);
	} while (s->renewed < 1);
	/* 150 s at least, a thousandth of it here. */
	while (s->renewed < 2)
		play(s, 10);
	assert_true(fw_mono_ms() - start_ms >= 150);
	assert_int_equal(s->hellos, 0);
	s->clock_is_wrong = false;
	while (!uplink_is_online(s->uplink))
		play(s, 20);
}

static void test_goodbye_of_a_revoked_agent_is_a_long_pause(void **state)
{
	struct stage *s = *state;
	Fenwatch__Wire__Goodbye goodbye = FENWATCH__WIRE__GOODBYE__INIT;
	goodbye.reason = FENWATCH__WIRE__GOODBYE__REASON__REVOKED;
	goodbye.text = (char *)"revoked by an admin";
	s->goodbye = &goodbye;
	start(s);
	/* 150 s at least, a thousandth of it here. */
	int64_t start_ms = fw_mono_ms();
	while (s->hellos < 2)
		play(s, 10);
	assert_true(fw_mono_ms() - start_ms >= 150);
	assert_int_equal(s->welcomed, 0);
}

static void test_the_next_address_is_tried(void **state)
{
	struct stage *s = *state;
	s->items[1] = s->address;
	s->items[0] = "127.0.0.1:1";
	s->collectors.count = 2;
	s->acks = true;
	s->made[LANE_LIVE] = 1;
	start(s);
	assert_true(play(s, 5000));
	assert_int_equal(s->dials, 2);
}

static void test_pauses(void **state)
{
	(void)state;
	assert_int_equal(uplink_pause_ms(0, 1, 0), 0);
	assert_in_range(uplink_pause_ms(0, 1, UINT32_MAX), 19990, 20000);
	assert_in_range(uplink_pause_ms(30000, 2, UINT32_MAX), 39990, 40000);
	assert_in_range(uplink_pause_ms(599999, 50, UINT32_MAX), 39990, 40000);
	assert_in_range(uplink_pause_ms(600000, 60, UINT32_MAX), 299990, 300000);
	assert_in_range(uplink_pause_ms(600000, 60, UINT32_MAX / 2), 149000, 151000);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_everything_is_sent_live_first),
		CASE(test_a_new_schema_goes_as_a_difference),
		CASE(test_control_without_the_one_before_it_goes_whole),
		CASE(test_no_more_than_the_window),
		CASE(test_large_frames_wait_for_room),
		CASE(test_what_was_not_acknowledged_is_sent_again),
		CASE(test_a_key_is_asked_for_once),
		CASE(test_whole_inventory_is_asked_for),
		CASE(test_an_ack_of_what_was_not_sent_ends_it),
		CASE(test_a_stale_stream_begins_anew),
		CASE(test_the_certificate_is_renewed_on_the_way),
		CASE(test_an_expired_certificate_is_renewed_first),
		CASE(test_a_certificate_that_is_expired_when_it_comes_is_no_loop),
		CASE(test_goodbye_of_a_revoked_agent_is_a_long_pause),
		CASE(test_the_next_address_is_tried),
		cmocka_unit_test(test_pauses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
