/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "render.h"

#define FEEDS "/api/fenwatch/v1/feeds"
#define TEST_LOOKS 80
#define LOOK_EVERY_MS 500

enum status render_feeds(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {"FEED", "TYPE", "LIVE", ">WAITING", ">DELIVERED",
		">REFUSED", ">REHEARSED", ">COST", ">LAST", "LAST ERROR", NULL};
	struct table t;
	size_t i;
	const json_t *feed;
	table_init(&t, s, headings);
	json_array_foreach(data, i, feed)
	{
		table_put(&t, TONE_PLAIN, screen_member(s, feed, "name"));
		table_put(&t, TONE_PLAIN, screen_member(s, feed, "type"));
		table_put(&t, TONE_PLAIN, screen_member(s, feed, "live"));
		table_put(&t, TONE_PLAIN, screen_number(s, feed, "waiting"));
		table_put(&t, TONE_PLAIN, screen_number(s, feed, "delivered"));
		table_put(&t, TONE_PLAIN, screen_number(s, feed, "refused"));
		table_put(&t, TONE_PLAIN, screen_number(s, feed, "rehearsed"));
		table_put(&t, TONE_PLAIN, screen_number(s, feed, "rehearsed_cost"));
		table_put(&t, TONE_PLAIN, screen_age(s, feed, "last"));
		table_put(&t, TONE_PLAIN, screen_member(s, feed, "last_error"));
	}
	if (i > 0)
		table_print(&t);
	else
		fw_buf_puts(&s->out, "no feeds are configured\n");
	return STATUS_WELL;
}

enum status command_feed_list(struct cli *cli, char **args, int n_args)
{
	(void)args;
	(void)n_args;
	return cli_get(cli, FEEDS, NULL, render_feeds);
}

/* ---- its notices ---- */

enum status render_notices(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {
		">ID", "NOTICE", "STATE", ">AGE", ">TRIES", "HOST", "RULE", "RECEIPT", "WHY", NULL};
	struct table t;
	size_t i;
	const json_t *notice;
	table_init(&t, s, headings);
	json_array_foreach(data, i, notice)
	{
		const char *state = screen_member(s, notice, "state");
		bool refused = strcmp(state, "refused") == 0;
		table_put(&t, TONE_PLAIN, screen_number(s, notice, "id"));
		table_put(&t, TONE_PLAIN, screen_member(s, notice, "notice"));
		table_put(&t, refused ? TONE_BAD : TONE_PLAIN, state);
		table_put(&t, TONE_PLAIN, screen_age(s, notice, "at"));
		table_put(&t, TONE_PLAIN, screen_number(s, notice, "tries"));
		table_put(&t, TONE_PLAIN, screen_member(s, notice, "host"));
		table_put(&t, TONE_PLAIN, screen_member(s, notice, "rule"));
		table_put(&t, TONE_PLAIN, screen_member(s, notice, "receipt"));
		table_put(&t, TONE_PLAIN, screen_member(s, notice, "why"));
	}
	if (i > 0)
		table_print(&t);
	else
		fw_buf_puts(&s->out, "no notices\n");
	return STATUS_WELL;
}

static const char *path_of(struct cli *cli, const char *feed, const char *what)
{
	return fw_arena_format(&cli->screen.arena, FEEDS "/%s/%s", client_escape(cli, feed), what);
}

static enum status list(struct cli *cli, const char *feed, const char *state)
{
	const struct parameter parameters[] = {
		{"state", state}, {"limit", cli->settings.limit}, {0}};
	return cli_get(cli, path_of(cli, feed, "notices"), parameters, render_notices);
}

enum status command_feed_notices(struct cli *cli, char **args, int n_args)
{
	(void)n_args;
	return list(cli, args[0], NULL);
}

enum status command_feed_letters(struct cli *cli, char **args, int n_args)
{
	(void)n_args;
	return list(cli, args[0], "refused");
}

/* ---- commands to it ---- */

static enum status change(struct cli *cli, const char *path, const struct parameter *parameters,
	enum status (*render)(struct screen *s, const json_t *data))
{
	enum status status = STATUS_NO_ANSWER;
	json_t *data = client_ask(cli, "POST", path, parameters, &status);
	return data ? cli_show(cli, data, render) : status;
}

static enum status render_live(struct screen *s, const json_t *data)
{
	screen_printf(s, "feed '%s' goes; %s alerts that go on are told now\n",
		screen_member(s, data, "feed"), screen_number(s, data, "told"));
	return STATUS_WELL;
}

enum status command_feed_go(struct cli *cli, char **args, int n_args)
{
	(void)n_args;
	return change(cli, path_of(cli, args[0], "go"), NULL, render_live);
}

static enum status render_rehearsal(struct screen *s, const json_t *data)
{
	screen_printf(s, "feed '%s' is in rehearsal; %s notices that waited are not sent\n",
		screen_member(s, data, "feed"), screen_number(s, data, "held"));
	return STATUS_WELL;
}

enum status command_feed_rehearse(struct cli *cli, char **args, int n_args)
{
	(void)n_args;
	return change(cli, path_of(cli, args[0], "rehearse"), NULL, render_rehearsal);
}

static enum status render_retried(struct screen *s, const json_t *data)
{
	screen_printf(s, "feed '%s': %s notices are sent again, %s dropped as over\n",
		screen_member(s, data, "feed"), screen_number(s, data, "retried"),
		screen_number(s, data, "dropped"));
	return STATUS_WELL;
}

enum status command_feed_retry(struct cli *cli, char **args, int n_args)
{
	const struct parameter parameters[] = {{"id", n_args > 1 ? args[1] : NULL}, {0}};
	return change(cli, path_of(cli, args[0], "retry"), parameters, render_retried);
}

/* ---- a test ---- */

static bool is_of(const json_t *notice, const char *key)
{
	const char *text = json_string_value(json_object_get(notice, "key"));
	return text && strcmp(text, key) == 0;
}

static bool is_in_state(const json_t *notice, const char *state)
{
	const char *text = json_string_value(json_object_get(notice, "state"));
	return text && strcmp(text, state) == 0;
}

/* The two newest notices of that alert: this test's. Taken out of all. */
static json_t *pick(json_t *all, const char *key)
{
	json_t *picked = json_array();
	const json_t *notice;
	size_t i;
	json_array_foreach(all, i, notice)
	{
		if (is_of(notice, key) && json_array_size(picked) < 2)
			json_array_append(picked, (json_t *)notice);
	}
	json_decref(all);
	return picked;
}

static bool any_waits(const json_t *notices)
{
	const json_t *notice;
	size_t i;
	json_array_foreach(notices, i, notice)
	{
		if (is_in_state(notice, "waiting"))
			return true;
	}
	return false;
}

enum status render_test(struct screen *s, const json_t *data)
{
	const json_t *notice;
	size_t i;
	bool well = json_array_size(data) == 2;
	json_array_foreach(data, i, notice)
	{
		well = well && is_in_state(notice, "delivered");
	}
	render_notices(s, data);
	screen_printf(s, "%s\n",
		well ? "the test was opened and closed there"
			: any_waits(data)
			? "the test is not delivered yet and is tried again; 'fenwatch feed list' has the last error"
			: "the test was not delivered");
	return well ? STATUS_WELL : STATUS_BAD_NEWS;
}

static json_t *wait_for(struct cli *cli, const char *feed, const char *key, enum status *status)
{
	const struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * 1000000L};
	for (int looks = 0;; looks++) {
		json_t *all = client_ask(cli, "GET", path_of(cli, feed, "notices"), NULL, status);
		if (!all)
			return NULL;
		json_t *notices = pick(all, key);
		if (!any_waits(notices) || looks == TEST_LOOKS)
			return notices;
		json_decref(notices);
		nanosleep(&pause, NULL);
	}
}

enum status command_feed_test(struct cli *cli, char **args, int n_args)
{
	enum status status = STATUS_NO_ANSWER;
	(void)n_args;
	json_t *data = client_ask(cli, "POST", path_of(cli, args[0], "test"), NULL, &status);
	if (!data)
		return status;
	json_t *notices = wait_for(cli, args[0], screen_member(&cli->screen, data, "key"), &status);
	json_decref(data);
	return notices ? cli_show(cli, notices, render_test) : status;
}
