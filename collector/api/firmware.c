/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "estate.h"
#include "hosts.h"
#include "inventory.h"
#include "parts.h"
#include "register.h"
#include "retiring.h"
#include "state.h"
#include "store.h"

#define KIND "device" /* docs/devices.md */

struct reading {
	struct request *r;
	const char *name;
	struct inventory *inventory;
	struct store_host *hosts; /* by number, as the store gives them */
	size_t n_hosts;
	uint32_t *known;
	size_t n_known;
	struct firmware *list;
	size_t n;
};

static int by_id(const void *a, const void *b)
{
	const struct store_host *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

static const struct store_host *host_of(const struct reading *reading, uint32_t id)
{
	const struct store_host wanted = {.id = id};
	return bsearch(&wanted, reading->hosts, reading->n_hosts, sizeof *reading->hosts, by_id);
}

static bool is_asked_for(const struct reading *reading, const struct store_host *host)
{
	const char *instance = hosts_instance(host);
	return (!reading->name || strcmp(reading->name, instance) == 0) &&
		estate_sees(reading->r, instance) &&
		!retiring_has(reading->r, instance, reading->r->now_ms);
}

static const char *kept(struct reading *reading, const json_t *fields, const char *name)
{
	const char *text = json_string_value(json_object_get(fields, name));
	return text ? fw_arena_strdup(&reading->r->arena, text) : NULL;
}

/* A device says in one line what it is, and has one for each of its addresses: a row is of all. */
static bool adds_to_row(struct reading *reading, const char *host, const json_t *fields)
{
	struct firmware *row = reading->n ? &reading->list[reading->n - 1] : NULL;
	if (!row || strcmp(row->host, host) != 0)
		return false;
	const char *model = kept(reading, fields, "model");
	row->model = model && !*row->model ? model : row->model;
	row->runs = row->runs ? row->runs : kept(reading, fields, "firmware");
	return true;
}

/* A device of which nobody says what it runs or should run has no row. */
static void add_row(struct reading *reading, const struct store_host *host, const json_t *fields)
{
	struct register_host said;
	const char *model = kept(reading, fields, "model");
	register_host(reading->r->registry, host->labels, host->n_labels, &said);
	struct firmware firmware = {
		.host = hosts_instance(host),
		.model = model ? model : "",
		.runs = kept(reading, fields, "firmware"),
		.wanted = said.texts[HOST_FIRMWARE],
	};
	if ((firmware.runs || firmware.wanted) && reading->n < reading->n_known)
		reading->list[reading->n++] = firmware;
}

static void on_item(const struct inventory_item *item, void *arg)
{
	struct reading *reading = arg;
	const struct store_host *host = host_of(reading, item->host);
	if (!host || !is_asked_for(reading, host))
		return;
	json_t *fields = json_loads(item->fields, 0, NULL);
	if (!adds_to_row(reading, hosts_instance(host), fields))
		add_row(reading, host, fields);
	json_decref(fields);
}

static void on_known(uint32_t host, void *arg)
{
	struct reading *reading = arg;
	if (reading->n_known < reading->n_hosts)
		reading->known[reading->n_known++] = host;
}

static int read_all(struct reading *reading, struct state *state, struct fw_err *err)
{
	struct fw_arena *arena = &reading->r->arena;
	reading->n_hosts = store_hosts(api_config(reading->r->api)->store, arena, &reading->hosts);
	qsort(reading->hosts, reading->n_hosts, sizeof *reading->hosts, by_id);
	reading->known = fw_arena_alloc(arena, (reading->n_hosts + 1) * sizeof *reading->known);
	inventory_open_reader(&reading->inventory, state);
	int rc = inventory_known(reading->inventory, KIND, 0, on_known, reading, err);
	reading->list = fw_arena_alloc(arena, (reading->n_known + 1) * sizeof *reading->list);
	for (size_t i = 0; i < reading->n_known && rc == 0; i++)
		rc = inventory_list(
			reading->inventory, reading->known[i], KIND, 0, on_item, reading, err);
	inventory_close(reading->inventory);
	return rc;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct firmware *)a)->host, ((const struct firmware *)b)->host);
}

int firmware_read(struct request *r, const char *name, struct firmware **out, size_t *n)
{
	struct reading reading = {.r = r, .name = name};
	struct fw_err err;
	struct state *state = state_reader(r);
	if (!state)
		return -1;
	int rc = read_all(&reading, state, &err);
	state_close(state);
	if (rc < 0) {
		request_fail(r, 500, "internal", "%s", err.text);
		return -1;
	}
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
