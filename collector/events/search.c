/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "events.h"
#include "state.h"

static struct event event_of(sqlite3_stmt *row)
{
	return (struct event){
		.id = sqlite3_column_int64(row, 0),
		.at_ms = sqlite3_column_int64(row, 1),
		.received_ms = sqlite3_column_int64(row, 2),
		.host = state_text(row, 3),
		.kind = state_text(row, 4),
		.fields = state_text(row, 5),
	};
}

/* Not the database's to look at: it would not stop before it has found one. */
static bool is_wanted(const struct event_search *search, const struct event *event)
{
	return (!search->kind || strcmp(search->kind, event->kind) == 0) &&
		(!search->text || strcasestr(event->fields, search->text));
}

#define COLUMNS "SELECT id, at_ms, received_ms, name, kind, fields FROM event WHERE "
#define REST                                                                     \
	"at_ms >= ?1 AND at_ms < ?2 AND at_ms <= ?3 AND (at_ms < ?3 OR id < ?4)" \
	" ORDER BY at_ms DESC, id DESC"

static int begin_search(struct state *reader, const struct event_search *search, sqlite3_stmt **row,
	struct fw_err *err)
{
	const struct event_place *before = &search->before;
	int64_t at_ms = before->id ? before->at_ms : INT64_MAX;
	int64_t id = before->id ? before->id : INT64_MAX;
	return search->host ? state_query(reader, row, err, COLUMNS "name = ?5 AND " REST, "iiiit",
				      search->from_ms, search->until_ms, at_ms, id, search->host)
			    : state_query(reader, row, err, COLUMNS REST, "iiii", search->from_ms,
				      search->until_ms, at_ms, id);
}

int events_search(struct state *reader, const struct event_search *search,
	bool (*each)(const struct event *event, void *arg), void *arg, struct event_place *next,
	struct fw_err *err)
{
	sqlite3_stmt *row;
	uint64_t looked_at = 0;
	bool goes_on = true;
	*next = (struct event_place){0};
	int rc = begin_search(reader, search, &row, err);
	if (rc < 0)
		return rc;
	while (goes_on && (rc = state_step(reader, row, err)) > 0) {
		const struct event event = event_of(row);
		if (is_wanted(search, &event))
			goes_on = each(&event, arg);
		goes_on = goes_on && ++looked_at < EVENTS_LOOKED_AT;
		if (!goes_on)
			*next = (struct event_place){event.at_ms, event.id};
	}
	state_done(row);
	return rc < 0 ? rc : 0;
}
