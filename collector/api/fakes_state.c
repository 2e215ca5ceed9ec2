/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>

#include "audit.h"
#include "enrol.h"
#include "events.h"
#include "state.h"
#include "tickets.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* ---- tickets and the audit trail: one of each host, raised in the first minute of 1970 ---- */

int tickets_of(struct state *state, int64_t from_ms, int64_t until_ms, int64_t at_ms,
	struct fw_arena *arena, struct ticket **out, size_t *n, struct fw_err *err)
{
	static const struct ticket web = {.key = "fw1-web",
		.rule = "DiskFailing",
		.instance = "web01",
		.severity = "critical",
		.summary = "",
		.priority = "P1",
		.tier = "",
		.site = "",
		.supplier = "Contoso",
		.feed = "desk",
		.receipt = "INC1",
		.responder = "",
		.target = "",
		.paused = "",
		.starts_ms = 1000,
		.raised_ms = 2000,
		.due_ms = {60000, 0}};
	struct ticket db = web;
	(void)state, (void)err;
	db.key = "fw1-db";
	db.instance = "db01";
	db.supplier = "Fabrikam";
	db.restored_ms = db.starts_ms + 60000;
	*n = from_ms <= 2000 && until_ms > 2000 && at_ms >= 2000 ? 2 : 0;
	*out = fw_arena_alloc(arena, 2 * sizeof **out);
	(*out)[0] = web;
	(*out)[1] = db;
	return 0;
}

void tickets_list(struct tickets *tickets, struct fw_arena *arena, struct ticket **out, size_t *n)
{
	(void)tickets;
	tickets_of(NULL, 0, 2001, 2000, arena, out, n, NULL);
}

int tickets_pause(struct tickets *tickets, const char *key, const char *reason, const char *who,
	int64_t now_ms, struct fw_err *err)
{
	(void)tickets, (void)now_ms;
	snprintf(fakes_asked, sizeof fakes_asked, "pause %s %s %s", key, reason, who);
	return strcmp(key, "fw1-web") == 0 ? 0
					   : fw_fail(err, -ENOENT, "there is no ticket '%s'", key);
}

int tickets_resume(struct tickets *tickets, const char *key, const char *who, int64_t now_ms,
	struct fw_err *err)
{
	(void)tickets, (void)now_ms;
	snprintf(fakes_asked, sizeof fakes_asked, "resume %s %s", key, who);
	return fw_fail(err, -EALREADY, "ticket '%s' is not paused", key);
}

int state_open_reader(struct state **out, const char *dir, struct fw_err *err)
{
	(void)dir, (void)err;
	*out = (struct state *)(void *)fakes_asked; /* nobody looks into it */
	return 0;
}

void state_close(struct state *state)
{
	(void)state;
}

int audit_each(struct state *state, const struct audit_range *range,
	bool (*each)(const struct audit_entry *entry, void *arg), void *arg, struct fw_err *err)
{
	static const uint8_t hash[AUDIT_HASH] = {0xab};
	struct audit_entry entry = {.at_ms = 1000,
		.kind = "fired",
		.subject = "fw1-web",
		.who = "",
		.detail = "{\"starts\":1000}",
		.hash = hash};
	(void)state, (void)err;
	for (entry.id = range->after_id + 1; entry.id <= 3; entry.id++)
		if (!each(&entry, arg))
			break;
	return 0;
}

int events_search(struct state *reader, const struct event_search *search,
	bool (*each)(const struct event *event, void *arg), void *arg, struct event_place *next,
	struct fw_err *err)
{
	static const struct event all[] = {
		{3, 1700000000000, 1700000001000, "db01", "gap", "{\"sweeps\":\"3\"}"},
		{2, 1690000000000, 1700000000000, "web01", "trap", "{\"oid\":\"1.3.6\"}"},
	};
	(void)reader, (void)err;
	*next = (struct event_place){0};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i].at_ms >= search->from_ms && all[i].at_ms < search->until_ms &&
			(!search->before.id || all[i].id < search->before.id) &&
			(!search->host || strcmp(search->host, all[i].host) == 0) &&
			!each(&all[i], arg)) {
			*next = (struct event_place){all[i].at_ms, all[i].id};
			break;
		}
	return 0;
}

int audit_check(struct state *state, struct audit_verdict *out, struct fw_err *err)
{
	(void)state, (void)err;
	*out = (struct audit_verdict){.entries = 2, .broken_id = 3, .head_id = 2};
	return 0;
}

/* ---- enrolment ---- */

const char *const enrol_role_names[] = {
	"viewer", "supplier", "engineer", "admin", "join", "writer", NULL};

int enrol_token_caller(struct enrol *enrol, const char *text, int64_t now_ms,
	struct fw_arena *arena, struct enrol_caller *out)
{
	(void)arena;
	(void)enrol;
	(void)now_ms;
	for (int i = 0; enrol_role_names[i]; i++) {
		if (i != ROLE_JOIN && strcmp(enrol_role_names[i], text) == 0) {
			*out = (struct enrol_caller){
				(enum enrol_role)i, i == ROLE_SUPPLIER ? "Contoso" : "", "token 1"};
			return 0;
		}
	}
	return -EACCES;
}

int enrol_agents(struct enrol *enrol, struct fw_arena *arena, struct enrol_agent **out, size_t *n,
	struct fw_err *err)
{
	(void)enrol;
	(void)err;
	const struct enrol_agent agents[] = {
		{.uuid = "u-1", .name = "web01", .expires_ms = INT64_C(1) << 50},
		{.uuid = "u-2", .name = "db01", .revoked_ms = 1},
		{.uuid = "u-3", .name = "db01", .expires_ms = INT64_C(1) << 50},
		{.uuid = "u-4", .name = "lap01", .enrolled_ms = fw_wall_ms() - 3600 * 1000},
	};
	*n = COUNT(agents);
	*out = fw_arena_alloc(arena, sizeof agents);
	memcpy(*out, agents, sizeof agents);
	return 0;
}

int enrol_revoke(struct enrol *enrol, const char *uuid_or_name, int64_t now_ms, struct fw_err *err)
{
	(void)enrol;
	(void)now_ms;
	if (strcmp(uuid_or_name, "web01") != 0)
		return fw_fail(err, -ENOENT, "there is no agent '%s'", uuid_or_name);
	snprintf(fakes_asked, sizeof fakes_asked, "revoke %s", uuid_or_name);
	return 0;
}

/* One authority, and another one once a rollover was asked for. */
void enrol_authorities(
	struct enrol *enrol, int64_t now_ms, struct fw_arena *arena, struct enrol_authorities *out)
{
	static const char *left[] = {"web01"};
	(void)enrol;
	(void)now_ms;
	(void)arena;
	*out = (struct enrol_authorities){
		.now = {.fingerprint = {0xab}, .expires_ms = 1500}, .n_agents = 4, .left = left};
	out->has_next = strcmp(fakes_asked, "rollover") == 0;
	out->n_left = out->has_next;
	out->next = (struct enrol_authority){.fingerprint = {0xcd}, .expires_ms = 2500};
}

int enrol_rollover(struct enrol *enrol, int64_t now_ms, struct fw_err *err)
{
	(void)enrol;
	(void)now_ms;
	if (strcmp(fakes_asked, "rollover") == 0)
		return fw_fail(err, -EALREADY, "there is a new one already");
	snprintf(fakes_asked, sizeof fakes_asked, "rollover");
	return 0;
}

int enrol_retire(struct enrol *enrol, bool leave_behind, int64_t now_ms, struct fw_err *err)
{
	(void)enrol;
	(void)now_ms;
	if (strcmp(fakes_asked, "rollover") != 0)
		return fw_fail(err, -ENOENT, "there is no new one");
	if (!leave_behind)
		return fw_fail(err, -EBUSY, "1 of 4 agents have not moved: web01");
	snprintf(fakes_asked, sizeof fakes_asked, "retire");
	return 0;
}

static const struct enrol_token join_token = {.id = 5,
	.role = ROLE_JOIN,
	.note = "rack 3",
	.uses_left = 1,
	.networks = "",
	.serials = ""};

int enrol_tokens(struct enrol *enrol, struct fw_arena *arena, struct enrol_token **out, size_t *n,
	struct fw_err *err)
{
	(void)enrol;
	(void)err;
	*n = 1;
	*out = fw_arena_alloc(arena, sizeof **out);
	**out = join_token;
	return 0;
}

int enrol_token_new(struct enrol *enrol, const struct enrol_token *wanted, int64_t now_ms,
	char *text, size_t size, int64_t *id, struct fw_err *err)
{
	(void)enrol;
	(void)err;
	snprintf(fakes_asked, sizeof fakes_asked, "token %s ttl %lld uses %lld note %s",
		enrol_role_names[wanted->role],
		(long long)(wanted->expires_ms ? wanted->expires_ms - now_ms : 0),
		(long long)wanted->uses_left, wanted->note ? wanted->note : "-");
	snprintf(text, size, "fwj1-secret");
	*id = join_token.id;
	return 0;
}

int enrol_token_revoke(struct enrol *enrol, int64_t id, int64_t now_ms, struct fw_err *err)
{
	(void)enrol;
	(void)now_ms;
	if (id != join_token.id)
		return fw_fail(err, -ENOENT, "there is no token %lld", (long long)id);
	snprintf(fakes_asked, sizeof fakes_asked, "forget %lld", (long long)id);
	return 0;
}
