/* SPDX-License-Identifier: Apache-2.0 */
#include "trapwindow.h"

#include <string.h>
#include <sys/queue.h>

#include <fenwatch/mem.h>

#define BUCKETS 1024 /* a power of two */

struct slot {
	TAILQ_ENTRY(slot) entry; /* in the order in which they began */
	struct slot *next;       /* of its bucket */
	uint8_t digest[32];
	size_t bytes;
	struct trap_window window;
};

struct trap_windows {
	int64_t length_ms;
	size_t n, bytes;
	struct slot *buckets[BUCKETS];
	TAILQ_HEAD(slots, slot) slots;
};

struct trap_windows *trap_windows_new(int64_t length_ms)
{
	struct trap_windows *w = fw_alloc(sizeof *w);
	w->length_ms = length_ms;
	TAILQ_INIT(&w->slots);
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

struct trap_window *trap_windows_find(
	struct trap_windows *w, const uint8_t digest[32], int64_t now_ms)
{
	struct slot *slot = *bucket_of(w, digest);
	while (slot && memcmp(slot->digest, digest, sizeof slot->digest) != 0)
		slot = slot->next;
	if (!slot)
		return NULL;
	slot->window.count++;
	slot->window.last_ms = now_ms;
	return &slot->window;
}

static size_t bytes_of(const struct fw_label *fields, size_t n)
{
	size_t bytes = sizeof(struct slot);
	for (size_t i = 0; i < n; i++)
		bytes += sizeof *fields + strlen(fields[i].name) + strlen(fields[i].value) + 2;
	return bytes;
}

struct trap_window *trap_windows_begin(struct trap_windows *w, const uint8_t digest[32],
	const struct fw_label *fields, size_t n_fields, int64_t now_ms)
{
	size_t bytes = bytes_of(fields, n_fields);
	if (w->length_ms <= 0 || w->n == TRAP_WINDOWS || w->bytes + bytes > TRAP_WINDOW_BYTES)
		return NULL;
	struct slot *slot = fw_alloc(sizeof *slot), **bucket = bucket_of(w, digest);
	memcpy(slot->digest, digest, sizeof slot->digest);
	slot->window = (struct trap_window){.first_ms = now_ms, .last_ms = now_ms, .count = 1};
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
	void (*each)(const struct trap_window *window, void *arg), void *arg)
{
	struct slot *slot;
	while ((slot = TAILQ_FIRST(&w->slots)) && now_ms - slot->window.first_ms >= w->length_ms) {
		if (slot->window.count > 1)
			each(&slot->window, arg);
		take_out(w, slot);
	}
}
