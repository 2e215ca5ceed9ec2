/* Informs that wait for their answer until the agent has what they say on its disk.
 *
 * Each is held with the number of its event, or until the event that counts it is told. One that
 * its sender sends again is known by its key: it says nothing new. There is room for so many, and
 * so many bytes of their packets; one without room is not answered, and its sender tries again.
 * One that waits for longer than any sender does is given up: an answer would come to nobody, or
 * to another question. Either is counted. No socket, no loop, no clock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#define TRAP_INFORMS 20000
#define TRAP_INFORM_BYTES (16u << 20)
#define TRAP_INFORM_MS (5 * 60 * 1000)
#define TRAP_UNTOLD UINT64_MAX /* no event tells of it yet */

struct trap_informs;

/* `answer` sends the packet and frees it; `to` is the caller's way back to the sender. */
struct trap_informs *trap_informs_new(void (*answer)(void *to, netsnmp_pdu *pdu));
void trap_informs_free(struct trap_informs *w);
/* Whether its sender sends again what was held with this key; where there are many at once an older
 * one may be forgotten. */
bool trap_informs_again(const struct trap_informs *w, uint64_t key, int64_t now_ms);
/* Answers it now or later, unless there is no room. */
void trap_informs_hold(struct trap_informs *w, void *to, netsnmp_pdu *pdu, size_t bytes,
	uint64_t key, uint64_t number, int64_t now_ms);
/* All of which none told are told by events up to this number. */
void trap_informs_told(struct trap_informs *w, uint64_t number);
/* Events up to this number are on the agent's disk. */
void trap_informs_durable(struct trap_informs *w, uint64_t number);
/* Gives up those that are too old. */
void trap_informs_expire(struct trap_informs *w, int64_t now_ms);
size_t trap_informs_waiting(const struct trap_informs *w);
/* How many had no answer since the last call. */
uint64_t trap_informs_unanswered(struct trap_informs *w);
