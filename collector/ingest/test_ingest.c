/* SPDX-License-Identifier: Apache-2.0 */
/* Ingest with a real store and registry behind it, and peers on loopback that
 * speak frame by frame. The main thread's loop is the test's own. */
#include "ingest.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/batch.h>
#include <fenwatch/buf.h>
#include <fenwatch/clock.h>
#include <fenwatch/conn.h>
#include <fenwatch/fault.h>
#include <fenwatch/items.h>
#include <fenwatch/loop.h>
#include <fenwatch/schema.h>
#include <fenwatch/wire.h>

#include "enrol.h"
#include "state.h"
#include "store.h"

#define DAY_MS 86400000LL
#define GUARD_MS 20000
#define TICK_MS 2
#define TEXT_BYTES 8192

struct identity {
	char cert[TEXT_BYTES], key[TEXT_BYTES];
	char name[64];
	uint8_t machine[32], boot[16], uuid[16];
};

struct stage {
	char dir[64];
	uv_loop_t loop;
	uv_timer_t guard;
	uint64_t until_ms;
	bool timed_out, closed;
	struct state *state;
	struct store *store;
	struct enrol *enrol;
	struct ingest *ingest;
	char address[32];
	unsigned clones, greeted;
	char class[64];
};

struct peer {
	struct stage *stage;
	struct fw_conn *conn;
	SSL_CTX *tls;
	unsigned ready;
	bool ended;
	char why[256];
	struct fw_buf in;
	struct fw_arena arena;
	const Fenwatch__Wire__Welcome *welcome;
	const Fenwatch__Wire__Goodbye *goodbye;
	const Fenwatch__Wire__EnrolReply *reply;
	unsigned acks;
	uint64_t live_to;
	uint32_t need_key, need_schema;
	char need_documents[64]; /* one behind the other */
};

static const struct ingest_settings settings[] = {
	{.class = "server", .version = 42, .interval_ms = 15000},
	{.class = "laptop", .version = 43, .interval_ms = 60000},
};

/* ---- the stage ---- */

static void on_tick(uv_timer_t *timer)
{
	struct stage *stage = FW_CONTAINER(timer, struct stage, guard);
	stage->timed_out = uv_now(&stage->loop) > stage->until_ms;
}

#define run_until(stage, what)                                         \
	do {                                                           \
		(stage)->until_ms = uv_now(&(stage)->loop) + GUARD_MS; \
		(stage)->timed_out = false;                            \
		while (!(what) && !(stage)->timed_out)                 \
			uv_run(&(stage)->loop, UV_RUN_ONCE);           \
		assert_true(what);                                     \
	} while (0)

static void on_revoked(const uint8_t agent[16], void *arg)
{
	struct stage *stage = arg;
	ingest_drop_agent(stage->ingest, agent, "its certificate is revoked");
}

static void on_clone(const char *agent, const char *machine_a, const char *machine_b, void *arg)
{
	struct stage *stage = arg;
	assert_string_not_equal(machine_a, machine_b);
	assert_string_equal(agent, "web01");
	stage->clones++;
}

static void on_greeted(const struct ingest_greeting *greeting, void *arg)
{
	struct stage *stage = arg;
	stage->greeted++;
	snprintf(stage->class, sizeof stage->class, "%s", greeting->class);
}

static void on_fatal(const char *why, void *arg)
{
	(void)arg;
	fail_msg("the store failed: %s", why);
}

static void on_record(const struct store_record *record, void *arg)
{
	(void)record;
	(void)arg;
}

static void open_ingest(struct stage *stage)
{
	const struct ingest_config config = {
		.listen = "127.0.0.1:0",
		.workers = 2,
		.store = stage->store,
		.enrol = stage->enrol,
		.main_loop = &stage->loop,
		.settings = settings,
		.n_settings = sizeof settings / sizeof *settings,
		.on_clone = on_clone,
		.on_greeted = on_greeted,
		.arg = stage,
	};
	struct fw_err err;
	if (ingest_open(&stage->ingest, &config, &err) < 0)
		fail_msg("%s", err.text);
	snprintf(stage->address, sizeof stage->address, "127.0.0.1:%u", ingest_port(stage->ingest));
}

static int setup(void **state)
{
	struct stage *stage = calloc(1, sizeof *stage);
	struct fw_err err;
	char dir[80];
	*state = stage;
	snprintf(stage->dir, sizeof stage->dir, "/tmp/fenwatch-ingest-XXXXXX");
	assert_non_null(mkdtemp(stage->dir));
	assert_int_equal(uv_loop_init(&stage->loop), 0);
	uv_timer_init(&stage->loop, &stage->guard);
	uv_timer_start(&stage->guard, on_tick, TICK_MS, TICK_MS);
	assert_int_equal(state_open(&stage->state, stage->dir, &err), 0);
	snprintf(dir, sizeof dir, "%s/store", stage->dir);
	const struct store_config store = {.dir = dir,
		.tier_bytes = {8u << 20, 8u << 20, 8u << 20},
		.late_ms = 35 * DAY_MS,
		.columns_per_host = 5000,
		.commit_ms = 5,
		.on_fatal = on_fatal,
		.on_record = on_record,
		.arg = stage};
	assert_int_equal(store_open(&stage->store, &store, &err), 0);
	const struct enrol_config enrol = {.dir = stage->dir,
		.state = stage->state,
		.cert_ms = 7 * DAY_MS,
		.renew_grace_ms = 90 * DAY_MS,
		.on_revoked = on_revoked,
		.arg = stage};
	assert_int_equal(enrol_open(&stage->enrol, &enrol, &err), 0);
	open_ingest(stage);
	return 0;
}

static void on_closed(void *arg)
{
	((struct stage *)arg)->closed = true;
}

static int teardown(void **state)
{
	struct stage *stage = *state;
	fw_fault_clock(0);
	ingest_close(stage->ingest, on_closed, stage);
	run_until(stage, stage->closed);
	store_close(stage->store);
	enrol_close(stage->enrol);
	state_close(stage->state);
	uv_close((uv_handle_t *)&stage->guard, NULL);
	uv_run(&stage->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&stage->loop), 0);
	char command[128];
	snprintf(command, sizeof command, "%s", stage->dir);
	const char *const argv[] = {"rm", "-rf", command, NULL};
	pid_t child = fork();
	if (child == 0) {
		execvp("rm", (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	free(stage);
	return 0;
}

/* ---- peers ---- */

static void *unpacked(
	struct peer *peer, const ProtobufCMessageDescriptor *type, const struct fw_frame *frame)
{
	void *message = NULL;
	struct fw_err err;
	if (fw_wire_unpack(type, frame->payload, frame->length, &peer->arena, &message, &err) < 0)
		fail_msg("%s", err.text);
	return message;
}

static void take_ack(struct peer *peer, const Fenwatch__Wire__Ack *ack)
{
	peer->acks++;
	assert_true(ack->live_to >= peer->live_to);
	peer->live_to = ack->live_to;
	peer->need_key = ack->need_key ? ack->need_key : peer->need_key;
	peer->need_schema = ack->need_schema ? ack->need_schema : peer->need_schema;
	for (size_t i = 0; i < ack->n_need_document; i++) {
		size_t length = strlen(peer->need_documents);
		snprintf(peer->need_documents + length, sizeof peer->need_documents - length, "%s ",
			ack->need_document[i]);
	}
}

static void take_frame(struct peer *peer, const struct fw_frame *frame)
{
	switch (frame->type) {
	case FW_FRAME_WELCOME:
		peer->welcome = unpacked(peer, &fenwatch__wire__welcome__descriptor, frame);
		break;
	case FW_FRAME_GOODBYE:
		peer->goodbye = unpacked(peer, &fenwatch__wire__goodbye__descriptor, frame);
		break;
	case FW_FRAME_ENROL_REPLY:
		peer->reply = unpacked(peer, &fenwatch__wire__enrol_reply__descriptor, frame);
		break;
	case FW_FRAME_ACK:
		take_ack(peer, unpacked(peer, &fenwatch__wire__ack__descriptor, frame));
		break;
	default:
		break;
	}
}

static void on_event(struct fw_conn *conn, const struct fw_conn_happening *happening, void *arg)
{
	struct peer *peer = arg;
	(void)conn;
	if (happening->event == FW_CONN_READY)
		peer->ready++;
	if (happening->event == FW_CONN_ENDED) {
		peer->ended = true;
		snprintf(peer->why, sizeof peer->why, "%s", happening->why);
	}
	if (happening->event != FW_CONN_DATA)
		return;
	fw_buf_append(&peer->in, happening->data, happening->length);
	struct fw_frame frame;
	struct fw_err err;
	int cut;
	while ((cut = fw_frame_cut(peer->in.data, peer->in.length, &frame, &err)) > 0) {
		take_frame(peer, &frame);
		fw_buf_consume(&peer->in, (size_t)cut);
	}
	assert_int_equal(cut, 0);
}

/* With `identity` as an agent; without, to enrol. Waits for the handshake. */
static void peer_open(
	struct peer *peer, struct stage *stage, const struct identity *identity, const char *alpn)
{
	uint8_t pin[FW_FINGERPRINT];
	struct fw_err err;
	*peer = (struct peer){.stage = stage};
	enrol_ca_fingerprint(stage->enrol, pin);
	struct fw_tls_config tls = {.pin = pin};
	if (identity) {
		tls.cert_pem = identity->cert;
		tls.key_pem = identity->key;
	}
	assert_int_equal(fw_tls_client(&peer->tls, &tls, &err), 0);
	const struct fw_conn_config config = {.tls = peer->tls,
		.alpn = alpn,
		.handshake_ms = 10000,
		.limit = 8u << 20,
		.on_event = on_event,
		.arg = peer};
	assert_int_equal(
		fw_conn_dial(&peer->conn, &stage->loop, stage->address, NULL, &config, &err), 0);
	run_until(stage, peer->ready || peer->ended);
}

static void peer_done(struct peer *peer)
{
	fw_conn_free(peer->conn);
	SSL_CTX_free(peer->tls);
	fw_buf_done(&peer->in);
	fw_arena_done(&peer->arena);
}

static void peer_send(struct peer *peer, enum fw_frame_type type, const ProtobufCMessage *message)
{
	struct fw_buf out = {0};
	fw_wire_put(&out, type, message);
	assert_int_equal(fw_conn_write(peer->conn, out.data, out.length), 0);
	fw_buf_done(&out);
}

static ProtobufCBinaryData bytes(const void *data, size_t length)
{
	return (ProtobufCBinaryData){length, (uint8_t *)(uintptr_t)data};
}

/* ---- enrolling ---- */

static const char *ask(struct peer *peer, struct identity *identity, const char *token)
{
	struct fw_buf key = {0}, csr = {0};
	struct fw_err err;
	assert_int_equal(fw_key_new(&key, &err), 0);
	assert_int_equal(fw_csr_new((const char *)key.data, identity->name, &csr, &err), 0);
	Fenwatch__Wire__EnrolRequest request = FENWATCH__WIRE__ENROL_REQUEST__INIT;
	if (token)
		request.token = bytes(token, strlen(token));
	request.csr = (char *)csr.data;
	request.name = identity->name;
	request.machine = bytes(identity->machine, sizeof identity->machine);
	peer_send(peer, FW_FRAME_ENROL_REQUEST, &request.base);
	run_until(peer->stage, peer->reply || peer->ended);
	if (peer->reply && !peer->reply->error[0]) {
		snprintf(identity->cert, sizeof identity->cert, "%s", peer->reply->certificate);
		snprintf(identity->key, sizeof identity->key, "%s", key.data);
		assert_int_equal(fw_uuid_bytes(peer->reply->uuid, identity->uuid), 0);
	}
	fw_buf_done(&key);
	fw_buf_done(&csr);
	return peer->reply ? peer->reply->error : peer->why;
}

static void join_token(struct stage *stage, char text[256])
{
	const struct enrol_token wanted = {
		.role = ROLE_JOIN, .note = "", .uses_left = 1, .networks = "", .serials = ""};
	struct fw_err err;
	int64_t id;
	if (enrol_token_new(stage->enrol, &wanted, fw_wall_ms(), text, 256, &id, &err) < 0)
		fail_msg("%s", err.text);
}

static void enrolled(struct stage *stage, const char *name, struct identity *identity)
{
	char token[256];
	struct peer peer;
	memset(identity, 0, sizeof *identity);
	snprintf(identity->name, sizeof identity->name, "%s", name);
	fw_random(identity->machine, sizeof identity->machine);
	fw_random(identity->boot, sizeof identity->boot);
	join_token(stage, token);
	peer_open(&peer, stage, NULL, FW_ALPN_ENROL);
	assert_string_equal(ask(&peer, identity, token), "");
	run_until(stage, peer.ended);
	peer_done(&peer);
}

/* ---- saying hello, sending ---- */

static void say_hello(struct peer *peer, const struct identity *identity, const char *class)
{
	Fenwatch__Wire__Hello hello = FENWATCH__WIRE__HELLO__INIT;
	Fenwatch__Wire__Label labels[3], *list[3] = {&labels[0], &labels[1], &labels[2]};
	const char *const texts[3][2] = {
		{"instance", identity->name}, {"job", "node"}, {"class", class}};
	for (int i = 0; i < 3; i++) {
		fenwatch__wire__label__init(&labels[i]);
		labels[i].name = (char *)(uintptr_t)texts[i][0];
		labels[i].value = (char *)(uintptr_t)texts[i][1];
	}
	hello.proto = 1;
	hello.stream = 77;
	hello.next_live = hello.next_backlog = 1;
	hello.machine = bytes(identity->machine, sizeof identity->machine);
	hello.boot = bytes(identity->boot, sizeof identity->boot);
	hello.version = (char *)(uintptr_t) "test";
	hello.n_labels = 3;
	hello.labels = list;
	peer_send(peer, FW_FRAME_HELLO, &hello.base);
}

static void peer_greet(struct peer *peer, struct stage *stage, const struct identity *identity)
{
	peer_open(peer, stage, identity, FW_ALPN);
	say_hello(peer, identity, "laptop");
	run_until(stage, peer->welcome || peer->ended);
}

static void put_schema_of(struct fw_buf *out, uint32_t id, uint8_t type)
{
	struct fw_buf message = {0};
	const struct fw_column columns[] = {
		{.name = "a", .type = type, .factor = 1},
		{.name = "b", .type = FW_COUNTER, .factor = 1},
	};
	struct fw_schema schema = {.n_columns = 2, .columns = columns};
	fw_schema_seal(&schema);
	fw_schema_encode(&schema, id, NULL, &message);
	fw_frame_put(out, FW_FRAME_SCHEMA, message.data, message.length);
	fw_buf_done(&message);
}

static void put_schema(struct fw_buf *out, uint32_t id)
{
	put_schema_of(out, id, FW_GAUGE);
}

static void put_batch(struct fw_buf *out, uint64_t seq, uint32_t schema, const int64_t *base)
{
	struct fw_buf message = {0};
	int64_t at_ms = fw_wall_ms() - 60000 + (int64_t)seq * 10;
	const int64_t cells[2] = {(int64_t)seq, (int64_t)seq * 2};
	const struct fw_sweeps sweeps = {
		.n_sweeps = 1, .n_columns = 2, .times_ms = &at_ms, .cells = cells};
	fw_batch_encode_live(&sweeps, seq, schema, 15000, base, &message);
	fw_frame_put(out, FW_FRAME_BATCH, message.data, message.length);
	fw_buf_done(&message);
}

static void peer_write(struct peer *peer, struct fw_buf *out)
{
	assert_int_equal(fw_conn_write(peer->conn, out->data, out->length), 0);
	fw_buf_done(out);
}

/* ---- tests ---- */

static uint64_t connections(const struct stage *stage)
{
	struct ingest_stat stat;
	ingest_stat(stage->ingest, &stat);
	return stat.connections;
}

static void from_token_to_acknowledgement(void **state)
{
	struct stage *stage = *state;
	struct identity web01;
	struct peer peer;
	struct fw_buf out = {0};
	enrolled(stage, "web01", &web01);
	peer_greet(&peer, stage, &web01);
	assert_non_null(peer.welcome);
	assert_int_equal(peer.welcome->acked_live, 0);
	assert_int_equal(peer.welcome->settings->version, 43);
	assert_int_equal(peer.welcome->settings->interval_ms, 60000);
	run_until(stage, stage->greeted == 1);
	assert_string_equal(stage->class, "laptop");
	put_schema(&out, 5);
	for (uint64_t seq = 1; seq <= 500; seq++) {
		const int64_t base[2] = {(int64_t)seq - 1, (int64_t)(seq - 1) * 2};
		put_batch(&out, seq, 5, seq == 1 ? NULL : base);
	}
	peer_write(&peer, &out);
	run_until(stage, peer.live_to == 500 || peer.ended);
	assert_true(peer.acks < 250); /* one a commit, not one a batch */
	struct ingest_stat stat;
	ingest_stat(stage->ingest, &stat);
	assert_in_range(stat.connections, 1, 2); /* the one that enrolled may linger */
	assert_int_equal(stat.frames, 1 + 1 + 1 + 500);
	peer_done(&peer);
	run_until(stage, connections(stage) == 0);
	/* Connecting again, the agent hears where it was. */
	peer_greet(&peer, stage, &web01);
	assert_int_equal(peer.welcome->acked_live, 500);
	assert_true(peer.welcome->live_crc != 0);
	peer_done(&peer);
}

static void deltas_without_their_base_need_a_key_once(void **state)
{
	struct stage *stage = *state;
	struct identity web01;
	struct peer peer;
	struct fw_buf out = {0};
	const int64_t base[2] = {0};
	enrolled(stage, "web01", &web01);
	peer_greet(&peer, stage, &web01);
	put_schema(&out, 1);
	for (uint64_t seq = 1; seq <= 8; seq++)
		put_batch(&out, seq, 1, base);
	peer_write(&peer, &out);
	run_until(stage, peer.need_key || peer.ended);
	assert_int_equal(peer.need_key, 1);
	assert_int_equal(peer.live_to, 0);
	peer.need_key = 0;
	unsigned acks = peer.acks;
	for (uint64_t seq = 1; seq <= 8; seq++)
		put_batch(&out, seq, 1, seq == 1 ? NULL : base);
	peer_write(&peer, &out);
	run_until(stage, peer.live_to == 8 || peer.ended);
	assert_int_equal(peer.need_key, 0);
	assert_true(peer.acks > acks);
	peer_done(&peer);
}

static void an_unannounced_schema_is_asked_for(void **state)
{
	struct stage *stage = *state;
	struct identity web01;
	struct peer peer;
	struct fw_buf out = {0};
	enrolled(stage, "web01", &web01);
	peer_greet(&peer, stage, &web01);
	put_batch(&out, 1, 9, NULL);
	peer_write(&peer, &out);
	run_until(stage, peer.need_schema || peer.ended);
	assert_int_equal(peer.need_schema, 9);
	put_schema(&out, 9);
	put_batch(&out, 1, 9, NULL);
	peer_write(&peer, &out);
	run_until(stage, peer.live_to == 1 || peer.ended);
	peer_done(&peer);
}

static void put_document(struct fw_buf *out, uint64_t seq, const char *kind, uint32_t raw_length)
{
	Fenwatch__Wire__Document document = FENWATCH__WIRE__DOCUMENT__INIT;
	document.seq = seq;
	document.backlog = true;
	document.kind = (char *)(uintptr_t)kind;
	document.revision = 1;
	document.whole = true;
	document.at_ms = 1795383000000;
	document.raw_length = raw_length;
	fw_wire_put(out, FW_FRAME_DOCUMENT, &document.base);
}

/* Each kind once, however often it is asked; another agent hears nothing. */
static void a_whole_document_is_asked_for(void **state)
{
	struct stage *stage = *state;
	struct identity web01, web02;
	struct peer peer, other;
	struct fw_buf out = {0};
	enrolled(stage, "web01", &web01);
	enrolled(stage, "web02", &web02);
	peer_greet(&peer, stage, &web01);
	peer_greet(&other, stage, &web02);
	put_document(&out, 1, "packages", 0);
	peer_write(&peer, &out);
	run_until(stage, peer.acks > 0 || peer.ended);
	for (int i = 0; i < 3; i++)
		ingest_need_document(stage->ingest, web01.uuid, "packages");
	ingest_need_document(stage->ingest, web01.uuid, "peers");
	run_until(stage, strstr(peer.need_documents, "peers") || peer.ended);
	assert_non_null(strstr(peer.need_documents, "packages"));
	assert_string_equal(other.need_documents, "");
	peer_done(&peer);
	peer_done(&other);
}

static void documents_past_the_limits_are_refused(void **state)
{
	struct stage *stage = *state;
	static const struct {
		const char *kind;
		uint32_t raw_length;
	} bad[] = {{"../packages", 10}, {"", 10}, {"packages", FW_ITEMS_RAW_LIMIT + 1}};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct identity liar;
		struct peer peer;
		struct fw_buf out = {0};
		char name[] = "liar0";
		name[4] = (char)('0' + i);
		enrolled(stage, name, &liar);
		peer_greet(&peer, stage, &liar);
		put_document(&out, 1, bad[i].kind, bad[i].raw_length);
		peer_write(&peer, &out);
		run_until(stage, peer.ended);
		assert_int_equal(peer.goodbye->reason, FENWATCH__WIRE__GOODBYE__REASON__PROTOCOL);
		peer_done(&peer);
	}
}

static void put_heartbeat_with_wrong_sum(struct fw_buf *out)
{
	fw_frame_put(out, FW_FRAME_HEARTBEAT, NULL, 0);
	out->data[8] ^= 1;
}

static void put_long_frame(struct fw_buf *out)
{
	static const uint8_t header[FW_FRAME_HEADER] = {0, 0, 0x20, 0, FW_FRAME_BATCH};
	fw_buf_append(out, header, sizeof header);
}

static void put_unknown_type(struct fw_buf *out)
{
	static const uint8_t header[FW_FRAME_HEADER] = {0, 0, 0, 0, 99};
	fw_buf_append(out, header, sizeof header);
}

static void put_rubbish_batch(struct fw_buf *out)
{
	fw_frame_put(out, FW_FRAME_BATCH, "rubbish", 7);
}

static void put_second_hello(struct fw_buf *out)
{
	fw_frame_put(out, FW_FRAME_HELLO, NULL, 0);
}

/* The type of series from elsewhere, whose cells would be taken otherwise. */
static void put_foreign_schema(struct fw_buf *out)
{
	put_schema_of(out, 3, FW_UNTYPED | FW_DOUBLE | STORE_ALONE);
}

static void put_rubbish_schema(struct fw_buf *out)
{
	fw_frame_put(out, FW_FRAME_SCHEMA, "\xff\xff", 2);
}

static void put_unannounced_host(struct fw_buf *out)
{
	Fenwatch__Wire__Event event = FENWATCH__WIRE__EVENT__INIT;
	event.seq = 1;
	event.host = 3;
	event.kind = (char *)(uintptr_t) "gap";
	fw_wire_put(out, FW_FRAME_EVENT, &event.base);
}

static void put_node_of_another(struct fw_buf *out)
{
	Fenwatch__Wire__Host host = FENWATCH__WIRE__HOST__INIT;
	Fenwatch__Wire__Label labels[2], *list[2] = {&labels[0], &labels[1]};
	for (int i = 0; i < 2; i++)
		fenwatch__wire__label__init(&labels[i]);
	labels[0].name = (char *)(uintptr_t) "job";
	labels[0].value = (char *)(uintptr_t) "node";
	labels[1].name = (char *)(uintptr_t) "instance";
	labels[1].value = (char *)(uintptr_t) "victim";
	host.id = 1;
	host.n_labels = 2;
	host.labels = list;
	fw_wire_put(out, FW_FRAME_HOST, &host.base);
}

static void bad_frames_end_their_connection_and_no_other(void **state)
{
	struct stage *stage = *state;
	static const struct {
		void (*put)(struct fw_buf *out);
		const char *said;
	} attacks[] = {
		{put_heartbeat_with_wrong_sum, "checksum"},
		{put_long_frame, "a frame of"},
		{put_unknown_type, "unknown type"},
		{put_rubbish_batch, "malformed batch frame"},
		{put_rubbish_schema, "malformed schema frame"},
		{put_foreign_schema, "a type that agents do not have"},
		{put_second_hello, "at the wrong moment"},
		{put_unannounced_host, "host 3 was not announced"},
		{put_node_of_another, "only its own agent"},
	};
	struct identity attacker, bystander;
	struct peer peer, good;
	struct fw_buf out = {0};
	enrolled(stage, "attacker", &attacker);
	enrolled(stage, "bystander", &bystander);
	peer_greet(&good, stage, &bystander);
	put_schema(&out, 1);
	peer_write(&good, &out);
	for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
		peer_greet(&peer, stage, &attacker);
		attacks[i].put(&out);
		peer_write(&peer, &out);
		run_until(stage, peer.ended);
		assert_non_null(peer.goodbye);
		assert_int_equal(peer.goodbye->reason, FENWATCH__WIRE__GOODBYE__REASON__PROTOCOL);
		if (!strstr(peer.goodbye->text, attacks[i].said))
			fail_msg("'%s' does not say '%s'", peer.goodbye->text, attacks[i].said);
		peer_done(&peer);
		put_batch(&out, i + 1, 1, NULL);
		peer_write(&good, &out);
		run_until(stage, good.live_to == i + 1 || good.ended);
	}
	peer_done(&good);
}

static void a_newer_connection_replaces_the_older(void **state)
{
	struct stage *stage = *state;
	struct identity web01;
	struct peer older, newer;
	enrolled(stage, "web01", &web01);
	peer_greet(&older, stage, &web01);
	peer_greet(&newer, stage, &web01);
	assert_non_null(newer.welcome);
	run_until(stage, older.ended);
	assert_int_equal(older.goodbye->reason, FENWATCH__WIRE__GOODBYE__REASON__REPLACED);
	assert_false(newer.ended);
	peer_done(&older);
	peer_done(&newer);
}

static void a_copy_on_another_machine_is_refused(void **state)
{
	struct stage *stage = *state;
	struct identity web01, copy;
	struct peer first, second;
	enrolled(stage, "web01", &web01);
	copy = web01;
	copy.machine[0] ^= 1;
	peer_greet(&first, stage, &web01);
	peer_greet(&second, stage, &copy);
	run_until(stage, second.ended && stage->clones == 1);
	assert_null(second.welcome);
	assert_int_equal(second.goodbye->reason, FENWATCH__WIRE__GOODBYE__REASON__CLONE);
	assert_false(first.ended);
	peer_done(&second);
	/* The same machine, another boot: not before the older one has shown what it is. */
	copy = web01;
	copy.boot[0] ^= 1;
	peer_greet(&second, stage, &copy);
	run_until(stage, second.ended);
	assert_int_equal(second.goodbye->reason, FENWATCH__WIRE__GOODBYE__REASON__BUSY);
	peer_done(&second);
	peer_done(&first);
}

static void nobody_goes_by_anothers_name(void **state)
{
	struct stage *stage = *state;
	struct identity web01;
	struct peer peer;
	enrolled(stage, "web01", &web01);
	snprintf(web01.name, sizeof web01.name, "web02");
	peer_greet(&peer, stage, &web01);
	run_until(stage, peer.ended);
	assert_null(peer.welcome);
	assert_non_null(strstr(peer.goodbye->text, "enrolled as 'web01'"));
	peer_done(&peer);
}

static void revoking_ends_a_live_connection(void **state)
{
	struct stage *stage = *state;
	struct identity web01;
	struct peer peer;
	struct fw_err err;
	enrolled(stage, "web01", &web01);
	peer_greet(&peer, stage, &web01);
	assert_non_null(peer.welcome);
	assert_int_equal(enrol_revoke(stage->enrol, "web01", fw_wall_ms(), &err), 0);
	run_until(stage, peer.ended);
	assert_int_equal(peer.goodbye->reason, FENWATCH__WIRE__GOODBYE__REASON__REVOKED);
	peer_done(&peer);
	peer_greet(&peer, stage, &web01);
	run_until(stage, peer.ended);
	assert_null(peer.welcome);
	peer_done(&peer);
}

static void who_has_expired_may_only_renew(void **state)
{
	struct stage *stage = *state;
	struct identity laptop;
	struct peer peer;
	enrolled(stage, "laptop", &laptop);
	fw_fault_clock(30 * DAY_MS);
	peer_greet(&peer, stage, &laptop);
	run_until(stage, peer.ended);
	assert_null(peer.welcome);
	assert_int_equal(peer.goodbye->reason, FENWATCH__WIRE__GOODBYE__REASON__EXPIRED);
	peer_done(&peer);
	peer_open(&peer, stage, &laptop, FW_ALPN_ENROL);
	assert_string_equal(ask(&peer, &laptop, NULL), "");
	peer_done(&peer);
	peer_greet(&peer, stage, &laptop);
	assert_non_null(peer.welcome);
	/* And on a living connection as well. */
	assert_string_equal(ask(&peer, &laptop, NULL), "");
	assert_false(peer.ended);
	peer_done(&peer);
}

/* Nobody guesses tokens one after the other on a connection that stays. */
static void who_is_connected_may_not_try_tokens(void **state)
{
	struct stage *stage = *state;
	struct identity web01;
	struct peer peer;
	enrolled(stage, "web01", &web01);
	peer_greet(&peer, stage, &web01);
	assert_non_null(peer.welcome);
	ask(&peer, &web01, "a guess");
	run_until(stage, peer.ended);
	assert_null(peer.reply);
	assert_int_equal(peer.goodbye->reason, FENWATCH__WIRE__GOODBYE__REASON__PROTOCOL);
	peer_done(&peer);
}

static void a_session_ends_with_its_certificate(void **state)
{
	struct stage *stage = *state;
	struct identity web01;
	struct peer peer;
	struct fw_buf out = {0};
	enrolled(stage, "web01", &web01);
	peer_greet(&peer, stage, &web01);
	put_schema(&out, 1);
	put_batch(&out, 1, 1, NULL);
	peer_write(&peer, &out);
	run_until(stage, peer.live_to == 1 || peer.ended);
	fw_fault_clock(4 * DAY_MS);
	assert_string_equal(ask(&peer, &web01, NULL), "");
	/* Past the first certificate, not past the one that the agent was given. */
	fw_fault_clock(8 * DAY_MS);
	put_batch(&out, 2, 1, NULL);
	peer_write(&peer, &out);
	run_until(stage, peer.live_to == 2 || peer.ended);
	fw_fault_clock(12 * DAY_MS);
	put_batch(&out, 3, 1, NULL);
	peer_write(&peer, &out);
	run_until(stage, peer.ended || peer.live_to == 3);
	assert_int_equal(peer.live_to, 2);
	assert_int_equal(peer.goodbye->reason, FENWATCH__WIRE__GOODBYE__REASON__EXPIRED);
	peer_done(&peer);
}

/* Anybody can come to enrol, so what they can make the collector hold is little. */
static void a_stranger_may_not_send_much(void **state)
{
	struct stage *stage = *state;
	struct peer peer;
	static uint8_t frame[256 << 10] = {0, 0, 8, 0, FW_FRAME_ENROL_REQUEST};
	peer_open(&peer, stage, NULL, FW_ALPN_ENROL);
	assert_int_equal(fw_conn_write(peer.conn, frame, sizeof frame), 0);
	run_until(stage, peer.ended);
	assert_non_null(peer.goodbye);
	assert_non_null(strstr(peer.goodbye->text, "before its hello"));
	peer_done(&peer);
}

static void put_wide_schema(struct fw_buf *out, uint32_t id)
{
	enum { WIDE = 16000 };
	static struct fw_column columns[WIDE];
	static char names[WIDE][16];
	struct fw_buf message = {0};
	for (int i = 0; i < WIDE; i++) {
		snprintf(names[i], sizeof names[i], "m%u_%d", id, i);
		columns[i] = (struct fw_column){.name = names[i], .factor = 1};
	}
	struct fw_schema schema = {.n_columns = WIDE, .columns = columns};
	fw_schema_seal(&schema);
	fw_schema_encode(&schema, id, NULL, &message);
	fw_frame_put(out, FW_FRAME_SCHEMA, message.data, message.length);
	fw_buf_done(&message);
}

/* Names are for ever, so whoever thinks of new ones all the time is told to stop. */
static void an_agent_brings_so_many_new_series_and_no_more(void **state)
{
	struct stage *stage = *state;
	struct identity inventor, web01;
	struct peer peer;
	struct fw_buf out = {0};
	enrolled(stage, "inventor", &inventor);
	enrolled(stage, "web01", &web01);
	peer_greet(&peer, stage, &inventor);
	for (uint32_t id = 1; id <= 63 && !peer.ended; id++) {
		put_wide_schema(&out, id);
		peer_write(&peer, &out);
		run_until(stage, peer.ended || fw_conn_queued(peer.conn) == 0);
	}
	run_until(stage, peer.ended);
	assert_non_null(strstr(peer.goodbye->text, "new series in a day"));
	peer_done(&peer);
	/* Known ones are welcome from anybody, and from others so are new ones. */
	peer_greet(&peer, stage, &inventor);
	put_wide_schema(&out, 1);
	put_batch(&out, 1, 9, NULL);
	peer_write(&peer, &out);
	run_until(stage, peer.need_schema == 9 || peer.ended);
	assert_false(peer.ended);
	peer_done(&peer);
	peer_greet(&peer, stage, &web01);
	put_schema(&out, 1);
	put_batch(&out, 1, 1, NULL);
	peer_write(&peer, &out);
	run_until(stage, peer.live_to == 1 || peer.ended);
	assert_false(peer.ended);
	peer_done(&peer);
}

static void nobody_enrols_without_a_token(void **state)
{
	struct stage *stage = *state;
	struct identity nobody = {.name = "nobody"};
	struct peer peer;
	peer_open(&peer, stage, NULL, FW_ALPN_ENROL);
	assert_non_null(strstr(ask(&peer, &nobody, NULL), "enrol with a token"));
	run_until(stage, peer.ended);
	peer_done(&peer);
	peer_open(&peer, stage, NULL, FW_ALPN_ENROL);
	assert_string_not_equal(ask(&peer, &nobody, "fwj1-wrong"), "");
	run_until(stage, peer.ended);
	peer_done(&peer);
}

static void closing_says_goodbye(void **state)
{
	struct stage *stage = *state;
	struct identity web01;
	struct peer peer;
	enrolled(stage, "web01", &web01);
	peer_greet(&peer, stage, &web01);
	ingest_close(stage->ingest, on_closed, stage);
	run_until(stage, stage->closed && peer.ended);
	assert_int_equal(peer.goodbye->reason, FENWATCH__WIRE__GOODBYE__REASON__STOPPING);
	peer_done(&peer);
	stage->closed = false;
	open_ingest(stage);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(from_token_to_acknowledgement),
		TEST(deltas_without_their_base_need_a_key_once),
		TEST(an_unannounced_schema_is_asked_for),
		TEST(a_whole_document_is_asked_for),
		TEST(documents_past_the_limits_are_refused),
		TEST(bad_frames_end_their_connection_and_no_other),
		TEST(a_newer_connection_replaces_the_older),
		TEST(a_copy_on_another_machine_is_refused),
		TEST(nobody_goes_by_anothers_name),
		TEST(revoking_ends_a_live_connection),
		TEST(who_has_expired_may_only_renew),
		TEST(who_is_connected_may_not_try_tokens),
		TEST(a_session_ends_with_its_certificate),
		TEST(a_stranger_may_not_send_much),
		TEST(an_agent_brings_so_many_new_series_and_no_more),
		TEST(nobody_enrols_without_a_token),
		TEST(closing_says_goodbye),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
