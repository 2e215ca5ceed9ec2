/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/crc.h>

const char *const remote_type_names[REMOTE_TYPES] = {"unknown", "counter", "gauge", "histogram",
	"gaugehistogram", "summary", "info", "stateset"};

enum { BUCKETS = 4096 };

struct metadata_entry {
	struct metadata_entry *next;
	char *metric, *help, *unit;
	enum remote_type type;
};

void metadata_init(struct metadata *metadata)
{
	*metadata = (struct metadata){.n = 0};
	pthread_mutex_init(&metadata->lock, NULL);
}

static void free_entry(struct metadata_entry *entry)
{
	fw_free(entry->metric);
	fw_free(entry->help);
	fw_free(entry->unit);
	fw_free(entry);
}

void metadata_done(struct metadata *metadata)
{
	for (size_t i = 0; i < metadata->n_buckets; i++) {
		while (metadata->buckets[i]) {
			struct metadata_entry *entry = metadata->buckets[i];
			metadata->buckets[i] = entry->next;
			free_entry(entry);
		}
	}
	fw_free(metadata->buckets);
	pthread_mutex_destroy(&metadata->lock);
}

/* The lock is held. */
static struct metadata_entry **find(const struct metadata *metadata, const char *metric)
{
	uint32_t hash = fw_crc32c(0, metric, strlen(metric));
	struct metadata_entry **at = &metadata->buckets[hash % metadata->n_buckets];
	while (*at && strcmp((*at)->metric, metric) != 0)
		at = &(*at)->next;
	return at;
}

/* Who says nothing of it takes nothing away. */
static void set_text(char **to, const char *text)
{
	if (*to && (!*text || strcmp(*to, text) == 0))
		return;
	fw_free(*to);
	*to = fw_strndup(text, METADATA_TEXT);
}

void metadata_note(struct metadata *metadata, const struct remote_about *about)
{
	if (!*about->metric || strlen(about->metric) > FW_SYMBOL_LIMIT)
		return;
	pthread_mutex_lock(&metadata->lock);
	if (!metadata->buckets) {
		metadata->n_buckets = BUCKETS;
		metadata->buckets = fw_alloc_array(BUCKETS, sizeof(struct metadata_entry *));
	}
	struct metadata_entry **at = find(metadata, about->metric);
	if (!*at && metadata->n < METADATA_METRICS) {
		*at = fw_alloc(sizeof **at);
		(*at)->metric = fw_strdup(about->metric);
		metadata->n++;
	}
	if (*at) {
		set_text(&(*at)->help, about->help);
		set_text(&(*at)->unit, about->unit);
		if (about->type != REMOTE_UNKNOWN)
			(*at)->type = about->type;
	}
	pthread_mutex_unlock(&metadata->lock);
}

static int by_metric(const void *a, const void *b)
{
	return strcmp(
		((const struct remote_about *)a)->metric, ((const struct remote_about *)b)->metric);
}

static struct remote_about copy(const struct metadata_entry *entry, struct fw_arena *arena)
{
	return (struct remote_about){
		.metric = fw_arena_strdup(arena, entry->metric),
		.help = fw_arena_strdup(arena, entry->help),
		.unit = fw_arena_strdup(arena, entry->unit),
		.type = entry->type,
	};
}

size_t metadata_collect(struct metadata *metadata, const char *metric, struct fw_arena *arena,
	struct remote_about **out)
{
	size_t n = 0;
	pthread_mutex_lock(&metadata->lock);
	struct remote_about *all = fw_arena_alloc(arena, (metadata->n + 1) * sizeof *all);
	for (size_t i = 0; i < metadata->n_buckets; i++)
		for (struct metadata_entry *e = metadata->buckets[i]; e; e = e->next)
			if (!metric || strcmp(e->metric, metric) == 0)
				all[n++] = copy(e, arena);
	pthread_mutex_unlock(&metadata->lock);
	qsort(all, n, sizeof *all, by_metric);
	*out = all;
	return n;
}
