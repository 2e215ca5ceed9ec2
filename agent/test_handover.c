/* SPDX-License-Identifier: Apache-2.0 */
/* A real socket between probe.h and handover.h, and a real spool behind it. The test
 * stands where run.c does: it says whether there is a collector, and acknowledges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fenwatch/buf.h>
#include <fenwatch/items.h>
#include <fenwatch/mem.h>
#include <fenwatch/wire.h>

#include "handover.h"
#include "probe.h"
#include "spool.h"
#include "test_tree.h"

enum { COLUMNS = 3 };

struct stage {
	char dir[64], socket[96], spool_dir[96];
	uv_loop_t loop;
	struct spool *spool;
	struct handover *handover;
	struct probe *probe;
	bool online, mute; /* mute: nothing becomes durable */
	uint64_t durable;
	char instance[64], lost[512];
	unsigned n_ready, n_lost;
};

static const struct fw_label router[] = {{"instance", "sw1"}, {"job", "snmp"}};
static const struct fw_column columns[COLUMNS] = {
	{.name = "ifInOctets", .factor = 1, .type = FW_COUNTER},
	{.name = "ifOutOctets", .factor = 1, .type = FW_COUNTER},
	{.name = "sysUpTime", .factor = 1},
};

static struct fw_schema the_schema(void)
{
	struct fw_schema schema = {.n_columns = COLUMNS, .columns = columns};
	fw_schema_seal(&schema);
	return schema;
}

/* ---- as run.c does it ---- */

static bool is_online(void *arg)
{
	const struct stage *s = arg;
	return s->online;
}

static void flush(struct stage *s)
{
	assert_int_equal(spool_flush(s->spool, NULL), 0);
	if (!s->mute)
		handover_durable(s->handover);
}

/* As when a collector comes. */
static void want_frames(struct stage *s)
{
	spool_gather_end(s->spool);
	assert_int_equal(spool_flush(s->spool, NULL), 0);
	assert_int_equal(spool_join(s->spool, NULL), 0);
}

static void on_taken(bool at_once, void *arg)
{
	if (at_once)
		flush(arg);
}

static void open_agent(struct stage *s)
{
	struct fw_err err = {""};
	bool made;
	struct spool_config spool = {.dir = s->spool_dir, .max_bytes = 8 << 20};
	struct handover_config config = {.path = s->socket,
		.instance = "web01",
		.class = "server",
		.is_online = is_online,
		.on_taken = on_taken,
		.arg = s};
	assert_int_equal(spool_open(&s->spool, &spool, &made, &err), 0);
	config.spool = s->spool;
	if (handover_open(&s->handover, &s->loop, &config, &err) < 0)
		fail_msg("%s", err.text);
}

static void turn(struct stage *s)
{
	for (int i = 0; i < 20; i++)
		uv_run(&s->loop, UV_RUN_NOWAIT);
}

static void close_agent(struct stage *s)
{
	handover_close(s->handover);
	s->handover = NULL;
	turn(s);
	spool_close(s->spool);
	s->spool = NULL;
}

static void acknowledge(struct stage *s, enum lane lane, uint64_t to)
{
	spool_ack(s->spool, lane, to);
	handover_go_on(s->handover);
	turn(s);
}

/* ---- the program ---- */

static void on_ready(const char *instance, void *arg)
{
	struct stage *s = arg;
	snprintf(s->instance, sizeof s->instance, "%s", instance);
	s->n_ready++;
}

static void on_durable(uint64_t to, void *arg)
{
	struct stage *s = arg;
	assert_true(to > s->durable);
	s->durable = to;
}

static void on_lost(const char *why, void *arg)
{
	struct stage *s = arg;
	snprintf(s->lost, sizeof s->lost, "%s", why);
	s->n_lost++;
}

/* Until `question` is true; every turn of the loop is a step. */
static void play_until(struct stage *s, bool (*question)(const struct stage *s))
{
	for (int i = 0; i < 100000 && !question(s); i++) {
		uv_run(&s->loop, UV_RUN_NOWAIT);
		if (i > 100)
			usleep(100);
	}
	assert_true(question(s));
}

static bool is_ready(const struct stage *s)
{
	return s->n_ready > 0 && probe_is_ready(s->probe);
}

static bool has_lost(const struct stage *s)
{
	return s->n_lost > 0;
}

static bool is_all_durable(const struct stage *s)
{
	struct probe_stat stat;
	probe_stat(s->probe, &stat);
	return stat.waiting == 0;
}

static uint64_t sweep_of(struct stage *s, int n)
{
	struct fw_schema schema = the_schema();
	const int64_t cells[COLUMNS] = {n, 2 * n, FW_ABSENT};
	return probe_sweep(
		s->probe, probe_host(s->probe, router, 2), &schema, cells, 1000000 + n, 60000);
}

static uint64_t event_of(struct stage *s, const char *text)
{
	const struct fw_label fields[] = {{"text", text}};
	return probe_event(s->probe, NULL, "trap", fields, 1, 5000);
}

static int set_up(void **state)
{
	struct stage *s = *state = fw_alloc(sizeof *s);
	snprintf(s->dir, sizeof s->dir, "/tmp/fenwatch-handover-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->socket, sizeof s->socket, "%s/probe.sock", s->dir);
	snprintf(s->spool_dir, sizeof s->spool_dir, "%s/spool", s->dir);
	uv_loop_init(&s->loop);
	open_agent(s);
	struct probe_config config = {.socket = s->socket,
		.program = "test 1.0",
		.retry_ms = 1,
		.queue_bytes = 1 << 20,
		.on_ready = on_ready,
		.on_durable = on_durable,
		.on_lost = on_lost,
		.arg = s};
	assert_int_equal(probe_open(&s->probe, &s->loop, &config, NULL), 0);
	return 0;
}

static int tear_down(void **state)
{
	struct stage *s = *state;
	probe_close(s->probe);
	handover_close(s->handover);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&s->loop), 0);
	spool_close(s->spool);
	test_remove_tree(s->dir);
	fw_free(s);
	return 0;
}

/* ---- what lies in the spool ---- */

static void check_host(const struct frame *frame)
{
	struct fw_arena arena = {0};
	void *message;
	assert_int_equal(fw_wire_unpack(&fenwatch__wire__host__descriptor, frame->host_message,
				 frame->host_length, &arena, &message, NULL),
		0);
	const Fenwatch__Wire__Host *host = message;
	assert_int_equal(host->id, frame->host);
	assert_int_equal(host->n_labels, 2);
	assert_string_equal(host->labels[0]->value, "sw1");
	assert_string_equal(host->labels[1]->value, "snmp");
	fw_arena_done(&arena);
}

static void check_sweep(struct stage *s, enum lane lane, uint64_t seq, int n)
{
	struct frame frame;
	struct fw_arena arena = {0};
	struct fw_batch batch;
	int64_t all[4 * COLUMNS], *cells = all;
	assert_int_equal(spool_read(s->spool, lane, seq, &frame, NULL), 0);
	assert_int_equal(frame.type, FW_FRAME_BATCH);
	check_host(&frame);
	assert_int_equal(fw_batch_open(frame.payload, frame.length, &arena, &batch, NULL), 0);
	assert_int_equal(batch.seq, seq);
	assert_int_equal(batch.host, frame.host);
	assert_int_equal(batch.schema, frame.schema);
	assert_int_equal(batch.interval_ms, 60000);
	assert_true(batch.key && batch.backlog == (lane == LANE_BACKLOG));
	assert_true(batch.n_sweeps <= 4);
	assert_int_equal(spool_schema_columns(s->spool, frame.schema), COLUMNS);
	assert_int_equal(fw_batch_decode(&batch, COLUMNS, NULL, all, NULL), 0);
	for (uint32_t i = 1; i < batch.n_sweeps && batch.times_ms[i] <= 1000000 + n; i++)
		cells = all + i * COLUMNS;
	assert_int_equal(batch.times_ms[(cells - all) / COLUMNS], 1000000 + n);
	assert_int_equal(cells[0], n);
	assert_int_equal(cells[1], 2 * n);
	assert_true(cells[2] == FW_ABSENT);
	fw_arena_done(&arena);
}

static void check_event(struct stage *s, enum lane lane, uint64_t seq, const char *text)
{
	struct frame frame;
	struct fw_arena arena = {0};
	void *message;
	assert_int_equal(spool_read(s->spool, lane, seq, &frame, NULL), 0);
	assert_int_equal(frame.type, FW_FRAME_EVENT);
	assert_int_equal(frame.host_length, 0);
	assert_int_equal(fw_wire_unpack(&fenwatch__wire__event__descriptor, frame.payload,
				 frame.length, &arena, &message, NULL),
		0);
	const Fenwatch__Wire__Event *event = message;
	assert_int_equal(event->seq, seq);
	assert_string_equal(event->kind, "trap");
	assert_string_equal(event->fields[0]->value, text);
	fw_arena_done(&arena);
}

static void check_table(struct stage *s, uint64_t seq, const char *lines)
{
	struct frame frame;
	struct fw_arena arena = {0};
	struct fw_buf text = {0};
	void *message;
	assert_int_equal(spool_read(s->spool, LANE_BACKLOG, seq, &frame, NULL), 0);
	assert_int_equal(frame.type, FW_FRAME_DOCUMENT);
	check_host(&frame);
	assert_int_equal(fw_wire_unpack(&fenwatch__wire__document__descriptor, frame.payload,
				 frame.length, &arena, &message, NULL),
		0);
	const Fenwatch__Wire__Document *document = message;
	assert_true(document->backlog && document->whole && document->seq == seq);
	assert_int_equal(document->host, frame.host);
	assert_string_equal(document->kind, "neighbours");
	assert_int_equal(fw_items_unpack(&text, document->body.data, document->body.len,
				 document->raw_length, NULL),
		0);
	assert_int_equal(text.length, strlen(lines));
	assert_memory_equal(text.data, lines, text.length);
	fw_buf_done(&text);
	fw_arena_done(&arena);
}

/* ---- tests ---- */

static void test_a_table_goes_as_a_document(void **state)
{
	static const char lines[] = "+1\tname=sw2\n+2\tname=sw3\n";
	struct stage *s = *state;
	struct fw_buf text = {.data = (uint8_t *)(uintptr_t)lines, .length = sizeof lines - 1};
	struct probe_host *host = probe_host(s->probe, router, 2);
	s->online = true;
	assert_int_equal(probe_document(s->probe, host, "neighbours", &text, 5000), 1);
	assert_int_equal(probe_document(s->probe, host, "neighbours", &text, 0), 0);
	sweep_of(s, 3);
	play_until(s, is_all_durable);
	check_table(s, 1, lines);
	check_sweep(s, LANE_LIVE, 1, 3);
}

/* Of job "node" its own agent speaks: what is said of it is refused, and nothing else is lost. */
static void test_what_is_refused_keeps_nothing_behind_it(void **state)
{
	static const struct fw_label server[] = {{"instance", "web02"}, {"job", "node"}};
	struct stage *s = *state;
	struct fw_schema schema = the_schema();
	const int64_t cells[COLUMNS] = {1, 2, 3};
	struct probe_stat stat;
	sweep_of(s, 1);
	probe_sweep(s->probe, probe_host(s->probe, server, 2), &schema, cells, 1000002, 60000);
	event_of(s, "behind it");
	sweep_of(s, 3);
	play_until(s, is_all_durable);
	probe_stat(s->probe, &stat);
	assert_int_equal(stat.refused, 1);
	uint64_t event = spool_next(s->spool, LANE_BACKLOG) - 1;
	check_event(s, LANE_BACKLOG, event, "behind it");
	/* The first was taken before the agent hung up, and once more. */
	want_frames(s);
	check_sweep(s, LANE_BACKLOG, event + 1, 1);
	check_sweep(s, LANE_BACKLOG, spool_next(s->spool, LANE_BACKLOG) - 1, 3);
}

static void test_without_a_collector_it_waits_on_disk(void **state)
{
	struct stage *s = *state;
	assert_int_equal(sweep_of(s, 7), 1);
	assert_int_equal(event_of(s, "up\x01\xff"), 2);
	play_until(s, is_all_durable);
	assert_string_equal(s->instance, "web01");
	assert_int_equal(s->durable, 2);
	/* As after a crash: nothing of what was in memory is there. */
	close_agent(s);
	open_agent(s);
	want_frames(s);
	check_event(s, LANE_BACKLOG, 1, "up\\x01\\xff");
	check_sweep(s, LANE_BACKLOG, 2, 7);
}

static void test_what_is_not_durable_is_sent_again(void **state)
{
	struct stage *s = *state;
	s->mute = true;
	sweep_of(s, 1);
	event_of(s, "down");
	play_until(s, is_ready);
	turn(s);
	assert_false(is_all_durable(s));
	close_agent(s);
	s->mute = false;
	test_remove_tree(s->spool_dir);
	open_agent(s);
	play_until(s, is_all_durable);
	want_frames(s);
	check_event(s, LANE_BACKLOG, 1, "down");
	check_sweep(s, LANE_BACKLOG, 2, 1);
	assert_int_equal(s->n_ready, 2);
}

static void test_live_as_far_as_the_window_goes(void **state)
{
	struct stage *s = *state;
	struct handover_stat stat;
	s->online = true;
	for (int n = 1; n <= WINDOW_GUESTS + 5; n++)
		sweep_of(s, n);
	play_until(s, is_ready);
	turn(s);
	assert_int_equal(handover_in_flight(s->handover), WINDOW_GUESTS);
	assert_int_equal(spool_next(s->spool, LANE_LIVE), WINDOW_GUESTS + 1);
	assert_int_equal(spool_next(s->spool, LANE_BACKLOG), 1);
	check_sweep(s, LANE_LIVE, 1, 1);
	acknowledge(s, LANE_LIVE, 3);
	assert_int_equal(spool_next(s->spool, LANE_LIVE), WINDOW_GUESTS + 4);
	/* The connection is lost: the rest goes to the backlog. */
	s->online = false;
	handover_go_on(s->handover);
	turn(s);
	assert_int_equal(s->durable, 0);
	spool_gather_end(s->spool);
	flush(s);
	check_sweep(s, LANE_BACKLOG, 1, WINDOW_GUESTS + 4);
	check_sweep(s, LANE_BACKLOG, 2, WINDOW_GUESTS + 5);
	play_until(s, is_all_durable);
	handover_stat(s->handover, &stat);
	assert_int_equal(stat.sweeps, WINDOW_GUESTS + 5);
}

/* While sweeps wait for the window, an event of another program does not. */
static void test_the_oldest_sweep_makes_room(void **state)
{
	struct stage *s = *state;
	struct probe_stat stat;
	close_agent(s);
	for (int n = 1; n <= 20000; n++)
		assert_int_equal(sweep_of(s, n), n);
	probe_stat(s->probe, &stat);
	assert_true(stat.dropped > 0 && stat.waiting_bytes <= 1 << 20);
	assert_int_equal(stat.dropped + stat.waiting, 20000);
	char text[4096];
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	unsigned events = 0;
	while (event_of(s, text) > 0)
		events++;
	assert_true(events > 200);
	probe_stat(s->probe, &stat);
	assert_int_equal(stat.waiting, events); /* of the sweeps none is left, of the events all */
	open_agent(s);
	play_until(s, is_all_durable);
}

/* ---- programs that misbehave ---- */

static void put_hello(struct fw_buf *out)
{
	Fenwatch__Wire__Hello hello = FENWATCH__WIRE__HELLO__INIT;
	hello.proto = 1;
	hello.version = (char *)"liar 1.0";
	fw_wire_put(out, FW_FRAME_HELLO, &hello.base);
}

static void put_labelled(struct fw_buf *out, const char *job)
{
	Fenwatch__Wire__Host host = FENWATCH__WIRE__HOST__INIT;
	Fenwatch__Wire__Label labels[2], *list[2] = {&labels[0], &labels[1]};
	for (int i = 0; i < 2; i++)
		fenwatch__wire__label__init(&labels[i]);
	labels[0].name = (char *)"job";
	labels[0].value = (char *)job;
	labels[1].name = (char *)"instance";
	labels[1].value = (char *)"sw1";
	host.id = 1;
	host.n_labels = 2;
	host.labels = list;
	fw_wire_put(out, FW_FRAME_HOST, &host.base);
}

static void put_schema(struct fw_buf *out)
{
	struct fw_schema schema = the_schema();
	struct fw_buf message = {0};
	fw_schema_encode(&schema, 1, NULL, &message);
	fw_frame_put(out, FW_FRAME_SCHEMA, message.data, message.length);
	fw_buf_done(&message);
}

static void put_batch(struct fw_buf *out, uint32_t host, uint32_t n_columns, bool key)
{
	static const int64_t cells[8] = {1, 2, 3, 4, 5, 6, 7, 8}, before[8];
	int64_t at_ms = 1000;
	struct fw_sweeps sweeps = {host, 1, n_columns, &at_ms, cells};
	struct fw_buf message = {0};
	fw_batch_encode_live(&sweeps, 1, 1, 1000, key ? NULL : before, &message);
	fw_frame_put(out, FW_FRAME_BATCH, message.data, message.length);
	fw_buf_done(&message);
}

static void put_event(struct fw_buf *out, uint64_t seq, const char *kind)
{
	Fenwatch__Wire__Event event = FENWATCH__WIRE__EVENT__INIT;
	event.seq = seq;
	event.kind = (char *)kind;
	fw_wire_put(out, FW_FRAME_EVENT, &event.base);
}

static void put_document(struct fw_buf *out, const char *lines)
{
	Fenwatch__Wire__Document document = FENWATCH__WIRE__DOCUMENT__INIT;
	struct fw_buf body = {0};
	fw_items_pack(&body, (const uint8_t *)lines, strlen(lines), NULL);
	document.seq = 3;
	document.kind = (char *)"neighbours";
	document.revision = 5000;
	document.at_ms = 5000;
	document.whole = true;
	document.body.data = body.data;
	document.body.len = body.length;
	document.raw_length = (uint32_t)strlen(lines);
	fw_wire_put(out, FW_FRAME_DOCUMENT, &document.base);
	fw_buf_done(&body);
}

static int dial(const struct stage *s)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	memcpy(address.sun_path, s->socket, strlen(s->socket) + 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

/* What the agent said last before it hung up, or "" while it has not. */
static void goodbye_text(int fd, char text[512])
{
	struct fw_buf in = {0};
	uint8_t bytes[4096];
	struct fw_frame frame;
	text[0] = '\0';
	for (ssize_t n; (n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0;)
		fw_buf_append(&in, bytes, (size_t)n);
	for (int cut; (cut = fw_frame_cut(in.data, in.length, &frame, NULL)) > 0;) {
		struct fw_arena arena = {0};
		void *message;
		if (frame.type == FW_FRAME_GOODBYE &&
			fw_wire_unpack(&fenwatch__wire__goodbye__descriptor, frame.payload,
				frame.length, &arena, &message, NULL) == 0)
			snprintf(text, 512, "%s", ((Fenwatch__Wire__Goodbye *)message)->text);
		fw_arena_done(&arena);
		fw_buf_consume(&in, (size_t)cut);
	}
	fw_buf_done(&in);
}

static void say_and_hear(struct stage *s, const struct fw_buf *bytes, const char *expected)
{
	char text[512] = "";
	int fd = dial(s);
	turn(s);
	assert_int_equal(send(fd, bytes->data, bytes->length, MSG_NOSIGNAL), bytes->length);
	turn(s);
	goodbye_text(fd, text);
	if (expected[0] ? !strstr(text, expected) : text[0] != '\0')
		fail_msg("'%s' where '%s' was expected", text, expected);
	close(fd);
	turn(s);
}

static void test_who_misbehaves_is_cut_off(void **state)
{
	struct stage *s = *state;
	static const struct {
		const char *job;
		int schemas, batch_host, batch_columns, key;
		const char *kind, *expected, *table;
	} cases[] = {
		{"snmp", 1, 1, COLUMNS, 1, "trap", "", NULL}, /* well behaved: the control */
		{"snmp", 0, 0, 0, 0, NULL, "", "+1\tname=sw2\n"},
		{"snmp", 0, 0, 0, 0, NULL, "order", "+2\n+1\n"},
		{"node", 0, 0, 0, 0, NULL, "its own agent speaks", NULL},
		{"", 0, 0, 0, 0, NULL, "without a name or a value", NULL},
		{"snmp", 0, 1, COLUMNS, 1, NULL, "schema 1 was not announced", NULL},
		{"snmp", 1, 9, COLUMNS, 1, NULL, "host 9 was not announced", NULL},
		{"snmp", 1, 0, COLUMNS, 1, NULL, "the agent's own machine", NULL},
		{"snmp", 1, 1, COLUMNS, 0, NULL, "no key", NULL},
		{"snmp", 1, 1, 8, 1, NULL, "batch: bytes are", NULL},
		{"snmp", 1, 1, COLUMNS, 1, "Trap!", "of a kind that is no name", NULL},
	};
	unsigned n = sizeof cases / sizeof *cases;
	for (unsigned i = 0; i < n; i++) {
		struct fw_buf out = {0};
		put_hello(&out);
		put_labelled(&out, cases[i].job);
		for (int k = 0; k < cases[i].schemas; k++)
			put_schema(&out);
		if (cases[i].batch_columns)
			put_batch(&out, (uint32_t)cases[i].batch_host,
				(uint32_t)cases[i].batch_columns, cases[i].key);
		if (cases[i].kind)
			put_event(&out, 2, cases[i].kind);
		if (cases[i].table)
			put_document(&out, cases[i].table);
		say_and_hear(s, &out, cases[i].expected);
		fw_buf_done(&out);
	}
	struct handover_stat stat;
	handover_stat(s->handover, &stat);
	assert_int_equal(stat.cut_off, n - 2);
	/* The others never noticed. */
	sweep_of(s, 3);
	event_of(s, "well");
	play_until(s, is_all_durable);
	assert_int_equal(s->n_ready, 1);
}

static void test_who_does_not_greet_is_cut_off(void **state)
{
	struct stage *s = *state;
	struct fw_buf out = {0};
	put_event(&out, 1, "trap");
	say_and_hear(s, &out, "a event out of place");
	fw_buf_reset(&out);
	put_hello(&out);
	put_event(&out, 2, "trap");
	put_event(&out, 2, "trap");
	say_and_hear(s, &out, "number 2 comes after 2");
	fw_buf_reset(&out);
	fw_buf_append(&out, "\xff\xff\xff\xff\x01\0\0\0\0\0\0\0", 12);
	say_and_hear(s, &out, "frame");
	fw_buf_done(&out);
}

static void test_a_second_agent_does_not_take_the_socket(void **state)
{
	struct stage *s = *state;
	struct handover *other = NULL;
	struct fw_err err;
	struct handover_config config = {.path = s->socket, .spool = s->spool};
	play_until(s, is_ready);
	assert_int_equal(handover_open(&other, &s->loop, &config, &err), -EADDRINUSE);
	config.path = "/nowhere/at/all.sock";
	assert_int_equal(handover_open(&other, &s->loop, &config, &err), -ENOENT);
	close_agent(s);
	play_until(s, has_lost);
	assert_string_equal(s->lost, "it has gone");
	open_agent(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_without_a_collector_it_waits_on_disk, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_is_not_durable_is_sent_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_live_as_far_as_the_window_goes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_the_oldest_sweep_makes_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_table_goes_as_a_document, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_is_refused_keeps_nothing_behind_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_who_misbehaves_is_cut_off, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_who_does_not_greet_is_cut_off, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_second_agent_does_not_take_the_socket, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
