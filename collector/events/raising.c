/* SPDX-License-Identifier: Apache-2.0 */
/* What rules have raised, a row for each rule, host and what tells its faults apart.
 *
 * A row that has been cleared stays for a day, so that an older event that comes later does not
 * raise it again. A tenth of a second after a change, and once a minute, all that is raised goes
 * to the alerts as one report.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <fenwatch/log.h>

#include "alert.h"
#include "state.h"

#define SOON_MS 100
#define EVERY_MS 60000
#define FRESH_MS (15 * 60 * 1000) /* older ones raise nothing */
#define CLEARED_KEPT_MS INT64_C(86400000)
#define HOST_MOST 1000 /* rows, with those that were cleared: of one host, and of all */
#define ALL_MOST 10000
#define GROUP "event_rules"
#define LABELS_MOST 16
#define LABEL_BYTES 255 /* of a value that tells faults apart */
#define SUMMARY_BYTES 1024

/* ---- one event ---- */

/* How much of a text fits, in whole characters. */
static size_t fitting(const char *text, size_t most)
{
	size_t n = strnlen(text, most + 1);
	if (n > most)
		for (n = most; n > 0 && ((uint8_t)text[n] & 0xc0) == 0x80;)
			n--;
	return n;
}

/* What tells this fault from the host's others, as a JSON object of texts. */
static char *apart_of(const struct event_rule *rule, const Fenwatch__Wire__Event *event)
{
	json_t *object = json_object();
	for (size_t i = 0; i < rule->by.count; i++) {
		const char *value = event_field(event, rule->by.items[i]);
		json_object_set_new(object, rule->by.items[i],
			json_stringn(value, fitting(value, LABEL_BYTES)));
	}
	char *text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	return text;
}

/* What is there has room; of what is new, no host takes the room of others. */
static bool has_room(
	struct events *events, const struct event_rule *rule, const char *host, const char *apart)
{
	sqlite3_stmt *row;
	struct fw_err err;
	bool room = false;
	if (state_query(events->config.state, &row, &err,
		    "SELECT CASE WHEN EXISTS (SELECT 1 FROM event_raised"
		    " WHERE rule = ?1 AND name = ?2 AND apart = ?3) THEN 1"
		    " WHEN (SELECT count(*) FROM event_raised WHERE name = ?2) >= ?4 THEN 0"
		    " ELSE (SELECT count(*) FROM event_raised) < ?5 END",
		    "tttii", rule->name, host, apart, (int64_t)HOST_MOST, (int64_t)ALL_MOST) < 0)
		return false;
	if (state_step(events->config.state, row, &err) > 0)
		room = sqlite3_column_int(row, 0) != 0;
	state_done(row);
	return room;
}

static void tell_no_room(struct events *events, const struct event_rule *rule, const char *host)
{
	int64_t now_ms = events->config.now_ms();
	if (now_ms - events->told_full_ms < EVERY_MS)
		return;
	events->told_full_ms = now_ms;
	fw_log(FW_WARNING,
		"%s: %s is not raised: events told of %d faults of this host, or of %d of all",
		host, rule->name, HOST_MOST, ALL_MOST);
}

/* The time of an event by a clock that is ahead is when it came. */
static int64_t moment_of(const struct events *events, const Fenwatch__Wire__Event *event)
{
	int64_t now_ms = events->config.now_ms();
	return event->at_ms < now_ms ? event->at_ms : now_ms;
}

static int raise_one(struct events *events, const struct event_rule *rule,
	const struct event_shape *by, const char *host, const Fenwatch__Wire__Event *event,
	const char *apart, struct fw_err *err)
{
	int64_t at_ms = moment_of(events, event);
	if (at_ms < events->config.now_ms() - FRESH_MS)
		return 0;
	if (!has_room(events, rule, host, apart)) {
		tell_no_room(events, rule, host);
		return 0;
	}
	char *summary = rule_says(rule, event);
	summary[fitting(summary, SUMMARY_BYTES)] = '\0';
	int rc = state_run(events->config.state, err,
		"INSERT INTO event_raised (rule, name, apart, raised, since_ms, last_ms, times, summary,"
		" ends_ms) VALUES (?1, ?2, ?3, 1, ?4, ?4, 1, ?5, ?6) ON CONFLICT DO UPDATE SET"
		" since_ms = CASE WHEN raised THEN since_ms ELSE excluded.since_ms END,"
		" times = CASE WHEN raised THEN times + 1 ELSE 1 END,"
		" raised = 1, last_ms = excluded.last_ms, summary = excluded.summary,"
		" ends_ms = excluded.ends_ms WHERE excluded.last_ms >= last_ms",
		"tttiti", rule->name, host, apart, at_ms, summary, by->ends_ms);
	fw_free(summary);
	return rc;
}

static int clear_one(struct events *events, const struct event_rule *rule, const char *host,
	const Fenwatch__Wire__Event *event, const char *apart, struct fw_err *err)
{
	if (!has_room(events, rule, host, apart))
		return 0;
	return state_run(events->config.state, err,
		"INSERT INTO event_raised (rule, name, apart, raised, since_ms, last_ms, times, summary)"
		" VALUES (?1, ?2, ?3, 0, ?4, ?4, 0, '') ON CONFLICT DO UPDATE SET"
		" raised = 0, last_ms = excluded.last_ms WHERE excluded.last_ms >= last_ms",
		"ttti", rule->name, host, apart, moment_of(events, event));
}

static int follow(struct events *events, const struct event_rule *rule, const char *host,
	const Fenwatch__Wire__Event *event, struct fw_err *err)
{
	const struct event_shape *raises = rule_raises(rule, event);
	if (!raises && !rule_clears(rule, event))
		return 0;
	char *apart = apart_of(rule, event);
	int rc = raises ? raise_one(events, rule, raises, host, event, apart, err)
			: clear_one(events, rule, host, event, apart, err);
	free(apart);
	raising_changed(events);
	return rc;
}

int raising_take(struct events *events, const char *host, const Fenwatch__Wire__Event *event,
	struct fw_err *err)
{
	int rc = 0;
	for (size_t i = 0; events->rules && i < events->rules->n && rc == 0; i++)
		if (events->rules->items[i].enabled)
			rc = follow(events, &events->rules->items[i], host, event, err);
	return rc;
}

/* ---- the report ---- */

static int end_old(struct events *events, struct fw_err *err)
{
	int64_t now_ms = events->config.now_ms();
	int rc = state_run(events->config.state, err,
		"DELETE FROM event_raised WHERE NOT raised AND last_ms < ?", "i",
		now_ms - CLEARED_KEPT_MS);
	for (size_t i = 0; i < events->rules->n && rc == 0; i++) {
		const struct event_rule *rule = &events->rules->items[i];
		if (rule->ends_ms > 0)
			rc = state_run(events->config.state, err,
				"UPDATE event_raised SET raised = 0 WHERE rule = ? AND raised"
				" AND last_ms < ? - CASE WHEN ends_ms THEN ends_ms ELSE ? END",
				"tii", rule->name, now_ms, rule->ends_ms);
	}
	return rc;
}

/* What tells it apart, behind the labels that all have. */
static size_t add_apart(struct fw_label *labels, size_t n, const json_t *apart)
{
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)apart, name, value)
	{
		if (n < LABELS_MOST && *json_string_value(value))
			labels[n++] = (struct fw_label){name, json_string_value(value)};
	}
	return n;
}

static void add_row(const struct events *events, struct alert_report *report,
	const struct event_rule *rule, sqlite3_stmt *row)
{
	json_t *apart = json_loads(state_text(row, 1), 0, NULL);
	struct fw_label labels[LABELS_MOST] = {{"alertname", rule->name},
		{"instance", state_text(row, 0)}, {"severity", rule->severity}};
	const struct fw_label annotations[] = {
		{"description", rule->help}, {"summary", state_text(row, 4)}};
	const struct alert_found found = {
		.labels = labels,
		.n_labels = add_apart(labels, 3, apart),
		.annotations = annotations,
		.n_annotations = 2,
		.is_firing = true,
		.value = (double)sqlite3_column_int64(row, 3),
		.active_ms = sqlite3_column_int64(row, 2),
		.fired_ms = sqlite3_column_int64(row, 2),
	};
	alert_report_add(report, events->estate, &found);
	json_decref(apart);
}

static int add_rule(const struct events *events, struct alert_report *report,
	const struct event_rule *rule, struct fw_err *err)
{
	sqlite3_stmt *row;
	alert_report_rule(report, rule->name, "");
	int rc = state_query(events->config.state, &row, err,
		"SELECT name, apart, since_ms, times, summary FROM event_raised"
		" WHERE rule = ? AND raised",
		"t", rule->name);
	if (rc < 0)
		return rc;
	while ((rc = state_step(events->config.state, row, err)) > 0)
		add_row(events, report, rule, row);
	state_done(row);
	return rc;
}

static int tell(struct events *events, struct fw_err *err)
{
	int rc = end_old(events, err);
	if (rc < 0)
		return rc;
	struct alert_report *report = alert_report_new(GROUP, GROUP, true);
	alert_report_keep(report);
	for (size_t i = 0; i < events->rules->n && rc == 0; i++)
		if (events->rules->items[i].enabled)
			rc = add_rule(events, report, &events->rules->items[i], err);
	if (rc == 0)
		alert_take_report(events->alerts, report);
	else
		alert_report_free(report);
	return rc;
}

static void look(struct events *events)
{
	struct fw_err err;
	if (events->rules && tell(events, &err) < 0)
		fw_log(FW_ERROR, "what events have raised cannot be told: %s", err.text);
}

static void on_look(uv_timer_t *timer)
{
	uv_timer_start(timer, on_look, EVERY_MS, 0);
	look(FW_CONTAINER(timer, struct events, look));
}

void raising_changed(struct events *events)
{
	if (!events->owner.closing && uv_timer_get_due_in(&events->look) > SOON_MS)
		uv_timer_start(&events->look, on_look, SOON_MS, 0);
}

void events_tell(struct events *events, const struct event_rules *rules, const char *estate,
	struct alerts *alerts)
{
	events->rules = rules;
	events->estate = estate;
	events->alerts = alerts;
	look(events);
}

/* ---- opening and closing ---- */

static void on_owner_done(struct fw_owner *owner)
{
	fw_free(FW_CONTAINER(owner, struct events, owner));
}

void raising_open(struct events *events)
{
	fw_owner_init(&events->owner, on_owner_done);
	uv_timer_init(events->config.loop, &events->look);
	fw_owner_adopt(&events->owner, &events->look);
	uv_timer_start(&events->look, on_look, EVERY_MS, 0);
}

void raising_close(struct events *events)
{
	events->rules = NULL;
	fw_owner_close(&events->owner);
}
