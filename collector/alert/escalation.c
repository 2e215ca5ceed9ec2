/* SPDX-License-Identifier: Apache-2.0 */
#include "escalation.h"

#include "book.h"
#include "gate.h"
#include "outbox.h"
#include "state.h"

/* ---- since when ---- */

static int keep_feeds(struct state *state, const struct alert_options *options, int64_t now_ms,
	struct fw_err *err)
{
	int rc = state_run(state, err, "UPDATE escalation SET is_configured = 0", "");
	for (size_t i = 0; rc == 0 && i < options->n_feeds; i++)
		if (options->feeds[i]->after_ms > 0)
			rc = state_run(state, err,
				"INSERT INTO escalation (feed, since_ms, is_configured)"
				" VALUES (?, ?, 1) ON CONFLICT (feed) DO UPDATE SET"
				" is_configured = 1",
				"ti", options->feeds[i]->name, now_ms);
	/* One that is taken out and comes back later is a new one. */
	return rc < 0 ? rc
		      : state_run(state, err, "DELETE FROM escalation WHERE is_configured = 0", "");
}

int escalation_configure(struct state *state, const struct alert_options *options, int64_t now_ms,
	struct fw_err *err)
{
	int rc = state_begin(state, err);
	return rc < 0 ? rc : state_finish(state, keep_feeds(state, options, now_ms, err), err);
}

/* ---- looking ---- */

struct look {
	struct state *state;
	struct gate *gate;
	const struct alert_options *options;
	struct moment now;
	size_t feed;
	int told, rc;
	struct fw_err *err;
};

static void tell(const struct episode *episode, void *arg)
{
	struct look *look = arg;
	if (look->rc < 0 || !gate_wants(look->gate, look->feed, episode) ||
		gate_mutes(look->gate, episode, look->now))
		return;
	look->rc = book_tell_feed(
		look->state, look->options, look->feed, episode, look->now.wall_ms, look->err);
	look->told += look->rc == 0;
}

static int look_at_feeds(struct look *look)
{
	const struct alert_options *options = look->options;
	for (look->feed = 0; look->rc == 0 && look->feed < options->n_feeds; look->feed++) {
		const struct alert_feed_option *option = options->feeds[look->feed];
		if (option->after_ms == 0)
			continue;
		int rc = book_unheard(look->state, option->name,
			look->now.wall_ms - option->after_ms, tell, look, look->err);
		if (rc < 0)
			look->rc = rc;
	}
	return look->rc;
}

int escalation_look(struct state *state, struct gate *gate, const struct alert_options *options,
	struct moment now, struct fw_err *err)
{
	struct look look = {
		.state = state, .gate = gate, .options = options, .now = now, .err = err};
	int rc = state_begin(state, err);
	if (rc < 0)
		return rc;
	rc = state_finish(state, look_at_feeds(&look), err);
	return rc < 0 ? rc : look.told;
}
