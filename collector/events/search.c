/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/mem.h>

#include "events.h"
#include "state.h"

/* For LIKE, which takes % and _ for anything. */
static char *pattern_of(const char *text)
{
	struct fw_buf out = {0};
	fw_buf_putc(&out, '%');
	for (; *text; text++) {
		if (strchr("%_\\", *text))
			fw_buf_putc(&out, '\\');
		fw_buf_putc(&out, *text);
	}
	fw_buf_putc(&out, '%');
	char *pattern = fw_strndup((const char *)out.data, out.length);
	fw_buf_done(&out);
	return pattern;
}

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

#define COLUMNS "SELECT id, at_ms, received_ms, name, kind, fields FROM event WHERE "
#define REST                                                       \
	"at_ms >= ?1 AND at_ms < ?2 AND (?3 IS NULL OR kind = ?3)" \
	" AND (?4 IS NULL OR fields LIKE ?4 ESCAPE '\\') ORDER BY at_ms DESC, id DESC"

int events_search(struct state *reader, const struct event_search *search,
	bool (*each)(const struct event *event, void *arg), void *arg, struct fw_err *err)
{
	sqlite3_stmt *row;
	char *text = search->text ? pattern_of(search->text) : NULL;
	int rc = search->host
		? state_query(reader, &row, err, COLUMNS "name = ?5 AND " REST, "iittt",
			  search->from_ms, search->until_ms, search->kind, text, search->host)
		: state_query(reader, &row, err, COLUMNS REST, "iitt", search->from_ms,
			  search->until_ms, search->kind, text);
	if (rc == 0) {
		while ((rc = state_step(reader, row, err)) > 0) {
			const struct event event = event_of(row);
			if (!each(&event, arg))
				break;
		}
		state_done(row);
	}
	fw_free(text);
	return rc < 0 ? rc : 0;
}
