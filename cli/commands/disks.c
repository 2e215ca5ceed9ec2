/* SPDX-License-Identifier: Apache-2.0 */
/* Filesystems: how full they are, and when they fill. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/text.h>

#include "paper.h"
#include "render.h"

#define HOUR_S 3600.0
#define DAY_S 86400.0
#define SOON_DAYS 2 /* nearer than that hours are told, no dates */

static double seconds_to(struct screen *s, const json_t *forecast, const char *name)
{
	const char *text = json_string_value(json_object_get(forecast, name));
	int64_t at_ms;
	if (!text || fw_time_parse(text, &at_ms) < 0)
		return NAN;
	return fmax((double)(at_ms - s->now_ms) / 1000, 0);
}

static const char *date_of(struct screen *s, const json_t *forecast, const char *name)
{
	const char *text = screen_member(s, forecast, name);
	return fw_arena_format(&s->arena, "%.10s", text);
}

/* "2026-12-02..2026-12-07", "3h..20h", "-" */
static const char *range_of(struct screen *s, const json_t *forecast)
{
	double likely = seconds_to(s, forecast, "likely");
	if (isnan(likely))
		return "-";
	if (likely < SOON_DAYS * DAY_S)
		return fw_arena_format(&s->arena, "%.0fh..%.0fh",
			seconds_to(s, forecast, "earliest") / HOUR_S,
			seconds_to(s, forecast, "latest") / HOUR_S);
	return fw_arena_format(&s->arena, "%s..%s", date_of(s, forecast, "earliest"),
		date_of(s, forecast, "latest"));
}

static enum tone tone_of(struct screen *s, const json_t *forecast)
{
	return seconds_to(s, forecast, "likely") < 7 * DAY_S ? TONE_WARNING : TONE_PLAIN;
}

static void write_table(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {"HOST", "MOUNTPOINT", ">USED", ">FREE", ">SIZE",
		">FILES", "TYPE", "STATE", "FILLS", "FILES GONE", NULL};
	struct table t;
	size_t i;
	const json_t *disk;
	table_init(&t, s, headings);
	json_array_foreach(data, i, disk)
	{
		if (!is_filesystem(disk))
			continue;
		enum tone tone;
		const char *state = filesystem_state(s, disk, &tone);
		double used = json_number_value(json_object_get(disk, "used_percent"));
		const json_t *fills = json_object_get(disk, "fills");
		const json_t *gone = json_object_get(disk, "inodes_gone");
		table_put(&t, TONE_PLAIN, screen_member(s, disk, "host"));
		table_put(&t, TONE_PLAIN, screen_member(s, disk, "mountpoint"));
		table_put(&t, used >= 90 ? TONE_WARNING : TONE_PLAIN,
			screen_percent(s, disk, "used_percent"));
		table_put(&t, TONE_PLAIN, screen_size(s, disk, "avail"));
		table_put(&t, TONE_PLAIN, screen_size(s, disk, "size"));
		table_put(&t, TONE_PLAIN, screen_percent(s, disk, "files_used_percent"));
		table_put(&t, TONE_PLAIN, screen_member(s, disk, "fstype"));
		table_put(&t, tone, state);
		table_put(&t, tone_of(s, fills), range_of(s, fills));
		table_put(&t, tone_of(s, gone), range_of(s, gone));
	}
	table_print(&t);
}

/* ---- what a forecast rests on ---- */

/* 1320 as "1,320" */
static const char *with_commas(struct screen *s, double number)
{
	char digits[32];
	int n = snprintf(digits, sizeof digits, "%.0f", number);
	const char *text = "";
	for (int i = 0; i < n && i < (int)sizeof digits - 1; i++)
		text = fw_arena_format(
			&s->arena, "%s%s%c", text, i > 0 && (n - i) % 3 == 0 ? "," : "", digits[i]);
	return text;
}

/* "/srv fills in 9 to 14 days, most likely 11, from 359 samples over 21 days" */
static void write_basis(struct screen *s, const json_t *disk, const char *member, const char *what)
{
	const json_t *forecast = json_object_get(disk, member);
	double likely = seconds_to(s, forecast, "likely");
	double span_s = json_number_value(json_object_get(forecast, "span_s"));
	double samples = json_number_value(json_object_get(forecast, "samples"));
	if (isnan(likely))
		return;
	bool soon = likely < SOON_DAYS * DAY_S, brief = span_s < SOON_DAYS * DAY_S;
	double unit = soon ? HOUR_S : DAY_S;
	screen_printf(s, "%s %s in %.0f to %.0f %s, most likely %.0f, ",
		screen_member(s, disk, "mountpoint"), what,
		seconds_to(s, forecast, "earliest") / unit,
		seconds_to(s, forecast, "latest") / unit, soon ? "hours" : "days", likely / unit);
	screen_printf(s, "from %s samples over %.0f %s\n", with_commas(s, samples),
		span_s / (brief ? HOUR_S : DAY_S), brief ? "hours" : "days");
}

enum status render_disks(struct screen *s, const json_t *data)
{
	write_table(s, data);
	write_storage(s, data);
	return STATUS_WELL;
}

enum status render_host_disks(struct screen *s, const json_t *data)
{
	size_t i;
	const json_t *disk;
	if (json_array_size(data) == 0) {
		fw_buf_puts(&s->out, "no disks are known of such a host; see 'fenwatch hosts'\n");
		return STATUS_BAD_NEWS;
	}
	write_table(s, data);
	json_array_foreach(data, i, disk)
	{
		write_basis(s, disk, "fills", "fills");
		write_basis(s, disk, "inodes_gone", "has no inodes left");
	}
	write_storage(s, data);
	return STATUS_WELL;
}

static void write_capacity_bars(struct screen *s, const json_t *data)
{
	size_t i, n = json_array_size(data);
	const json_t *row;
	struct paper_bar *bars = fw_arena_alloc(&s->arena, (n + 1) * sizeof *bars);
	json_array_foreach(data, i, row)
	{
		bars[i] = (struct paper_bar){
			.name = fw_arena_format(&s->arena, "%s %s", screen_member(s, row, "host"),
				screen_member(s, row, "mountpoint")),
			.bad = json_number_value(json_object_get(row, "used_percent")),
		};
	}
	paper_bars(s, "How full they are, in percent", bars, n);
}

enum status render_capacity(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {"HOST", "MOUNTPOINT", "WHAT", ">USED", "LIKELY",
		"RANGE", ">SAMPLES", ">OVER", NULL};
	struct table t;
	size_t i;
	const json_t *row;
	if (json_array_size(data) == 0 && s->form == FORM_TEXT) {
		fw_buf_puts(&s->out, "no filesystem is forecast to fill\n");
		return STATUS_WELL;
	}
	table_init(&t, s, headings);
	json_array_foreach(data, i, row)
	{
		table_put(&t, TONE_PLAIN, screen_member(s, row, "host"));
		table_put(&t, TONE_PLAIN, screen_member(s, row, "mountpoint"));
		table_put(&t, TONE_PLAIN, screen_member(s, row, "resource"));
		table_put(&t, TONE_PLAIN, screen_percent(s, row, "used_percent"));
		table_put(&t, tone_of(s, row), date_of(s, row, "likely"));
		table_put(&t, TONE_PLAIN, range_of(s, row));
		table_put(&t, TONE_PLAIN, screen_number(s, row, "samples"));
		table_put(&t, TONE_PLAIN, screen_seconds(s, row, "span_s"));
	}
	char now[32];
	paper_begin(s, "Filesystems that are forecast to fill",
		fw_arena_format(
			&s->arena, "as known at %s", fw_time_format(s->now_ms, now, sizeof now)));
	paper_table(&t, PAPER_EVIDENCE, NULL);
	write_capacity_bars(s, data);
	paper_end(s);
	return STATUS_WELL;
}

enum status command_disks(struct cli *cli, char **args, int n_args)
{
	const struct parameter parameters[] = {{"host", n_args ? args[0] : NULL}, {0}};
	return cli_get(cli, "/api/fenwatch/v1/disks", parameters,
		n_args ? render_host_disks : render_disks);
}

/* What is asked of the past is near or far from there. */
static void go_back(struct screen *s, const char *at)
{
	struct fw_cursor c = {at, at + strlen(at)};
	int64_t ms;
	if (fw_time_parse(at, &ms) == 0 || (fw_cut_decimal(&c, 3, &ms) && c.at == c.end))
		s->now_ms = ms;
}

enum status command_report_capacity(struct cli *cli, char **args, int n_args)
{
	const char *at = cli_time(cli, cli->settings.at);
	const struct parameter parameters[] = {{"at", at}, {0}};
	(void)args;
	(void)n_args;
	if (at)
		go_back(&cli->screen, at);
	return cli_get(cli, "/api/fenwatch/v1/reports/capacity", parameters, render_capacity);
}
