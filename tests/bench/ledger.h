/* What a simulated agent has made, sent, and been told is durable.
 *
 * An agent makes one sweep of each of its hosts a tick. Ticks made while it is
 * connected go into the live lane, those that passed without a connection into
 * the backlog. A lane is a list of runs of numbers, so whatever is not
 * acknowledged can be made again from its number alone. Only the newest run of
 * a lane grows; runs go when they are acknowledged.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LEDGER_LIVE 0
#define LEDGER_BACKLOG 1
#define LEDGER_LANES 2
#define BACKLOG_SWEEPS 60 /* ticks in one number of the backlog */

struct run {
	uint64_t number, count; /* numbers from here on, */
	uint64_t tick;          /* which stand for ticks from here on, host after host */
	unsigned sweeps;        /* ticks in each number */
};

struct lane {
	struct run *runs;
	unsigned n_runs;
	uint64_t next; /* to be made; numbers begin with 1 */
	uint64_t sent; /* on this connection, or acknowledged */
	uint64_t acked;
};

struct ledger {
	struct lane lanes[LEDGER_LANES];
	unsigned n_hosts;
	uint64_t next_tick;
	uint64_t acked_sweeps;
};

/* What a number stands for. */
struct piece {
	unsigned host, sweeps;
	uint64_t tick;
	bool begins; /* nothing of this host came just before in its lane */
};

void ledger_init(struct ledger *ledger, unsigned n_hosts);
void ledger_done(struct ledger *ledger);
void ledger_tick(struct ledger *ledger);                   /* the next one is live */
void ledger_miss(struct ledger *ledger, uint64_t to_tick); /* those before it are backlog */
/* A number that is made and not acknowledged. */
void ledger_find(const struct ledger *ledger, int lane, uint64_t number, struct piece *out);
/* -EPROTO when it acknowledges what was not sent on this connection. */
int ledger_ack(struct ledger *ledger, int lane, uint64_t to);
/* A new connection: the collector says what is durable, the rest is sent again. -EPROTO when
 * that is less than it said before. */
int ledger_welcome(struct ledger *ledger, int lane, uint64_t to);
bool ledger_is_settled(const struct ledger *ledger); /* all that was made is acknowledged */
