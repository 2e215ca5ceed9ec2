/* SPDX-License-Identifier: Apache-2.0 */
/* The rules by which an entry is taken, in this order: session, number, age,
 * columns, deltas. What is stored goes into the log's buffer first and then into
 * memory; what is refused for good leaves its number in the log.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/batch.h>
#include <fenwatch/crc.h>
#include <fenwatch/fault.h>

#include "internal.h"

enum {
	VARINT_MOST = 10,
	KEY_SLACK = 4096,
	TIME_LIMIT_LOG2 = 44, /* in the year 2527 */
};

static const char too_long[] = "longer than the log can take";

static size_t entry_limit(const struct store *store)
{
	return (size_t)(store->super.log_segment_bytes / 4);
}

static void say(struct store_entry *entry, enum store_verdict verdict, const char *why)
{
	entry->verdict = verdict;
	snprintf(entry->why, sizeof entry->why, "%s", why);
}

static void tell_acked(struct store_entry *entry, const struct stream *stream)
{
	for (int lane = 0; lane < STORE_LANES; lane++) {
		entry->acked[lane] = stream->acked[lane];
		entry->acked_crc[lane] = stream->crc[lane];
	}
}

/* Numbers that are dealt with although nothing of them is stored. */
static bool log_numbers(struct store *store, const struct store_entry *entry, struct stream *stream)
{
	struct fw_buf payload = {0};
	stream_put(&payload, agents_find(&store->agents, entry->agent), stream);
	struct log_record record = {
		.kind = LOG_STREAMS,
		.received_ms = entry->received_ms,
		.payload = payload.data,
		.length = payload.length,
	};
	bool logged = writer_reserve(store, payload.length) >= 0;
	if (logged)
		log_append(&store->log, &record);
	fw_buf_done(&payload);
	return logged;
}

static void advance(struct stream *stream, const struct store_entry *entry)
{
	stream->acked[entry->lane] = entry->seq;
	stream->crc[entry->lane] = fw_crc32c(0, entry->payload, entry->length);
}

/* ---- sessions and numbers ---- */

static void apply_session(struct store *store, struct store_entry *entry)
{
	struct agent *agent = agents_get(&store->agents, entry->agent);
	if (entry->session <= agent->session) {
		say(entry, STORE_OLD_SESSION, "a newer connection of this agent exists");
		return;
	}
	agent->session = entry->session;
	struct stream *stream = agent_get_stream(&store->agents, agent, entry->stream);
	bool has_gap = false;
	for (int lane = 0; lane < STORE_LANES; lane++) {
		entry->gap[lane] = 0;
		if (entry->announced[lane] <= stream->acked[lane] + 1)
			continue;
		entry->gap[lane] = entry->announced[lane] - stream->acked[lane] - 1;
		stream->acked[lane] = entry->announced[lane] - 1;
		stream->crc[lane] = 0;
		has_gap = true;
		store->counters.gaps += entry->gap[lane];
	}
	if (has_gap) {
		stream_break(&store->agents, stream);
		log_numbers(store, entry, stream);
	}
	tell_acked(entry, stream);
	entry->verdict = STORE_DURABLE;
}

/* The stream that the entry's number is the next one of, or NULL with the verdict set. */
static struct stream *admit(struct store *store, struct store_entry *entry)
{
	struct agent *agent = agents_find(&store->agents, entry->agent);
	struct stream *stream = agent ? agent_find_stream(agent, entry->stream) : NULL;
	if (!stream || entry->session != agent->session) {
		say(entry, STORE_OLD_SESSION, "a newer connection of this agent exists");
		return NULL;
	}
	tell_acked(entry, stream);
	uint64_t acked = stream->acked[entry->lane];
	if (entry->seq == acked + 1 || fw_fault(FW_OP_RECOGNISE) == 1)
		return stream;
	if (entry->seq <= acked) {
		store->counters.duplicates++;
		entry->verdict = STORE_DUPLICATE;
	} else {
		say(entry, STORE_NEED_KEY, "a number was skipped");
	}
	return NULL;
}

static void pass_over(struct store *store, struct store_entry *entry, struct stream *stream)
{
	entry->verdict = STORE_REFUSED;
	advance(stream, entry);
	stream_break(&store->agents, stream);
	log_numbers(store, entry, stream);
	tell_acked(entry, stream);
}

static void refuse(struct store *store, struct store_entry *entry, struct stream *stream)
{
	store->counters.refused++;
	entry->verdict = STORE_REFUSED;
	if (stream)
		pass_over(store, entry, stream);
}

/* ---- what a host may have ---- */

static bool shares_a_column(const struct named_schema *a, const struct named_schema *b)
{
	uint32_t i = 0, k = 0;
	while (i < a->schema.n_columns && k < b->schema.n_columns) {
		if (a->keys[i].hash == b->keys[k].hash)
			return true;
		if (a->keys[i].hash < b->keys[k].hash)
			i++;
		else
			k++;
	}
	return false;
}

/* A series is in one schema of its sender at a time: a schema that shares one
 * with the schema that has just come is over. */
static bool is_replaced(const struct table *table, const struct arrival *arrival)
{
	return table_is_current(table) && !table->foreign && table->schema != arrival->schema &&
		table->made_here == !arrival->stream &&
		shares_a_column(table->schema, arrival->schema);
}

static bool fits(const struct store *store, const struct arrival *arrival, char *why, size_t size)
{
	uint64_t columns = arrival->schema->schema.n_columns;
	for (const struct table *table = arrival->host->tables; table; table = table->next) {
		if (table_is_current(table) && !table->foreign &&
			table->schema != arrival->schema && !is_replaced(table, arrival))
			columns += table->schema->schema.n_columns;
	}
	if (columns <= store->config.columns_per_host)
		return true;
	snprintf(why, size, "the host would have %llu columns, the limit is %u",
		(unsigned long long)columns, store->config.columns_per_host);
	return false;
}

/* ---- live sweeps ---- */

void encode_key(const struct arrival *arrival, struct fw_buf *out)
{
	struct fw_sweeps sweeps = {
		.n_sweeps = arrival->n_sweeps,
		.n_columns = arrival->schema->schema.n_columns,
		.times_ms = arrival->times_ms,
		.cells = arrival->cells,
	};
	fw_buf_reset(out);
	fw_batch_encode_live(
		&sweeps, arrival->seq, arrival->schema->id, arrival->interval_ms, NULL, out);
}

static uint64_t log_arrival(
	struct store *store, const struct arrival *arrival, const uint8_t *payload, size_t length)
{
	struct log_record record = {
		.kind = arrival->kind,
		.lane = (uint8_t)arrival->lane,
		.sent_crc = arrival->sent_crc,
		.host = arrival->host->id,
		.schema = arrival->schema->id,
		.stream = arrival->stream ? arrival->stream->id : 0,
		.seq = arrival->seq,
		.received_ms = arrival->received_ms,
		.payload = payload,
		.length = length,
	};
	if (arrival->agent)
		memcpy(record.agent, arrival->agent, sizeof record.agent);
	return log_append(&store->log, &record);
}

/* The log must have room. A segment's first record of a table is a key, and so
 * is a run's first batch, whatever the agent sent. */
static void store_live(struct store *store, const struct arrival *arrival)
{
	struct table *table = host_table(arrival->host, arrival->schema->id);
	uint64_t number = store->log.slots[store->log.active].number;
	bool first_in_log = !table || table->keyed != number, first_in_run = true;
	struct addition add = {
		.t0_ms = arrival->times_ms[0] + arrival->shift_ms,
		.t1_ms = arrival->times_ms[arrival->n_sweeps - 1] + arrival->shift_ms,
		.n_sweeps = arrival->n_sweeps,
	};
	if (table)
		first_in_run = table_needs_new_run(table, &add);
	struct arrival key = *arrival;
	if (!arrival->key && (first_in_log || first_in_run)) {
		encode_key(arrival, &store->key);
		key.payload = store->key.data;
		key.length = store->key.length;
	}
	const struct arrival *logged = first_in_log ? &key : arrival;
	const struct arrival *held = first_in_run ? &key : arrival;
	uint64_t position = log_arrival(store, arrival, logged->payload, logged->length);
	arrive_live(store, arrival, held->payload, held->length, position);
	if (first_in_log || arrival->key)
		host_table(arrival->host, arrival->schema->id)->keyed = number;
}

/* The last row of a schema that the host has left repeats what the new sweep has
 * of its columns and marks the rest absent, so that questions end them at once. */
static int end_table(struct store *store, struct table *table, const struct arrival *arrival)
{
	const struct fw_schema *old = &table->schema->schema;
	const struct fw_column *columns = arrival->schema->schema.columns;
	struct fw_buf row = {0};
	int64_t *cells =
		(int64_t *)(void *)fw_buf_reserve(&row, old->n_columns * sizeof *cells + 1);
	for (uint32_t k = 0; k < old->n_columns; k++) {
		uint32_t i = table->schema->keys[k].column;
		const struct fw_column *same = names_same_column(
			arrival->schema, table->schema->keys[k].hash, &old->columns[i]);
		cells[i] = same && fw_column_same(same, &old->columns[i])
			? arrival->cells[same - columns]
			: FW_ABSENT;
	}
	int64_t at_ms = arrival->times_ms[0] + arrival->shift_ms;
	if (at_ms <= table->last_ms)
		at_ms = table->last_ms + 1;
	struct arrival ended = *arrival;
	ended.kind = LOG_ENDED;
	ended.schema = table->schema;
	ended.times_ms = &at_ms;
	ended.cells = cells;
	ended.n_sweeps = 1;
	ended.shift_ms = 0;
	ended.key = true;
	encode_key(&ended, &store->key);
	ended.payload = store->key.data;
	ended.length = store->key.length;
	int rc = writer_reserve(store, ended.length);
	if (rc >= 0)
		store_live(store, &ended);
	fw_buf_done(&row);
	return rc;
}

static int end_replaced(struct store *store, const struct arrival *arrival)
{
	for (struct table *table = arrival->host->tables; table; table = table->next) {
		int rc = is_replaced(table, arrival) ? end_table(store, table, arrival) : 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int take_live(struct store *store, struct store_entry *entry, struct arrival *arrival)
{
	struct table *table = host_table(arrival->host, arrival->schema->id);
	if (!table_is_current(table)) {
		if (!fits(store, arrival, entry->why, sizeof entry->why)) {
			refuse(store, entry, arrival->stream);
			return 0;
		}
		if (end_replaced(store, arrival) < 0)
			return 0;
	}
	size_t most = arrival->length + KEY_SLACK +
		(size_t)arrival->schema->schema.n_columns * (VARINT_MOST + 1);
	if (writer_reserve(store, most) < 0)
		return 0;
	store_live(store, arrival);
	return 1;
}

static int take_late(struct store *store, struct store_entry *entry, struct arrival *arrival)
{
	(void)entry;
	if (writer_reserve(store, arrival->length) < 0)
		return 0;
	arrive_late(store, arrival, log_arrival(store, arrival, arrival->payload, arrival->length));
	store->counters.late += arrival->n_sweeps;
	return 1;
}

static void count_sweeps(struct store *store, const struct arrival *arrival)
{
	store->counters.sweeps += arrival->n_sweeps;
	store->counters.samples += (uint64_t)arrival->n_sweeps * arrival->schema->schema.n_columns;
	store->counters.ahead += arrival->shift_ms ? arrival->n_sweeps : 0;
}

/* Are these times that a store can hold? Sets the shift, too. A clock that leaps makes
 * others, so who sent them is not hung up on: it would come with them again. */
static bool check_times(struct store_entry *entry, struct arrival *arrival)
{
	const int64_t *times = arrival->times_ms, limit = (int64_t)1 << TIME_LIMIT_LOG2;
	bool sound = arrival->n_sweeps > 0 && arrival->n_sweeps <= FW_SWEEPS_LIMIT;
	for (uint32_t i = 0; i < arrival->n_sweeps && sound; i++)
		sound = times[i] >= 0 && times[i] < limit && (i == 0 || times[i] > times[i - 1]);
	if (sound && times[arrival->n_sweeps - 1] - times[0] > STORE_SPAN_MS)
		sound = false;
	if (!sound)
		say(entry, STORE_REFUSED, "times that cannot be, or that are months apart");
	else
		arrival->shift_ms = arrival_shift(times, arrival->n_sweeps, entry->received_ms);
	return sound;
}

static bool find_names(struct store *store, struct store_entry *entry, struct arrival *arrival)
{
	arrival->host = hosts_get(&store->hosts, entry->host);
	arrival->schema = names_schema(&store->names, entry->schema);
	if (arrival->host && arrival->schema)
		return true;
	say(entry, STORE_BAD, arrival->host ? "unknown schema" : "unknown host");
	return false;
}

/* ---- batches ---- */

static bool is_too_old(const struct store *store, const struct arrival *arrival)
{
	int64_t newest_ms = arrival->times_ms[arrival->n_sweeps - 1];
	return !store->config.any_age && newest_ms < arrival->received_ms - store->config.late_ms;
}

/* What can be known without a look at the cells. */
static bool is_welcome(
	const struct store *store, struct store_entry *entry, struct arrival *arrival)
{
	uint32_t n_columns = arrival->schema->schema.n_columns;
	if (!check_times(entry, arrival))
		return false;
	if (is_too_old(store, arrival)) {
		say(entry, STORE_REFUSED, "too old");
		return false;
	}
	if (n_columns <= store->config.columns_per_host)
		return true;
	snprintf(entry->why, sizeof entry->why, "the schema has %u columns, the limit is %u",
		n_columns, store->config.columns_per_host);
	return false;
}

static bool decode(struct store *store, struct store_entry *entry, struct arrival *arrival)
{
	uint32_t n_columns = arrival->schema->schema.n_columns;
	struct table *table = host_table(arrival->host, arrival->schema->id);
	bool has_base = table && table->last && table->owner == arrival->stream->serial;
	if (!entry->batch->key && !has_base) {
		say(entry, STORE_NEED_KEY, "differences without the sweep they count against");
		return false;
	}
	int64_t *cells = scratch_take(&store->arriving, (size_t)arrival->n_sweeps * n_columns);
	struct fw_err err = {"too many cells in one batch"};
	const int64_t *state = entry->batch->key ? NULL : table->last;
	if (!cells || fw_batch_decode(entry->batch, n_columns, state, cells, &err) < 0) {
		say(entry, STORE_BAD, err.text);
		return false;
	}
	arrival->cells = cells;
	return true;
}

/* Whether its sweeps may be stored; where not, the verdict says why. */
static bool take_apart(struct store *store, struct store_entry *entry, struct arrival *arrival)
{
	if (!find_names(store, entry, arrival))
		return false;
	if (entry->lane == STORE_BACKLOG && !entry->batch->key) {
		say(entry, STORE_BAD, "a backlog batch counts against another");
		return false;
	}
	if (!owner_admits(store, entry, arrival->host)) {
		pass_over(store, entry, arrival->stream);
		return false;
	}
	if (!is_welcome(store, entry, arrival)) {
		refuse(store, entry, arrival->stream);
		return false;
	}
	return decode(store, entry, arrival);
}

static void apply_batch(struct store *store, struct store_entry *entry)
{
	struct arrival arrival = {
		.kind = LOG_BATCH,
		.lane = entry->lane,
		.agent = entry->agent,
		.stream = admit(store, entry),
		.times_ms = entry->batch->times_ms,
		.n_sweeps = entry->batch->n_sweeps,
		.interval_ms = entry->batch->interval_ms,
		.key = entry->batch->key,
		.payload = entry->payload,
		.length = entry->length,
		.seq = entry->seq,
		.received_ms = entry->received_ms,
	};
	if (!arrival.stream || !take_apart(store, entry, &arrival))
		return;
	arrival.sent_crc = fw_crc32c(0, entry->payload, entry->length);
	bool live = entry->lane == STORE_LIVE;
	if (!(live ? take_live : take_late)(store, entry, &arrival))
		return;
	arrival.stream->acked[entry->lane] = entry->seq;
	arrival.stream->crc[entry->lane] = arrival.sent_crc;
	count_sweeps(store, &arrival);
	tell_acked(entry, arrival.stream);
	entry->verdict = STORE_DURABLE;
}

/* An import that lies behind what the table has, and is not of now, is late. A
 * clock of ours that was set back must not stop current values. */
static bool cells_are_late(const struct arrival *arrival)
{
	const struct table *table = host_table(arrival->host, arrival->schema->id);
	int64_t newest_ms = arrival->times_ms[arrival->n_sweeps - 1] + arrival->shift_ms;
	return table && table->last && newest_ms <= table->last_ms &&
		newest_ms < arrival->received_ms - STORE_AHEAD_MS;
}

static void apply_cells(struct store *store, struct store_entry *entry)
{
	struct arrival arrival = {
		.kind = LOG_CELLS,
		.times_ms = entry->sweeps.times_ms,
		.cells = entry->sweeps.cells,
		.n_sweeps = entry->sweeps.n_sweeps,
		.key = true,
		.seq = BATCH_UNNUMBERED,
		.received_ms = entry->received_ms,
	};
	if (!find_names(store, entry, &arrival))
		return;
	if (entry->sweeps.n_columns != arrival.schema->schema.n_columns) {
		say(entry, STORE_BAD, "the sweeps do not have the schema's columns");
		return;
	}
	if (!is_welcome(store, entry, &arrival)) {
		refuse(store, entry, NULL);
		return;
	}
	if (arrival.n_sweeps > 1)
		arrival.interval_ms = (uint32_t)(arrival.times_ms[1] - arrival.times_ms[0]);
	encode_key(&arrival, &store->made);
	arrival.payload = store->made.data;
	arrival.length = store->made.length;
	if (arrival.length > entry_limit(store)) {
		say(entry, STORE_BAD, too_long);
		return;
	}
	arrival.lane = cells_are_late(&arrival) ? STORE_BACKLOG : STORE_LIVE;
	bool late = arrival.lane == STORE_BACKLOG;
	if (!(late ? take_late : take_live)(store, entry, &arrival))
		return;
	count_sweeps(store, &arrival);
	entry->verdict = STORE_DURABLE;
}

/* ---- documents and events ---- */

static void apply_record(struct store *store, struct store_entry *entry)
{
	struct stream *stream = admit(store, entry);
	if (!stream)
		return;
	if (!owner_admits(store, entry, hosts_get(&store->hosts, entry->host))) {
		pass_over(store, entry, stream);
		return;
	}
	if (store->config.on_record &&
		store->unreleased_bytes + entry->length > store->super.log_segment_bytes / 4) {
		say(entry, STORE_STOPPED, "too many documents and events wait to be filed");
		return;
	}
	if (writer_reserve(store, entry->length) < 0)
		return;
	struct log_record record = {
		.kind = entry->kind == STORE_DOCUMENT ? LOG_DOCUMENT : LOG_EVENT,
		.lane = (uint8_t)entry->lane,
		.sent_crc = fw_crc32c(0, entry->payload, entry->length),
		.host = entry->host,
		.stream = entry->stream,
		.seq = entry->seq,
		.received_ms = entry->received_ms,
		.payload = entry->payload,
		.length = entry->length,
	};
	memcpy(record.agent, entry->agent, sizeof record.agent);
	log_append(&store->log, &record);
	if (store->config.on_record)
		records_add(store, &record, record.position, entry);
	owner_note(hosts_get(&store->hosts, entry->host), entry->agent, entry->received_ms);
	advance(stream, entry);
	tell_acked(entry, stream);
	entry->verdict = STORE_DURABLE;
}

void apply_entry(struct store *store, struct store_entry *entry)
{
	entry->why[0] = '\0';
	entry->is_anothers = false;
	entry->verdict = STORE_STOPPED;
	if (entry->kind != STORE_SESSION && entry->kind != STORE_CELLS &&
		entry->kind != STORE_FOREIGN && entry->length > entry_limit(store)) {
		say(entry, STORE_BAD, too_long);
		return;
	}
	if ((unsigned)entry->lane >= STORE_LANES) {
		say(entry, STORE_BAD, "no such lane");
		return;
	}
	switch (entry->kind) {
	case STORE_SESSION:
		apply_session(store, entry);
		break;
	case STORE_BATCH:
		apply_batch(store, entry);
		break;
	case STORE_CELLS:
		apply_cells(store, entry);
		break;
	case STORE_DOCUMENT:
	case STORE_EVENT:
		apply_record(store, entry);
		break;
	case STORE_FOREIGN:
		foreign_apply(store, entry);
		break;
	}
}
