/* SPDX-License-Identifier: Apache-2.0 */
/* The writer: samples of series from elsewhere into the log and into runs.
 *
 * A record of the log holds those of many series, but of one series at most once, and
 * no more than a run takes: so what a block covers is told by the positions of its
 * first and newest record here, too.
 *
 *   base i64 | host varint, schema varint, count varint, samples counted from base and 0 | ...
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
	PART_MOST = 3 * 10, /* before its samples */
	PIECE_LEAST = 48,
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

static bool takes(const struct run *run, const struct store_sample *samples, size_t n)
{
	return run && run->foreign && run->n_sweeps + n <= FW_SWEEPS_LIMIT &&
		greater(run->t1_ms, samples[n - 1].at_ms) - lesser(run->t0_ms, samples[0].at_ms) <=
		STORE_SPAN_MS;
}

static uint8_t *room_in(struct run *run)
{
	if (!run->first || run->first->length + SAMPLES_MOST > run->capacity) {
		run->capacity = run->capacity ? 2 * run->capacity : PIECE_LEAST;
		struct held *held = fw_realloc(run->first, sizeof *held + run->capacity);
		if (!run->first)
			*held = (struct held){0};
		run->first = run->last = held;
	}
	return run->first->data + run->first->length;
}

static void append(struct run *run, const struct store_sample *sample)
{
	struct samples_state state = {run->t1_ms, run->last_cell};
	if (run->n_sweeps == 0) {
		state = (struct samples_state){0};
		run->t0_ms = sample->at_ms;
	}
	uint8_t *to = room_in(run);
	run->first->length += (uint32_t)samples_put(&state, sample, to);
	run->bytes = run->first->length;
	run->n_sweeps++;
	run->t1_ms = sample->at_ms;
	run->last_cell = sample->cell;
}

int foreign_decode(const struct held *held, int64_t *times_ms, int64_t *cells, uint32_t most)
{
	struct samples_state state = {0};
	uint32_t n = 0;
	for (size_t at = 0; held && at < held->length; n++) {
		struct store_sample sample;
		size_t got = samples_get(&state, held->data + at, held->length - at, &sample);
		if (got == 0 || n == most)
			return -EBADMSG;
		times_ms[n] = sample.at_ms;
		cells[n] = sample.cell;
		at += got;
	}
	return (int)n;
}

/* Puts late samples between those that are there; of equal times the new one stays. */
static void merge(struct run *run, const struct store_sample *samples, size_t n)
{
	int64_t times[FW_SWEEPS_LIMIT], cells[FW_SWEEPS_LIMIT];
	int had = foreign_decode(run->first, times, cells, FW_SWEEPS_LIMIT);
	size_t i = 0, k = 0;
	run->first->length = 0;
	run->n_sweeps = 0;
	while (i < n || (int)k < had) {
		bool old = (int)k < had && (i == n || times[k] < samples[i].at_ms);
		const struct store_sample kept = {times[old ? k : 0], cells[old ? k : 0]};
		if (!old && (int)k < had && times[k] == samples[i].at_ms)
			k++;
		append(run, old ? &kept : &samples[i]);
		k += old;
		i += !old;
	}
}

/* The host's lock is held. */
static struct run *run_for(
	struct table *table, const struct store_sample *samples, size_t n, uint64_t position)
{
	struct run *run = table_open_run(table);
	if (takes(run, samples, n))
		return run;
	if (run)
		run->closed = true;
	const struct addition add = {
		.t0_ms = samples[0].at_ms,
		.logged = position,
		.late = samples[0].at_ms <= table->last_ms,
	};
	run = table_begin_run(table, &add, fw_mono_ms());
	run->foreign = true;
	return run;
}

static void keep(struct store *store, struct table *table, const struct store_sample *samples,
	size_t n, uint64_t position)
{
	unsigned slot = log_slot_of(&store->log, position);
	struct run *run = run_for(table, samples, n, position);
	if (run->n_sweeps > 0 && samples[0].at_ms <= run->t1_ms)
		merge(run, samples, n);
	else
		for (size_t i = 0; i < n; i++)
			append(run, &samples[i]);
	run->logged_to = position;
	if (!(run->slots & 1u << slot))
		store->log.slots[slot].pins++;
	run->slots |= 1u << slot;
	if (run->n_sweeps >= table->run_limit) {
		run->closed = true;
		table->run_limit = STORE_BLOCK_SWEEPS;
	}
	store->counters.late += run->late ? n : 0;
}

/* The newest by time, whenever it came. What lies on disk may be newer than all that is
 * known here: then there is none. */
static void set_last(struct table *table, const struct store_sample *newest, int64_t received_ms)
{
	if (newest->at_ms < table->last_ms)
		return;
	if (!table->last)
		table->last = fw_alloc(sizeof *table->last);
	*table->last = newest->cell;
	table->last_ms = newest->at_ms;
	table->received_ms = received_ms;
	table->owner = table->owner_stream = 0;
	table->made_here = true;
	table->ended = false;
}

static void end_run(struct table *table)
{
	struct run *run = table_open_run(table);
	if (run)
		run->closed = true;
}

struct part {
	struct table *table;
	const struct store_sample *samples;
	size_t n;
	uint64_t position;
	int64_t received_ms;
};

static void arrive(struct store *store, const struct part *part)
{
	struct table *table = part->table;
	struct host *host = table->host;
	pthread_mutex_lock(&host->lock);
	if (is_covered_in(store, host->id, table->schema->id, part->position))
		end_run(table);
	else
		keep(store, table, part->samples, part->n, part->position);
	queue_closed(store, table);
	table->foreign = true;
	set_last(table, &part->samples[part->n - 1], part->received_ms);
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
	fw_buf_put_varint(out, chunk->foreign->host->id);
	fw_buf_put_varint(out, chunk->foreign->schema->id);
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

static struct table *table_of(struct foreign *foreign)
{
	if (!foreign->table)
		foreign->table = host_table(foreign->host, foreign->schema->id);
	if (!foreign->table)
		foreign->table = host_make_table(foreign->host, foreign->schema);
	return foreign->table;
}

static void arrive_all(struct store *store, const struct store_entry *entry, struct cursor from,
	const struct cursor *to, uint64_t position)
{
	struct chunk chunk;
	while ((from.series != to->series || from.sample != to->sample) &&
		next_chunk(entry, &from, &chunk)) {
		arrive(store,
			&(struct part){table_of(chunk.foreign), chunk.samples, chunk.n, position,
				entry->received_ms});
		store->counters.sweeps += chunk.n;
		store->counters.samples += chunk.n;
	}
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
		.kind = LOG_SAMPLES,
		.seq = BATCH_UNNUMBERED,
		.received_ms = entry->received_ms,
		.payload = store->made.data,
		.length = store->made.length,
	};
	arrive_all(store, entry, from, at, log_append(&store->log, &record));
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

static bool take_part(const uint8_t **at, const uint8_t *end, int64_t base_ms,
	struct store_sample *samples, struct foreign_part *out)
{
	uint64_t host, schema, n;
	struct samples_state state = {base_ms, 0};
	if (!take_number(at, end, NAME_ID_LIMIT, &host) ||
		!take_number(at, end, NAME_ID_LIMIT, &schema) ||
		!take_number(at, end, FW_SWEEPS_LIMIT, &n) || n == 0)
		return false;
	for (uint64_t i = 0; i < n; i++) {
		size_t got = samples_get(&state, *at, (size_t)(end - *at), &samples[i]);
		if (got == 0 || samples[i].at_ms < 0 ||
			(i > 0 && samples[i].at_ms <= samples[i - 1].at_ms))
			return false;
		*at += got;
	}
	*out = (struct foreign_part){(uint32_t)host, (uint32_t)schema, samples, (size_t)n};
	return true;
}

int foreign_walk(const uint8_t *payload, size_t length,
	void (*on_part)(const struct foreign_part *part, void *arg), void *arg)
{
	struct store_sample samples[FW_SWEEPS_LIMIT];
	const uint8_t *at = payload + BASE_BYTES, *end = payload + length;
	if (length < BASE_BYTES)
		return -EBADMSG;
	int64_t base_ms = (int64_t)get_u64(payload);
	while (at < end) {
		struct foreign_part part;
		if (!take_part(&at, end, base_ms, samples, &part))
			return -EBADMSG;
		on_part(&part, arg);
	}
	return 0;
}

struct replay {
	struct store *store;
	const struct log_record *record;
	bool lost; /* a name that it mentions */
};

static void replay_part(const struct foreign_part *part, void *arg)
{
	struct replay *replay = arg;
	struct store *store = replay->store;
	struct host *host = hosts_get(&store->hosts, part->host);
	const struct named_schema *schema = names_schema(&store->names, part->schema);
	names_skip_ids(&store->names, part->schema, part->host);
	if (!host || !schema || schema->schema.n_columns != 1) {
		replay->lost = true;
		return;
	}
	struct table *table = host_table(host, part->schema);
	if (!table)
		table = host_make_table(host, schema);
	arrive(store,
		&(struct part){table, part->samples, part->n, replay->record->position,
			replay->record->received_ms});
}

int foreign_replay(struct store *store, const struct log_record *record)
{
	struct replay replay = {.store = store, .record = record};
	int rc = foreign_walk(record->payload, record->length, replay_part, &replay);
	return rc < 0 || replay.lost ? -EBADMSG : 0;
}
