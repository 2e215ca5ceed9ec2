/* SPDX-License-Identifier: Apache-2.0 */
/* From what lies on disk back to what was in memory.
 *
 *  1. Every block of the ring names the records that it holds, from the first to
 *     the last. Those that may still be in the log are collected and sorted.
 *  2. The log's segments are walked in order of number, from the oldest that
 *     counts. Sweeps that are in a block only bring the last cells up to date;
 *     the others go into runs again.
 *  3. What was read is synced, for who was killed may not have come to it, and the
 *     log goes on where it ends. The torn end of a commit that nobody was told of is
 *     made void first, so that it stays forgotten.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/batch.h>
#include <fenwatch/mem.h>

#include "bytes.h"
#include "internal.h"

/* ---- blocks ---- */

static int by_records(const void *a, const void *b)
{
	const struct covered *x = a, *y = b;
	if (x->host != y->host)
		return x->host < y->host ? -1 : 1;
	if (x->schema != y->schema)
		return x->schema < y->schema ? -1 : 1;
	if (x->late != y->late)
		return x->late ? 1 : -1;
	return x->from < y->from ? -1 : x->from > y->from;
}

void covered_sort(struct covered *all, size_t n)
{
	if (n > 0)
		qsort(all, n, sizeof *all, by_records);
}

bool covered_has(const struct covered *all, size_t n, struct covered key)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (by_records(&all[middle], &key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return false;
	const struct covered *at = &all[low - 1];
	return at->host == key.host && at->schema == key.schema && at->late == key.late &&
		key.to <= at->to;
}

static bool is_covered_by(const struct store *store, struct covered key)
{
	return covered_has(store->covered, store->n_covered, key);
}

bool is_covered(const struct store *store, const struct arrival *arrival, uint64_t position)
{
	return is_covered_by(store,
		(struct covered){arrival->host->id, arrival->schema->id,
			arrival->lane == STORE_BACKLOG, position, position});
}

bool is_covered_in(const struct store *store, uint32_t host, uint32_t schema, uint64_t position)
{
	return store->n_covered > 0 &&
		(is_covered_by(store, (struct covered){host, schema, false, position, position}) ||
			is_covered_by(
				store, (struct covered){host, schema, true, position, position}));
}

/* Blocks as they are walked through. */
struct noting {
	struct store *store;
	size_t capacity;
	uint64_t newest; /* position */
	uint32_t host, schema;
	bool known;            /* they are */
	struct table *foreign; /* theirs, where the series is from elsewhere */
};

static void note_block(struct noting *noting, const struct ring_place *place)
{
	struct store *store = noting->store;
	const struct block_ref *ref = &place->ref;
	uint64_t oldest = store->super.log_first * store->super.log_segment_bytes;
	if (ref->logged_to < oldest)
		return;
	if (ref->flags & BLOCK_PARTIAL) {
		/* All of a run that was not ended is in the log. What a digest made of one that
		 * was is nowhere else, should damage have taken its last block. */
		if (!place->digested && ref->logged_from >= oldest)
			ring_keep_place(&store->parts, place);
		return;
	}
	if (store->n_covered == noting->capacity) {
		noting->capacity = 2 * noting->capacity + 256;
		store->covered =
			fw_realloc(store->covered, noting->capacity * sizeof *store->covered);
	}
	store->covered[store->n_covered++] = (struct covered){ref->host, ref->schema,
		(ref->flags & BLOCK_LATE) != 0, ref->logged_from, ref->logged_to};
}

static struct table *note_table(struct store *store, const struct block_ref *ref)
{
	names_note(&store->names, ref->schema, ref->host);
	struct host *host = hosts_get(&store->hosts, ref->host);
	const struct named_schema *schema = names_schema(&store->names, ref->schema);
	if (!host || !schema)
		return NULL;
	struct table *table = host_table(host, ref->schema);
	return table ? table : host_make_table(host, schema);
}

static void note_place(const struct ring_place *place, void *arg)
{
	struct noting *noting = arg;
	const struct block_ref *ref = &place->ref;
	if (ref->host != noting->host || ref->schema != noting->schema) {
		struct table *table = note_table(noting->store, ref);
		noting->known = table;
		noting->foreign = table && schema_is_foreign(&table->schema->schema) ? table : NULL;
	}
	noting->host = ref->host;
	noting->schema = ref->schema;
	noting->store->unknown += !noting->known;
	/* What comes for a series from elsewhere may be older than what lies here of it. */
	if (noting->foreign && noting->foreign->last_ms < block_end_ms(ref))
		noting->foreign->last_ms = block_end_ms(ref);
	if (place->tier != STORE_RAW)
		return;
	note_block(noting, place);
	if (ref->logged_to > noting->newest)
		noting->newest = ref->logged_to;
}

/* Those stay whose run has no last block: it will be written again, from the log. */
static void drop_whole_runs(struct store *store)
{
	struct ring_places *parts = &store->parts;
	size_t kept = 0;
	for (size_t i = 0; i < parts->n; i++) {
		const struct block_ref *ref = &parts->at[i].ref;
		bool late = ref->flags & BLOCK_LATE;
		if (!is_covered_by(store,
			    (struct covered){
				    ref->host, ref->schema, late, ref->logged_to, ref->logged_to}))
			parts->at[kept++] = parts->at[i];
	}
	parts->n = kept;
}

static int note_blocks(struct store *store)
{
	struct noting noting = {.store = store};
	for (int tier = 0; tier < STORE_TIERS; tier++) {
		int rc = ring_walk(&store->rings.tiers[tier], note_place, &noting);
		if (rc < 0 && rc != -EBADMSG)
			return rc;
		store->counters.damaged += rc < 0;
		store->half_noted |= rc < 0;
	}
	covered_sort(store->covered, store->n_covered);
	drop_whole_runs(store);
	/* Positions only grow, even where the log itself was lost. */
	store->covered_to = noting.newest;
	uint64_t number = noting.newest / store->super.log_segment_bytes + 1;
	if (number > store->log.next_number)
		store->log.next_number = number;
	return 0;
}

/* ---- records ---- */

/* A number that is missing was in a damaged place: what follows must not be
 * counted against the sweep before it. */
static struct stream *replay_number(struct store *store, const struct log_record *record)
{
	struct agent *agent = agents_get(&store->agents, record->agent);
	struct stream *stream = agent_get_stream(&store->agents, agent, record->stream);
	uint64_t *acked = &stream->acked[record->lane];
	if (record->seq > *acked + 1)
		stream_break(&store->agents, stream);
	if (record->seq > *acked) {
		*acked = record->seq;
		stream->crc[record->lane] = record->sent_crc;
	}
	return stream;
}

/* -EBADMSG: damaged. */
static int decode(struct store *store, const struct log_record *record, struct arrival *arrival)
{
	struct fw_batch batch;
	uint32_t n_columns = arrival->schema->schema.n_columns;
	const struct table *table = host_table(arrival->host, arrival->schema->id);
	uint64_t owner = arrival->stream ? arrival->stream->serial : 0;
	if (fw_batch_open(record->payload, record->length, &store->arena, &batch, NULL) < 0)
		return -EBADMSG;
	if (!batch.key && (!table || !table->last || table->owner != owner))
		return -EBADMSG;
	int64_t *cells = scratch_take(&store->arriving, (size_t)batch.n_sweeps * n_columns + 1);
	const int64_t *state = batch.key ? NULL : table->last;
	if (!cells)
		return -ENOMEM;
	if (fw_batch_decode(&batch, n_columns, state, cells, NULL) < 0)
		return -EBADMSG;
	arrival->times_ms = batch.times_ms;
	arrival->n_sweeps = batch.n_sweeps;
	arrival->interval_ms = batch.interval_ms;
	arrival->key = batch.key;
	arrival->cells = cells;
	if (record->kind != LOG_LAST && record->kind != LOG_ENDED)
		arrival->shift_ms =
			arrival_shift(batch.times_ms, batch.n_sweeps, record->received_ms);
	return batch.n_sweeps > 0 ? 0 : -EBADMSG;
}

static void replay_live(struct store *store, const struct arrival *arrival, uint64_t position)
{
	struct table *table = host_table(arrival->host, arrival->schema->id);
	struct addition add = {
		.t0_ms = arrival->times_ms[0] + arrival->shift_ms,
		.t1_ms = arrival->times_ms[arrival->n_sweeps - 1] + arrival->shift_ms,
		.n_sweeps = arrival->n_sweeps,
	};
	const uint8_t *held = arrival->payload;
	size_t length = arrival->length;
	if (!arrival->key && table && table_needs_new_run(table, &add)) {
		encode_key(arrival, &store->key);
		held = store->key.data;
		length = store->key.length;
	}
	arrive_live(store, arrival, held, length, position);
}

static int replay_sweeps(struct store *store, const struct log_record *record)
{
	bool by_agent = record->kind == LOG_BATCH || record->stream != 0;
	struct arrival arrival = {
		.kind = record->kind,
		.lane = (enum store_lane)record->lane,
		.host = hosts_get(&store->hosts, record->host),
		.schema = names_schema(&store->names, record->schema),
		.agent = by_agent ? record->agent : NULL,
		.payload = record->payload,
		.length = record->length,
		.seq = record->seq,
		.received_ms = record->received_ms,
	};
	if (record->kind == LOG_BATCH) {
		arrival.stream = replay_number(store, record);
	} else if (by_agent) {
		struct agent *agent = agents_get(&store->agents, record->agent);
		arrival.stream = agent_get_stream(&store->agents, agent, record->stream);
	}
	names_note(&store->names, record->schema, record->host);
	fw_arena_reset(&store->arena);
	if (!arrival.host || !arrival.schema) {
		store->unknown++;
		return 0;
	}
	int rc = decode(store, record, &arrival);
	if (rc == -EBADMSG)
		store->counters.damaged++;
	else if (rc == 0 && arrival.lane == STORE_BACKLOG)
		arrive_late(store, &arrival, record->position);
	else if (rc == 0)
		replay_live(store, &arrival, record->position);
	return rc == -EBADMSG ? 0 : rc;
}

struct replay {
	struct store *store;
	int rc;
};

static void replay(const struct log_record *record, void *arg)
{
	struct replay *replay = arg;
	struct store *store = replay->store;
	if (replay->rc < 0)
		return;
	switch (record->kind) {
	case LOG_STREAMS:
		agents_take_entries(&store->agents, record->payload, record->length);
		break;
	case LOG_HOSTS:
		hosts_take_entries(&store->hosts, record->payload, record->length);
		break;
	case LOG_BATCH:
	case LOG_CELLS:
	case LOG_ENDED:
	case LOG_LAST:
		replay->rc = replay_sweeps(store, record);
		break;
	case LOG_DOCUMENT:
	case LOG_EVENT:
		replay_number(store, record);
		names_note(&store->names, 0, record->host);
		owner_note(
			hosts_get(&store->hosts, record->host), record->agent, record->received_ms);
		records_found(store, record);
		break;
	case LOG_CARRIED:
		names_note(&store->names, 0, record->host);
		records_found(store, record);
		break;
	case LOG_RELEASED:
		records_release(store, record->seq);
		break;
	case LOG_SAMPLES:
	case LOG_BUNDLED:
		store->counters.damaged += foreign_replay(store, record) < 0;
		break;
	case LOG_READY:
	case LOG_KINDS:
		break;
	}
}

/* ---- segments ---- */

struct look {
	uint64_t first_commit;
	bool ready;
};

static void look_for_ready(const struct log_record *record, void *arg)
{
	struct look *look = arg;
	look->ready |= record->kind == LOG_READY || record->group != look->first_commit;
}

/* A segment whose head was not finished does not count: nothing was moved into it. */
static int is_ready(const struct log *log, unsigned slot)
{
	struct look look = {.first_commit = log_position(log, log->slots[slot].number, 0)};
	uint64_t end;
	int rc = log_walk(log, slot, look_for_ready, &look, &end);
	return rc < 0 ? rc : look.ready;
}

static int next_slot(const struct log *log, uint64_t from)
{
	int next = -1;
	for (unsigned i = 0; i < LOG_SLOTS; i++) {
		uint64_t number = log->slots[i].number;
		if (number >= from && number > 0 && (next < 0 || number < log->slots[next].number))
			next = (int)i;
	}
	return next;
}

static int replay_segment(struct store *store, unsigned slot)
{
	struct replay to = {.store = store};
	store->log.active = slot;
	int damaged = log_walk(&store->log, slot, replay, &to, &store->log.end);
	if (damaged > 0)
		store->counters.damaged += (unsigned)damaged;
	return damaged < 0 ? damaged : to.rc;
}

/* 1 when the newest segment can be written on. */
static int replay_log(struct store *store)
{
	struct log *log = &store->log;
	uint64_t from = store->super.log_first;
	int rc = 0;
	bool any = false;
	for (int slot; rc >= 0 && (slot = next_slot(log, from)) >= 0; any = true) {
		from = log->slots[slot].number + 1;
		int ready = next_slot(log, from) < 0 ? is_ready(log, (unsigned)slot) : 1;
		if (ready <= 0)
			return ready;
		rc = replay_segment(store, (unsigned)slot);
	}
	return rc < 0 ? rc : any;
}

static void add_hosts(struct store *store)
{
	for (uint32_t id = 1; id <= store->names.n_hosts; id++) {
		const struct named_host *name = names_host(&store->names, id);
		if (name)
			hosts_add(&store->hosts, name);
	}
}

static void know_foreigners(struct store *store)
{
	uint32_t count = hosts_count(&store->hosts);
	for (uint32_t id = 0; id < count; id++) {
		struct host *host = hosts_known(&store->hosts, id);
		for (struct table *table = host ? host->tables : NULL; table; table = table->next) {
			if (!schema_is_foreign(&table->schema->schema))
				continue;
			foreigners_know(&store->foreigners, host, table->schema);
			atomic_fetch_add(&store->n_foreign, table->schema->schema.n_columns);
		}
	}
}

static void tell_damage(struct store *store)
{
	uint64_t places = store->counters.damaged, unknown = store->unknown;
	damage_found(&store->damage, places, "%llu places of the log and of indices",
		(unsigned long long)places);
	damage_found(&store->damage, unknown,
		"%llu blocks and records are of hosts or schemas that are not known",
		(unsigned long long)unknown);
	store->counters.damaged = store->damage.n;
}

int store_replay(struct store *store, struct fw_err *err)
{
	add_hosts(store);
	int rc = note_blocks(store);
	if (rc < 0)
		return fw_fail_sys(err, rc, "cannot read the store's indices in %s", store->dir);
	rc = replay_log(store);
	if (rc >= 0)
		log_look_at_end(log_end(&store->log), store->covered_to, &store->damage);
	fw_free(store->covered);
	store->covered = NULL;
	store->n_covered = 0;
	store->has_news = false;
	know_foreigners(store);
	tell_damage(store);
	return rc < 0 ? fw_fail_sys(err, rc, "cannot read the store's log in %s", store->dir) : rc;
}

/* Positions only grow: nothing is written again to one that a block has. Nor is what comes
 * trusted to a segment whose header is damaged. */
static bool can_be_written_on(const struct store *store)
{
	const struct log *log = &store->log;
	if (log->slots[log->active].guessed)
		return false;
	return log_end(log) > store->covered_to;
}

/* What is read again at the next start must have its blocks still, or it would come back from the
 * dead: until the log goes to another segment, the ring, whose blocks are smaller than their
 * records, must not come round. It is eight segments of the log long, and two where it is as
 * small as may be. */
static bool ring_outlives_log(const struct store *store)
{
	const struct log *log = &store->log;
	const struct super_tier *raw = &store->super.tiers[STORE_RAW];
	uint64_t segment_bytes = store->super.log_segment_bytes;
	uint64_t segments = log->slots[log->active].number + 1 - store->super.log_first;
	return segments * segment_bytes <= raw->segments * raw->segment_bytes / 4 * 3;
}

/* A digest would take a part for the whole of what it says of the log. */
static int void_parts(struct store *store)
{
	int rc = 0;
	for (size_t i = 0; i < store->parts.n && rc >= 0; i++)
		rc = ring_void(raw_ring(store), &store->parts.at[i]);
	return rc;
}

static int go_on(struct store *store, bool whole)
{
	int rc = log_settle(&store->log);
	if (rc >= 0)
		rc = void_parts(store);
	if (rc >= 0)
		rc = flush_closed(store);
	if (rc >= 0 && !(whole && can_be_written_on(store) && ring_outlives_log(store)))
		rc = writer_switch_log(store, false);
	if (rc >= 0)
		follow_show(store);
	return rc;
}

int store_recover(struct store *store, struct fw_err *err)
{
	int rc = store_replay(store, err);
	if (rc < 0)
		return rc;
	rc = go_on(store, rc > 0);
	fw_free(store->parts.at);
	store->parts = (struct ring_places){0};
	if (rc < 0)
		return fw_fail_sys(err, rc, "cannot write the store's log in %s", store->dir);
	return store->half_noted ? 0 : names_compact(&store->names, store->dir, err);
}
