/* SPDX-License-Identifier: Apache-2.0 */
/* Who talks to the services of a server, sampled once a minute.
 *
 * An inventory: for each port that listens, the addresses that were connected to it,
 * with the time of the first sight and the day of the last. A connection that the
 * server ended is in the kernel's table for another minute, so few are missed. What
 * was seen before is in the table of the read before. 500 peers are kept; when there
 * are more, those not seen for a month make room, and the rest of a port are one
 * peer "others". What was not seen for 400 days goes.
 */
#include "sockets.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>

#include <fenwatch/mem.h>

#include "parse.h"

#define PEERS_LIMIT 500
#define SLOTS 1024 /* a power of two, so that half of them are free */
#define SERVICES_LIMIT 256
#define SERVICE_BYTES 33
#define DAY_S 86400
#define STALE_S (30 * (int64_t)DAY_S)
#define KEEP_S (400 * (int64_t)DAY_S)

struct peer {
	struct in6_addr address; /* of all zeroes: the others */
	uint16_t port;
	int64_t first_s, last_s;
};

struct service {
	uint16_t port;
	bool listens;
	char name[SERVICE_BYTES];
};

struct peers {
	int64_t now_s;
	struct service services[SERVICES_LIMIT];
	size_t n_services;
	struct peer peers[PEERS_LIMIT + SERVICES_LIMIT];
	size_t n;
	uint16_t slots[SLOTS]; /* index + 1; 0 is free */
};

static_assert(PEERS_LIMIT + SERVICES_LIMIT < SLOTS, "a search ends at a free slot");

/* ---- services ---- */

static struct service *find_service(struct peers *p, uint16_t port)
{
	for (size_t i = 0; i < p->n_services; i++)
		if (p->services[i].port == port)
			return &p->services[i];
	return NULL;
}

static struct service *add_service(struct peers *p, uint16_t port)
{
	struct service *service = find_service(p, port);
	if (service || p->n_services == SERVICES_LIMIT)
		return service;
	service = &p->services[p->n_services++];
	*service = (struct service){.port = port};
	return service;
}

static bool is_loopback(const struct in6_addr *address)
{
	return IN6_IS_ADDR_LOOPBACK(address) ||
		(IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127);
}

/* A service that only the machine itself can reach has no peers. */
static void on_listener(const struct tcp_socket *socket, void *arg)
{
	struct service *service =
		is_loopback(&socket->local) ? NULL : add_service(arg, socket->local_port);
	if (service)
		service->listens = true;
}

/* "ssh		22/tcp   # ..." */
static void name_services(struct peers *p, struct machine *m)
{
	struct fw_cursor c, line;
	char name[SERVICE_BYTES];
	uint64_t port;
	if (machine_read(m, "etc/services", &c) < 0)
		return;
	while (fw_cut_line(&c, &line)) {
		if (!cut_name(&line, ' ', name, sizeof name) || name[0] == '#' ||
			!fw_cut_u64(&line, &port) || !fw_cut_literal(&line, "/tcp") ||
			port > UINT16_MAX)
			continue;
		struct service *service = find_service(p, (uint16_t)port);
		if (service && !service->name[0])
			memcpy(service->name, name, sizeof name);
	}
}

/* ---- peers ---- */

static bool same_address(const struct in6_addr *a, const struct in6_addr *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

static uint32_t hash_peer(const struct in6_addr *address, uint16_t port)
{
	uint32_t hash = 2166136261u ^ port;
	for (int i = 0; i < 16; i++)
		hash = (hash ^ address->s6_addr[i]) * 16777619u;
	return hash;
}

static uint16_t *find_slot(struct peers *p, const struct in6_addr *address, uint16_t port)
{
	for (uint32_t at = hash_peer(address, port);; at++) {
		uint16_t *slot = &p->slots[at % SLOTS];
		const struct peer *peer = *slot ? &p->peers[*slot - 1] : NULL;
		if (!peer || (peer->port == port && same_address(&peer->address, address)))
			return slot;
	}
}

static void index_peers(struct peers *p)
{
	memset(p->slots, 0, sizeof p->slots);
	for (size_t i = 0; i < p->n; i++)
		*find_slot(p, &p->peers[i].address, p->peers[i].port) = (uint16_t)(i + 1);
}

/* Room for one more among the 500, where somebody has not been seen for long. */
static bool make_room(struct peers *p)
{
	if (p->n < PEERS_LIMIT)
		return true;
	size_t kept = 0;
	for (size_t i = 0; i < p->n; i++)
		if (p->now_s - p->peers[i].last_s < STALE_S)
			p->peers[kept++] = p->peers[i];
	if (kept == p->n)
		return false;
	p->n = kept;
	index_peers(p);
	return p->n < PEERS_LIMIT;
}

static void add_peer(struct peers *p, const struct peer *peer)
{
	if (p->n == COUNT(p->peers))
		return;
	p->peers[p->n++] = *peer;
	*find_slot(p, &peer->address, peer->port) = (uint16_t)p->n;
}

static const struct in6_addr others;

static void see(struct peers *p, const struct in6_addr *address, uint16_t port)
{
	int64_t day_s = p->now_s - p->now_s % DAY_S;
	uint16_t slot = *find_slot(p, address, port);
	if (slot) {
		struct peer *peer = &p->peers[slot - 1];
		peer->last_s = peer->last_s < day_s ? day_s : peer->last_s;
	} else if (same_address(address, &others) || make_room(p)) {
		add_peer(p,
			&(struct peer){.address = *address,
				.port = port,
				.first_s = p->now_s,
				.last_s = p->now_s});
	} else {
		see(p, &others, port);
	}
}

static void on_connection(const struct tcp_socket *socket, void *arg)
{
	struct peers *p = arg;
	const struct service *service = find_service(p, socket->local_port);
	if (!service || !service->listens || is_loopback(&socket->remote) ||
		same_address(&socket->local, &socket->remote))
		return;
	see(p, &socket->remote, socket->local_port);
}

/* ---- what was seen before, and what is given on ---- */

static bool parse_address(const char *text, struct in6_addr *out)
{
	if (strcmp(text, "others") == 0) {
		*out = others;
		return true;
	}
	if (inet_pton(AF_INET6, text, out) == 1)
		return true;
	*out = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
	return inet_pton(AF_INET, text, out->s6_addr + 12) == 1;
}

static const char *format_address(const struct in6_addr *address, char out[INET6_ADDRSTRLEN])
{
	if (same_address(address, &others))
		return "others";
	if (IN6_IS_ADDR_V4MAPPED(address))
		return inet_ntop(AF_INET, address->s6_addr + 12, out, INET6_ADDRSTRLEN);
	return inet_ntop(AF_INET6, address, out, INET6_ADDRSTRLEN);
}

/* "22/tcp 10.1.2.3", with the times of the first sight and the last. */
static int on_peer_before(const struct fw_item *item, void *arg)
{
	struct peers *p = arg;
	struct peer peer;
	struct fw_cursor c = {item->key, item->key + strlen(item->key)};
	uint64_t port, first, last;
	if (!fw_cut_u64(&c, &port) || port > UINT16_MAX || !fw_cut_literal(&c, "/tcp ") ||
		!parse_address(c.at, &peer.address) ||
		fw_parse_u64(fw_item_value(item, "first"), &first) < 0 ||
		fw_parse_u64(fw_item_value(item, "last"), &last) < 0 || first > INT64_MAX ||
		last > INT64_MAX)
		return 0;
	peer.port = (uint16_t)port;
	peer.first_s = (int64_t)first;
	peer.last_s = (int64_t)last;
	if (p->now_s - peer.last_s <= KEEP_S && add_service(p, peer.port) &&
		*find_slot(p, &peer.address, peer.port) == 0)
		add_peer(p, &peer);
	return 0;
}

static void give_peer(struct peers *p, const struct peer *peer, struct document *out)
{
	char key[INET6_ADDRSTRLEN + 16], address[INET6_ADDRSTRLEN], time[24];
	const struct service *service = find_service(p, peer->port);
	snprintf(key, sizeof key, "%u/tcp %s", peer->port, format_address(&peer->address, address));
	document_item(out, key);
	document_field(out, "service", service ? service->name : "");
	snprintf(time, sizeof time, "%" PRId64, peer->first_s);
	document_field(out, "first", time);
	snprintf(time, sizeof time, "%" PRId64, peer->last_s);
	document_field(out, "last", time);
}

static int read_peers(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	(void)out;
	struct peers *p = fw_alloc(sizeof *p);
	p->now_s = m->now_ms / 1000;
	document_before(m, "peers", on_peer_before, p);
	int rc = sockets_each(m, SOCKETS_LISTENING, on_listener, p, err);
	if (rc >= 0)
		rc = sockets_each(m, SOCKETS_CONNECTED, on_connection, p, err);
	if (rc >= 0) {
		struct document *inventory = document_begin(m, "peers");
		name_services(p, m);
		for (size_t i = 0; i < p->n; i++)
			give_peer(p, &p->peers[i], inventory);
	}
	fw_free(p);
	return rc < 0 ? rc : 0;
}

static const char *const documents[] = {"peers", NULL};

const struct source source_peers = {
	.name = "peers",
	.help = "Which addresses talk to the services of a server; on servers alone.",
	.purpose = "To retire a server knowing who will notice.",
	.reads =
		"the kernel's socket tables (/proc/net/tcp and the like, sock_diag), /etc/services",
	.slow = true,
	.servers_only = true,
	.every_s = 60,
	.timeout_s = 20,
	.documents = documents,
	.read = read_peers,
};
