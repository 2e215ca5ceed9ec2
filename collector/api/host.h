/* What is shown of one host, and of many in the lists of patches and filesystems. */
#pragma once

#include <stdbool.h>

#include "facts.h"
#include "json.h"

/* Every metric that patches are told from, as a regular expression. */
#define HOST_PATCH_METRICS                                                         \
	"apt_(security_)?upgrades_pending|apt_upgrades_held|node_reboot_required|" \
	"apt_package_cache_timestamp_seconds|fenwatch_patch_source_ok"
#define HOST_DISK_METRICS                                                     \
	"node_filesystem_(size_bytes|avail_bytes|files|files_free|readonly)|" \
	"fenwatch_filesystem_(fills|inodes_gone)_(timestamp_seconds|samples|span_seconds)"

/* Hosts whose patches are read: each has a series a source of packages. Takes the
 * series of the next host from `*at` on; false at the end. */
struct patch_host {
	const struct query_series *like; /* the host's labels alone */
	bool source_ok;                  /* every source could be read */
};
bool host_next_patches(
	struct request *r, const struct facts *facts, size_t *at, struct patch_host *out);
/* The members of its patches. */
void host_write_patches(
	struct json *j, const struct facts *facts, const struct patch_host *host, int64_t now_ms);
/* The members of a filesystem, from its size. */
void host_write_filesystem(struct request *r, struct json *j, const struct facts *facts,
	const struct query_series *size);
double host_used_percent(const struct facts *facts, const struct query_series *size);
