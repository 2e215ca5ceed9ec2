/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>
#include <fenwatch/schema.h>
#include <fenwatch/text.h>

#define TOKEN_LIMIT 256
#define KNOWN_LIMIT 1024 /* hashes in one hello */
#define BUSY_RETRY_MS 10000
#define STOPPING_RETRY_MS 3000

#define REASON(name) FENWATCH__WIRE__GOODBYE__REASON__##name

static struct ingest *ingest_of(const struct session *session)
{
	return session->worker->ingest;
}

/* ---- whose connection it is ---- */

void hello_check_peer(struct session *session)
{
	const struct fw_cert_facts *peer = fw_conn_peer(session->conn);
	bool enrols = strcmp(fw_conn_alpn(session->conn), FW_ALPN_ENROL) == 0;
	session->stage = enrols ? STAGE_ENROL : STAGE_HELLO;
	if (enrols)
		return;
	if (!peer || fw_uuid_bytes(peer->uuid, session->agent) < 0) {
		session_refuse(session, CAUSE_TLS, REASON(REVOKED), "no certificate of an agent");
		return;
	}
	session->expires_ms = peer->until_ms;
	struct enrol_agent agent = {0};
	enum enrol_standing standing =
		enrol_check(ingest_of(session)->config.enrol, peer, fw_wall_ms(), &agent);
	session->name = fw_strdup(agent.name[0] ? agent.name : peer->uuid);
	switch (standing) {
	case ENROL_GOOD:
		break;
	case ENROL_EXPIRED:
		session->stage = STAGE_ENROL;
		break;
	case ENROL_UNKNOWN:
		session_refuse(session, CAUSE_STANDING, REASON(REVOKED),
			"its certificate is not known here: enrol anew");
		break;
	case ENROL_REVOKED:
		session_refuse(
			session, CAUSE_STANDING, REASON(REVOKED), "its certificate is revoked");
		break;
	case ENROL_WRONG_USE:
		session_refuse(session, CAUSE_STANDING, REASON(REVOKED),
			"its certificate is not that of an agent");
		break;
	}
}

/* ---- hello ---- */

static const char *label_of(const Fenwatch__Wire__Hello *hello, const char *name)
{
	for (size_t i = 0; i < hello->n_labels; i++)
		if (strcmp(hello->labels[i]->name, name) == 0)
			return hello->labels[i]->value;
	return "";
}

static bool check_hello(struct session *session, const Fenwatch__Wire__Hello *hello)
{
	const char *instance = label_of(hello, "instance");
	const char *wrong = NULL;
	if (hello->proto != 1)
		wrong = "a hello of another protocol version";
	else if (hello->stream == 0 || hello->next_live == 0 || hello->next_backlog == 0)
		wrong = "a hello whose stream or numbers are 0";
	else if (hello->machine.len != MACHINE_BYTES || hello->boot.len != BOOT_BYTES)
		wrong = "a hello without machine or boot id";
	else if (!*instance || !*label_of(hello, "job"))
		wrong = "a hello without the labels instance and job";
	else if (hello->n_known_schema > KNOWN_LIMIT)
		wrong = "a hello that knows too many schemas";
	if (wrong)
		session_refuse(session, CAUSE_PROTOCOL, REASON(PROTOCOL), "%s", wrong);
	else if (strcmp(instance, session->name) != 0)
		session_refuse(session, CAUSE_STANDING, REASON(CLONE),
			"it calls itself '%.100s' and was enrolled as '%.100s': enrol anew",
			instance, session->name);
	return session->stage == STAGE_HELLO;
}

static void report_clone(struct session *session, const uint8_t there[MACHINE_BYTES],
	const uint8_t here[MACHINE_BYTES])
{
	struct clone_mail *mail = fw_alloc(sizeof *mail);
	mail->mail.kind = MAIN_CLONE;
	snprintf(mail->name, sizeof mail->name, "%s", session->name);
	fw_hex(there, MACHINE_BYTES, mail->machine_a);
	fw_hex(here, MACHINE_BYTES, mail->machine_b);
	if (!fw_mailbox_post(&ingest_of(session)->mailbox, &mail->mail.mail))
		fw_free(mail);
	session_refuse(session, CAUSE_CLONE, REASON(CLONE),
		"another machine has the same certificate: enrol anew");
}

/* The machine that enrolled goes on; a certificate copied elsewhere does not. */
static bool check_machine(struct session *session, const Fenwatch__Wire__Hello *hello)
{
	static const uint8_t unknown[MACHINE_BYTES];
	struct enrol_agent agent = {0};
	enum enrol_standing standing = enrol_check(ingest_of(session)->config.enrol,
		fw_conn_peer(session->conn), fw_wall_ms(), &agent);
	if (standing != ENROL_GOOD) {
		session_refuse(session, CAUSE_STANDING, REASON(REVOKED),
			"its certificate is no longer good");
		return false;
	}
	if (memcmp(agent.machine, unknown, MACHINE_BYTES) == 0 ||
		memcmp(agent.machine, hello->machine.data, MACHINE_BYTES) == 0)
		return true;
	report_clone(session, agent.machine, hello->machine.data);
	return false;
}

static void order_older(const struct seat_older *older, enum order_kind kind)
{
	struct order order = {.kind = kind, .number = older->number};
	snprintf(order.why, sizeof order.why, "a newer connection of this agent has come");
	worker_order(older->worker, &order);
}

static bool take_seat(struct session *session, const Fenwatch__Wire__Hello *hello)
{
	struct seat *seat = fw_alloc(sizeof *seat);
	struct seat_older older = {0};
	session->number = atomic_fetch_add(&ingest_of(session)->next_number, 1);
	memcpy(seat->agent, session->agent, sizeof seat->agent);
	memcpy(seat->machine, hello->machine.data, MACHINE_BYTES);
	memcpy(seat->boot, hello->boot.data, BOOT_BYTES);
	seat->worker = session->worker;
	seat->number = session->number;
	enum seat_verdict verdict =
		seats_take(&ingest_of(session)->seats, seat, fw_mono_ms(), &older);
	if (verdict == SEAT_TAKEN || verdict == SEAT_REPLACED) {
		session->seat = seat;
		if (verdict == SEAT_REPLACED)
			order_older(&older, ORDER_REPLACE);
		return true;
	}
	if (verdict == SEAT_CLONE) {
		report_clone(session, older.machine, seat->machine);
	} else {
		order_older(&older, ORDER_PROBE);
		session_hang_up(session, REASON(BUSY), BUSY_RETRY_MS,
			"an older connection, of another boot, is still there: come again");
	}
	fw_free(seat);
	return false;
}

static const struct ingest_settings *settings_for(const struct ingest *ingest, const char *class)
{
	for (size_t i = 0; i < ingest->config.n_settings; i++)
		if (strcmp(ingest->config.settings[i].class, class) == 0)
			return &ingest->config.settings[i];
	return NULL;
}

/* Which of the schemas the agent is about to use need not be sent. */
static void note_known(struct session *session, const Fenwatch__Wire__Hello *hello)
{
	for (size_t i = 0; i < hello->n_known_schema; i++) {
		const ProtobufCBinaryData *hash = &hello->known_schema[i];
		uint32_t id;
		if (hash->len == FW_SCHEMA_HASH &&
			store_schema_find(ingest_of(session)->config.store, hash->data, &id) == 0)
			fw_buf_append(&session->welcome, hash->data, FW_SCHEMA_HASH);
	}
}

static void tell_greeted(struct session *session, const Fenwatch__Wire__Hello *hello)
{
	struct greeted_mail *mail = fw_alloc(sizeof *mail);
	mail->mail.kind = MAIN_GREETED;
	memcpy(mail->greeting.agent, session->agent, sizeof mail->greeting.agent);
	mail->greeting.host = session->host;
	snprintf(mail->greeting.class, sizeof mail->greeting.class, "%s", label_of(hello, "class"));
	snprintf(mail->greeting.version, sizeof mail->greeting.version, "%s", hello->version);
	if (!fw_mailbox_post(&ingest_of(session)->mailbox, &mail->mail.mail))
		fw_free(mail);
}

static bool find_host(struct session *session, const Fenwatch__Wire__Hello *hello)
{
	struct fw_label labels[] = {
		{"instance", label_of(hello, "instance")},
		{"job", label_of(hello, "job")},
	};
	struct fw_err err;
	if (store_host_intern(ingest_of(session)->config.store, labels, 2, &session->host, &err) ==
		0)
		return true;
	session_refuse(session, CAUSE_STORE, REASON(BUSY), "%s", err.text);
	return false;
}

static void open_stream(struct session *session, const Fenwatch__Wire__Hello *hello)
{
	session->stream = hello->stream;
	session->settings = settings_for(ingest_of(session), label_of(hello, "class"));
	note_known(session, hello);
	tell_greeted(session, hello);
	fw_log(FW_INFO, "%s (%s) has come, version %s", session->name,
		fw_conn_peer_address(session->conn), hello->version);
	struct flight *flight = flight_new(session, STORE_SESSION);
	flight->entry.announced[STORE_LIVE] = hello->next_live;
	flight->entry.announced[STORE_BACKLOG] = hello->next_backlog;
	flight->entry.received_ms = fw_wall_ms();
	session->stage = STAGE_OPENING;
	flight_submit(flight);
}

void hello_take(struct session *session, const struct fw_frame *frame)
{
	struct fw_arena *scratch = &session->worker->scratch;
	struct fw_err err;
	void *message;
	fw_arena_reset(scratch);
	if (fw_wire_unpack(&fenwatch__wire__hello__descriptor, frame->payload, frame->length,
		    scratch, &message, &err) < 0) {
		session_refuse(
			session, CAUSE_PROTOCOL, REASON(PROTOCOL), "malformed hello: %s", err.text);
		return;
	}
	const Fenwatch__Wire__Hello *hello = message;
	if (!check_hello(session, hello) || !check_machine(session, hello) ||
		!find_host(session, hello) || !take_seat(session, hello))
		return;
	session_greeted(session);
	open_stream(session, hello);
}

/* ---- welcome ---- */

static void send_welcome(struct session *session, const struct store_entry *entry)
{
	Fenwatch__Wire__Welcome welcome = FENWATCH__WIRE__WELCOME__INIT;
	Fenwatch__Wire__Settings settings = FENWATCH__WIRE__SETTINGS__INIT;
	ProtobufCBinaryData known[KNOWN_LIMIT];
	welcome.acked_live = entry->acked[STORE_LIVE];
	welcome.acked_backlog = entry->acked[STORE_BACKLOG];
	welcome.live_crc = entry->acked_crc[STORE_LIVE];
	welcome.backlog_crc = entry->acked_crc[STORE_BACKLOG];
	welcome.n_have_schema = session->welcome.length / FW_SCHEMA_HASH;
	for (size_t i = 0; i < welcome.n_have_schema; i++)
		known[i] = (ProtobufCBinaryData){
			FW_SCHEMA_HASH, session->welcome.data + i * FW_SCHEMA_HASH};
	welcome.have_schema = known;
	welcome.max_sweeps = FW_SWEEPS_LIMIT;
	welcome.now_ms = fw_wall_ms();
	const struct ingest_settings *wanted = session->settings;
	if (wanted) {
		settings.version = wanted->version;
		settings.interval_ms = wanted->interval_ms;
		settings.spool_max_bytes = wanted->spool_max_bytes;
		settings.n_sources_on = wanted->on.count;
		settings.sources_on = (char **)(uintptr_t)wanted->on.items;
		settings.n_sources_off = wanted->off.count;
		settings.sources_off = (char **)(uintptr_t)wanted->off.items;
	}
	welcome.settings = &settings;
	session_send(session, FW_FRAME_WELCOME, &welcome.base);
	fw_buf_done(&session->welcome);
}

static void log_gaps(const struct session *session, const struct store_entry *entry)
{
	static const char *const lanes[STORE_LANES] = {"live", "backlog"};
	for (int lane = 0; lane < STORE_LANES; lane++)
		if (entry->gap[lane] > 0)
			fw_log(FW_WARNING,
				"%s: %llu %s frames are missing: they were acknowledged, and this store has "
				"lost them since",
				session->name, (unsigned long long)entry->gap[lane], lanes[lane]);
}

static void tell_missed(struct session *session)
{
	struct greeted_mail *mail = fw_alloc(sizeof *mail);
	mail->mail.kind = MAIN_MISSED;
	memcpy(mail->greeting.agent, session->agent, sizeof mail->greeting.agent);
	mail->greeting.host = session->host;
	if (!fw_mailbox_post(&ingest_of(session)->mailbox, &mail->mail.mail))
		fw_free(mail);
}

void hello_opened(struct session *session, const struct store_entry *entry)
{
	switch (entry->verdict) {
	case STORE_DURABLE:
	case STORE_DUPLICATE:
		log_gaps(session, entry);
		if (entry->gap[STORE_BACKLOG] > 0)
			tell_missed(session);
		for (int lane = 0; lane < STORE_LANES; lane++)
			session->acked[lane] = session->told[lane] = entry->acked[lane];
		send_welcome(session, entry);
		if (session->stage == STAGE_OPENING)
			stream_begin(session);
		break;
	case STORE_OLD_SESSION:
		session_hang_up(
			session, REASON(REPLACED), 0, "a newer connection of this agent has come");
		break;
	case STORE_STOPPED:
		session_hang_up(
			session, REASON(STOPPING), STOPPING_RETRY_MS, "the collector is stopping");
		break;
	default:
		session_refuse(session, CAUSE_STORE, REASON(PROTOCOL), "%s", entry->why);
		break;
	}
}

/* ---- enrolment and renewal ---- */

static struct enrol_mail *enrol_mail_new(
	struct session *session, const Fenwatch__Wire__EnrolRequest *asked)
{
	struct enrol_mail *mail = fw_alloc(sizeof *mail);
	const struct fw_cert_facts *peer = fw_conn_peer(session->conn);
	mail->to_main.kind = MAIN_ENROL;
	mail->to_worker.kind = MAIL_ENROLLED;
	mail->worker = session->worker;
	mail->session = session;
	mail->request.csr_pem = fw_arena_strdup(&mail->arena, asked->csr);
	mail->request.name = fw_arena_strdup(&mail->arena, asked->name);
	mail->request.serial = fw_arena_strdup(&mail->arena, asked->serial);
	mail->request.from = fw_arena_strdup(&mail->arena, fw_conn_peer_address(session->conn));
	memcpy(mail->request.machine, asked->machine.data, MACHINE_BYTES);
	if (asked->token.len > 0) {
		mail->request.token = fw_arena_strndup(
			&mail->arena, (const char *)asked->token.data, asked->token.len);
	} else {
		mail->peer = *peer;
		mail->request.peer = &mail->peer;
	}
	return mail;
}

static void send_enrol_error(struct session *session, const char *why)
{
	Fenwatch__Wire__EnrolReply reply = FENWATCH__WIRE__ENROL_REPLY__INIT;
	char copy[256];
	snprintf(copy, sizeof copy, "%s", why);
	reply.error = copy;
	session_send(session, FW_FRAME_ENROL_REPLY, &reply.base);
	atomic_fetch_add(&session->worker->counters.refused, 1);
	refusals_log(&ingest_of(session)->refusals, CAUSE_ENROL,
		fw_conn_peer_address(session->conn), session->name, why);
}

/* Whoever came only for this has been answered. */
static void enrol_over(struct session *session)
{
	if (session->stage != STAGE_ASKED && session->stage != STAGE_ENROL)
		return;
	session->stage = STAGE_CLOSING;
	fw_conn_close(session->conn);
}

/* What the request lacks, as a sentence for whoever enrols; NULL: nothing. */
static const char *enrol_lacks(
	const struct session *session, const Fenwatch__Wire__EnrolRequest *asked)
{
	if (asked->machine.len != MACHINE_BYTES)
		return "the request says nothing of its machine";
	if (asked->token.len == 0 && !fw_conn_peer(session->conn))
		return "neither a token nor a certificate: enrol with a token";
	return asked->token.len > TOKEN_LIMIT ? "that is no token" : NULL;
}

static void ask_main(struct session *session, const Fenwatch__Wire__EnrolRequest *asked)
{
	struct enrol_mail *mail = enrol_mail_new(session, asked);
	session->asks = true;
	session->in_flight++;
	if (session->stage != STAGE_STREAMING)
		session->stage = STAGE_ASKED;
	/* The main thread's mailbox outlives the workers. */
	(void)fw_mailbox_post(&ingest_of(session)->mailbox, &mail->to_main.mail);
}

void hello_take_enrol(struct session *session, const struct fw_frame *frame)
{
	struct fw_arena *scratch = &session->worker->scratch;
	struct fw_err err;
	void *message;
	fw_arena_reset(scratch);
	if (session->asks) {
		session_refuse(
			session, CAUSE_PROTOCOL, REASON(PROTOCOL), "two requests to enrol at once");
		return;
	}
	if (fw_wire_unpack(&fenwatch__wire__enrol_request__descriptor, frame->payload,
		    frame->length, scratch, &message, &err) < 0) {
		session_refuse(session, CAUSE_PROTOCOL, REASON(PROTOCOL), "malformed request: %s",
			err.text);
		return;
	}
	const Fenwatch__Wire__EnrolRequest *asked = message;
	if (session->stage == STAGE_STREAMING && asked->token.len > 0) {
		/* A guess costs a connection, whoever guesses. */
		session_refuse(session, CAUSE_PROTOCOL, REASON(PROTOCOL),
			"an agent that is connected renews with its certificate, not with a token");
		return;
	}
	const char *wrong = enrol_lacks(session, asked);
	if (wrong) {
		send_enrol_error(session, wrong);
		enrol_over(session);
	} else {
		ask_main(session, asked);
	}
}

void hello_answer(struct ingest *ingest, struct enrol_mail *mail)
{
	mail->rc = enrol_grant(ingest->config.enrol, &mail->request, fw_wall_ms(), &mail->arena,
		&mail->grant, &mail->err);
	(void)fw_mailbox_post(&mail->worker->mailbox, &mail->to_worker.mail);
}

void hello_enrolled(struct enrol_mail *mail)
{
	struct session *session = mail->session;
	session->in_flight--;
	session->asks = false;
	if (session->conn && mail->rc < 0) {
		send_enrol_error(session, mail->err.text);
	} else if (session->conn) {
		Fenwatch__Wire__EnrolReply reply = FENWATCH__WIRE__ENROL_REPLY__INIT;
		reply.certificate = (char *)(uintptr_t)mail->grant.cert_pem;
		reply.ca = (char *)(uintptr_t)mail->grant.ca_pem;
		reply.uuid = mail->grant.uuid;
		session->expires_ms = mail->grant.expires_ms;
		session_send(session, FW_FRAME_ENROL_REPLY, &reply.base);
	}
	if (session->conn)
		enrol_over(session);
	fw_arena_done(&mail->arena);
	fw_free(mail);
	session_release(session);
}
