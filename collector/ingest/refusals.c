/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#include <fenwatch/clock.h>
#include <fenwatch/log.h>

#define WINDOW_MS 10000
#define LINES_A_WINDOW 20 /* of one cause */

static const char *const cause_names[CAUSES] = {
	[CAUSE_TLS] = "in the TLS handshake",
	[CAUSE_STANDING] = "for who they are",
	[CAUSE_CLONE] = "as clones",
	[CAUSE_PROTOCOL] = "for what they sent",
	[CAUSE_SILENCE] = "for their silence",
	[CAUSE_ENROL] = "at enrolment",
	[CAUSE_STORE] = "by the store",
	[CAUSE_OVERLOAD] = "for too much",
};

void refusals_log(struct refusals *refusals, enum cause cause, const char *address,
	const char *name, const char *why)
{
	int64_t now_ms = fw_mono_ms();
	uv_mutex_lock(&refusals->lock);
	if (refusals->causes[cause].told == 0)
		refusals->causes[cause].window_ms = now_ms;
	bool tell = refusals->causes[cause].told < LINES_A_WINDOW;
	if (tell)
		refusals->causes[cause].told++;
	else
		refusals->causes[cause].untold++;
	uv_mutex_unlock(&refusals->lock);
	if (!tell)
		return;
	if (name)
		fw_log(FW_WARNING, "%s (%s) refused: %s", name, address, why);
	else
		fw_log(FW_WARNING, "%s refused: %s", address, why);
}

void refusals_sum_up(struct refusals *refusals)
{
	int64_t now_ms = fw_mono_ms();
	for (int cause = 0; cause < CAUSES; cause++) {
		unsigned untold = 0;
		uv_mutex_lock(&refusals->lock);
		if (refusals->causes[cause].told > 0 &&
			now_ms - refusals->causes[cause].window_ms >= WINDOW_MS) {
			untold = refusals->causes[cause].untold;
			refusals->causes[cause].told = refusals->causes[cause].untold = 0;
		}
		uv_mutex_unlock(&refusals->lock);
		if (untold > 0)
			fw_log(FW_WARNING, "%u more refused %s", untold, cause_names[cause]);
	}
}
