/* SPDX-License-Identifier: Apache-2.0 */
/* What hosts have not got, and by when they must have it. One host's fixes stand two
 * lines each, in forty columns: they are read in front of the machine. */
#include <string.h>

#include "paper.h"
#include "render.h"

static enum tone tone_of(const char *state)
{
	if (strcmp(state, "compliant") == 0)
		return TONE_GOOD;
	return strcmp(state, "unproven") == 0 ? TONE_WARNING : TONE_BAD;
}

static enum tone tone_of_count(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name)) > 0 ? TONE_WARNING : TONE_PLAIN;
}

/* Of a device without an agent: what it runs, and what is wanted. */
static bool is_device(const json_t *host)
{
	return json_object_get(host, "wanted") != NULL;
}

static const char *firmware_of(struct screen *s, const json_t *device)
{
	return fw_arena_format(&s->arena, "firmware %s, wanted %s",
		screen_member(s, device, "firmware"), screen_member(s, device, "wanted"));
}

/* ---- the fleet ---- */

/* "3/5/4": under ce14, ncsc5 and ncsc7. */
static const char *overdue_of(struct screen *s, const json_t *host)
{
	const json_t *overdue = json_object_get(host, "overdue");
	return fw_arena_format(&s->arena, "%s/%s/%s", screen_number(s, overdue, "ce14"),
		screen_number(s, overdue, "ncsc5"), screen_number(s, overdue, "ncsc7"));
}

enum status render_patches(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {"HOST", "STATE", ">OVERDUE", ">OLDEST", ">REBOOT",
		">PENDING", ">SECURITY", "WHY", NULL};
	static const char *const few[] = {"HOST", "STATE", ">OVERDUE", ">REBOOT", NULL};
	bool narrow = s->width > 0 && s->width < 80;
	struct table t;
	size_t i;
	const json_t *host;
	if (json_array_size(data) == 0) {
		fw_buf_puts(&s->out, "no host has told of its patches yet\n");
		return STATUS_WELL;
	}
	table_init(&t, s, narrow ? few : headings);
	json_array_foreach(data, i, host)
	{
		const char *state = screen_member(s, host, "state");
		table_put(&t, TONE_PLAIN, screen_member(s, host, "host"));
		table_put(&t, tone_of(state), state);
		table_put(&t, TONE_PLAIN, overdue_of(s, host));
		if (!narrow)
			table_put(&t, TONE_PLAIN, screen_age(s, host, "oldest"));
		table_put(&t, TONE_PLAIN, screen_age(s, host, "reboot_since"));
		if (narrow)
			continue;
		table_put(&t, TONE_PLAIN, screen_number(s, host, "pending"));
		table_put(&t, tone_of_count(host, "security"), screen_number(s, host, "security"));
		table_put(&t, TONE_PLAIN,
			is_device(host) ? firmware_of(s, host) : screen_member(s, host, "why"));
	}
	table_print(&t);
	fw_buf_puts(&s->out, "overdue: under ce14/ncsc5/ncsc7\n");
	return STATUS_WELL;
}

/* ---- one host ---- */

static bool is_due(const json_t *fix, const char *policy)
{
	return json_is_string(json_object_get(json_object_get(fix, "due"), policy));
}

/* Both of NCSC's fit a line of forty columns, and the third would not. */
static void write_dues(struct screen *s, const json_t *fix)
{
	static const char *const policies[] = {"ce14", "ncsc5", "ncsc7"};
	const json_t *due = json_object_get(fix, "due");
	const char *before = "  due ";
	bool any = false;
	for (size_t i = 0; i < 3; i++) {
		if (!is_due(fix, policies[i]))
			continue;
		screen_printf(s, "%s%s ", before, policies[i]);
		screen_put(s, screen_is_past(s, due, policies[i]) ? TONE_BAD : TONE_PLAIN,
			screen_day(s, due, policies[i]));
		before = i == 0 ? "\n  due " : ", ";
		any = true;
	}
	fw_buf_puts(&s->out, any ? "\n" : "  no due date\n");
}

static void write_word(struct screen *s, const char *before, const json_t *fix, const char *name)
{
	const char *text = screen_member(s, fix, name);
	if (*text && strcmp(text, "-") != 0)
		screen_printf(s, "%s%s", before, text);
}

static void write_fix(struct screen *s, const json_t *fix)
{
	const char *state = screen_member(s, fix, "state");
	screen_put(s, TONE_HEADING, screen_member(s, fix, "package"));
	if (strcmp(state, "pending") != 0)
		screen_printf(s, " %s", state);
	write_word(s, ", needs ", fix, "needs");
	screen_printf(s, "\n  %s -> %s\n  %s", screen_member(s, fix, "installed"),
		screen_member(s, fix, "candidate"), screen_member(s, fix, "class"));
	write_word(s, " ", fix, "severity");
	write_word(s, " ", fix, "advisory");
	screen_printf(s, "\n  since %s (%s)\n", screen_day(s, fix, "start"),
		screen_member(s, fix, "rests_on"));
	write_dues(s, fix);
}

enum status render_host_patches(struct screen *s, const json_t *data)
{
	const char *state = screen_member(s, data, "state"), *why = screen_member(s, data, "why");
	const json_t *fixes = json_object_get(data, "fixes"), *fix;
	size_t i;
	screen_put(s, TONE_HEADING, screen_member(s, data, "host"));
	fw_buf_puts(&s->out, "  ");
	screen_put(s, tone_of(state), state);
	screen_printf(s, "\n%s\n", screen_member(s, data, "os"));
	if (*why && strcmp(why, "-") != 0)
		screen_printf(s, "%s\n", why);
	if (is_device(data)) {
		screen_printf(s, "%s\n", firmware_of(s, data));
		return strcmp(state, "compliant") == 0 ? STATUS_WELL : STATUS_BAD_NEWS;
	}
	screen_printf(s, "%s pending, %s unfinished\noverdue %s (ce14/ncsc5/ncsc7)\n",
		screen_number(s, data, "pending"), screen_number(s, data, "unfinished"),
		overdue_of(s, data));
	if (json_array_size(fixes) > 0)
		fw_buf_putc(&s->out, '\n');
	json_array_foreach(fixes, i, fix)
	{
		write_fix(s, fix);
	}
	return strcmp(state, "compliant") == 0 ? STATUS_WELL : STATUS_BAD_NEWS;
}

enum status command_patches(struct cli *cli, char **args, int n_args)
{
	const struct parameter parameters[] = {{"at", cli_time(cli, cli->settings.at)}, {0}};
	if (n_args == 0 && cli->settings.at)
		return cli_fail(STATUS_USAGE,
			"patches --at needs a HOST; of all: report patch-compliance --at");
	if (n_args == 0)
		return cli_get(cli, "/api/fenwatch/v1/patches", NULL, render_patches);
	const char *path = fw_arena_format(
		&cli->screen.arena, "/api/fenwatch/v1/patches/%s", client_escape(cli, args[0]));
	return cli_get(cli, path, parameters, render_host_patches);
}

/* ---- the report ---- */

static const char *const standings[] = {"compliant", "overdue", "unproven", "unsupported"};

static void write_summary(struct screen *s, const json_t *summary)
{
	static const char *const headings[] = {
		"POLICY", ">COMPLIANT", ">OVERDUE", ">UNPROVEN", ">UNSUPPORTED", NULL};
	struct table t;
	const char *policy;
	json_t *counts;
	table_init(&t, s, headings);
	json_object_foreach((json_t *)(uintptr_t)summary, policy, counts)
	{
		table_put(&t, TONE_PLAIN, screen_text(s, policy));
		for (size_t i = 0; i < 4; i++)
			table_put(&t, TONE_PLAIN, screen_number(s, counts, standings[i]));
	}
	paper_table(&t, PAPER_SUMS, NULL);
}

static void write_compliance_bars(struct screen *s, const json_t *summary)
{
	struct paper_bar bars[8];
	const char *policy;
	json_t *counts;
	size_t n = 0;
	json_object_foreach((json_t *)(uintptr_t)summary, policy, counts)
	{
		double all = 0, good = json_number_value(json_object_get(counts, standings[0]));
		for (size_t i = 0; i < 4; i++)
			all += json_number_value(json_object_get(counts, standings[i]));
		if (n < sizeof bars / sizeof *bars)
			bars[n++] = (struct paper_bar){screen_text(s, policy), good, all - good};
	}
	paper_bars(s, "Hosts that are compliant, and others", bars, n);
}

static void put_row(struct table *t, const json_t *host, const char *policy, const json_t *stands)
{
	struct screen *s = t->screen;
	const char *state = screen_member(s, stands, "state");
	table_put(t, TONE_PLAIN, screen_member(s, host, "host"));
	table_put(t, TONE_PLAIN, screen_text(s, policy));
	table_put(t, tone_of(state), state);
	table_put(t, TONE_PLAIN, screen_number(s, stands, "overdue"));
	table_put(t, TONE_PLAIN, screen_number(s, host, "pending"));
	table_put(t, TONE_PLAIN, screen_day(s, host, "oldest"));
	table_put(t, TONE_PLAIN, screen_day(s, host, "heard"));
	table_put(t, TONE_PLAIN, screen_member(s, host, "why"));
}

static enum status write_paper(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {"HOST", "POLICY", "STATE", ">OVERDUE", ">PENDING",
		">OLDEST", ">HEARD", "WHY", NULL};
	const json_t *host;
	const char *policy;
	json_t *stands;
	struct table t;
	size_t i;
	paper_begin(s,
		fw_arena_format(&s->arena, "Patch compliance at %s", screen_member(s, data, "at")),
		fw_arena_format(&s->arena, "Evidence: %s advisories",
			screen_number(s, data, "advisories")));
	write_summary(s, json_object_get(data, "summary"));
	write_compliance_bars(s, json_object_get(data, "summary"));
	if (s->form == FORM_TEXT)
		fw_buf_putc(&s->out, '\n');
	table_init(&t, s, headings);
	json_array_foreach(json_object_get(data, "hosts"), i, host)
	{
		json_object_foreach(json_object_get(host, "policies"), policy, stands)
		{
			put_row(&t, host, policy, stands);
		}
	}
	paper_table(&t, PAPER_EVIDENCE, NULL);
	paper_end(s);
	return STATUS_WELL;
}

/* With members for which the others have no room. */
static enum status write_csv(struct screen *s, const json_t *data)
{
	static const char *const members[] = {"os", "pending", "unfinished", "oldest", "heard"};
	const json_t *host;
	const char *policy;
	json_t *stands;
	size_t i;
	fw_buf_puts(
		&s->out, "at,host,policy,state,overdue,os,pending,unfinished,oldest,heard,why\n");
	json_array_foreach(json_object_get(data, "hosts"), i, host)
	{
		json_object_foreach(json_object_get(host, "policies"), policy, stands)
		{
			paper_field(s, screen_member(s, data, "at"), ',');
			paper_field(s, screen_member(s, host, "host"), ',');
			paper_field(s, screen_text(s, policy), ',');
			paper_field(s, screen_member(s, stands, "state"), ',');
			paper_field(s, screen_member(s, stands, "overdue"), ',');
			for (size_t m = 0; m < sizeof members / sizeof *members; m++)
				paper_field(s, screen_member(s, host, members[m]), ',');
			paper_field(s, screen_member(s, host, "why"), '\n');
		}
	}
	return STATUS_WELL;
}

enum status render_compliance(struct screen *s, const json_t *data)
{
	return s->form == FORM_CSV ? write_csv(s, data) : write_paper(s, data);
}

enum status command_report_compliance(struct cli *cli, char **args, int n_args)
{
	const struct settings *settings = &cli->settings;
	(void)args;
	(void)n_args;
	const struct parameter parameters[] = {
		{"at", cli_time(cli, settings->at)}, {"policy", settings->policy}, {0}};
	return cli_get(
		cli, "/api/fenwatch/v1/reports/patch-compliance", parameters, render_compliance);
}
