/* SPDX-License-Identifier: Apache-2.0 */
#include "pauses.h"

#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>
#include <fenwatch/mem.h>

#include "state.h"

static const char *const steps[] = {
	"CREATE TABLE pause (feed TEXT NOT NULL PRIMARY KEY, until_ms INTEGER NOT NULL) STRICT,"
	" WITHOUT ROWID",
};

struct pause {
	struct pause *next;
	char *feed;
	int64_t until_ms; /* monotonic */
};

struct pauses {
	struct state *state;
	struct pause *first;
};

static struct pause *find(const struct pauses *pauses, const char *feed)
{
	struct pause *pause = pauses->first;
	while (pause && strcmp(pause->feed, feed) != 0)
		pause = pause->next;
	return pause;
}

static struct pause *find_or_add(struct pauses *pauses, const char *feed)
{
	struct pause *pause = find(pauses, feed);
	if (pause)
		return pause;
	pause = fw_alloc(sizeof *pause);
	pause->feed = fw_strdup(feed);
	pause->next = pauses->first;
	pauses->first = pause;
	return pause;
}

int64_t pauses_until_ms(const struct pauses *pauses, const char *feed)
{
	const struct pause *pause = find(pauses, feed);
	return pause ? pause->until_ms : 0;
}

/* Where it cannot be written it counts up to the next restart. */
static void write_down(struct pauses *pauses, const char *feed, int64_t for_ms)
{
	struct fw_err err;
	if (state_run(pauses->state, &err, "REPLACE INTO pause (feed, until_ms) VALUES (?, ?)",
		    "ti", feed, fw_wall_ms() + for_ms) < 0)
		fw_log(FW_WARNING, "feed '%s': that it asks for a pause cannot be written down: %s",
			feed, err.text);
}

void pauses_set(struct pauses *pauses, const char *feed, int64_t now_ms, int64_t for_ms)
{
	struct pause *pause = find_or_add(pauses, feed);
	int64_t until_ms = now_ms + for_ms;
	if (until_ms <= pause->until_ms)
		return;
	pause->until_ms = until_ms;
	write_down(pauses, feed, for_ms);
}

/* The clock may have been set since. */
static void on_row(struct pauses *pauses, sqlite3_stmt *row)
{
	int64_t left_ms = sqlite3_column_int64(row, 1) - fw_wall_ms();
	if (left_ms > PAUSES_MOST_MS)
		left_ms = PAUSES_MOST_MS;
	if (left_ms > 0)
		find_or_add(pauses, state_text(row, 0))->until_ms = fw_mono_ms() + left_ms;
}

static int load(struct pauses *pauses, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(pauses->state, &row, err, "SELECT feed, until_ms FROM pause", "");
	if (rc < 0)
		return rc;
	while ((rc = state_step(pauses->state, row, err)) > 0)
		on_row(pauses, row);
	state_done(row);
	return rc;
}

int pauses_open(struct pauses **out, struct state *state, struct fw_err *err)
{
	struct pauses *pauses = fw_alloc(sizeof *pauses);
	pauses->state = state;
	int rc = state_migrate(state, "pause", steps, sizeof steps / sizeof *steps, err);
	if (rc == 0)
		rc = load(pauses, err);
	if (rc == 0)
		*out = pauses;
	else
		pauses_close(pauses);
	return rc;
}

void pauses_close(struct pauses *pauses)
{
	while (pauses && pauses->first) {
		struct pause *pause = pauses->first;
		pauses->first = pause->next;
		fw_free(pause->feed);
		fw_free(pause);
	}
	fw_free(pauses);
}
