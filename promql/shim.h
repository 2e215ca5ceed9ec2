/* What only C++ libraries do well, behind C: RE2's expressions, which run in
 * linear time and are written as Prometheus writes them, and double-conversion's
 * shortest digits. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct shim_regex;

/* Anchored at both ends, "." matches a newline. NULL when it does not compile: `why` says it. */
struct shim_regex *shim_regex_new(const char *pattern, char *why, size_t size);
void shim_regex_free(struct shim_regex *regex);
bool shim_regex_matches(const struct shim_regex *regex, const char *text);

/* The fewest digits of |value| (finite, not 0) that read back the same. The
 * value is 0.DIGITS times ten to the power of `point`. Returns their number. */
#define SHIM_DIGITS 18
int shim_shortest(double value, char digits[SHIM_DIGITS], int *point);

#ifdef __cplusplus
}
#endif
