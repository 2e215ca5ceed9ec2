/* What is found damaged or missing while files are opened: counted, and told a sentence each. */
#pragma once

#include <stdint.h>

struct damage {
	uint64_t n;                                         /* places */
	void (*on_damage)(const char *sentence, void *arg); /* may be NULL */
	void *arg;
};

/* `n` places, of which one sentence tells; none, and nothing is told. */
__attribute__((format(printf, 3, 4))) void damage_found(
	struct damage *damage, uint64_t n, const char *format, ...);
