/* What the files of this folder know of one another. */
#pragma once

#include <stdatomic.h>

#include "metadata.h"
#include "remote.h"

struct counters {
	_Atomic uint64_t writes, bytes, bad, samples, refused[STORE_REFUSALS], histograms,
		exemplars;
};

struct remote {
	struct store *store;
	struct metadata metadata;
	struct counters counters;
};
