/* SPDX-License-Identifier: Apache-2.0 */
/* What hosts have not got, and by when they must have it. The list is what was judged
 * last; one host and reports are judged for the question, by the workers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "enrol.h"
#include "estate.h"
#include "facts.h"
#include "firmware.h"
#include "parts.h"
#include "patch.h"
#include "retiring.h"

#define REBOOT_SINCE "fenwatch_reboot_required_since_timestamp_seconds"

static void write_time(struct json *j, const char *name, int64_t at_s)
{
	json_put_time(j, name, at_s * 1000);
}

static int64_t oldest_of(const struct patch_host *host)
{
	int64_t oldest_s = 0;
	for (size_t c = 0; c < PATCH_CLASSES; c++)
		if (host->oldest_s[c] && (oldest_s == 0 || host->oldest_s[c] < oldest_s))
			oldest_s = host->oldest_s[c];
	return oldest_s;
}

/* Where a list proves nothing, what it has is the least there is, and 0 says nothing. */
static void write_count(
	struct json *j, const char *name, const struct patch_host *host, uint32_t count)
{
	bool proven = patch_standing(host, PATCH_CE14) < PATCH_UNPROVEN;
	json_put_number(j, name, count > 0 || proven ? (double)count : (double)NAN);
}

static void write_overdue(struct json *j, const struct patch_host *host)
{
	json_key(j, "overdue");
	json_open(j, '{');
	for (size_t p = 0; p < PATCH_POLICIES; p++)
		write_count(j, patch_policy_names[p], host, host->overdue[p]);
	json_close(j, '}');
}

static void write_counts(struct json *j, const struct patch_host *host)
{
	write_count(j, "pending", host, host->pending);
	write_count(j, "security", host, host->security);
	write_count(j, "held", host, host->held);
	write_count(j, "unfinished", host, host->unfinished);
}

static void write_support(struct json *j, const struct patch_host *host)
{
	json_key(j, "support_ends");
	json_open(j, '{');
	for (size_t t = 0; t < PATCH_TIERS; t++)
		write_time(j, patch_tier_names[t], host->support_end_s[t]);
	json_close(j, '}');
}

/* The members of a host's sums; its state is that under ce14. */
static void write_sums(struct json *j, const struct patch_host *host)
{
	json_put_text(j, "host", host->name);
	json_put_text(j, "os", host->os);
	json_put_text(j, "state", patch_standing_names[patch_standing(host, PATCH_CE14)]);
	json_put_text(j, "why", host->why ? host->why : "");
	write_counts(j, host);
	write_overdue(j, host);
	write_time(j, "oldest", oldest_of(host));
	write_time(j, "heard", host->heard_s);
	write_time(j, "lists", host->fetched_s);
	write_support(j, host);
}

/* Since when a reboot is required: the earliest that a detector says; 0: it is not. */
static int64_t reboot_since(const struct facts *facts, const char *name)
{
	size_t n;
	const struct promql_row *series = facts_metric(facts, REBOOT_SINCE, &n);
	double since = NAN;
	for (size_t i = 0; i < n; i++) {
		const char *instance = facts_label(&series[i], "instance");
		if (instance && strcmp(instance, name) == 0)
			since = fmin(since, facts_newest(&series[i]));
	}
	return since > 0 && since < 1e11 ? (int64_t)since : 0;
}

/* ---- who has never been heard ---- */

static void read_agents(struct request *r)
{
	struct fw_err err;
	size_t n;
	if (enrol_agents(api_config(r->api)->enrol, &r->arena, &r->agents, &n, &err) < 0) {
		request_fail(r, 500, "internal", "%s", err.text);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (estate_sees(r, r->agents[i].name))
			r->agents[r->n_agents++] = r->agents[i];
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct patch_host *)a)->name, ((const struct patch_host *)b)->name);
}

/* Enrolled at that moment, and nothing is known of it then. `hosts` stay by name. */
static void add_unheard(struct request *r, int64_t when_ms, struct patch_host **hosts, size_t *n)
{
	size_t known = *n, all = known, unique = 0;
	struct patch_host *list =
		fw_arena_alloc(&r->arena, (known + r->n_agents + 1) * sizeof *list);
	memcpy(list, *hosts, known * sizeof *list);
	for (size_t i = 0; i < r->n_agents; i++) {
		const struct enrol_agent *agent = &r->agents[i];
		const struct patch_host unheard = {
			.name = agent->name, .os = "", .why = "it has not been heard yet"};
		if (agent->enrolled_ms <= when_ms &&
			(!agent->revoked_ms || agent->revoked_ms > when_ms) &&
			!retiring_has(r, agent->name, when_ms) &&
			!bsearch(&unheard, *hosts, known, sizeof unheard, by_name))
			list[all++] = unheard;
	}
	qsort(list, all, sizeof *list, by_name);
	for (size_t i = 0; i < all; i++)
		if (unique == 0 || by_name(&list[i], &list[unique - 1]) != 0)
			list[unique++] = list[i];
	*hosts = list;
	*n = unique;
}

/* ---- the fleet ---- */

/* Who is retired is not counted: its fixes are nobody's to apply. */
static void leave_out_retired(
	const struct request *r, int64_t when_ms, struct patch_host *hosts, size_t *n)
{
	size_t kept = 0;
	for (size_t i = 0; i < *n; i++)
		if (!retiring_has(r, hosts[i].name, when_ms))
			hosts[kept++] = hosts[i];
	*n = kept;
}

void patches_prepare(struct request *r)
{
	size_t n;
	patch_list(api_config(r->api)->patch, &r->arena, &r->patches, &n);
	for (size_t i = 0; i < n; i++)
		if (estate_sees(r, r->patches[i].name))
			r->patches[r->n_patches++] = r->patches[i];
	retiring_prepare(r);
	read_agents(r);
}

static void write_devices(struct json *j, const struct firmware *devices, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		json_open(j, '{');
		firmware_write(j, &devices[i]);
		json_close(j, '}');
	}
}

/* Hosts, then devices without an agent. */
void patches_list(struct request *r)
{
	struct facts facts;
	struct firmware *devices;
	size_t n_devices;
	if (facts_read(r, facts_selector(r, REBOOT_SINCE, NULL), r->now_ms, &facts) < 0 ||
		firmware_read(r, NULL, &devices, &n_devices) < 0)
		return;
	leave_out_retired(r, r->now_ms, r->patches, &r->n_patches);
	add_unheard(r, r->now_ms, &r->patches, &r->n_patches);
	struct json *j = request_begin(r);
	json_open(j, '[');
	for (size_t i = 0; i < r->n_patches; i++) {
		json_open(j, '{');
		write_sums(j, &r->patches[i]);
		write_time(j, "reboot_since", reboot_since(&facts, r->patches[i].name));
		json_close(j, '}');
	}
	write_devices(j, devices, n_devices);
	json_close(j, ']');
	request_end(r, NULL, 0);
}

/* ---- one host ---- */

static void write_due(struct json *j, const struct patch_fix *fix)
{
	json_key(j, "due");
	json_open(j, '{');
	for (size_t p = 0; p < PATCH_POLICIES; p++)
		write_time(j, patch_policy_names[p], fix->due_s[p]);
	json_close(j, '}');
}

static void write_fix(struct json *j, const struct patch_fix *fix)
{
	json_open(j, '{');
	json_put_text(j, "package", fix->key);
	json_put_text(j, "state", fix->state);
	json_put_text(j, "installed", fix->installed);
	json_put_text(j, "candidate", fix->candidate);
	json_put_text(j, "source", fix->source);
	json_put_text(j, "origin", fix->origin);
	json_put_text(j, "class", patch_class_names[fix->class]);
	json_put_text(j, "severity", fix->severity);
	json_put_number(j, "cvss", fix->cvss > 0 ? fix->cvss : (double)NAN);
	json_put_text(j, "advisory", fix->advisory);
	json_put_text(j, "needs", fix->needs);
	write_time(j, "released", fix->released_s);
	write_time(j, "first_seen", fix->seen_s);
	write_time(j, "start", fix->start_s);
	json_put_text(j, "rests_on", patch_basis_names[fix->basis]);
	write_due(j, fix);
	json_close(j, '}');
}

static void write_host(struct request *r, const struct patch_host *host)
{
	struct json *j = request_begin(r);
	json_open(j, '{');
	write_sums(j, host);
	json_key(j, "fixes");
	json_open(j, '[');
	for (size_t i = 0; i < host->n_fixes; i++)
		write_fix(j, &host->fixes[i]);
	json_close(j, ']');
	json_close(j, '}');
	request_end(r, NULL, 0);
}

/* 0, or the request is answered. */
static int read_at(struct request *r, int64_t *at_ms)
{
	struct fw_err err;
	*at_ms = 0;
	if (params_time(&r->params, "at", 0, at_ms, &err) < 0)
		request_fail_bad(r, &err);
	else if (*at_ms > r->now_ms || *at_ms < 0)
		request_fail(r, 400, "bad_data", "invalid parameter \"at\": it has not been yet");
	return r->status ? -1 : 0;
}

/* 0, or the request is answered. */
static int judge(
	struct request *r, const char *name, int64_t at_ms, struct patch_host **hosts, size_t *n)
{
	const struct patch *patch = api_config(r->api)->patch;
	struct patch_asked *asked;
	struct fw_err err;
	struct patch_question question = {
		.now_ms = r->now_ms, .at_ms = at_ms, .with_fixes = name != NULL};
	size_t n_asked = patch_hosts(patch, name, &r->arena, &asked);
	for (size_t i = 0; i < n_asked; i++)
		if (estate_sees(r, asked[i].name))
			asked[question.n++] = asked[i];
	question.asked = asked;
	if (patch_judge(patch, &question, &r->arena, hosts, n, &err) < 0)
		request_fail(r, 500, "internal", "%s", err.text);
	return r->status ? -1 : 0;
}

static void answer_device(struct request *r)
{
	struct firmware *device;
	size_t n;
	if (firmware_read(r, r->path_value, &device, &n) < 0)
		return;
	if (n == 0) {
		request_fail(r, 404, "not_found",
			"nothing is known of patches of a host '%.200s'; see 'fenwatch patches'",
			r->path_value);
		return;
	}
	struct json *j = request_begin(r);
	json_open(j, '{');
	firmware_write(j, device);
	json_close(j, '}');
	request_end(r, NULL, 0);
}

void patches_host(struct request *r)
{
	struct patch_host *hosts;
	int64_t at_ms;
	size_t n;
	if (read_at(r, &at_ms) < 0 || judge(r, r->path_value, at_ms, &hosts, &n) < 0)
		return;
	if (n > 0)
		write_host(r, &hosts[0]);
	else
		answer_device(r);
}

/* ---- the report ---- */

void patches_prepare_report(struct request *r)
{
	struct fw_err err;
	r->evidence = fw_arena_alloc(&r->arena, sizeof *r->evidence);
	retiring_prepare(r);
	if (patch_evidence_stat(api_config(r->api)->patch, r->evidence, &err) < 0)
		request_fail(r, 500, "internal", "%s", err.text);
	else
		read_agents(r);
}

/* Which policies are asked for, as bits; 0: the request is answered. */
static unsigned read_policies(struct request *r)
{
	const char *name = params_get(&r->params, "policy");
	if (!name || !*name)
		return (1u << PATCH_POLICIES) - 1;
	for (size_t p = 0; p < PATCH_POLICIES; p++)
		if (strcmp(patch_policy_names[p], name) == 0)
			return 1u << p;
	request_fail(
		r, 400, "bad_data", "invalid parameter \"policy\": it is ce14, ncsc5 or ncsc7");
	return 0;
}

static void write_standing(struct json *j, const struct patch_host *host, size_t policy)
{
	enum patch_standing standing = patch_standing(host, (enum patch_policy)policy);
	json_key(j, patch_policy_names[policy]);
	json_open(j, '{');
	json_put_text(j, "state", patch_standing_names[standing]);
	write_count(j, "overdue", host, host->overdue[policy]);
	json_close(j, '}');
}

static void write_row(struct json *j, const struct patch_host *host, unsigned policies)
{
	json_open(j, '{');
	json_put_text(j, "host", host->name);
	json_put_text(j, "os", host->os);
	json_put_text(j, "why", host->why ? host->why : "");
	write_counts(j, host);
	write_time(j, "oldest", oldest_of(host));
	write_time(j, "heard", host->heard_s);
	json_key(j, "policies");
	json_open(j, '{');
	for (size_t p = 0; p < PATCH_POLICIES; p++)
		if (policies & 1u << p)
			write_standing(j, host, p);
	json_close(j, '}');
	json_close(j, '}');
}

static void write_summary(struct json *j, const struct patch_host *hosts, size_t n, size_t policy)
{
	int64_t counts[PATCH_UNSUPPORTED + 1] = {0};
	for (size_t i = 0; i < n; i++)
		counts[patch_standing(&hosts[i], (enum patch_policy)policy)]++;
	json_key(j, patch_policy_names[policy]);
	json_open(j, '{');
	for (size_t s = PATCH_COMPLIANT; s <= PATCH_UNSUPPORTED; s++)
		json_put_int(j, patch_standing_names[s], counts[s]);
	json_close(j, '}');
}

static void write_report(struct request *r, int64_t at_ms, unsigned policies,
	const struct patch_host *hosts, size_t n)
{
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_put_time(j, "at", at_ms);
	json_put_int(j, "advisories", r->evidence->advisories);
	write_time(j, "newest_advisory", r->evidence->newest_s);
	json_key(j, "summary");
	json_open(j, '{');
	for (size_t p = 0; p < PATCH_POLICIES; p++)
		if (policies & 1u << p)
			write_summary(j, hosts, n, p);
	json_close(j, '}');
	json_key(j, "hosts");
	json_open(j, '[');
	for (size_t i = 0; i < n; i++)
		write_row(j, &hosts[i], policies);
	json_close(j, ']');
	json_close(j, '}');
	request_end(r, NULL, 0);
}

void patches_report(struct request *r)
{
	struct patch_host *hosts;
	int64_t at_ms;
	size_t n;
	unsigned policies = read_policies(r);
	if (!policies || read_at(r, &at_ms) < 0 || judge(r, NULL, at_ms, &hosts, &n) < 0)
		return;
	int64_t when_ms = at_ms ? at_ms : r->now_ms;
	leave_out_retired(r, when_ms, hosts, &n);
	add_unheard(r, when_ms, &hosts, &n);
	write_report(r, when_ms, policies, hosts, n);
}
