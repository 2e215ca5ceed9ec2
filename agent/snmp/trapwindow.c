/* SPDX-License-Identifier: Apache-2.0 */
#include "trapwindow.h"

#include <string.h>
#include <sys/queue.h>

#include <fenwatch/mem.h>

#define BUCKETS 1024 /* a power of two */

struct slot {
	TAILQ_ENTRY(slot) entry; /* in the order in which they began */
	TAILQ_ENTRY(slot) due;   /* in the order in which they came last */
	struct slot *next;       /* of its bucket */
	uint8_t digest[32];
	size_t bytes;
	int64_t began_ms;
	uint64_t turn; /* that of its last trap */
	bool is_due;
	struct trap_window window;
};

struct trap_windows {
	int64_t length_ms;
	size_t n, bytes;
	uint64_t turn; /* traps so far */
	/* That of the last trap of a source. Two that share a place are told a little sooner. */
	uint64_t turns[BUCKETS];
	struct slot *buckets[BUCKETS];
	TAILQ_HEAD(slots, slot) slots, due;
};

struct trap_windows *trap_windows_new(int64_t length_ms)
{
	struct trap_windows *w = fw_alloc(sizeof *w);
	w->length_ms = length_ms;
	TAILQ_INIT(&w->slots);
	TAILQ_INIT(&w->due);
	return w;
}

static struct slot **bucket_of(struct trap_windows *w, const uint8_t digest[32])
{
	return &w->buckets[(digest[0] | digest[1] << 8) & (BUCKETS - 1)];
}

static void take_out(struct trap_windows *w, struct slot *slot)
{
	struct slot **link = bucket_of(w, slot->digest);
	while (*link != slot)
		link = &(*link)->next;
	*link = slot->next;
	TAILQ_REMOVE(&w->slots, slot, entry);
	if (slot->is_due)
		TAILQ_REMOVE(&w->due, slot, due);
	w->n--;
	w->bytes -= slot->bytes;
	for (size_t i = 0; i < slot->window.n_fields; i++) {
		fw_free((char *)slot->window.fields[i].name);
		fw_free((char *)slot->window.fields[i].value);
	}
	fw_free(slot->window.fields);
	fw_free(slot);
}

void trap_windows_free(struct trap_windows *w)
{
	while (!TAILQ_EMPTY(&w->slots))
		take_out(w, TAILQ_FIRST(&w->slots));
	fw_free(w);
}

void trap_windows_set(struct trap_windows *w, int64_t length_ms)
{
	w->length_ms = length_ms;
}

static uint64_t *turn_of(struct trap_windows *w, const char *source)
{
	uint32_t hash = 2166136261;
	for (; *source; source++)
		hash = (hash ^ (uint8_t)*source) * 16777619;
	return &w->turns[(hash ^ hash >> 16) & (BUCKETS - 1)];
}

/* Behind all that are due already. */
static void make_due(struct trap_windows *w, struct slot *slot)
{
	if (slot->is_due)
		TAILQ_REMOVE(&w->due, slot, due);
	slot->is_due = true;
	TAILQ_INSERT_TAIL(&w->due, slot, due);
}

struct trap_window *trap_windows_find(struct trap_windows *w, const uint8_t digest[32],
	const char *source, bool is_awaited, int64_t at_ms)
{
	uint64_t *turn = turn_of(w, source), before = *turn;
	struct slot *slot = *bucket_of(w, digest);
	*turn = ++w->turn;
	while (slot && memcmp(slot->digest, digest, sizeof slot->digest) != 0)
		slot = slot->next;
	if (!slot)
		return NULL;
	if (is_awaited || slot->is_due || slot->turn != before)
		make_due(w, slot);
	slot->turn = w->turn;
	slot->window.count++;
	slot->window.last_ms = at_ms;
	return &slot->window;
}

bool trap_windows_are_due(const struct trap_windows *w)
{
	return !TAILQ_EMPTY(&w->due);
}

static size_t bytes_of(const struct fw_label *fields, size_t n)
{
	size_t bytes = sizeof(struct slot);
	for (size_t i = 0; i < n; i++)
		bytes += sizeof *fields + strlen(fields[i].name) + strlen(fields[i].value) + 2;
	return bytes;
}

struct trap_window *trap_windows_begin(struct trap_windows *w, const uint8_t digest[32],
	const struct fw_label *fields, size_t n_fields, int64_t at_ms, int64_t now_ms)
{
	size_t bytes = bytes_of(fields, n_fields);
	if (w->length_ms <= 0 || w->n == TRAP_WINDOWS || w->bytes + bytes > TRAP_WINDOW_BYTES)
		return NULL;
	struct slot *slot = fw_alloc(sizeof *slot), **bucket = bucket_of(w, digest);
	memcpy(slot->digest, digest, sizeof slot->digest);
	slot->began_ms = now_ms;
	slot->turn = w->turn;
	slot->window = (struct trap_window){.first_ms = at_ms, .last_ms = at_ms, .count = 1};
	slot->window.fields = fw_alloc_array(n_fields, sizeof *fields);
	slot->window.n_fields = n_fields;
	for (size_t i = 0; i < n_fields; i++)
		slot->window.fields[i] =
			(struct fw_label){fw_strdup(fields[i].name), fw_strdup(fields[i].value)};
	slot->next = *bucket;
	*bucket = slot;
	TAILQ_INSERT_TAIL(&w->slots, slot, entry);
	w->n++;
	w->bytes += slot->bytes = bytes;
	return &slot->window;
}

void trap_windows_end(struct trap_windows *w, int64_t now_ms,
	bool (*each)(const struct trap_window *window, void *arg), void *arg)
{
	struct slot *slot;
	while ((slot = TAILQ_FIRST(&w->due))) {
		if (!each(&slot->window, arg))
			return;
		take_out(w, slot);
	}
	while ((slot = TAILQ_FIRST(&w->slots)) && now_ms - slot->began_ms >= w->length_ms) {
		if (slot->window.count > 1 && !each(&slot->window, arg))
			return;
		take_out(w, slot);
	}
}
