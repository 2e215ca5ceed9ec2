/* SPDX-License-Identifier: Apache-2.0 */
/* Who watches the watcher: a check that another machine runs, with the exit statuses of
 * Nagios' plugins. No answer is the worst of answers. */
#include <string.h>

#include <fenwatch/clock.h>

#include "render.h"

#define STALE_MS (5 * 60 * 1000)

/* From the best to the worst: what is known to be wrong counts for more than what is not known. */
enum verdict { WELL, UNKNOWN, WARNING, CRITICAL };

static const struct {
	const char *word;
	int status;
} verdicts[] = {
	[WELL] = {"OK", 0},
	[UNKNOWN] = {"UNKNOWN", 3},
	[WARNING] = {"WARNING", 1},
	[CRITICAL] = {"CRITICAL", 2},
};

struct findings {
	struct screen *screen;
	enum verdict verdict;
	const char *text; /* sentences, worst or not, in the order in which they were found */
};

static void find(struct findings *f, enum verdict verdict, const char *text)
{
	if (verdict > f->verdict)
		f->verdict = verdict;
	f->text = fw_arena_format(&f->screen->arena, "%s%s%s", f->text, *f->text ? "; " : "", text);
}

static double number(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

/* ---- what may be wrong ---- */

static int64_t heard_of(const json_t *store)
{
	const char *text = json_string_value(json_object_get(store, "heard"));
	int64_t ms;
	return text && fw_time_parse(text, &ms) == 0 ? ms : 0;
}

static void look_at_store(struct findings *f, const json_t *store)
{
	struct screen *s = f->screen;
	const json_t *tiers = json_object_get(store, "tiers"), *tier;
	size_t i;
	if (s->now_ms - heard_of(store) > STALE_MS)
		find(f, CRITICAL, "no agent has been heard for over five minutes");
	else if (json_is_null(json_object_get(store, "judged")))
		find(f, UNKNOWN, "no agent has been heard since the collector's start");
	if (number(store, "damaged") > 0)
		find(f, CRITICAL,
			fw_arena_format(&s->arena, "%s damaged blocks",
				screen_number(s, store, "damaged")));
	json_array_foreach(tiers, i, tier)
	{
		if (json_is_string(json_object_get(tier, "warning")))
			find(f, WARNING, screen_member(s, tier, "warning"));
	}
}

/* Of a heartbeat nothing waits: what is not heard now is told with the next one. */
static void look_at_beat(struct findings *f, const json_t *feed, const char *name)
{
	const char *trouble = json_string_value(json_object_get(feed, "last_error"));
	if (trouble && *trouble && json_is_true(json_object_get(feed, "live")) &&
		strcmp(screen_member(f->screen, feed, "type"), "heartbeat") == 0)
		find(f, CRITICAL,
			fw_arena_format(&f->screen->arena,
				"feed %s: the heartbeat is not heard, %s", name,
				screen_text(f->screen, trouble)));
}

static void look_at_feeds(struct findings *f, const json_t *feeds)
{
	struct screen *s = f->screen;
	const json_t *feed;
	size_t i;
	json_array_foreach(feeds, i, feed)
	{
		const char *name = screen_member(s, feed, "name");
		const char *trouble = json_string_value(json_object_get(feed, "last_error"));
		look_at_beat(f, feed, name);
		bool fails = trouble && *trouble && number(feed, "waiting") > 0;
		if (fails && json_is_true(json_object_get(feed, "live")))
			find(f, CRITICAL,
				fw_arena_format(&s->arena, "feed %s: %s wait, %s", name,
					screen_number(s, feed, "waiting"),
					screen_text(s, trouble)));
		if (number(feed, "refused") > 0)
			find(f, WARNING,
				fw_arena_format(&s->arena, "feed %s: %s were refused", name,
					screen_number(s, feed, "refused")));
	}
}

static void look_at_rules(struct findings *f, const json_t *alerts)
{
	const json_t *alert;
	size_t i;
	json_array_foreach(alerts, i, alert)
	{
		const json_t *said = json_object_get(alert, "annotations");
		if (strcmp(screen_member(f->screen, alert, "state"), "firing") == 0)
			find(f, WARNING, screen_member(f->screen, said, "summary"));
	}
}

enum status render_watch(struct screen *s, const json_t *data)
{
	struct findings f = {.screen = s, .text = ""};
	const json_t *store = json_object_get(data, "store");
	look_at_store(&f, store);
	look_at_feeds(&f, json_object_get(data, "feeds"));
	look_at_rules(&f, json_object_get(data, "late"));
	screen_printf(s, "FENWATCH %s - %s%s%s hosts, %s series\n", verdicts[f.verdict].word,
		f.text, *f.text ? "; " : "", screen_number(s, store, "hosts"),
		screen_number(s, store, "series"));
	return (enum status)verdicts[f.verdict].status;
}

/* ---- the command ---- */

static enum status no_answer(struct cli *cli, json_t *answers)
{
	json_decref(answers);
	fw_buf_puts(&cli->screen.out, "FENWATCH CRITICAL - the collector does not answer\n");
	return (enum status)verdicts[CRITICAL].status;
}

static bool add_answer(struct cli *cli, json_t *answers, const char *name, const char *what,
	const struct parameter *parameters)
{
	enum status status;
	const char *path = fw_arena_format(&cli->screen.arena, "/api/fenwatch/v1/%s", what);
	json_t *data = client_ask(cli, "GET", path, parameters, &status);
	if (data)
		json_object_set_new(answers, name, data);
	return data != NULL;
}

enum status command_watch(struct cli *cli, char **args, int n_args)
{
	static const struct parameter late[] = {{"rule", "RulesLate"}, {0}};
	json_t *answers = json_object();
	(void)args;
	(void)n_args;
	if (!add_answer(cli, answers, "store", "store", NULL) ||
		!add_answer(cli, answers, "feeds", "feeds", NULL) ||
		!add_answer(cli, answers, "late", "alerts", late))
		return no_answer(cli, answers);
	return cli_show(cli, answers, render_watch);
}
