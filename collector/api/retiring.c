/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts that are out of service: who retires them, and what leaves them out. */
#include "retiring.h"

#include <stdlib.h>
#include <string.h>

#include "estate.h"
#include "parts.h"
#include "register.h"
#include "retired.h"

/* ---- for other answers ---- */

void retiring_prepare(struct request *r)
{
	const struct api_config *config = api_config(r->api);
	r->n_retired = retired_list(config->retired, &r->arena, &r->retired);
	r->registry = register_hold(config->registry);
}

void retiring_leave(struct request *r)
{
	register_drop(r->registry);
	r->registry = NULL;
}

static int by_host(const void *a, const void *b)
{
	return strcmp(((const struct retirement *)a)->host, ((const struct retirement *)b)->host);
}

bool retiring_has(const struct request *r, const char *name, int64_t at_ms)
{
	const struct retirement wanted = {.host = name};
	const struct retirement *by =
		bsearch(&wanted, r->retired, r->n_retired, sizeof wanted, by_host);
	const struct fw_label labels[] = {{"instance", name}, {"job", "node"}};
	struct register_life known;
	if (by && by->at_ms <= at_ms)
		return true;
	register_host_life(r->registry, labels, 2, &known);
	return register_lifecycle_at(&known, at_ms) == LIFE_RETIRED;
}

/* ---- routes ---- */

static void write_retirement(struct json *j, const struct retirement *retirement)
{
	json_open(j, '{');
	json_put_text(j, "host", retirement->host);
	json_put_time(j, "at", retirement->at_ms);
	json_put_text(j, "who", retirement->who);
	json_put_text(j, "reason", retirement->reason);
	json_close(j, '}');
}

void retiring_list(struct request *r)
{
	struct retirement *all;
	size_t n = retired_list(api_config(r->api)->retired, &r->arena, &all);
	struct json *j = request_begin(r);
	json_open(j, '[');
	for (size_t i = 0; i < n; i++)
		if (estate_sees(r, all[i].host))
			write_retirement(j, &all[i]);
	json_close(j, ']');
	request_end(r, NULL, 0);
}

void retiring_retire(struct request *r)
{
	const struct api_config *config = api_config(r->api);
	const char *reason = params_get(&r->params, "reason");
	const struct retirement wanted = {
		.host = r->path_value,
		.who = r->who,
		.reason = reason ? reason : "",
		.at_ms = r->now_ms,
	};
	struct fw_err err;
	int rc = config->on_retire(&wanted, &err, config->arg);
	admin_tell(r, rc, &err, "retired");
}

void retiring_return(struct request *r)
{
	const struct api_config *config = api_config(r->api);
	struct fw_err err;
	int rc = config->on_return(r->path_value, r->who, r->now_ms, &err, config->arg);
	admin_tell(r, rc, &err, "returned");
}
