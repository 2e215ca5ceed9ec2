/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "alert.h"
#include "feed.h"
#include "ingest.h"
#include "schedule.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* ---- alerts, feeds, ingest ---- */

static const struct notice_pair labels[] = {{"alertname", "RebootRequired"}, {"instance", "web01"}};

static const struct notice_pair db_labels[] = {{"alertname", "HostSilent"}, {"instance", "db01"}};

/* The last of them is only there with fakes_both. */
#define VIEW(k, r, i, s, st, since, v, l)                                                    \
	{                                                                                    \
		.key = (k), .rule = (r), .instance = (i), .severity = (s), .state = (st),    \
		.since_ms = (since), .value = (v), .labels = (l), .n_labels = 2, .held = "", \
		.unknown = "", .held_why = ""                                                \
	}
static const struct alert_view views[] = {
	VIEW("fw1-a", "RebootRequired", "web01", "warning", ALERT_FIRING, 1700000000000, 1, labels),
	VIEW("fw1-b", "SecurityUpdatesPending", "web01", "warning", ALERT_PENDING, 1700000000500, 3,
		labels),
	VIEW("fw1-c", "CertificateRenewalDue", "web01", "info", ALERT_FIRING, 1600000000000, 1,
		labels),
	VIEW("fw1-d", "HostSilent", "db01", "critical", ALERT_FIRING, 1600000000000, 42.42,
		db_labels),
};

int alert_past_open(struct alerts *alerts, const char *rule, struct fw_arena *arena,
	struct alert_past **out, struct fw_err *err)
{
	(void)alerts;
	if (rule && strcmp(rule, "HostCloned") == 0)
		return fw_fail(err, -EINVAL, "HostCloned cannot be replayed");
	if (rule && strcmp(rule, "LoadHigh") != 0)
		return fw_fail(err, -ENOENT, "no built-in rule is called '%s'", rule);
	*out = fw_arena_alloc(arena, 1);
	return 0;
}

int alert_past_replay(const struct alert_past *past, const struct alert_replay *replay,
	struct fw_arena *arena, struct alert_replay_result *out, struct fw_err *err)
{
	static const struct notice_pair its[] = {{"alertname", "LoadHigh"}, {"job", "node"}};
	static struct alert_replayed alert = {.rule = "LoadHigh",
		.summary = "web01 has a load",
		.labels = its,
		.n_labels = COUNT(its),
		.value = 2.5,
		.pending_ms = 100000,
		.fired_ms = 110000};
	static struct alert_replayed_rule rule = {.name = "LoadHigh", .n_fired = 1};
	(void)past;
	(void)arena;
	if (replay->timeout_ms < 1000 || replay->to_ms > 1000000000)
		return fw_fail(err, -ETIME, "it took too long");
	*out = (struct alert_replay_result){
		.n_sweeps = 3, .rules = &rule, .n_rules = 1, .alerts = &alert, .n_alerts = 1};
	out->hour_until_ms = replay->from_ms;
	return 0;
}

int64_t alert_judged_ms(const struct alerts *alerts)
{
	(void)alerts;
	return 120000;
}

int alert_list(struct alerts *alerts, struct fw_arena *arena, struct alert_view **out, size_t *n,
	struct fw_err *err)
{
	(void)alerts;
	(void)err;
	*n = COUNT(views) - !fakes_both;
	*out = fw_arena_alloc(arena, sizeof views);
	memcpy(*out, views, sizeof views);
	static struct notice_pair silent[] = {{"instance", "web01"}, {"check", ""}};
	if (fakes_silent) {
		silent[1].value = fakes_silent;
		(*out)[2].rule = "HostSilent";
		(*out)[2].severity = "critical";
		(*out)[2].labels = silent;
	}
	if (fakes_has_work)
		(*out)[3].held = (*out)[0].held = ALERT_WORK_LIST;
	return 0;
}

int alert_take_answer(struct alerts *alerts, const struct alert_answer *answer, struct fw_err *err)
{
	(void)alerts;
	if (strcmp(answer->alert, "fw1-a") != 0 && strcmp(answer->alert, "INC1") != 0)
		return fw_fail(err, -ENOENT, "no alert that fires goes by '%s'", answer->alert);
	if (strcmp(answer->note, "fires") == 0)
		return fw_fail(err, -EALREADY, "it is firing");
	if (strcmp(answer->note, "again") == 0)
		return fw_fail(err, -EALREADY, "Ann has acknowledged it already");
	snprintf(fakes_asked, sizeof fakes_asked, "answer %d of %s to '%s' by %s: %s%s",
		(int)answer->kind, answer->alert, answer->feed, answer->who, answer->note,
		answer->is_desk ? " (its desk)" : "");
	return 0;
}

int alert_silence_add(struct alerts *alerts, struct alert_silence *silence, struct fw_err *err)
{
	(void)alerts;
	if (silence->n_matchers == 0)
		return fw_fail(err, -EINVAL, "what is to be silenced?");
	snprintf(fakes_asked, sizeof fakes_asked, "silence %zu %s for %lld by %s: %s",
		silence->n_matchers, silence->matchers[0],
		(long long)(silence->ends_ms - silence->starts_ms), silence->who, silence->comment);
	silence->id = 3;
	return 0;
}

int alert_hand(struct alerts *alerts, const char *name, const char *who, struct fw_err *err)
{
	(void)alerts;
	if (strncmp(name, "fw1-", 4) != 0)
		return fw_fail(err, -ENOENT, "there is no '%s' on the work list", name);
	snprintf(fakes_asked, sizeof fakes_asked, "hand %s, %s", name, who);
	return 0;
}

int alert_silence_end(struct alerts *alerts, int64_t id, const char *who, struct fw_err *err)
{
	(void)alerts;
	(void)who;
	return id == 3 ? 0 : fw_fail(err, -ENOENT, "there is no silence %lld", (long long)id);
}

void alert_silences(struct alerts *alerts, int64_t since_ms, struct fw_arena *arena,
	struct alert_silence **out, size_t *n)
{
	static const char *const matchers[] = {"instance=~web.*"};
	(void)alerts;
	*n = since_ms == 0;
	*out = fw_arena_alloc(arena, sizeof **out);
	**out = (struct alert_silence){.id = 2,
		.matchers = matchers,
		.n_matchers = 1,
		.starts_ms = 1600000000000,
		.ends_ms = 1600000001000,
		.who = "Ann",
		.comment = "moved"};
}

bool alert_has_feed(const struct alerts *alerts, const char *name)
{
	(void)alerts;
	return strcmp(name, "desk") == 0;
}

int alert_feeds(struct alerts *alerts, struct fw_arena *arena, struct alert_feed_view **out,
	size_t *n, struct fw_err *err)
{
	(void)alerts;
	(void)err;
	*n = 1;
	*out = fw_arena_alloc(arena, sizeof **out);
	**out = (struct alert_feed_view){
		.name = "desk", .type = "webhook", .live = 1, .delivered = 9};
	return 0;
}

static int known_feed(const char *name, struct fw_err *err)
{
	return strcmp(name, "desk") == 0 ? 0 : fw_fail(err, -ENOENT, "there is no feed '%s'", name);
}

int alert_feed_set_live(struct alerts *alerts, const char *name, bool live, const char *who,
	uint64_t *n, struct fw_err *err)
{
	(void)alerts;
	*n = 3;
	snprintf(fakes_asked, sizeof fakes_asked, "%s live %d by %s", name, live, who);
	return known_feed(name, err);
}

int alert_feed_retry(struct alerts *alerts, const char *name, int64_t id, const char *who,
	uint64_t *retried, uint64_t *dropped, struct fw_err *err)
{
	(void)alerts;
	(void)who;
	*retried = (uint64_t)id;
	*dropped = 1;
	return known_feed(name, err);
}

int alert_feed_test(struct alerts *alerts, const char *name, const char *who, char key[ALERT_KEY],
	struct fw_err *err)
{
	(void)alerts;
	(void)who;
	snprintf(key, ALERT_KEY, "fw1-test");
	return known_feed(name, err);
}

const char *const alert_notice_states[] = {"waiting", "delivered", "refused", NULL};

int alert_feed_notices(struct alerts *alerts, const char *name, int state, size_t most,
	struct fw_arena *arena, struct alert_notice_view **out, size_t *n, struct fw_err *err)
{
	(void)alerts;
	*out = fw_arena_alloc(arena, sizeof **out);
	**out = (struct alert_notice_view){.id = (int64_t)most,
		.key = "fw1-a",
		.rule = "RebootRequired",
		.instance = "web01",
		.kind = "open",
		.state = alert_notice_states[state < 0 ? 0 : state],
		.why = "",
		.receipt = "INC1"};
	*n = 1;
	return known_feed(name, err);
}

int alert_feed_admit(
	const struct alerts *alerts, const char *name, const char *token, struct fw_err *err)
{
	(void)alerts;
	return strcmp(name, "shelf") == 0 && strcmp(token, "reader") == 0
		? 0
		: fw_fail(err, -EACCES, "no");
}

int alert_desk_admit(
	const struct alerts *alerts, const char *name, const char *token, struct fw_err *err)
{
	(void)alerts;
	return strcmp(name, "desk") == 0 && strcmp(token, "contoso") == 0
		? 0
		: fw_fail(err, -EACCES, "no");
}

/* Notices 5 and 7, the first of which says all that XML does not take. */
int alert_feed_pull(struct alerts *alerts, const char *name, int64_t after, size_t most,
	struct fw_arena *arena, struct alert_page *out, struct fw_err *err)
{
	static const struct notice_pair said[] = {
		{"summary", "<b>&\"\x01\x0b\xff\xef\xbf\xbe]]>\xc3\xa9</feed>"}};
	static const struct alert_pulled both[] = {
		{.id = 5,
			.starts_ms = 1700000000000,
			.told_ms = 1700000000100,
			.key = "fw1-a",
			.labels = labels,
			.n_labels = 2,
			.annotations = said,
			.n_annotations = 1},
		{.id = 7,
			.starts_ms = 1700000000000,
			.ends_ms = 1700000060000,
			.told_ms = 1700000060100,
			.key = "fw1-a",
			.labels = labels,
			.n_labels = 2},
	};
	(void)alerts;
	(void)name;
	if (after > 7)
		return fw_fail(err, -ERANGE, "there is no notice %lld yet", (long long)after);
	size_t from = after >= 5 ? after == 7 ? 2 : 1 : 0;
	*out = (struct alert_page){.estate = "e<1>", .next = after < 0 ? 0 : after};
	out->items = fw_arena_alloc(arena, sizeof both);
	for (; from < 2 && out->n < most; out->n++)
		out->items[out->n] = both[from++];
	out->more = from < 2;
	if (out->n > 0)
		out->next = out->items[out->n - 1].id;
	return 0;
}

void ingest_stat(const struct ingest *ingest, struct ingest_stat *out)
{
	(void)ingest;
	*out = (struct ingest_stat){.connections = 2};
}

/* ---- rule files ---- */

/* Two groups: in the first an alert that fires for web01 and waits for db01, and a rule that
 * fails; the second was not evaluated yet. */
void schedule_list(struct schedule *schedule, struct fw_arena *arena,
	struct schedule_group **groups, size_t *n)
{
	static const struct fw_label web[] = {{"alertname", "Busy"}, {"instance", "web01"}},
				     db[] = {{"alertname", "Busy"}, {"instance", "db01"}},
				     severity[] = {{"severity", "page"}},
				     said[] = {{"summary", "{{ $value }}"}};
	static struct schedule_alert alerts[] = {
		{{web, 2}, {NULL, 0}, ALERT_IS_FIRING, 1, 1700000000000, 1700000000000,
			1700000060000},
		{{db, 2}, {NULL, 0}, ALERT_IS_PENDING, 42.42, 1700000000000, 0, 0}};
	static struct schedule_rule rules[] = {
		{"Busy", "up == 1", true, 60000, 300000, {severity, 1}, {said, 1}, RULE_OK, "",
			1700000000000, 2, alerts, 2},
		{"a:b", "sum(up)", false, 0, 0, {NULL, 0}, {NULL, 0}, RULE_FAILED, "too much", 0, 0,
			NULL, 0}};
	(void)schedule;
	*n = 2;
	*groups = fw_arena_alloc(arena, 2 * sizeof **groups);
	(*groups)[0] = (struct schedule_group){.file = "a.yml",
		.name = "one",
		.interval_ms = 15000,
		.evaluated_ms = 1700000000000,
		.took_ms = 3,
		.rules = rules,
		.n_rules = 2};
	(*groups)[1] = (struct schedule_group){.file = "b.yml",
		.name = "two",
		.interval_ms = 60000,
		.rules = &rules[1],
		.n_rules = 1};
}
