/* What senders say of metrics: kept by name, the newest of each, in memory only. */
#pragma once

#include <pthread.h>

#include "remote.h"

#define METADATA_METRICS 100000
#define METADATA_TEXT 1024 /* bytes of a help; more is cut off */

struct metadata {
	pthread_mutex_t lock;
	struct metadata_entry **buckets;
	size_t n_buckets, n;
};

void metadata_init(struct metadata *metadata);
void metadata_done(struct metadata *metadata);
/* What finds no room is passed over. */
void metadata_note(struct metadata *metadata, const struct remote_about *about);
size_t metadata_collect(struct metadata *metadata, const char *metric, struct fw_arena *arena,
	struct remote_about **out);
