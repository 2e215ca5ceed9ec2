/* SPDX-License-Identifier: Apache-2.0 */
#include "items.h"

#include <stdlib.h>

#include "inventory.h"
#include "parts.h"
#include "state.h"
#include "store.h"

static int by_number(const void *a, const void *b)
{
	const struct store_host *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

static void on_item_of_kind(const struct inventory_item *item, void *arg)
{
	struct items_reading *reading = arg;
	const struct store_host wanted = {.id = item->host};
	const struct store_host *host = bsearch(
		&wanted, reading->hosts, reading->n_hosts, sizeof *reading->hosts, by_number);
	if (host)
		reading->each(reading, host, item);
}

void items_open(struct items_reading *reading, struct request *r)
{
	reading->r = r;
	reading->n_hosts = store_hosts(api_config(r->api)->store, &r->arena, &reading->hosts);
	qsort(reading->hosts, reading->n_hosts, sizeof *reading->hosts, by_number);
}

static int read_kinds(struct items_reading *reading, struct inventory *inventory,
	const struct items_kind *kinds, size_t n_kinds, struct fw_err *err)
{
	int rc = 0;
	for (size_t i = 0; i < n_kinds && rc == 0; i++) {
		const struct items_kind *k = &kinds[i];
		reading->kind = i;
		rc = k->key ? inventory_find(
				      inventory, k->kind, k->key, 0, on_item_of_kind, reading, err)
			    : inventory_all(inventory, k->kind, on_item_of_kind, reading, err);
	}
	return rc;
}

int items_read(struct items_reading *reading, const struct items_kind *kinds, size_t n_kinds)
{
	struct inventory *inventory;
	struct fw_err err;
	struct state *state = reader_open(reading->r);
	if (!state)
		return -1;
	inventory_open_reader(&inventory, state);
	int rc = read_kinds(reading, inventory, kinds, n_kinds, &err);
	inventory_close(inventory);
	state_close(state);
	if (rc < 0)
		request_fail(reading->r, 500, "internal", "%s", err.text);
	return rc;
}

const char *items_text(const struct items_reading *reading, const json_t *fields, const char *name)
{
	const char *text = json_string_value(json_object_get(fields, name));
	return text ? fw_arena_strdup(&reading->r->arena, text) : NULL;
}
