/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#include <assert.h>
#include <string.h>

TAILQ_HEAD(waiter_list, waiter);

struct source {
	TAILQ_ENTRY(source) in_pool;
	struct waiter_list waiters; /* oldest first */
	unsigned count;
	uint8_t address[ADDRESS_BYTES];
};

void pool_init(struct pool *pool, unsigned n_workers)
{
	TAILQ_INIT(&pool->sources);
	pool->limit = POOL_LIMIT / n_workers;
}

static struct source *find(const struct pool *pool, const uint8_t address[ADDRESS_BYTES])
{
	struct source *source;
	TAILQ_FOREACH (source, &pool->sources, in_pool)
		if (memcmp(source->address, address, ADDRESS_BYTES) == 0)
			return source;
	return NULL;
}

void pool_enter(struct pool *pool, struct waiter *waiter, const uint8_t address[ADDRESS_BYTES],
	uint64_t now_ms)
{
	struct source *source = find(pool, address);
	if (!source) {
		source = fw_alloc(sizeof *source);
		memcpy(source->address, address, ADDRESS_BYTES);
		TAILQ_INIT(&source->waiters);
		TAILQ_INSERT_TAIL(&pool->sources, source, in_pool);
	}
	waiter->source = source;
	waiter->order = pool->orders++;
	waiter->since_ms = now_ms;
	TAILQ_INSERT_TAIL(&source->waiters, waiter, in_source);
	source->count++;
	pool->count++;
}

void pool_leave(struct pool *pool, struct waiter *waiter)
{
	struct source *source = waiter->source;
	if (!source)
		return;
	waiter->source = NULL;
	TAILQ_REMOVE(&source->waiters, waiter, in_source);
	pool->count--;
	if (--source->count > 0)
		return;
	TAILQ_REMOVE(&pool->sources, source, in_pool);
	fw_free(source);
}

bool pool_is_full(const struct pool *pool)
{
	return pool->count >= pool->limit;
}

bool pool_is_hogged_by(const struct pool *pool, const uint8_t address[ADDRESS_BYTES])
{
	if (pool->count < pool->limit / 2)
		return false;
	const struct source *source = find(pool, address);
	return source && source->count >= pool->limit / 4;
}

struct waiter *pool_victim(const struct pool *pool)
{
	const struct source *source, *most = NULL;
	TAILQ_FOREACH (source, &pool->sources, in_pool)
		if (!most || source->count > most->count ||
			(source->count == most->count &&
				TAILQ_FIRST(&source->waiters)->order <
					TAILQ_FIRST(&most->waiters)->order))
			most = source;
	assert(most);
	return TAILQ_FIRST(&most->waiters);
}

uint64_t pool_wait_ms(const struct pool *pool, uint64_t now_ms)
{
	if (!pool_is_full(pool))
		return 0;
	uint64_t waited_ms = now_ms - pool_victim(pool)->since_ms;
	return waited_ms < POOL_PATIENCE_MS ? POOL_PATIENCE_MS - waited_ms : 0;
}
