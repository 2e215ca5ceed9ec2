/* SPDX-License-Identifier: Apache-2.0 */
/* What an administrator does with a feed, on the main thread. */
#include <errno.h>
#include <string.h>

#include <fenwatch/text.h>

#include "alert.h"
#include "parts.h"

#define NOTICES_USUAL 50
#define NOTICES_MOST 1000

static struct alerts *alerts_of(const struct request *r)
{
	return api_config(r->api)->alerts;
}

static void set_live(struct request *r, bool live)
{
	struct fw_err err;
	uint64_t n;
	int rc = alert_feed_set_live(alerts_of(r), r->path_value, live, r->who, &n, &err);
	if (rc < 0) {
		admin_fail(r, rc, &err);
		return;
	}
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_put_text(j, "feed", r->path_value);
	json_put_bool(j, "live", live);
	json_put_int(j, live ? "told" : "held", (int64_t)n);
	json_close(j, '}');
	request_end(r, NULL, 0);
}

void feeding_go(struct request *r)
{
	set_live(r, true);
}

void feeding_rehearse(struct request *r)
{
	set_live(r, false);
}

void feeding_test(struct request *r)
{
	struct fw_err err;
	char key[ALERT_KEY];
	int rc = alert_feed_test(alerts_of(r), r->path_value, r->who, key, &err);
	if (rc < 0) {
		admin_fail(r, rc, &err);
		return;
	}
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_put_text(j, "feed", r->path_value);
	json_put_text(j, "key", key);
	json_close(j, '}');
	request_end(r, NULL, 0);
}

static int read_id(const struct request *r, int64_t *id, struct fw_err *err)
{
	const char *text = params_get(&r->params, "id");
	uint64_t number = 0;
	if (text && (fw_parse_u64(text, &number) < 0 || number == 0 || number > INT64_MAX))
		return fw_fail(err, -EINVAL, "a notice is named by its number, not '%.40s'", text);
	*id = (int64_t)number;
	return 0;
}

void feeding_retry(struct request *r)
{
	struct fw_err err;
	int64_t id;
	uint64_t retried, dropped;
	int rc = read_id(r, &id, &err);
	if (rc == 0)
		rc = alert_feed_retry(
			alerts_of(r), r->path_value, id, r->who, &retried, &dropped, &err);
	if (rc < 0) {
		admin_fail(r, rc, &err);
		return;
	}
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_put_text(j, "feed", r->path_value);
	json_put_int(j, "retried", (int64_t)retried);
	json_put_int(j, "dropped", (int64_t)dropped);
	json_close(j, '}');
	request_end(r, NULL, 0);
}

/* ---- notices ---- */

/* -1 where none is asked for. */
static int read_state(const struct request *r, int *state, struct fw_err *err)
{
	const char *text = params_get(&r->params, "state");
	*state = -1;
	for (int i = 0; text && alert_notice_states[i]; i++)
		if (strcmp(text, alert_notice_states[i]) == 0)
			*state = i;
	return text && *state < 0
		? fw_fail(err, -EINVAL,
			  "a state is waiting, delivered, refused, rehearsed or dropped, not '%.40s'",
			  text)
		: 0;
}

static void write_notice(struct json *j, const struct alert_notice_view *notice)
{
	json_open(j, '{');
	json_put_int(j, "id", notice->id);
	json_put_text(j, "notice", notice->kind);
	json_put_text(j, "state", notice->state);
	json_put_text(j, "key", notice->key);
	json_put_text(j, "rule", notice->rule);
	json_put_text(j, "host", notice->instance);
	json_put_time(j, "starts", notice->starts_ms);
	json_put_time(j, "at", notice->told_ms);
	json_put_int(j, "tries", notice->tries);
	json_put_text(j, "why", notice->why);
	json_put_text(j, "receipt", notice->receipt);
	json_close(j, '}');
}

void feeding_notices(struct request *r)
{
	struct alert_notice_view *views;
	struct fw_err err;
	size_t n;
	int state;
	uint64_t limit = NOTICES_USUAL;
	int rc = read_state(r, &state, &err);
	if (rc == 0)
		rc = params_count(&r->params, "limit", &limit, &err);
	if (limit == 0 || limit > NOTICES_MOST)
		limit = NOTICES_MOST;
	if (rc == 0)
		rc = alert_feed_notices(
			alerts_of(r), r->path_value, state, limit, &r->arena, &views, &n, &err);
	if (rc < 0) {
		admin_fail(r, rc, &err);
		return;
	}
	struct json *j = request_begin(r);
	json_open(j, '[');
	for (size_t i = 0; i < n; i++)
		write_notice(j, &views[i]);
	json_close(j, ']');
	request_end(r, NULL, 0);
}
