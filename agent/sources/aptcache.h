/* What was worked out of apt's files, kept until one of them changes.
 *
 * A small text file in the agent's data folder. It bears the fingerprint of
 * what it was worked out from; with another one, or damaged, it counts as not
 * there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "apt.h"

struct apt_outcome {
	struct apt_summary summary;
	uint32_t n_unreadable; /* files */
	bool newer_kernel;     /* than the running one is installed */
	int64_t kernel_s;      /* since when; 0: there is none, or nothing tells */
};

/* A failure to save costs no more than working it out again. */
void aptcache_save(const char *folder, uint64_t fingerprint, const struct apt_outcome *outcome);
/* False where nothing is kept. What it was worked out from may have changed. */
bool aptcache_load(const char *folder, uint64_t *fingerprint, struct apt_outcome *out);
