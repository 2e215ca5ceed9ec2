/* What is shown of one host, and of many in the list of filesystems. */
#pragma once

#include <stdbool.h>

#include "facts.h"
#include "json.h"

#define HOST_DISK_METRICS                                                     \
	"node_filesystem_(size_bytes|avail_bytes|files|files_free|readonly)|" \
	"fenwatch_filesystem_readonly_since_timestamp_seconds|"               \
	"fenwatch_filesystem_(fills|inodes_gone)_(timestamp_seconds|samples|span_seconds)"

/* The members of a filesystem, from its size. */
void host_write_filesystem(struct request *r, struct json *j, const struct facts *facts,
	const struct promql_row *size);
double host_used_percent(const struct facts *facts, const struct promql_row *size);
