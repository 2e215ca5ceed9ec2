/* SPDX-License-Identifier: Apache-2.0 */
/* What Prometheus says of itself, as far as it is asked: shapes are its own, and what a
 * collector has none of is empty. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <fenwatch/text.h>

#include "node.h"
#include "parts.h"
#include "store.h"

/* What is looked at by whoever talks to Prometheus: 3.5 is what this follows. */
#define FOLLOWED "3.5.0"

/* ---- what never changes ---- */

static const struct {
	const char *path, *data;
} constants[] = {
	{"/api/v1/status/walreplay", "{\"min\":0,\"max\":0,\"current\":0}"},
	{"/api/v1/targets",
		"{\"activeTargets\":[],\"droppedTargets\":[],\"droppedTargetCounts\":{}}"},
	{"/api/v1/targets/metadata", "[]"},
	{"/api/v1/scrape_pools", "{\"scrapePools\":[]}"},
	{"/api/v1/alertmanagers", "{\"activeAlertmanagers\":[],\"droppedAlertmanagers\":[]}"},
	{"/api/v1/notifications", "[]"},
};

void status_constant(struct request *r)
{
	for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
		if (strcmp(constants[i].path, r->route->path) == 0)
			json_raw(request_begin(r), constants[i].data);
	request_end(r, NULL, 0);
}

/* None are kept; a wrong question is told all the same. */
void status_exemplars(struct request *r)
{
	int64_t start_ms = -PARAMS_TIME_LIMIT_MS, end_ms = PARAMS_TIME_LIMIT_MS;
	const char *query = params_get(&r->params, "query");
	struct node *node;
	struct fw_err err;
	int rc = params_time_of(&r->params, "start", &start_ms, &err);
	if (rc == 0)
		rc = params_time_of(&r->params, "end", &end_ms, &err);
	if (rc == 0 && end_ms < start_ms)
		rc = fw_fail(&err, -EINVAL, "end timestamp must not be before start timestamp");
	if (rc == 0)
		rc = promql_parse(query ? query : "", &r->arena, &node, &err);
	if (rc < 0) {
		request_fail(r, 400, "bad_data", "%s", err.text);
		return;
	}
	json_raw(request_begin(r), "[]");
	request_end(r, NULL, 0);
}

void status_admin(struct request *r)
{
	request_fail(r, 500, "unavailable", "admin APIs disabled");
}

/* ---- what it is, and runs with ---- */

void status_buildinfo(struct request *r)
{
	static const char *const empty[] = {"branch", "buildUser", "buildDate", "goVersion"};
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_put_text(j, "version", FOLLOWED);
	json_put_text(j, "revision", "fenwatch-" FW_VERSION);
	for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
		json_put_text(j, empty[i], "");
	json_close(j, '}');
	request_end(r, NULL, 0);
}

void status_runtimeinfo(struct request *r)
{
	char host[HOST_NAME_MAX + 1] = "", folder[PATH_MAX];
	struct store_stat stat;
	gethostname(host, sizeof host - 1);
	store_stat(api_config(r->api)->store, &stat);
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_put_time(j, "startTime", api_started_ms(r->api));
	json_put_text(j, "CWD", getcwd(folder, sizeof folder) ? folder : "");
	json_put_text(j, "hostname", host);
	json_put_time(j, "serverTime", r->now_ms);
	json_put_bool(j, "reloadConfigSuccess", true);
	json_put_time(j, "lastConfigTime", api_started_ms(r->api));
	json_put_int(j, "corruptionCount", (int64_t)stat.damaged_blocks);
	json_put_int(j, "goroutineCount", api_config(r->api)->query.concurrency);
	json_put_int(j, "GOMAXPROCS", sysconf(_SC_NPROCESSORS_ONLN));
	json_put_int(j, "GOMEMLIMIT", 0);
	json_put_text(j, "GOGC", "");
	json_put_text(j, "GODEBUG", "");
	json_put_text(j, "storageRetention", "");
	json_close(j, '}');
	request_end(r, NULL, 0);
}

static void put_duration(struct json *j, const char *name, int64_t ms)
{
	char text[64];
	json_put_text(j, name, fw_format_duration(ms, text, sizeof text));
}

static void put_count(struct json *j, const char *name, int64_t count)
{
	char text[32];
	snprintf(text, sizeof text, "%lld", (long long)count);
	json_put_text(j, name, text);
}

/* Those of Prometheus' flags that have a counterpart here. */
void status_flags(struct request *r)
{
	const struct api_config *config = api_config(r->api);
	struct json *j = request_begin(r);
	json_open(j, '{');
	put_duration(j, "query.lookback-delta", config->query.lookback_ms);
	put_count(j, "query.max-concurrency", config->query.concurrency);
	put_count(j, "query.max-samples", config->query.max_samples);
	put_duration(j, "query.timeout", config->query.timeout_ms);
	json_put_text(j, "web.cors.origin", config->cors ? config->cors : "");
	json_put_text(j, "web.enable-admin-api", "false");
	json_put_text(j, "web.enable-remote-write-receiver", "true");
	json_put_text(j, "web.listen-address", config->listen);
	json_close(j, '}');
	request_end(r, NULL, 0);
}

/* Of Prometheus' configuration what answers rest on: the step of subqueries without one. */
void status_config(struct request *r)
{
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_put_text(j, "yaml", "global:\n  evaluation_interval: 1m\n");
	json_close(j, '}');
	request_end(r, NULL, 0);
}
