/* Tickets: alerts as they see them who must mend them, and whether targets are met.
 *
 * An episode of an alert is a ticket from when the first feed has delivered its open, or the
 * first that gave it a number, where one does. All
 * that is known of it is in the audit trail (audit.h); this follows the trail, and adds
 * when the register's targets end ("due"), as they are when the ticket is raised or goes
 * on after a pause. So what is said of a past date rests on the trail alone and never
 * changes.
 *
 *   raised -------- accepted or acknowledged ------- cleared ------- resolved
 *   |   response runs      |                            |
 *   |   resolution runs                                 |
 *
 * A response is met when somebody took the ticket up, or the fault was gone, before its
 * target; a resolution when the fault was gone. While it is paused, for a reason that is
 * written down, no clock runs: targets move by what of the pause lies within their hours.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>

struct registry;
struct state;
struct tickets;

enum ticket_clock { TICKET_RESPOND, TICKET_RESOLVE, TICKET_CLOCKS };
extern const char *const ticket_clock_names[TICKET_CLOCKS]; /* "respond", "resolve" */

/* How a clock stands. */
enum ticket_standing {
	TICKET_UNSET, /* there is no target */
	TICKET_RUNNING,
	TICKET_AT_RISK, /* four fifths of the time are gone */
	TICKET_MET,
	TICKET_MISSED
};
extern const char *const ticket_standing_names[]; /* "none", "running", .. */

/* Times are 0 while it has not happened. Texts are "" for none. */
struct ticket {
	const char *key, *rule, *instance, *severity, *summary;
	const char *priority, *tier, *site,
		*supplier;          /* as the register had them when it was told */
	const char *feed, *receipt; /* that raised it; the desk's number */
	const char *responder;      /* who took it up */
	const char *target;         /* "targets.yml, line 4" */
	const char *paused;         /* for this reason; "" while it is not */
	int64_t starts_ms, raised_ms, responded_ms, restored_ms, resolved_ms;
	int64_t paused_since_ms;       /* also of the pause in which the fault went */
	int64_t paused_ms;             /* all pauses that have ended */
	int64_t due_ms[TICKET_CLOCKS]; /* 0: no target */
	bool is_judged;                /* its targets have been looked up */
};
/* When a clock of it ended; 0: it has not. */
int64_t ticket_ended_ms(const struct ticket *ticket, enum ticket_clock clock);
enum ticket_standing ticket_standing(
	const struct ticket *ticket, enum ticket_clock clock, int64_t at_ms);

/* ---- the ones of now; main thread ---- */

struct tickets_config {
	uv_loop_t *loop;
	struct state *state;
	const struct registry *registry;
	/* A clock of it is at risk, or its target was missed, and it is still open. Said again
	 * and again; may be NULL. */
	void (*on_risk)(const struct ticket *ticket, enum ticket_clock clock, void *arg);
	void *arg;
};
int tickets_open(struct tickets **out, const struct tickets_config *config, struct fw_err *err);
void tickets_close(struct tickets *tickets, void (*on_closed)(void *arg), void *arg);
void tickets_set_register(struct tickets *tickets, const struct registry *registry);
/* Reads on in the trail; so does a timer. */
int tickets_look(struct tickets *tickets, int64_t now_ms, struct fw_err *err);

/* Open ones and those of the last week, the latest first; copies, in the arena. */
void tickets_list(struct tickets *tickets, struct fw_arena *arena, struct ticket **out, size_t *n);

extern const char *const ticket_pause_reasons[]; /* NULL-ended */
/* Of the newest ticket with this key, one that begins so (8 characters or more), or this
 * number of a desk's. -EINVAL: several do. -ENOENT: there is none; -EINVAL: the reason is none of
 * the table; -EALREADY: it is paused already, or is not, or the fault is gone. */
int tickets_pause(struct tickets *tickets, const char *key, const char *reason, const char *who,
	int64_t now_ms, struct fw_err *err);
int tickets_resume(struct tickets *tickets, const char *key, const char *who, int64_t now_ms,
	struct fw_err *err);

/* ---- of a time in the past; any thread, any connection ---- */

/* Tickets raised within [from, until) as they stood at `at`, in the order in which they were
 * raised; in the arena. */
int tickets_of(struct state *state, int64_t from_ms, int64_t until_ms, int64_t at_ms,
	struct fw_arena *arena, struct ticket **out, size_t *n, struct fw_err *err);
