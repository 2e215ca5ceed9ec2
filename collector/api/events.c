/* SPDX-License-Identifier: Apache-2.0 */
/* What happened: traps, gaps and the like, the latest first. */
#include <string.h>

#include "estate.h"
#include "events.h"
#include "parts.h"
#include "state.h"

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
		rc = params_page(&r->params, EVENTS_USUAL, EVENTS_LIMIT, limit, &err);
	if (rc < 0)
		request_fail_bad(r, &err);
	return rc;
}

void events_list(struct request *r)
{
	struct event_search search;
	struct listing listing = {.r = r};
	struct fw_err err;
	struct state *state;
	if (read_search(r, &search, &listing.left) < 0 || !(state = state_reader(r)))
		return;
	listing.j = request_begin(r);
	json_open(listing.j, '[');
	int rc = events_search(state, &search, write_event, &listing, &err);
	json_close(listing.j, ']');
	state_close(state);
	if (rc < 0)
		request_fail(r, 500, "internal", "%s", err.text);
	else
		request_end(r, NULL, 0);
}
