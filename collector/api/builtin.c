/* SPDX-License-Identifier: Apache-2.0 */
/* What built-in rules would have done over what is stored: the engine of alert/ goes through
 * each sweep again. */
#include <errno.h>

#include <fenwatch/clock.h>

#include "alert.h"
#include "parts.h"
#include "retiring.h"

static void write_rule(struct json *j, const struct alert_replayed_rule *rule)
{
	replaying_put_rule(j,
		&(struct replayed_rule){
			.group = "built-in",
			.name = rule->name,
			.type = "alerting",
			.n_fired = rule->n_fired,
			.n_waited = rule->n_waited,
			.firing_ms = rule->firing_ms,
		});
}

static void write_alert(struct json *j, const struct alert_replayed *alert)
{
	json_open(j, '{');
	json_put_text(j, "rule", alert->rule);
	admin_write_pairs(j, "labels", alert->labels, alert->n_labels);
	json_key(j, "annotations");
	json_open(j, '{');
	json_put_text(j, "summary", alert->summary);
	json_close(j, '}');
	replaying_put_course(j, alert->value, alert->pending_ms, alert->fired_ms, alert->ended_ms);
	json_close(j, '}');
}

static const char *coarse(struct request *r, int64_t until_ms, const char *span)
{
	char at[32];
	return fw_arena_format(&r->arena,
		"up to %s no more is stored than the last value of each %s: what was shorter is "
		"not seen",
		fw_time_format(until_ms, at, sizeof at), span);
}

static void write_result(struct request *r, const struct alert_replay *replay,
	const struct alert_replay_result *result)
{
	struct json *j = replaying_begin(r, replay->from_ms, replay->to_ms, result->n_sweeps);
	const char *warnings[2];
	size_t n = 0;
	for (size_t i = 0; i < result->n_rules; i++)
		write_rule(j, &result->rules[i]);
	replaying_begin_alerts(j);
	for (size_t i = 0; i < result->n_alerts; i++)
		write_alert(j, &result->alerts[i]);
	if (result->hour_until_ms)
		warnings[n++] = coarse(r, result->hour_until_ms, "hour");
	if (result->five_minute_until_ms)
		warnings[n++] = coarse(r, result->five_minute_until_ms, "five minutes");
	replaying_end(r, warnings, n);
}

static int read_replay(struct request *r, struct alert_replay *replay, struct fw_err *err)
{
	if (params_get(&r->params, "rules"))
		return fw_fail(err, -EINVAL, "either the text of a rule file or built-in rules");
	if (params_get(&r->params, "step"))
		return fw_fail(err, -EINVAL,
			"built-in rules are judged at every sweep: they have no step");
	return replaying_read_times(r, &replay->from_ms, &replay->to_ms, err);
}

void builtin_replay(struct request *r)
{
	struct alert_replay replay = {
		.registry = r->registry, .timeout_ms = REPLAY_TIMEOUT_MS, .canceled = &r->canceled};
	struct alert_replay_result result;
	struct fw_err err;
	if (read_replay(r, &replay, &err) < 0) {
		request_fail_bad(r, &err);
		return;
	}
	int rc = alert_past_replay(r->past, &replay, &r->arena, &result, &err);
	if (rc < 0)
		replaying_fail(r, rc, &err);
	else
		write_result(r, &replay, &result);
}
