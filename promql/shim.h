/* What only a C++ library does well, behind C: RE2's expressions, which run in
 * linear time and are written as Prometheus writes them. */
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

/* The same as Go's regexp searches: not anchored, "." stops at a newline. */
struct shim_regex *shim_regex_search_new(const char *pattern, char *why, size_t size);
/* The first match from byte `from` on: begin and end of it and of its groups, -1 where a
 * group took no part, `n` of them. */
bool shim_regex_search(
	const struct shim_regex *regex, const char *text, size_t from, int *spans, size_t n);
/* The same of the whole text, anchored at both ends. */
#define SHIM_GROUPS 64 /* more are taken as if they took no part */
bool shim_regex_find(const struct shim_regex *regex, const char *text, int *spans, size_t n);
/* The number of a group by its name or its digits; -1: there is none. */
int shim_regex_group(const struct shim_regex *regex, const char *name, size_t length);

#ifdef __cplusplus
}
#endif
