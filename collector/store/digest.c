/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "internal.h"
#include "rows.h"

enum {
	SOURCES_PART = 4,  /* of a ring's segments are digested at most at once */
	ROWS_A_BLOCK = 60, /* before they are joined */
};

/* One host and schema on its way. */
struct work {
	const struct block_ref *table;
	const struct fw_schema *schema;
	const struct fw_column *columns, *row_columns; /* of what is joined; of its rows */
	uint32_t n_columns;
	struct ring *above; /* NULL: none */
	int64_t last_ms;
};

static struct ring *ring_of(struct store *store)
{
	return &store->rings.tiers[store->digest.tier];
}

void digest_done(struct digest *digest)
{
	fw_free(digest->sources);
	fw_free(digest->members.at);
	fw_free(digest->late.at);
	fw_free(digest->pile.cells.cells);
	fw_buf_done(&digest->block);
	body_done(&digest->body);
	rows_done(&digest->rows);
	*digest = (struct digest){.seals = digest->seals};
}

/* ---- what there is to do ---- */

/* Do the sources have so many sweeps of a host that joining them pays in full? */
static bool fills_blocks(struct ring_segment *const *sources, size_t n)
{
	uint64_t sweeps = 0, tables = 0;
	for (size_t s = 0; s < n; s++) {
		const struct index *index = &sources[s]->index;
		uint64_t here = index_tables(index);
		for (size_t i = 0; i < index->n; i++)
			sweeps += index->refs[i].n_sweeps;
		tables = here > tables ? here : tables;
	}
	return sweeps >= tables * STORE_JOINED_SWEEPS;
}

static void begin(struct digest *digest, struct ring *ring, enum segment_kind lane,
	struct ring_segment *const *sources, size_t n)
{
	digest->sources = fw_alloc_array(n, sizeof *digest->sources);
	digest->n_sources = n;
	for (size_t i = 0; i < n; i++)
		digest->sources[i] = (struct digest_source){sources[i], 0};
	digest->upto = sources[n - 1]->number;
	digest->tier = ring->tier;
	digest->lane = lane;
	digest->running = true;
	ring->held[lane] = digest->upto;
}

static bool begin_where_due(struct digest *digest, struct ring *ring, enum segment_kind lane)
{
	struct ring_segment **sources = fw_alloc_array(ring->n_segments + 1, sizeof *sources);
	size_t n = ring_undigested(ring, lane, sources), most = ring->n_segments / SOURCES_PART;
	n = n < most ? n : most;
	if (n > 0 && (n == most || lane == SEGMENT_LATE || fills_blocks(sources, n)))
		begin(digest, ring, lane, sources, n);
	fw_free(sources);
	return digest->running;
}

static bool find_work(struct store *store)
{
	uint64_t seals = 1;
	for (int tier = 0; tier < STORE_TIERS; tier++)
		seals += store->rings.tiers[tier].seals;
	if (store->digest.seals == seals)
		return false;
	for (int tier = 0; tier < STORE_TIERS; tier++)
		for (int lane = 0; lane < LANES_DIGESTED; lane++)
			if (begin_where_due(&store->digest, &store->rings.tiers[tier],
				    (enum segment_kind)lane))
				return true;
	store->digest.seals = seals;
	return false;
}

/* ---- one host and schema ---- */

static const struct block_ref *peek(const struct digest_source *source)
{
	const struct index *index = &source->segment->index;
	return source->next < index->n ? &index->refs[source->next] : NULL;
}

/* The first table that is left in any source; NULL: none. */
static const struct block_ref *next_table(struct store *store)
{
	const struct block_ref *first = NULL;
	for (size_t i = 0; i < store->digest.n_sources; i++) {
		const struct block_ref *ref = peek(&store->digest.sources[i]);
		if (ref && (!first || block_compare(ref, first) < 0))
			first = ref;
	}
	return first;
}

static int by_time(const void *a, const void *b)
{
	const struct ring_place *x = a, *y = b;
	if (x->ref.t0_ms != y->ref.t0_ms)
		return x->ref.t0_ms < y->ref.t0_ms ? -1 : 1;
	return x->ref.logged_to < y->ref.logged_to ? -1 : x->ref.logged_to > y->ref.logged_to;
}

/* Takes all blocks of the table from the sources, in the order of their times. */
static void take_members(struct store *store, const struct block_ref *table)
{
	struct digest *digest = &store->digest;
	const struct ring *ring = ring_of(store);
	digest->members.n = 0;
	for (size_t i = 0; i < digest->n_sources; i++) {
		struct digest_source *source = &digest->sources[i];
		const struct block_ref *ref;
		for (; (ref = peek(source)) && block_same_table(ref, table); source->next++)
			ring_add_place(&digest->members, ring, source->segment, ref);
	}
	if (digest->members.n)
		qsort(digest->members.at, digest->members.n, sizeof *digest->members.at, by_time);
}

/* Late blocks in the same times, which lie between others in the log. */
static int find_late(struct store *store)
{
	struct digest *digest = &store->digest;
	const struct block_ref *first = &digest->members.at[0].ref;
	const struct ring_question question = {
		.host = first->host,
		.schema = first->schema,
		.from_ms = first->t0_ms,
		.to_ms = INT64_MAX,
		.late = true,
	};
	digest->late.n = 0;
	if (digest->tier != STORE_RAW || digest->lane == SEGMENT_LATE)
		return 0;
	int rc = ring_find(ring_of(store), &question, &digest->late);
	return rc == -EBADMSG ? 0 : rc;
}

/* ---- joining ---- */

static void set_out(const struct digest *digest, const struct block_ref *table, uint16_t flags,
	struct block_ref *about)
{
	*about = (struct block_ref){
		.host = table->host,
		.schema = table->schema,
		.flags = (uint16_t)(BLOCK_DIGESTED | flags |
			(digest->lane == SEGMENT_LATE ? BLOCK_LATE : 0)),
		.source = digest->upto,
	};
}

static int write_pile(struct store *store, const struct work *work)
{
	struct pile *pile = &store->digest.pile;
	struct block_ref about;
	if (pile->n_sweeps == 0)
		return 0;
	const struct columns_cells cells = {
		.times_ms = pile->times_ms,
		.cells = pile->cells.cells,
		.to_column = STORE_JOINED_SWEEPS,
		.to_sweep = 1,
		.n_sweeps = pile->n_sweeps,
		.n_columns = work->n_columns,
	};
	set_out(&store->digest, work->table, BLOCK_JOINED, &about);
	about.logged_from = pile->logged_from;
	about.logged_to = pile->logged_to;
	pile->n_sweeps = 0;
	return write_sweeps(store, ring_of(store), &about, &cells, work->columns);
}

/* Of equal times the one logged last wins, so what was logged between two blocks must
 * stay between them. */
static bool late_lies_between(const struct digest *digest, const struct block_ref *ref)
{
	const struct pile *pile = &digest->pile;
	for (size_t i = 0; i < digest->late.n; i++) {
		const struct block_ref *late = &digest->late.at[i].ref;
		if (late->logged_to > pile->logged_from && late->logged_to < ref->logged_to &&
			late->t0_ms <= block_end_ms(ref) && block_end_ms(late) >= pile->times_ms[0])
			return true;
	}
	return false;
}

static bool goes_on_pile(const struct digest *digest, const struct block_ref *ref)
{
	const struct pile *pile = &digest->pile;
	return pile->n_sweeps > 0 && pile->n_sweeps + ref->n_sweeps <= STORE_JOINED_SWEEPS &&
		ref->t0_ms > pile->times_ms[pile->n_sweeps - 1] &&
		block_end_ms(ref) - pile->times_ms[0] <= STORE_SPAN_MS &&
		ref->logged_from >= pile->logged_to && !late_lies_between(digest, ref);
}

static int pile_up(struct store *store, const struct work *work, const struct block_ref *ref)
{
	struct digest *digest = &store->digest;
	struct pile *pile = &digest->pile;
	int rc = goes_on_pile(digest, ref) ? 0 : write_pile(store, work);
	int64_t *to = scratch_take(&pile->cells, (size_t)work->n_columns * STORE_JOINED_SWEEPS + 1);
	if (rc < 0 || !to)
		return rc < 0 ? rc : -ENOMEM;
	if (pile->n_sweeps == 0)
		pile->logged_from = ref->logged_from;
	pile->logged_to = ref->logged_to;
	size_t n = ref->n_sweeps;
	memcpy(pile->times_ms + pile->n_sweeps, digest->body.times_ms, n * sizeof *to);
	for (size_t c = 0; c < work->n_columns; c++)
		memcpy(to + c * STORE_JOINED_SWEEPS + pile->n_sweeps, digest->body.cells + c * n,
			n * sizeof *to);
	pile->n_sweeps += ref->n_sweeps;
	return 0;
}

/* ---- rolling up ---- */

static int write_rows(struct store *store, struct work *work)
{
	struct rows *rows = &store->digest.rows;
	struct block_ref about;
	rows_close(rows);
	if (rows->n == 0)
		return 0;
	const struct columns_cells cells = rows_cells(rows);
	set_out(&store->digest, work->table, 0, &about);
	int rc = write_sweeps(store, work->above, &about, &cells, work->row_columns);
	rows_clear(rows);
	return rc;
}

static int roll_up(struct store *store, struct work *work, const struct block_ref *ref)
{
	struct rows *rows = &store->digest.rows;
	struct columns_cells from = body_cells(&store->digest.body, ref, work->n_columns);
	int rc = ref->t0_ms > work->last_ms ? 0 : write_rows(store, work);
	work->last_ms = block_end_ms(ref);
	while (rc >= 0 && from.n_sweeps > 0) {
		uint32_t took = store->digest.tier == STORE_RAW ? rows_add_sweeps(rows, &from)
								: rows_add_rows(rows, &from);
		from.times_ms += took;
		from.cells += took;
		from.n_sweeps -= took;
		rc = from.n_sweeps > 0 ? write_rows(store, work) : 0;
	}
	return rc;
}

/* ---- a table ---- */

/* A damaged block is lost, alone. One that the disk refuses to read may be there: then
 * nothing is digested. */
static int read_member(struct store *store, const struct work *work, const struct ring_place *place)
{
	struct digest *digest = &store->digest;
	const uint8_t *body;
	size_t length;
	int rc = ring_read(ring_of(store), place, &digest->block, &body, &length);
	if (rc >= 0)
		rc = body_read(&digest->body, &place->ref, body, length, work->n_columns, NULL, 0);
	if (rc >= 0 && digest->tier != STORE_RAW) {
		const struct columns_cells rows =
			body_cells(&digest->body, &place->ref, work->n_columns);
		rc = rows_check(&rows, work->schema->columns, work->schema->n_columns,
			store_bucket_ms(digest->tier));
	}
	if (rc == -EBADMSG) {
		store_unread(store, place);
		return 0;
	}
	return rc < 0 ? rc : 1;
}

static int digest_member(struct store *store, struct work *work, const struct ring_place *place)
{
	int rc = read_member(store, work, place);
	if (rc <= 0)
		return rc;
	if (store->digest.lane != SEGMENT_LATE)
		rc = pile_up(store, work, &place->ref);
	return rc >= 0 && work->above ? roll_up(store, work, &place->ref) : rc;
}

static int digest_members(struct store *store, struct work *work)
{
	int rc = find_late(store);
	for (size_t i = 0; i < store->digest.members.n && rc >= 0; i++)
		rc = digest_member(store, work, &store->digest.members.at[i]);
	if (rc >= 0)
		rc = write_pile(store, work);
	return rc >= 0 && work->above ? write_rows(store, work) : rc;
}

static int prepare_work(struct store *store, const struct block_ref *table, struct work *work)
{
	enum store_tier tier = store->digest.tier;
	const struct fw_schema *schema = work->schema;
	struct fw_column *columns =
		fw_arena_alloc(&store->arena, rows_width(schema->n_columns) * sizeof *columns);
	rows_columns(schema->columns, schema->n_columns, columns);
	work->table = table;
	work->row_columns = columns;
	work->columns = tier == STORE_RAW ? schema->columns : columns;
	work->n_columns = tier == STORE_RAW ? schema->n_columns : rows_width(schema->n_columns);
	if (tier == STORE_HOUR)
		return 0;
	work->above = &store->rings.tiers[tier + 1];
	return rows_begin(&store->digest.rows, schema->columns, schema->n_columns,
		store_bucket_ms((enum store_tier)(tier + 1)), ROWS_A_BLOCK);
}

/* What a forgotten host has left ends here. */
static int digest_table(struct store *store, const struct block_ref *table)
{
	const struct block_ref of = *table;
	const struct named_schema *schema = names_schema(&store->names, of.schema);
	take_members(store, &of);
	if (!schema || !hosts_known(&store->hosts, of.host))
		return 0;
	struct work work = {.schema = &schema->schema, .last_ms = INT64_MIN};
	fw_arena_reset(&store->arena);
	int rc = prepare_work(store, &of, &work);
	if (rc >= 0)
		rc = digest_members(store, &work);
	store->digest.pile.n_sweeps = 0;
	return rc;
}

/* ---- the whole ---- */

static int finish(struct store *store)
{
	struct digest *digest = &store->digest;
	int rc = ring_sync(ring_of(store));
	if (rc >= 0 && digest->tier != STORE_HOUR)
		rc = ring_sync(&store->rings.tiers[digest->tier + 1]);
	if (rc >= 0)
		rc = rings_commit_digest(&store->rings, digest->tier, digest->lane, digest->upto);
	if (rc < 0)
		return rc;
	digest_done(digest); /* megabytes, and the next one may be hours away */
	store->counters.digests++;
	return 1;
}

int digest_step(struct store *store)
{
	struct digest *digest = &store->digest;
	if (!digest->running && !find_work(store))
		return 0;
	const struct block_ref *table = next_table(store);
	if (!table)
		return finish(store);
	int rc = digest_table(store, table);
	if (rc >= 0)
		rc = sync_some(ring_of(store));
	if (rc >= 0 && digest->tier != STORE_HOUR)
		rc = sync_some(&store->rings.tiers[digest->tier + 1]);
	return rc < 0 ? rc : 1;
}
