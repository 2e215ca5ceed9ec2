/* SPDX-License-Identifier: Apache-2.0 */
#include "simulated.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/batch.h>
#include <fenwatch/conn.h>
#include <fenwatch/text.h>
#include <fenwatch/wire.h>

#define SCHEMA_ID 1
#define HANDSHAKES_AT_ONCE 32

struct simulated {
	struct load *load;
	unsigned number;
	char name[32];
	struct fw_conn *conn;
	SSL_CTX *tls;
	struct fw_buf in, key;
	bool enrolled, welcomed;
	uint64_t stream, made, acked;
	uint32_t next_sweep;
	int64_t state[SIMULATED_SERIES];
	struct fw_buf message, frame;
};

void load_die(const char *what, const char *why)
{
	fprintf(stderr, "load: %s: %s\n", what, why);
	exit(1);
}

static void send_frame(struct simulated *agent)
{
	int rc = fw_conn_write(agent->conn, agent->frame.data, agent->frame.length);
	if (rc < 0)
		load_die(agent->name, fw_strerror(rc));
	agent->load->bytes_sent += agent->frame.length;
}

static void send_batch(struct simulated *agent)
{
	static int64_t cells[FW_SWEEPS_LIMIT * SIMULATED_SERIES];
	struct load *load = agent->load;
	int64_t times_ms[FW_SWEEPS_LIMIT];
	const int64_t *before = agent->state;
	struct fw_sweeps sweeps = {0, load->sweeps, SIMULATED_SERIES, times_ms, cells};
	for (unsigned s = 0; s < load->sweeps; s++) {
		int64_t *row = cells + (size_t)s * SIMULATED_SERIES;
		uint32_t sweep = agent->next_sweep++;
		load->tell(load, agent->number, sweep, before, row);
		times_ms[s] = load->start_ms + sweep * load->interval_ms;
		before = row;
	}
	fw_buf_reset(&agent->message);
	fw_batch_encode_live(&sweeps, agent->made + 1, SCHEMA_ID, (uint32_t)load->interval_ms,
		agent->made ? agent->state : NULL, &agent->message);
	memcpy(agent->state, before, sizeof agent->state);
	fw_buf_reset(&agent->frame);
	fw_frame_put(&agent->frame, FW_FRAME_BATCH, agent->message.data, agent->message.length);
	send_frame(agent);
	agent->made++;
}

static void fill_window(struct simulated *agent)
{
	while (agent->made - agent->acked < agent->load->window &&
		agent->made < agent->load->batches_allowed)
		send_batch(agent);
}

static void start(struct simulated *agent)
{
	fw_frame_put(&agent->frame, FW_FRAME_SCHEMA, agent->load->schema_message.data,
		agent->load->schema_message.length);
	send_frame(agent);
	fill_window(agent);
}

static void send_message(
	struct simulated *agent, enum fw_frame_type type, const ProtobufCMessage *message)
{
	fw_buf_reset(&agent->frame);
	fw_wire_put(&agent->frame, type, message);
	send_frame(agent);
	fw_buf_reset(&agent->frame);
}

static ProtobufCBinaryData machine_of(const struct simulated *agent)
{
	return (ProtobufCBinaryData){sizeof agent->name, (uint8_t *)agent->name};
}

static void send_request(struct simulated *agent)
{
	Fenwatch__Wire__EnrolRequest request = FENWATCH__WIRE__ENROL_REQUEST__INIT;
	struct fw_buf csr = {0};
	struct fw_err err;
	if (fw_key_new(&agent->key, &err) < 0 ||
		fw_csr_new((char *)agent->key.data, agent->name, &csr, &err) < 0)
		load_die(agent->name, err.text);
	request.token =
		(ProtobufCBinaryData){strlen(agent->load->token), (uint8_t *)agent->load->token};
	request.csr = (char *)csr.data;
	request.name = agent->name;
	request.machine = machine_of(agent);
	send_message(agent, FW_FRAME_ENROL_REQUEST, &request.base);
	fw_buf_done(&csr);
}

static void send_hello(struct simulated *agent)
{
	static char instance[] = "instance", job[] = "job", node[] = "node", version[] = "load";
	Fenwatch__Wire__Hello hello = FENWATCH__WIRE__HELLO__INIT;
	Fenwatch__Wire__Label labels[] = {FENWATCH__WIRE__LABEL__INIT, FENWATCH__WIRE__LABEL__INIT};
	Fenwatch__Wire__Label *pointers[] = {&labels[0], &labels[1]};
	labels[0].name = instance;
	labels[0].value = agent->name;
	labels[1].name = job;
	labels[1].value = node;
	hello.proto = 1;
	hello.stream = agent->stream;
	hello.next_live = hello.next_backlog = 1;
	hello.machine = machine_of(agent);
	hello.boot = (ProtobufCBinaryData){16, (uint8_t *)agent->name};
	hello.version = version;
	hello.n_labels = 2;
	hello.labels = pointers;
	send_message(agent, FW_FRAME_HELLO, &hello.base);
}

static void dial(struct simulated *agent, const struct fw_tls_config *tls, const char *alpn);
static void enrol_next(struct load *load);

static void take_certificate(struct simulated *agent, const Fenwatch__Wire__EnrolReply *reply)
{
	struct fw_tls_config config = {
		.ca_pem = reply->ca,
		.cert_pem = reply->certificate,
		.key_pem = (char *)agent->key.data,
	};
	if (reply->error[0])
		load_die(agent->name, reply->error);
	agent->enrolled = true;
	fw_conn_free(agent->conn);
	dial(agent, &config, FW_ALPN);
	enrol_next(agent->load);
}

static void take_welcome(struct simulated *agent)
{
	struct load *load = agent->load;
	agent->welcomed = true;
	if (++load->n_welcomed < load->n_agents)
		return;
	for (unsigned i = 0; i < load->n_agents; i++)
		start(load->agents[i]);
	load->on_begun(load);
}

static void take_ack(struct simulated *agent, const Fenwatch__Wire__Ack *ack)
{
	if (ack->need_key || ack->need_schema)
		load_die(agent->name, "the collector asks for a key or schema again");
	if (ack->refused[0])
		load_die(agent->name, ack->refused);
	if (ack->live_to > agent->acked) {
		agent->load->batches_acked += ack->live_to - agent->acked;
		agent->acked = ack->live_to;
	}
	fill_window(agent);
	if (agent->load->on_acked)
		agent->load->on_acked(agent->load);
}

static const ProtobufCMessageDescriptor *descriptor_of(enum fw_frame_type type)
{
	switch (type) {
	case FW_FRAME_ENROL_REPLY:
		return &fenwatch__wire__enrol_reply__descriptor;
	case FW_FRAME_WELCOME:
		return &fenwatch__wire__welcome__descriptor;
	case FW_FRAME_ACK:
		return &fenwatch__wire__ack__descriptor;
	case FW_FRAME_GOODBYE:
		return &fenwatch__wire__goodbye__descriptor;
	default:
		return &fenwatch__wire__heartbeat__descriptor;
	}
}

static void take_frame(struct simulated *agent, const struct fw_frame *frame)
{
	struct fw_arena arena = {0};
	struct fw_err err;
	void *message;
	if (fw_wire_unpack(descriptor_of(frame->type), frame->payload, frame->length, &arena,
		    &message, &err) < 0)
		load_die(agent->name, err.text);
	if (frame->type == FW_FRAME_ENROL_REPLY && !agent->enrolled) {
		take_certificate(agent, message);
	} else if (frame->type == FW_FRAME_WELCOME && !agent->welcomed) {
		take_welcome(agent);
	} else if (frame->type == FW_FRAME_ACK) {
		take_ack(agent, message);
	} else if (frame->type == FW_FRAME_GOODBYE) {
		load_die(agent->name, ((const Fenwatch__Wire__Goodbye *)message)->text);
	}
	fw_arena_done(&arena);
}

static void take_frames(struct simulated *agent)
{
	struct fw_frame frame;
	struct fw_err err;
	size_t at = 0;
	int used;
	while ((used = fw_frame_cut(agent->in.data + at, agent->in.length - at, &frame, &err)) >
		0) {
		take_frame(agent, &frame);
		at += (size_t)used;
	}
	if (used < 0)
		load_die(agent->name, err.text);
	fw_buf_consume(&agent->in, at);
}

static void on_event(struct fw_conn *conn, const struct fw_conn_happening *happening, void *arg)
{
	struct simulated *agent = arg;
	(void)conn;
	switch (happening->event) {
	case FW_CONN_READY:
		if (agent->enrolled)
			send_hello(agent);
		else
			send_request(agent);
		break;
	case FW_CONN_DATA:
		fw_buf_append(&agent->in, happening->data, happening->length);
		take_frames(agent);
		break;
	case FW_CONN_DRAINED:
		break;
	case FW_CONN_ENDED:
		load_die(agent->name, happening->why);
	}
}

static void dial(struct simulated *agent, const struct fw_tls_config *tls, const char *alpn)
{
	struct fw_err err;
	SSL_CTX_free(agent->tls);
	agent->tls = NULL;
	if (fw_tls_client(&agent->tls, tls, &err) < 0)
		load_die(agent->name, err.text);
	struct fw_conn_config config = {
		.tls = agent->tls,
		.alpn = alpn,
		.handshake_ms = 30000,
		.idle_ms = 45000,
		.limit = 16u << 20,
		.on_event = on_event,
		.arg = agent,
	};
	if (fw_conn_dial(&agent->conn, &agent->load->loop, agent->load->collector, NULL, &config,
		    &err) < 0)
		load_die(agent->name, err.text);
}

static struct simulated *simulated_new(struct load *load, unsigned number)
{
	struct simulated *agent = fw_alloc(sizeof *agent);
	agent->load = load;
	agent->number = number;
	snprintf(agent->name, sizeof agent->name, "%s-%05u", load->name, number);
	fw_random(&agent->stream, sizeof agent->stream);
	dial(agent, &(struct fw_tls_config){.pin = load->pin}, FW_ALPN_ENROL);
	return agent;
}

static void simulated_free(struct simulated *agent)
{
	fw_conn_free(agent->conn);
	SSL_CTX_free(agent->tls);
	fw_buf_done(&agent->in);
	fw_buf_done(&agent->key);
	fw_buf_done(&agent->message);
	fw_buf_done(&agent->frame);
	fw_free(agent);
}

/* ---- all of them ---- */

static void enrol_next(struct load *load)
{
	if (load->n_enrolling < load->n_agents) {
		unsigned number = load->n_enrolling++;
		load->agents[number] = simulated_new(load, number);
	}
}

static void read_token(struct load *load)
{
	if (!fgets(load->token, sizeof load->token, stdin))
		load_die("token", "nothing on standard input");
	load->token[strcspn(load->token, "\n")] = '\0';
	size_t head = strlen("fwj1-"), digits = 2 * sizeof load->pin;
	char hex[2 * sizeof load->pin + 1] = "";
	if (strncmp(load->token, "fwj1-", head) == 0)
		snprintf(hex, sizeof hex, "%s", load->token + head);
	if (strlen(hex) != digits || fw_unhex(hex, load->pin, sizeof load->pin) < 0)
		load_die("token", "this is not a join token");
}

void load_run(struct load *load)
{
	read_token(load);
	fw_schema_encode(&load->schema, SCHEMA_ID, NULL, &load->schema_message);
	load->agents = fw_alloc_array(load->n_agents, sizeof *load->agents);
	for (unsigned i = 0; i < HANDSHAKES_AT_ONCE; i++)
		enrol_next(load);
	uv_run(&load->loop, UV_RUN_DEFAULT);
	int rc = uv_loop_close(&load->loop);
	assert(rc == 0);
	fw_buf_done(&load->schema_message);
	fw_free(load->agents);
}

void load_stop(struct load *load)
{
	for (unsigned i = 0; i < load->n_agents; i++)
		simulated_free(load->agents[i]);
}

uint64_t load_acked_by_all(const struct load *load)
{
	uint64_t least = UINT64_MAX;
	for (unsigned i = 0; i < load->n_agents; i++)
		if (load->agents[i]->acked < least)
			least = load->agents[i]->acked;
	return least;
}

void load_send(struct load *load)
{
	for (unsigned i = 0; i < load->n_agents; i++)
		fill_window(load->agents[i]);
}

uint64_t load_number(const char *text, const char *allowed, uint64_t most)
{
	uint64_t value;
	if (fw_parse_u64(text, &value) < 0 || value < 1 || value > most)
		load_die(text, allowed);
	return value;
}
