/* SPDX-License-Identifier: Apache-2.0 */
#include "unread.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/mem.h>

#include "internal.h"

/* A life of a segment, and where in it; offset 0 is its index. */
struct spot {
	struct link link;
	uint64_t number;
	uint32_t tier, offset;
};

void unread_init(struct unread *unread)
{
	pthread_mutex_init(&unread->lock, NULL);
}

void unread_done(struct unread *unread)
{
	for (size_t i = 0; i < unread->known.n_buckets; i++) {
		for (struct link *l = unread->known.buckets[i], *next; l; l = next) {
			next = l->next;
			fw_free(l);
		}
	}
	map_done(&unread->known);
	pthread_mutex_destroy(&unread->lock);
}

static bool is_known(const struct unread *unread, const struct ring_place *place, uint64_t hash)
{
	for (struct link *l = map_find(&unread->known, hash); l; l = map_again(l)) {
		const struct spot *spot = (const struct spot *)(void *)l;
		if (spot->number == place->number && spot->tier == place->tier &&
			spot->offset == place->ref.offset)
			return true;
	}
	return false;
}

size_t unread_note(struct unread *unread, const struct ring_place *place)
{
	const uint64_t key[] = {place->number, place->tier, place->ref.offset};
	uint64_t hash = map_hash(key, sizeof key, 0);
	size_t which = 0;
	pthread_mutex_lock(&unread->lock);
	if (unread->known.count < UNREAD_KNOWN && !is_known(unread, place, hash)) {
		struct spot *spot = fw_alloc(sizeof *spot);
		spot->number = place->number;
		spot->tier = place->tier;
		spot->offset = place->ref.offset;
		map_add(&unread->known, &spot->link, hash);
		which = unread->known.count;
	}
	pthread_mutex_unlock(&unread->lock);
	return which;
}

__attribute__((format(printf, 2, 3))) static void tell(struct store *store, const char *format, ...)
{
	char sentence[512];
	va_list args;
	va_start(args, format);
	vsnprintf(sentence, sizeof sentence, format, args);
	va_end(args);
	if (store->config.on_unread)
		store->config.on_unread(sentence, store->config.arg);
}

static void tell_index(struct store *store, const struct ring_place *place)
{
	tell(store,
		"%s/%04x: its index cannot be read, so answers lack what it leads to until the "
		"next start",
		store_tier_name(place->tier), place->segment);
}

static void tell_block(struct store *store, const struct ring_place *place)
{
	const struct block_ref *ref = &place->ref;
	const struct host *host = hosts_get(&store->hosts, ref->host);
	char from[32], to[32];
	tell(store,
		"%s/%04x: the block at %u cannot be read, so answers about host '%s' lack what "
		"it said from %s to %s",
		store_tier_name(place->tier), place->segment, ref->offset,
		host ? fw_label_value(host->name->labels, host->name->n_labels, "instance") : "",
		fw_time_format(ref->t0_ms, from, sizeof from),
		fw_time_format(block_end_ms(ref), to, sizeof to));
}

void store_unread(struct store *store, const struct ring_place *place)
{
	size_t which = unread_note(&store->unread, place);
	store->counters.damaged += which > 0;
	if (which == 0 || which > UNREAD_TOLD)
		return;
	if (place->ref.offset == 0)
		tell_index(store, place);
	else
		tell_block(store, place);
	if (which == UNREAD_TOLD)
		tell(store,
			"more damaged blocks are counted and not named: 'fenwatch-collector store "
			"check' names them all");
}
