/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"
#include "noise.h"

#define UNREACHABLE "SiteUnreachable"
#define SETTLE_MS 3000 /* in which a crowd comes together before it is told of */

/* Its rule's hold; of a blue-light site, as of such hosts. */
static int64_t hold_of(const struct alerts *alerts, const struct site_incident *incident)
{
	const struct alert_options *options = alerts->config.options;
	const struct alert_rule_option *rule = &alerts->rules[rule_find(UNREACHABLE) - rules];
	return alert_silence_hold_ms(
		options ? &options->absence : NULL, incident->tier, rule->limits.hold_ms);
}

static bool on_site(const struct site_incident *incident, void *arg)
{
	struct alerts *alerts = arg;
	const struct notice_pair apart = {"site", incident->site};
	if (incident->since_ms == 0) {
		alerts_clear(alerts, UNREACHABLE, &apart);
		return false;
	}
	if (alerts_now().mono_ms - incident->since_ms < hold_of(alerts, incident))
		return false;
	char *text = fw_format("the site %s cannot be reached: %zu %s unobserved", incident->site,
		incident->n_hosts, incident->n_hosts == 1 ? "device is" : "devices are");
	alerts_reword(alerts, UNREACHABLE, &apart, text);
	alerts_raise(alerts, UNREACHABLE, &apart, text);
	fw_free(text);
	return true;
}

static char *text_of(const struct crowd *crowd)
{
	if (crowd->kind == CROWD_STORM)
		return fw_format("%zu more alerts of %s are held", crowd->n, crowd->name);
	return fw_format(
		"the budget of tickets is spent, alerts held: %zu (%s)", crowd->n, crowd->name);
}

static void look_at_crowd(struct alerts *alerts, struct crowd *crowd, int64_t wall_ms)
{
	bool is_storm = crowd->kind == CROWD_STORM;
	const char *name = is_storm ? "AlertStorm" : "TicketBudgetSpent";
	const struct notice_pair apart = {is_storm ? "rule" : "budget", crowd->name};
	size_t few = is_storm ? (size_t)alerts->config.options->noise.storm : 0;
	if (crowd->n > few && wall_ms - crowd->since_ms >= SETTLE_MS) {
		char *text = text_of(crowd);
		alerts_reword(alerts, name, &apart, text);
		alerts_raise(alerts, name, &apart, text);
		fw_free(text);
		crowd->is_raised = true;
	} else if (crowd->n <= few && crowd->is_raised) {
		alerts_clear(alerts, name, &apart);
		crowd->is_raised = false;
	}
}

void incidents_look(struct alerts *alerts, int64_t now_ms)
{
	const struct site_host *hosts;
	size_t n = watch_hosts(alerts->watch, now_ms, &hosts);
	sites_look(alerts->sites, hosts, n, now_ms);
	sites_each(alerts->sites, now_ms, on_site, alerts);
	struct crowd *crowd = noise_crowds(gate_noise(alerts->gate));
	for (; crowd; crowd = crowd->next)
		look_at_crowd(alerts, crowd, alerts_now().wall_ms);
}
