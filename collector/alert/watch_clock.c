/* SPDX-License-Identifier: Apache-2.0 */
/* Whether hosts have the time that we have.
 *
 * Live values are made just before they come, so the difference is the clock's. It is judged
 * whenever a host speaks: a silent one has no other clock than it had. What was on its way
 * while a line stood still is old only until the next value, which is what the hold is for;
 * a host that comes back after a silence and has gone again by then begins anew each time.
 */
#include <fenwatch/clock.h>

#include "watch.h"

static bool has_just_come_back(const struct host *host)
{
	return host->back_ms == host->heard_ms;
}

/* What it is taken for, by the limits: a device has its agent's clock, of which one alert is
 * enough, and what a host comes back with opens nothing and ends nothing that fires. */
static double taken_for(
	struct watch *watch, const struct host *host, const struct limits *limits, double off_s)
{
	if (!engine_is_breach(limits, off_s))
		return off_s;
	if (watch_speaker(watch, host))
		return limits->recovery;
	return has_just_come_back(host) ? limits->threshold : off_s;
}

static void look(struct watch *watch, struct host *host, const struct alert_rule_option *option,
	double off_s)
{
	if (option->enabled)
		watch_observe(watch, host, option, NULL,
			taken_for(watch, host, &option->limits, off_s), fw_mono_ms());
}

void watch_look_at_clock(struct watch *watch, struct host *host, const struct store_host *seen)
{
	int64_t sent_ms = seen->newest_ms + seen->ahead_ms;
	double behind_s = (double)(seen->received_ms - sent_ms) / 1000;
	look(watch, host, watch->behind, behind_s);
	look(watch, host, watch->ahead, -behind_s);
}
