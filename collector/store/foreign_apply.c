/* SPDX-License-Identifier: Apache-2.0 */
/* The writer: samples of series from elsewhere into the log and into runs.
 *
 * A record of the log holds those of many series, but of one series at most once, and
 * no more than a run takes: so what a block covers is told by the positions of its
 * first and newest record here, too.
 *
 *   base i64 | parts: host varint, schema varint, column varint, count varint, samples
 *
 * whose first sample counts from the base and 0.
 */
#include "foreign.h"

#include <errno.h>
#include <string.h>

#include <fenwatch/batch.h>
#include <fenwatch/clock.h>
#include <fenwatch/mem.h>

#include "bytes.h"
#include "internal.h"

enum {
	RECORD_BYTES = 256 << 10, /* a record is ended at */
	BASE_BYTES = 8,
	PART_MOST = 4 * 10, /* before its samples */
};

struct part {
	struct table *table;
	uint32_t column;
	const struct store_sample *samples;
	size_t n;
	uint64_t position;
	int64_t received_ms;
};

/* ---- runs ---- */

static int64_t lesser(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t greater(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static bool takes(const struct run *run, const struct part *part)
{
	int64_t t0_ms = part->samples[0].at_ms, t1_ms = part->samples[part->n - 1].at_ms;
	return run->columns && run->columns[part->column].n + part->n <= FW_SWEEPS_LIMIT &&
		greater(run->t1_ms, t1_ms) - lesser(run->t0_ms, t0_ms) <= STORE_SPAN_MS;
}

/* All its series have come as far as the newest one. */
static bool is_in_step(const struct run *run)
{
	for (uint32_t i = 0; i < run->table->schema->schema.n_columns; i++)
		if (run->columns[i].n > 0 && run->columns[i].t1_ms != run->t1_ms)
			return false;
	return true;
}

/* Series of one target come in several requests: a run waits a while for the others, so
 * that they have the same times in the block, and in the next one. */
static bool is_full(const struct run *run)
{
	uint32_t limit = run->table->run_limit;
	return run->columns && run->n_sweeps >= limit &&
		(run->n_sweeps >= limit + limit / 4 || is_in_step(run));
}

/* Ends the open run where it cannot take the part: before any part of its record. */
static void make_way(struct store *store, const struct part *part)
{
	struct table *table = part->table;
	struct host *host = table->host;
	pthread_mutex_lock(&host->lock);
	struct run *run = table_open_run(table);
	if (run && (is_full(run) || !takes(run, part))) {
		run->closed = true;
		table->run_limit = is_full(run) ? STORE_BLOCK_SWEEPS : table->run_limit;
		queue_closed(store, table);
	}
	pthread_mutex_unlock(&host->lock);
}

/* The host's lock is held. */
static struct run *run_for(const struct part *part)
{
	struct table *table = part->table;
	struct run *run = table_open_run(table);
	if (run)
		return run;
	const struct addition add = {
		.t0_ms = part->samples[0].at_ms,
		.logged = part->position,
		.late = part->samples[0].at_ms < table->last_ms,
	};
	run = table_begin_run(table, &add, fw_mono_ms());
	run->t1_ms = add.t0_ms;
	run->columns = foreign_columns_new(table->schema->schema.n_columns);
	return run;
}

static void keep(struct store *store, const struct part *part)
{
	unsigned slot = log_slot_of(&store->log, part->position);
	struct run *run = run_for(part);
	struct foreign_column *column = &run->columns[part->column];
	foreign_column_add(column, part->samples, part->n);
	run->t0_ms = lesser(run->t0_ms, part->samples[0].at_ms);
	run->t1_ms = greater(run->t1_ms, column->t1_ms);
	if (column->n > run->n_sweeps)
		run->n_sweeps = column->n;
	run->logged_to = part->position;
	if (!(run->slots & 1u << slot))
		store->log.slots[slot].pins++;
	run->slots |= 1u << slot;
	store->counters.late += run->late ? part->n : 0;
}

/* The newest cells of those series that have a sample at the newest time. What lies on disk
 * may be newer than all that is known here: then there is none. */
static void set_last(const struct part *part)
{
	struct table *table = part->table;
	uint32_t n = table->schema->schema.n_columns;
	const struct store_sample *newest = &part->samples[part->n - 1];
	if (newest->at_ms < table->last_ms)
		return;
	if (!table->last)
		table->last = fw_alloc_array(n, sizeof *table->last);
	for (uint32_t i = 0; i < n && newest->at_ms > table->last_ms; i++)
		table->last[i] = FW_ABSENT;
	table->last[part->column] = newest->cell;
	table->last_ms = newest->at_ms;
	table->received_ms = part->received_ms;
	table->made_here = true;
}

/* What lies on disk from before may be of any of its series. */
static void begin_spans(struct table *table)
{
	const struct span before = {INT64_MIN, table->last_ms}, none = {INT64_MAX, INT64_MIN};
	uint32_t n = table->schema->schema.n_columns;
	table->spans = fw_alloc_array(n, sizeof *table->spans);
	for (uint32_t i = 0; i < n; i++)
		table->spans[i] = table->last_ms > 0 ? before : none;
}

static void note_times(const struct part *part)
{
	struct table *table = part->table;
	if (!table->spans)
		begin_spans(table);
	struct span *span = &table->spans[part->column];
	span->oldest_ms = lesser(span->oldest_ms, part->samples[0].at_ms);
	span->newest_ms = greater(span->newest_ms, part->samples[part->n - 1].at_ms);
}

static void arrive(struct store *store, const struct part *part)
{
	struct table *table = part->table;
	struct host *host = table->host;
	pthread_mutex_lock(&host->lock);
	struct run *run = table_open_run(table);
	if (!is_covered_in(store, host->id, table->schema->id, part->position))
		keep(store, part);
	else if (run)
		run->closed = true;
	queue_closed(store, table);
	table->foreign = true;
	note_times(part);
	set_last(part);
	pthread_mutex_unlock(&host->lock);
}

/* ---- records ---- */

struct cursor {
	size_t series, sample;
};

/* The samples of one series that go into one record. */
struct chunk {
	struct foreign *foreign;
	const struct store_sample *samples;
	size_t n;
};

static bool next_chunk(const struct store_entry *entry, struct cursor *at, struct chunk *out)
{
	while (at->series < entry->n_foreign && at->sample == entry->foreign[at->series].n_samples)
		*at = (struct cursor){at->series + 1, 0};
	if (at->series == entry->n_foreign)
		return false;
	const struct store_foreign *series = &entry->foreign[at->series];
	const struct store_sample *first = &series->samples[at->sample];
	size_t n = 1, left = series->n_samples - at->sample;
	while (n < left && n < FW_SWEEPS_LIMIT && first[n].at_ms - first->at_ms <= STORE_SPAN_MS)
		n++;
	*out = (struct chunk){series->foreign, first, n};
	at->sample += n;
	return true;
}

static int64_t base_of(const struct store_entry *entry)
{
	int64_t base_ms = INT64_MAX;
	for (size_t i = 0; i < entry->n_foreign; i++)
		if (entry->foreign[i].n_samples > 0)
			base_ms = lesser(base_ms, entry->foreign[i].samples[0].at_ms);
	return base_ms;
}

static void put_part(struct fw_buf *out, const struct chunk *chunk, int64_t base_ms)
{
	struct samples_state state = {base_ms, 0};
	fw_buf_put_varint(out, chunk->foreign->bundle->host->id);
	fw_buf_put_varint(out, chunk->foreign->bundle->schema->id);
	fw_buf_put_varint(out, chunk->foreign->column);
	fw_buf_put_varint(out, chunk->n);
	uint8_t *to = fw_buf_reserve(out, chunk->n * SAMPLES_MOST);
	size_t length = 0;
	for (size_t i = 0; i < chunk->n; i++)
		length += samples_put(&state, &chunk->samples[i], to + length);
	to[length] = '\0';
	out->length += length;
}

/* Gathers parts from `at` on until the record is full, or the next series is in it. */
static void gather(struct store *store, const struct store_entry *entry, struct cursor *at,
	int64_t base_ms, size_t most)
{
	struct fw_buf *out = &store->made;
	uint8_t base[BASE_BYTES];
	struct cursor next = *at;
	struct chunk chunk;
	fw_buf_reset(out);
	put_u64(base, (uint64_t)base_ms);
	fw_buf_append(out, base, sizeof base);
	store->foreign_record++;
	while (next_chunk(entry, &next, &chunk)) {
		size_t part = PART_MOST + chunk.n * SAMPLES_MOST;
		if (chunk.foreign->record == store->foreign_record ||
			(out->length > BASE_BYTES && out->length + part > most))
			break;
		chunk.foreign->record = store->foreign_record;
		put_part(out, &chunk, base_ms);
		*at = next;
	}
}

static struct table *table_of(struct host *host, const struct named_schema *schema)
{
	struct table *table = host_table(host, schema->id);
	return table ? table : host_make_table(host, schema);
}

/* Goes through the chunks from one place to another. */
static void each_part(struct store *store, const struct store_entry *entry, struct cursor from,
	const struct cursor *to, uint64_t position,
	void (*on_part)(struct store *store, const struct part *part))
{
	struct chunk chunk;
	while ((from.series != to->series || from.sample != to->sample) &&
		next_chunk(entry, &from, &chunk)) {
		struct bundle *bundle = chunk.foreign->bundle;
		if (!bundle->table)
			bundle->table = table_of(bundle->host, bundle->schema);
		on_part(store,
			&(struct part){bundle->table, chunk.foreign->column, chunk.samples, chunk.n,
				position, entry->received_ms});
	}
}

static void arrive_and_count(struct store *store, const struct part *part)
{
	arrive(store, part);
	store->counters.sweeps += part->n;
	store->counters.samples += part->n;
}

static int write_record(
	struct store *store, const struct store_entry *entry, struct cursor *at, int64_t base_ms)
{
	size_t limit = (size_t)(store->super.log_segment_bytes / 4);
	struct cursor from = *at;
	gather(store, entry, at, base_ms, limit < RECORD_BYTES ? limit : RECORD_BYTES);
	int rc = writer_reserve(store, store->made.length);
	if (rc < 0)
		return rc;
	struct log_record record = {
		.kind = LOG_BUNDLED,
		.seq = BATCH_UNNUMBERED,
		.received_ms = entry->received_ms,
		.payload = store->made.data,
		.length = store->made.length,
	};
	each_part(store, entry, from, at, 0, make_way);
	each_part(store, entry, from, at, log_append(&store->log, &record), arrive_and_count);
	return 0;
}

void foreign_apply(struct store *store, struct store_entry *entry)
{
	struct cursor at = {0}, end = {0};
	struct chunk chunk;
	int64_t base_ms = base_of(entry);
	int rc = 0;
	while (rc >= 0 && next_chunk(entry, &end, &chunk)) {
		rc = write_record(store, entry, &at, base_ms);
		end = at;
	}
	for (size_t i = 0; i < entry->n_foreign; i++)
		store->counters.refused += entry->foreign[i].n_refused > 0;
	if (rc >= 0)
		entry->verdict = STORE_DURABLE;
}

/* ---- reading the log ---- */

static bool take_number(const uint8_t **at, const uint8_t *end, uint64_t most, uint64_t *out)
{
	size_t n = fw_get_varint(*at, (size_t)(end - *at), out);
	*at += n;
	return n > 0 && *out <= most;
}

static bool take_name(
	const uint8_t **at, const uint8_t *end, enum log_kind kind, struct foreign_part *out)
{
	uint64_t host, schema, column = 0;
	if (!take_number(at, end, NAME_ID_LIMIT, &host) ||
		!take_number(at, end, NAME_ID_LIMIT, &schema) ||
		(kind == LOG_BUNDLED && !take_number(at, end, FW_COLUMNS_LIMIT, &column)))
		return false;
	out->host = (uint32_t)host;
	out->schema = (uint32_t)schema;
	out->column = (uint32_t)column;
	return true;
}

static bool take_samples(const uint8_t **at, const uint8_t *end, int64_t base_ms,
	struct store_sample *samples, size_t *out)
{
	uint64_t n;
	struct samples_state state = {base_ms, 0};
	if (!take_number(at, end, FW_SWEEPS_LIMIT, &n) || n == 0)
		return false;
	for (uint64_t i = 0; i < n; i++) {
		size_t got = samples_get(&state, *at, (size_t)(end - *at), &samples[i]);
		if (got == 0 || samples[i].at_ms < 0 ||
			(i > 0 && samples[i].at_ms <= samples[i - 1].at_ms))
			return false;
		*at += got;
	}
	*out = (size_t)n;
	return true;
}

int foreign_walk(const struct log_record *record,
	void (*on_part)(const struct foreign_part *part, void *arg), void *arg)
{
	struct store_sample samples[FW_SWEEPS_LIMIT];
	const uint8_t *at = record->payload + BASE_BYTES, *end = record->payload + record->length;
	if (record->length < BASE_BYTES)
		return -EBADMSG;
	int64_t base_ms = (int64_t)get_u64(record->payload);
	while (at < end) {
		struct foreign_part part = {.samples = samples};
		if (!take_name(&at, end, record->kind, &part) ||
			!take_samples(&at, end, base_ms, samples, &part.n))
			return -EBADMSG;
		on_part(&part, arg);
	}
	return 0;
}

struct replay {
	struct store *store;
	const struct log_record *record;
	void (*on_part)(struct store *store, const struct part *part);
	bool lost; /* a name that it mentions */
};

static void replay_part(const struct foreign_part *part, void *arg)
{
	struct replay *replay = arg;
	struct store *store = replay->store;
	struct host *host = hosts_get(&store->hosts, part->host);
	const struct named_schema *schema = names_schema(&store->names, part->schema);
	names_note(&store->names, part->schema, part->host);
	if (!host || !schema || part->column >= schema->schema.n_columns) {
		replay->lost = true;
		return;
	}
	replay->on_part(store,
		&(struct part){table_of(host, schema), part->column, part->samples, part->n,
			replay->record->position, replay->record->received_ms});
}

int foreign_replay(struct store *store, const struct log_record *record)
{
	struct replay replay = {.store = store, .record = record, .on_part = make_way};
	int rc = foreign_walk(record, replay_part, &replay);
	replay.on_part = arrive;
	if (rc >= 0)
		rc = foreign_walk(record, replay_part, &replay);
	return rc < 0 || replay.lost ? -EBADMSG : 0;
}
