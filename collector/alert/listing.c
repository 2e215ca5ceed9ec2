/* SPDX-License-Identifier: Apache-2.0 */
/* What is open, as it is shown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acks.h"
#include "internal.h"

struct gathering {
	struct alerts *alerts;
	struct fw_arena *arena;
	struct alert_view *views;
	size_t n;
};

static const struct notice_pair *copy_pairs(struct fw_arena *arena, const struct pairs *pairs)
{
	struct notice_pair *copy = fw_arena_alloc(arena, (pairs->n + 1) * sizeof *copy);
	for (size_t i = 0; i < pairs->n; i++) {
		copy[i].name = fw_arena_strdup(arena, pairs->items[i].name);
		copy[i].value = fw_arena_strdup(arena, pairs->items[i].value);
	}
	return copy;
}

static void on_counted(struct alert *alert, void *arg)
{
	(void)alert;
	((struct gathering *)arg)->n++;
}

/* Why nobody is told of it now; "" where somebody is. */
static const char *held_for(
	const struct alerts *alerts, const struct alert *alert, char why[GATE_WHY])
{
	const struct episode *episode = &alert->episode;
	const struct held *held = gate_find(alerts->gate, episode->key);
	*why = '\0';
	if (held)
		snprintf(why, GATE_WHY, "%s", held->why);
	else if (episode->life.phase == FIRING &&
		gate_silences_told(alerts->gate, episode, alerts_now(), why))
		return "silenced";
	return held ? held->reason : "";
}

static void on_gathered(struct alert *alert, void *arg)
{
	struct gathering *g = arg;
	const struct episode *episode = &alert->episode;
	const struct ack *ack = acks_find(g->alerts->acks, episode->key, episode->life.starts_ms);
	char doubt[ALERT_DOUBT], why[GATE_WHY];
	const char *held = held_for(g->alerts, alert, why);
	alert_doubt(g->alerts, alert, doubt);
	alert_describe(g->alerts, alert, episode->life.value);
	g->views[g->n++] = (struct alert_view){
		.key = fw_arena_strdup(g->arena, episode->key),
		.rule = fw_arena_strdup(g->arena, episode->rule),
		.instance = fw_arena_strdup(g->arena, episode->instance),
		.severity = fw_arena_strdup(g->arena, episode->severity),
		.state = episode->life.phase == FIRING ? ALERT_FIRING : ALERT_PENDING,
		.since_ms = episode->life.starts_ms,
		.value = episode->life.value,
		.is_ruled = episode->is_ruled,
		.unknown = fw_arena_strdup(g->arena, doubt),
		.acked_by = ack ? fw_arena_strdup(g->arena, ack->who) : NULL,
		.ack_note = ack ? fw_arena_strdup(g->arena, ack->note) : NULL,
		.acked_ms = ack ? ack->at_ms : 0,
		.held = held,
		.held_why = fw_arena_strdup(g->arena, why),
		.labels = copy_pairs(g->arena, &episode->labels),
		.n_labels = episode->labels.n,
		.annotations = copy_pairs(g->arena, &episode->annotations),
		.n_annotations = episode->annotations.n,
	};
}

static int rank(const struct alert_view *view)
{
	int severity = strcmp(view->severity, "critical") == 0 ? 0
		: strcmp(view->severity, "info") == 0          ? 2
							       : 1;
	return (view->state == ALERT_FIRING ? 0 : 3) + severity;
}

static int worst_first(const void *a, const void *b)
{
	const struct alert_view *left = a, *right = b;
	if (rank(left) != rank(right))
		return rank(left) - rank(right);
	if (left->since_ms != right->since_ms)
		return left->since_ms < right->since_ms ? -1 : 1;
	return strcmp(left->key, right->key);
}

int alert_list(struct alerts *alerts, struct fw_arena *arena, struct alert_view **out, size_t *n,
	struct fw_err *err)
{
	(void)err;
	struct gathering g = {.alerts = alerts, .arena = arena};
	alerts_each(alerts, on_counted, &g);
	g.views = fw_arena_alloc(arena, (g.n + 1) * sizeof *g.views);
	g.n = 0;
	alerts_each(alerts, on_gathered, &g);
	qsort(g.views, g.n, sizeof *g.views, worst_first);
	*out = g.views;
	*n = g.n;
	return 0;
}
