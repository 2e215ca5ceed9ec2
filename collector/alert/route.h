/* Which feeds hear of an alert: `match:` of a feed in collector.yml.
 *
 * A feed without it hears of all. A row names labels and annotations, so also what the
 * register says of the host (`supplier`, `site`, `tier`, `priority`, ..), each with one or
 * more patterns as shells have them; all of a row must fit, and one row is enough. A feed
 * that says `otherwise` hears of what no feed with `match` does. Asked when an alert is
 * told; its close goes where its open went.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <fenwatch/conf.h>

struct alert_options;
struct episode;

struct route {
	struct route_row *rows;
	size_t n_rows; /* 0: it hears of all, unless `otherwise` */
	bool otherwise;
};

/* FW_OPT_CUSTOM: rows, or the one of them. */
int route_parse(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err);

bool route_wants(const struct alert_options *options, size_t feed, const struct episode *episode);
