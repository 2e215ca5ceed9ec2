/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/clock.h>
#include <fenwatch/log.h>

/* A clock that was set back by so much still finds its agents' certificates valid. */
#define BACKDATED_MS (24 * 3600 * INT64_C(1000))

/* ---- the registry in memory ---- */

/* Where the agent with this id is, or would be. */
static size_t place_of(const struct enrol *enrol, const uint8_t id[16])
{
	size_t low = 0, high = enrol->n_agents;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (memcmp(enrol->agents[middle]->id, id, 16) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct agent *find(const struct enrol *enrol, const uint8_t id[16])
{
	size_t i = place_of(enrol, id);
	bool hit = i < enrol->n_agents && memcmp(enrol->agents[i]->id, id, 16) == 0;
	return hit ? enrol->agents[i] : NULL;
}

static struct agent *find_uuid(const struct enrol *enrol, const char *uuid)
{
	uint8_t id[16];
	return fw_uuid_bytes(uuid, id) == 0 ? find(enrol, id) : NULL;
}

/* Names are unique among those that may send. */
static struct agent *find_name(const struct enrol *enrol, const char *name)
{
	for (size_t i = 0; i < enrol->n_agents; i++)
		if (enrol->agents[i]->facts.revoked_ms == 0 &&
			strcmp(enrol->agents[i]->facts.name, name) == 0)
			return enrol->agents[i];
	return NULL;
}

static void add(struct enrol *enrol, const struct enrol_agent *facts)
{
	struct agent *agent = fw_alloc(sizeof *agent);
	agent->facts = *facts;
	fw_uuid_bytes(facts->uuid, agent->id);
	uv_rwlock_wrlock(&enrol->lock);
	size_t at = place_of(enrol, agent->id);
	enrol->agents = fw_realloc(enrol->agents, (enrol->n_agents + 1) * sizeof *enrol->agents);
	memmove(enrol->agents + at + 1, enrol->agents + at,
		(enrol->n_agents - at) * sizeof *enrol->agents);
	enrol->agents[at] = agent;
	enrol->n_agents++;
	uv_rwlock_wrunlock(&enrol->lock);
}

static void mark_revoked(struct enrol *enrol, struct agent *agent, int64_t now_ms)
{
	uv_rwlock_wrlock(&enrol->lock);
	agent->facts.revoked_ms = now_ms;
	uv_rwlock_wrunlock(&enrol->lock);
	if (enrol->config.on_revoked)
		enrol->config.on_revoked(agent->id, enrol->config.arg);
}

static enum enrol_standing standing(
	const struct agent *agent, const struct fw_cert_facts *facts, int64_t now_ms)
{
	if (facts->use != FW_CERT_AGENT)
		return ENROL_WRONG_USE;
	if (!agent)
		return ENROL_UNKNOWN;
	if (agent->facts.revoked_ms != 0)
		return ENROL_REVOKED;
	return now_ms >= facts->until_ms ? ENROL_EXPIRED : ENROL_GOOD;
}

enum enrol_standing enrol_check(struct enrol *enrol, const struct fw_cert_facts *facts,
	int64_t now_ms, struct enrol_agent *agent)
{
	uv_rwlock_rdlock(&enrol->lock);
	const struct agent *found = find_uuid(enrol, facts->uuid);
	enum enrol_standing answer = standing(found, facts, now_ms);
	if (found)
		*agent = found->facts;
	uv_rwlock_rdunlock(&enrol->lock);
	return answer;
}

bool enrol_find(struct enrol *enrol, const uint8_t agent[16], struct enrol_agent *out)
{
	uv_rwlock_rdlock(&enrol->lock);
	const struct agent *found = find(enrol, agent);
	if (found)
		*out = found->facts;
	uv_rwlock_rdunlock(&enrol->lock);
	return found != NULL;
}

bool enrol_is_revoked(struct enrol *enrol, const uint8_t agent[16])
{
	struct enrol_agent facts;
	return enrol_find(enrol, agent, &facts) && facts.revoked_ms != 0;
}

/* ---- granting ---- */

static int check_name(const char *name, struct fw_err *err)
{
	size_t length = name ? strlen(name) : 0;
	if (length == 0 || length > ENROL_NAME_LIMIT || !fw_utf8_valid(name, length))
		return fw_fail(err, -EINVAL,
			"an agent's name has 1 to %d bytes of UTF-8: set `name` in agent.yml",
			ENROL_NAME_LIMIT);
	for (const char *c = name; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return fw_fail(err, -EINVAL,
				"an agent's name has no blanks or control characters: set `name` in "
				"agent.yml");
	return 0;
}

static int sign(struct enrol *enrol, const struct enrol_request *request, const char *uuid,
	int64_t now_ms, struct fw_arena *arena, struct enrol_grant *out, struct fw_err *err)
{
	struct fw_buf cert = {0};
	int64_t until_ms = now_ms + enrol->config.cert_ms;
	int rc = fw_ca_sign(authority_of_agents(enrol)->ca, request->csr_pem, FW_CERT_AGENT, uuid,
		now_ms - BACKDATED_MS, until_ms, &cert, err);
	if (rc == 0) {
		out->cert_pem = fw_arena_strdup(arena, (const char *)cert.data);
		out->ca_pem = fw_arena_strdup(arena, enrol->trusted_pem);
		out->expires_ms = until_ms;
		snprintf(out->uuid, sizeof out->uuid, "%s", uuid);
	}
	fw_buf_done(&cert);
	return rc;
}

static int write_revoked(
	struct enrol *enrol, const struct agent *agent, int64_t now_ms, struct fw_err *err)
{
	return state_run(enrol->config.state, err, "UPDATE agent SET revoked_ms = ? WHERE uuid = ?",
		"it", now_ms, agent->facts.uuid);
}

/* The new agent, the end of the one it replaces and the token's use: all or nothing. */
static int write_enrolled(struct enrol *enrol, const struct enrol_request *request,
	const struct enrol_agent *agent, const struct agent *old, const struct token *token,
	struct fw_err *err)
{
	struct state *state = enrol->config.state;
	int rc = state_begin(state, err);
	if (rc < 0)
		return rc;
	if (old)
		rc = write_revoked(enrol, old, agent->enrolled_ms, err);
	if (rc == 0)
		rc = token_use(enrol, token, err);
	if (rc == 0)
		rc = state_run(state, err,
			"INSERT INTO agent (uuid, name, machine, serial, token, enrolled_ms,"
			" renewed_ms, expires_ms, revoked_ms, issuer)"
			" VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
			"ttbtiiiib", agent->uuid, agent->name, (const void *)agent->machine,
			sizeof agent->machine, request->serial ? request->serial : "",
			token->facts.id, agent->enrolled_ms, agent->renewed_ms, agent->expires_ms,
			(const void *)agent->issuer, sizeof agent->issuer);
	return state_finish(state, rc, err);
}

/* The same machine may take its name again; another one may not. */
static int may_replace(
	const struct agent *old, const struct enrol_request *request, struct fw_err *err)
{
	if (!old || fw_same_secret(old->facts.machine, request->machine, sizeof request->machine))
		return 0;
	char since[32];
	return fw_fail(err, -EEXIST,
		"the name '%s' belongs to another machine, enrolled %s: give this one another `name` "
		"in agent.yml, or end the other with 'fenwatch agent revoke'",
		request->name, fw_time_format(old->facts.enrolled_ms, since, sizeof since));
}

static int enrol_anew(struct enrol *enrol, const struct enrol_request *request, int64_t now_ms,
	struct fw_arena *arena, struct enrol_grant *out, struct fw_err *err)
{
	struct token *token;
	int rc = token_admits(enrol, request, now_ms, &token, err);
	if (rc == 0)
		rc = check_name(request->name, err);
	if (rc < 0)
		return rc;
	struct agent *old = find_name(enrol, request->name);
	rc = may_replace(old, request, err);
	if (rc < 0)
		return rc;
	struct enrol_agent agent = {.enrolled_ms = now_ms, .renewed_ms = now_ms};
	fw_uuid_new(agent.uuid);
	rc = sign(enrol, request, agent.uuid, now_ms, arena, out, err);
	if (rc < 0)
		return rc;
	snprintf(agent.name, sizeof agent.name, "%s", request->name);
	memcpy(agent.machine, request->machine, sizeof agent.machine);
	memcpy(agent.issuer, authority_of_agents(enrol)->fingerprint, sizeof agent.issuer);
	agent.expires_ms = out->expires_ms;
	rc = write_enrolled(enrol, request, &agent, old, token, err);
	if (rc < 0)
		return rc;
	token_used(token);
	if (old)
		mark_revoked(enrol, old, now_ms);
	add(enrol, &agent);
	fw_log(FW_NOTICE, "%s (%s) enrolled as %s%s", agent.name, request->from, agent.uuid,
		old ? " in place of its older self" : "");
	return 0;
}

/* Revocation comes before everything else that could let a holder in again. */
static int may_renew(const struct enrol *enrol, const struct agent *agent,
	const struct enrol_request *request, int64_t now_ms, struct fw_err *err)
{
	const char *why = NULL;
	switch (standing(agent, request->peer, now_ms)) {
	case ENROL_UNKNOWN:
		why = "this identity is not known here";
		break;
	case ENROL_REVOKED:
		why = "this identity was revoked";
		break;
	case ENROL_WRONG_USE:
		why = "this certificate is not an agent's";
		break;
	case ENROL_EXPIRED:
		if (now_ms - request->peer->until_ms > enrol->config.renew_grace_ms)
			why = "this certificate expired too long ago to be renewed";
		break;
	case ENROL_GOOD:
		break;
	}
	if (!why &&
		!fw_same_secret(
			agent->facts.machine, request->machine, sizeof agent->facts.machine))
		why = "this identity belongs to another machine";
	if (why)
		return fw_fail(err, -EACCES,
			"%s: enrol anew with a new join token ('fenwatch-agent enrol')", why);
	return 0;
}

static int renew(struct enrol *enrol, const struct enrol_request *request, int64_t now_ms,
	struct fw_arena *arena, struct enrol_grant *out, struct fw_err *err)
{
	if (!request->peer)
		return fw_fail(err, -EACCES, "to enrol takes a join token, to renew a certificate");
	struct agent *agent = find_uuid(enrol, request->peer->uuid);
	const uint8_t *issuer = authority_of_agents(enrol)->fingerprint;
	int rc = may_renew(enrol, agent, request, now_ms, err);
	if (rc == 0)
		rc = sign(enrol, request, request->peer->uuid, now_ms, arena, out, err);
	if (rc == 0)
		rc = state_run(enrol->config.state, err,
			"UPDATE agent SET renewed_ms = ?, expires_ms = ?, issuer = ? WHERE uuid = ?",
			"iibt", now_ms, out->expires_ms, (const void *)issuer,
			(size_t)FW_FINGERPRINT, agent->facts.uuid);
	if (rc < 0)
		return rc;
	uv_rwlock_wrlock(&enrol->lock);
	agent->facts.renewed_ms = now_ms;
	agent->facts.expires_ms = out->expires_ms;
	memcpy(agent->facts.issuer, issuer, sizeof agent->facts.issuer);
	uv_rwlock_wrunlock(&enrol->lock);
	fw_log(FW_INFO, "%s (%s) renewed its certificate", agent->facts.name, request->from);
	return 0;
}

int enrol_grant(struct enrol *enrol, const struct enrol_request *request, int64_t now_ms,
	struct fw_arena *arena, struct enrol_grant *out, struct fw_err *err)
{
	return request->token ? enrol_anew(enrol, request, now_ms, arena, out, err)
			      : renew(enrol, request, now_ms, arena, out, err);
}

/* ---- the list, and its end ---- */

int enrol_revoke(struct enrol *enrol, const char *uuid_or_name, int64_t now_ms, struct fw_err *err)
{
	struct agent *agent = find_uuid(enrol, uuid_or_name);
	if (!agent)
		agent = find_name(enrol, uuid_or_name);
	if (!agent)
		return fw_fail(err, -ENOENT,
			"there is no agent '%.100s' that could be revoked; see 'fenwatch agent list'",
			uuid_or_name);
	if (agent->facts.revoked_ms != 0)
		return 0;
	int rc = write_revoked(enrol, agent, now_ms, err);
	if (rc < 0)
		return rc;
	mark_revoked(enrol, agent, now_ms);
	fw_log(FW_NOTICE, "%s (%s) revoked", agent->facts.name, agent->facts.uuid);
	return 0;
}

void enrol_uuid_of(const struct enrol *enrol, const char *name, char uuid[FW_UUID_TEXT])
{
	const struct agent *agent = find_name(enrol, name);
	snprintf(uuid, FW_UUID_TEXT, "%s", agent ? agent->facts.uuid : "");
}

int enrol_restore(struct enrol *enrol, const char *uuid, struct fw_err *err)
{
	struct agent *agent = find_uuid(enrol, uuid);
	if (!agent)
		return fw_fail(err, -ENOENT, "there is no agent '%.100s' any more", uuid);
	if (agent->facts.revoked_ms == 0)
		return 0;
	if (find_name(enrol, agent->facts.name))
		return fw_fail(
			err, -EEXIST, "another agent has the name '%.200s' now", agent->facts.name);
	int rc = write_revoked(enrol, agent, 0, err);
	if (rc < 0)
		return rc;
	uv_rwlock_wrlock(&enrol->lock);
	agent->facts.revoked_ms = 0;
	uv_rwlock_wrunlock(&enrol->lock);
	fw_log(FW_NOTICE, "%s (%s) may send again", agent->facts.name, agent->facts.uuid);
	return 0;
}

static void drop(struct enrol *enrol, size_t at)
{
	struct agent *agent = enrol->agents[at];
	uv_rwlock_wrlock(&enrol->lock);
	enrol->n_agents--;
	memmove(enrol->agents + at, enrol->agents + at + 1,
		(enrol->n_agents - at) * sizeof *enrol->agents);
	uv_rwlock_wrunlock(&enrol->lock);
	if (enrol->config.on_revoked)
		enrol->config.on_revoked(agent->id, enrol->config.arg);
	fw_free(agent);
}

int enrol_forget(struct enrol *enrol, const char *name, struct fw_err *err)
{
	int rc = state_run(enrol->config.state, err, "DELETE FROM agent WHERE name = ?", "t", name);
	if (rc < 0)
		return rc;
	int n = 0;
	for (size_t i = enrol->n_agents; i-- > 0;) {
		if (strcmp(enrol->agents[i]->facts.name, name) != 0)
			continue;
		drop(enrol, i);
		n++;
	}
	return n;
}

static int by_name(const void *a, const void *b)
{
	const struct enrol_agent *left = a, *right = b;
	int order = strcmp(left->name, right->name);
	if (order != 0)
		return order;
	return (left->enrolled_ms > right->enrolled_ms) - (left->enrolled_ms < right->enrolled_ms);
}

int enrol_agents(struct enrol *enrol, struct fw_arena *arena, struct enrol_agent **out, size_t *n,
	struct fw_err *err)
{
	(void)err;
	*out = fw_arena_alloc(arena, enrol->n_agents * sizeof **out);
	*n = enrol->n_agents;
	for (size_t i = 0; i < *n; i++)
		(*out)[i] = enrol->agents[i]->facts;
	qsort(*out, *n, sizeof **out, by_name);
	return 0;
}

/* ---- opening ---- */

static bool read_agent(sqlite3_stmt *row, struct enrol_agent *agent)
{
	memset(agent, 0, sizeof *agent);
	snprintf(agent->uuid, sizeof agent->uuid, "%s", (const char *)sqlite3_column_text(row, 0));
	snprintf(agent->name, sizeof agent->name, "%s", (const char *)sqlite3_column_text(row, 1));
	if (sqlite3_column_bytes(row, 2) != sizeof agent->machine || !fw_uuid_valid(agent->uuid))
		return false;
	memcpy(agent->machine, sqlite3_column_blob(row, 2), sizeof agent->machine);
	agent->enrolled_ms = sqlite3_column_int64(row, 3);
	agent->renewed_ms = sqlite3_column_int64(row, 4);
	agent->expires_ms = sqlite3_column_int64(row, 5);
	agent->revoked_ms = sqlite3_column_int64(row, 6);
	if (sqlite3_column_bytes(row, 7) == sizeof agent->issuer)
		memcpy(agent->issuer, sqlite3_column_blob(row, 7), sizeof agent->issuer);
	return true;
}

int agents_open(struct enrol *enrol, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(enrol->config.state, &row, err,
		"SELECT uuid, name, machine, enrolled_ms, renewed_ms, expires_ms, revoked_ms,"
		" issuer FROM agent ORDER BY uuid",
		"");
	if (rc < 0)
		return rc;
	struct enrol_agent agent;
	while ((rc = state_step(enrol->config.state, row, err)) > 0)
		if (read_agent(row, &agent))
			add(enrol, &agent);
	state_done(row);
	return rc;
}

void agents_close(struct enrol *enrol)
{
	for (size_t i = 0; i < enrol->n_agents; i++)
		fw_free(enrol->agents[i]);
	fw_free(enrol->agents);
}
