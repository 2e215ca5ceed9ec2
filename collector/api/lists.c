/* SPDX-License-Identifier: Apache-2.0 */
/* One kind of fact over all hosts, or one: filesystems. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "facts.h"
#include "host.h"
#include "parts.h"
#include "storage.h"

static int read_list(struct request *r, const char *metrics, struct facts *facts)
{
	const char *host = params_get(&r->params, "host");
	return facts_read(
		r, facts_selector(r, metrics, host && *host ? host : NULL), r->now_ms, facts);
}

struct disk {
	const struct promql_row *size;
	double used_percent;
};

static int fullest_first(const void *a, const void *b)
{
	const struct disk *x = a, *y = b;
	double p = isnan(x->used_percent) ? -1 : x->used_percent;
	double q = isnan(y->used_percent) ? -1 : y->used_percent;
	if (p != q)
		return p < q ? 1 : -1;
	return (x->size > y->size) - (x->size < y->size);
}

void hosts_disks(struct request *r)
{
	struct facts facts;
	size_t n;
	if (read_list(r, HOST_DISK_METRICS "|" STORAGE_METRICS, &facts) < 0)
		return;
	const struct promql_row *series = facts_metric(&facts, "node_filesystem_size_bytes", &n);
	struct disk *disks = fw_arena_alloc(&r->arena, (n + 1) * sizeof *disks);
	for (size_t i = 0; i < n; i++)
		disks[i] = (struct disk){&series[i], host_used_percent(&facts, &series[i])};
	qsort(disks, n, sizeof *disks, fullest_first);
	struct json *j = request_begin(r);
	json_open(j, '[');
	for (size_t i = 0; i < n; i++) {
		json_open(j, '{');
		json_put_text(j, "host", facts_label(disks[i].size, "instance"));
		json_put_text(j, "kind", "filesystem");
		host_write_filesystem(r, j, &facts, disks[i].size);
		json_close(j, '}');
	}
	storage_write_rows(j, &facts);
	json_close(j, ']');
	request_end(r, NULL, 0);
}
