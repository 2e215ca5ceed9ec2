/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/batch.h>
#include <fenwatch/mem.h>

#include "internal.h"
#include "rows.h"

struct check {
	struct names names;
	struct rings rings;
	struct fw_buf block;
	struct log log;
	struct store_stat *stat;
	struct damage damage;
	struct fw_arena arena;
	struct body_reader body;
	const struct store_inspector *inspector;
	struct map tallies;
	struct covered *covered; /* records that lie in blocks */
	size_t n_covered, covered_capacity;
	uint64_t position; /* of the record that is looked at */
	uint64_t newest;   /* position that a block has */
	uint64_t oldest;   /* of the log; what blocks have from before it need not be known */
	int faults;
};

/* Of one host and schema. */
struct tally {
	struct link link;
	uint32_t host, schema;
	uint64_t sweeps;
};

__attribute__((format(printf, 2, 3))) static void found(
	struct check *check, const char *format, ...)
{
	char sentence[256];
	va_list args;
	va_start(args, format);
	vsnprintf(sentence, sizeof sentence, format, args);
	va_end(args);
	check->faults++;
	if (check->inspector->on_fault)
		check->inspector->on_fault(sentence, check->inspector->arg);
}

static void on_damage(const char *sentence, void *arg)
{
	found(arg, "%s", sentence);
}

static struct tally *tally_of(struct check *check, uint32_t host, uint32_t schema)
{
	const uint32_t key[] = {host, schema};
	uint64_t hash = map_hash(key, sizeof key, 0);
	for (struct link *l = map_find(&check->tallies, hash); l; l = map_again(l)) {
		struct tally *tally = (struct tally *)(void *)l;
		if (tally->host == host && tally->schema == schema)
			return tally;
	}
	struct tally *tally = fw_alloc(sizeof *tally);
	tally->host = host;
	tally->schema = schema;
	map_add(&check->tallies, &tally->link, hash);
	return tally;
}

static void tell_tallies(struct check *check)
{
	for (size_t i = 0; i < check->tallies.n_buckets; i++) {
		for (struct link *l = check->tallies.buckets[i], *next; l; l = next) {
			struct tally *tally = (struct tally *)(void *)l;
			const struct named_host *host = names_host(&check->names, tally->host);
			next = l->next;
			if (check->inspector->on_tally && !atomic_load(&host->forgotten))
				check->inspector->on_tally(
					&(struct store_tally){
						.labels = host->labels,
						.n_labels = host->n_labels,
						.schema =
							&names_schema(&check->names, tally->schema)
								 ->schema,
						.sweeps = tally->sweeps,
					},
					check->inspector->arg);
			fw_free(tally);
		}
	}
	map_done(&check->tallies);
}

static void count_block(struct store_stat *stat, const struct ring_place *place, uint32_t n_columns)
{
	const struct block_ref *ref = &place->ref;
	struct store_tier_stat *tier = &stat->tiers[place->tier];
	if (tier->blocks == 0 || ref->t0_ms < tier->oldest_ms)
		tier->oldest_ms = ref->t0_ms;
	if (tier->blocks == 0 || block_end_ms(ref) > tier->newest_ms)
		tier->newest_ms = block_end_ms(ref);
	tier->blocks++;
	if (place->tier != STORE_RAW)
		return;
	stat->sweeps += ref->n_sweeps;
	stat->samples += (uint64_t)ref->n_sweeps * n_columns;
}

/* A run without its last block will be written again, from the log. */
static void note_covered(struct check *check, const struct block_ref *ref)
{
	if (ref->flags & BLOCK_PARTIAL || ref->logged_to < check->oldest)
		return;
	if (check->n_covered == check->covered_capacity) {
		check->covered_capacity = 2 * check->covered_capacity + 256;
		check->covered = fw_realloc(
			check->covered, check->covered_capacity * sizeof *check->covered);
	}
	check->covered[check->n_covered++] = (struct covered){ref->host, ref->schema,
		(ref->flags & BLOCK_LATE) != 0, ref->logged_from, ref->logged_to};
}

static void check_block(const struct ring_place *place, void *arg)
{
	struct check *check = arg;
	const struct block_ref *ref = &place->ref;
	const struct named_schema *schema = names_schema(&check->names, ref->schema);
	uint32_t n_columns = schema ? schema->schema.n_columns : 0;
	const char *folder = store_tier_name(place->tier);
	const uint8_t *body;
	size_t length;
	if (place->tier == STORE_RAW && ref->logged_to > check->newest)
		check->newest = ref->logged_to;
	int rc = ring_read(&check->rings.tiers[place->tier], place, &check->block, &body, &length);
	if (rc >= 0 && schema)
		rc = body_read(&check->body, ref, body, length,
			place->tier == STORE_RAW ? n_columns : rows_width(n_columns), NULL, 0);
	if (rc < 0)
		found(check, "%s/%04x: the block at %u is damaged", folder, place->segment,
			ref->offset);
	else if (!schema || !names_host(&check->names, ref->host))
		found(check, "%s/%04x: the block at %u is of an unknown %s", folder, place->segment,
			ref->offset, schema ? "host" : "schema");
	else {
		count_block(check->stat, place, n_columns);
		if (place->tier == STORE_RAW) {
			tally_of(check, ref->host, ref->schema)->sweeps += ref->n_sweeps;
			note_covered(check, ref);
		}
	}
	check->stat->damaged_blocks += rc < 0;
}

static void check_ring(struct check *check, struct ring *ring)
{
	struct store_tier_stat *stat = &check->stat->tiers[ring->tier], whole;
	ring_stat(ring, &whole);
	stat->bytes = whole.bytes;
	stat->used_bytes = whole.used_bytes;
	stat->day_bytes = whole.day_bytes;
	stat->day_ms = whole.day_ms;
	if (ring_walk(ring, check_block, check) < 0)
		found(check, "%s: a damaged index", store_tier_name(ring->tier));
}

/* Of the record that is looked at. */
static bool lies_in_block(const struct check *check, uint32_t host, uint32_t schema, bool late)
{
	return covered_has(check->covered, check->n_covered,
		(struct covered){host, schema, late, check->position, check->position});
}

/* What no block has is counted with what blocks have. */
static void count_logged(struct store_stat *stat, uint64_t sweeps, uint64_t samples)
{
	stat->log_sweeps += sweeps;
	stat->sweeps += sweeps;
	stat->log_samples += samples;
	stat->samples += samples;
}

static void check_part(const struct foreign_part *part, void *arg)
{
	struct check *check = arg;
	const struct named_schema *schema = names_schema(&check->names, part->schema);
	if (!schema || part->column >= schema->schema.n_columns ||
		!names_host(&check->names, part->host))
		found(check, "log: samples of an unknown host or series");
	else if (!lies_in_block(check, part->host, part->schema, false) &&
		!lies_in_block(check, part->host, part->schema, true))
		count_logged(check->stat, 0, part->n);
}

static void check_batch(struct check *check, const struct log_record *record)
{
	struct fw_batch batch;
	const struct named_schema *schema = names_schema(&check->names, record->schema);
	fw_arena_reset(&check->arena);
	if (!schema || !names_host(&check->names, record->host))
		found(check, "log at %llu: a record of an unknown host or schema",
			(unsigned long long)record->position);
	else if (fw_batch_open(record->payload, record->length, &check->arena, &batch, NULL) < 0)
		found(check, "log at %llu: a batch that cannot be opened",
			(unsigned long long)record->position);
	else if ((record->kind == LOG_BATCH || record->kind == LOG_CELLS) &&
		!lies_in_block(check, record->host, record->schema, record->lane == STORE_BACKLOG))
		count_logged(check->stat, batch.n_sweeps,
			(uint64_t)batch.n_sweeps * schema->schema.n_columns);
}

static void check_record(const struct log_record *record, void *arg)
{
	struct check *check = arg;
	bool samples = record->kind == LOG_SAMPLES || record->kind == LOG_BUNDLED;
	bool sweeps = record->kind == LOG_BATCH || record->kind == LOG_CELLS ||
		record->kind == LOG_ENDED || record->kind == LOG_LAST;
	check->position = record->position;
	if (samples && foreign_walk(record, check_part, check) < 0)
		found(check, "log at %llu: samples that cannot be read",
			(unsigned long long)record->position);
	if (sweeps)
		check_batch(check, record);
}

static int check_log(struct check *check, uint64_t first, struct fw_err *err)
{
	uint64_t last = 0; /* where the log ends */
	for (unsigned i = 0; i < LOG_SLOTS; i++) {
		uint64_t end;
		if (check->log.slots[i].number < first || check->log.slots[i].number == 0)
			continue;
		if (check->log.slots[i].guessed)
			found(check, "wal/%08x: its header is damaged", i);
		int damaged = log_walk(&check->log, i, check_record, check, &end);
		if (damaged < 0)
			return fw_fail_sys(err, damaged, "cannot read the store's wal/%08x", i);
		if (damaged > 0)
			found(check, "wal/%08x: %d damaged places", i, damaged);
		end = log_position(&check->log, check->log.slots[i].number, end);
		last = end > last ? end : last;
	}
	log_look_at_end(last, check->newest, &check->damage);
	return 0;
}

static int check_files(
	struct check *check, const char *dir, struct super *super, struct fw_err *err)
{
	int rc = names_open(&check->names, dir, super, true, &check->damage, err);
	if (rc >= 0)
		rc = rings_open(&check->rings, dir, super, NULL, &check->damage, err);
	if (rc >= 0)
		rc = log_open(&check->log, dir, super, true, &check->damage, err);
	if (rc < 0)
		return rc;
	check->stat->hosts = check->names.host_map.count;
	check->stat->schemas = check->names.schema_map.count;
	check->oldest = super->log_first * super->log_segment_bytes;
	for (int tier = 0; tier < STORE_TIERS; tier++)
		check_ring(check, &check->rings.tiers[tier]);
	check->stat->oldest_ms = check->stat->tiers[STORE_RAW].oldest_ms;
	check->stat->newest_ms = check->stat->tiers[STORE_RAW].newest_ms;
	check->stat->packed_samples = check->stat->samples;
	check->stat->packed_bytes = check->stat->tiers[STORE_RAW].used_bytes;
	covered_sort(check->covered, check->n_covered);
	return check_log(check, super->log_first, err);
}

int store_check(const char *dir, const struct store_inspector *inspector, struct store_stat *out,
	struct fw_err *err)
{
	struct super super;
	struct store_stat stat = {0};
	struct check check = {.inspector = inspector, .stat = &stat};
	check.damage = (struct damage){.on_damage = on_damage, .arg = &check};
	int rc = super_load(dir, &super, &check.damage, err);
	if (rc < 0)
		return rc;
	rc = check_files(&check, dir, &super, err);
	tell_tallies(&check);
	log_close(&check.log);
	rings_close(&check.rings);
	fw_buf_done(&check.block);
	fw_free(check.covered);
	names_close(&check.names);
	fw_arena_done(&check.arena);
	body_done(&check.body);
	if (rc >= 0 && out)
		*out = stat;
	return rc < 0 ? rc : check.faults;
}
