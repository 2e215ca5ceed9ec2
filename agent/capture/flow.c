/* SPDX-License-Identifier: Apache-2.0 */
/* A TCP connection as its headers show it.
 *
 * Of each side: the next sequence number that would be new. A segment that begins before
 * it was sent again, or came late: late it is when it fills a hole that was seen less than
 * a handshake's time (or 3 ms) ago. What asks for a sign of life, one byte before the
 * next number, is neither.
 */
#include <string.h>

#include "watch.h"

#define LATE_US 3000
#define UNANSWERED_US 10000000

struct flow_key {
	struct packet_address low, high;
	uint16_t low_port, high_port;
	uint8_t pad[4];
};

struct flow_side {
	uint32_t next;
	bool began;
	uint32_t hole_from, hole_to;
	int64_t moved_us; /* when `next` last rose */
};

struct flow {
	struct slot slot;
	struct flow_key key;
	struct flow_side sides[2]; /* of the low address and of the high */
	int64_t syn_us;
	uint32_t syn_seq, answer_seq, handshake_us;
	uint8_t client;                      /* which side, once it is known */
	bool asked, answered, done, counted; /* the handshake's steps; counted as unanswered */
};

size_t watch_flow_bytes(void)
{
	return sizeof(struct flow);
}

size_t watch_flow_key_bytes(void)
{
	return sizeof(struct flow_key);
}

/* From which of the two sides a packet comes. */
static unsigned key_of(const struct packet *p, struct flow_key *key)
{
	int order = memcmp(p->from.bytes, p->to.bytes, sizeof p->from.bytes);
	bool high = order > 0 || (order == 0 && p->from_port > p->to_port);
	memset(key, 0, sizeof *key);
	key->low = high ? p->to : p->from;
	key->high = high ? p->from : p->to;
	key->low_port = high ? p->to_port : p->from_port;
	key->high_port = high ? p->from_port : p->to_port;
	return high;
}

static bool is_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* A connection that begins anew on the same ports. */
static void begin(struct flow *f, const struct packet *p, unsigned side)
{
	memset(f->sides, 0, sizeof f->sides);
	f->asked = true;
	f->answered = f->done = f->counted = false;
	f->handshake_us = 0;
	f->client = (uint8_t)side;
	f->syn_seq = p->tcp.seq;
	f->syn_us = p->at_us;
}

static void shake(struct flow *f, const struct packet *p, unsigned side, struct service *s)
{
	uint8_t flags = p->tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST);
	if (flags == TCP_SYN) {
		if (!f->asked || f->syn_seq != p->tcp.seq)
			begin(f, p, side);
		f->syn_us = f->answered ? f->syn_us : p->at_us;
	} else if (flags == (TCP_SYN | TCP_ACK) && f->asked && side != f->client) {
		f->answered = true;
		f->answer_seq = p->tcp.seq;
	} else if (flags == TCP_ACK && f->answered && !f->done && side == f->client &&
		p->tcp.ack == f->answer_seq + 1) {
		f->done = true;
		f->handshake_us = (uint32_t)(p->at_us - f->syn_us);
		s->handshakes++;
		s->handshake_us += f->handshake_us;
	} else if ((flags & TCP_RST) && f->asked && !f->answered && side != f->client) {
		s->refused += !f->counted;
		f->counted = true;
	}
}

static bool fills_hole(
	const struct flow *f, const struct flow_side *side, const struct packet *p, uint32_t end)
{
	int64_t late = f->handshake_us ? f->handshake_us : LATE_US;
	return side->hole_from != side->hole_to && !is_before(p->tcp.seq, side->hole_from) &&
		!is_before(side->hole_to, end) && p->at_us - side->moved_us < late;
}

static void follow(struct flow *f, unsigned n, const struct packet *p, struct service *s)
{
	struct flow_side *side = &f->sides[n];
	uint32_t length = p->payload + !!(p->tcp.flags & TCP_SYN) + !!(p->tcp.flags & TCP_FIN);
	uint32_t seq = p->tcp.seq, end = seq + length;
	if (p->tcp.flags & TCP_RST)
		return;
	if (!side->began) {
		*side = (struct flow_side){.next = end, .began = true, .moved_us = p->at_us};
		return;
	}
	bool sign_of_life = p->payload <= 1 && length == p->payload && seq == side->next - 1;
	if (length > 0 && is_before(seq, side->next) && !sign_of_life) {
		if (fills_hole(f, side, p, end))
			s->out_of_order++;
		else
			s->retransmissions++;
	}
	if (is_before(side->next, seq)) {
		side->hole_from = side->next;
		side->hole_to = seq;
	}
	if (is_before(side->next, end)) {
		side->next = end;
		side->moved_us = p->at_us;
	}
}

/* Once the handshake was seen it says who the server is, whatever the ports. */
static void turn_round(
	const struct flow *f, unsigned side, const struct packet *p, struct conversation *c)
{
	if (!f->asked)
		return;
	c->to_server = side == f->client;
	c->service.server = c->to_server ? p->to : p->from;
	c->service.port = c->to_server ? p->to_port : p->from_port;
	c->client = c->to_server ? p->from : p->to;
}

void watch_flow(struct watch *w, const struct packet *p, struct conversation *c)
{
	struct flow_key key;
	bool fresh;
	unsigned side = key_of(p, &key);
	struct flow *f = slots_take(&w->flows, &key, p->at_us, &fresh);
	uint8_t flags = p->tcp.flags;
	if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && (!f->asked || f->syn_seq != p->tcp.seq))
		begin(f, p, side);
	turn_round(f, side, p, c);
	struct service *s = watch_service(w, &c->service, p->at_us);
	shake(f, p, side, s);
	uint64_t again = s->retransmissions;
	follow(f, side, p, s);
	w->counts.tcp_segments += p->payload > 0 || (flags & (TCP_SYN | TCP_FIN));
	w->counts.retransmissions += s->retransmissions - again;
	s->resets += !!(flags & TCP_RST);
	s->zero_windows += p->tcp.window == 0 && !(flags & (TCP_SYN | TCP_FIN | TCP_RST));
}

/* The service as its SYN named it. */
static struct service_key service_of(const struct flow *f)
{
	bool low = f->client != 0;
	return (struct service_key){
		.server = low ? f->key.low : f->key.high,
		.port = low ? f->key.low_port : f->key.high_port,
		.protocol = PROTOCOL_TCP,
	};
}

void watch_flow_unanswered(struct watch *w, int64_t now_us)
{
	struct flow *f;
	for (size_t i = 0; (f = slots_next(&w->flows, &i)) != NULL;) {
		if (!f->asked || f->answered || f->counted || now_us - f->syn_us < UNANSWERED_US)
			continue;
		struct service_key key = service_of(f);
		struct service *s = slots_find(&w->services, &key);
		if (s)
			s->unanswered++;
		f->counted = true;
	}
}
