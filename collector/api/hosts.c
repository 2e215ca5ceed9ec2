/* SPDX-License-Identifier: Apache-2.0 */
#include "hosts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "alert.h"
#include "estate.h"
#include "facts.h"
#include "feed.h"
#include "parts.h"
#include "retiring.h"

/* Silence is a rule's to judge, by the host's own interval. Where that rule is
 * off, values that a query no longer finds are as old as this. */
#define SILENT_MS PROMQL_LOOKBACK_MS
#define SILENCE_RULE "HostSilent"

const char *const host_state_names[] = {
	[HOST_OK] = "ok",
	[HOST_WARNING] = "warning",
	[HOST_CRITICAL] = "critical",
	[HOST_SILENT] = "silent",
	[HOST_UNOBSERVED] = "unobserved",
	[HOST_AWAY] = "away",
	[HOST_RETIRED] = "retired",
};

static int by_name(const void *a, const void *b)
{
	const struct host *x = a, *y = b;
	return strcmp(x->name, y->name);
}

const char *hosts_instance(const struct store_host *host)
{
	for (size_t i = 0; i < host->n_labels; i++)
		if (strcmp(host->labels[i].name, "instance") == 0)
			return host->labels[i].value;
	return "";
}

bool hosts_is_check(const struct store_host *host)
{
	return strcmp(fw_label_value(host->labels, host->n_labels, "job"), "blackbox") == 0;
}

/* Of two jobs of one name: a check is another machine's word. */
static bool speaks_rather(const struct store_host *a, const struct store_host *b)
{
	if (hosts_is_check(a) != hosts_is_check(b))
		return hosts_is_check(b);
	return a->received_ms > b->received_ms;
}

/* Jobs of one name become one host: the one heard last speaks for it. */
static size_t merge_jobs(struct host *hosts, size_t n)
{
	size_t kept = 0;
	qsort(hosts, n, sizeof *hosts, by_name);
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || by_name(&hosts[kept - 1], &hosts[i]) != 0)
			hosts[kept++] = hosts[i];
		else if (speaks_rather(hosts[i].store, hosts[kept - 1].store))
			hosts[kept - 1].store = hosts[i].store;
	}
	return kept;
}

static struct host *find_host(struct host *hosts, size_t n, const char *name)
{
	struct host wanted = {.name = name};
	return name ? bsearch(&wanted, hosts, n, sizeof *hosts, by_name) : NULL;
}

static bool is_of_check(const struct alert_view *alert)
{
	return *notice_value(alert->labels, alert->n_labels, "check");
}

/* A check that is silent says nothing of its target, where that speaks for itself. */
static enum host_state state_of(const struct host *host, const struct alert_view *alert)
{
	bool is_silence = strcmp(alert->rule, SILENCE_RULE) == 0;
	if (is_silence && is_of_check(alert) && !hosts_is_check(host->store))
		return HOST_WARNING;
	if (is_silence)
		return strcmp(alert->held, "unobserved") == 0 ? HOST_UNOBSERVED : HOST_SILENT;
	return strcmp(alert->severity, "critical") == 0 ? HOST_CRITICAL : HOST_WARNING;
}

static void count_alert(struct host *host, const struct alert_view *alert)
{
	enum host_state state = state_of(host, alert);
	host->n_alerts++;
	if (strcmp(alert->severity, "info") == 0)
		return;
	if (state > host->state || (state == host->state && alert->since_ms < host->since_ms)) {
		host->state = state;
		host->since_ms = alert->since_ms;
	}
}

static void judge(struct request *r, struct host *hosts, size_t n)
{
	for (size_t i = 0; i < r->n_alerts; i++) {
		struct host *host = find_host(hosts, n, r->alerts[i].instance);
		if (host && r->alerts[i].state == ALERT_FIRING)
			count_alert(host, &r->alerts[i]);
	}
	for (size_t i = 0; i < n; i++) {
		if (r->now_ms - hosts[i].store->received_ms <= SILENT_MS ||
			hosts[i].state >= HOST_SILENT)
			continue;
		hosts[i].state = HOST_SILENT;
		hosts[i].since_ms = hosts[i].store->received_ms;
	}
}

/* What it said last may be bad, but is old. */
static void note_away(struct host *host)
{
	host->state = HOST_AWAY;
	host->since_ms = host->store->received_ms;
}

static void add_away(const struct facts *facts, struct host *hosts, size_t n)
{
	size_t n_series;
	const struct promql_row *series = facts_metric(facts, "fenwatch_host_away", &n_series);
	for (size_t i = 0; i < n_series; i++) {
		struct host *host = find_host(hosts, n, facts_label(&series[i], "instance"));
		if (host && facts_newest(&series[i]) == 1)
			note_away(host);
	}
}

/* Site and class lie on one series a host, and whether it is away on another. */
static int add_register(struct request *r, struct host *hosts, size_t n)
{
	struct facts facts;
	size_t n_series;
	int rc = facts_read(r, "{__name__=~\"fenwatch_host_(info|away)\"}", r->now_ms, &facts);
	if (rc < 0)
		return rc;
	const struct promql_row *series = facts_metric(&facts, "fenwatch_host_info", &n_series);
	for (size_t i = 0; i < n_series; i++) {
		struct host *host = find_host(hosts, n, facts_label(&series[i], "instance"));
		if (!host)
			continue;
		host->site = facts_label(&series[i], "site");
		host->class = facts_label(&series[i], "class");
	}
	add_away(&facts, hosts, n);
	for (size_t i = 0; i < n; i++)
		if (retiring_has(r, hosts[i].name, r->now_ms))
			hosts[i].state = HOST_RETIRED;
	return 0;
}

int hosts_read(struct request *r, struct host **out, size_t *n_out)
{
	struct store_host *stored;
	size_t n_stored = store_hosts(api_config(r->api)->store, &r->arena, &stored), n = 0;
	struct host *hosts = fw_arena_alloc(&r->arena, (n_stored + 1) * sizeof *hosts);
	/* What no agent has sent is the collector's own. */
	for (size_t i = 0; i < n_stored; i++)
		if (stored[i].newest_ms && estate_sees(r, hosts_instance(&stored[i])))
			hosts[n++] = (struct host){
				.name = hosts_instance(&stored[i]), .store = &stored[i]};
	n = merge_jobs(hosts, n);
	judge(r, hosts, n);
	*out = hosts;
	*n_out = n;
	return add_register(r, hosts, n);
}

void hosts_list(struct request *r)
{
	struct host *hosts;
	size_t n;
	if (hosts_read(r, &hosts, &n) < 0)
		return;
	struct json *j = request_begin(r);
	json_open(j, '[');
	for (size_t i = 0; i < n; i++) {
		json_open(j, '{');
		json_put_text(j, "name", hosts[i].name);
		json_put_text(j, "state", host_state_names[hosts[i].state]);
		json_put_time(j, "since", hosts[i].since_ms);
		json_put_time(j, "last_seen", hosts[i].store->received_ms);
		json_put_text(j, "site", hosts[i].site ? hosts[i].site : "");
		json_put_text(j, "class", hosts[i].class ? hosts[i].class : "");
		json_put_int(j, "alerts", (int64_t)hosts[i].n_alerts);
		json_close(j, '}');
	}
	json_close(j, ']');
	request_end(r, NULL, 0);
}
