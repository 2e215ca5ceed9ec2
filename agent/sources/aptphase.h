/* Ubuntu's phased updates: whether this machine's turn has come.
 *
 * An archive may say of a version that so many percent of machines shall take it.
 * apt draws a number from 0 to 100 for the version and the machine, and leaves the
 * update for later where it is above. The same is drawn here: a generator
 * (minstd_rand of C++11, [rand.predef]) seeded with "SOURCE-VERSION-MACHINEID" by
 * seed_seq ([rand.util.seedseq]), and its range divided as GNU's C++ library does.
 */
#pragma once

#include <stdbool.h>

/* `machine_id`: 32 hexadecimal digits; empty where the machine has none, which takes all. */
bool aptphase_is_later(
	const char *source, const char *version, const char *machine_id, unsigned percentage);
/* The number that is drawn. */
unsigned aptphase_draw(const char *seed);
