/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/batch.h>
#include <fenwatch/mem.h>

#include "internal.h"

struct check {
	struct names names;
	struct ring ring;
	struct log log;
	struct store_stat *stat;
	struct fw_arena arena;
	struct body_reader body;
	const struct store_inspector *inspector;
	struct map tallies;
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

static void count_block(struct store_stat *stat, const struct block_ref *ref, uint32_t n_columns)
{
	int64_t last_ms = ref->t0_ms + ref->span_ms;
	if (stat->blocks == 0 || ref->t0_ms < stat->oldest_ms)
		stat->oldest_ms = ref->t0_ms;
	if (stat->blocks == 0 || last_ms > stat->newest_ms)
		stat->newest_ms = last_ms;
	stat->blocks++;
	stat->sweeps += ref->n_sweeps;
	stat->samples += (uint64_t)ref->n_sweeps * n_columns;
}

static void check_block(struct check *check, const struct ring_place *place, struct fw_buf *buf)
{
	const struct block_ref *ref = &place->ref;
	const struct named_schema *schema = names_schema(&check->names, ref->schema);
	const uint8_t *body;
	size_t length;
	int rc = ring_read(&check->ring, place, buf, &body, &length);
	if (rc >= 0 && schema)
		rc = body_read(&check->body, ref, body, length, schema->schema.n_columns, NULL, 0);
	if (rc < 0)
		found(check, "raw/%04x: the block at %u is damaged", place->segment, ref->offset);
	else if (!schema || !names_host(&check->names, ref->host))
		found(check, "raw/%04x: the block at %u is of an unknown %s", place->segment,
			ref->offset, schema ? "host" : "schema");
	else {
		count_block(check->stat, ref, schema->schema.n_columns);
		tally_of(check, ref->host, ref->schema)->sweeps += ref->n_sweeps;
	}
	check->stat->damaged_blocks += rc < 0;
}

static void check_ring(struct check *check)
{
	struct fw_buf buf = {0};
	for (uint32_t i = 0; i < check->ring.n_segments; i++) {
		const struct ring_segment *segment = &check->ring.segments[i];
		for (size_t k = 0; segment->number && k < segment->n_blocks; k++) {
			struct ring_place place = {segment->blocks[k], i, segment->number};
			check_block(check, &place, &buf);
		}
		check->stat->used_bytes += segment->number ? segment->used : 0;
	}
	fw_buf_done(&buf);
}

static void check_record(const struct log_record *record, void *arg)
{
	struct check *check = arg;
	struct fw_batch batch;
	bool sweeps = record->kind == LOG_BATCH || record->kind == LOG_CELLS ||
		record->kind == LOG_ENDED || record->kind == LOG_LAST;
	if (!sweeps)
		return;
	fw_arena_reset(&check->arena);
	if (!names_schema(&check->names, record->schema) ||
		!names_host(&check->names, record->host))
		found(check, "log at %llu: a record of an unknown host or schema",
			(unsigned long long)record->position);
	else if (fw_batch_open(record->payload, record->length, &check->arena, &batch, NULL) < 0)
		found(check, "log at %llu: a batch that cannot be opened",
			(unsigned long long)record->position);
}

static int check_log(struct check *check, uint64_t first, struct fw_err *err)
{
	for (unsigned i = 0; i < LOG_SLOTS; i++) {
		uint64_t end;
		if (check->log.slots[i].number < first || check->log.slots[i].number == 0)
			continue;
		int damaged = log_walk(&check->log, i, check_record, check, &end);
		if (damaged < 0)
			return fw_fail_sys(err, damaged, "cannot read the store's wal/%08x", i);
		if (damaged > 0)
			found(check, "wal/%08x: %d damaged places", i, damaged);
	}
	return 0;
}

static int check_files(
	struct check *check, const char *dir, const struct super *super, struct fw_err *err)
{
	int rc = names_open(&check->names, dir, super, true, err);
	if (rc >= 0)
		rc = ring_open(&check->ring, dir, super, NULL, err);
	if (rc >= 0)
		rc = log_open(&check->log, dir, super, true, err);
	if (rc < 0)
		return rc;
	if (check->names.damaged > 0)
		found(check, "%u damaged names of hosts or schemas", check->names.damaged);
	if (check->ring.damaged > 0)
		found(check, "%llu damaged places in headers and indices of raw segments",
			(unsigned long long)check->ring.damaged);
	check->stat->raw_bytes = super->raw_segments * super->raw_segment_bytes;
	check->stat->hosts = check->names.host_map.count;
	check->stat->schemas = check->names.schema_map.count;
	check_ring(check);
	return check_log(check, super->log_first, err);
}

int store_check(const char *dir, const struct store_inspector *inspector, struct store_stat *out,
	struct fw_err *err)
{
	struct super super;
	int rc = super_load(dir, &super, err);
	if (rc < 0)
		return rc;
	struct store_stat stat = {0};
	struct check check = {.inspector = inspector, .stat = &stat};
	rc = check_files(&check, dir, &super, err);
	tell_tallies(&check);
	log_close(&check.log);
	ring_close(&check.ring);
	names_close(&check.names);
	fw_arena_done(&check.arena);
	body_done(&check.body);
	if (rc >= 0 && out)
		*out = stat;
	return rc < 0 ? rc : check.faults;
}
