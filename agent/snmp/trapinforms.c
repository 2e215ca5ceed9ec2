/* SPDX-License-Identifier: Apache-2.0 */
#include "trapinforms.h"

#include <sys/queue.h>

#include <fenwatch/mem.h>

#define HEARD 4096 /* a power of two */

struct inform {
	STAILQ_ENTRY(inform) entry; /* in the order in which they came */
	uint64_t number;
	int64_t came_ms;
	size_t bytes;
	void *to;
	netsnmp_pdu *answer;
};

struct heard {
	uint64_t key;
	int64_t at_ms;
};

struct trap_informs {
	void (*answer)(void *to, netsnmp_pdu *pdu);
	STAILQ_HEAD(informs, inform) waiting;
	size_t n, bytes;
	uint64_t durable, unanswered;
	struct heard heard[HEARD]; /* each at the place of its key */
};

struct trap_informs *trap_informs_new(void (*answer)(void *to, netsnmp_pdu *pdu))
{
	struct trap_informs *w = fw_alloc(sizeof *w);
	w->answer = answer;
	STAILQ_INIT(&w->waiting);
	return w;
}

static struct inform *take_first(struct trap_informs *w)
{
	struct inform *inform = STAILQ_FIRST(&w->waiting);
	STAILQ_REMOVE_HEAD(&w->waiting, entry);
	w->n--;
	w->bytes -= inform->bytes;
	return inform;
}

static void add_last(struct trap_informs *w, struct inform *inform)
{
	STAILQ_INSERT_TAIL(&w->waiting, inform, entry);
	w->n++;
	w->bytes += inform->bytes;
}

static void drop_first(struct trap_informs *w)
{
	struct inform *inform = take_first(w);
	snmp_free_pdu(inform->answer);
	fw_free(inform);
}

void trap_informs_free(struct trap_informs *w)
{
	while (!STAILQ_EMPTY(&w->waiting))
		drop_first(w);
	fw_free(w);
}

static netsnmp_pdu *answer_of(netsnmp_pdu *pdu)
{
	netsnmp_pdu *copy = snmp_clone_pdu(pdu);
	if (!copy)
		return NULL;
	copy->command = SNMP_MSG_RESPONSE;
	copy->errstat = 0;
	copy->errindex = 0;
	return copy;
}

bool trap_informs_again(const struct trap_informs *w, uint64_t key, int64_t now_ms)
{
	const struct heard *heard = &w->heard[key & (HEARD - 1)];
	return heard->key == key && heard->at_ms > 0 && now_ms - heard->at_ms < TRAP_INFORM_MS;
}

void trap_informs_hold(struct trap_informs *w, void *to, netsnmp_pdu *pdu, size_t bytes,
	uint64_t key, uint64_t number, int64_t now_ms)
{
	w->heard[key & (HEARD - 1)] = (struct heard){key, now_ms};
	bool has_room = w->n < TRAP_INFORMS && w->bytes + bytes <= TRAP_INFORM_BYTES;
	netsnmp_pdu *copy = has_room ? answer_of(pdu) : NULL;
	if (!copy) {
		w->unanswered++;
		return;
	}
	if (number <= w->durable) {
		w->answer(to, copy);
		return;
	}
	struct inform *inform = fw_alloc(sizeof *inform);
	*inform = (struct inform){
		.number = number, .came_ms = now_ms, .bytes = bytes, .to = to, .answer = copy};
	add_last(w, inform);
}

void trap_informs_told(struct trap_informs *w, uint64_t number)
{
	struct inform *inform;
	STAILQ_FOREACH (inform, &w->waiting, entry)
		if (inform->number == TRAP_UNTOLD)
			inform->number = number;
}

/* Numbers do not ascend: one that was counted waits for a later event than one that came first. */
void trap_informs_durable(struct trap_informs *w, uint64_t number)
{
	w->durable = number;
	for (size_t left = w->n; left > 0; left--) {
		struct inform *inform = take_first(w);
		if (inform->number > number) {
			add_last(w, inform);
			continue;
		}
		w->answer(inform->to, inform->answer);
		fw_free(inform);
	}
}

void trap_informs_expire(struct trap_informs *w, int64_t now_ms)
{
	while (!STAILQ_EMPTY(&w->waiting) &&
		now_ms - STAILQ_FIRST(&w->waiting)->came_ms >= TRAP_INFORM_MS) {
		drop_first(w);
		w->unanswered++;
	}
}

size_t trap_informs_waiting(const struct trap_informs *w)
{
	return w->n;
}

uint64_t trap_informs_unanswered(struct trap_informs *w)
{
	uint64_t n = w->unanswered;
	w->unanswered = 0;
	return n;
}
