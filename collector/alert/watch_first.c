/* SPDX-License-Identifier: Apache-2.0 */
#include <fenwatch/log.h>

#include "state.h"
#include "watch.h"

static const char *const steps[] = {
	"CREATE TABLE first_heard (host INTEGER NOT NULL PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT",
};

int watch_prepare(struct state *state, struct fw_err *err)
{
	return state_migrate(state, "watch", steps, sizeof steps / sizeof *steps, err);
}

/* -1: nothing is written down of it. */
static int64_t read_first(struct state *state, const struct host *host)
{
	sqlite3_stmt *row;
	int64_t at_ms = -1;
	if (state_query(state, &row, NULL, "SELECT at_ms FROM first_heard WHERE host = ?", "i",
		    (int64_t)host->id) < 0)
		return -1;
	if (state_step(state, row, NULL) > 0)
		at_ms = sqlite3_column_int64(row, 0);
	state_done(row);
	return at_ms;
}

static int write_newcomers(struct watch *watch, struct fw_err *err)
{
	struct state *state = watch->alerts->config.state;
	int rc = state_begin(state, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < watch->n_hosts && rc == 0; i++)
		if (watch->hosts[i] && watch->hosts[i]->is_newcomer)
			rc = state_run(state, err,
				"INSERT OR IGNORE INTO first_heard (host, at_ms) VALUES (?, ?)",
				"ii", (int64_t)i, watch->hosts[i]->first_ms);
	return state_finish(state, rc, err);
}

void watch_keep_newcomers(struct watch *watch)
{
	struct fw_err err;
	if (!watch->has_newcomers)
		return;
	if (write_newcomers(watch, &err) < 0) {
		fw_log(FW_ERROR, "when hosts were first heard cannot be kept: %s", err.text);
		return;
	}
	for (size_t i = 0; i < watch->n_hosts; i++)
		if (watch->hosts[i])
			watch->hosts[i]->is_newcomer = false;
	watch->has_newcomers = false;
}

/* Of a host that is not written down: it came just before the end, or, where none is, long
 * before anybody did. */
void watch_remember_first(struct watch *watch, struct host *host, bool is_any)
{
	int64_t first_ms = read_first(watch->alerts->config.state, host);
	host->is_newcomer = first_ms < 0;
	if (first_ms >= 0 || !is_any)
		host->first_ms = first_ms < 0 ? 0 : first_ms;
}

bool watch_has_first(struct state *state)
{
	sqlite3_stmt *row;
	if (state_query(state, &row, NULL, "SELECT 1 FROM first_heard LIMIT 1", "") < 0)
		return true;
	bool any = state_step(state, row, NULL) > 0;
	state_done(row);
	return any;
}
