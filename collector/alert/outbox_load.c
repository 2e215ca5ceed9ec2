/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>

#include "outbox_parts.h"

/* What goes astray has done so since before the reload. */
static int64_t astray_before_ms(const struct outlet *outlet, int64_t id, const char *key)
{
	const struct outbox *before = outlet->outbox->before;
	for (size_t i = 0; before && i < before->n_outlets; i++) {
		const struct outlet *other = &before->outlets[i];
		const struct entry *entry = lanes_find(&other->lanes, id, key);
		if (entry && strcmp(other->option->name, outlet->option->name) == 0)
			return entry->astray_ms;
	}
	return 0;
}

static void on_waiting(int64_t id, const char *key, int64_t tries, void *arg)
{
	struct outlet *outlet = arg;
	if (lanes_find(&outlet->lanes, id, key))
		return;
	struct entry *entry = lanes_append(&outlet->lanes, id, key);
	entry->tries = tries;
	entry->astray_ms = astray_before_ms(outlet, id, key);
	outlet->last_id = id;
}

static void on_standing(int64_t id, const char *key, void *arg)
{
	struct outlet *outlet = arg;
	lanes_append(&outlet->lanes, id, key)->repeat = true;
	outlet->repeats++;
}

static void load(struct outlet *outlet)
{
	struct fw_err err;
	int rc = book_waiting(outlet->outbox->config.state, outlet->option->name, outlet->last_id,
		on_waiting, outlet, &err);
	outlet->stale = rc < 0;
	if (rc < 0)
		outbox_tell_trouble(outlet->outbox, "waiting notices cannot be read", &err);
}

/* A round begins when the last one is through. */
static void load_standing(struct outlet *outlet, int64_t now_ms)
{
	struct fw_err err;
	const struct feed *feed = outlet->option->feed;
	if (feed->repeat_ms == 0 || now_ms < outlet->repeat_ms || outlet->repeats > 0)
		return;
	outlet->repeat_ms = now_ms + feed->repeat_ms;
	if (book_standing(outlet->outbox->config.state, outlet->option->name,
		    fw_wall_ms() - feed->repeat_closed_ms, on_standing, outlet, &err) < 0)
		outbox_tell_trouble(
			outlet->outbox, "what is to be told again cannot be read", &err);
}

/* The beat that nobody hears is the alarm. */
static void load_beat(struct outlet *outlet, int64_t now_ms)
{
	const struct outbox_config *config = &outlet->outbox->config;
	const struct alert_feed_option *option = outlet->option;
	if (!option->feed->beat_ms || !option->live || now_ms < outlet->repeat_ms ||
		outlet->repeats > 0)
		return;
	outlet->repeat_ms = now_ms + option->feed->beat_ms(option->config);
	const char *trouble = config->on_checkup ? config->on_checkup(config->arg) : NULL;
	if (!trouble) {
		on_standing(0, "", outlet);
		return;
	}
	if (strcmp(outlet->error, trouble) != 0)
		fw_log(FW_ERROR, "feed '%s' is not told that all is well: %s", option->name,
			trouble);
	snprintf(outlet->error, sizeof outlet->error, "%s", trouble);
}

void outbox_load(struct outbox *outbox)
{
	int64_t now_ms = fw_mono_ms();
	for (size_t i = 0; i < outbox->n_outlets; i++) {
		struct outlet *outlet = &outbox->outlets[i];
		if (outlet->stale)
			load(outlet);
		if (outlet_is_alone(outlet, now_ms))
			continue;
		load_standing(outlet, now_ms);
		load_beat(outlet, now_ms);
	}
}
