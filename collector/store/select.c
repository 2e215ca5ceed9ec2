/* SPDX-License-Identifier: Apache-2.0 */
/* Which series: matchers are split into those that a host's labels decide, those
 * that the columns decide, and the few that both may. What columns decide is
 * worked out once a schema for all hosts that carry the same of the labels asked
 * for, so a fleet costs little more than its distinct schemas.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "internal.h"

enum { MATCHERS_LIMIT = 64, AHEAD = 4 /* hosts */ };

/* The columns of one schema under the matchers outside `by_host`. */
struct memo {
	struct memo *next;
	const struct named_schema *schema;
	uint64_t by_host; /* matchers whose label the host has */
	uint64_t carried; /* matchers whose label some column has */
	uint32_t *columns;
	size_t n_columns;
};

struct selection {
	struct store *store;
	const struct store_matcher *matchers;
	size_t n_matchers;
	int64_t from_ms, to_ms;
	struct fw_arena *arena;
	struct memo **memos; /* by schema id */
	uint32_t n_memos;
	struct store_group *groups;
	size_t n_groups, capacity;
};

static const char *label_of(const struct fw_label *labels, size_t n_labels, const char *name)
{
	for (size_t i = 0; i < n_labels; i++) {
		if (strcmp(labels[i].name, name) == 0)
			return labels[i].value;
	}
	return NULL;
}

static const char *column_label(const struct fw_column *column, const char *name)
{
	if (strcmp(name, "__name__") == 0)
		return column->name;
	return label_of(column->labels, column->n_labels, name);
}

static bool column_passes(
	const struct selection *s, const struct fw_column *column, uint64_t skip, uint64_t *carried)
{
	bool passes = true;
	for (size_t m = 0; m < s->n_matchers; m++) {
		const char *value = column_label(column, s->matchers[m].name);
		if (value)
			*carried |= (uint64_t)1 << m;
		if (passes && !(skip >> m & 1))
			passes = s->matchers[m].accepts(&s->matchers[m], value ? value : "");
	}
	return passes;
}

static struct memo *memo_of(
	struct selection *s, const struct named_schema *schema, uint64_t by_host)
{
	if (schema->id >= s->n_memos)
		return NULL;
	for (struct memo *memo = s->memos[schema->id]; memo; memo = memo->next) {
		if (memo->by_host == by_host)
			return memo;
	}
	struct memo *memo = fw_arena_alloc(s->arena, sizeof *memo);
	memo->schema = schema;
	memo->by_host = by_host;
	memo->columns = fw_arena_alloc(s->arena, schema->schema.n_columns * sizeof(uint32_t) + 1);
	for (uint32_t i = 0; i < schema->schema.n_columns; i++) {
		if (column_passes(s, &schema->schema.columns[i], by_host, &memo->carried))
			memo->columns[memo->n_columns++] = i;
	}
	memo->next = s->memos[schema->id];
	s->memos[schema->id] = memo;
	return memo;
}

/* Matchers on labels that both have: the column's value counts where it has one. */
static void filter_mixed(const struct selection *s, const struct named_host *host,
	const struct memo *memo, struct store_group *group)
{
	uint64_t mixed = memo->by_host & memo->carried;
	uint32_t *columns = fw_arena_alloc(s->arena, memo->n_columns * sizeof(uint32_t) + 1);
	group->n_columns = 0;
	for (size_t i = 0; i < memo->n_columns; i++) {
		bool passes = true;
		for (size_t m = 0; m < s->n_matchers && passes; m++) {
			if (!(mixed >> m & 1))
				continue;
			const struct store_matcher *matcher = &s->matchers[m];
			const char *value = column_label(
				&memo->schema->schema.columns[memo->columns[i]], matcher->name);
			if (!value)
				value = label_of(host->labels, host->n_labels, matcher->name);
			passes = matcher->accepts(matcher, value);
		}
		if (passes)
			columns[group->n_columns++] = memo->columns[i];
	}
	group->columns = columns;
}

static bool host_passes(const struct selection *s, const struct named_host *host, uint64_t decided)
{
	for (size_t m = 0; m < s->n_matchers; m++) {
		const struct store_matcher *matcher = &s->matchers[m];
		if (decided >> m & 1 &&
			!matcher->accepts(
				matcher, label_of(host->labels, host->n_labels, matcher->name)))
			return false;
	}
	return true;
}

static bool has_sweeps(const struct selection *s, const struct table *table)
{
	bool found = false;
	pthread_mutex_lock(&table->host->lock);
	for (const struct run *run = table->first; run && !found; run = run->next)
		found = run->t0_ms <= s->to_ms && run->t1_ms >= s->from_ms;
	pthread_mutex_unlock(&table->host->lock);
	const struct ring_question question = {
		table->host->id, table->schema->id, s->from_ms, s->to_ms, false};
	for (int tier = 0; tier < STORE_TIERS && !found; tier++)
		found = ring_may_have(&s->store->rings.tiers[tier], &question);
	return found;
}

/* Series from elsewhere begin and end one by one, while their table goes on. */
static void leave_out_others(
	const struct selection *s, const struct table *table, struct store_group *group)
{
	uint32_t *columns = fw_arena_alloc(s->arena, group->n_columns * sizeof *columns + 1);
	size_t n = 0;
	pthread_mutex_lock(&table->host->lock);
	for (size_t i = 0; i < group->n_columns; i++) {
		const struct span *span = table->spans ? &table->spans[group->columns[i]] : NULL;
		if (!span || (span->oldest_ms <= s->to_ms && span->newest_ms >= s->from_ms))
			columns[n++] = group->columns[i];
	}
	pthread_mutex_unlock(&table->host->lock);
	group->columns = columns;
	group->n_columns = n;
}

static void add_group(struct selection *s, const struct store_group *group)
{
	if (s->n_groups == s->capacity) {
		size_t capacity = 2 * s->capacity + 16;
		struct store_group *groups = fw_arena_alloc(s->arena, capacity * sizeof *groups);
		if (s->n_groups)
			memcpy(groups, s->groups, s->n_groups * sizeof *groups);
		s->groups = groups;
		s->capacity = capacity;
	}
	s->groups[s->n_groups++] = *group;
}

static void select_table(struct selection *s, struct table *table, uint64_t by_host)
{
	const struct named_host *host = table->host->name;
	struct memo *memo = memo_of(s, table->schema, by_host);
	if (!memo || memo->n_columns == 0 || !host_passes(s, host, by_host & ~memo->carried))
		return;
	struct store_group group = {
		.host = host->id,
		.schema_id = table->schema->id,
		.table = table,
		.host_labels = host->labels,
		.n_host_labels = host->n_labels,
		.schema = &table->schema->schema,
		.columns = memo->columns,
		.n_columns = memo->n_columns,
	};
	if (by_host & memo->carried)
		filter_mixed(s, host, memo, &group);
	if (group.n_columns == 0 || !has_sweeps(s, table))
		return;
	if (schema_is_foreign(&table->schema->schema))
		leave_out_others(s, table, &group);
	if (group.n_columns > 0)
		add_group(s, &group);
}

static void select_host(struct selection *s, struct host *host)
{
	uint64_t by_host = 0;
	for (size_t m = 0; m < s->n_matchers; m++) {
		if (label_of(host->name->labels, host->name->n_labels, s->matchers[m].name))
			by_host |= (uint64_t)1 << m;
	}
	pthread_mutex_lock(&host->lock);
	struct table *first = host->tables;
	pthread_mutex_unlock(&host->lock);
	size_t before = s->n_groups;
	for (struct table *table = first; table; table = table->next)
		select_table(s, table, by_host);
	if (s->n_groups > before + 1)
		qsort(s->groups + before, s->n_groups - before, sizeof *s->groups, store_by_schema);
}

/* What each host has lies somewhere in memory: what is looked at soon is on its way by then. */
static void fetch_ahead(struct hosts *hosts, uint32_t id)
{
	const struct host *soon = hosts_get(hosts, id + AHEAD),
			  *far = hosts_get(hosts, id + 2 * AHEAD);
	if (soon) {
		__builtin_prefetch(soon->name);
		__builtin_prefetch(soon->name->labels);
	}
	if (far) {
		__builtin_prefetch(far);
		__builtin_prefetch(&far->by_schema);
	}
}

/* Of the hosts from `first` to before `end`. */
static int select_hosts(struct selection *s, uint32_t first, uint32_t end, struct fw_err *err)
{
	if (s->n_matchers > MATCHERS_LIMIT)
		return fw_fail(err, -EINVAL, "a selector has at most %d matchers", MATCHERS_LIMIT);
	pthread_rwlock_rdlock(&s->store->names.lock);
	s->n_memos = s->store->names.n_schemas + 1;
	pthread_rwlock_unlock(&s->store->names.lock);
	s->memos = fw_arena_alloc(s->arena, s->n_memos * sizeof(struct memo *));
	for (uint32_t id = first; id < end; id++) {
		struct host *host = hosts_known(&s->store->hosts, id);
		fetch_ahead(&s->store->hosts, id);
		if (host)
			select_host(s, host);
	}
	return 0;
}

int store_select(struct store *store, const struct store_matcher *matchers, size_t n_matchers,
	int64_t from_ms, int64_t to_ms, struct fw_arena *arena, struct store_group **groups,
	size_t *n_groups, struct fw_err *err)
{
	struct selection s = {
		.store = store,
		.matchers = matchers,
		.n_matchers = n_matchers,
		.from_ms = from_ms,
		.to_ms = to_ms,
		.arena = arena,
	};
	int rc = select_hosts(&s, 0, hosts_count(&store->hosts), err);
	if (rc < 0)
		return rc;
	*groups = s.groups;
	*n_groups = s.n_groups;
	return 0;
}

int store_select_host(struct store *store, uint32_t host, const struct store_matcher *matchers,
	size_t n_matchers, int64_t from_ms, struct fw_arena *arena, struct store_group **groups,
	size_t *n_groups, struct fw_err *err)
{
	struct selection s = {
		.store = store,
		.matchers = matchers,
		.n_matchers = n_matchers,
		.from_ms = from_ms,
		.to_ms = INT64_MAX,
		.arena = arena,
	};
	int rc = select_hosts(&s, host, host + 1, err);
	if (rc < 0)
		return rc;
	*groups = s.groups;
	*n_groups = s.n_groups;
	return 0;
}
