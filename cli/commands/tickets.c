/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets and what became of them. */
#include <stdlib.h>
#include <string.h>

#include "paper.h"
#include "render.h"

static enum tone tone_of(const char *standing)
{
	if (strcmp(standing, "missed") == 0)
		return TONE_BAD;
	return strcmp(standing, "at risk") == 0 ? TONE_WARNING
		: strcmp(standing, "met") == 0  ? TONE_GOOD
						: TONE_PLAIN;
}

static void put_member(struct table *t, const json_t *object, const char *name)
{
	table_put(t, TONE_PLAIN, screen_member(t->screen, object, name));
}

static void put_standing(struct table *t, const json_t *ticket, const char *clock)
{
	const char *standing = screen_member(t->screen, json_object_get(ticket, clock), "standing");
	table_put(t, tone_of(standing), standing);
}

/* ---- the ones of now ---- */

static bool is_open(const json_t *ticket)
{
	return !json_is_string(json_object_get(ticket, "restored"));
}

/* What stands next; while it is paused no clock runs. */
static void put_next(struct table *t, const json_t *ticket, const char *clock)
{
	struct screen *s = t->screen;
	const json_t *next = json_object_get(ticket, clock);
	const char *standing = screen_member(s, next, "standing");
	const char *paused = json_string_value(json_object_get(ticket, "paused"));
	if (!is_open(ticket)) {
		table_put(t, TONE_PLAIN, "over");
		table_put(t, TONE_PLAIN, "-");
	} else if (paused && *paused) {
		table_put(t, TONE_PLAIN,
			fw_arena_format(&s->arena, "paused: %s", screen_text(s, paused)));
		table_put(t, TONE_PLAIN, "-");
	} else {
		table_put(
			t, tone_of(standing), fw_arena_format(&s->arena, "%s %s", clock, standing));
		table_put(t, TONE_PLAIN, screen_age(s, next, "due"));
	}
}

/* What is asked first: how long it has been, and until when something must be done. */
static void put_ticket(struct table *t, const json_t *ticket)
{
	struct screen *s = t->screen;
	bool responded = json_is_string(json_object_get(ticket, "responded"));
	put_member(t, ticket, "host");
	put_member(t, ticket, "priority");
	put_member(t, ticket, "supplier");
	put_member(t, ticket, "number");
	table_put(t, TONE_PLAIN, screen_age(s, ticket, "raised"));
	put_next(t, ticket, responded ? "resolve" : "respond");
	put_member(t, ticket, "rule");
	put_member(t, ticket, "key");
}

static bool is_missed(struct screen *s, const json_t *ticket)
{
	const json_t *clock = json_object_get(ticket, "resolve");
	return is_open(ticket) && strcmp(screen_member(s, clock, "standing"), "missed") == 0;
}

enum status render_tickets(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {"HOST", "PRIORITY", "SUPPLIER", "NUMBER", ">RAISED",
		"STANDING", ">DUE", "RULE", "KEY", NULL};
	enum status status = STATUS_WELL;
	struct table t;
	size_t i;
	const json_t *ticket;
	if (json_array_size(data) == 0) {
		fw_buf_puts(&s->out, "no tickets\n");
		return STATUS_WELL;
	}
	table_init(&t, s, headings);
	json_array_foreach(data, i, ticket)
	{
		put_ticket(&t, ticket);
		if (is_missed(s, ticket))
			status = STATUS_BAD_NEWS;
	}
	table_print(&t);
	return status;
}

enum status command_tickets(struct cli *cli, char **args, int n_args)
{
	const struct parameter parameters[] = {
		{"supplier", cli->settings.supplier}, {"site", cli->settings.site}, {0}};
	(void)args;
	(void)n_args;
	return cli_get(cli, "/api/fenwatch/v1/tickets", parameters, render_tickets);
}

static enum status change(struct cli *cli, const char *key, const char *what, const char *reason,
	enum status (*render)(struct screen *s, const json_t *data))
{
	const struct parameter parameters[] = {{"reason", reason}, {0}};
	const char *path = fw_arena_format(&cli->screen.arena, "/api/fenwatch/v1/tickets/%s/%s",
		client_escape(cli, key), what);
	enum status status = STATUS_WELL;
	json_t *data = client_ask(cli, "POST", path, parameters, &status);
	return data ? cli_show(cli, data, render) : status;
}

static enum status render_paused(struct screen *s, const json_t *data)
{
	screen_printf(
		s, "%s is paused: its clocks stand still\n", screen_member(s, data, "paused"));
	return STATUS_WELL;
}

static enum status render_resumed(struct screen *s, const json_t *data)
{
	screen_printf(s, "%s goes on\n", screen_member(s, data, "resumed"));
	return STATUS_WELL;
}

enum status command_ticket_pause(struct cli *cli, char **args, int n_args)
{
	(void)n_args;
	if (!cli->settings.reason)
		return cli_fail(STATUS_USAGE,
			"ticket pause needs --reason user, third-party, access or agreed");
	return change(cli, args[0], "pause", cli->settings.reason, render_paused);
}

enum status command_ticket_resume(struct cli *cli, char **args, int n_args)
{
	(void)n_args;
	return change(cli, args[0], "resume", NULL, render_resumed);
}

/* ---- who met which target ---- */

static void put_counts(struct table *t, const json_t *row, const char *clock)
{
	const json_t *counts = json_object_get(row, clock);
	bool missed = json_number_value(json_object_get(counts, "missed")) > 0;
	table_put(t, TONE_PLAIN, screen_number(t->screen, counts, "met"));
	table_put(t, missed ? TONE_BAD : TONE_PLAIN, screen_number(t->screen, counts, "missed"));
	table_put(t, TONE_PLAIN, screen_number(t->screen, counts, "running"));
}

static void write_sums(struct screen *s, const json_t *rows)
{
	static const char *const headings[] = {"SUPPLIER", "SITE", "PRIORITY", ">TICKETS",
		">RESPONSE MET", ">MISSED", ">RUNNING", ">RESOLUTION MET", ">MISSED", ">RUNNING",
		NULL};
	struct table t;
	size_t i;
	const json_t *row;
	table_init(&t, s, headings);
	json_array_foreach(rows, i, row)
	{
		put_member(&t, row, "supplier");
		put_member(&t, row, "site");
		put_member(&t, row, "priority");
		table_put(&t, TONE_PLAIN, screen_number(s, row, "tickets"));
		put_counts(&t, row, "respond");
		put_counts(&t, row, "resolve");
	}
	paper_table(&t, PAPER_SUMS, NULL);
}

static void write_sla_bars(struct screen *s, const json_t *rows)
{
	size_t i, n = json_array_size(rows);
	const json_t *row;
	struct paper_bar *bars = fw_arena_alloc(&s->arena, (n + 1) * sizeof *bars);
	json_array_foreach(rows, i, row)
	{
		const json_t *counts = json_object_get(row, "resolve");
		bars[i] = (struct paper_bar){
			.name = fw_arena_format(&s->arena, "%s, %s, %s",
				screen_member(s, row, "supplier"), screen_member(s, row, "site"),
				screen_member(s, row, "priority")),
			.good = json_number_value(json_object_get(counts, "met")),
			.bad = json_number_value(json_object_get(counts, "missed")),
		};
	}
	paper_bars(s, "Resolutions within their target, and beyond it", bars, n);
}

/* A spreadsheet has room for all of it. */
static void put_more(struct table *t, const json_t *ticket)
{
	put_member(t, ticket, "detected");
	put_member(t, ticket, "responder");
	put_member(t, ticket, "resolved");
	table_put(t, TONE_PLAIN, screen_number(t->screen, ticket, "paused_s"));
}

static void write_evidence(struct screen *s, const json_t *tickets)
{
	static const char *const headings[] = {"HOST", "RULE", "PRIORITY", "SUPPLIER", "SITE",
		"NUMBER", "RAISED", "RESPONDED", "RESPONSE", "RESTORED", "RESOLUTION", "TARGET",
		"KEY", NULL};
	static const char *const all[] = {"HOST", "RULE", "PRIORITY", "SUPPLIER", "SITE", "NUMBER",
		"RAISED", "RESPONDED", "RESPONSE", "RESTORED", "RESOLUTION", "TARGET", "KEY",
		"DETECTED", "RESPONDER", "RESOLVED", ">PAUSED SECONDS", NULL};
	static const char *const before[] = {
		"host", "rule", "priority", "supplier", "site", "number", "raised", "responded"};
	struct table t;
	size_t i;
	const json_t *ticket;
	table_init(&t, s, s->form == FORM_CSV ? all : headings);
	json_array_foreach(tickets, i, ticket)
	{
		for (size_t k = 0; k < sizeof before / sizeof *before; k++)
			put_member(&t, ticket, before[k]);
		put_standing(&t, ticket, "respond");
		put_member(&t, ticket, "restored");
		put_standing(&t, ticket, "resolve");
		put_member(&t, ticket, "target");
		put_member(&t, ticket, "key");
		if (s->form == FORM_CSV)
			put_more(&t, ticket);
	}
	paper_table(&t, PAPER_EVIDENCE, "Evidence");
}

static const char *stretch_of(struct screen *s, const json_t *data)
{
	return fw_arena_format(&s->arena, "from %s until %s, as known at %s",
		screen_member(s, data, "from"), screen_member(s, data, "until"),
		screen_member(s, data, "at"));
}

enum status render_sla(struct screen *s, const json_t *data)
{
	const json_t *rows = json_object_get(data, "targets");
	paper_begin(s, "Targets and tickets", stretch_of(s, data));
	write_sums(s, rows);
	write_sla_bars(s, rows);
	if (s->form == FORM_TEXT)
		fw_buf_putc(&s->out, '\n');
	write_evidence(s, json_object_get(data, "tickets"));
	paper_end(s);
	return STATUS_WELL;
}

/* ---- how many there were ---- */

static void write_volume_bars(struct screen *s, const json_t *groups)
{
	size_t i, n = json_array_size(groups);
	const json_t *group;
	struct paper_bar *bars = fw_arena_alloc(&s->arena, (n + 1) * sizeof *bars);
	json_array_foreach(groups, i, group)
	{
		double soon = json_number_value(json_object_get(group, "soon_over"));
		bars[i] = (struct paper_bar){
			.name = screen_member(s, group, "name"),
			.good = json_number_value(json_object_get(group, "tickets")) - soon,
			.bad = soon,
		};
	}
	paper_bars(s, "Tickets, and those that were over within five minutes", bars, n);
}

enum status render_volumes(struct screen *s, const json_t *data)
{
	bool is_csv = s->form == FORM_CSV; /* a spreadsheet reckons in seconds */
	const char *const headings[] = {"NAME", ">TICKETS", ">OPEN", ">TAKEN UP", ">AGAIN",
		">SOON OVER", is_csv ? ">MEDIAN S" : ">MEDIAN", NULL};
	static const char *const counts[] = {"tickets", "open", "taken_up", "again", "soon_over"};
	const json_t *groups = json_object_get(data, "groups"), *group;
	struct table t;
	size_t i;
	table_init(&t, s, headings);
	json_array_foreach(groups, i, group)
	{
		put_member(&t, group, "name");
		for (size_t k = 0; k < sizeof counts / sizeof *counts; k++)
			table_put(&t, TONE_PLAIN, screen_number(s, group, counts[k]));
		table_put(&t, TONE_PLAIN,
			is_csv ? screen_number(s, group, "median_s")
			       : screen_seconds(s, group, "median_s"));
	}
	paper_begin(s, "Tickets", stretch_of(s, data));
	paper_table(&t, PAPER_EVIDENCE, NULL);
	write_volume_bars(s, groups);
	paper_end(s);
	return STATUS_WELL;
}

static enum status report(struct cli *cli, const char *path,
	enum status (*render)(struct screen *s, const json_t *data))
{
	const struct settings *settings = &cli->settings;
	const struct parameter parameters[] = {{"month", settings->month},
		{"from", cli_time_from(cli, settings->from)},
		{"until", cli_time(cli, settings->to)}, {"at", cli_time(cli, settings->at)},
		{"by", settings->by}, {"supplier", settings->supplier}, {"site", settings->site},
		{0}};
	return cli_get(cli, path, parameters, render);
}

enum status command_report_sla(struct cli *cli, char **args, int n_args)
{
	(void)args;
	(void)n_args;
	return report(cli, "/api/fenwatch/v1/reports/sla", render_sla);
}

enum status command_report_tickets(struct cli *cli, char **args, int n_args)
{
	(void)args;
	(void)n_args;
	return report(cli, "/api/fenwatch/v1/reports/tickets", render_volumes);
}

/* ---- the audit trail ---- */

enum status render_audit(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {
		">ID", "AT", "KIND", "WHO", "SUBJECT", "DETAIL", NULL};
	struct table t;
	size_t i;
	const json_t *entry;
	table_init(&t, s, headings);
	json_array_foreach(data, i, entry)
	{
		char *detail = json_dumps(json_object_get(entry, "detail"), JSON_COMPACT);
		table_put(&t, TONE_PLAIN, screen_number(s, entry, "id"));
		put_member(&t, entry, "at");
		put_member(&t, entry, "kind");
		put_member(&t, entry, "who");
		put_member(&t, entry, "subject");
		table_put(&t, TONE_PLAIN, screen_text(s, detail ? detail : "-"));
		free(detail);
	}
	if (i > 0)
		table_print(&t);
	else
		fw_buf_puts(&s->out, "no entries\n");
	return STATUS_WELL;
}

enum status command_audit_list(struct cli *cli, char **args, int n_args)
{
	const struct settings *settings = &cli->settings;
	const struct parameter parameters[] = {{"subject", n_args > 0 ? args[0] : NULL},
		{"from", cli_time_from(cli, settings->from)},
		{"until", cli_time(cli, settings->to)}, {"limit", settings->limit}, {0}};
	return cli_get(cli, "/api/fenwatch/v1/audit", parameters, render_audit);
}

enum status render_audit_verdict(struct screen *s, const json_t *data)
{
	bool whole = json_is_true(json_object_get(data, "whole"));
	if (whole)
		screen_put(s, TONE_GOOD, "the chain holds");
	else
		screen_put(s, TONE_BAD,
			fw_arena_format(&s->arena, "the chain is broken at entry %s",
				screen_number(s, data, "broken")));
	screen_printf(s, ": %s entries, the newest %s %s\n", screen_number(s, data, "entries"),
		screen_number(s, data, "newest"), screen_member(s, data, "hash"));
	return whole ? STATUS_WELL : STATUS_BAD_NEWS;
}

enum status command_audit_check(struct cli *cli, char **args, int n_args)
{
	(void)args;
	(void)n_args;
	return cli_get(cli, "/api/fenwatch/v1/audit/check", NULL, render_audit_verdict);
}
