/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"
#include "noise.h"

#define SETTLE_MS 3000 /* in which a crowd comes together before it is told of */

/* Its rule's hold; of a blue-light site, as of such hosts. */
static int64_t hold_of(const struct alerts *alerts, const struct site_incident *incident)
{
	const struct alert_options *options = alerts->config.options;
	const struct alert_rule_option *rule = &alerts->rules[rule_find(SITES_RULE) - rules];
	return alert_silence_hold_ms(
		options ? &options->absence : NULL, incident->tier, rule->limits.hold_ms);
}

static bool on_site(const struct site_incident *incident, void *arg)
{
	struct alerts *alerts = arg;
	const struct notice_pair apart = {"site", incident->site};
	if (incident->since_ms == 0) {
		alerts_clear(alerts, SITES_RULE, &apart);
		return false;
	}
	if (alerts_now().mono_ms - incident->since_ms < hold_of(alerts, incident))
		return false;
	char *text = fw_format("the site %s cannot be reached: %zu %s unobserved", incident->site,
		incident->n_hosts, incident->n_hosts == 1 ? "device is" : "devices are");
	alerts_reword(alerts, SITES_RULE, &apart, 1, text);
	alerts_raise(alerts, SITES_RULE, &apart, text);
	fw_free(text);
	return true;
}

static char *text_of(const struct crowd *crowd)
{
	if (crowd->kind == CROWD_STORM)
		return fw_format("%zu more alerts of %s are held%s%s%s", crowd->n, crowd->name,
			*crowd->supplier ? ", of hosts of " : "", crowd->supplier,
			crowd->is_urgent ? ", all of them P1" : "");
	return fw_format(
		"the budget of tickets is spent, alerts held: %zu (%s)", crowd->n, crowd->name);
}

/* Whose a storm is, and how urgent, are labels: by them it finds its way as what it holds
 * would have. */
static size_t tell_apart(const struct crowd *crowd, struct notice_pair apart[ALERT_APART])
{
	size_t n = 0;
	if (crowd->kind == CROWD_BUDGET) {
		apart[n++] = (struct notice_pair){"budget", crowd->name};
		return n;
	}
	if (crowd->is_urgent)
		apart[n++] = (struct notice_pair){"priority", "P1"};
	apart[n++] = (struct notice_pair){"rule", crowd->name};
	if (*crowd->supplier)
		apart[n++] = (struct notice_pair){"supplier", crowd->supplier};
	return n;
}

static void look_at_crowd(struct alerts *alerts, struct crowd *crowd, int64_t wall_ms)
{
	bool is_storm = crowd->kind == CROWD_STORM;
	const char *name = is_storm ? "AlertStorm" : "TicketBudgetSpent";
	struct notice_pair apart[ALERT_APART];
	size_t n_apart = tell_apart(crowd, apart);
	size_t few = is_storm ? (size_t)alerts->config.options->noise.storm : 0;
	identity_key(alerts->config.estate, "", name, apart, n_apart, crowd->key);
	if (crowd->n > few && wall_ms - crowd->since_ms >= SETTLE_MS) {
		char *text = text_of(crowd);
		alerts_reword(alerts, name, apart, n_apart, text);
		alert_raise_apart(alerts, name, "", apart, n_apart, text);
		fw_free(text);
		crowd->is_raised = true;
	} else if (crowd->n <= few && crowd->is_raised) {
		alert_clear_apart(alerts, name, "", apart, n_apart);
		crowd->is_raised = false;
	}
}

/* Feeds that would have heard of what has joined it since hear of it, too. */
static void spread(struct alerts *alerts, struct crowd *crowd)
{
	const struct alert *alert = alert_find(alerts->homeless, crowd->key);
	struct fw_err err;
	if (!crowd->grew || !crowd->is_raised || !alert || alert->episode.life.phase != FIRING)
		return;
	int told = gate_spread(alerts->gate, crowd, &alert->episode, alerts_now(), &err);
	if (told < 0)
		alerts_tell_trouble(alerts, &err);
	else if (told > 0)
		outbox_wake(alerts->outbox);
}

void incidents_look(struct alerts *alerts, int64_t now_ms)
{
	const struct site_host *hosts;
	size_t n = watch_hosts(alerts->watch, now_ms, &hosts);
	sites_look(alerts->sites, hosts, n, now_ms);
	sites_each(alerts->sites, now_ms, on_site, alerts);
	struct crowd *crowd = noise_crowds(gate_noise(alerts->gate));
	for (; crowd; crowd = crowd->next) {
		look_at_crowd(alerts, crowd, alerts_now().wall_ms);
		spread(alerts, crowd);
	}
}
