/* Each item of some kinds of inventory with its host, as of today: one question a kind. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct inventory_item;
struct request;
struct store_host;

struct items_kind {
	const char *kind;
	const char *key; /* of which items, as inventory_find() has it; NULL: of all, where the
			  * host's table is known */
};

struct items_reading {
	struct request *r;
	struct store_host *hosts; /* by number */
	size_t n_hosts;
	size_t kind; /* that is being read, of those that were asked for */
	void (*each)(struct items_reading *reading, const struct store_host *host,
		const struct inventory_item *item);
};

/* Finds the hosts; on the workers. */
void items_open(struct items_reading *reading, struct request *r);
/* What `each` was not given is of a host that has gone. Negative: the request is answered. */
int items_read(struct items_reading *reading, const struct items_kind *kinds, size_t n_kinds);
/* Of an item's fields one that outlives them, as the request does; NULL: it does not have it. */
const char *items_text(const struct items_reading *reading, const json_t *fields, const char *name);
