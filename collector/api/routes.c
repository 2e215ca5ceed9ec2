/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "parts.h"
#include "retiring.h"

const char *const access_names[] = {
	[ACCESS_ANYONE] = "anyone",
	[ACCESS_VIEWER] = "viewer",
	[ACCESS_DESK] = "engineer or its desk",
	[ACCESS_ENGINEER] = "engineer",
	[ACCESS_WRITER] = "writer",
	[ACCESS_ADMIN] = "admin",
	[ACCESS_READER] = "its reader",
};

const char *const scope_names[] = {
	[SCOPE_OPEN] = "all",
	[SCOPE_CUT] = "its hosts'",
	[SCOPE_CLOSED] = "refused",
};

/* clang-format off */
/* Answered at once, on the main thread. A row without a role, or without a word on what a
 * supplier gets, does not build. */
#define NOW(method, path, role, scope, params, help, answer) \
	{#method, path, ACCESS_##role, SCOPE_##scope, params, help, NULL, answer, false, false, false}
/* Reads the store: answered by the workers, after what `prepare` has asked. */
#define WORK(method, path, role, scope, params, help, prepare, answer) \
	{#method, path, ACCESS_##role, SCOPE_##scope, params, help, prepare, answer, true, false, false}

/* Takes a body that is no form, and is answered by the writers, once it is durable. */
#define WRITE(method, path, role, scope, params, help, prepare, answer) \
	{#method, path, ACCESS_##role, SCOPE_##scope, params, help, prepare, answer, true, true, true}
/* Takes a body that is no form, and reads the store. */
#define READ(method, path, role, scope, params, help, answer) \
	{#method, path, ACCESS_##role, SCOPE_##scope, params, help, NULL, answer, true, true, false}

const struct route routes[] = {
	NOW(GET, "/-/healthy", ANYONE, OPEN, "",
		"200 while the collector runs", routes_healthy),
	NOW(GET, "/-/ready", ANYONE, OPEN, "",
		"200 once it takes data and answers, 503 before", routes_ready),
	WRITE(POST, "/api/v1/write", WRITER, CLOSED, "",
		"takes samples: remote_write 1.0 or 2.0, in snappy or zstd; 204 once they are durable",
		remote_prepare_write, remote_write),
	READ(POST, "/api/v1/read", VIEWER, CUT, "",
		"gives series raw: remote_read, as samples or as streamed chunks", remote_read_series),
	WORK(GET, "/federate", VIEWER, CUT, "match[]",
		"the newest sample of each series, as text for a Prometheus that scrapes it", NULL, federate),
	WORK(POST, "/api/fenwatch/v1/import", ADMIN, CLOSED, "text, line",
		"takes lines of OpenMetrics for back-filling; the number of the first", NULL, remote_import_text),
	NOW(GET, "/metrics", VIEWER, CLOSED, "",
		"the collector about itself, in Prometheus' text format", metrics_page),

	WORK(GET, "/api/v1/query", VIEWER, CUT, "query, time, timeout, limit, lookback_delta, stats",
		"what a question gives at one time", NULL, prometheus_query),
	WORK(POST, "/api/v1/query", VIEWER, CUT, "query, time, timeout, limit, lookback_delta, stats",
		"the same, asked by a form", NULL, prometheus_query),
	WORK(GET, "/api/v1/query_range", VIEWER, CUT, "query, start, end, step, timeout, limit, lookback_delta, stats",
		"what a question gives at every step from start to end", NULL, prometheus_query_range),
	WORK(POST, "/api/v1/query_range", VIEWER, CUT, "query, start, end, step, timeout, limit, lookback_delta, stats",
		"the same, asked by a form", NULL, prometheus_query_range),
	WORK(GET, "/api/v1/format_query", VIEWER, OPEN, "query",
		"a question laid out over lines", NULL, parsing_format),
	WORK(POST, "/api/v1/format_query", VIEWER, OPEN, "query",
		"the same, asked by a form", NULL, parsing_format),
	WORK(GET, "/api/v1/parse_query", VIEWER, OPEN, "query",
		"a question as a tree", NULL, parsing_tree),
	WORK(POST, "/api/v1/parse_query", VIEWER, OPEN, "query",
		"the same, asked by a form", NULL, parsing_tree),
	WORK(GET, "/api/v1/series", VIEWER, CUT, "match[], start, end, limit",
		"which series there are", NULL, finding_series),
	WORK(POST, "/api/v1/series", VIEWER, CUT, "match[], start, end, limit",
		"the same, asked by a form", NULL, finding_series),
	WORK(GET, "/api/v1/labels", VIEWER, CUT, "match[], start, end, limit",
		"which label names there are", NULL, finding_labels),
	WORK(POST, "/api/v1/labels", VIEWER, CUT, "match[], start, end, limit",
		"the same, asked by a form", NULL, finding_labels),
	WORK(GET, "/api/v1/label/{name}/values", VIEWER, CUT, "match[], start, end, limit",
		"which values a label has", NULL, finding_label_values),
	WORK(GET, "/api/v1/metadata", VIEWER, CUT, "metric, limit, limit_per_metric",
		"type, unit and meaning of metrics that some host has", NULL, metadata_list),
	WORK(GET, "/api/v1/query_exemplars", VIEWER, OPEN, "query, start, end",
		"none: exemplars are not kept", NULL, status_exemplars),
	WORK(POST, "/api/v1/query_exemplars", VIEWER, OPEN, "query, start, end",
		"the same, asked by a form", NULL, status_exemplars),
	NOW(GET, "/api/v1/rules", VIEWER, CLOSED, "type, rule_name[], rule_group[], file[], match[], exclude_alerts, group_limit, group_next_token",
		"rule groups, in Prometheus' form", ruling_rules),
	NOW(GET, "/api/v1/alerts", VIEWER, CUT, "",
		"pending and firing alerts, in Prometheus' form", ruling_alerts),
	NOW(GET, "/api/v1/targets", VIEWER, OPEN, "",
		"none: agents come by themselves", status_constant),
	NOW(GET, "/api/v1/targets/metadata", VIEWER, OPEN, "",
		"none", status_constant),
	NOW(GET, "/api/v1/scrape_pools", VIEWER, OPEN, "",
		"none", status_constant),
	NOW(GET, "/api/v1/alertmanagers", VIEWER, OPEN, "",
		"none", status_constant),
	NOW(GET, "/api/v1/notifications", VIEWER, OPEN, "",
		"none", status_constant),
	NOW(GET, "/api/v1/status/buildinfo", VIEWER, OPEN, "",
		"the version, as Grafana asks for it", status_buildinfo),
	NOW(GET, "/api/v1/status/runtimeinfo", VIEWER, CLOSED, "",
		"what it runs on, and since when", status_runtimeinfo),
	NOW(GET, "/api/v1/status/flags", VIEWER, OPEN, "",
		"those of Prometheus' flags that have a counterpart", status_flags),
	NOW(GET, "/api/v1/status/config", VIEWER, OPEN, "",
		"the step of subqueries, as a configuration says it", status_config),
	WORK(GET, "/api/v1/status/tsdb", VIEWER, CLOSED, "limit",
		"how many series there are, and of what most", NULL, cardinality_page),
	NOW(GET, "/api/v1/status/walreplay", VIEWER, OPEN, "",
		"done, before it answers at all", status_constant),
	NOW(POST, "/api/v1/admin/tsdb/snapshot", ADMIN, CLOSED, "",
		"refused: the store's own routes are under /api/fenwatch/v1", status_admin),
	NOW(PUT, "/api/v1/admin/tsdb/snapshot", ADMIN, CLOSED, "",
		"refused: the store's own routes are under /api/fenwatch/v1", status_admin),
	NOW(POST, "/api/v1/admin/tsdb/delete_series", ADMIN, CLOSED, "",
		"refused: the store's own routes are under /api/fenwatch/v1", status_admin),
	NOW(PUT, "/api/v1/admin/tsdb/delete_series", ADMIN, CLOSED, "",
		"refused: the store's own routes are under /api/fenwatch/v1", status_admin),
	NOW(POST, "/api/v1/admin/tsdb/clean_tombstones", ADMIN, CLOSED, "",
		"refused: the store's own routes are under /api/fenwatch/v1", status_admin),
	NOW(PUT, "/api/v1/admin/tsdb/clean_tombstones", ADMIN, CLOSED, "",
		"refused: the store's own routes are under /api/fenwatch/v1", status_admin),

	WORK(GET, "/api/fenwatch/v1/hosts", VIEWER, CUT, "",
		"every host with its state", admin_prepare_alerts, hosts_list),
	WORK(GET, "/api/fenwatch/v1/hosts/{name}", VIEWER, CUT, "",
		"one host: its facts, its patches, its alerts", inventory_prepare_host, host_page),
	NOW(DELETE, "/api/fenwatch/v1/hosts/{name}", ADMIN, CLOSED, "",
		"forgets a host: its enrolment, samples, inventory and alerts", admin_host_forget),
	NOW(POST, "/api/fenwatch/v1/hosts/{name}/retire", ENGINEER, CLOSED, "reason",
		"retires a host: its alerts are closed and its certificate is revoked; what it was stays on record",
		retiring_retire),
	NOW(DELETE, "/api/fenwatch/v1/hosts/{name}/retire", ENGINEER, CLOSED, "",
		"takes that back: its agent may send again", retiring_return),
	NOW(GET, "/api/fenwatch/v1/retired", VIEWER, CUT, "",
		"hosts that somebody has retired", retiring_list),
	NOW(GET, "/api/fenwatch/v1/inventory", VIEWER, CUT, "host, package, kind, at",
		"what a host has, or had; or which hosts have a package", inventory_page),
	NOW(GET, "/api/fenwatch/v1/licences", VIEWER, CLOSED, "name, at",
		"installed against entitled, a row a licence of the register", licences_list),
	WORK(GET, "/api/fenwatch/v1/patches", VIEWER, CUT, "",
		"every host and how it stands with fixes", patches_prepare, patches_list),
	WORK(GET, "/api/fenwatch/v1/patches/{name}", VIEWER, CUT, "at",
		"one host: each fix that is not in force, when it is due and what that rests on",
		retiring_prepare, patches_host),
	WORK(GET, "/api/fenwatch/v1/reports/patch-compliance", VIEWER, CUT, "at, policy",
		"every host under every policy, now or on a date in the past",
		patches_prepare_report, patches_report),
	NOW(GET, "/api/fenwatch/v1/advisories", VIEWER, OPEN, "package, limit",
		"advisories that were imported, newest first", advisories_list),
	NOW(POST, "/api/fenwatch/v1/advisories", ADMIN, CLOSED, "advisories",
		"imports some, or adds to those that are known", advisories_import),
	WORK(GET, "/api/fenwatch/v1/disks", VIEWER, CUT, "host",
		"filesystems, a row each, fullest first; then what they lie on", NULL, hosts_disks),
	WORK(GET, "/api/fenwatch/v1/reports/capacity", VIEWER, CUT, "at",
		"filesystems that are forecast to fill, soonest first, now or as it was in the past",
		NULL, capacity_report),
	NOW(GET, "/api/fenwatch/v1/alerts", VIEWER, CUT, "rule",
		"pending and firing alerts, worst first", admin_alerts),
	WORK(POST, "/api/fenwatch/v1/rules/replay", VIEWER, CLOSED,
		"rules, name, builtin, from, to, step",
		"what a rule file, or built-in rules, would have done over what is stored",
		replaying_prepare, replaying_run),
	NOW(GET, "/api/fenwatch/v1/worklist", VIEWER, CUT, "",
		"what is for the next patch night, or was so when its host first reported", worklist_list),
	NOW(POST, "/api/fenwatch/v1/worklist/{key}/hand", ENGINEER, CLOSED, "",
		"hands one of these to the desk; its key, or 8 characters of it", worklist_hand),
	NOW(GET, "/api/fenwatch/v1/tickets", VIEWER, CUT, "supplier, site",
		"open tickets and those of the last week, the latest first", tickets_now),
	NOW(POST, "/api/fenwatch/v1/tickets/{key}/pause", ENGINEER, CLOSED, "reason",
		"stops the clocks of a ticket", tickets_pause_one),
	NOW(POST, "/api/fenwatch/v1/tickets/{key}/resume", ENGINEER, CLOSED, "",
		"lets them go on", tickets_resume_one),
	WORK(GET, "/api/fenwatch/v1/reports/sla", VIEWER, CUT, "month, from, until, at, supplier, site",
		"who met which target, with every ticket as evidence", NULL, reports_sla),
	WORK(GET, "/api/fenwatch/v1/reports/tickets", VIEWER, CUT, "month, from, until, at, by, supplier, site",
		"how many tickets there were, by rule, host, site, supplier or priority", NULL,
		reports_volumes),
	WORK(GET, "/api/fenwatch/v1/audit", ENGINEER, CLOSED, "after, limit, from, until, subject",
		"the audit trail, the oldest first", NULL, audit_entries),
	WORK(GET, "/api/fenwatch/v1/audit/check", ENGINEER, CLOSED, "",
		"whether the trail's chain of hashes holds", NULL, audit_verify),
	WORK(GET, "/api/fenwatch/v1/devices", VIEWER, CLOSED, "state",
		"one list of hosts, of devices without an agent, and of what the network shows beside them",
		NULL, devices_list),
	WORK(GET, "/api/fenwatch/v1/depends", VIEWER, CLOSED, "host, address, at",
		"who uses the services of a host, and how far captures can tell",
		NULL, depends_list),
	WORK(GET, "/api/fenwatch/v1/events", VIEWER, CUT, "host, kind, text, from, until, before, limit",
		"what happened: traps, gaps in what agents sent and the like, the latest first", NULL, events_list),
	NOW(POST, "/api/fenwatch/v1/alerts/{key}/ack", ENGINEER, CLOSED, "note",
		"acknowledges an alert until it clears; its key, 8 characters of it or a desk's number", telling_ack),
	NOW(POST, "/api/fenwatch/v1/alerts/{key}/resolve", ENGINEER, CLOSED, "note",
		"closes an alert of which nobody can tell whether it goes on; named as for ack", telling_resolve),
	NOW(POST, "/api/fenwatch/v1/feeds/{name}/answer", DESK, CLOSED, "key, ticket, state, note",
		"what a desk says of an alert: it has accepted it, or resolved it", telling_answer),
	NOW(GET, "/api/fenwatch/v1/maintenance", VIEWER, CLOSED, "",
		"when the register says that people work at hosts and sites, and whether now",
		telling_maintenance),
	NOW(GET, "/api/fenwatch/v1/silences", VIEWER, CLOSED, "ended",
		"silences that have not ended, newest first; with ended=true all that are kept",
		telling_silences),
	NOW(POST, "/api/fenwatch/v1/silences", ENGINEER, CLOSED, "matcher[], start, end, for, comment",
		"silences alerts that meet all matchers: feeds are not told that they fire", telling_silence_new),
	NOW(DELETE, "/api/fenwatch/v1/silences/{id}", ENGINEER, CLOSED, "",
		"ends a silence: what still fires is told at once", telling_silence_end),
	NOW(GET, "/api/fenwatch/v1/agents", VIEWER, CUT, "",
		"enrolled agents and their certificates", admin_agents),
	NOW(POST, "/api/fenwatch/v1/agents/{name}/revoke", ADMIN, CLOSED, "",
		"ends an agent's trust and its connection; the name or the uuid", admin_agent_revoke),
	NOW(GET, "/api/fenwatch/v1/ca", VIEWER, CLOSED, "",
		"the certificate authority, and how far agents have moved to a new one", admin_ca),
	NOW(POST, "/api/fenwatch/v1/ca/rollover", ADMIN, CLOSED, "",
		"makes a new authority beside the old one; agents move to it as they renew",
		admin_ca_rollover),
	NOW(POST, "/api/fenwatch/v1/ca/retire", ADMIN, CLOSED, "force",
		"ends the old one; 409 while agents have not moved, unless force is true",
		admin_ca_retire),
	NOW(GET, "/api/fenwatch/v1/tokens", ADMIN, CLOSED, "",
		"tokens, without their secrets", admin_tokens),
	NOW(POST, "/api/fenwatch/v1/tokens", ADMIN, CLOSED, "role, supplier, ttl, uses, networks, serials, note",
		"makes a token and shows it this once", admin_token_new),
	NOW(DELETE, "/api/fenwatch/v1/tokens/{id}", ADMIN, CLOSED, "",
		"revokes a token", admin_token_revoke),
	NOW(GET, "/api/fenwatch/v1/store", VIEWER, CLOSED, "",
		"what the store holds, how far back it reaches and will", store_page),
	NOW(GET, "/api/fenwatch/v1/store/snapshots", VIEWER, CLOSED, "",
		"the snapshot that is being made, or was made last", store_snapshots),
	NOW(POST, "/api/fenwatch/v1/store/snapshots", ADMIN, CLOSED, "name",
		"begins a snapshot, on the collector's disk", store_snapshot_new),
	NOW(GET, "/api/fenwatch/v1/feeds", VIEWER, CLOSED, "",
		"where notices go, and how that is going", admin_feeds),
	NOW(POST, "/api/fenwatch/v1/feeds/{name}/go", ADMIN, CLOSED, "",
		"sends what opens from now on, and what goes on and was rehearsed", feeding_go),
	NOW(POST, "/api/fenwatch/v1/feeds/{name}/rehearse", ADMIN, CLOSED, "",
		"records what opens from now on, and sends only the ends of what was sent", feeding_rehearse),
	NOW(POST, "/api/fenwatch/v1/feeds/{name}/test", ENGINEER, CLOSED, "",
		"opens and closes an alert for this feed alone", feeding_test),
	NOW(POST, "/api/fenwatch/v1/feeds/{name}/retry", ENGINEER, CLOSED, "id",
		"sends refused notices again, all or one", feeding_retry),
	NOW(GET, "/api/fenwatch/v1/feeds/{name}/notices", VIEWER, CLOSED, "state, limit",
		"its notices, newest first", feeding_notices),
	NOW(GET, "/api/fenwatch/v1/pull/{name}", READER, CLOSED, "after, limit, format",
		"the notices of a feed of type pull, oldest first, as json or atom", pulling_page),
	{0},
};
/* clang-format on */

/* Whether `path` has the parts of `pattern`; what stands for braces goes to `value`. */
static bool path_fits(const char *pattern, const char *path, const char **value, size_t *length)
{
	*value = NULL;
	while (*pattern && *path) {
		if (*pattern == '{') {
			*value = path;
			*length = strcspn(path, "/");
			path += *length;
			pattern += strcspn(pattern, "}") + 1;
			if (*length == 0)
				return false;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return !*pattern && !*path;
}

const struct route *routes_find(const char *method, const char *path, const char **path_value,
	struct fw_arena *arena, bool *path_known)
{
	*path_known = false;
	for (const struct route *route = routes; route->method; route++) {
		const char *value;
		size_t length = 0;
		if (!path_fits(route->path, path, &value, &length))
			continue;
		*path_known = true;
		if (strcmp(route->method, method) != 0)
			continue;
		*path_value = value ? fw_arena_strndup(arena, value, length) : NULL;
		return route;
	}
	return NULL;
}

void routes_healthy(struct request *r)
{
	request_text(r, 200, "Fenwatch's collector is healthy.\n");
}

void routes_ready(struct request *r)
{
	if (api_is_ready(r->api))
		request_text(r, 200, "Fenwatch's collector is ready.\n");
	else
		request_text(r, 503, "Fenwatch's collector is not ready yet.\n");
}
