/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/pem.h>

#include <fenwatch/clock.h>
#include <fenwatch/err.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>
#include <fenwatch/tls.h>

#define HANDSHAKE_MS 30000
#define HEARTBEAT_MS 15000
#define IDLE_MS 45000
#define TRICKLE_MS 10000
#define EAGER_MS 50
#define SILENT_MS 1000 /* before who says nothing comes again */
#define QUEUE_BYTES (256u << 10)
#define MACHINE_BYTES 32
#define BOOT_BYTES 16
#define GUESSED_DIGITS 8

const char *const conduct_names[CONDUCTS] = {
	[CONDUCT_GOOD] = "good",
	[CONDUCT_EAGER] = "eager",
	[CONDUCT_STUCK] = "stuck",
	[CONDUCT_TRICKLE] = "trickle",
	[CONDUCT_DEAF] = "deaf",
	[CONDUCT_GUESS] = "guess",
};

static void on_timer(uv_timer_t *timer);

void member_name(const struct member *member, unsigned host, char *out, size_t size)
{
	if (host == 0)
		snprintf(out, size, "%s-%05u", member->fleet->name, member->number);
	else
		snprintf(out, size, "%s-%05u-%04u", member->fleet->name, member->number, host);
}

static uint64_t now_ms(const struct member *member)
{
	return uv_now(&member->fleet->loop);
}

/* ---- when something is due ---- */

static uint64_t sweep_due_ms(const struct member *member)
{
	int64_t in_ms = facts_time_ms(member, member->ledger.next_tick) - fw_wall_ms();
	if (member->fleet->resting)
		return UINT64_MAX;
	return in_ms > 0 ? now_ms(member) + (uint64_t)in_ms : now_ms(member);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void arm(struct member *member)
{
	uint64_t at_ms = member->due_ms, now = now_ms(member);
	if (member->welcome)
		at_ms = least(sweep_due_ms(member),
			least(member->sent_ms + HEARTBEAT_MS, member->heard_ms + IDLE_MS));
	else if (member->line && member->fleet->conduct == CONDUCT_TRICKLE)
		at_ms = member->line->began_ms + TRICKLE_MS * (1 + member->trickled);
	else if (member->line)
		at_ms = member->line->began_ms + HANDSHAKE_MS;
	uv_timer_start(&member->timer, on_timer, at_ms > now ? at_ms - now : 0, 0);
}

/* As agent/uplink.c has it. */
static uint64_t pause_ms(const struct member *member)
{
	uint32_t dice;
	uint64_t away_ms = now_ms(member) - member->lost_ms;
	uint64_t most_ms = member->failures <= 1 ? 20000 : away_ms < 600000 ? 40000 : 300000;
	fw_random(&dice, sizeof dice);
	uint64_t chosen_ms = (dice * most_ms >> 32) + member->pause_at_least_ms;
	return chosen_ms * member->fleet->pause_percent / 100;
}

/* ---- the end of a line ---- */

static uint64_t comes_back_in_ms(const struct member *member)
{
	switch (member->fleet->conduct) {
	case CONDUCT_EAGER:
	case CONDUCT_GUESS:
		return EAGER_MS;
	case CONDUCT_STUCK:
	case CONDUCT_TRICKLE:
		return SILENT_MS;
	default:
		return pause_ms(member);
	}
}

static void count_end(struct member *member)
{
	struct fleet *fleet = member->fleet;
	uint64_t held_ms = now_ms(member) - member->line->began_ms;
	if (member->welcome) {
		fleet->n_connected--;
		fleet->tally.lost++;
		member->failures = 0;
		member->lost_ms = now_ms(member);
	} else {
		fleet->tally.failed++;
		if (member->line->connected && held_ms > fleet->tally.held_ms)
			fleet->tally.held_ms = held_ms;
	}
}

void member_ended(struct member *member, const char *why)
{
	struct fleet *fleet = member->fleet;
	char name[64];
	member_name(member, 0, name, sizeof name);
	if (fleet_needs_certificates(fleet) && !member->certificate)
		fleet_die(name, why);
	if (fleet->is_talkative)
		fprintf(stderr, "%s: %s\n", name, why);
	count_end(member);
	line_close(member->line);
	member->line = NULL;
	member->welcome = false;
	member->timed_number = 0;
	member->failures++;
	member->due_ms = now_ms(member) + comes_back_in_ms(member);
	member->pause_at_least_ms = 0;
	arm(member);
}

/* ---- sending ---- */

static void send_message(
	struct member *member, enum fw_frame_type type, const ProtobufCMessage *message)
{
	struct fw_buf frame = {0};
	fw_wire_put(&frame, type, message);
	member->sent_ms = now_ms(member);
	line_send(member->line, &frame);
	fw_buf_done(&frame);
}

static void time_it(struct member *member, uint64_t number)
{
	if (member->timed_number)
		return;
	member->timed_number = number;
	member->timed_ns = uv_hrtime();
}

static void put_number(struct member *member, int lane, uint64_t number, struct fw_buf *frames)
{
	struct fw_buf message = {0};
	struct piece piece;
	ledger_find(&member->ledger, lane, number, &piece);
	facts_batch(member, &piece, number, lane == LEDGER_BACKLOG, &message);
	fw_frame_put(frames, FW_FRAME_BATCH, message.data, message.length);
	fw_buf_done(&message);
	if (lane == LEDGER_LIVE)
		time_it(member, number);
}

void member_pump(struct member *member)
{
	struct fw_buf frames = {0};
	for (int i = 0; i < LEDGER_LANES; i++) {
		struct lane *lane = &member->ledger.lanes[i];
		while (lane->sent + 1 < lane->next &&
			member->line->out.length + frames.length < QUEUE_BYTES)
			put_number(member, i, ++lane->sent, &frames);
	}
	if (frames.length > 0)
		member->sent_ms = now_ms(member);
	line_send(member->line, &frames);
	fw_buf_done(&frames);
}

static void make_sweeps(struct member *member)
{
	while (!member->fleet->resting &&
		facts_time_ms(member, member->ledger.next_tick) <= fw_wall_ms())
		ledger_tick(&member->ledger);
	member_pump(member);
}

static void trickle(struct member *member)
{
	static const uint8_t hello[] = {22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3};
	if (write(member->line->fd, &hello[member->trickled % sizeof hello], 1) < 0)
		member_ended(member, "the peer has hung up");
	else
		member->trickled++;
}

static void beat(struct member *member)
{
	Fenwatch__Wire__Heartbeat heartbeat = FENWATCH__WIRE__HEARTBEAT__INIT;
	uint64_t now = now_ms(member);
	if (now - member->heard_ms >= IDLE_MS && member->fleet->conduct != CONDUCT_DEAF)
		member_ended(member, "nothing heard for 45 s");
	else if (now - member->sent_ms >= HEARTBEAT_MS)
		send_message(member, FW_FRAME_HEARTBEAT, &heartbeat.base);
}

static void on_timer(uv_timer_t *timer)
{
	struct member *member = FW_CONTAINER(timer, struct member, timer);
	struct fleet *fleet = member->fleet;
	if (!member->line) {
		fleet->tally.attempts++;
		member->trickled = 0;
		member->line = line_open(member, member->tls ? member->tls : fleet->enrolling,
			fleet->conduct == CONDUCT_GUESS ? FW_ALPN_ENROL : FW_ALPN);
	} else if (member->welcome) {
		make_sweeps(member);
		if (member->welcome)
			beat(member);
	} else if (fleet->conduct == CONDUCT_TRICKLE) {
		trickle(member);
	} else {
		member_ended(member, "no handshake within 30 s");
	}
	arm(member);
}

/* ---- hello ---- */

static ProtobufCBinaryData identity_of(const struct member *member, size_t length)
{
	static char name[MACHINE_BYTES];
	memset(name, 0, sizeof name);
	snprintf(name, sizeof name, "%05u-%s", member->number, member->fleet->name);
	return (ProtobufCBinaryData){length, (uint8_t *)name};
}

static void send_hello(struct member *member)
{
	static char instance[] = "instance", job[] = "job", node[] = "node", version[] = "fleet";
	Fenwatch__Wire__Hello hello = FENWATCH__WIRE__HELLO__INIT;
	Fenwatch__Wire__Label labels[] = {FENWATCH__WIRE__LABEL__INIT, FENWATCH__WIRE__LABEL__INIT};
	Fenwatch__Wire__Label *pointers[] = {&labels[0], &labels[1]};
	ProtobufCBinaryData known = {FW_SCHEMA_HASH, member->fleet->schema.hash};
	char name[64];
	member_name(member, 0, name, sizeof name);
	labels[0] = (Fenwatch__Wire__Label){labels[0].base, instance, name};
	labels[1] = (Fenwatch__Wire__Label){labels[1].base, job, node};
	hello.proto = 1;
	hello.stream = member->stream;
	hello.next_live = member->ledger.lanes[LEDGER_LIVE].acked + 1;
	hello.next_backlog = member->ledger.lanes[LEDGER_BACKLOG].acked + 1;
	hello.machine = identity_of(member, MACHINE_BYTES);
	hello.boot = identity_of(member, BOOT_BYTES);
	hello.version = version;
	hello.n_labels = 2;
	hello.labels = pointers;
	hello.n_known_schema = 1;
	hello.known_schema = &known;
	send_message(member, FW_FRAME_HELLO, &hello.base);
}

static void announce_hosts(struct member *member)
{
	static char instance[] = "instance", job[] = "job", snmp[] = "snmp";
	Fenwatch__Wire__Label labels[] = {FENWATCH__WIRE__LABEL__INIT, FENWATCH__WIRE__LABEL__INIT};
	Fenwatch__Wire__Label *pointers[] = {&labels[0], &labels[1]};
	char name[64];
	labels[0] = (Fenwatch__Wire__Label){labels[0].base, instance, name};
	labels[1] = (Fenwatch__Wire__Label){labels[1].base, job, snmp};
	for (unsigned i = 1; i < member->fleet->n_hosts && member->line; i++) {
		Fenwatch__Wire__Host host = FENWATCH__WIRE__HOST__INIT;
		member_name(member, i, name, sizeof name);
		host.id = i;
		host.n_labels = 2;
		host.labels = pointers;
		send_message(member, FW_FRAME_HOST, &host.base);
	}
}

/* ---- what the collector says ---- */

static void begin_ticks(struct member *member)
{
	uint32_t dice;
	fw_random(&dice, sizeof dice);
	member->epoch_ms =
		fw_wall_ms() + (int64_t)((uint64_t)dice * member->fleet->interval_ms >> 32);
}

/* Ticks that have passed are backlog, and what lies in the live lane goes out as keys. */
static void catch_up(struct member *member)
{
	int64_t since_ms = fw_wall_ms() - member->epoch_ms;
	uint64_t due = since_ms < 0 ? 0 : (uint64_t)since_ms / member->fleet->interval_ms;
	if (!member->fleet->resting && due > member->ledger.next_tick)
		ledger_miss(&member->ledger, due);
	member->key_tick = member->ledger.next_tick;
}

static void take_welcome(struct member *member, const void *message)
{
	const Fenwatch__Wire__Welcome *welcome = message;
	struct fleet *fleet = member->fleet;
	if (ledger_welcome(&member->ledger, LEDGER_LIVE, welcome->acked_live) < 0 ||
		ledger_welcome(&member->ledger, LEDGER_BACKLOG, welcome->acked_backlog) < 0)
		fleet_die(fleet->name, "the collector has forgotten what it acknowledged");
	member->welcome = true;
	member->failures = 0;
	fleet->tally.welcomes++;
	fleet->n_connected++;
	fleet->last_welcome_ms = now_ms(member);
	if (!member->epoch_ms)
		begin_ticks(member);
	catch_up(member);
	line_send(member->line,
		welcome->n_have_schema > 0 ? &fleet->schema_short : &fleet->schema_message);
	if (member->line)
		announce_hosts(member);
	if (member->line)
		make_sweeps(member);
	if (member->line)
		line_listen(member->line);
}

static void count_latency(struct member *member)
{
	if (!member->timed_number || member->ledger.lanes[LEDGER_LIVE].acked < member->timed_number)
		return;
	uint64_t ms = (uv_hrtime() - member->timed_ns) / 1000000;
	member->fleet->tally.latencies[least(ms, LATENCIES)]++;
	member->timed_number = 0;
}

static void take_ack(struct member *member, const void *message)
{
	const Fenwatch__Wire__Ack *ack = message;
	struct fleet *fleet = member->fleet;
	if (ack->need_schema || ack->refused[0])
		fleet_die(fleet->name,
			ack->need_schema ? "a schema is asked for again" : ack->refused);
	if (ledger_ack(&member->ledger, LEDGER_LIVE, ack->live_to) < 0 ||
		ledger_ack(&member->ledger, LEDGER_BACKLOG, ack->backlog_to) < 0)
		fleet_die(fleet->name, "the collector acknowledges what was not sent");
	count_latency(member);
	if (ack->need_key) {
		struct lane *live = &member->ledger.lanes[LEDGER_LIVE];
		fleet->tally.keys_asked++;
		member->key_tick = member->ledger.next_tick;
		live->sent = live->acked;
	}
	member_pump(member);
}

static void take_goodbye(struct member *member, const void *message)
{
	const Fenwatch__Wire__Goodbye *goodbye = message;
	member->fleet->tally.goodbyes++;
	member->pause_at_least_ms = goodbye->retry_after_ms;
	member_ended(member, goodbye->text);
}

static void keep_certificate(struct member *member, const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	if (!cert)
		fleet_die(member->fleet->name, "the certificate cannot be read");
	fw_free(member->certificate);
	member->certificate_length = i2d_X509(cert, NULL);
	uint8_t *der = member->certificate = fw_alloc((size_t)member->certificate_length);
	i2d_X509(cert, &der);
	X509_free(cert);
	BIO_free(bio);
}

static void take_refusal(struct member *member, const char *error)
{
	struct tally *tally = &member->fleet->tally;
	if (strstr(error, "not known here"))
		tally->guesses++;
	else
		tally->hits++;
	member_ended(member, error);
}

static void take_reply(struct member *member, const void *message)
{
	const Fenwatch__Wire__EnrolReply *reply = message;
	if (member->fleet->conduct == CONDUCT_GUESS) {
		take_refusal(member, reply->error);
		return;
	}
	if (reply->error[0])
		fleet_die(member->fleet->name, reply->error);
	keep_certificate(member, reply->certificate);
	member->tls = fleet_trust(member->fleet, reply->ca);
	if (member->welcome) {
		member->fleet->tally.renewals++;
		return;
	}
	line_close(member->line);
	member->line = NULL;
	member->fleet->on_enrolled(member->fleet);
}

static const struct {
	const ProtobufCMessageDescriptor *type;
	void (*take)(struct member *member, const void *message);
} sayings[FW_FRAME_TYPES] = {
	[FW_FRAME_WELCOME] = {&fenwatch__wire__welcome__descriptor, take_welcome},
	[FW_FRAME_ACK] = {&fenwatch__wire__ack__descriptor, take_ack},
	[FW_FRAME_GOODBYE] = {&fenwatch__wire__goodbye__descriptor, take_goodbye},
	[FW_FRAME_ENROL_REPLY] = {&fenwatch__wire__enrol_reply__descriptor, take_reply},
};

static void take_frame(struct member *member, const struct fw_frame *frame)
{
	struct fw_arena arena = {0};
	struct fw_err err;
	void *message;
	if (!sayings[frame->type].take)
		return;
	if (fw_wire_unpack(sayings[frame->type].type, frame->payload, frame->length, &arena,
		    &message, &err) < 0)
		fleet_die(member->fleet->name, err.text);
	sayings[frame->type].take(member, message);
	fw_arena_done(&arena);
}

void member_data(struct member *member)
{
	struct line *line = member->line;
	struct fw_buf in = line->in;
	struct fw_frame frame;
	struct fw_err err;
	size_t at = 0;
	int used = 0;
	line->in = (struct fw_buf){0};
	member->heard_ms = now_ms(member);
	while (member->line == line &&
		(used = fw_frame_cut(in.data + at, in.length - at, &frame, &err)) > 0) {
		take_frame(member, &frame);
		at += (size_t)used;
	}
	if (used < 0)
		fleet_die(member->fleet->name, err.text);
	if (member->line == line)
		fw_buf_append(&line->in, in.data + at, in.length - at);
	fw_buf_done(&in);
	if (member->welcome)
		arm(member);
}

/* ---- life ---- */

static void send_request(struct member *member)
{
	Fenwatch__Wire__EnrolRequest request = FENWATCH__WIRE__ENROL_REQUEST__INIT;
	struct fleet *fleet = member->fleet;
	struct fw_buf csr = {0};
	struct fw_err err;
	char name[64];
	member_name(member, 0, name, sizeof name);
	if (fw_csr_new((char *)fleet->key_pem.data, name, &csr, &err) < 0)
		fleet_die(name, err.text);
	if (!member->certificate)
		request.token = (ProtobufCBinaryData){
			strlen(fleet->token), (uint8_t *)(uintptr_t)fleet->token};
	request.csr = (char *)csr.data;
	request.name = name;
	request.machine = identity_of(member, MACHINE_BYTES);
	send_message(member, FW_FRAME_ENROL_REQUEST, &request.base);
	fw_buf_done(&csr);
}

/* A token that differs from the right one at its end. What is asked for is no request, so that
 * no signature is made for a guess. */
static void send_guess(struct member *member)
{
	static char csr[] = "no request", name[] = "guess";
	Fenwatch__Wire__EnrolRequest request = FENWATCH__WIRE__ENROL_REQUEST__INIT;
	struct fleet *fleet = member->fleet;
	char *guess = fw_strdup(fleet->token), end[GUESSED_DIGITS + 1];
	size_t length = strlen(guess);
	snprintf(end, sizeof end, "%08x", (unsigned)fleet->tally.handshakes);
	if (length > GUESSED_DIGITS && strcmp(guess + length - GUESSED_DIGITS, end) != 0)
		memcpy(guess + length - GUESSED_DIGITS, end, GUESSED_DIGITS);
	else
		guess[0] = 'x';
	request.token = (ProtobufCBinaryData){length, (uint8_t *)guess};
	request.csr = csr;
	request.name = name;
	request.machine = identity_of(member, MACHINE_BYTES);
	send_message(member, FW_FRAME_ENROL_REQUEST, &request.base);
	fw_free(guess);
}

void member_shaken(struct member *member)
{
	member->fleet->tally.handshakes++;
	member->heard_ms = now_ms(member);
	if (member->fleet->conduct == CONDUCT_GUESS)
		send_guess(member);
	else if (member->certificate)
		send_hello(member);
	else
		send_request(member);
}

void member_init(struct member *member, struct fleet *fleet, unsigned number)
{
	member->fleet = fleet;
	member->number = number;
	fw_random(&member->stream, sizeof member->stream);
	member->stream |= 1;
	ledger_init(&member->ledger, fleet->n_hosts);
	uv_timer_init(&fleet->loop, &member->timer);
}

void member_enrol(struct member *member)
{
	member->line = line_open(member, member->fleet->enrolling, FW_ALPN_ENROL);
}

void member_renew(struct member *member)
{
	if (member->welcome)
		send_request(member);
}

void member_begin(struct member *member, uint64_t in_ms)
{
	member->due_ms = member->lost_ms = now_ms(member) + in_ms;
	arm(member);
}

void member_done(struct member *member)
{
	line_close(member->line);
	uv_close((uv_handle_t *)&member->timer, NULL);
	ledger_done(&member->ledger);
	fw_free(member->certificate);
}
