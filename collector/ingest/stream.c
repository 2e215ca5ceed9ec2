/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>
#include <fenwatch/schema.h>

#define REASON(name) FENWATCH__WIRE__GOODBYE__REASON__##name
#define HOST_LABELS_LIMIT 16
#define STOPPING_RETRY_MS 3000
#define FULL_RETRY_MS 60000
#define QUOTA_RETRY_MS 300000
#define CLAIMED_EVERY_MS 60000

static struct store *store_of(const struct session *session)
{
	return session->worker->ingest->config.store;
}

static void refuse_malformed(struct session *session, enum fw_frame_type type, const char *why)
{
	session_refuse(session, CAUSE_PROTOCOL, REASON(PROTOCOL), "malformed %s frame: %s",
		fw_frame_name(type), why);
}

/* ---- schemas and hosts ---- */

static const struct fw_schema *find_base(const uint8_t *hash, void *arg)
{
	struct store *store = arg;
	uint32_t id;
	return store_schema_find(store, hash, &id) == 0 ? store_schema(store, id) : NULL;
}

static void ask_for_schema(struct session *session, uint32_t id)
{
	Fenwatch__Wire__Ack ack = FENWATCH__WIRE__ACK__INIT;
	ack.live_to = session->acked[STORE_LIVE];
	ack.backlog_to = session->acked[STORE_BACKLOG];
	ack.need_schema = id;
	session_send(session, FW_FRAME_ACK, &ack.base);
}

/* The number under which a schema was announced that could not be read otherwise. */
static uint32_t announced_id(struct session *session, const struct fw_frame *frame)
{
	void *message;
	fw_arena_reset(&session->worker->scratch);
	if (fw_wire_unpack(&fenwatch__wire__schema__descriptor, frame->payload, frame->length,
		    &session->worker->scratch, &message, NULL) < 0)
		return 0;
	return ((const Fenwatch__Wire__Schema *)message)->id;
}

/* A schema that is known costs nothing, whoever brought it. */
static bool may_bring(struct session *session, const struct fw_schema *schema)
{
	struct worker *worker = session->worker;
	uint32_t known;
	if (store_schema_find(store_of(session), schema->hash, &known) == 0 ||
		quotas_take(
			&worker->ingest->quotas, session->agent, schema->n_columns, fw_mono_ms()))
		return true;
	char why[80];
	snprintf(why, sizeof why, "more than %d new series in a day", QUOTA_COLUMNS);
	atomic_fetch_add(&worker->counters.refused, 1);
	refusals_log(&worker->ingest->refusals, CAUSE_OVERLOAD, fw_conn_peer_address(session->conn),
		session->name, why);
	session_hang_up(session, REASON(BUSY), QUOTA_RETRY_MS, why);
	return false;
}

static bool has_alone(const struct fw_schema *schema)
{
	bool found = false;
	for (uint32_t i = 0; i < schema->n_columns; i++)
		found |= schema->columns[i].type & STORE_ALONE;
	return found;
}

void stream_take_schema(struct session *session, const struct fw_frame *frame)
{
	struct fw_arena *scratch = &session->worker->scratch;
	struct fw_schema schema;
	struct fw_err err;
	uint32_t id = 0, stored;
	fw_arena_reset(scratch);
	int rc = fw_schema_decode(frame->payload, frame->length, scratch, find_base,
		store_of(session), &id, &schema, &err);
	if (rc == -ENOENT) {
		ask_for_schema(session, announced_id(session, frame));
	} else if (rc < 0) {
		refuse_malformed(session, frame->type, err.text);
	} else if (has_alone(&schema)) {
		refuse_malformed(session, frame->type, "a type that agents do not have");
	} else if (!may_bring(session, &schema)) {
		return;
	} else if (store_schema_intern(store_of(session), &schema, &stored, &err) < 0) {
		session_refuse(session, CAUSE_STORE, REASON(BUSY), "%s", err.text);
	} else if (id_map_set(&session->schemas, SCHEMAS_LIMIT, id, stored) < 0) {
		session_refuse(session, CAUSE_PROTOCOL, REASON(PROTOCOL),
			"more than %d schemas on one connection", SCHEMAS_LIMIT);
	}
}

/* Labels of a host that the agent speaks for, sorted by name. */
static int sort_labels(
	Fenwatch__Wire__Label *const *from, size_t n, struct fw_label labels[HOST_LABELS_LIMIT])
{
	if (n == 0 || n > HOST_LABELS_LIMIT)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		size_t at = i;
		while (at > 0 && strcmp(labels[at - 1].name, from[i]->name) > 0) {
			labels[at] = labels[at - 1];
			at--;
		}
		labels[at] = (struct fw_label){from[i]->name, from[i]->value};
	}
	for (size_t i = 1; i < n; i++)
		if (strcmp(labels[i - 1].name, labels[i].name) == 0)
			return -EINVAL;
	return 0;
}

void stream_take_host(struct session *session, const struct fw_frame *frame)
{
	struct fw_arena *scratch = &session->worker->scratch;
	struct fw_label labels[HOST_LABELS_LIMIT];
	struct fw_err err;
	uint32_t stored;
	void *message;
	fw_arena_reset(scratch);
	if (fw_wire_unpack(&fenwatch__wire__host__descriptor, frame->payload, frame->length,
		    scratch, &message, &err) < 0) {
		refuse_malformed(session, frame->type, err.text);
		return;
	}
	const Fenwatch__Wire__Host *host = message;
	if (host->id == 0 || sort_labels(host->labels, host->n_labels, labels) < 0)
		refuse_malformed(
			session, frame->type, "it needs a number above 0 and distinct labels");
	/* job="node" is what agents say of themselves: nobody else may. */
	else if (strcmp(fw_label_value(labels, host->n_labels, "job"), "node") == 0)
		refuse_malformed(
			session, frame->type, "only its own agent may speak for one of job node");
	else if (store_host_intern(store_of(session), labels, host->n_labels, &stored, &err) < 0)
		refuse_malformed(session, frame->type, err.text);
	else if (id_map_set(&session->hosts, HOSTS_LIMIT, host->id, stored) < 0)
		session_refuse(session, CAUSE_PROTOCOL, REASON(PROTOCOL),
			"more than %d hosts on one connection", HOSTS_LIMIT);
}

static bool find_host(struct session *session, struct flight *flight, uint32_t wire)
{
	flight->wire_host = wire;
	if (wire == 0 || id_map_find(&session->hosts, wire, &flight->entry.host))
		return true;
	session_refuse(
		session, CAUSE_PROTOCOL, REASON(PROTOCOL), "host %u was not announced", wire);
	return false;
}

/* ---- what is numbered ---- */

static struct flight *flight_for(
	struct session *session, enum store_kind kind, const struct fw_frame *frame)
{
	struct flight *flight = flight_new(session, kind);
	fw_buf_append(&flight->payload, frame->payload, frame->length);
	flight->entry.payload = flight->payload.data;
	flight->entry.length = flight->payload.length;
	flight->entry.received_ms = fw_wall_ms();
	return flight;
}

void stream_take_batch(struct session *session, const struct fw_frame *frame)
{
	struct flight *flight = flight_for(session, STORE_BATCH, frame);
	struct fw_batch *batch = &flight->batch;
	struct fw_err err;
	bool fine = false;
	int rc = fw_batch_open(
		flight->payload.data, flight->payload.length, &flight->arena, batch, &err);
	if (rc < 0) {
		refuse_malformed(session, frame->type, err.text);
	} else if (!id_map_find(&session->schemas, batch->schema, &flight->entry.schema)) {
		ask_for_schema(session, batch->schema);
	} else {
		flight->entry.batch = batch;
		flight->entry.seq = batch->seq;
		flight->entry.lane = batch->backlog ? STORE_BACKLOG : STORE_LIVE;
		fine = find_host(session, flight, batch->host);
	}
	if (fine)
		flight_submit(flight);
	else
		flight_free(flight);
}

static void submit_record(
	struct session *session, struct flight *flight, uint64_t seq, bool backlog, uint32_t host)
{
	flight->entry.seq = seq;
	flight->entry.lane = backlog ? STORE_BACKLOG : STORE_LIVE;
	if (seq == 0)
		refuse_malformed(session,
			flight->entry.kind == STORE_EVENT ? FW_FRAME_EVENT : FW_FRAME_DOCUMENT,
			"without a number");
	if (seq > 0 && find_host(session, flight, host))
		flight_submit(flight);
	else
		flight_free(flight);
}

void stream_take_document(struct session *session, const struct fw_frame *frame)
{
	struct fw_arena *scratch = &session->worker->scratch;
	struct fw_err err;
	void *message;
	fw_arena_reset(scratch);
	if (fw_wire_unpack(&fenwatch__wire__document__descriptor, frame->payload, frame->length,
		    scratch, &message, &err) < 0) {
		refuse_malformed(session, frame->type, err.text);
		return;
	}
	const Fenwatch__Wire__Document *document = message;
	if (document->raw_length > FW_ITEMS_RAW_LIMIT ||
		document->body.len > FW_ITEMS_PACKED_LIMIT) {
		refuse_malformed(session, frame->type, "longer than 4 MiB, or 960 KiB packed");
		return;
	}
	if (!fw_document_kind_valid(document->kind)) {
		refuse_malformed(session, frame->type, "of a kind that is no name");
		return;
	}
	submit_record(session, flight_for(session, STORE_DOCUMENT, frame), document->seq,
		document->backlog, document->host);
}

void stream_take_event(struct session *session, const struct fw_frame *frame)
{
	struct fw_arena *scratch = &session->worker->scratch;
	struct fw_err err;
	void *message;
	fw_arena_reset(scratch);
	if (fw_wire_unpack(&fenwatch__wire__event__descriptor, frame->payload, frame->length,
		    scratch, &message, &err) < 0) {
		refuse_malformed(session, frame->type, err.text);
		return;
	}
	const Fenwatch__Wire__Event *event = message;
	submit_record(session, flight_for(session, STORE_EVENT, frame), event->seq, event->backlog,
		event->host);
}

/* ---- what the store has answered ---- */

static void set_dirty(struct session *session)
{
	if (session->is_dirty || !session->conn)
		return;
	session->is_dirty = true;
	TAILQ_INSERT_TAIL(&session->worker->dirty, session, in_dirty);
}

static void note_refused(struct session *session, const char *why)
{
	if (!session->refused)
		session->refused = fw_strdup(why);
	refusals_log(&session->worker->ingest->refusals, CAUSE_STORE,
		session->conn ? fw_conn_peer_address(session->conn) : "gone", session->name, why);
}

/* It goes on with everything else: its configuration may be wrong in this alone. */
static void note_claimed(struct session *session, const struct store_entry *entry)
{
	int64_t now_ms = fw_mono_ms();
	if (session->claimed_ms != 0 && now_ms - session->claimed_ms < CLAIMED_EVERY_MS)
		return;
	session->claimed_ms = now_ms;
	const char *device = store_host_instance(store_of(session), entry->host);
	struct claimed_mail *mail = fw_alloc(sizeof *mail);
	mail->mail.kind = MAIN_CLAIMED;
	snprintf(mail->device, sizeof mail->device, "%s", device ? device : "");
	snprintf(mail->claimant, sizeof mail->claimant, "%s", session->name);
	memcpy(mail->owner, entry->owner, sizeof mail->owner);
	if (!fw_mailbox_post(&session->worker->ingest->mailbox, &mail->mail.mail))
		fw_free(mail);
}

/* All that was under way behind the first one fails for the same reason, and is not asked for
 * again. Backlog batches are all keys: there only a skipped number can be meant. */
static void note_need_key(struct session *session, const struct flight *flight)
{
	if (flight->entry.lane == STORE_BACKLOG) {
		session_refuse(session, CAUSE_PROTOCOL, REASON(PROTOCOL),
			"backlog number %llu comes after %llu",
			(unsigned long long)flight->entry.seq,
			(unsigned long long)flight->entry.acked[STORE_BACKLOG]);
	} else if (flight->order > session->ignored_orders) {
		session->ignored_orders = session->orders;
		session->need_key = 1 + flight->wire_host;
		set_dirty(session);
	}
}

static void note_acked(struct session *session, const struct store_entry *entry)
{
	if (entry->verdict > STORE_REFUSED || entry->verdict == STORE_OLD_SESSION)
		return;
	for (int lane = 0; lane < STORE_LANES; lane++) {
		if (entry->acked[lane] <= session->acked[lane])
			continue;
		session->acked[lane] = entry->acked[lane];
		set_dirty(session);
	}
}

void stream_flown(struct session *session, const struct flight *flight)
{
	const struct store_entry *entry = &flight->entry;
	note_acked(session, entry);
	switch (entry->verdict) {
	case STORE_DURABLE:
		break;
	case STORE_DUPLICATE:
		set_dirty(session); /* it may have missed the ack */
		break;
	case STORE_REFUSED:
		note_refused(session, entry->why);
		if (entry->is_anothers)
			note_claimed(session, entry);
		break;
	case STORE_NEED_KEY:
		note_need_key(session, flight);
		break;
	case STORE_BAD:
		session_refuse(session, CAUSE_PROTOCOL, REASON(PROTOCOL), "malformed batch: %s",
			entry->why);
		break;
	case STORE_OLD_SESSION:
		session_hang_up(
			session, REASON(REPLACED), 0, "a newer connection of this agent has come");
		break;
	case STORE_STOPPED:
		if (entry->why[0])
			session_hang_up(session, REASON(BUSY), FULL_RETRY_MS, entry->why);
		else
			session_hang_up(session, REASON(STOPPING), STOPPING_RETRY_MS,
				"the collector is stopping");
		break;
	}
}

void stream_begin(struct session *session)
{
	session->stage = STAGE_STREAMING;
	if (session->n_needs > 0)
		set_dirty(session);
}

void stream_need_document(struct session *session, const char *kind)
{
	for (unsigned i = 0; i < session->n_needs; i++)
		if (strcmp(session->needs[i], kind) == 0)
			return;
	if (session->n_needs == FW_DOCUMENTS_LIMIT)
		return;
	snprintf(session->needs[session->n_needs++], sizeof *session->needs, "%s", kind);
	if (session->stage == STAGE_STREAMING)
		set_dirty(session);
}

void stream_ack(struct session *session)
{
	Fenwatch__Wire__Ack ack = FENWATCH__WIRE__ACK__INIT;
	ack.live_to = session->told[STORE_LIVE] = session->acked[STORE_LIVE];
	ack.backlog_to = session->told[STORE_BACKLOG] = session->acked[STORE_BACKLOG];
	ack.need_key = session->need_key;
	char *needs[FW_DOCUMENTS_LIMIT];
	for (unsigned i = 0; i < session->n_needs; i++)
		needs[i] = session->needs[i];
	ack.n_need_document = session->n_needs;
	ack.need_document = needs;
	if (session->refused)
		ack.refused = session->refused;
	session_send(session, FW_FRAME_ACK, &ack.base);
	atomic_fetch_add_explicit(&session->worker->counters.acks, 1, memory_order_relaxed);
	session->need_key = 0;
	session->n_needs = 0;
	fw_free(session->refused);
	session->refused = NULL;
}
