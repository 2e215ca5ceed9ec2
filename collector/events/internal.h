/* What the files of this folder share. */
#pragma once

#include <fenwatch/loop.h>
#include <fenwatch/mem.h>
#include <fenwatch/wire.h>

#include "events.h"

/* ---- rules.c ---- */

struct event_pattern {
	const char *name, *pattern; /* of a field, or "kind" */
};

/* All patterns of one of these must fit. */
struct event_shape {
	const struct event_pattern *patterns;
	size_t n;
	int64_t ends_ms; /* what it does not raise again for so long is over; 0: as its rule has it */
};

struct event_shapes {
	const struct event_shape *items;
	size_t n;
};

struct event_rule {
	const char *name;
	int enabled;
	struct event_shapes raise, clear;
	struct fw_text_list by; /* fields that tell one host's faults apart */
	const char *severity, *summary, *help;
	int64_t ends_ms; /* what is not raised again for so long is over; 0: never */
};

/* By which of its shapes; NULL: it does not. */
const struct event_shape *rule_raises(
	const struct event_rule *rule, const Fenwatch__Wire__Event *event);
bool rule_clears(const struct event_rule *rule, const Fenwatch__Wire__Event *event);
/* The rule's summary with the event's fields in it; the caller's to free. */
char *rule_says(const struct event_rule *rule, const Fenwatch__Wire__Event *event);
/* The first of that name, "" where there is none. */
const char *event_field(const Fenwatch__Wire__Event *event, const char *name);

/* ---- raising.c ---- */

struct events {
	struct events_config config;
	const struct event_rules *rules; /* NULL: nothing is told */
	const char *estate;
	struct alerts *alerts;
	struct fw_owner owner;
	uv_timer_t look;
	int64_t told_full_ms; /* when it was last told that there is no room */
};

void raising_open(struct events *events);
void raising_close(struct events *events);
/* Within the caller's transaction: what an event that is new raises or clears. */
int raising_take(struct events *events, const char *host, const Fenwatch__Wire__Event *event,
	struct fw_err *err);
/* The alerts hear of it soon. */
void raising_changed(struct events *events);
