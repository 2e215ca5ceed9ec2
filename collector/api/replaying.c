/* SPDX-License-Identifier: Apache-2.0 */
/* What rules would have done over what is stored: of files, see rules/replay.h; builtin.c has
 * the others. */
#include <errno.h>
#include <string.h>

#include <fenwatch/clock.h>

#include "alert.h"
#include "parts.h"
#include "replay.h"
#include "retiring.h"

#define INTERVAL_MS 60000

/* ---- parameters ---- */

static int read_file(struct request *r, struct rulefile *file, struct fw_err *err)
{
	const char *text = params_get(&r->params, "rules"), *name = params_get(&r->params, "name");
	struct problems problems = {.arena = &r->arena};
	if (!text)
		return fw_fail(err, -EINVAL, "rules are needed: the text of a rule file");
	if (strlen(text) > RULEFILE_BYTES_LIMIT)
		return fw_fail(
			err, -EINVAL, "a rule file has at most %u MiB", RULEFILE_BYTES_LIMIT >> 20);
	rulefile_parse(name ? name : "rules", text, strlen(text), &r->arena, file, &problems);
	for (size_t i = 0; i < problems.n; i++)
		if (!problems.items[i].is_warning)
			return fw_fail(err, -EINVAL, "line %u: %s", problems.items[i].line,
				problems.items[i].text);
	return 0;
}

int replaying_read_times(struct request *r, int64_t *from_ms, int64_t *to_ms, struct fw_err *err)
{
	int rc = params_time(&r->params, "from", 1, from_ms, err);
	if (rc == 0)
		rc = params_time(&r->params, "to", 1, to_ms, err);
	if (rc < 0)
		return rc;
	if (*to_ms < *from_ms)
		return fw_fail(err, -EINVAL, "the last moment is before the first");
	return 0;
}

static int read_replay(struct request *r, struct replay *replay, struct fw_err *err)
{
	int rc = replaying_read_times(r, &replay->from_ms, &replay->to_ms, err);
	if (rc == 0)
		rc = params_duration(&r->params, "step", 0, &replay->step_ms, err);
	if (rc < 0)
		return rc;
	if (params_get(&r->params, "step") && replay->step_ms < 1000)
		return fw_fail(err, -EINVAL, "a step is at least a second");
	return 0;
}

/* ---- the answer ---- */

struct json *replaying_begin(
	struct request *r, int64_t from_ms, int64_t to_ms, uint64_t evaluations)
{
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_put_time(j, "from", from_ms);
	json_put_time(j, "to", to_ms);
	json_put_int(j, "evaluations", (int64_t)evaluations);
	json_key(j, "rules");
	json_open(j, '[');
	return j;
}

void replaying_begin_alerts(struct json *j)
{
	json_close(j, ']');
	json_key(j, "alerts");
	json_open(j, '[');
}

void replaying_end(struct request *r, const char *const *warnings, size_t n_warnings)
{
	json_close(&r->json, ']');
	json_close(&r->json, '}');
	request_end(r, warnings, n_warnings);
}

void replaying_put_rule(struct json *j, const struct replayed_rule *rule)
{
	json_open(j, '{');
	json_put_text(j, "group", rule->group);
	json_put_text(j, "rule", rule->name);
	json_put_text(j, "type", rule->type);
	json_put_int(j, "fired", (int64_t)rule->n_fired);
	json_put_int(j, "only_pending", (int64_t)rule->n_waited);
	json_put_int(j, "firing_s", rule->firing_ms / 1000);
	json_put_int(j, "failures", (int64_t)rule->n_failures);
	json_put_text(j, "trouble", rule->trouble ? rule->trouble : "");
	json_close(j, '}');
}

void replaying_put_course(
	struct json *j, double value, int64_t pending_ms, int64_t fired_ms, int64_t ended_ms)
{
	json_put_number(j, "value", value);
	json_put_time(j, "pending", pending_ms);
	json_put_time(j, "firing", fired_ms);
	json_put_time(j, fired_ms ? "resolved" : "dropped", ended_ms);
}

static void write_rule(struct json *j, const struct replay_rule *rule)
{
	replaying_put_rule(j,
		&(struct replayed_rule){
			.group = rule->group->name,
			.name = rule->rule->name,
			.type = rule->rule->is_alert ? "alerting" : "recording",
			.n_fired = rule->n_fired,
			.n_waited = rule->n_waited,
			.n_failures = rule->n_failures,
			.firing_ms = rule->firing_ms,
			.trouble = rule->trouble,
		});
}

static void write_alert(struct json *j, const struct replay_alert *alert)
{
	json_open(j, '{');
	json_put_text(j, "rule", alert->rule->name);
	ruling_put_labels(j, "labels", &alert->labels);
	ruling_put_labels(j, "annotations", &alert->annotations);
	replaying_put_course(j, alert->value, alert->active_ms, alert->fired_ms, alert->ended_ms);
	json_close(j, '}');
}

static void write_result(
	struct request *r, const struct replay *replay, const struct replay_result *result)
{
	struct json *j = replaying_begin(r, replay->from_ms, replay->to_ms, result->n_evaluations);
	for (size_t i = 0; i < result->n_rules; i++)
		write_rule(j, &result->rules[i]);
	replaying_begin_alerts(j);
	for (size_t i = 0; i < result->n_alerts; i++)
		write_alert(j, &result->alerts[i]);
	replaying_end(r, NULL, 0);
}

static enum promql_fault fault_of(int rc)
{
	return rc == -ECANCELED ? PROMQL_CANCELED
		: rc == -ETIME  ? PROMQL_TIMEOUT
				: PROMQL_EXECUTION;
}

void replaying_fail(struct request *r, int rc, const struct fw_err *err)
{
	prometheus_fail(r, fault_of(rc), NULL, err);
}

#define ALL_BUILT_IN "all"

/* Rules and hosts are the main thread's. */
void replaying_prepare(struct request *r)
{
	const char *name = params_get(&r->params, "builtin");
	struct fw_err err;
	if (!name)
		return;
	int rc = alert_past_open(api_config(r->api)->alerts,
		strcmp(name, ALL_BUILT_IN) == 0 ? NULL : name, &r->arena, &r->past, &err);
	if (rc < 0)
		admin_fail(r, rc, &err);
	else
		retiring_prepare(r);
}

static void replay_file(struct request *r)
{
	const struct api_config *config = api_config(r->api);
	struct query_source source = {config->store, r->scope, prometheus_limits(r).max_bytes};
	const struct promql_data data = query_data(&source);
	struct replay replay = {
		.data = &data,
		.limits = prometheus_limits(r),
		.timeout_ms = REPLAY_TIMEOUT_MS,
		.mono_ms = fw_mono_ms,
		.interval_ms = config->evaluation_ms ? config->evaluation_ms : INTERVAL_MS,
		.external_labels = config->external_labels,
	};
	struct replay_result result;
	struct rulefile file;
	struct fw_err err;
	if (read_file(r, &file, &err) < 0 || read_replay(r, &replay, &err) < 0) {
		request_fail_bad(r, &err);
		return;
	}
	int rc = replay_run(&replay, &file, &r->arena, &result, &err);
	if (rc < 0)
		replaying_fail(r, rc, &err);
	else
		write_result(r, &replay, &result);
}

void replaying_run(struct request *r)
{
	if (r->past)
		builtin_replay(r);
	else
		replay_file(r);
}
