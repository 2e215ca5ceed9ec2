/* SPDX-License-Identifier: Apache-2.0 */
#include "ahead.h"

#include <errno.h>
#include <pthread.h>

enum { SLOTS = 8, NEAR = 4, FAR = 8 /* groups */ };

struct slot {
	struct fw_arena arena;
	struct store_columns columns;
	struct fw_err err;
	int rc;
	bool is_read;
};

/* Group g goes into slot g % SLOTS. Those before `taken` - 1 are forgotten, those before
 * `claimed` are read or being read. */
struct ahead {
	struct ahead_order order;
	struct slot slots[SLOTS];
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool has_thread, ends;
	size_t taken, claimed;
	size_t held; /* bytes in the slots */
};

/* The newest sweep alone, where it answers the question: no disk is touched. */
static bool read_latest(const struct ahead_order *order, const struct store_group *group,
	struct fw_arena *arena, struct store_columns *out)
{
	int64_t *at_ms = fw_arena_alloc(arena, sizeof *at_ms), *cells;
	if (store_latest(order->store, group, arena, at_ms, &cells) < 0 ||
		*at_ms < order->from_ms || *at_ms > order->to_ms)
		return false;
	const int64_t **columns = fw_arena_alloc(arena, group->n_columns * sizeof *columns);
	for (size_t i = 0; i < group->n_columns; i++)
		columns[i] = &cells[i];
	*out = (struct store_columns){.n = 1, .times_ms = at_ms, .cells = columns};
	return true;
}

int ahead_read(const struct ahead_order *order, const struct store_group *group,
	struct fw_arena *arena, struct store_columns *out, struct fw_err *err)
{
	if (order->newest && read_latest(order, group, arena, out))
		return 0;
	const struct store_patience *patience = order->patience.is_over ? &order->patience : NULL;
	return store_read(
		order->store, group, order->from_ms, order->to_ms, patience, arena, out, err);
}

static void read_slot(struct ahead *ahead, size_t g)
{
	struct slot *slot = &ahead->slots[g % SLOTS];
	slot->rc = ahead_read(
		&ahead->order, &ahead->order.groups[g], &slot->arena, &slot->columns, &slot->err);
}

/* The one taken last stays, as who took it may look back at it. What lies read is at most
 * half of what may be, two more may be on their way. */
static bool may_claim(const struct ahead *ahead)
{
	if (ahead->ends || ahead->claimed == ahead->order.n_groups)
		return false;
	return ahead->claimed == ahead->taken ||
		(ahead->claimed + 1 < ahead->taken + SLOTS &&
			ahead->held < ahead->order.max_bytes / 2);
}

static void forget(struct ahead *ahead, struct slot *slot)
{
	ahead->held -= slot->arena.used;
	fw_arena_reset(&slot->arena);
}

static void read_next(struct ahead *ahead)
{
	size_t g = ahead->claimed++;
	struct slot *slot = &ahead->slots[g % SLOTS];
	forget(ahead, slot);
	pthread_mutex_unlock(&ahead->lock);
	read_slot(ahead, g);
	pthread_mutex_lock(&ahead->lock);
	ahead->held += slot->arena.used;
	slot->is_read = true;
	pthread_cond_broadcast(&ahead->changed);
}

static void *read_ahead(void *arg)
{
	struct ahead *ahead = arg;
	pthread_mutex_lock(&ahead->lock);
	while (!ahead->ends && ahead->claimed < ahead->order.n_groups) {
		if (may_claim(ahead))
			read_next(ahead);
		else
			pthread_cond_wait(&ahead->changed, &ahead->lock);
	}
	pthread_mutex_unlock(&ahead->lock);
	return NULL;
}

struct ahead *ahead_new(const struct ahead_order *order)
{
	struct ahead *ahead = fw_alloc(sizeof *ahead);
	ahead->order = *order;
	for (size_t i = 0; i < SLOTS; i++)
		ahead->slots[i].arena.limit = order->max_bytes / 2;
	pthread_mutex_init(&ahead->lock, NULL);
	pthread_cond_init(&ahead->changed, NULL);
	ahead->has_thread =
		order->two_threads && pthread_create(&ahead->thread, NULL, read_ahead, ahead) == 0;
	return ahead;
}

/* Where each host's newest sweep is all that is read, most of the time goes by in waiting for
 * the memory that it lies in. */
static void expect_more(const struct ahead_order *order, size_t g)
{
	if (order->newest && g + NEAR < order->n_groups)
		store_expect(&order->groups[g + NEAR], true);
	if (order->newest && g + FAR < order->n_groups)
		store_expect(&order->groups[g + FAR], false);
}

/* Nobody reads ahead: there is nothing to lock. */
static int take_alone(struct ahead *ahead, struct store_columns *out, struct fw_err *err)
{
	size_t g = ahead->taken++;
	struct slot *slot = &ahead->slots[g % 2];
	fw_arena_reset(&slot->arena);
	expect_more(&ahead->order, g);
	return ahead_read(&ahead->order, &ahead->order.groups[g], &slot->arena, out, err);
}

/* Who would wait reads on instead. */
int ahead_take(struct ahead *ahead, struct store_columns *out, struct fw_err *err)
{
	if (!ahead->has_thread)
		return take_alone(ahead, out, err);
	struct slot *slot = &ahead->slots[ahead->taken % SLOTS];
	pthread_mutex_lock(&ahead->lock);
	if (ahead->taken >= 2 && ahead->claimed <= ahead->taken - 2 + SLOTS)
		forget(ahead, &ahead->slots[(ahead->taken - 2) % SLOTS]);
	while (!slot->is_read) {
		if (may_claim(ahead))
			read_next(ahead);
		else
			pthread_cond_wait(&ahead->changed, &ahead->lock);
	}
	slot->is_read = false;
	ahead->taken++;
	/* Not for each, so that the other has enough to do when it wakes. */
	if (ahead->claimed - ahead->taken <= SLOTS / 2)
		pthread_cond_broadcast(&ahead->changed);
	pthread_mutex_unlock(&ahead->lock);
	*out = slot->columns;
	return slot->rc < 0 ? fw_fail(err, slot->rc, "%s", slot->err.text) : 0;
}

void ahead_free(struct ahead *ahead)
{
	pthread_mutex_lock(&ahead->lock);
	ahead->ends = true;
	pthread_cond_broadcast(&ahead->changed);
	pthread_mutex_unlock(&ahead->lock);
	if (ahead->has_thread)
		pthread_join(ahead->thread, NULL);
	for (size_t i = 0; i < SLOTS; i++)
		fw_arena_done(&ahead->slots[i].arena);
	pthread_cond_destroy(&ahead->changed);
	pthread_mutex_destroy(&ahead->lock);
	fw_free(ahead);
}
