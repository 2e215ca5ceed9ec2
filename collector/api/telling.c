/* SPDX-License-Identifier: Apache-2.0 */
/* What feeds are not told of, and who says so. */
#include <errno.h>
#include <string.h>

#include <fenwatch/text.h>

#include "alert.h"
#include "parts.h"
#include "register.h"

#define SILENCE_MOST_MS (INT64_C(24) * 3600 * 1000) /* of an engineer's */

void telling_write_ack(struct json *j, const struct alert_view *alert)
{
	json_key(j, "acknowledged");
	if (!alert->acked_by) {
		json_none(j);
		return;
	}
	json_open(j, '{');
	json_put_text(j, "who", alert->acked_by);
	json_put_text(j, "note", alert->ack_note);
	json_put_time(j, "at", alert->acked_ms);
	json_close(j, '}');
}

void telling_write_held(struct json *j, const struct alert_view *alert)
{
	json_key(j, "held");
	if (!alert->held || !*alert->held) {
		json_none(j);
		return;
	}
	json_open(j, '{');
	json_put_text(j, "reason", alert->held);
	json_put_text(j, "why", alert->held_why);
	json_close(j, '}');
}

/* ---- acknowledgements ---- */

static void take_answer(struct request *r, const struct alert_answer *answer)
{
	struct fw_err err;
	int rc = alert_take_answer(api_config(r->api)->alerts, answer, &err);
	if (rc < 0) {
		admin_fail(r, rc, &err);
		return;
	}
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_put_text(j, "alert", answer->alert);
	json_put_text(j, "who", answer->who);
	json_close(j, '}');
	request_end(r, NULL, 0);
}

static const char *note_of(const struct request *r)
{
	const char *note = params_get(&r->params, "note");
	return note ? note : "";
}

void telling_ack(struct request *r)
{
	const struct alert_answer answer = {
		.kind = ANSWER_ACKNOWLEDGED,
		.alert = r->path_value,
		.feed = "",
		.who = r->who,
		.note = note_of(r),
	};
	take_answer(r, &answer);
}

/* An end on somebody's word says whose and why. */
void telling_resolve(struct request *r)
{
	const struct alert_answer answer = {
		.kind = ANSWER_CLOSED,
		.alert = r->path_value,
		.feed = "",
		.who = r->who,
		.note = note_of(r),
	};
	if (*answer.note)
		take_answer(r, &answer);
	else
		request_fail(r, 400, "bad_data", "say why it is over: \"note\"");
}

/* What a desk says of an alert that it was told of. */
void telling_answer(struct request *r)
{
	const char *key = params_get(&r->params, "key"), *state = params_get(&r->params, "state");
	const char *ticket = params_get(&r->params, "ticket");
	bool accepted = state && strcmp(state, "accepted") == 0;
	if (!alert_has_feed(api_config(r->api)->alerts, r->path_value)) {
		request_fail(r, 404, "not_found", "there is no feed '%.60s'", r->path_value);
		return;
	}
	if (!key == !ticket || !(accepted || (state && strcmp(state, "resolved") == 0))) {
		request_fail(r, 400, "bad_data",
			"an answer has \"key\" or \"ticket\", and a \"state\": accepted or resolved");
		return;
	}
	const struct alert_answer answer = {
		.kind = accepted ? ANSWER_ACCEPTED : ANSWER_RESOLVED,
		.alert = key ? key : ticket,
		.feed = r->path_value,
		.is_desk = r->is_desk,
		.who = fw_arena_format(&r->arena, "feed %s", r->path_value),
		.note = note_of(r),
	};
	take_answer(r, &answer);
}

/* ---- silences ---- */

static const char *state_of(const struct alert_silence *silence, int64_t now_ms)
{
	if (silence->ends_ms <= now_ms)
		return "ended";
	return silence->starts_ms > now_ms ? "pending" : "active";
}

static void write_silence(struct json *j, const struct alert_silence *silence, int64_t now_ms)
{
	json_open(j, '{');
	json_put_int(j, "id", silence->id);
	json_put_text(j, "state", state_of(silence, now_ms));
	json_key(j, "matchers");
	json_open(j, '[');
	for (size_t i = 0; i < silence->n_matchers; i++)
		json_text(j, silence->matchers[i]);
	json_close(j, ']');
	json_put_time(j, "starts", silence->starts_ms);
	json_put_time(j, "ends", silence->ends_ms);
	json_put_text(j, "who", silence->who);
	json_put_text(j, "comment", silence->comment);
	json_close(j, '}');
}

void telling_silences(struct request *r)
{
	const char *ended = params_get(&r->params, "ended");
	struct alert_silence *silences;
	size_t n;
	int64_t since_ms = ended && strcmp(ended, "true") == 0 ? 0 : r->now_ms;
	alert_silences(api_config(r->api)->alerts, since_ms, &r->arena, &silences, &n);
	struct json *j = request_begin(r);
	json_open(j, '[');
	for (size_t i = 0; i < n; i++)
		write_silence(j, &silences[i], r->now_ms);
	json_close(j, ']');
	request_end(r, NULL, 0);
}

/* Its end, or how long it lasts: one of the two. */
static int read_end(const struct request *r, struct alert_silence *wanted, struct fw_err *err)
{
	int64_t lasts_ms;
	if (!params_get(&r->params, "for"))
		return params_time(&r->params, "end", 1, &wanted->ends_ms, err);
	if (params_get(&r->params, "end"))
		return fw_fail(err, -EINVAL, "say \"end\" or \"for\", not both");
	int rc = params_duration(&r->params, "for", 1, &lasts_ms, err);
	wanted->ends_ms = wanted->starts_ms + (rc < 0 ? 0 : lasts_ms);
	return rc;
}

/* A silence that everybody has forgotten hides a fault. */
static int check_length(
	const struct request *r, const struct alert_silence *wanted, struct fw_err *err)
{
	int64_t from_ms = wanted->starts_ms > r->now_ms ? wanted->starts_ms : r->now_ms;
	if (r->reach >= ACCESS_ADMIN || wanted->ends_ms - from_ms <= SILENCE_MOST_MS)
		return 0;
	return fw_fail(err, -EACCES,
		"an engineer's silence lasts 24 hours at most; a longer one takes an admin's token");
}

void telling_silence_new(struct request *r)
{
	const char **matchers;
	struct fw_err err;
	struct alert_silence wanted = {
		.starts_ms = r->now_ms,
		.who = r->who,
		.comment = params_get(&r->params, "comment"),
	};
	wanted.n_matchers = params_all(&r->params, "matcher[]", &matchers);
	wanted.matchers = matchers;
	int rc = params_time(&r->params, "start", 0, &wanted.starts_ms, &err);
	if (rc >= 0)
		rc = read_end(r, &wanted, &err);
	if (rc >= 0)
		rc = check_length(r, &wanted, &err);
	if (rc >= 0)
		rc = alert_silence_add(api_config(r->api)->alerts, &wanted, &err);
	if (rc < 0) {
		admin_fail(r, rc, &err);
		return;
	}
	write_silence(request_begin(r), &wanted, r->now_ms);
	request_end(r, NULL, 0);
}

void telling_silence_end(struct request *r)
{
	struct fw_err err;
	uint64_t id;
	int rc = fw_parse_u64(r->path_value, &id);
	if (rc < 0 || id > INT64_MAX)
		rc = fw_fail(&err, -EINVAL, "a silence is named by its number, not '%.60s'",
			r->path_value);
	else
		rc = alert_silence_end(api_config(r->api)->alerts, (int64_t)id, r->who, &err);
	if (rc < 0) {
		admin_fail(r, rc, &err);
		return;
	}
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_put_int(j, "ended", (int64_t)id);
	json_close(j, '}');
	request_end(r, NULL, 0);
}

/* ---- maintenance ---- */

static void write_names(struct json *j, const char *key, const struct fw_text_list *names)
{
	json_key(j, key);
	json_open(j, '[');
	for (size_t i = 0; i < names->count; i++)
		json_text(j, names->items[i]);
	json_close(j, ']');
}

void telling_maintenance(struct request *r)
{
	struct register_maintenance_now *windows;
	size_t n = register_maintenance_at(
		api_config(r->api)->registry, r->now_ms, &r->arena, &windows);
	struct json *j = request_begin(r);
	json_open(j, '[');
	for (size_t i = 0; i < n; i++) {
		json_open(j, '{');
		json_put_text(j, "name", windows[i].window->entry.name);
		json_put_bool(j, "now", windows[i].goes_on);
		write_names(j, "hosts", &windows[i].window->hosts);
		write_names(j, "sites", &windows[i].window->sites);
		json_close(j, '}');
	}
	json_close(j, ']');
	request_end(r, NULL, 0);
}
