/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts of this wire by their MAC, and who says that an address is his. */
#include <string.h>

#include "watch.h"

struct holder {
	struct slot slot;
	struct packet_address address;
	int64_t said_us, told_us; /* told_us: that another has claimed it; 0: never */
	int64_t claimed_us;       /* when another said last that he has it */
	uint8_t mac[6];
};

size_t watch_address_bytes(void)
{
	return sizeof(struct holder);
}

static struct wire_host *take_host(struct watch *w, const uint8_t mac[6], int64_t now_us)
{
	struct wire_host_key key = {0};
	bool fresh;
	memcpy(key.mac, mac, sizeof key.mac);
	struct wire_host *host = slots_take(&w->hosts, &key, now_us, &fresh);
	if (fresh)
		host->first_us = now_us;
	return host;
}

static void tell_conflict(
	struct watch *w, struct holder *h, const uint8_t claimant[6], int64_t now_us)
{
	bool is_new = h->told_us == 0 || now_us - h->told_us >= WATCH_TELL_AGAIN_US;
	if (!is_new || w->n_conflicts == WATCH_CONFLICTS)
		return;
	struct watch_conflict *c = &w->conflicts[w->n_conflicts++];
	c->address = h->address;
	memcpy(c->holder, h->mac, sizeof c->holder);
	memcpy(c->claimant, claimant, sizeof c->claimant);
	h->told_us = now_us;
}

/* Whoever else says so while the first one still does is a second one; where that one was
 * not heard for two minutes the address has moved. */
static void hold(
	struct watch *w, const struct packet_address *address, const uint8_t mac[6], int64_t now_us)
{
	bool fresh;
	struct holder *h = slots_take(&w->addresses, address, now_us, &fresh);
	if (!fresh && memcmp(h->mac, mac, sizeof h->mac) != 0 &&
		now_us - h->said_us < WATCH_CONFLICT_US) {
		w->counts.duplicate_addresses++;
		h->claimed_us = now_us;
		tell_conflict(w, h, mac, now_us);
		return;
	}
	/* One that takes an address over says so several times, and the other is silent. */
	if (h->claimed_us != 0 && now_us - h->claimed_us < WATCH_CONFLICT_US)
		w->counts.address_conflicts += memcmp(h->mac, mac, sizeof h->mac) == 0;
	h->claimed_us = 0;
	memcpy(h->mac, mac, sizeof h->mac);
	h->said_us = now_us;
}

/* A probe for a free address is sent from none. */
static void take_arp(struct watch *w, const struct packet *p)
{
	w->counts.arp_requests += p->arp.operation == 1;
	w->counts.arp_replies += p->arp.operation == 2;
	if (packet_address_is_none(&p->arp.sender))
		return;
	hold(w, &p->arp.sender, p->arp.sender_mac, p->at_us);
	take_host(w, p->arp.sender_mac, p->at_us)->address4 = p->arp.sender;
}

static void take_lease(struct watch *w, const struct packet *p)
{
	struct wire_host *host = take_host(w, p->dhcp.mac, p->at_us);
	if (p->dhcp.reply && p->dhcp.type == 5 && !packet_address_is_none(&p->dhcp.given))
		host->address4 = p->dhcp.given;
	if (!p->dhcp.reply && p->name[0] != '\0')
		memcpy(host->name, p->name, sizeof host->name);
}

static void take_announcement(struct wire_host *host, const struct packet *p)
{
	host->announces = true;
	memcpy(host->name, p->name, sizeof host->name);
	memcpy(host->port_name, p->port_name, sizeof host->port_name);
}

/* Behind a router's MAC speak others: only who is known to have the address himself counts. */
static void take_speech(struct wire_host *host, const struct packet *p)
{
	uint32_t old = watch_old(p);
	const struct packet_address *own = p->ip == 4 ? &host->address4 : &host->address6;
	if (old != 0 && memcmp(own, &p->from, sizeof *own) == 0)
		host->old |= old;
}

void watch_link(struct watch *w, const struct packet *p)
{
	if (p->has_macs) {
		struct wire_host *host = take_host(w, p->from_mac, p->at_us);
		host->packets++;
		host->bytes += p->length;
		host->vlan = p->vlan;
		if (p->app == PACKET_APP_LLDP || p->app == PACKET_APP_CDP)
			take_announcement(host, p);
		take_speech(host, p);
	}
	if (p->app == PACKET_APP_ARP)
		take_arp(w, p);
	else if (p->app == PACKET_APP_DHCP)
		take_lease(w, p);
	else if (p->app == PACKET_APP_NEIGHBOUR)
		take_host(w, p->neighbour.mac, p->at_us)->address6 = p->neighbour.address;
}
