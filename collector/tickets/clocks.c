/* SPDX-License-Identifier: Apache-2.0 */
#include "tickets.h"

const char *const ticket_clock_names[] = {"respond", "resolve"};
const char *const ticket_standing_names[] = {"none", "running", "at risk", "met", "missed"};

int64_t ticket_ended_ms(const struct ticket *ticket, enum ticket_clock clock)
{
	int64_t responded = ticket->responded_ms, restored = ticket->restored_ms;
	if (clock == TICKET_RESOLVE || responded == 0)
		return restored;
	return restored && restored < responded ? restored : responded;
}

/* What a pause leaves of a moment: no clock has run since it began. */
static int64_t before_pause(const struct ticket *ticket, int64_t at_ms)
{
	int64_t since_ms = ticket->paused_since_ms;
	return since_ms && since_ms < at_ms ? since_ms : at_ms;
}

static enum ticket_standing standing_of_open(
	const struct ticket *ticket, int64_t due_ms, int64_t at_ms)
{
	if (at_ms > due_ms)
		return TICKET_MISSED;
	return at_ms - ticket->raised_ms > (due_ms - ticket->raised_ms) / 5 * 4 ? TICKET_AT_RISK
										: TICKET_RUNNING;
}

enum ticket_standing ticket_standing(
	const struct ticket *ticket, enum ticket_clock clock, int64_t at_ms)
{
	int64_t due_ms = ticket->due_ms[clock], end_ms = ticket_ended_ms(ticket, clock);
	if (due_ms == 0)
		return TICKET_UNSET;
	if (end_ms == 0)
		return standing_of_open(ticket, due_ms, before_pause(ticket, at_ms));
	return before_pause(ticket, end_ms) <= due_ms ? TICKET_MET : TICKET_MISSED;
}
