/* How much of the wire is looked into, so that it stays within its share of a processor.
 *
 * Once a second sampling_turn() is told how much time was used. Over the budget the share
 * is halved at once; it is doubled again only when for ten seconds less than a third of
 * the budget was used, so that it does not swing.
 */
#pragma once

#include <stdint.h>

#define SAMPLING_MOST 12 /* one conversation of 4,096 */

struct sampling {
	int64_t budget_ppm; /* of one core */
	int64_t cpu_us, at_us;
	unsigned shift, calm;
};

void sampling_init(struct sampling *s, int64_t budget_ppm, int64_t cpu_us, int64_t now_us);
/* Returns the shift that holds from now on: one of 2^shift is looked into. */
unsigned sampling_turn(struct sampling *s, int64_t cpu_us, int64_t now_us);
