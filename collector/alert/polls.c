/* SPDX-License-Identifier: Apache-2.0 */
#include "polls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>
#include <fenwatch/mem.h>

#include "alert.h"
#include "identity.h"
#include "outbox.h"
#include "pauses.h"
#include "state.h"

struct poll {
	struct poll *next;
	const struct alert_feed_option *option;
	int64_t id; /* of the notice that opened it */
	char key[IDENTITY_KEY], receipt[FEED_RECEIPT];
	enum desk known;
	int64_t due_ms, pause_ms; /* monotonic */
	bool is_seen, under_way, finished;
	enum verdict verdict;
	char why[256];
	struct notice notice;
	struct delivery delivery;
};

struct polls {
	struct polls_config config;
	struct poll *first;
	int64_t look_ms; /* monotonic: at which tickets there are */
	unsigned under_way;
	char trouble[256];
};

/* ---- which tickets there are ---- */

static struct poll *poll_new(
	const struct alert_feed_option *option, sqlite3_stmt *row, int64_t now_ms)
{
	struct poll *poll = fw_alloc(sizeof *poll);
	poll->option = option;
	poll->id = sqlite3_column_int64(row, 0);
	poll->pause_ms = option->feed->poll_ms(option->config);
	poll->due_ms = now_ms + poll->pause_ms;
	snprintf(poll->key, sizeof poll->key, "%s", state_text(row, 1));
	snprintf(poll->receipt, sizeof poll->receipt, "%s", state_text(row, 3));
	poll->notice = (struct notice){.key = poll->key,
		.status = "firing",
		.idempotency = poll->key,
		.receiver = option->name,
		.starts_ms = sqlite3_column_int64(row, 2),
		.generator_url = "",
		.external_url = "",
		.receipt = poll->receipt};
	return poll;
}

/* The list has the feeds in their order, and of each the tickets in theirs; `link` goes along it. */
static struct poll *find_or_add(struct poll ***link, const struct alert_feed_option *option,
	sqlite3_stmt *row, int64_t now_ms)
{
	int64_t id = sqlite3_column_int64(row, 0);
	while (**link && (**link)->option == option && (**link)->id < id)
		*link = &(**link)->next;
	struct poll *poll = **link;
	if (poll && poll->option == option && poll->id == id)
		return poll;
	poll = poll_new(option, row, now_ms);
	poll->next = **link;
	**link = poll;
	return poll;
}

static int load_feed(struct polls *polls, const struct alert_feed_option *option,
	struct poll ***link, int64_t now_ms, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(polls->config.state, &row, err,
		"SELECT n.id, n.key, n.starts_ms, n.receipt, n.desk FROM notice n JOIN episode e ON"
		" e.key = n.key AND e.starts_ms = n.starts_ms WHERE n.feed = ? AND n.state = 1 AND"
		" n.kind = 0 AND n.receipt <> '' AND n.desk < 2 AND e.ends_ms = 0"
		" ORDER BY n.id",
		"t", option->name);
	if (rc < 0)
		return rc;
	while ((rc = state_step(polls->config.state, row, err)) > 0) {
		struct poll *poll = find_or_add(link, option, row, now_ms);
		poll->is_seen = true;
		poll->known = (enum desk)sqlite3_column_int(row, 4);
	}
	state_done(row);
	while (**link && (**link)->option == option)
		*link = &(**link)->next;
	return rc;
}

static void drop_unseen(struct polls *polls)
{
	for (struct poll **link = &polls->first; *link;) {
		struct poll *poll = *link;
		if (poll->is_seen || poll->under_way) {
			link = &poll->next;
			continue;
		}
		*link = poll->next;
		fw_free(poll);
	}
}

static bool is_asked(const struct alert_feed_option *option)
{
	return option->feed->poll_ms && option->feed->poll_ms(option->config) > 0;
}

static void tell_trouble(struct polls *polls, const char *name, const char *why)
{
	if (strcmp(polls->trouble, why) != 0)
		fw_log(FW_WARNING, "feed '%s': its tickets cannot be asked for: %s", name, why);
	snprintf(polls->trouble, sizeof polls->trouble, "%s", why);
}

static void load(struct polls *polls, int64_t now_ms)
{
	const struct alert_options *options = polls->config.options;
	struct poll **link = &polls->first;
	struct fw_err err;
	int rc = 0;
	polls->look_ms = now_ms + POLLS_LOOK_MS;
	for (struct poll *poll = polls->first; poll; poll = poll->next)
		poll->is_seen = false;
	for (size_t i = 0; options && i < options->n_feeds && rc == 0; i++)
		if (is_asked(options->feeds[i]))
			rc = load_feed(polls, options->feeds[i], &link, now_ms, &err);
	if (rc == 0)
		drop_unseen(polls);
	else
		tell_trouble(polls, "*", err.text);
}

/* ---- asking ---- */

static void on_finished(struct delivery *delivery, enum verdict verdict, const char *why)
{
	struct poll *poll = delivery->outbox;
	poll->finished = true;
	poll->verdict = verdict;
	snprintf(poll->why, sizeof poll->why, "%s", why);
}

static void start(struct polls *polls, struct poll *poll)
{
	poll->under_way = true;
	poll->finished = false;
	polls->under_way++;
	poll->delivery = (struct delivery){.notice = &poll->notice,
		.config = poll->option->config,
		.loop = polls->config.loop,
		.now_ms = fw_wall_ms(),
		.on_finished = on_finished,
		.outbox = poll};
	poll->option->feed->poll(&poll->delivery);
}

static int write_known(struct polls *polls, const struct poll *poll, struct fw_err *err)
{
	return state_run(polls->config.state, err, "UPDATE notice SET desk = ? WHERE id = ?", "ii",
		(int64_t)poll->delivery.desk, poll->id);
}

/* What was acknowledged or is over already needs no answer, so it counts as taken. */
static int take(struct polls *polls, const struct poll *poll, struct fw_err *err)
{
	char *who = fw_format("desk '%s'", poll->option->name);
	const struct alert_answer answer = {
		.kind = poll->delivery.desk == DESK_CLOSED ? ANSWER_RESOLVED : ANSWER_ACCEPTED,
		.alert = poll->key,
		.feed = poll->option->name,
		.who = who,
		.note = poll->receipt,
	};
	int rc = polls->config.take(&answer, polls->config.arg, err);
	fw_free(who);
	return rc == -EALREADY || rc == -ENOENT ? 0 : rc;
}

static bool learn(struct polls *polls, struct poll *poll)
{
	struct fw_err err;
	if (poll->delivery.desk <= poll->known)
		return false;
	int rc = take(polls, poll, &err);
	if (rc == 0)
		rc = write_known(polls, poll, &err);
	if (rc < 0) {
		tell_trouble(polls, poll->option->name, err.text);
		return false;
	}
	poll->known = poll->delivery.desk;
	return true;
}

static int64_t longer(const struct poll *poll)
{
	int64_t most = poll->option->feed->poll_ms(poll->option->config);
	most = most > POLLS_PAUSE_MOST_MS ? most : POLLS_PAUSE_MOST_MS;
	return 2 * poll->pause_ms < most ? 2 * poll->pause_ms : most;
}

static bool settle(struct polls *polls, struct poll *poll, int64_t now_ms)
{
	bool learnt = false;
	poll->under_way = poll->finished = false;
	polls->under_way--;
	if (poll->verdict == DELIVERED) {
		*polls->trouble = '\0';
		learnt = learn(polls, poll);
	} else {
		tell_trouble(polls, poll->option->name, poll->why);
	}
	poll->pause_ms = learnt ? poll->option->feed->poll_ms(poll->option->config) : longer(poll);
	poll->due_ms = now_ms + poll->pause_ms;
	if (poll->verdict == TRY_LATER && poll->delivery.retry_after_ms > 0)
		pauses_set(polls->config.pauses, poll->option->name, now_ms,
			poll->delivery.retry_after_ms);
	return learnt;
}

static bool is_due(const struct polls *polls, const struct poll *poll, int64_t now_ms)
{
	return !poll->under_way && poll->known != DESK_CLOSED && poll->due_ms <= now_ms &&
		pauses_until_ms(polls->config.pauses, poll->option->name) <= now_ms;
}

bool polls_look(struct polls *polls, int64_t now_ms)
{
	bool learnt = false;
	for (struct poll *poll = polls->first; poll; poll = poll->next)
		if (poll->finished && settle(polls, poll, now_ms))
			learnt = true;
	if (now_ms >= polls->look_ms)
		load(polls, now_ms);
	for (struct poll *poll = polls->first; poll && polls->under_way < POLLS_AT_ONCE;
		poll = poll->next)
		if (is_due(polls, poll, now_ms))
			start(polls, poll);
	return learnt;
}

/* ---- opening and closing ---- */

struct polls *polls_new(const struct polls_config *config)
{
	struct polls *polls = fw_alloc(sizeof *polls);
	polls->config = *config;
	return polls;
}

void polls_free(struct polls *polls)
{
	while (polls && polls->first) {
		struct poll *poll = polls->first;
		polls->first = poll->next;
		if (poll->under_way && !poll->finished)
			poll->option->feed->cancel(&poll->delivery);
		fw_free(poll);
	}
	fw_free(polls);
}
