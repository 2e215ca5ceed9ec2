/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet.h"

#define SCHEMA_ID 1
#define SEEDLING 0x9e3779b97f4a7c15ull

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t x = (a + 1) * SEEDLING ^ b;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static void put_short(struct fleet *fleet)
{
	Fenwatch__Wire__Schema schema = FENWATCH__WIRE__SCHEMA__INIT;
	schema.id = SCHEMA_ID;
	schema.hash = (ProtobufCBinaryData){FW_SCHEMA_HASH, fleet->schema.hash};
	schema.base_hash = schema.hash;
	fw_wire_put(&fleet->schema_short, FW_FRAME_SCHEMA, &schema.base);
}

void facts_schema(struct fleet *fleet, struct fw_arena *arena)
{
	struct fw_column *columns = fw_arena_alloc(arena, fleet->n_series * sizeof *columns);
	struct fw_buf message = {0};
	for (unsigned i = 0; i < fleet->n_series; i++) {
		struct fw_label *label = fw_arena_alloc(arena, sizeof *label);
		*label = (struct fw_label){"device", fw_arena_format(arena, "dev%u", i % 30)};
		columns[i] = (struct fw_column){
			.name = fw_arena_format(arena, "fleet_fact_%u_total", i / 30),
			.labels = label,
			.n_labels = 1,
			.factor = 1,
			.type = FW_COUNTER,
		};
	}
	columns[0] = (struct fw_column){.name = "fleet_tick", .factor = 1, .type = FW_GAUGE};
	fleet->schema = (struct fw_schema){.n_columns = fleet->n_series, .columns = columns};
	fw_schema_seal(&fleet->schema);
	fw_schema_encode(&fleet->schema, SCHEMA_ID, NULL, &message);
	fw_frame_put(&fleet->schema_message, FW_FRAME_SCHEMA, message.data, message.length);
	fw_buf_done(&message);
	put_short(fleet);
}

static int64_t fact(uint64_t host, unsigned column, uint64_t tick)
{
	uint64_t seed = mix(host, column), value = seed % 1000000;
	uint64_t rate = 1 + seed % 2000;
	if (column == 0)
		return (int64_t)tick;
	if (column % 10 == 5)
		value += (tick + seed % 64) / 64;
	else if (column % 10 > 5)
		value += tick * rate + mix(seed, tick) % rate;
	return (int64_t)value;
}

static void put_sweep(const struct fleet *fleet, uint64_t host, uint64_t tick, int64_t *cells)
{
	for (unsigned i = 0; i < fleet->n_series; i++)
		cells[i] = fact(host, i, tick);
}

int64_t facts_time_ms(const struct member *member, uint64_t tick)
{
	const struct fleet *fleet = member->fleet;
	uint64_t jitter_ms = fleet->jitter_ms ? mix(member->number, tick) % fleet->jitter_ms : 0;
	return member->epoch_ms + (int64_t)(tick * fleet->interval_ms + jitter_ms);
}

void facts_batch(const struct member *member, const struct piece *piece, uint64_t number,
	bool backlog, struct fw_buf *out)
{
	struct fleet *fleet = member->fleet;
	uint64_t host = (uint64_t)member->number * fleet->n_hosts + piece->host;
	int64_t times_ms[BACKLOG_SWEEPS];
	/* The sweep before comes first. */
	int64_t *state = fleet->cells, *cells = fleet->cells + fleet->n_series;
	struct fw_sweeps sweeps = {piece->host, piece->sweeps, fleet->n_series, times_ms, cells};
	bool key = piece->begins || piece->tick <= member->key_tick;
	for (unsigned i = 0; i < piece->sweeps; i++) {
		times_ms[i] = facts_time_ms(member, piece->tick + i);
		put_sweep(fleet, host, piece->tick + i, cells + (size_t)i * fleet->n_series);
	}
	if (!backlog && !key)
		put_sweep(fleet, host, piece->tick - 1, state);
	if (!backlog)
		fw_batch_encode_live(
			&sweeps, number, SCHEMA_ID, fleet->interval_ms, key ? NULL : state, out);
	else if (fw_batch_encode_backlog(&sweeps, number, SCHEMA_ID, fleet->interval_ms, out) < 0)
		fleet_die(fleet->name, "a batch of the backlog is longer than a frame");
}
