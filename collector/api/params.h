/* What a request says in its query string, form or JSON, and how values are read.
 *
 * Failures are worded as Prometheus words them. Texts are the request's arena's.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#define PARAMS_LIMIT 1000
/* Times further from 1970 are refused, so that sums of times cannot overflow. */
#define PARAMS_TIME_LIMIT_MS (INT64_C(1) << 53)

struct param {
	const char *name, *value;
};

struct params {
	struct fw_arena *arena;
	struct param *items;
	size_t count;
};

/* Refuses a value that holds a zero byte. */
int params_add(struct params *params, const char *name, const char *value, size_t length,
	struct fw_err *err);
/* Those from number `from` on go before the others. */
void params_put_first(struct params *params, size_t from);
/* Each member of a JSON object, a text, a number or a truth value, or a list of such. */
int params_add_json(struct params *params, const char *text, size_t length, struct fw_err *err);
const char *params_get(const struct params *params, const char *name); /* the first, or NULL */
/* All values of a name that may come repeatedly. */
size_t params_all(const struct params *params, const char *name, const char ***values);

/* Seconds since 1970 or RFC 3339. Where it is missing `*ms` stays, unless `required`. */
int params_time(const struct params *params, const char *name, int required, int64_t *ms,
	struct fw_err *err);
/* The same, worded as where a time has a default. */
int params_time_of(const struct params *params, const char *name, int64_t *ms, struct fw_err *err);
/* "15s", "1h30m" or seconds; may be negative, the caller says what that means. */
int params_duration(const struct params *params, const char *name, int required, int64_t *ms,
	struct fw_err *err);
int params_count(
	const struct params *params, const char *name, uint64_t *count, struct fw_err *err);
/* "limit": 0 where it is missing, or says so. */
int params_limit(const struct params *params, uint64_t *limit, struct fw_err *err);
/* The same of a long list: never more than `most`, and `usual` where nothing is said. */
int params_page(const struct params *params, uint64_t usual, uint64_t most, uint64_t *limit,
	struct fw_err *err);
