/* SPDX-License-Identifier: Apache-2.0 */
/* What people and desks say of an alert. It ends when what is watched says so; only where
 * nobody can tell whether it goes on, somebody's word ends it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/mem.h>

#include "acks.h"
#include "ruled.h"

void alert_doubt(const struct alerts *alerts, const struct alert *alert, char text[ALERT_DOUBT])
{
	*text = '\0';
	if (alert->ruling.ruled)
		ruled_doubt(alert->ruling.ruled, alert, text, ALERT_DOUBT);
	else if (alert->rule && alert->rule->kind != RULE_RAISED &&
		alert->list == &alerts->homeless)
		snprintf(text, ALERT_DOUBT, "nothing is stored of its host any more");
	else if (alert->episode.life.gone_ms != 0)
		snprintf(text, ALERT_DOUBT, "%s",
			alert->is_source_failing ? "what reads it does not succeed"
						 : "its host no longer reports it");
}

struct search {
	const struct meant *meant;
	struct alert *found;
};

static void look_for(struct alert *alert, void *arg)
{
	struct search *search = arg;
	if (alert->episode.life.phase == FIRING &&
		alert->episode.life.starts_ms == search->meant->starts_ms &&
		strcmp(alert->episode.key, search->meant->key) == 0)
		search->found = alert;
}

static struct alert *find(struct alerts *alerts, const struct meant *meant)
{
	struct search search = {.meant = meant};
	alerts_each(alerts, look_for, &search);
	return search.found;
}

static void set_closed(struct alert *alert, const char *by, const char *why)
{
	fw_free((char *)alert->closed_for);
	fw_free(alert->closed_by);
	alert->closed_for = why ? fw_strdup(why) : NULL;
	alert->closed_by = by ? fw_strdup(by) : NULL;
}

static int end_by_hand(struct alerts *alerts, const struct meant *meant,
	const struct alert_answer *answer, struct fw_err *err)
{
	struct alert *alert = find(alerts, meant);
	struct life life = alert->episode.life;
	set_closed(alert, answer->who, *answer->note ? answer->note : "its desk has resolved it");
	alert_changed(alerts, alert, &life, engine_end(&life, alerts_now()));
	alerts_commit(alerts);
	alert = find(alerts, meant);
	if (!alert)
		return 0;
	set_closed(alert, NULL, NULL);
	return fw_fail(err, -EIO, "it cannot be closed: %.150s", alerts->trouble);
}

static int close_by_hand(
	struct alerts *alerts, const struct alert_answer *answer, struct fw_err *err)
{
	char doubt[ALERT_DOUBT] = "";
	struct meant meant;
	int rc = acks_name(alerts->acks, answer, &meant, err);
	if (rc < 0)
		return rc;
	struct alert *alert = find(alerts, &meant);
	if (alert)
		alert_doubt(alerts, alert, doubt);
	if (!*doubt)
		return fw_fail(err, -EALREADY,
			"it is firing, and ends when what is watched says so: only an alert whose state is unknown can be closed by hand");
	return end_by_hand(alerts, &meant, answer, err);
}

/* A desk that has resolved what fires has said so, and that is all. */
static int close_for_desk(
	struct alerts *alerts, const struct alert_answer *answer, struct fw_err *err)
{
	struct alert_answer closing = *answer;
	closing.kind = ANSWER_CLOSED;
	int rc = close_by_hand(alerts, &closing, err);
	return rc == -ENOENT || rc == -EALREADY ? 0 : rc;
}

int alert_take_answer(struct alerts *alerts, const struct alert_answer *answer, struct fw_err *err)
{
	if (answer->kind == ANSWER_CLOSED)
		return close_by_hand(alerts, answer, err);
	int rc = acks_add(alerts->acks, alerts->config.options, answer, fw_wall_ms(), err);
	if (rc == 0 && answer->kind == ANSWER_RESOLVED)
		rc = close_for_desk(alerts, answer, err);
	if (rc == 0)
		outbox_wake(alerts->outbox);
	return rc;
}
