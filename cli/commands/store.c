/* SPDX-License-Identifier: Apache-2.0 */
/* The collector's store: how full, how far back, and snapshots of it. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "render.h"

/* ---- stat ---- */

static const char *days_of(struct screen *s, const json_t *tier, const char *name)
{
	const json_t *days = json_object_get(tier, name);
	if (!json_is_number(days))
		return "-";
	return fw_arena_format(&s->arena, "%.1f", json_number_value(days));
}

static void write_tiers(struct screen *s, const json_t *tiers)
{
	static const char *const headings[] = {"TIER", ">SIZE", ">USED", ">A DAY", ">DAYS HELD",
		">WILL HOLD", ">TARGET", "OLDEST", NULL};
	struct table t;
	size_t i;
	const json_t *tier;
	table_init(&t, s, headings);
	json_array_foreach(tiers, i, tier)
	{
		bool warns = json_is_string(json_object_get(tier, "warning"));
		table_put(&t, TONE_PLAIN, screen_member(s, tier, "tier"));
		table_put(&t, TONE_PLAIN, screen_size(s, tier, "bytes"));
		table_put(&t, TONE_PLAIN, screen_size(s, tier, "used"));
		table_put(&t, TONE_PLAIN, screen_size(s, tier, "bytes_a_day"));
		table_put(&t, TONE_PLAIN, days_of(s, tier, "held_days"));
		table_put(&t, warns ? TONE_WARNING : TONE_PLAIN, days_of(s, tier, "days"));
		table_put(&t, TONE_PLAIN, screen_number(s, tier, "target_days"));
		table_put(&t, TONE_PLAIN, screen_member(s, tier, "oldest"));
	}
	table_print(&t);
}

static void write_counts(struct screen *s, const json_t *data)
{
	static const char *const names[] = {"hosts", "schemas", "series", "samples",
		"bytes_a_sample", "late", "ahead", "refused", "damaged"};
	static const char *const words[] = {"hosts", "schemas", "series", "samples since the start",
		"bytes a sample", "late sweeps", "sweeps from the future", "batches refused",
		"damaged blocks"};
	screen_printf(s, "\n");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const json_t *value = json_object_get(data, names[i]);
		const char *text = json_is_real(value)
			? fw_arena_format(&s->arena, "%.2f", json_real_value(value))
			: screen_number(s, data, names[i]);
		screen_printf(s, "%-24s %s\n", words[i], text);
	}
}

enum status render_store(struct screen *s, const json_t *data)
{
	const json_t *tiers = json_object_get(data, "tiers"), *tier;
	enum status status = STATUS_WELL;
	size_t i;
	write_tiers(s, tiers);
	write_counts(s, data);
	json_array_foreach(tiers, i, tier)
	{
		if (!json_is_string(json_object_get(tier, "warning")))
			continue;
		screen_printf(s, "%s", status == STATUS_WELL ? "\n" : "");
		screen_put(s, TONE_WARNING, screen_member(s, tier, "warning"));
		screen_printf(s, "\n");
		status = STATUS_BAD_NEWS;
	}
	return status;
}

enum status command_store_stat(struct cli *cli, char **args, int n_args)
{
	(void)args;
	(void)n_args;
	return cli_get(cli, "/api/fenwatch/v1/store", NULL, render_store);
}

/* ---- snapshot ---- */

#define SNAPSHOTS "/api/fenwatch/v1/store/snapshots"

enum { LOOK_EVERY_MS = 500 };

static bool is_in_state(const json_t *snapshot, const char *state)
{
	const char *is = json_string_value(json_object_get(snapshot, "state"));
	return is && strcmp(is, state) == 0;
}

enum status render_snapshot(struct screen *s, const json_t *data)
{
	if (is_in_state(data, "failed")) {
		screen_printf(s, "failed: %s\n", screen_member(s, data, "error"));
		return STATUS_BAD_NEWS;
	}
	screen_printf(s, "%s: %s, %s\n", screen_member(s, data, "name"),
		screen_member(s, data, "state"), screen_size(s, data, "bytes"));
	return STATUS_WELL;
}

/* On the terminal, over itself; into a pipe nothing. */
static void tell_progress(const json_t *snapshot)
{
	double bytes = json_number_value(json_object_get(snapshot, "bytes"));
	double of = json_number_value(json_object_get(snapshot, "of_bytes"));
	if (isatty(STDERR_FILENO) && of > 0)
		fprintf(stderr, "\r%3.0f %%", fmin(100 * bytes / of, 100));
}

static json_t *wait_for(struct cli *cli, json_t *snapshot, enum status *status)
{
	const struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * 1000000L};
	while (snapshot && is_in_state(snapshot, "running")) {
		tell_progress(snapshot);
		nanosleep(&pause, NULL);
		json_decref(snapshot);
		snapshot = client_ask(cli, "GET", SNAPSHOTS, NULL, status);
	}
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r     \r");
	return snapshot;
}

enum status command_store_snapshot(struct cli *cli, char **args, int n_args)
{
	const struct parameter parameters[] = {{"name", args[0]}, {0}};
	enum status status = STATUS_NO_ANSWER;
	(void)n_args;
	json_t *snapshot = client_ask(cli, "POST", SNAPSHOTS, parameters, &status);
	snapshot = wait_for(cli, snapshot, &status);
	return snapshot ? cli_show(cli, snapshot, render_snapshot) : status;
}
