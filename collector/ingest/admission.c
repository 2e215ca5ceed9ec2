/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#define ONE 1000 /* an admission, in thousandths */

void admission_init(struct admission *admission, unsigned n_workers, uint64_t now_ms)
{
	uint64_t a_second = (uint64_t)ADMISSIONS_A_SECOND * ONE / n_workers;
	uint64_t most = a_second * ADMISSION_BURST_MS / 1000;
	*admission = (struct admission){
		.a_second = a_second,
		.most = most > ONE ? most : ONE,
		.at_ms = now_ms,
	};
	admission->credit = admission->most;
}

uint64_t admission_wait_ms(struct admission *admission, uint64_t now_ms)
{
	uint64_t earned = (now_ms - admission->at_ms) * admission->a_second / 1000;
	uint64_t credit = admission->credit + earned;
	admission->credit = credit < admission->most ? credit : admission->most;
	admission->at_ms = now_ms;
	if (admission->credit >= ONE)
		return 0;
	uint64_t missing = ONE - admission->credit;
	return (missing * 1000 + admission->a_second - 1) / admission->a_second;
}

void admission_take(struct admission *admission)
{
	admission->credit -= ONE;
}
