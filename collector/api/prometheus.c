/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus' API: parameters, shapes and sentences are its own. */
#include <errno.h>

#include "alert.h"
#include "number.h"
#include "parts.h"

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

/* ---- results ---- */

static void write_labels(struct json *j, const struct fw_label *labels, size_t n_labels)
{
	json_open(j, '{');
	for (size_t i = 0; i < n_labels; i++)
		json_put_text(j, labels[i].name, labels[i].value);
	json_close(j, '}');
}

static void write_point(struct json *j, int64_t at_ms, double value)
{
	char number[PROMQL_NUMBER_SIZE];
	json_open(j, '[');
	json_seconds(j, at_ms);
	json_text(j, promql_number(value, number, sizeof number));
	json_close(j, ']');
}

static void write_values(struct json *j, const struct axis *axis, const double *values)
{
	json_key(j, "values");
	json_open(j, '[');
	for (size_t i = 0; i < axis->n; i++)
		if (!promql_is_absent(values[i]))
			write_point(j, axis_at(axis, i), values[i]);
	json_close(j, ']');
}

static void write_series(
	struct json *j, const struct series *series, const struct promql_result *result)
{
	json_open(j, '{');
	json_key(j, "metric");
	write_labels(j, series->labels, series->n_labels);
	if (result->type == PROMQL_VECTOR) {
		json_key(j, "value");
		write_point(j, result->axis.start_ms, series->values[0]);
	} else {
		write_values(j, &result->axis, series->values);
	}
	json_close(j, '}');
}

static void write_row(struct json *j, const struct promql_row *row)
{
	json_open(j, '{');
	json_key(j, "metric");
	write_labels(j, row->labels, row->n_labels);
	json_key(j, "values");
	json_open(j, '[');
	for (size_t i = 0; i < row->n_points; i++)
		write_point(j, row->points[i].at_ms, row->points[i].value);
	json_close(j, ']');
	json_close(j, '}');
}

/* A scalar's or string's time is written as shortly as it goes: 1795383731.95. */
static void write_single(struct json *j, int64_t at_ms, const char *text)
{
	char seconds[400];
	json_open(j, '[');
	json_raw(j, promql_plain((double)at_ms / 1000, seconds, sizeof seconds));
	json_text(j, text);
	json_close(j, ']');
}

static void write_result(struct request *r, const struct promql_result *result)
{
	static const char *const types[] = {
		[PROMQL_VECTOR] = "vector",
		[PROMQL_MATRIX] = "matrix",
		[PROMQL_SCALAR] = "scalar",
		[PROMQL_STRING] = "string",
	};
	char number[PROMQL_NUMBER_SIZE];
	const struct value *value = &result->value;
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_put_text(j, "resultType", types[result->type]);
	json_key(j, "result");
	if (result->type == PROMQL_SCALAR) {
		write_single(j, result->axis.start_ms,
			promql_plain(*value->scalar, number, sizeof number));
	} else if (result->type == PROMQL_STRING) {
		write_single(j, result->axis.start_ms, value->string);
	} else {
		json_open(j, '[');
		for (size_t i = 0; i < value->n_series && !r->out.overflowed; i++)
			write_series(j, &value->series[i], result);
		for (size_t i = 0; i < result->n_rows && !r->out.overflowed; i++)
			write_row(j, &result->rows[i]);
		json_close(j, ']');
	}
	json_close(j, '}');
	request_end(r, result->notes.texts[NOTE_WARNING], result->notes.n[NOTE_WARNING]);
}

/* ---- queries ---- */

static const char *text_of(const struct request *r, const char *name)
{
	const char *text = params_get(&r->params, name);
	return text ? text : "";
}

static int read_limits(struct request *r, struct promql_limits *limits, struct fw_err *err)
{
	*limits = prometheus_limits(r);
	int64_t timeout_ms = limits->timeout_ms;
	int rc = params_duration(&r->params, "timeout", 0, &timeout_ms, err);
	if (rc == 0 && timeout_ms < limits->timeout_ms)
		limits->timeout_ms = timeout_ms;
	return rc;
}

void prometheus_query(struct request *r)
{
	struct promql_limits limits;
	struct promql_result result;
	struct fw_err err;
	int64_t at_ms = r->now_ms;
	if (params_time(&r->params, "time", 0, &at_ms, &err) < 0 ||
		read_limits(r, &limits, &err) < 0) {
		request_fail_bad(r, &err);
		return;
	}
	if (query_instant(api_config(r->api)->store, NULL, text_of(r, "query"), at_ms, &limits,
		    &r->arena, &result, &err) < 0)
		prometheus_fail(r, result.fault, "query", &err);
	else
		write_result(r, &result);
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
	struct promql_limits limits;
	struct promql_result result;
	struct span span = {0};
	struct fw_err err;
	if (read_span(r, &span, &err) < 0 || read_limits(r, &limits, &err) < 0) {
		request_fail_bad(r, &err);
		return;
	}
	if (query_range(api_config(r->api)->store, NULL, text_of(r, "query"), span.start_ms,
		    span.end_ms, span.step_ms, &limits, &r->arena, &result, &err) < 0)
		prometheus_fail(r, result.fault, "query", &err);
	else
		write_result(r, &result);
}

/* ---- series, names, values ---- */

struct looking {
	const char **selectors;
	size_t n_selectors;
	int64_t start_ms, end_ms;
	uint64_t limit; /* 0: none */
};

static int read_looking(struct request *r, struct looking *out, struct fw_err *err)
{
	*out = (struct looking){.start_ms = -PARAMS_TIME_LIMIT_MS, .end_ms = PARAMS_TIME_LIMIT_MS};
	out->n_selectors = params_all(&r->params, "match[]", &out->selectors);
	int rc = params_time(&r->params, "start", 0, &out->start_ms, err);
	if (rc == 0)
		rc = params_time(&r->params, "end", 0, &out->end_ms, err);
	if (rc == 0 && out->end_ms < out->start_ms)
		rc = fw_fail(err, -EINVAL,
			"invalid parameter \"end\": end timestamp must not be before start time");
	if (rc == 0)
		rc = params_count(&r->params, "limit", &out->limit, err);
	return rc;
}

static void end_list(struct request *r, bool cut)
{
	static const char *const warning[] = {"results truncated due to limit"};
	json_close(&r->json, ']');
	request_end(r, warning, cut ? 1 : 0);
}

static size_t limited(size_t count, uint64_t limit)
{
	return limit && count > limit ? (size_t)limit : count;
}

void prometheus_series(struct request *r)
{
	struct looking looking;
	struct query_found found;
	struct fw_err err;
	if (read_looking(r, &looking, &err) < 0) {
		request_fail_bad(r, &err);
		return;
	}
	if (looking.n_selectors == 0) {
		request_fail(r, 400, "bad_data", "no match[] parameter provided");
		return;
	}
	if (query_find_series(api_config(r->api)->store, NULL, looking.selectors,
		    looking.n_selectors, looking.start_ms, looking.end_ms, &r->arena, &found,
		    &err) < 0) {
		prometheus_fail(r, PROMQL_BAD_DATA, "match[]", &err);
		return;
	}
	size_t n = limited(found.n_series, looking.limit);
	struct json *j = request_begin(r);
	json_open(j, '[');
	for (size_t i = 0; i < n && !r->out.overflowed; i++)
		write_labels(j, found.series[i].labels, found.series[i].n_labels);
	end_list(r, n < found.n_series);
}

static void write_names(struct request *r, int rc, const struct query_names *names,
	const struct looking *looking, const struct fw_err *err)
{
	if (rc < 0) {
		prometheus_fail(r, PROMQL_BAD_DATA, "match[]", err);
		return;
	}
	size_t n = limited(names->count, looking->limit);
	struct json *j = request_begin(r);
	json_open(j, '[');
	for (size_t i = 0; i < n; i++)
		json_text(j, names->items[i]);
	end_list(r, n < names->count);
}

void prometheus_labels(struct request *r)
{
	struct looking looking;
	struct query_names names;
	struct fw_err err;
	if (read_looking(r, &looking, &err) < 0) {
		request_fail_bad(r, &err);
		return;
	}
	int rc = query_label_names(api_config(r->api)->store, NULL, looking.selectors,
		looking.n_selectors, looking.start_ms, looking.end_ms, &r->arena, &names, &err);
	write_names(r, rc, &names, &looking, &err);
}

void prometheus_label_values(struct request *r)
{
	struct looking looking;
	struct query_names names;
	struct fw_err err;
	if (read_looking(r, &looking, &err) < 0) {
		request_fail_bad(r, &err);
		return;
	}
	int rc = query_label_values(api_config(r->api)->store, NULL, r->path_value,
		looking.selectors, looking.n_selectors, looking.start_ms, looking.end_ms, &r->arena,
		&names, &err);
	write_names(r, rc, &names, &looking, &err);
}

/* ---- alerts and the version ---- */

static void write_alert(struct json *j, const struct alert_view *alert)
{
	char value[400];
	json_open(j, '{');
	admin_write_pairs(j, "labels", alert->labels, alert->n_labels);
	admin_write_pairs(j, "annotations", alert->annotations, alert->n_annotations);
	json_put_text(j, "state", alert->state == ALERT_PENDING ? "pending" : "firing");
	json_put_time(j, "activeAt", alert->since_ms);
	json_put_text(j, "value", promql_exponent(alert->value, value, sizeof value));
	json_close(j, '}');
}

void prometheus_alerts(struct request *r)
{
	admin_prepare_alerts(r);
	if (r->status)
		return;
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_key(j, "alerts");
	json_open(j, '[');
	for (size_t i = 0; i < r->n_alerts; i++)
		write_alert(j, &r->alerts[i]);
	json_close(j, ']');
	json_close(j, '}');
	request_end(r, NULL, 0);
}

void prometheus_buildinfo(struct request *r)
{
	/* Grafana reads the version to know what may be asked: 3.5 is what this follows. */
	static const char *const empty[] = {"branch", "buildUser", "buildDate", "goVersion"};
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_put_text(j, "version", "3.5.0");
	json_put_text(j, "revision", "fenwatch-" FW_VERSION);
	for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
		json_put_text(j, empty[i], "");
	json_close(j, '}');
	request_end(r, NULL, 0);
}
