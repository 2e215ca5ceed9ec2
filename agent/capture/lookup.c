/* SPDX-License-Identifier: Apache-2.0 */
/* Questions and their answers: DNS, and DHCP. */
#include <string.h>

#include "watch.h"

#define DNS_PATIENCE_US 5000000
#define DHCP_PATIENCE_US 10000000

enum { NAME_UNKNOWN = 3, DISCOVER = 1, OFFER = 2 };

struct lookup_key {
	struct packet_address client;
	struct service_key service;
	uint16_t port;
	uint16_t id;
	uint8_t pad[4];
};

struct lookup {
	struct slot slot;
	struct lookup_key key;
	int64_t asked_us;
	bool answered;
};

size_t watch_lookup_bytes(void)
{
	return sizeof(struct lookup);
}

size_t watch_lookup_key_bytes(void)
{
	return sizeof(struct lookup_key);
}

static void take_answer(struct service *s, struct lookup *l, const struct packet *p)
{
	if (p->dns.rcode == NAME_UNKNOWN)
		s->no_names++;
	else if (p->dns.rcode != 0)
		s->failures++;
	if (l && !l->answered) {
		s->answers++;
		s->answer_us += (uint64_t)(p->at_us - l->asked_us);
		l->answered = true;
	}
}

void watch_dns(struct watch *w, const struct packet *p, const struct conversation *c)
{
	struct lookup_key key = {
		.client = c->client,
		.service = c->service,
		.port = c->to_server ? p->from_port : p->to_port,
		.id = p->dns.id,
	};
	struct service *s = watch_service(w, &c->service, p->at_us);
	if (p->dns.response) {
		w->counts.dns_failed += p->dns.rcode != 0 && p->dns.rcode != NAME_UNKNOWN;
		take_answer(s, slots_find(&w->lookups, &key), p);
		return;
	}
	bool fresh;
	struct lookup *l = slots_take(&w->lookups, &key, p->at_us, &fresh);
	if (fresh || l->answered) {
		l->asked_us = p->at_us;
		l->answered = false;
	}
	s->queries++;
	w->counts.dns_queries++;
}

/* Who asked is known by its MAC and a number of its own. */
void watch_dhcp(struct watch *w, const struct packet *p)
{
	struct lookup_key key = {
		.service.protocol = PROTOCOL_UDP,
		.port = (uint16_t)(p->dhcp.id >> 16),
		.id = (uint16_t)p->dhcp.id,
	};
	memcpy(key.client.bytes, p->dhcp.mac, sizeof p->dhcp.mac);
	if (p->dhcp.type < WATCH_DHCP_TYPES)
		w->counts.dhcp[p->dhcp.type]++;
	if (p->dhcp.type == DISCOVER) {
		bool fresh;
		struct lookup *l = slots_take(&w->leases, &key, p->at_us, &fresh);
		if (fresh)
			l->asked_us = p->at_us;
	} else if (p->dhcp.type == OFFER) {
		struct lookup *l = slots_find(&w->leases, &key);
		if (l)
			l->answered = true;
	}
}

/* Both end where patience does: `answered` is what keeps one from counting twice. */
void watch_lookups_turn(struct watch *w, int64_t now_us)
{
	struct lookup *l;
	for (size_t i = 0; (l = slots_next(&w->lookups, &i)) != NULL;) {
		if (l->answered || now_us - l->asked_us < DNS_PATIENCE_US)
			continue;
		struct service *s = slots_find(&w->services, &l->key.service);
		if (s)
			s->no_answers++;
		w->counts.dns_failed++;
		l->answered = true;
	}
	for (size_t i = 0; (l = slots_next(&w->leases, &i)) != NULL;) {
		if (l->answered || now_us - l->asked_us < DHCP_PATIENCE_US)
			continue;
		w->counts.dhcp_unanswered++;
		l->answered = true;
	}
}
