/* What the agent may cost its machine: a tenth of one processor, and 64 MiB.
 *
 * The CPU time of every source is counted, that of its children too. When all
 * of them together took more than BUDGET_PERCENT of a processor over a minute,
 * the one that took most of it is off for an hour and then tried again. So one
 * source that meets a machine it was not made for costs itself, not the rest.
 * An agent with more than BUDGET_MEMORY_BYTES of its own ends with the reason,
 * and whoever watches over it starts it anew; nothing that is spooled is lost.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUDGET_PERCENT 10
#define BUDGET_WINDOW_MS 60000
#define BUDGET_OFF_MS (60 * 60000)
#define BUDGET_MEMORY_BYTES (64 << 20)

struct budget;

/* For sources 0 to n - 1. Times are of the monotonic clock. */
struct budget *budget_new(size_t n, int64_t now_ms);
void budget_free(struct budget *b);
void budget_spend(struct budget *b, size_t source, uint64_t cpu_us);
bool budget_is_off(const struct budget *b, size_t source, int64_t now_ms);

struct budget_verdict {
	size_t source;
	unsigned percent, percent_all; /* of a processor, its and everybody's share of the window */
};
/* Once a window: true, and a source has been put off. */
bool budget_judge(struct budget *b, int64_t now_ms, struct budget_verdict *out);
