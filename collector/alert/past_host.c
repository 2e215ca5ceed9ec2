/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "past.h"

#define PIECE_MS (6 * 3600 * (int64_t)1000) /* that is read at once */
#define READ_LIMIT ((size_t)256 << 20)

/* One group of the host's series, on its way through a piece of the past. */
struct track {
	struct group *group;
	struct store_columns columns;
	size_t next;            /* row of them */
	int64_t *cells;         /* as they are now */
	int64_t at_ms, seen_ms; /* of the cells; at the last look. 0: there are none */
	bool is_voice;          /* the host's own word: it is heard by that */
};

struct past_alert {
	struct past_alert *next;
	const struct rule *rule;
	const struct fw_column *column; /* NULL: of the host itself */
	struct life life;
	uint64_t seen;
	struct alert_replayed *told; /* NULL: not since it was over */
};

struct player {
	struct past_run *run;
	struct host host;
	bool is_missed;
	struct track *tracks;
	struct past_alert *alerts;
	struct fw_arena alive; /* of the alerts */
	struct pace pace;
	int64_t heard_ms; /* 0: not yet */
	int64_t lookback_ms;
	uint64_t look;
};

/* ---- alerts ---- */

static struct moment moment_of(int64_t at_ms)
{
	return (struct moment){at_ms, at_ms};
}

static bool is_of(const struct player *p, const struct past_alert *alert, const struct rule *rule,
	const struct fw_column *column)
{
	const char *const names[] = {rule->identity, rule->identity_too};
	bool is = alert->rule == rule;
	for (size_t i = 0; i < 2 && names[i] && is; i++)
		is = strcmp(watch_label(&p->host, alert->column, names[i]),
			     watch_label(&p->host, column, names[i])) == 0;
	return is;
}

static struct past_alert *alert_of(
	struct player *p, const struct rule *rule, const struct fw_column *column, bool make)
{
	struct past_alert *alert = p->alerts;
	while (alert && !is_of(p, alert, rule, column))
		alert = alert->next;
	if (alert || !make)
		return alert;
	alert = fw_arena_alloc(&p->alive, sizeof *alert);
	*alert = (struct past_alert){.next = p->alerts, .rule = rule, .column = column};
	p->alerts = alert;
	return alert;
}

static void put_labels(
	struct player *p, const struct past_alert *alert, struct alert_replayed *told)
{
	struct fw_arena *arena = p->run->arena;
	const struct fw_column *column = alert->column;
	size_t n_column = column ? column->n_labels : 0, n = 0;
	struct notice_pair *labels =
		fw_arena_alloc(arena, (p->host.n_labels + n_column + 2) * sizeof *labels);
	for (size_t i = 0; i < n_column; i++)
		labels[n++] = (struct notice_pair){column->labels[i].name, column->labels[i].value};
	for (size_t i = 0; i < p->host.n_labels; i++)
		labels[n++] = (struct notice_pair){p->host.labels[i].name, p->host.labels[i].value};
	labels[n++] = (struct notice_pair){"alertname", alert->rule->name};
	labels[n++] = (struct notice_pair){"severity", alert->rule->severity};
	told->labels = labels;
	told->n_labels = n;
}

static void put_words(struct player *p, const struct past_alert *alert)
{
	struct alert_replayed *told = alert->told;
	struct pairs pairs;
	pairs_copy(&pairs, told->labels, told->n_labels);
	char *text = rule_summary(alert->rule, &pairs, alert->life.value, "");
	told->summary = fw_arena_strdup(p->run->arena, text);
	told->value = alert->life.value;
	fw_free(text);
	pairs_done(&pairs);
}

/* NULL: there are too many, which ends it all. */
static struct alert_replayed *begin(struct player *p, const struct past_alert *alert)
{
	struct alert_replay_result *out = p->run->out;
	if (out->n_alerts == ALERT_REPLAY_ALERTS) {
		out->too_many = true;
		return NULL;
	}
	struct alert_replayed *told = &out->alerts[out->n_alerts++];
	*told = (struct alert_replayed){
		.rule = alert->rule->name, .pending_ms = alert->life.starts_ms};
	put_labels(p, alert, told);
	return told;
}

static void tell(struct player *p, struct past_alert *alert, enum change change, int64_t at_ms)
{
	if (change == CHANGE_NONE)
		return;
	if (!alert->told && (change == CHANGE_PENDING || change == CHANGE_FIRED))
		alert->told = begin(p, alert);
	if (!alert->told)
		return;
	if (change == CHANGE_RESOLVED || change == CHANGE_DROPPED) {
		alert->told->ended_ms = alert->life.ends_ms;
		alert->told = NULL;
		return;
	}
	if (change == CHANGE_FIRED)
		alert->told->fired_ms = at_ms;
	put_words(p, alert);
}

static void observe(struct player *p, const struct limits *limits, const struct rule *rule,
	const struct fw_column *column, double value, int64_t began_ms, int64_t at_ms)
{
	struct past_alert *alert = alert_of(p, rule, column, engine_is_breach(limits, value));
	if (!alert)
		return;
	alert->seen = p->look;
	tell(p, alert, engine_observe(&alert->life, limits, value, began_ms, moment_of(at_ms)),
		at_ms);
}

/* ---- silence ---- */

static const struct alert_absence *absence_of(const struct player *p)
{
	return p->run->past->has_absence ? &p->run->past->absence : NULL;
}

/* Nothing but this was heard since `heard_ms`. */
static void observe_silence(struct player *p, int64_t at_ms)
{
	const struct alert_rule_option *option = p->run->past->in_force;
	while (option->rule->kind != RULE_SILENCE)
		option++;
	const char *class = watch_class_of(&p->host);
	struct limits limits = option->limits;
	double missed = (double)(at_ms - p->heard_ms) / (double)p->pace.interval_ms;
	if (alert_may_be_away(absence_of(p), class, at_ms - p->heard_ms) ||
		!register_is_in_service(register_lifecycle_at(&p->host.life, at_ms)))
		missed = 0;
	limits.hold_ms = alert_silence_hold_ms(absence_of(p), class, limits.hold_ms);
	observe(p, &limits, option->rule, NULL, missed, p->heard_ms, at_ms);
}

/* It is judged at the moments at which its judgement may change: when too many intervals are
 * missed, when the hold is over, and when its class may be away no longer. */
static void be_silent(struct player *p, int64_t until_ms)
{
	const struct alert_past *past = p->run->past;
	const struct alert_rule_option *option = past->in_force;
	while (option->rule->kind != RULE_SILENCE)
		option++;
	if (!past->wanted[option - past->in_force] || !p->is_missed || p->heard_ms == 0)
		return;
	int64_t missed_ms = (int64_t)(option->limits.threshold * (double)p->pace.interval_ms) + 1;
	int64_t away_ms = missed_ms;
	while (alert_may_be_away(absence_of(p), watch_class_of(&p->host), away_ms) &&
		p->heard_ms + away_ms < until_ms)
		away_ms += 1000;
	int64_t hold_ms = alert_silence_hold_ms(
		absence_of(p), watch_class_of(&p->host), option->limits.hold_ms);
	int64_t first_ms = away_ms, last_ms = away_ms > hold_ms ? away_ms : hold_ms;
	if (p->heard_ms + first_ms < until_ms)
		observe_silence(p, p->heard_ms + first_ms);
	if (last_ms > first_ms && p->heard_ms + last_ms < until_ms)
		observe_silence(p, p->heard_ms + last_ms);
}

static void hear(struct player *p, int64_t at_ms)
{
	be_silent(p, at_ms);
	if (p->heard_ms)
		watch_learn_interval(&p->pace, at_ms - p->heard_ms);
	bool was_silent = p->heard_ms != 0 && p->alerts != NULL;
	p->heard_ms = at_ms;
	if (was_silent)
		observe_silence(p, at_ms);
}

/* ---- a look ---- */

static void look_at_track(struct player *p, struct track *track, int64_t at_ms)
{
	const struct group *group = track->group;
	for (size_t i = 0; i < group->n_items; i++) {
		const struct item *item = &group->items[i];
		const struct fw_column *column = column_at(group, item->metric);
		double value;
		if (!watch_value(group, item, track->cells, at_ms, &value))
			continue;
		if (track->at_ms != track->seen_ms) {
			observe(p, &item->rule->limits, item->rule->rule, column, value, at_ms,
				at_ms);
			continue;
		}
		struct past_alert *alert = alert_of(p, item->rule->rule, column, false);
		if (alert)
			alert->seen = p->look;
	}
	track->seen_ms = track->at_ms;
}

static bool is_source_failing(const struct player *p, const struct rule *rule)
{
	struct success success = {.rule = rule};
	for (size_t i = 0; rule->source && i < p->host.n_groups; i++)
		if (p->tracks[i].at_ms)
			watch_look_for_success(&success, p->tracks[i].group, p->tracks[i].cells,
				p->tracks[i].at_ms);
	return success.any && !success.is_read;
}

static void look(struct player *p, int64_t at_ms)
{
	p->look++;
	p->run->out->n_sweeps++;
	for (size_t i = 0; i < p->host.n_groups; i++)
		if (p->tracks[i].at_ms && p->tracks[i].at_ms >= at_ms - p->lookback_ms)
			look_at_track(p, &p->tracks[i], at_ms);
	for (struct past_alert *alert = p->alerts; alert; alert = alert->next) {
		if (alert->seen == p->look || alert->rule->kind != RULE_SERIES)
			continue;
		bool ends = !alert->rule->outlasts && !is_source_failing(p, alert->rule);
		tell(p, alert, engine_miss(&alert->life, ends, moment_of(at_ms)), at_ms);
	}
}

/* ---- the sweeps ---- */

/* The next moment of any track; INT64_MAX: the piece is over. */
static int64_t next_moment(const struct player *p)
{
	int64_t at_ms = INT64_MAX;
	for (size_t i = 0; i < p->host.n_groups; i++) {
		const struct track *track = &p->tracks[i];
		if (track->next < track->columns.n && track->columns.times_ms[track->next] < at_ms)
			at_ms = track->columns.times_ms[track->next];
	}
	return at_ms;
}

static bool step(struct player *p, int64_t at_ms)
{
	bool is_heard = false;
	for (size_t i = 0; i < p->host.n_groups; i++) {
		struct track *track = &p->tracks[i];
		const struct store_columns *columns = &track->columns;
		if (track->next >= columns->n || columns->times_ms[track->next] != at_ms)
			continue;
		for (size_t c = 0; c < track->group->store.n_columns; c++)
			if (!columns->unsaid || columns->cells[c][track->next] != STORE_UNSAID)
				track->cells[c] = columns->cells[c][track->next];
		track->at_ms = at_ms;
		track->next++;
		is_heard |= track->is_voice;
	}
	return is_heard;
}

static int read_piece(struct player *p, int64_t from_ms, int64_t to_ms, struct fw_arena *scratch,
	struct fw_err *err)
{
	struct past_run *run = p->run;
	enum store_tier coarsest = STORE_RAW;
	int rc = 0;
	for (size_t i = 0; i < p->host.n_groups && rc == 0; i++) {
		struct track *track = &p->tracks[i];
		rc = store_read(run->past->store, &track->group->store, from_ms, to_ms,
			&run->patience, scratch, &track->columns, err);
		track->next = 0;
		if (rc == 0 && track->columns.tier > coarsest)
			coarsest = track->columns.tier;
	}
	p->lookback_ms = coarsest == STORE_RAW ? LOOKBACK_MS : 2 * store_bucket_ms(coarsest);
	int64_t *until_ms = coarsest == STORE_HOUR ? &run->out->hour_until_ms
		: coarsest == STORE_FIVE_MINUTE    ? &run->out->five_minute_until_ms
						   : NULL;
	if (until_ms && to_ms > *until_ms)
		*until_ms = to_ms;
	return rc;
}

static int play_piece(struct player *p, int64_t from_ms, int64_t to_ms, struct fw_err *err)
{
	struct fw_arena scratch = {.limit = READ_LIMIT};
	int rc = read_piece(p, from_ms, to_ms, &scratch, err);
	if (rc < 0 && past_goes_on(p->run, err) < 0)
		rc = past_goes_on(p->run, err); /* whoever gave up says why */
	for (int64_t at_ms; rc == 0 && (at_ms = next_moment(p)) != INT64_MAX;)
		if (step(p, at_ms)) {
			hear(p, at_ms);
			look(p, at_ms);
			rc = past_goes_on(p->run, err);
		}
	fw_arena_done(&scratch);
	return rc;
}

/* ---- the host ---- */

static bool is_asked(const struct alert_past *past, const struct fw_column *column)
{
	const char *collector = fw_label_value(column->labels, column->n_labels, "collector");
	const char *mode = fw_label_value(column->labels, column->n_labels, "mode");
	bool is_success = strcmp(column->name, SUCCESS_METRIC) == 0;
	uint64_t looks = rules_of_name(column->name).looks;
	if (strcmp(column->name, INFO_METRIC) == 0)
		return true;
	for (size_t i = 0; i < RULES; i++)
		if (past->wanted[i] &&
			(is_success ? rule_has_source(&rules[i], collector)
				    : (looks >> i & 1) && (!*mode || strcmp(mode, "idle") == 0)))
			return true;
	return false;
}

/* What the collector says of hosts is no word of theirs; nor is what came from elsewhere. */
static bool is_voice(const struct store_group *group)
{
	static const char *const ours[] = {"up", "fenwatch_patch_proven",
		"fenwatch_filesystem_fills_samples", "fenwatch_filesystem_inodes_gone_samples"};
	for (uint32_t c = 0; c < group->schema->n_columns; c++) {
		const struct fw_column *column = &group->schema->columns[c];
		if (column->type & STORE_ALONE)
			return false;
		for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
			if (strcmp(column->name, ours[i]) == 0)
				return false;
	}
	return true;
}

/* Of each group what is asked for; of a voice at least one column, to hear it by. */
static size_t trim(
	const struct alert_past *past, struct store_group *groups, size_t n, struct fw_arena *arena)
{
	size_t kept = 0;
	for (size_t g = 0; g < n; g++) {
		struct store_group group = groups[g];
		uint32_t *columns = fw_arena_alloc(arena, (group.n_columns + 1) * sizeof *columns);
		uint32_t n_columns = 0;
		for (size_t i = 0; i < group.n_columns; i++)
			if (is_asked(past, &group.schema->columns[group.columns[i]]))
				columns[n_columns++] = group.columns[i];
		if (n_columns == 0 && group.n_columns > 0 && is_voice(&group))
			columns[n_columns++] = group.columns[0];
		group.columns = columns;
		group.n_columns = n_columns;
		if (n_columns > 0)
			groups[kept++] = group;
	}
	return kept;
}

static void leave_asked_rules(const struct alert_past *past, struct group *group)
{
	size_t n = 0;
	for (size_t i = 0; i < group->n_items; i++)
		if (past->wanted[group->items[i].rule->rule - rules])
			group->items[n++] = group->items[i];
	group->n_items = n;
}

static bool accepts_same(const struct store_matcher *matcher, const char *value)
{
	return strcmp(matcher->value, value) == 0;
}

static int select_series(struct player *p, struct fw_err *err)
{
	const struct alert_past *past = p->run->past;
	struct host *host = &p->host;
	const struct store_matcher matcher = {.name = "instance",
		.accepts = accepts_same,
		.value = fw_label_value(host->labels, host->n_labels, "instance")};
	struct fw_arena passing = {0};
	struct store_group *found;
	size_t n;
	int rc = store_select_host(past->store, host->id, &matcher, 1, p->run->replay->from_ms,
		&passing, &found, &n, err);
	if (rc == 0)
		watch_take_groups(past->in_force, host, found, trim(past, found, n, &passing));
	fw_arena_done(&passing);
	p->tracks = fw_arena_alloc(&p->alive, (host->n_groups + 1) * sizeof *p->tracks);
	for (size_t i = 0; i < host->n_groups; i++) {
		struct group *group = &host->groups[i];
		leave_asked_rules(past, group);
		int64_t *cells =
			fw_arena_alloc(&p->alive, (group->store.n_columns + 1) * sizeof *cells);
		for (size_t c = 0; c < group->store.n_columns; c++)
			cells[c] = FW_ABSENT;
		p->tracks[i] = (struct track){
			.group = group, .cells = cells, .is_voice = is_voice(&group->store)};
	}
	return rc;
}

int past_play_host(struct past_run *run, const struct past_host *host, struct fw_err *err)
{
	const struct alert_replay *replay = run->replay;
	struct player p = {
		.run = run,
		.host = {.id = host->id, .labels = host->labels, .n_labels = host->n_labels},
		.is_missed = host->is_missed,
	};
	for (size_t i = 0; i < RULES; i++)
		if (rules[i].kind == RULE_SILENCE)
			p.pace.interval_ms = watch_interval_ms(&run->past->in_force[i].limits);
	watch_set_class(&p.host, host->labels, host->n_labels);
	watch_learn_from_register(replay->registry, &p.host);
	int rc = select_series(&p, err);
	for (int64_t at_ms = replay->from_ms; rc == 0 && at_ms <= replay->to_ms;
		at_ms += PIECE_MS) {
		int64_t last_ms = at_ms + PIECE_MS - 1;
		rc = play_piece(&p, at_ms, last_ms < replay->to_ms ? last_ms : replay->to_ms, err);
	}
	if (rc == 0)
		be_silent(&p, replay->to_ms);
	fw_arena_done(&p.host.arena);
	fw_arena_done(&p.alive);
	return rc;
}
