/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#define UNREACHABLE "SiteUnreachable"

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
	alerts_raise(alerts, UNREACHABLE, &apart, text);
	fw_free(text);
	return true;
}

void incidents_look(struct alerts *alerts, int64_t now_ms)
{
	const struct site_host *hosts;
	size_t n = watch_hosts(alerts->watch, now_ms, &hosts);
	sites_look(alerts->sites, hosts, n, now_ms);
	sites_each(alerts->sites, now_ms, on_site, alerts);
}
