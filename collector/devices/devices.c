/* SPDX-License-Identifier: Apache-2.0 */
#include "devices.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define UNHEARD_MS (15 * 60 * 1000) /* then a host is not heard */
#define TEXTS_MOST 64 /* addresses of a device, and clones: a router may answer for a whole net */

const char *const device_source_names[] = {
	"agent", "snmp", "wire", "arp", "bridge", "neighbour", NULL};
const char *const device_state_names[] = {"managed", "quiet", "silent", "unmanaged", NULL};

/* A fact on its way to its device. */
struct clue {
	const struct device_fact *fact;
	const char *mac;    /* six pairs of digits between colons, or "" */
	size_t on_port;     /* of BRIDGE: how many hardware addresses its port shows */
	struct clue *owner; /* towards whose device it belongs to; itself: that is it */
	const char *host;   /* of an owner: what its device is called here, or "" */
};

struct join {
	struct clue *clues;
	size_t n;
	const struct device_hosts *hosts;
	struct fw_arena *arena;
};

static const char *or_none(const char *text)
{
	return text ? text : "";
}

/* "0:1A:2b:3:4:5", "001a.2b03.0405", "00-1a-2b-03-04-05" and "001a2b030405" are one. */
static const char *plain_mac(struct fw_arena *arena, const char *text)
{
	char digits[13] = "";
	size_t n = 0, run = 0;
	bool by_pairs = text && (strchr(text, ':') || strchr(text, '-'));
	for (const char *at = or_none(text); *at; at++) {
		if (!isxdigit((unsigned char)*at)) {
			run = 0;
			continue;
		}
		bool is_alone = by_pairs && run == 0 && !isxdigit((unsigned char)at[1]);
		if (n + 1 + is_alone > 12)
			return "";
		if (is_alone)
			digits[n++] = '0';
		digits[n++] = (char)tolower((unsigned char)*at);
		run++;
	}
	return n == 12 ? fw_arena_format(arena, "%.2s:%.2s:%.2s:%.2s:%.2s:%.2s", digits, digits + 2,
				 digits + 4, digits + 6, digits + 8, digits + 10)
		       : "";
}

/* Of all and of nobody: no device's own. */
static bool is_own(const char *mac)
{
	return *mac && strcmp(mac, "00:00:00:00:00:00") != 0 && !strchr("13579bdf", mac[1]);
}

/* ---- which clues belong together ---- */

static struct clue *root(struct clue *clue)
{
	while (clue->owner != clue) {
		clue->owner = clue->owner->owner;
		clue = clue->owner;
	}
	return clue;
}

static void unite(struct clue *a, struct clue *b)
{
	struct clue *from = root(a), *to = root(b);
	from->owner = to;
	if (!*to->host)
		to->host = from->host;
}

static int by_mac(const void *a, const void *b)
{
	const struct clue *x = a, *y = b;
	int order = strcmp(x->mac, y->mac);
	if (order == 0)
		order = strcmp(or_none(x->fact->host), or_none(y->fact->host));
	if (order == 0)
		order = (int)x->fact->source - (int)y->fact->source;
	return order ? order : strcmp(or_none(x->fact->address), or_none(y->fact->address));
}

static void own_by_mac(struct join *j)
{
	for (size_t i = 0; i < j->n; i++) {
		bool same = i > 0 && *j->clues[i].mac &&
			strcmp(j->clues[i].mac, j->clues[i - 1].mac) == 0;
		j->clues[i].owner = &j->clues[i];
		j->clues[i].host = or_none(j->clues[i].fact->host);
		if (same)
			unite(&j->clues[i], &j->clues[i - 1]);
	}
}

static int by_address(const void *a, const void *b)
{
	const struct clue *x = *(struct clue *const *)a, *y = *(struct clue *const *)b;
	return strcmp(or_none(x->fact->address), or_none(y->fact->address));
}

/* Two hosts of ours are two devices, whatever else is alike: two sites use the same addresses. */
static bool are_of_one_host(struct clue **clues, size_t n, const struct clue *owner)
{
	const char *host = owner ? owner->host : "";
	for (size_t i = 0; i < n; i++) {
		const char *other = *clues[i]->mac ? "" : clues[i]->host;
		if (*host && *other && strcmp(host, other) != 0)
			return false;
		host = *host ? host : other;
	}
	return true;
}

/* Those with one address: who has no hardware address goes to the one device that has. */
static void own_alike(struct clue **clues, size_t n)
{
	struct clue *owner = NULL;
	for (size_t i = 0; i < n; i++) {
		if (!*clues[i]->mac)
			continue;
		if (owner && owner != root(clues[i]))
			return; /* two say that it is theirs */
		owner = root(clues[i]);
	}
	if (!are_of_one_host(clues, n, owner))
		return;
	for (size_t i = 0; i < n; i++)
		if (!*clues[i]->mac)
			unite(clues[i], owner ? owner : clues[0]);
}

static void own_by_address(struct join *j)
{
	struct clue **sorted = fw_arena_alloc(j->arena, (j->n + 1) * sizeof(struct clue *));
	for (size_t i = 0; i < j->n; i++)
		sorted[i] = &j->clues[i];
	qsort(sorted, j->n, sizeof(struct clue *), by_address);
	for (size_t i = 0, end; i < j->n; i = end) {
		for (end = i + 1; end < j->n && by_address(&sorted[i], &sorted[end]) == 0;)
			end++;
		if (*or_none(sorted[i]->fact->address))
			own_alike(sorted + i, end - i);
	}
}

static int by_host(const void *a, const void *b)
{
	const struct clue *x = *(struct clue *const *)a, *y = *(struct clue *const *)b;
	return strcmp(or_none(x->fact->host), or_none(y->fact->host));
}

/* A host with two cards is one device: all of it goes to the first one's. */
static void own_by_host(struct join *j)
{
	struct clue **sorted = fw_arena_alloc(j->arena, (j->n + 1) * sizeof(struct clue *));
	for (size_t i = 0; i < j->n; i++)
		sorted[i] = &j->clues[i];
	qsort(sorted, j->n, sizeof(struct clue *), by_host);
	for (size_t i = 1; i < j->n; i++)
		if (*or_none(sorted[i]->fact->host) && by_host(&sorted[i - 1], &sorted[i]) == 0)
			unite(sorted[i], sorted[i - 1]);
}

/* ---- where it hangs ---- */

static int by_port(const void *a, const void *b)
{
	const struct clue *x = *(struct clue *const *)a, *y = *(struct clue *const *)b;
	int order = strcmp(x->fact->by, y->fact->by);
	return order ? order : strcmp(or_none(x->fact->port), or_none(y->fact->port));
}

/* Every switch on the way shows a device; the port that shows fewest is its own. */
static void count_ports(struct join *j)
{
	struct clue **sorted = fw_arena_alloc(j->arena, (j->n + 1) * sizeof(struct clue *));
	size_t n = 0;
	for (size_t i = 0; i < j->n; i++)
		if (j->clues[i].fact->source == DEVICE_FROM_BRIDGE)
			sorted[n++] = &j->clues[i];
	qsort(sorted, n, sizeof(struct clue *), by_port);
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && by_port(&sorted[i], &sorted[end]) == 0;)
			end++;
		for (size_t k = i; k < end; k++)
			sorted[k]->on_port = end - i;
	}
}

/* ---- one device ---- */

static void add_once(struct fw_arena *arena, const char ***list, size_t *n, const char *text)
{
	if (!text || !*text || *n == TEXTS_MOST)
		return;
	for (size_t i = 0; i < *n; i++)
		if (strcmp((*list)[i], text) == 0)
			return;
	if ((*n & (*n - 1)) == 0) {
		const char **longer = fw_arena_alloc(arena, (*n ? 2 * *n : 1) * sizeof(char *));
		if (*n > 0)
			memcpy(longer, *list, *n * sizeof(char *));
		*list = longer;
	}
	(*list)[(*n)++] = text;
}

static void note_times(struct device *device, const struct device_fact *fact)
{
	if (fact->first_ms && (!device->first_ms || fact->first_ms < device->first_ms))
		device->first_ms = fact->first_ms;
	if (fact->last_ms > device->last_ms)
		device->last_ms = fact->last_ms;
}

static void note_host(struct join *j, struct device *device, const struct device_fact *fact)
{
	if (!fact->host)
		return;
	if (!*device->host)
		device->host = fact->host;
	else if (strcmp(device->host, fact->host) != 0)
		add_once(j->arena, &device->clones, &device->n_clones, fact->host);
}

static void note_port(struct device *device, const struct clue *clue, size_t *fewest)
{
	const struct device_fact *fact = clue->fact;
	bool is_known = fact->source == DEVICE_FROM_NEIGHBOUR ||
		(fact->source == DEVICE_FROM_BRIDGE && clue->on_port < *fewest);
	if (!is_known || !*or_none(fact->port))
		return;
	*fewest = fact->source == DEVICE_FROM_BRIDGE ? clue->on_port : 0;
	device->switch_name = fact->by;
	device->port = fact->port;
}

static enum device_state state_of(const struct join *j, const struct device *device)
{
	if (!*device->host)
		return DEVICE_UNMANAGED;
	int64_t heard_ms = j->hosts->heard_ms(device->host, j->hosts->arg);
	if (heard_ms > j->hosts->now_ms - UNHEARD_MS)
		return DEVICE_MANAGED;
	return device->last_ms > heard_ms ? DEVICE_QUIET : DEVICE_SILENT;
}

static void note(struct join *j, struct device *device, const struct clue *clue, size_t *fewest)
{
	const struct device_fact *fact = clue->fact;
	device->sources |= 1u << fact->source;
	if (!*device->mac)
		device->mac = clue->mac;
	if (!*device->name && fact->name)
		device->name = fact->name;
	if (!*device->speaks && fact->speaks)
		device->speaks = fact->speaks;
	add_once(j->arena, &device->addresses, &device->n_addresses, fact->address);
	note_times(device, fact);
	note_host(j, device, fact);
	note_port(device, clue, fewest);
}

static int by_owner(const void *a, const void *b)
{
	const struct clue *x = *(struct clue *const *)a, *y = *(struct clue *const *)b;
	if (x->owner != y->owner)
		return x->owner < y->owner ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* The clues of one owner stand together; its device is made of them. */
static size_t make(struct join *j, struct clue **sorted, size_t i, struct device *device)
{
	size_t fewest = SIZE_MAX;
	const struct clue *owner = sorted[i]->owner;
	*device = (struct device){
		.mac = "", .host = "", .name = "", .speaks = "", .switch_name = "", .port = ""};
	for (; i < j->n && sorted[i]->owner == owner; i++)
		note(j, device, sorted[i], &fewest);
	device->state = state_of(j, device);
	return i;
}

/* ---- all of them ---- */

static int in_order(const void *a, const void *b)
{
	const struct device *x = a, *y = b;
	if (!*x->host != !*y->host)
		return *x->host ? -1 : 1;
	int order = strcmp(x->host, y->host);
	if (order == 0)
		order = strcmp(x->mac, y->mac);
	if (order || x->n_addresses == 0 || y->n_addresses == 0)
		return order;
	return strcmp(x->addresses[0], y->addresses[0]);
}

/* What says nothing of who it is, such as a group's address, is left out. */
static void take_clues(struct join *j, const struct device_fact *facts, size_t n)
{
	j->clues = fw_arena_alloc(j->arena, (n + 1) * sizeof *j->clues);
	for (size_t i = 0; i < n; i++) {
		const char *mac = plain_mac(j->arena, facts[i].mac);
		if (*mac && !is_own(mac))
			continue;
		if (*mac || *or_none(facts[i].address) || *or_none(facts[i].host))
			j->clues[j->n++] = (struct clue){.fact = &facts[i], .mac = mac};
	}
	qsort(j->clues, j->n, sizeof *j->clues, by_mac);
}

void devices_join(const struct device_fact *facts, size_t n, const struct device_hosts *hosts,
	struct fw_arena *arena, struct device **out, size_t *n_out)
{
	struct join j = {.hosts = hosts, .arena = arena};
	take_clues(&j, facts, n);
	own_by_mac(&j);
	own_by_address(&j);
	own_by_host(&j);
	count_ports(&j);
	for (size_t i = 0; i < j.n; i++)
		j.clues[i].owner = root(&j.clues[i]);
	struct clue **sorted = fw_arena_alloc(arena, (j.n + 1) * sizeof(struct clue *));
	for (size_t i = 0; i < j.n; i++)
		sorted[i] = &j.clues[i];
	qsort(sorted, j.n, sizeof(struct clue *), by_owner);
	*out = fw_arena_alloc(arena, (j.n + 1) * sizeof **out);
	*n_out = 0;
	for (size_t i = 0; i < j.n;)
		i = make(&j, sorted, i, &(*out)[(*n_out)++]);
	qsort(*out, *n_out, sizeof **out, in_order);
}
