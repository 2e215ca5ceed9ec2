/* SPDX-License-Identifier: Apache-2.0 */
#include "host.h"

#include <assert.h>
#include <string.h>

#include <fenwatch/batch.h>
#include <fenwatch/mem.h>

#include "bytes.h"
#include "foreign.h"
#include "store.h"

enum {
	FIRST_RUN_LEAST = 6,
	RUN_BYTES = 64 * 1024,
	RUN_SPAN_MS = 3600 * 1000,
	TABLES_FEW = 16,
	ENTRY_BYTES = 36
};

void hosts_init(struct hosts *hosts)
{
	pthread_mutex_init(&hosts->growing, NULL);
}

static void free_table(struct table *table)
{
	while (table->first)
		table_drop_run(table, table->first);
	fw_free(table->last);
	fw_free(table->spans);
	fw_free(table);
}

static void free_host(struct host *host)
{
	while (host->tables) {
		struct table *table = host->tables;
		host->tables = table->next;
		free_table(table);
	}
	pthread_mutex_destroy(&host->lock);
	fw_free(host->by_schema);
	fw_free(host);
}

void hosts_done(struct hosts *hosts)
{
	uint32_t count = hosts_count(hosts);
	for (uint32_t id = 0; id < count; id++) {
		struct host *host = hosts_get(hosts, id);
		if (host)
			free_host(host);
	}
	for (size_t i = 0; i * HOSTS_OF_PAGE < count; i++)
		fw_free(hosts->pages[i]);
	pthread_mutex_destroy(&hosts->growing);
}

static struct hosts_page *make_page(struct hosts *hosts, uint32_t id)
{
	_Atomic(struct hosts_page *) *at = &hosts->pages[id / HOSTS_OF_PAGE];
	if (!atomic_load(at))
		atomic_store(at, (struct hosts_page *)fw_alloc(sizeof(struct hosts_page)));
	return atomic_load(at);
}

static struct host *make_host(const struct named_host *name)
{
	struct host *host = fw_alloc(sizeof *host);
	host->id = name->id;
	host->name = name;
	host->is_device = strcmp(fw_label_value(name->labels, name->n_labels, "job"), "node") != 0;
	pthread_mutex_init(&host->lock, NULL);
	return host;
}

struct host *hosts_add(struct hosts *hosts, const struct named_host *name)
{
	assert(name->id < NAME_ID_LIMIT);
	pthread_mutex_lock(&hosts->growing);
	_Atomic(struct host *) *at = &make_page(hosts, name->id)->by_id[name->id % HOSTS_OF_PAGE];
	if (!atomic_load(at))
		atomic_store(at, make_host(name));
	if (name->id >= atomic_load(&hosts->count))
		atomic_store(&hosts->count, name->id + 1);
	struct host *host = atomic_load(at);
	pthread_mutex_unlock(&hosts->growing);
	return host;
}

struct host *hosts_get(struct hosts *hosts, uint32_t id)
{
	if (id >= hosts_count(hosts))
		return NULL;
	struct hosts_page *page =
		atomic_load_explicit(&hosts->pages[id / HOSTS_OF_PAGE], memory_order_acquire);
	return page ? atomic_load_explicit(&page->by_id[id % HOSTS_OF_PAGE], memory_order_acquire)
		    : NULL;
}

struct host *hosts_known(struct hosts *hosts, uint32_t id)
{
	struct host *host = hosts_get(hosts, id);
	return host && !atomic_load(&host->name->forgotten) ? host : NULL;
}

uint32_t hosts_count(struct hosts *hosts)
{
	return atomic_load_explicit(&hosts->count, memory_order_acquire);
}

void host_put(struct fw_buf *out, const struct host *host)
{
	uint8_t entry[ENTRY_BYTES];
	put_u32(entry, host->id);
	memcpy(entry + 4, host->agent, 16);
	put_u64(entry + 20, (uint64_t)host->newest_ms);
	put_u64(entry + 28, (uint64_t)(host->newest_ms ? host->received_ms : host->record_ms));
	fw_buf_append(out, entry, sizeof entry);
}

void hosts_take_entries(struct hosts *hosts, const uint8_t *data, size_t length)
{
	for (; length >= ENTRY_BYTES; data += ENTRY_BYTES, length -= ENTRY_BYTES) {
		struct host *host = hosts_get(hosts, get_u32(data));
		if (!host)
			continue;
		memcpy(host->agent, data + 4, 16);
		host->newest_ms = (int64_t)get_u64(data + 20);
		host->received_ms = (int64_t)get_u64(data + 28);
		if (host->newest_ms == 0) { /* what came were documents and events */
			host->record_ms = host->received_ms;
			host->received_ms = 0;
		}
	}
}

/* ---- tables by schema: a host of a foreign sender may have thousands ---- */

static struct table **slot_of(const struct host *host, uint32_t schema)
{
	size_t at = schema * 2654435761u & (host->slots - 1);
	while (host->by_schema[at] && host->by_schema[at]->schema->id != schema)
		at = (at + 1) & (host->slots - 1);
	return &host->by_schema[at];
}

static void index_tables_anew(struct host *host)
{
	fw_free(host->by_schema);
	host->slots = host->slots ? 4 * host->slots : 8 * TABLES_FEW;
	host->by_schema = fw_alloc_array(host->slots, sizeof(struct table *));
	for (struct table *table = host->tables; table; table = table->next)
		*slot_of(host, table->schema->id) = table;
}

/* The host's lock is held. */
static void add_table(struct host *host, struct table *table)
{
	table->next = host->tables;
	host->tables = table;
	host->n_tables++;
	if (host->n_tables > TABLES_FEW && 2 * host->n_tables > host->slots)
		index_tables_anew(host);
	else if (host->slots)
		*slot_of(host, table->schema->id) = table;
}

struct table *host_table(struct host *host, uint32_t schema)
{
	pthread_mutex_lock(&host->lock);
	struct table *table = host->slots ? *slot_of(host, schema) : host->tables;
	while (table && table->schema->id != schema)
		table = table->next;
	pthread_mutex_unlock(&host->lock);
	return table;
}

/* The first run is cut at another length for every host and schema, so that a fleet that
 * began together does not write its blocks together for ever: at any time its hosts have
 * half a block waiting, on the whole. */
struct table *host_make_table(struct host *host, const struct named_schema *schema)
{
	struct table *table = fw_alloc(sizeof *table);
	table->host = host;
	table->schema = schema;
	table->run_limit = FIRST_RUN_LEAST +
		(host->id * 7 + schema->id * 11) % (STORE_BLOCK_SWEEPS - FIRST_RUN_LEAST);
	pthread_mutex_lock(&host->lock);
	add_table(host, table);
	pthread_mutex_unlock(&host->lock);
	return table;
}

struct run *table_open_run(const struct table *table)
{
	for (struct run *run = table->first; run; run = run->next) {
		if (!run->closed)
			return run;
	}
	return NULL;
}

bool table_needs_new_run(const struct table *table, const struct addition *add)
{
	const struct run *run = table_open_run(table);
	return add->late || !run || add->t0_ms <= run->t1_ms ||
		run->n_sweeps + add->n_sweeps > FW_SWEEPS_LIMIT ||
		add->t1_ms - run->t0_ms > RUN_SPAN_MS;
}

struct run *table_begin_run(struct table *table, const struct addition *add, int64_t now_ms)
{
	struct run *run = fw_alloc(sizeof *run);
	run->table = table;
	run->t0_ms = add->t0_ms;
	run->opened_ms = now_ms;
	run->late = add->late;
	run->logged_from = add->logged;
	if (table->newest)
		table->newest->next = run;
	else
		table->first = run;
	table->newest = run;
	return run;
}

static void hold(struct run *run, const struct addition *add)
{
	struct held *held = fw_alloc(sizeof *held + add->length);
	held->shift_ms = add->shift_ms;
	held->length = (uint32_t)add->length;
	memcpy(held->data, add->data, add->length);
	if (run->last)
		run->last->next = held;
	else
		run->first = held;
	run->last = held;
	run->bytes += add->length;
	run->n_sweeps += add->n_sweeps;
	run->t1_ms = add->t1_ms;
	run->logged_to = add->logged;
}

bool table_overlaps(const struct table *table, const struct addition *add)
{
	const struct run *open = table_open_run(table);
	return open && add->t0_ms <= open->t1_ms && add->t1_ms >= open->t0_ms;
}

bool table_add(struct table *table, const struct addition *add, int64_t now_ms)
{
	struct run *run = NULL;
	if (table_needs_new_run(table, add)) {
		struct run *open = table_open_run(table);
		/* A late batch leaves the open run alone unless they cover the same times:
		 * then the run ends here, so that what was logged last stays told apart. */
		if (open && (!add->late || table_overlaps(table, add)))
			open->closed = true;
		run = table_begin_run(table, add, now_ms);
	} else {
		run = table_open_run(table);
	}
	hold(run, add);
	if (add->late || run->n_sweeps >= table->run_limit || run->bytes >= RUN_BYTES) {
		run->closed = true;
		if (!add->late)
			table->run_limit = STORE_BLOCK_SWEEPS;
	}
	bool pins = !(run->slots & 1u << add->slot);
	run->slots |= 1u << add->slot;
	return pins;
}

void table_drop_run(struct table *table, struct run *run)
{
	struct run **at = &table->first, *before = NULL;
	while (*at != run) {
		before = *at;
		at = &(*at)->next;
	}
	*at = run->next;
	if (table->newest == run)
		table->newest = before;
	while (run->first) {
		struct held *held = run->first;
		run->first = held->next;
		fw_free(held);
	}
	foreign_columns_free(run->columns, table->schema->schema.n_columns);
	fw_free(run);
}
