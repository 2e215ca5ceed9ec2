/* SPDX-License-Identifier: Apache-2.0 */
#include "sampling.h"

#define CALM_TURNS 10

void sampling_init(struct sampling *s, int64_t budget_ppm, int64_t cpu_us, int64_t now_us)
{
	*s = (struct sampling){.budget_ppm = budget_ppm, .cpu_us = cpu_us, .at_us = now_us};
}

unsigned sampling_turn(struct sampling *s, int64_t cpu_us, int64_t now_us)
{
	int64_t passed = now_us - s->at_us, used = cpu_us - s->cpu_us;
	if (passed <= 0)
		return s->shift;
	int64_t share = used * 1000000 / passed;
	s->cpu_us = cpu_us;
	s->at_us = now_us;
	s->calm = share < s->budget_ppm / 3 ? s->calm + 1 : 0;
	if (share > s->budget_ppm && s->shift < SAMPLING_MOST)
		s->shift++;
	else if (s->calm >= CALM_TURNS && s->shift > 0) {
		s->shift--;
		s->calm = 0;
	}
	return s->shift;
}
