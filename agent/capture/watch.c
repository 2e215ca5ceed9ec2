/* SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"

#include <string.h>

#define EPHEMERAL 49152
#define PORT_TELNET 23

const char *const watch_old_names[OLD_KINDS] = {
	"smb1", "tls1.0", "tls1.1", "telnet", "snmp1", "snmp2c"};

void watch_init(struct watch *w, uint64_t seed, unsigned smaller)
{
	memset(w, 0, sizeof *w);
	const struct {
		struct slots *slots;
		size_t count, entry_bytes, key_bytes;
	} tables[] = {
		{&w->flows, WATCH_FLOWS, watch_flow_bytes(), watch_flow_key_bytes()},
		{&w->lookups, WATCH_LOOKUPS, watch_lookup_bytes(), watch_lookup_key_bytes()},
		{&w->leases, WATCH_LOOKUPS, watch_lookup_bytes(), watch_lookup_key_bytes()},
		{&w->addresses, WATCH_HOSTS, watch_address_bytes(), sizeof(struct packet_address)},
		{&w->services, WATCH_SERVICES, sizeof(struct service), sizeof(struct service_key)},
		{&w->peers, WATCH_PEERS, sizeof(struct peer), sizeof(struct peer_key)},
		{&w->hosts, WATCH_HOSTS, sizeof(struct wire_host), sizeof(struct wire_host_key)},
	};
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		slots_init(tables[i].slots, tables[i].count >> smaller, tables[i].entry_bytes,
			tables[i].key_bytes, seed);
}

void watch_done(struct watch *w)
{
	struct slots *all[] = {&w->flows, &w->lookups, &w->leases, &w->addresses, &w->services,
		&w->peers, &w->hosts};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		slots_done(all[i]);
}

struct service *watch_service(struct watch *w, const struct service_key *key, int64_t now_us)
{
	bool fresh;
	return slots_take(&w->services, key, now_us, &fresh);
}

/* ---- who is the server ---- */

/* The same for both directions; where the ports do not tell, a group is always asked. */
static bool goes_to_server(const struct packet *p)
{
	if (p->broadcast || p->multicast)
		return true;
	if (p->from_port != p->to_port)
		return p->to_port < p->from_port;
	return memcmp(p->to.bytes, p->from.bytes, sizeof p->to.bytes) < 0;
}

static struct conversation conversation_of(const struct packet *p)
{
	struct conversation c = {.to_server = goes_to_server(p)};
	uint16_t port = c.to_server ? p->to_port : p->from_port;
	c.service.server = c.to_server ? p->to : p->from;
	c.client = c.to_server ? p->from : p->to;
	c.service.port = port < EPHEMERAL ? port : 0;
	c.service.protocol = p->protocol;
	return c;
}

/* ---- sampling ---- */

/* Of both directions the same, and of a fragment what its first part has: its addresses. */
static bool is_kept(const struct watch *w, const struct packet *p)
{
	if (w->shift == 0)
		return true;
	struct {
		uint8_t sum[16];
		uint64_t ports;
	} key = {.ports = p->fragment ? 0 : (uint64_t)(p->from_port ^ p->to_port)};
	for (size_t i = 0; i < sizeof key.sum; i++)
		key.sum[i] = p->from.bytes[i] ^ p->to.bytes[i];
	uint64_t hash = slots_hash(&key, sizeof key, w->flows.seed);
	return (hash >> 40 & ((UINT64_C(1) << w->shift) - 1)) == 0;
}

/* ---- one packet ---- */

static uint32_t old_tls(const struct packet *p)
{
	if (p->tls.handshake != 2 || p->tls.version > 0x0302)
		return 0;
	return p->tls.version == 0x0302 ? OLD_TLS11 : OLD_TLS10;
}

uint32_t watch_old(const struct packet *p)
{
	switch (p->app) {
	case PACKET_APP_SMB1:
		return OLD_SMB1;
	case PACKET_APP_TLS:
		return old_tls(p);
	case PACKET_APP_SNMP:
		if (p->snmp_version > 1)
			return 0;
		return p->snmp_version == 0 ? OLD_SNMP1 : OLD_SNMP2C;
	default:
		return p->protocol == PROTOCOL_TCP && p->payload > 0 &&
				(p->from_port == PORT_TELNET || p->to_port == PORT_TELNET)
			? OLD_TELNET
			: 0;
	}
}

static void take_peer(struct watch *w, const struct packet *p, const struct conversation *c)
{
	struct peer_key key = {.client = c->client, .service = c->service};
	bool fresh;
	struct peer *peer = slots_take(&w->peers, &key, p->at_us, &fresh);
	if (fresh)
		peer->first_us = p->at_us;
	*(c->to_server ? &peer->to_server : &peer->to_client) += p->length;
	peer->old |= watch_old(p);
	if (p->protocol == PROTOCOL_TCP && (p->tcp.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		peer->connections++;
}

static void take_conversation(struct watch *w, const struct packet *p)
{
	struct conversation c = conversation_of(p);
	if (p->protocol == PROTOCOL_TCP)
		watch_flow(w, p, &c);
	struct service *service = watch_service(w, &c.service, p->at_us);
	service->packets++;
	service->bytes += p->length;
	if (p->app == PACKET_APP_TLS && p->name[0] != '\0')
		memcpy(service->name, p->name, sizeof service->name);
	if (p->app == PACKET_APP_DNS && c.service.port == 53)
		watch_dns(w, p, &c);
	take_peer(w, p, &c);
}

static void begin_second(struct watch *w, int64_t second)
{
	if (w->second.arp_requests > WATCH_STORM)
		w->counts.arp_storm_seconds++;
	if (w->second.broadcasts > w->counts.broadcast_peak)
		w->counts.broadcast_peak = w->second.broadcasts;
	w->second = (struct watch_second){.at = second};
}

static void count(struct watch *w, const struct packet *p)
{
	struct watch_counts *n = &w->counts;
	if (p->at_us / 1000000 != w->second.at)
		begin_second(w, p->at_us / 1000000);
	n->packets++;
	n->bytes += p->length;
	n->cut += p->cut;
	n->unknown += p->ip == 0 && p->app == PACKET_APP_NONE;
	n->broadcasts += p->broadcast;
	n->multicasts += p->multicast;
	n->fragments += p->fragment;
	w->second.broadcasts += p->broadcast;
	w->second.arp_requests += p->app == PACKET_APP_ARP && p->arp.operation == 1;
}

void watch_packet(struct watch *w, const struct packet *p)
{
	count(w, p);
	watch_link(w, p);
	if (p->app == PACKET_APP_DHCP)
		watch_dhcp(w, p);
	if (p->ip == 0 || p->fragment || p->from_port == 0)
		return;
	if (is_kept(w, p))
		take_conversation(w, p);
	else
		w->counts.sampled_out++;
}

void watch_forget_names(struct watch *w)
{
	struct service *s;
	for (size_t i = 0; (s = slots_next(&w->services, &i)) != NULL;)
		memset(s->name, 0, sizeof s->name);
}

void watch_turn(struct watch *w, int64_t now_us)
{
	if (now_us / 1000000 != w->second.at)
		begin_second(w, now_us / 1000000);
	watch_flow_unanswered(w, now_us);
	watch_lookups_turn(w, now_us);
}
