/* SPDX-License-Identifier: Apache-2.0 */
/* Who uses the services of a host, as captures heard it, and how far that is all. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <arpa/inet.h>

#include "devices.h"
#include "facts.h"
#include "hosts.h"
#include "inventory.h"
#include "parts.h"
#include "state.h"
#include "store.h"

/* What a capture left out since its start, or in these days: it cannot vouch for nobody then. */
#define LEFT_OUT                                                                                   \
	"max_over_time({__name__=~\"fenwatch_capture_(sampled_out_packets|table_dropped)_total\"," \
	"table=~\"peers|\"}[7d]) > 0"

#define UNHEARD_MS (15 * 60 * 1000) /* then a capture listens no more */

struct listener {
	const char *name;
	int64_t since_ms, heard_ms; /* 0: nobody knows */
	bool has_sampled, has_made_room;
};

struct asked {
	struct request *r;
	struct inventory *inventory;
	struct store_host *hosts; /* by number */
	size_t n_hosts;
	const char **addresses;
	size_t n_addresses;
	struct listener *listeners; /* room for as many as there are hosts */
	size_t n_listeners;
	struct listener *listener; /* whose table is looked up */
	int64_t at_ms;
	int rc;
	struct fw_err err;
};

/* ---- which addresses ---- */

static bool is_called(const struct device *device, const char *name)
{
	return strcasecmp(device->host, name) == 0 || strcasecmp(device->name, name) == 0;
}

static void add_address(struct asked *a, const char *address)
{
	for (size_t i = 0; i < a->n_addresses; i++)
		if (strcmp(a->addresses[i], address) == 0)
			return;
	if ((a->n_addresses & (a->n_addresses - 1)) == 0) {
		size_t room = a->n_addresses ? 2 * a->n_addresses : 1;
		const char **longer = fw_arena_alloc(&a->r->arena, room * sizeof *longer);
		if (a->n_addresses > 0)
			memcpy(longer, a->addresses, a->n_addresses * sizeof *longer);
		a->addresses = longer;
	}
	a->addresses[a->n_addresses++] = address;
}

/* As the captures write it; false: it is none. */
static bool add_written(struct asked *a, const char *text)
{
	unsigned char bytes[sizeof(struct in6_addr)];
	char plain[INET6_ADDRSTRLEN];
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(family, text, bytes) != 1)
		return false;
	inet_ntop(family, bytes, plain, sizeof plain);
	add_address(a, fw_arena_strdup(&a->r->arena, plain));
	return true;
}

/* An address that is given is that one; a name has all that the list of devices knows, and where
 * it knows none, those that whoever asks has found. */
static int find_addresses(struct asked *a, const char *host)
{
	struct device *devices;
	const char **given;
	size_t n;
	if (add_written(a, host))
		return 0;
	int rc = devices_gather(a->r, &devices, &n);
	for (size_t i = 0; rc == 0 && i < n; i++)
		for (size_t k = 0; is_called(&devices[i], host) && k < devices[i].n_addresses; k++)
			add_written(a, devices[i].addresses[k]);
	if (rc < 0 || a->n_addresses > 0)
		return rc;
	n = params_all(&a->r->params, "address", &given);
	for (size_t i = 0; i < n; i++)
		add_written(a, given[i]);
	return 0;
}

/* ---- who has listened ---- */

static struct listener *find_listener(const struct asked *a, const char *name)
{
	for (size_t i = 0; i < a->n_listeners; i++)
		if (strcmp(a->listeners[i].name, name) == 0)
			return &a->listeners[i];
	return NULL;
}

static struct listener *listener_of(struct asked *a, const char *name)
{
	struct listener *found = find_listener(a, name);
	if (found)
		return found;
	a->listeners[a->n_listeners] = (struct listener){.name = name};
	return &a->listeners[a->n_listeners++];
}

static int by_number(const void *a, const void *b)
{
	const struct store_host *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

static const struct store_host *host_of(const struct asked *a, uint32_t id)
{
	const struct store_host wanted = {.id = id};
	return bsearch(&wanted, a->hosts, a->n_hosts, sizeof *a->hosts, by_number);
}

static void note_since(const struct inventory_document *document, void *arg)
{
	struct asked *a = arg;
	if (strcmp(document->kind, "clients") == 0)
		a->listener->since_ms = document->first_ms;
}

static void on_known(uint32_t id, void *arg)
{
	struct asked *a = arg;
	const struct store_host *host = host_of(a, id);
	if (!host || a->rc < 0)
		return;
	a->listener = listener_of(a, hosts_instance(host));
	a->rc = inventory_documents(a->inventory, id, note_since, a, &a->err);
}

static void note_heard(struct asked *a)
{
	for (size_t i = 0; i < a->n_hosts; i++) {
		const struct store_host *host = &a->hosts[i];
		if (strcmp(fw_label_value(host->labels, host->n_labels, "job"), "capture") == 0)
			listener_of(a, hosts_instance(host))->heard_ms =
				host->newest_ms ? host->received_ms : 0;
	}
}

static int note_left_out(struct asked *a)
{
	struct facts facts;
	int rc = facts_read(a->r, LEFT_OUT, a->at_ms ? a->at_ms : a->r->now_ms, &facts);
	for (size_t i = 0; rc == 0 && i < facts.n_series; i++) {
		const char *name = facts_label(&facts.series[i], "instance");
		struct listener *listener = find_listener(a, name ? name : "");
		if (!listener)
			continue;
		if (facts_label(&facts.series[i], "table"))
			listener->has_made_room = true;
		else
			listener->has_sampled = true;
	}
	return rc;
}

/* ---- the answer ---- */

static void write_listener(struct json *j, const struct listener *listener, int64_t now_ms)
{
	json_open(j, '{');
	json_put_text(j, "host", listener->name);
	json_put_time(j, "since", listener->since_ms);
	json_put_time(j, "heard", listener->heard_ms);
	json_put_bool(j, "listening", listener->heard_ms > now_ms - UNHEARD_MS);
	json_put_bool(j, "sampled", listener->has_sampled);
	json_put_bool(j, "made_room", listener->has_made_room);
	json_close(j, '}');
}

static void write_item(const struct inventory_item *item, void *arg)
{
	const struct asked *a = arg;
	struct json *j = &a->r->json;
	const struct store_host *host = host_of(a, item->host);
	json_open(j, '{');
	json_put_text(j, "host", host ? hosts_instance(host) : "");
	json_put_text(j, "key", item->key);
	json_put_time(j, "from", item->from_ms);
	json_put_time(j, "to", item->to_ms);
	json_key(j, "fields");
	json_raw(j, item->fields);
	json_close(j, '}');
}

static void write_items(struct asked *a)
{
	for (size_t i = 0; i < a->n_addresses && a->rc == 0; i++) {
		bool six = strchr(a->addresses[i], ':') != NULL;
		const char *key = six ? fw_arena_format(&a->r->arena, "[%s]", a->addresses[i])
				      : a->addresses[i];
		a->rc = inventory_find(
			a->inventory, "clients", key, a->at_ms, write_item, a, &a->err);
	}
}

static void write_answer(struct asked *a)
{
	struct json *j = request_begin(a->r);
	json_open(j, '{');
	json_key(j, "addresses");
	json_open(j, '[');
	for (size_t i = 0; i < a->n_addresses; i++)
		json_text(j, a->addresses[i]);
	json_close(j, ']');
	json_key(j, "captures");
	json_open(j, '[');
	for (size_t i = 0; i < a->n_listeners; i++)
		write_listener(j, &a->listeners[i], a->r->now_ms);
	json_close(j, ']');
	json_key(j, "items");
	json_open(j, '[');
	write_items(a);
	json_close(j, ']');
	json_close(j, '}');
}

static void answer(struct asked *a)
{
	struct request *r = a->r;
	struct state *state = reader_open(r);
	if (!state)
		return;
	inventory_open_reader(&a->inventory, state);
	a->rc = inventory_known(a->inventory, "clients", a->at_ms, on_known, a, &a->err);
	note_heard(a);
	if (a->rc == 0 && note_left_out(a) == 0)
		write_answer(a);
	inventory_close(a->inventory);
	state_close(state);
	if (a->rc == -E2BIG)
		request_fail(r, 422, "execution", "%s", a->err.text);
	else if (a->rc < 0)
		request_fail(r, 500, "internal", "%s", a->err.text);
	else if (r->status == 200)
		request_end(r, NULL, 0);
}

void depends_list(struct request *r)
{
	struct asked a = {.r = r};
	const char *host = params_get(&r->params, "host");
	if (params_time(&r->params, "at", 0, &a.at_ms, &a.err) < 0)
		request_fail_bad(r, &a.err);
	else if (!host || !*host)
		request_fail(r, 400, "bad_data", "give a host");
	if (r->status || find_addresses(&a, host) < 0)
		return;
	a.n_hosts = store_hosts(api_config(r->api)->store, &r->arena, &a.hosts);
	qsort(a.hosts, a.n_hosts, sizeof *a.hosts, by_number);
	a.listeners = fw_arena_alloc(&r->arena, (a.n_hosts + 1) * sizeof *a.listeners);
	answer(&a);
}
