/* What is told of a host: forecasts of its filesystems as series, in a sweep of the
 * collector's own. Main thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "history.h"

struct store;

/* One filesystem and one of its resources, as it was last read. */
struct told {
	char *mountpoint;
	enum resource resource;
	double used;
	struct forecast forecast;
	bool known, shown; /* there is a forecast; there was one since the start */
};

struct host {
	int64_t read_ms, written_ms;
	struct told *told;
	size_t n_told;
	uint32_t schema;       /* of what is shown; 0: to be made */
	bool is_new, is_shown; /* its schema; something of it */
};

/* Makes the schema of what is shown. */
int told_intern(struct store *store, struct host *host);
/* What is absent is told once; after that there is nothing to write. */
void told_write(struct store *store, uint32_t id, struct host *host, int64_t now_ms);
