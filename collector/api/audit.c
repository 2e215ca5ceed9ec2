/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail, entry by entry, and whether its chain holds. */
#include <string.h>

#include <fenwatch/text.h>

#include "audit.h"
#include "parts.h"
#include "state.h"

#define ENTRIES_LIMIT 10000
#define ENTRIES_USUAL 1000

static void put_hash(struct json *j, const char *name, const uint8_t hash[AUDIT_HASH])
{
	char hex[2 * AUDIT_HASH + 1];
	fw_hex(hash, AUDIT_HASH, hex);
	json_put_text(j, name, hex);
}

struct listing {
	struct json *j;
	uint64_t left;
};

static bool write_entry(const struct audit_entry *entry, void *arg)
{
	struct listing *listing = arg;
	struct json *j = listing->j;
	json_open(j, '{');
	json_put_int(j, "id", entry->id);
	json_put_time(j, "at", entry->at_ms);
	json_put_text(j, "kind", entry->kind);
	json_put_text(j, "subject", entry->subject);
	json_put_text(j, "who", entry->who);
	json_key(j, "detail");
	json_raw(j, entry->detail);
	put_hash(j, "hash", entry->hash);
	json_close(j, '}');
	return --listing->left > 0;
}

static int read_range(struct request *r, struct audit_range *range, uint64_t *limit)
{
	struct fw_err err;
	uint64_t after = 0;
	*range = (struct audit_range){
		.from_ms = INT64_MIN, .subject = params_get(&r->params, "subject")};
	int rc = params_time(&r->params, "from", 0, &range->from_ms, &err);
	if (rc == 0)
		rc = params_time(&r->params, "until", 0, &range->until_ms, &err);
	if (rc == 0)
		rc = params_count(&r->params, "after", &after, &err);
	if (rc == 0)
		rc = params_page(&r->params, ENTRIES_USUAL, ENTRIES_LIMIT, limit, &err);
	if (rc < 0)
		request_fail_bad(r, &err);
	range->after_id = (int64_t)(after & INT64_MAX);
	return rc;
}

void audit_entries(struct request *r)
{
	struct audit_range range;
	struct listing listing = {0};
	struct fw_err err;
	struct state *state;
	if (read_range(r, &range, &listing.left) < 0 || !(state = reader_open(r)))
		return;
	listing.j = request_begin(r);
	json_open(listing.j, '[');
	int rc = audit_each(state, &range, write_entry, &listing, &err);
	json_close(listing.j, ']');
	reader_end(r, state, rc, &err);
}

void audit_verify(struct request *r)
{
	struct audit_verdict verdict;
	struct fw_err err;
	struct state *state = reader_open(r);
	if (!state)
		return;
	int rc = audit_check(state, &verdict, &err);
	state_close(state);
	if (rc < 0) {
		request_fail(r, 500, "internal", "%s", err.text);
		return;
	}
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_put_bool(j, "whole", verdict.broken_id == 0);
	json_put_int(j, "entries", (int64_t)verdict.entries);
	json_put_int(j, "broken", verdict.broken_id);
	json_put_int(j, "newest", verdict.head_id);
	put_hash(j, "hash", verdict.head);
	json_close(j, '}');
	request_end(r, NULL, 0);
}
