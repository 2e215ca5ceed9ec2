/* When a filesystem fills, as it is shown. */
#pragma once

#include <stdbool.h>

#include "facts.h"
#include "json.h"

enum capacity_resource { CAPACITY_BYTES, CAPACITY_INODES, CAPACITY_RESOURCES };
enum { CAPACITY_LIKELY = 1, CAPACITY_BOUNDS = 3 };

struct capacity {
	double seconds[CAPACITY_BOUNDS]; /* earliest, likely, latest: since 1970 */
	double samples, span_s;          /* what it rests on */
};

/* The forecast of the filesystem whose size that is; false where there is none. */
bool capacity_of(struct request *r, const struct facts *facts, const struct promql_row *size,
	enum capacity_resource resource, struct capacity *out);
/* The same as the member `name`, null where there is none. */
void capacity_write(struct request *r, struct json *j, const char *name, const struct facts *facts,
	const struct promql_row *size, enum capacity_resource resource);
