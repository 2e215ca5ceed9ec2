/* SPDX-License-Identifier: Apache-2.0 */
/* The log as a follower reads it: record after record up to what is durable.
 *
 * Differences count against the sweep before, so a follower keeps the last cells of
 * every table that it has seen. In each segment the first record of a table is a key:
 * who begins in the middle of one reads it from its head and is told of nothing before
 * its place.
 */
#include "follow.h"

#include <errno.h>
#include <string.h>

#include <fenwatch/batch.h>
#include <fenwatch/mem.h>

#include "bytes.h"
#include "internal.h"

struct last {
	struct link link;
	uint32_t host, schema;
	int64_t *cells;
};

struct store_follower {
	struct store *store;
	uint64_t at;   /* of the next record */
	uint64_t from; /* nothing before it is told */
	uint64_t number;
	struct scan scan; /* of the segment `number` */
	struct map lasts;
	struct scratch cells;
	struct fw_arena arena;
	store_on_followed *on_sweeps;
	void *arg;
};

/* ---- what the writer shows ---- */

void follow_show(struct store *store)
{
	const struct log *log = &store->log;
	pthread_mutex_lock(&store->lock);
	for (unsigned i = 0; i < LOG_SLOTS; i++) {
		store->shown.numbers[i] = log->slots[i].number;
		store->shown.before[i] = log->slots[i].before;
	}
	store->shown.end = log_position(log, log->slots[log->active].number, log->end);
	pthread_mutex_unlock(&store->lock);
}

static struct log_shown look(struct store *store)
{
	pthread_mutex_lock(&store->lock);
	struct log_shown shown = store->shown;
	pthread_mutex_unlock(&store->lock);
	return shown;
}

uint64_t store_durable_position(struct store *store)
{
	return look(store).end;
}

/* ---- last cells ---- */

static uint64_t hash_of(uint32_t host, uint32_t schema)
{
	return ((uint64_t)host << 32 | schema) * 0x9e3779b97f4a7c15u;
}

static struct last *last_of(struct store_follower *f, uint32_t host, uint32_t schema)
{
	uint64_t hash = hash_of(host, schema);
	for (struct link *at = map_find(&f->lasts, hash); at; at = map_again(at)) {
		struct last *last = (struct last *)(void *)at;
		if (last->host == host && last->schema == schema)
			return last;
	}
	return NULL;
}

static void keep_last(struct store_follower *f, const struct store_followed *sweeps)
{
	size_t n = sweeps->schema->n_columns;
	struct last *last = last_of(f, sweeps->host, sweeps->schema_id);
	if (!last) {
		last = fw_alloc(sizeof *last);
		last->host = sweeps->host;
		last->schema = sweeps->schema_id;
		last->cells = fw_alloc_array(n + 1, sizeof *last->cells);
		map_add(&f->lasts, &last->link, hash_of(last->host, last->schema));
	}
	memcpy(last->cells, sweeps->cells + (sweeps->n_sweeps - 1) * n, n * sizeof *last->cells);
}

static void drop_lasts(struct store_follower *f)
{
	for (size_t i = 0; i < f->lasts.n_buckets; i++) {
		for (struct link *at = f->lasts.buckets[i], *next; at; at = next) {
			struct last *last = (struct last *)(void *)at;
			next = at->next;
			fw_free(last->cells);
			fw_free(last);
		}
	}
	map_done(&f->lasts);
}

/* ---- records ---- */

static bool find_names(
	struct store_follower *f, uint32_t host, uint32_t schema, struct store_followed *out)
{
	const struct host *known = hosts_known(&f->store->hosts, host);
	const struct named_schema *named = names_schema(&f->store->names, schema);
	if (!known || !named)
		return false;
	*out = (struct store_followed){
		.host = host,
		.schema_id = schema,
		.host_labels = known->name->labels,
		.n_host_labels = known->name->n_labels,
		.schema = &named->schema,
	};
	return true;
}

static void tell(struct store_follower *f, const struct store_followed *sweeps, uint64_t position)
{
	if (position >= f->from)
		f->on_sweeps(sweeps, f->arg);
}

static bool decode(struct store_follower *f, const struct log_record *record,
	const struct last *last, struct store_followed *out)
{
	struct fw_batch batch;
	uint32_t n_columns = out->schema->n_columns;
	if (fw_batch_open(record->payload, record->length, &f->arena, &batch, NULL) < 0 ||
		batch.n_sweeps == 0 || (!batch.key && !last))
		return false;
	int64_t *cells = scratch_take(&f->cells, (size_t)batch.n_sweeps * n_columns + 1);
	if (!cells ||
		fw_batch_decode(&batch, n_columns, batch.key ? NULL : last->cells, cells, NULL) < 0)
		return false;
	int64_t shift_ms = record->kind == LOG_LAST || record->kind == LOG_ENDED
		? 0
		: arrival_shift(batch.times_ms, batch.n_sweeps, record->received_ms);
	for (uint32_t i = 0; i < batch.n_sweeps; i++)
		batch.times_ms[i] += shift_ms;
	out->n_sweeps = batch.n_sweeps;
	out->times_ms = batch.times_ms;
	out->cells = cells;
	return true;
}

static void take_sweeps(struct store_follower *f, const struct log_record *record)
{
	struct store_followed sweeps;
	if (!find_names(f, record->host, record->schema, &sweeps))
		return;
	bool live = record->lane == STORE_LIVE;
	const struct last *last = live ? last_of(f, record->host, record->schema) : NULL;
	fw_arena_reset(&f->arena);
	if (!decode(f, record, last, &sweeps))
		return;
	sweeps.before = last ? last->cells : NULL;
	if (record->kind != LOG_LAST)
		tell(f, &sweeps, record->position);
	if (live)
		keep_last(f, &sweeps);
}

struct walking {
	struct store_follower *follower;
	uint64_t position;
};

static void take_part(const struct foreign_part *part, void *arg)
{
	struct walking *walking = arg;
	struct store_followed sweeps;
	int64_t times[FW_SWEEPS_LIMIT], cells[FW_SWEEPS_LIMIT];
	if (!find_names(walking->follower, part->host, part->schema, &sweeps))
		return;
	if (part->column >= sweeps.schema->n_columns)
		return;
	const struct fw_schema alone = {
		.n_columns = 1, .columns = &sweeps.schema->columns[part->column]};
	for (size_t i = 0; i < part->n; i++) {
		int64_t cell = part->samples[i].cell;
		times[i] = part->samples[i].at_ms;
		cells[i] = cell == STORE_ENDED ? FW_ABSENT : cell;
	}
	sweeps.schema = &alone;
	sweeps.n_sweeps = part->n;
	sweeps.times_ms = times;
	sweeps.cells = cells;
	sweeps.foreign = true;
	tell(walking->follower, &sweeps, walking->position);
}

static void take_record(struct store_follower *f, const struct log_record *record)
{
	switch (record->kind) {
	case LOG_BATCH:
	case LOG_CELLS:
	case LOG_ENDED:
	case LOG_LAST:
		take_sweeps(f, record);
		break;
	case LOG_SAMPLES:
	case LOG_BUNDLED:
		foreign_walk(record, take_part, &(struct walking){f, record->position});
		break;
	default:
		break;
	}
}

/* ---- segments ---- */

static int slot_with(const struct log_shown *shown, uint64_t number)
{
	for (int i = 0; i < LOG_SLOTS; i++)
		if (shown->numbers[i] == number && number > 0)
			return i;
	return -1;
}

/* The slot with the least number that is not below; -1: none. */
static int slot_from(const struct log_shown *shown, uint64_t number)
{
	int least = -1;
	for (int i = 0; i < LOG_SLOTS; i++)
		if (shown->numbers[i] >= number && shown->numbers[i] > 0 &&
			(least < 0 || shown->numbers[i] < shown->numbers[least]))
			least = i;
	return least;
}

static uint64_t bytes_of(const struct store_follower *f)
{
	return f->store->super.log_segment_bytes;
}

static void enter(struct store_follower *f, const struct log_shown *shown, int slot)
{
	uint64_t number = shown->numbers[slot];
	if (f->number)
		scan_done(&f->scan);
	f->number = number;
	f->at = number * bytes_of(f) + LOG_HEADER_BYTES;
	scan_init(&f->scan, f->store->log.slots[slot].fd, bytes_of(f), MAGIC_RECORD,
		f->store->super.salt);
}

/* Where the follower's segment ends: by what the next one says of it, or now. Where that one's
 * header is damaged it may go on to the last byte. */
static uint64_t end_of(const struct store_follower *f, const struct log_shown *shown)
{
	int next = slot_from(shown, f->number + 1);
	uint64_t end = next < 0 ? shown->end : shown->before[next];
	return end ? end : (f->number + 1) * bytes_of(f);
}

static bool open_record(struct store_follower *f, struct log_record *record, uint32_t *length)
{
	const uint8_t *at = scan_at(&f->scan, f->at % bytes_of(f), length);
	return at && log_record_open(at, *length, record) && record->position == f->at;
}

/* What was read ahead may be older than what is there now: nothing yet, or a sound record of
 * the slot's life before. */
static bool find_record(struct store_follower *f, struct log_record *record, uint32_t *length)
{
	if (open_record(f, record, length))
		return true;
	f->scan.length = 0;
	return open_record(f, record, length);
}

/* What could not be read may be lost: the log came round, or the disk is damaged. */
static int pass_over(struct store_follower *f, const struct log_shown *shown, int slot)
{
	drop_lasts(f);
	enter(f, shown, slot);
	return -ENODATA;
}

static int read_record(struct store_follower *f)
{
	struct log_record record;
	uint32_t length;
	if (!find_record(f, &record, &length))
		return -EBADMSG;
	f->at += align8(ENVELOPE_BYTES + (uint64_t)length);
	take_record(f, &record);
	return 1;
}

int store_follow_next(struct store_follower *f, store_on_followed *on_sweeps, void *arg)
{
	f->on_sweeps = on_sweeps;
	f->arg = arg;
	for (;;) {
		struct log_shown shown = look(f->store);
		int next = slot_from(&shown, f->number + 1);
		if (slot_with(&shown, f->number) < 0)
			return next < 0 ? 0 : pass_over(f, &shown, next);
		if (f->at < end_of(f, &shown)) {
			int rc = read_record(f);
			if (rc > 0)
				return rc;
			shown = look(f->store);
			next = slot_from(&shown, f->number + 1);
			return next < 0 ? -EBADMSG : pass_over(f, &shown, next);
		}
		if (next < 0)
			return 0;
		enter(f, &shown, next);
	}
}

uint64_t store_follow_position(const struct store_follower *f)
{
	return f->at > f->from ? f->at : f->from;
}

struct store_follower *store_follow(struct store *store, uint64_t from)
{
	struct store_follower *f = fw_alloc(sizeof *f);
	struct log_shown shown = look(store);
	f->store = store;
	f->from = from;
	uint64_t number = from / bytes_of(f);
	int slot = slot_with(&shown, number);
	if (slot < 0 && number > 0 && from % bytes_of(f) == 0)
		slot = slot_with(&shown, number - 1); /* it is full to the last byte */
	if (slot >= 0)
		enter(f, &shown, slot);
	return f;
}

void store_unfollow(struct store_follower *f)
{
	if (!f)
		return;
	if (f->number)
		scan_done(&f->scan);
	drop_lasts(f);
	fw_free(f->cells.cells);
	fw_arena_done(&f->arena);
	fw_free(f);
}
