/* SPDX-License-Identifier: Apache-2.0 */
#include "patch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/array.h>
#include <fenwatch/clock.h>
#include <fenwatch/log.h>

#include "advisories.h"
#include "evidence.h"
#include "internal.h"
#include "inventory.h"
#include "judge.h"
#include "rules.h"
#include "store.h"

#define TICK_MS 500
#define AT_ONCE 16         /* hosts in one job, and in one transaction */
#define REPEAT_MS 120000   /* series are written so often: lookback is five minutes */
#define JUDGE_EVERY_S 3600 /* what other hosts show moves the evidence */
#define HEARD_EVERY_S 3600
#define PRUNE_EVERY_S 86400
#define OVERDUE_TEXT 400 /* bytes of what an alert names */

const struct fw_option patch_option_table[] = {
	{
		.name = "support",
		.help = "a table of when operating systems end, in place of the one built in",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct patch_options, support),
	},
	{
		.name = "paid_support",
		.help = "names of hosts, with * and ?, that have ESM, ELS, LTSS or ESU",
		.type = FW_OPT_LIST,
		.offset = offsetof(struct patch_options, paid_support),
	},
	{0},
};

/* ---- who is watched ---- */

/* After a restart only the time in the sweep may be known. */
static int64_t heard_of(const struct store_host *host)
{
	return (host->received_ms > 0 ? host->received_ms : host->newest_ms) / 1000;
}

static bool has_agent(const struct store_host *host)
{
	return host->newest_ms > 0 &&
		strcmp(fw_label_value(host->labels, host->n_labels, "job"), "node") == 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct patch_asked *)a)->name, ((const struct patch_asked *)b)->name);
}

static size_t find_hosts(const struct patch *patch, const char *name, struct fw_arena *arena,
	struct patch_asked **out)
{
	struct store_host *seen;
	size_t n_seen = store_hosts(patch->config.store, arena, &seen), n = 0;
	struct patch_asked *list = fw_arena_alloc(arena, (n_seen + 1) * sizeof *list);
	for (size_t i = 0; i < n_seen; i++) {
		const char *instance = fw_label_value(seen[i].labels, seen[i].n_labels, "instance");
		if (has_agent(&seen[i]) && (!name || strcmp(instance, name) == 0))
			list[n++] = (struct patch_asked){seen[i].id, instance, heard_of(&seen[i])};
	}
	*out = list;
	return n;
}

size_t patch_hosts(const struct patch *patch, const char *name, struct fw_arena *arena,
	struct patch_asked **out)
{
	size_t n = find_hosts(patch, name, arena, out);
	qsort(*out, n, sizeof **out, by_name);
	return n;
}

static struct watched *watched(struct patch *patch, uint32_t id)
{
	patch->hosts = fw_array_reach(patch->hosts, &patch->n_hosts, id, sizeof *patch->hosts);
	return &patch->hosts[id];
}

static void drop_texts(struct watched *host)
{
	fw_free(host->os);
	fw_free(host->why);
	fw_free(host->overdue);
	host->os = host->why = host->overdue = NULL;
}

void patch_changed(struct patch *patch, uint32_t host)
{
	struct watched *changed = watched(patch, host);
	changed->dirty = changed->fresh = true;
}

void patch_all_changed(struct patch *patch)
{
	for (size_t i = 0; i < patch->n_hosts; i++)
		patch->hosts[i].dirty = true;
}

int patch_forget(struct patch *patch, uint32_t host, struct fw_err *err)
{
	struct watched *gone = watched(patch, host);
	int rc = evidence_forget(patch->config.state, host, err);
	if (rc < 0)
		return rc;
	drop_texts(gone);
	*gone = (struct watched){.known = false};
	return 0;
}

/* ---- judging, on any thread ---- */

/* Of many hosts only the sums are kept. */
static void keep_sums(struct patch_host *host, struct fw_arena *arena)
{
	host->os = fw_arena_strdup(arena, host->os);
	host->why = host->why ? fw_arena_strdup(arena, host->why) : NULL;
	host->fixes = NULL;
	host->n_fixes = 0;
}

static int judge_all(const struct patch_question *q, const struct judge *by,
	struct patch_host *hosts, size_t *n, struct fw_err *err)
{
	struct fw_arena scratch = {0};
	struct judge judge = *by;
	int rc = state_run(judge.state, err, "BEGIN", "");
	*n = 0;
	judge.arena = q->with_fixes ? by->arena : &scratch;
	for (size_t i = 0; rc >= 0 && i < q->n; i++) {
		rc = judge_host(&judge, &q->asked[i], &hosts[*n], err);
		if (rc > 0 && !q->with_fixes)
			keep_sums(&hosts[*n], by->arena);
		*n += rc > 0;
		fw_arena_reset(&scratch);
	}
	fw_arena_done(&scratch);
	state_rollback(judge.state);
	return rc < 0 ? rc : 0;
}

int patch_judge(const struct patch *patch, const struct patch_question *q, struct fw_arena *arena,
	struct patch_host **out, size_t *n, struct fw_err *err)
{
	struct judge judge = {
		.support = &patch->support,
		.options = patch->config.options,
		.arena = arena,
		.at_ms = q->at_ms,
		.now_s = (q->at_ms ? q->at_ms : q->now_ms) / 1000,
	};
	int rc = state_open_reader(&judge.state, patch->config.dir, err);
	if (rc < 0)
		return rc;
	inventory_open_reader(&judge.inventory, judge.state);
	*out = fw_arena_alloc(arena, (q->n + 1) * sizeof **out);
	rc = judge_all(q, &judge, *out, n, err);
	inventory_close(judge.inventory);
	state_close(judge.state);
	return rc;
}

/* ---- judging what has changed ---- */

struct patch_job {
	uv_work_t work;
	struct patch *patch;
	struct fw_arena arena;
	struct patch_asked asked[AT_ONCE];
	size_t n, n_judged;
	int64_t now_ms;
	struct patch_host *judged;
	int rc;
	struct fw_err err;
};

static void tell(struct patch *patch, int rc, const struct fw_err *err)
{
	if (rc < 0 && !patch->failing)
		fw_log(FW_ERROR, "patches cannot be judged for now: %s", err->text);
	else if (rc >= 0 && patch->failing)
		fw_log(FW_NOTICE, "patches are judged again");
	patch->failing = rc < 0;
}

static void on_work(uv_work_t *work)
{
	struct patch_job *job = FW_CONTAINER(work, struct patch_job, work);
	const struct patch_question question = {
		.asked = job->asked, .n = job->n, .now_ms = job->now_ms, .with_fixes = true};
	job->rc = patch_judge(
		job->patch, &question, &job->arena, &job->judged, &job->n_judged, &job->err);
}

/* One of a source speaks for all of its packages. */
static bool is_named(const struct patch_host *host, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (host->fixes[k].due_s[PATCH_CE14] &&
			strcmp(host->fixes[k].source, host->fixes[i].source) == 0)
			return true;
	return false;
}

static char *name_overdue(const struct patch_host *host, int64_t now_s)
{
	struct fw_buf text = {0};
	unsigned more = 0;
	for (size_t i = 0; i < host->n_fixes; i++) {
		const struct patch_fix *fix = &host->fixes[i];
		if (!rules_is_overdue(fix, PATCH_CE14, now_s) || is_named(host, i))
			continue;
		if (text.length > OVERDUE_TEXT) {
			more++;
			continue;
		}
		fw_buf_printf(&text, "%s%.*s", text.length ? ", " : "", (int)strcspn(fix->key, ":"),
			fix->key);
		/* Of several the gravest stands first. */
		if (*fix->advisory)
			fw_buf_printf(
				&text, " (%.*s)", (int)strcspn(fix->advisory, ", "), fix->advisory);
	}
	if (more)
		fw_buf_printf(&text, " and %u more", more);
	char *copy = fw_strdup(text.length ? (const char *)text.data : "");
	fw_buf_done(&text);
	return copy;
}

static void take_judgement(struct patch *patch, const struct patch_host *judged, int64_t now_ms)
{
	struct watched *host = watched(patch, judged->host);
	if (!host->known)
		return;
	drop_texts(host);
	host->os = fw_strdup(judged->os);
	host->why = judged->why ? fw_strdup(judged->why) : NULL;
	host->overdue = name_overdue(judged, now_ms / 1000);
	host->view = *judged;
	host->view.os = host->os;
	host->view.why = host->why;
	host->view.fixes = NULL;
	host->view.n_fixes = 0;
	host->judged = true;
	host->judged_s = now_ms / 1000;
	series_write(patch, judged->host, now_ms);
}

static void on_worked(uv_work_t *work, int status)
{
	struct patch_job *job = FW_CONTAINER(work, struct patch_job, work);
	struct patch *patch = job->patch;
	(void)status;
	patch->job = NULL;
	tell(patch, job->rc, &job->err);
	for (size_t i = 0; job->rc < 0 && i < job->n; i++)
		watched(patch, job->asked[i].host)->dirty = true;
	for (size_t i = 0; job->rc >= 0 && i < job->n_judged && !patch->closing; i++)
		take_judgement(patch, &job->judged[i], job->now_ms);
	fw_arena_done(&job->arena);
	fw_free(job);
	fw_owner_drop(&patch->owner);
}

/* ---- evidence ---- */

static int note_fix(const struct judge_fix *fix, void *arg, struct fw_err *err)
{
	const struct judge *judge = arg;
	return evidence_note(judge->state, fix->fix->source, fix->fix->candidate, fix->listed_s,
		fix->from_s, judge->now_s, err);
}

static int note_host(
	struct patch *patch, const struct patch_asked *asked, int64_t now_s, struct fw_err *err)
{
	struct watched *host = watched(patch, asked->host);
	struct fw_arena arena = {0};
	struct judge judge = {.state = patch->config.state,
		.inventory = patch->config.inventory,
		.arena = &arena,
		.now_s = now_s};
	int rc = 0;
	if (host->fresh)
		rc = judge_each_fix(&judge, asked->host, note_fix, &judge, err);
	if (rc == 0 && asked->heard_s > host->noted_s)
		rc = evidence_heard(patch->config.state, asked->host, asked->heard_s, err);
	fw_arena_done(&arena);
	return rc;
}

/* Before they are judged: what one shows may date what another one has. */
static int note_hosts(struct patch *patch, const struct patch_job *job, struct fw_err *err)
{
	int64_t now_s = job->now_ms / 1000;
	int rc = state_begin(patch->config.state, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < job->n; i++)
		rc = note_host(patch, &job->asked[i], now_s, err);
	if (rc == 0 && now_s - patch->pruned_s >= PRUNE_EVERY_S) {
		rc = evidence_prune(patch->config.state, now_s, err);
		patch->pruned_s = now_s;
	}
	return state_finish(patch->config.state, rc, err);
}

/* ---- the tick ---- */

static bool is_due(const struct watched *host, int64_t now_s)
{
	return host->dirty || !host->judged || now_s - host->judged_s >= JUDGE_EVERY_S ||
		now_s < host->judged_s || (host->view.next_s && now_s >= host->view.next_s) ||
		host->heard_s - host->noted_s >= HEARD_EVERY_S;
}

static void start_job(struct patch *patch, struct patch_job *job)
{
	struct fw_err err;
	int rc = note_hosts(patch, job, &err);
	if (rc < 0) {
		tell(patch, rc, &err);
		fw_free(job);
		return;
	}
	for (size_t i = 0; i < job->n; i++) {
		struct watched *host = watched(patch, job->asked[i].host);
		host->dirty = host->fresh = false;
		host->noted_s = job->asked[i].heard_s;
	}
	patch->job = job;
	fw_owner_hold(&patch->owner);
	uv_queue_work(patch->config.loop, &job->work, on_work, on_worked);
}

/* What was not seen before shows what is not noted yet. */
static void notice(struct patch *patch, const struct patch_asked *asked)
{
	struct watched *host = watched(patch, asked->host);
	host->heard_s = asked->heard_s;
	if (host->known)
		return;
	host->known = true;
	host->dirty = host->fresh = true;
}

static void on_tick(uv_timer_t *timer)
{
	struct patch *patch = FW_CONTAINER(timer, struct patch, tick);
	struct fw_arena arena = {0};
	struct patch_asked *hosts;
	struct patch_job *job = fw_alloc(sizeof *job);
	size_t n = find_hosts(patch, NULL, &arena, &hosts);
	job->patch = patch;
	job->now_ms = fw_wall_ms();
	for (size_t i = 0; i < n; i++) {
		notice(patch, &hosts[i]);
		struct watched *host = watched(patch, hosts[i].host);
		if (job->n < AT_ONCE && is_due(host, job->now_ms / 1000))
			job->asked[job->n++] = hosts[i];
		if (host->judged && llabs(job->now_ms - host->told_ms) >= REPEAT_MS)
			series_write(patch, hosts[i].host, job->now_ms);
	}
	if (job->n > 0 && !patch->job)
		start_job(patch, job);
	else
		fw_free(job);
	fw_arena_done(&arena);
}

/* ---- telling ---- */

void patch_list(struct patch *patch, struct fw_arena *arena, struct patch_host **out, size_t *n)
{
	struct patch_asked *hosts;
	size_t n_hosts = patch_hosts(patch, NULL, arena, &hosts), count = 0;
	struct patch_host *list = fw_arena_alloc(arena, (n_hosts + 1) * sizeof *list);
	for (size_t i = 0; i < n_hosts; i++) {
		const struct watched *host = watched(patch, hosts[i].host);
		if (!host->judged)
			continue;
		list[count] = host->view;
		list[count].name = hosts[i].name;
		list[count].os = fw_arena_strdup(arena, host->os);
		list[count++].why = host->why ? fw_arena_strdup(arena, host->why) : NULL;
	}
	*out = list;
	*n = count;
}

static const char *detail_of(const struct watched *host, const char *rule)
{
	if (strcmp(rule, "PatchOverdue") == 0)
		return host->overdue;
	if (strcmp(rule, "OperatingSystemUnsupported") == 0)
		return host->os;
	return strcmp(rule, "PatchSourceUnproven") == 0 && host->why ? host->why : "";
}

const char *patch_detail(const struct patch *patch, const char *rule, const char *name)
{
	for (size_t i = 0; i < patch->n_hosts; i++) {
		const struct watched *host = &patch->hosts[i];
		if (host->judged && strcmp(host->view.name, name) == 0)
			return detail_of(host, rule);
	}
	return "";
}

/* ---- life ---- */

static void on_box_closed(struct fw_mailbox *box)
{
	struct patch *patch = FW_CONTAINER(box, struct patch, written);
	void (*on_closed)(void *) = patch->on_closed;
	void *arg = patch->arg;
	for (size_t i = 0; i < patch->n_hosts; i++)
		drop_texts(&patch->hosts[i]);
	fw_free(patch->hosts);
	support_done(&patch->support);
	fw_free(patch);
	if (on_closed)
		on_closed(arg);
}

void patch_finish(struct patch *patch)
{
	if (patch->is_stopped && patch->in_flight == 0)
		fw_mailbox_close(&patch->written, on_box_closed);
}

static void on_owner_done(struct fw_owner *owner)
{
	struct patch *patch = FW_CONTAINER(owner, struct patch, owner);
	patch->is_stopped = true;
	patch_finish(patch);
}

static int open_tables(struct patch *patch, struct fw_err *err)
{
	int rc = evidence_open(patch->config.state, err);
	if (rc == 0)
		rc = advisories_open(patch->config.state, err);
	if (rc == 0)
		rc = series_open(patch, err);
	const struct patch_options *options = patch->config.options;
	return rc < 0 ? rc : support_open(&patch->support, options ? options->support : NULL, err);
}

int patch_open(struct patch **out, const struct patch_config *config, struct fw_err *err)
{
	struct patch *patch = fw_alloc(sizeof *patch);
	patch->config = *config;
	int rc = open_tables(patch, err);
	if (rc == 0) {
		rc = fw_mailbox_open(&patch->written, config->loop, series_on_written);
		if (rc < 0)
			rc = fw_fail_sys(err, rc, "cannot make a mailbox");
	}
	if (rc < 0) {
		support_done(&patch->support);
		fw_free(patch);
		return rc;
	}
	uv_timer_init(config->loop, &patch->tick);
	fw_owner_init(&patch->owner, on_owner_done);
	fw_owner_adopt(&patch->owner, &patch->tick);
	uv_timer_start(&patch->tick, on_tick, TICK_MS, TICK_MS);
	*out = patch;
	return 0;
}

void patch_close(struct patch *patch, void (*on_closed)(void *arg), void *arg)
{
	patch->on_closed = on_closed;
	patch->arg = arg;
	patch->closing = true;
	fw_owner_close(&patch->owner);
}
