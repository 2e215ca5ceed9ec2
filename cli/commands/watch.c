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

static void look_at_feeds(struct findings *f, const json_t *feeds)
{
	struct screen *s = f->screen;
	const json_t *feed;
	size_t i;
	json_array_foreach(feeds, i, feed)
	{
		const char *name = screen_member(s, feed, "name");
		const char *trouble = json_string_value(json_object_get(feed, "last_error"));
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

enum status render_watch(struct screen *s, const json_t *data)
{
	struct findings f = {.screen = s, .text = ""};
	const json_t *store = json_object_get(data, "store");
	look_at_store(&f, store);
	look_at_feeds(&f, json_object_get(data, "feeds"));
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

enum status command_watch(struct cli *cli, char **args, int n_args)
{
	static const char *const names[] = {"store", "feeds"};
	json_t *answers = json_object();
	(void)args;
	(void)n_args;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		enum status status;
		const char *path =
			fw_arena_format(&cli->screen.arena, "/api/fenwatch/v1/%s", names[i]);
		json_t *data = client_ask(cli, "GET", path, NULL, &status);
		if (!data)
			return no_answer(cli, answers);
		json_object_set_new(answers, names[i], data);
	}
	return cli_show(cli, answers, render_watch);
}
