/* SPDX-License-Identifier: Apache-2.0 */
#include "budget.h"

#include <fenwatch/mem.h>

struct spending {
	uint64_t cpu_us; /* in this window */
	int64_t off_until_ms;
};

struct budget {
	int64_t window_ms; /* when it began */
	size_t n;
	struct spending spendings[];
};

struct budget *budget_new(size_t n, int64_t now_ms)
{
	struct budget *b = fw_alloc(sizeof *b + n * sizeof b->spendings[0]);
	b->window_ms = now_ms;
	b->n = n;
	/* The clock counts from the machine's start: what comes before that is below 0. */
	for (size_t i = 0; i < n; i++)
		b->spendings[i].off_until_ms = now_ms;
	return b;
}

void budget_free(struct budget *b)
{
	fw_free(b);
}

void budget_spend(struct budget *b, size_t source, uint64_t cpu_us)
{
	b->spendings[source].cpu_us += cpu_us;
}

bool budget_is_off(const struct budget *b, size_t source, int64_t now_ms)
{
	return now_ms < b->spendings[source].off_until_ms;
}

static unsigned percent_of(uint64_t cpu_us, int64_t window_ms)
{
	return (unsigned)(cpu_us / 10 / (uint64_t)window_ms);
}

static void begin_window(struct budget *b, int64_t now_ms)
{
	b->window_ms = now_ms;
	for (size_t i = 0; i < b->n; i++)
		b->spendings[i].cpu_us = 0;
}

bool budget_judge(struct budget *b, int64_t now_ms, struct budget_verdict *out)
{
	int64_t window_ms = now_ms - b->window_ms;
	uint64_t all_us = 0;
	size_t most = 0;
	if (window_ms < BUDGET_WINDOW_MS)
		return false;
	for (size_t i = 0; i < b->n; i++) {
		all_us += b->spendings[i].cpu_us;
		if (b->spendings[i].cpu_us > b->spendings[most].cpu_us)
			most = i;
	}
	out->source = most;
	out->percent = percent_of(b->spendings[most].cpu_us, window_ms);
	out->percent_all = percent_of(all_us, window_ms);
	begin_window(b, now_ms);
	if (out->percent_all < BUDGET_PERCENT)
		return false;
	b->spendings[most].off_until_ms = now_ms + BUDGET_OFF_MS;
	return true;
}
