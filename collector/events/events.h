/* Events: what happened at one moment, as a host's agent or probe tells it: a trap, a gap in
 * what was sent, a line of a log.
 *
 * They are kept outside the ring, to be searched: the newest million, and none for longer than
 * 400 days. One that comes twice is known by its agent, stream, lane and number. Of the fields
 * the first 256 are kept, and 64 KiB in all; "cut" says how many are missing.
 *
 * Some say that a fault began or ended. Event rules, as data, tell which: those that are built
 * in and those of collector.yml. What they raise is kept here and handed to the alerts as a
 * group of rules that is evaluated whenever something has changed. An event that is more than a
 * quarter of an hour old when it comes clears, but raises nothing, and of two the later one
 * counts, in whatever order they come. Main thread, but for events_search().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include <fenwatch/conf.h>
#include <fenwatch/err.h>

struct alerts;
struct events;
struct state;
struct store_record;

/* ---- rules; `event_rules:` of collector.yml ---- */

struct event_rule;

struct event_rules {
	const struct event_rule *items;
	size_t n;
};
/* For an FW_OPT_CUSTOM row; `field` is a struct event_rules. Without it those that are built in
 * count: see events_builtin(). */
int events_parse_rules(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err);
struct event_rules events_builtin(void);
const char *events_rule_name(const struct event_rules *rules, size_t i); /* and of its alerts */

/* ---- what comes in ---- */

struct events_config {
	uv_loop_t *loop;
	struct state *state;
	int64_t (*now_ms)(void); /* wall time; NULL: the clock's */
};

int events_open(struct events **out, const struct events_config *config, struct fw_err *err);
/* From now on what is raised is told, at first now: before rule files are loaded, which ends
 * what nobody claims. `rules` are kept until the next call; NULL: nothing is told. */
void events_tell(struct events *events, const struct event_rules *rules, const char *estate,
	struct alerts *alerts);
/* Nothing is told any more. The memory goes when the loop has let go of it. */
void events_close(struct events *events);

/* Files an event of the host of that name, as part of the caller's transaction, if there is
 * one. What a check says has its target's name, and any agent may check it: of it only events of
 * the kind "check" raise and clear. Negative: the database failed, and the event should come
 * again. */
int events_take(struct events *events, const struct store_record *record, const char *host,
	bool of_check, struct fw_err *err);
int events_forget(struct events *events, uint32_t host, const char *name, struct fw_err *err);
/* A piece of what has to go. */
int events_prune(struct events *events, struct fw_err *err);

/* ---- what was ---- */

struct event {
	int64_t id, at_ms, received_ms;
	const char *host, *kind;
	const char *fields; /* a JSON object of texts */
};

/* Where a search stands: behind this event. */
struct event_place {
	int64_t at_ms, id; /* id 0: at the beginning, or the end */
};

#define EVENTS_LOOKED_AT 100000 /* by one search, whatever it finds */

struct event_search {
	const char *host, *kind; /* NULL: any */
	const char *text;        /* in some field's name or value, in any case; NULL: any */
	int64_t from_ms, until_ms;
	struct event_place before; /* goes on from there */
};
/* The latest first, until `each` says false or EVENTS_LOOKED_AT have been looked at: then `next`
 * is where another search goes on. `reader` may be another thread's. */
int events_search(struct state *reader, const struct event_search *search,
	bool (*each)(const struct event *event, void *arg), void *arg, struct event_place *next,
	struct fw_err *err);
