/* apt's preferences, as far as they are simple.
 *
 * A paragraph names packages ("Package: a b lib*"), what it pins and a
 * priority. Followed are pins of a release (a=, n=, o=, l=, all of those given
 * must match) and of a version (exact or ending in '*'); others are passed
 * over. Where several match, the first wins, those that name packages before
 * those for all of them.
 */
#pragma once

#include <stdint.h>

#define APTPINS_LIMIT 256

struct apt_archive;
struct aptpin;

struct aptpins {
	struct aptpin *pins;
	uint32_t n;
};

void aptpins_read(struct aptpins *pins, int fd);
int16_t aptpins_priority(const struct aptpins *pins, const char *package, const char *version,
	const struct apt_archive *archive, int16_t usual);
void aptpins_done(struct aptpins *pins);
