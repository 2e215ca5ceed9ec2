/* SPDX-License-Identifier: Apache-2.0 */
/* One list of hosts, of devices without an agent, and of what the network shows beside them. */
#include <stdlib.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/loop.h>
#include <fenwatch/text.h>

#include "devices.h"
#include "hosts.h"
#include "inventory.h"
#include "items.h"
#include "parts.h"
#include "store.h"

#define FACTS_LIMIT 500000

/* Where facts are: in tables that hosts hand in. docs/devices.md says what they have. */
static const struct items_kind kinds[] = {
	{"hardware", "net/*"}, /* network cards, among all that a machine is made of */
	{"device", NULL},
	{"wire", NULL},
	{"arp", NULL},
	{"macs", NULL},
	{"neighbours", NULL},
};
static const enum device_source source_of_kind[] = {DEVICE_FROM_AGENT, DEVICE_FROM_SNMP,
	DEVICE_FROM_WIRE, DEVICE_FROM_ARP, DEVICE_FROM_BRIDGE, DEVICE_FROM_NEIGHBOUR};

struct named {
	const char *name;
	enum device_source source;
	int64_t heard_ms;
};

/* The switch that a capture's host heard last. */
struct heard {
	const char *host, *by, *port; /* the host NULL: none yet */
	int64_t last_ms;
	bool is_unclear; /* two at once */
};

struct gathering {
	struct items_reading items;
	struct named *hosts; /* by name */
	size_t n_hosts;
	struct device_fact *facts;
	size_t n;
	struct heard heard;
};

/* ---- hosts ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static struct named named_of(const struct store_host *host)
{
	const char *job = fw_label_value(host->labels, host->n_labels, "job");
	return (struct named){
		.name = hosts_instance(host),
		.source = strcmp(job, "snmp") == 0 ? DEVICE_FROM_SNMP : DEVICE_FROM_AGENT,
		/* Series of the collector's own about a host are not heard from it. */
		.heard_ms = host->newest_ms ? host->received_ms : 0,
	};
}

static void name_hosts(struct gathering *g)
{
	const struct items_reading *items = &g->items;
	g->hosts = fw_arena_alloc(&items->r->arena, (items->n_hosts + 1) * sizeof *g->hosts);
	for (size_t i = 0; i < items->n_hosts; i++)
		if (!hosts_is_check(&items->hosts[i]))
			g->hosts[g->n_hosts++] = named_of(&items->hosts[i]);
	qsort(g->hosts, g->n_hosts, sizeof *g->hosts, by_name);
}

/* A name may speak for several jobs: the one that was heard last counts. */
static int64_t heard_ms(const char *host, void *arg)
{
	const struct gathering *g = arg;
	const struct named wanted = {.name = host};
	const struct named *at = bsearch(&wanted, g->hosts, g->n_hosts, sizeof *g->hosts, by_name);
	int64_t latest_ms = 0;
	while (at && at > g->hosts && strcmp(at[-1].name, host) == 0)
		at--;
	for (; at && at < g->hosts + g->n_hosts && strcmp(at->name, host) == 0; at++)
		if (at->heard_ms > latest_ms)
			latest_ms = at->heard_ms;
	return latest_ms;
}

/* ---- facts ---- */

static struct device_fact *fact_new(struct gathering *g)
{
	if ((g->n & (g->n - 1)) == 0)
		g->facts = fw_realloc(g->facts, (g->n ? 2 * g->n : 1) * sizeof *g->facts);
	return &g->facts[g->n++];
}

static int64_t seconds(const json_t *fields, const char *name)
{
	const char *text = json_string_value(json_object_get(fields, name));
	uint64_t value;
	return text && fw_parse_u64(text, &value) == 0 && value < (UINT64_C(1) << 40)
		? (int64_t)value * 1000
		: 0;
}

/* The key up to its first blank: the rest tells two of a table apart. */
static const char *key_of(struct gathering *g, const struct inventory_item *item)
{
	return fw_arena_strndup(&g->items.r->arena, item->key, strcspn(item->key, " "));
}

static void fill(struct gathering *g, const char *host, const struct inventory_item *item,
	const json_t *fields, struct device_fact *fact)
{
	enum device_source source = source_of_kind[g->items.kind];
	*fact = (struct device_fact){
		.source = source,
		.by = host,
		.mac = items_text(&g->items, fields, "mac"),
		.address = items_text(&g->items, fields, "address"),
		.name = items_text(&g->items, fields, "name"),
		.port = items_text(&g->items, fields, "port"),
		.speaks = items_text(&g->items, fields, "speaks"),
		.first_ms = seconds(fields, "first"),
		.last_ms = seconds(fields, "last"),
	};
	if (source == DEVICE_FROM_AGENT) {
		fact->mac = fact->address; /* of the card */
		fact->address = NULL;
	} else if (source == DEVICE_FROM_ARP) {
		fact->address = key_of(g, item);
	} else if (source == DEVICE_FROM_WIRE || source == DEVICE_FROM_BRIDGE) {
		fact->mac = key_of(g, item);
	} else if (source == DEVICE_FROM_NEIGHBOUR) {
		fact->port = key_of(g, item);
	}
	if (source == DEVICE_FROM_AGENT || source == DEVICE_FROM_SNMP)
		fact->host = fact->by;
}

/* Who hears a switch announce a port hangs there. */
static void settle_heard(struct gathering *g)
{
	const struct heard *heard = &g->heard;
	if (heard->host && !heard->is_unclear)
		*fact_new(g) = (struct device_fact){.source = DEVICE_FROM_NEIGHBOUR,
			.by = heard->by,
			.host = heard->host,
			.port = heard->port};
	g->heard = (struct heard){0};
}

/* The last one counts, as cables are moved; of two at once nobody can tell: where a port mirrors
 * others, their switches may be heard, too. */
static void note_heard(struct gathering *g, const struct device_fact *fact, const json_t *fields)
{
	struct heard *heard = &g->heard;
	if (!fact->port || !json_object_get(fields, "switch"))
		return;
	if (heard->host && strcmp(heard->host, fact->by) != 0)
		settle_heard(g);
	if (heard->host && fact->last_ms < heard->last_ms)
		return;
	*heard = (struct heard){.host = fact->by,
		.by = fact->name ? fact->name : fact->mac,
		.port = fact->port,
		.last_ms = fact->last_ms,
		.is_unclear = heard->host && fact->last_ms == heard->last_ms};
}

/* A line of the wire has two addresses, and may be of the switch itself. */
static void take_wire(struct gathering *g, struct device_fact fact, const json_t *fields)
{
	note_heard(g, &fact, fields);
	fact.address = items_text(&g->items, fields, "address6");
	if (fact.address)
		*fact_new(g) = fact;
}

static void take_fact(struct items_reading *items, const struct store_host *host,
	const struct inventory_item *item)
{
	struct gathering *g = FW_CONTAINER(items, struct gathering, items);
	if (g->n >= FACTS_LIMIT || hosts_is_check(host))
		return;
	json_t *fields = json_loads(item->fields, 0, NULL);
	struct device_fact *fact = fact_new(g);
	fill(g, hosts_instance(host), item, fields, fact);
	if (fact->source == DEVICE_FROM_WIRE)
		take_wire(g, *fact, fields);
	json_decref(fields);
}

/* Hosts of which no table tells are there, too. */
static void add_hosts(struct gathering *g)
{
	for (size_t i = 0; i < g->n_hosts; i++)
		if (g->hosts[i].heard_ms)
			*fact_new(g) = (struct device_fact){.source = g->hosts[i].source,
				.by = g->hosts[i].name,
				.host = g->hosts[i].name};
}

static int gather(struct gathering *g)
{
	int rc = items_read(&g->items, kinds, sizeof kinds / sizeof *kinds);
	if (rc == 0) {
		settle_heard(g);
		add_hosts(g);
	}
	return rc;
}

/* ---- the answer ---- */

static void write_texts(struct json *j, const char *name, const char *const *items, size_t n)
{
	json_key(j, name);
	json_open(j, '[');
	for (size_t i = 0; i < n; i++)
		json_text(j, items[i]);
	json_close(j, ']');
}

static void write_sources(struct json *j, unsigned sources)
{
	json_key(j, "sources");
	json_open(j, '[');
	for (unsigned i = 0; i < DEVICE_SOURCES; i++)
		if (sources & 1u << i)
			json_text(j, device_source_names[i]);
	json_close(j, ']');
}

static void write_device(struct json *j, const struct device *device)
{
	json_open(j, '{');
	json_put_text(j, "state", device_state_names[device->state]);
	json_put_text(j, "host", device->host);
	json_put_text(j, "name", device->name);
	json_put_text(j, "mac", device->mac);
	write_texts(j, "addresses", device->addresses, device->n_addresses);
	json_put_text(j, "switch", device->switch_name);
	json_put_text(j, "port", device->port);
	json_put_text(j, "speaks", device->speaks);
	write_texts(j, "clones", device->clones, device->n_clones);
	write_sources(j, device->sources);
	json_put_time(j, "first", device->first_ms);
	json_put_time(j, "last", device->last_ms);
	json_close(j, '}');
}

static bool is_wanted(const struct request *r, const struct device *device)
{
	const char *state = params_get(&r->params, "state");
	return !state || strcmp(state, device_state_names[device->state]) == 0;
}

int devices_gather(struct request *r, struct device **out, size_t *n)
{
	struct gathering g = {.items.each = take_fact};
	const struct device_hosts hosts = {.heard_ms = heard_ms, .arg = &g, .now_ms = r->now_ms};
	items_open(&g.items, r);
	name_hosts(&g);
	int rc = gather(&g);
	if (rc == 0)
		devices_join(g.facts, g.n, &hosts, &r->arena, out, n);
	fw_free(g.facts);
	return rc;
}

static void answer(struct request *r, const struct device *devices, size_t n)
{
	struct json *j = request_begin(r);
	json_open(j, '[');
	for (size_t i = 0; i < n; i++)
		if (is_wanted(r, &devices[i]))
			write_device(j, &devices[i]);
	json_close(j, ']');
	request_end(r, NULL, 0);
}

static bool is_state(const char *word)
{
	for (size_t i = 0; device_state_names[i]; i++)
		if (strcmp(word, device_state_names[i]) == 0)
			return true;
	return false;
}

void devices_list(struct request *r)
{
	struct device *devices;
	size_t n;
	const char *wanted = params_get(&r->params, "state");
	if (wanted && !is_state(wanted)) {
		request_fail(r, 400, "bad_data",
			"a device's state is managed, quiet, silent or unmanaged, not '%.60s'",
			wanted);
		return;
	}
	if (devices_gather(r, &devices, &n) == 0)
		answer(r, devices, n);
}
