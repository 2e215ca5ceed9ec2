/* SPDX-License-Identifier: Apache-2.0 */
/* Questions by Prometheus' API: parameters and sentences are its own, and the order in which
 * they are looked at. */
#include <errno.h>

#include <fenwatch/clock.h>

#include "parts.h"
#include "result.h"

#define MAX_BYTES ((size_t)256 << 20)

struct promql_limits prometheus_limits(const struct request *r)
{
	const struct api_query *query = &api_config(r->api)->query;
	return (struct promql_limits){
		.max_samples = (size_t)query->max_samples,
		.max_bytes = MAX_BYTES,
		.timeout_ms = query->timeout_ms,
		.lookback_ms = query->lookback_ms,
		.canceled = &r->canceled,
	};
}

static const struct {
	unsigned status;
	const char *type;
} faults[] = {
	[0] = {500, "internal"},
	[PROMQL_BAD_DATA] = {400, "bad_data"},
	[PROMQL_EXECUTION] = {422, "execution"},
	[PROMQL_TIMEOUT] = {503, "timeout"},
	[PROMQL_CANCELED] = {499, "canceled"},
	[PROMQL_INTERNAL] = {500, "internal"},
};

void prometheus_fail(
	struct request *r, enum promql_fault fault, const char *param, const struct fw_err *err)
{
	if (fault == PROMQL_BAD_DATA && param)
		request_fail(r, 400, "bad_data", "invalid parameter \"%s\": %s", param, err->text);
	else
		request_fail(r, faults[fault].status, faults[fault].type, "%s", err->text);
}

/* ---- parameters ---- */

/* All that a question may say beside what it asks. */
struct asking {
	struct promql_limits limits;
	struct result_options options;
};

static int read_timeout(struct request *r, struct promql_limits *limits, struct fw_err *err)
{
	int64_t timeout_ms = limits->timeout_ms;
	int rc = params_duration(&r->params, "timeout", 0, &timeout_ms, err);
	if (rc == 0 && timeout_ms < limits->timeout_ms)
		limits->timeout_ms = timeout_ms;
	return rc;
}

static int read_lookback(struct request *r, struct promql_limits *limits, struct fw_err *err)
{
	int64_t lookback_ms = 0;
	int rc = params_duration(&r->params, "lookback_delta", 0, &lookback_ms, err);
	const char *text = params_get(&r->params, "lookback_delta");
	if (rc < 0)
		return fw_fail(err, rc,
			"error parsing lookback delta duration: cannot parse \"%.80s\" to a valid duration",
			text);
	if (lookback_ms > 0)
		limits->lookback_ms = lookback_ms;
	return 0;
}

static int read_asking(struct request *r, struct asking *asking, struct fw_err *err)
{
	const char *stats = params_get(&r->params, "stats");
	asking->options.stats = stats && *stats;
	asking->limits = prometheus_limits(r);
	int rc = read_timeout(r, &asking->limits, err);
	return rc < 0 ? rc : read_lookback(r, &asking->limits, err);
}

static const char *text_of(const struct request *r, const char *name)
{
	const char *text = params_get(&r->params, name);
	return text ? text : "";
}

/* ---- questions ---- */

static void answer(struct request *r, struct asking *asking, const struct promql_result *result,
	int64_t began_ms)
{
	asking->options.seconds = (double)(fw_mono_ms() - began_ms) / 1000;
	asking->options.waiting_s = (double)(began_ms - r->queued_ms) / 1000;
	result_answer(r, result, &asking->options);
}

void prometheus_query(struct request *r)
{
	struct asking asking = {0};
	struct promql_result *result = fw_arena_alloc(&r->arena, sizeof *result);
	struct fw_err err;
	int64_t at_ms = r->now_ms, began_ms = fw_mono_ms();
	if (params_limit(&r->params, &asking.options.limit, &err) < 0 ||
		params_time_of(&r->params, "time", &at_ms, &err) < 0 ||
		read_asking(r, &asking, &err) < 0)
		request_fail_bad(r, &err);
	else if (query_instant(api_config(r->api)->store, r->scope, text_of(r, "query"), at_ms,
			 &asking.limits, &r->arena, result, &err) < 0)
		prometheus_fail(r, result->fault, "query", &err);
	else
		answer(r, &asking, result, began_ms);
}

struct span {
	int64_t start_ms, end_ms, step_ms;
};

static int read_span(struct request *r, struct span *span, struct fw_err *err)
{
	int rc = params_time(&r->params, "start", 1, &span->start_ms, err);
	if (rc == 0)
		rc = params_time(&r->params, "end", 1, &span->end_ms, err);
	if (rc == 0 && span->end_ms < span->start_ms)
		rc = fw_fail(err, -EINVAL,
			"invalid parameter \"end\": end timestamp must not be before start time");
	if (rc == 0)
		rc = params_duration(&r->params, "step", 1, &span->step_ms, err);
	if (rc == 0 && span->step_ms <= 0)
		rc = fw_fail(err, -EINVAL,
			"invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer");
	if (rc == 0 && (span->end_ms - span->start_ms) / span->step_ms > PROMQL_STEPS_LIMIT)
		rc = fw_fail(err, -EINVAL,
			"exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)");
	return rc;
}

void prometheus_query_range(struct request *r)
{
	struct asking asking = {0};
	struct promql_result *result = fw_arena_alloc(&r->arena, sizeof *result);
	struct span span = {0};
	struct fw_err err;
	int64_t began_ms = fw_mono_ms();
	if (params_limit(&r->params, &asking.options.limit, &err) < 0 ||
		read_span(r, &span, &err) < 0 || read_asking(r, &asking, &err) < 0)
		request_fail_bad(r, &err);
	else if (query_range(api_config(r->api)->store, r->scope, text_of(r, "query"),
			 span.start_ms, span.end_ms, span.step_ms, &asking.limits, &r->arena,
			 result, &err) < 0)
		prometheus_fail(r, result->fault, "query", &err);
	else
		answer(r, &asking, result, began_ms);
}
