/* SPDX-License-Identifier: Apache-2.0 */
/* What happened: traps, gaps and the like, the latest first. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/text.h>

#include "estate.h"
#include "events.h"
#include "parts.h"

#define EVENTS_LIMIT 10000
#define EVENTS_USUAL 200

struct listing {
	struct request *r;
	struct json *j;
	uint64_t left;
};

static bool write_event(const struct event *event, void *arg)
{
	struct listing *listing = arg;
	struct json *j = listing->j;
	if (!estate_sees(listing->r, event->host))
		return !listing->r->canceled;
	json_open(j, '{');
	json_put_int(j, "id", event->id);
	json_put_time(j, "at", event->at_ms);
	json_put_time(j, "received", event->received_ms);
	json_put_text(j, "host", event->host);
	json_put_text(j, "kind", event->kind);
	json_key(j, "fields");
	json_raw(j, event->fields);
	json_close(j, '}');
	return --listing->left > 0;
}

/* "AT-ID", as the answer before has given it. */
static int read_place(struct request *r, struct event_place *out, struct fw_err *err)
{
	const char *text = params_get(&r->params, "before");
	struct fw_cursor c;
	uint64_t at_ms, id;
	if (!text || !*text)
		return 0;
	c = (struct fw_cursor){text, text + strlen(text)};
	bool early = fw_cut_literal(&c, "-"); /* by a clock that was before 1970 */
	if (!fw_cut_u64(&c, &at_ms) || !fw_cut_literal(&c, "-") || !fw_cut_u64(&c, &id) ||
		c.at != c.end || at_ms > INT64_MAX || id == 0 || id > INT64_MAX)
		return fw_fail(err, -EINVAL, "'before' is what an answer has as its 'next'");
	*out = (struct event_place){early ? -(int64_t)at_ms : (int64_t)at_ms, (int64_t)id};
	return 0;
}

static void write_next(struct json *j, const struct event_place *next)
{
	char text[48];
	if (!next->id)
		return;
	snprintf(text, sizeof text, "%" PRId64 "-%" PRId64, next->at_ms, next->id);
	json_put_text(j, "next", text);
}

static int read_search(struct request *r, struct event_search *out, uint64_t *limit)
{
	struct fw_err err;
	*out = (struct event_search){
		.host = params_get(&r->params, "host"),
		.kind = params_get(&r->params, "kind"),
		.text = params_get(&r->params, "text"),
		.from_ms = INT64_MIN,
		.until_ms = INT64_MAX,
	};
	int rc = params_time(&r->params, "from", 0, &out->from_ms, &err);
	if (rc == 0)
		rc = params_time(&r->params, "until", 0, &out->until_ms, &err);
	if (rc == 0)
		rc = read_place(r, &out->before, &err);
	if (rc == 0)
		rc = params_page(&r->params, EVENTS_USUAL, EVENTS_LIMIT, limit, &err);
	if (rc < 0)
		request_fail_bad(r, &err);
	return rc;
}

void events_list(struct request *r)
{
	struct event_search search;
	struct event_place next;
	struct listing listing = {.r = r};
	struct fw_err err;
	struct state *state;
	if (read_search(r, &search, &listing.left) < 0 || !(state = reader_open(r)))
		return;
	listing.j = request_begin(r);
	json_open(listing.j, '[');
	int rc = events_search(state, &search, write_event, &listing, &next, &err);
	json_close(listing.j, ']');
	if (rc == 0)
		write_next(listing.j, &next);
	reader_end(r, state, rc, &err);
}
