/* Where a test reads which sweeps an agent has seen acknowledged.
 *
 * In a build with test seams, and with FENWATCH_LEDGER naming a file, every
 * acknowledged sweep is one line of it: its time in ms, lane and number. Otherwise
 * this is nothing.
 */
#pragma once

#include "spool.h"

#ifdef FW_TEST_SEAMS
/* Before spool_ack(). */
void ledger_note(struct spool *spool, const uint64_t acked[LANES]);
#else
static inline void ledger_note(struct spool *spool, const uint64_t acked[LANES])
{
	(void)spool;
	(void)acked;
}
#endif
