/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts, agents, tokens and feeds: what SQLite holds, asked on the main thread. */
#include <errno.h>
#include <string.h>

#include <fenwatch/text.h>

#include "alert.h"
#include "enrol.h"
#include "estate.h"
#include "feed.h"
#include "parts.h"
#include "register.h"
#include "retiring.h"

void admin_fail(struct request *r, int rc, const struct fw_err *err)
{
	if (rc == -ENOENT)
		request_fail(r, 404, "not_found", "%s", err->text);
	else if (rc == -EINVAL || rc == -ERANGE)
		request_fail_bad(r, err);
	else if (rc == -EACCES)
		request_fail(r, 403, "forbidden", "%s", err->text);
	else if (rc == -EALREADY)
		request_fail(r, 409, "conflict", "%s", err->text);
	else
		request_fail(r, 500, "internal", "%s", err->text);
}

void admin_tell(struct request *r, int rc, const struct fw_err *err, const char *done)
{
	if (rc < 0) {
		admin_fail(r, rc, err);
		return;
	}
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_put_text(j, done, r->path_value);
	json_close(j, '}');
	request_end(r, NULL, 0);
}

/* ---- alerts ---- */

void admin_prepare_alerts(struct request *r)
{
	struct fw_err err;
	size_t n, kept = 0;
	int rc = alert_list(api_config(r->api)->alerts, &r->arena, &r->alerts, &n, &err);
	if (rc < 0) {
		admin_fail(r, rc, &err);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (estate_sees(r, r->alerts[i].instance))
			r->alerts[kept++] = r->alerts[i];
	r->n_alerts = kept;
	retiring_prepare(r);
}

void admin_write_pairs(struct json *j, const char *name, const struct notice_pair *pairs, size_t n)
{
	json_key(j, name);
	json_open(j, '{');
	for (size_t i = 0; i < n; i++)
		json_put_text(j, pairs[i].name, pairs[i].value);
	json_close(j, '}');
}

void admin_write_alert(struct json *j, const struct alert_view *alert)
{
	static const char *const states[] = {
		[ALERT_PENDING] = "pending",
		[ALERT_FIRING] = "firing",
		[ALERT_RESOLVED] = "resolved",
	};
	json_open(j, '{');
	json_put_text(j, "key", alert->key);
	json_put_text(j, "rule", alert->rule);
	json_put_text(j, "host", alert->instance);
	json_put_text(j, "severity", alert->severity);
	json_put_text(j, "state", states[alert->state]);
	json_put_time(j, "since", alert->since_ms);
	json_put_number(j, "value", alert->value);
	if (*alert->unknown)
		json_put_text(j, "unknown", alert->unknown);
	telling_write_ack(j, alert);
	telling_write_held(j, alert);
	admin_write_pairs(j, "labels", alert->labels, alert->n_labels);
	admin_write_pairs(j, "annotations", alert->annotations, alert->n_annotations);
	json_close(j, '}');
}

void admin_alerts(struct request *r)
{
	admin_prepare_alerts(r);
	if (r->status)
		return;
	const char *rule = params_get(&r->params, "rule");
	struct json *j = request_begin(r);
	json_open(j, '[');
	for (size_t i = 0; i < r->n_alerts; i++)
		if (!rule || strcmp(r->alerts[i].rule, rule) == 0)
			admin_write_alert(j, &r->alerts[i]);
	json_close(j, ']');
	request_end(r, NULL, 0);
}

/* ---- hosts ---- */

void admin_host_forget(struct request *r)
{
	const struct api_config *config = api_config(r->api);
	struct fw_err err;
	int rc = config->on_forget(r->path_value, &err, config->arg);
	admin_tell(r, rc, &err, "forgotten");
}

/* ---- agents ---- */

static const char *standing(const struct enrol_agent *agent, int64_t now_ms)
{
	if (agent->revoked_ms)
		return "revoked";
	return agent->expires_ms < now_ms ? "expired" : "good";
}

void admin_agents(struct request *r)
{
	struct enrol_agent *agents;
	size_t n;
	struct fw_err err;
	int rc = enrol_agents(api_config(r->api)->enrol, &r->arena, &agents, &n, &err);
	if (rc < 0) {
		admin_fail(r, rc, &err);
		return;
	}
	struct json *j = request_begin(r);
	json_open(j, '[');
	for (size_t i = 0; i < n; i++) {
		if (!estate_sees(r, agents[i].name))
			continue;
		json_open(j, '{');
		json_put_text(j, "uuid", agents[i].uuid);
		json_put_text(j, "name", agents[i].name);
		json_put_text(j, "state", standing(&agents[i], r->now_ms));
		json_put_time(j, "enrolled", agents[i].enrolled_ms);
		json_put_time(j, "renewed", agents[i].renewed_ms);
		json_put_time(j, "expires", agents[i].expires_ms);
		json_put_time(j, "revoked", agents[i].revoked_ms);
		json_close(j, '}');
	}
	json_close(j, ']');
	request_end(r, NULL, 0);
}

void admin_agent_revoke(struct request *r)
{
	struct fw_err err;
	int rc = enrol_revoke(api_config(r->api)->enrol, r->path_value, r->now_ms, &err);
	admin_tell(r, rc, &err, "revoked");
}

/* ---- the certificate authority ---- */

static void write_authority(struct json *j, const struct enrol_authority *authority)
{
	char hex[2 * FW_FINGERPRINT + 1];
	fw_hex(authority->fingerprint, sizeof authority->fingerprint, hex);
	json_open(j, '{');
	json_put_text(j, "fingerprint", hex);
	json_put_time(j, "expires", authority->expires_ms);
	json_close(j, '}');
}

void admin_ca(struct request *r)
{
	struct enrol_authorities all;
	enrol_authorities(api_config(r->api)->enrol, r->now_ms, &r->arena, &all);
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_key(j, "now");
	write_authority(j, &all.now);
	json_key(j, "next");
	if (all.has_next)
		write_authority(j, &all.next);
	else
		json_none(j);
	json_put_int(j, "agents", (int64_t)all.n_agents);
	json_key(j, "left");
	json_open(j, '[');
	for (size_t i = 0; i < all.n_left; i++)
		json_text(j, all.left[i]);
	json_close(j, ']');
	json_close(j, '}');
	request_end(r, NULL, 0);
}

static void answer_ca(struct request *r, int rc, const struct fw_err *err)
{
	if (rc == -EBUSY)
		request_fail(r, 409, "conflict", "%s", err->text);
	else if (rc < 0)
		admin_fail(r, rc, err);
	else
		admin_ca(r);
}

void admin_ca_rollover(struct request *r)
{
	struct fw_err err;
	int rc = enrol_rollover(api_config(r->api)->enrol, r->now_ms, &err);
	answer_ca(r, rc, &err);
}

/* It copies certificate and key one after the other. */
static int check_no_snapshot(const struct api_config *config, struct fw_err *err)
{
	struct api_snapshot snapshot;
	config->on_snapshot_look(&snapshot, config->arg);
	if (!snapshot.name[0] || snapshot.ended_ms)
		return 0;
	return fw_fail(
		err, -EBUSY, "the snapshot '%s' is being made: wait for its end", snapshot.name);
}

void admin_ca_retire(struct request *r)
{
	const struct api_config *config = api_config(r->api);
	const char *force = params_get(&r->params, "force");
	struct fw_err err;
	int rc = check_no_snapshot(config, &err);
	if (rc == 0)
		rc = enrol_retire(
			config->enrol, force && strcmp(force, "true") == 0, r->now_ms, &err);
	answer_ca(r, rc, &err);
}

/* ---- tokens ---- */

static void write_token(struct json *j, const struct enrol_token *token)
{
	json_put_int(j, "id", token->id);
	json_put_text(j, "role", enrol_role_names[token->role]);
	json_put_text(j, "note", token->note ? token->note : "");
	json_put_time(j, "made", token->made_ms);
	json_put_time(j, "expires", token->expires_ms);
	json_key(j, "uses_left");
	if (token->role == ROLE_JOIN && token->uses_left >= 0)
		json_int(j, token->uses_left);
	else
		json_none(j);
	json_put_text(j, "networks", token->networks ? token->networks : "");
	json_put_text(j, "serials", token->serials ? token->serials : "");
	json_put_text(j, "supplier", token->supplier ? token->supplier : "");
}

void admin_tokens(struct request *r)
{
	struct enrol_token *tokens;
	size_t n;
	struct fw_err err;
	int rc = enrol_tokens(api_config(r->api)->enrol, &r->arena, &tokens, &n, &err);
	if (rc < 0) {
		admin_fail(r, rc, &err);
		return;
	}
	struct json *j = request_begin(r);
	json_open(j, '[');
	for (size_t i = 0; i < n; i++) {
		json_open(j, '{');
		write_token(j, &tokens[i]);
		json_close(j, '}');
	}
	json_close(j, ']');
	request_end(r, NULL, 0);
}

/* Why a token would not show anything for now, or NULL. */
static const char *doubt_supplier(struct request *r, const char *supplier)
{
	struct fw_text_list names =
		register_supplier_names(api_config(r->api)->registry, &r->arena);
	for (size_t i = 0; i < names.count; i++)
		if (strcmp(names.items[i], supplier) == 0)
			return NULL;
	const char *near = fw_nearest(supplier, names.items, names.count);
	return fw_arena_format(&r->arena,
		"the register has no supplier '%.200s' yet: this token sees no host%s", supplier,
		fw_did_you_mean(near).text);
}

static void write_new_token(struct request *r, const char *text, int64_t id)
{
	const char *supplier = params_get(&r->params, "supplier");
	const char *doubt = supplier ? doubt_supplier(r, supplier) : NULL;
	struct enrol_token *tokens;
	size_t n;
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_put_text(j, "token", text);
	if (enrol_tokens(api_config(r->api)->enrol, &r->arena, &tokens, &n, NULL) >= 0)
		for (size_t i = 0; i < n; i++)
			if (tokens[i].id == id)
				write_token(j, &tokens[i]);
	json_close(j, '}');
	request_end(r, &doubt, doubt ? 1 : 0);
}

static int read_role(const struct request *r, enum enrol_role *role, struct fw_err *err)
{
	const char *name = params_get(&r->params, "role");
	for (int i = 0; name && enrol_role_names[i]; i++) {
		if (strcmp(enrol_role_names[i], name) == 0) {
			*role = (enum enrol_role)i;
			return 0;
		}
	}
	return fw_fail(err, -EINVAL,
		"invalid parameter \"role\": it is viewer, supplier, engineer, admin, writer or join");
}

static int read_token(const struct request *r, struct enrol_token *wanted, struct fw_err *err)
{
	int64_t ttl_ms = 0;
	uint64_t uses = 0;
	int rc = read_role(r, &wanted->role, err);
	if (rc == 0)
		rc = params_duration(&r->params, "ttl", 0, &ttl_ms, err);
	if (rc == 0)
		rc = params_count(&r->params, "uses", &uses, err);
	if (rc < 0)
		return rc;
	if (params_get(&r->params, "ttl") && ttl_ms <= 0)
		return fw_fail(
			err, -EINVAL, "invalid parameter \"ttl\": a token lives longer than that");
	if (params_get(&r->params, "uses") && (uses == 0 || uses > 1000000))
		return fw_fail(err, -EINVAL,
			"invalid parameter \"uses\": it is a number from 1 to 1,000,000");
	wanted->expires_ms = ttl_ms ? r->now_ms + ttl_ms : 0;
	wanted->uses_left = (int64_t)uses; /* 0: as many as is usual */
	wanted->note = params_get(&r->params, "note");
	wanted->networks = params_get(&r->params, "networks");
	wanted->serials = params_get(&r->params, "serials");
	wanted->supplier = params_get(&r->params, "supplier");
	if (wanted->role != ROLE_SUPPLIER || !wanted->supplier)
		return 0;
	return register_check_supplier(api_config(r->api)->registry, wanted->supplier, err);
}

void admin_token_new(struct request *r)
{
	struct enrol_token wanted = {0};
	struct fw_err err;
	char text[160];
	int64_t id;
	int rc = read_token(r, &wanted, &err);
	if (rc == 0)
		rc = enrol_token_new(api_config(r->api)->enrol, &wanted, r->now_ms, text,
			sizeof text, &id, &err);
	if (rc < 0) {
		admin_fail(r, rc, &err);
		return;
	}
	write_new_token(r, text, id);
	explicit_bzero(text, sizeof text);
}

void admin_token_revoke(struct request *r)
{
	uint64_t id;
	struct fw_err err;
	if (fw_parse_u64(r->path_value, &id) < 0 || id > INT64_MAX) {
		request_fail(r, 400, "bad_data", "a token is named by its number, not '%.40s'",
			r->path_value);
		return;
	}
	int rc = enrol_token_revoke(api_config(r->api)->enrol, (int64_t)id, r->now_ms, &err);
	if (rc < 0) {
		admin_fail(r, rc, &err);
		return;
	}
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_put_int(j, "revoked", (int64_t)id);
	json_close(j, '}');
	request_end(r, NULL, 0);
}

/* ---- feeds ---- */

void admin_feeds(struct request *r)
{
	struct alert_feed_view *views;
	size_t n;
	struct fw_err err;
	int rc = alert_feeds(api_config(r->api)->alerts, &r->arena, &views, &n, &err);
	if (rc < 0) {
		admin_fail(r, rc, &err);
		return;
	}
	struct json *j = request_begin(r);
	json_open(j, '[');
	for (size_t i = 0; i < n; i++) {
		json_open(j, '{');
		json_put_text(j, "name", views[i].name);
		json_put_text(j, "type", views[i].type);
		json_put_bool(j, "live", views[i].live);
		json_put_int(j, "waiting", (int64_t)views[i].waiting);
		json_put_int(j, "delivered", (int64_t)views[i].delivered);
		json_put_int(j, "refused", (int64_t)views[i].refused);
		json_put_int(j, "tries", (int64_t)views[i].tries);
		json_put_int(j, "rehearsed", (int64_t)views[i].rehearsed);
		json_put_time(j, "rehearsed_since", views[i].rehearsed_since_ms);
		json_put_number(j, "rehearsed_cost", views[i].cost);
		json_put_text(j, "last_error", views[i].last_error);
		json_put_time(j, "last", views[i].last_ms);
		json_close(j, '}');
	}
	json_close(j, ']');
	request_end(r, NULL, 0);
}
