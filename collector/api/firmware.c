/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/loop.h>

#include "estate.h"
#include "hosts.h"
#include "inventory.h"
#include "items.h"
#include "parts.h"
#include "register.h"
#include "retiring.h"
#include "store.h"

#define KIND "device" /* docs/devices.md */

struct reading {
	struct items_reading items;
	const char *name;
	struct firmware *list;
	size_t n;
};

static bool is_asked_for(const struct reading *reading, const struct store_host *host)
{
	struct request *r = reading->items.r;
	const char *instance = hosts_instance(host);
	return (!reading->name || strcmp(reading->name, instance) == 0) &&
		estate_sees(r, instance) && !retiring_has(r, instance, r->now_ms);
}

/* A device says in one line what it is, and has one for each of its addresses: a row is of all. */
static bool adds_to_row(struct reading *reading, const char *host, const json_t *fields)
{
	struct firmware *row = reading->n ? &reading->list[reading->n - 1] : NULL;
	if (!row || strcmp(row->host, host) != 0)
		return false;
	const char *model = items_text(&reading->items, fields, "model");
	row->model = model && !*row->model ? model : row->model;
	row->runs = row->runs ? row->runs : items_text(&reading->items, fields, "firmware");
	return true;
}

/* A device of which nobody says what it runs or should run has no row. */
static void add_row(struct reading *reading, const struct store_host *host, const json_t *fields)
{
	struct register_host said;
	const char *model = items_text(&reading->items, fields, "model");
	register_host(reading->items.r->registry, host->labels, host->n_labels, &said);
	struct firmware firmware = {
		.host = hosts_instance(host),
		.model = model ? model : "",
		.runs = items_text(&reading->items, fields, "firmware"),
		.wanted = said.texts[HOST_FIRMWARE],
	};
	if ((firmware.runs || firmware.wanted) && reading->n < reading->items.n_hosts)
		reading->list[reading->n++] = firmware;
}

static void take_device(struct items_reading *items, const struct store_host *host,
	const struct inventory_item *item)
{
	struct reading *reading = FW_CONTAINER(items, struct reading, items);
	if (!is_asked_for(reading, host))
		return;
	json_t *fields = json_loads(item->fields, 0, NULL);
	if (!adds_to_row(reading, hosts_instance(host), fields))
		add_row(reading, host, fields);
	json_decref(fields);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct firmware *)a)->host, ((const struct firmware *)b)->host);
}

int firmware_read(struct request *r, const char *name, struct firmware **out, size_t *n)
{
	static const struct items_kind kind = {.kind = KIND};
	struct reading reading = {.name = name, .items.each = take_device};
	items_open(&reading.items, r);
	reading.list =
		fw_arena_alloc(&r->arena, (reading.items.n_hosts + 1) * sizeof *reading.list);
	if (items_read(&reading.items, &kind, 1) < 0)
		return -1;
	qsort(reading.list, reading.n, sizeof *reading.list, by_name);
	*out = reading.list;
	*n = reading.n;
	return 0;
}

/* What is wanted may leave its end open: 15.2*. */
static const char *state_of(const struct firmware *firmware)
{
	if (!firmware->runs || !firmware->wanted)
		return "unproven";
	return fnmatch(firmware->wanted, firmware->runs, 0) == 0 ? "compliant" : "overdue";
}

static const char *why_of(const struct firmware *firmware)
{
	return !firmware->runs      ? "it does not tell its firmware"
		: !firmware->wanted ? "the register does not say which firmware is wanted"
				    : "";
}

void firmware_write(struct json *j, const struct firmware *firmware)
{
	json_put_text(j, "host", firmware->host);
	json_put_text(j, "os", firmware->model);
	json_put_text(j, "state", state_of(firmware));
	json_put_text(j, "why", why_of(firmware));
	json_put_text(j, "firmware", firmware->runs);
	json_put_text(j, "wanted", firmware->wanted);
}
