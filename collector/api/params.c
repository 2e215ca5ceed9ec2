/* SPDX-License-Identifier: Apache-2.0 */
#include "params.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/text.h>

#include "number.h"
#include "query.h"

int params_add(struct params *params, const char *name, const char *value, size_t length,
	struct fw_err *err)
{
	if (length && memchr(value, '\0', length))
		return fw_fail(
			err, -EINVAL, "invalid parameter \"%s\": it holds a zero byte", name);
	if (params->count == PARAMS_LIMIT)
		return fw_fail(err, -E2BIG, "more than %d parameters", PARAMS_LIMIT);
	if (!params->items)
		params->items = fw_arena_alloc(params->arena, PARAMS_LIMIT * sizeof *params->items);
	params->items[params->count++] = (struct param){
		.name = fw_arena_strdup(params->arena, name),
		.value = fw_arena_strndup(params->arena, length ? value : "", length),
	};
	return 0;
}

void params_put_first(struct params *params, size_t from)
{
	struct param before[PARAMS_LIMIT];
	if (from == 0 || from == params->count)
		return;
	memcpy(before, params->items, from * sizeof *before);
	memmove(params->items, params->items + from, (params->count - from) * sizeof *before);
	memcpy(params->items + params->count - from, before, from * sizeof *before);
}

const char *params_get(const struct params *params, const char *name)
{
	for (size_t i = 0; i < params->count; i++)
		if (strcmp(params->items[i].name, name) == 0)
			return params->items[i].value;
	return NULL;
}

size_t params_all(const struct params *params, const char *name, const char ***values)
{
	size_t n = 0;
	*values = fw_arena_alloc(params->arena, (params->count + 1) * sizeof **values);
	for (size_t i = 0; i < params->count; i++)
		if (strcmp(params->items[i].name, name) == 0)
			(*values)[n++] = params->items[i].value;
	return n;
}

static int fail(const char *name, const char *text, const char *what, struct fw_err *err)
{
	return fw_fail(err, -EINVAL,
		"invalid parameter \"%s\": cannot parse \"%.80s\" to a valid %s", name, text, what);
}

/* Seconds in any form of a number, "1.5e3" among them, or as RFC 3339 has it; or the ends of
 * all times as Prometheus' own clients write them. */
static int read_time(const char *text, int64_t *ms)
{
	double seconds;
	bool is_first = strcmp(text, "-292273086-05-16T16:47:06Z") == 0;
	if (is_first || strcmp(text, "292277025-08-18T07:12:54.999999999Z") == 0) {
		*ms = is_first ? -PARAMS_TIME_LIMIT_MS : PARAMS_TIME_LIMIT_MS;
		return 0;
	}
	if (promql_read_number(text, &seconds) < 0)
		return fw_time_parse(text, ms);
	if (!(fabs(seconds) * 1000 <= (double)PARAMS_TIME_LIMIT_MS))
		return -EINVAL;
	*ms = llround(seconds * 1000);
	return 0;
}

int params_time(const struct params *params, const char *name, int required, int64_t *ms,
	struct fw_err *err)
{
	const char *text = params_get(params, name);
	int64_t value;
	if (!required && (!text || !*text))
		return 0;
	if (!text || read_time(text, &value) < 0 || value > PARAMS_TIME_LIMIT_MS ||
		value < -PARAMS_TIME_LIMIT_MS)
		return fail(name, text ? text : "", "timestamp", err);
	*ms = value;
	return 0;
}

int params_time_of(const struct params *params, const char *name, int64_t *ms, struct fw_err *err)
{
	const char *text = params_get(params, name);
	if (params_time(params, name, 0, ms, err) == 0)
		return 0;
	return fw_fail(err, -EINVAL,
		"invalid parameter \"%s\": Invalid time value for '%s': cannot parse \"%.80s\" to a valid timestamp",
		name, name, text);
}

/* A duration, or seconds in any form of a number. */
static int read_duration(const char *text, int64_t *ms)
{
	const int negative = *text == '-';
	double seconds;
	if (promql_duration(text + negative, strlen(text + negative), ms) == 0) {
		*ms = negative ? -*ms : *ms;
		return 0;
	}
	if (promql_read_number(text, &seconds) < 0 || !(fabs(seconds) < (double)INT64_MAX / 1e9))
		return -EINVAL;
	*ms = (int64_t)(seconds * 1000);
	return 0;
}

int params_duration(const struct params *params, const char *name, int required, int64_t *ms,
	struct fw_err *err)
{
	const char *text = params_get(params, name);
	int64_t value;
	if (!required && (!text || !*text))
		return 0;
	if (!text || read_duration(text, &value) < 0)
		return fail(name, text ? text : "", "duration", err);
	*ms = value;
	return 0;
}

int params_count(const struct params *params, const char *name, uint64_t *count, struct fw_err *err)
{
	const char *text = params_get(params, name);
	if (!text || !*text)
		return 0;
	if (fw_parse_u64(text, count) < 0)
		return fail(name, text, "number", err);
	return 0;
}

int params_limit(const struct params *params, uint64_t *limit, struct fw_err *err)
{
	static const char in[] = "invalid parameter \"limit\":";
	const char *text = params_get(params, "limit");
	uint64_t value;
	if (!text || !*text)
		return 0;
	int rc = fw_parse_u64(text + (*text == '-' || *text == '+'), &value);
	if (rc == -ERANGE || (rc == 0 && value > INT64_MAX))
		return fw_fail(err, -EINVAL,
			"%s strconv.Atoi: parsing \"%.80s\": value out of range", in, text);
	if (rc < 0)
		return fw_fail(err, -EINVAL, "%s strconv.Atoi: parsing \"%.80s\": invalid syntax",
			in, text);
	if (*text == '-' && value > 0)
		return fw_fail(err, -EINVAL, "%s limit must be non-negative", in);
	*limit = value;
	return 0;
}

int params_page(const struct params *params, uint64_t usual, uint64_t most, uint64_t *limit,
	struct fw_err *err)
{
	*limit = 0;
	int rc = params_limit(params, limit, err);
	if (*limit == 0)
		*limit = usual;
	if (*limit > most)
		*limit = most;
	return rc;
}
