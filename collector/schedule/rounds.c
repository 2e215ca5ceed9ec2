/* SPDX-License-Identifier: Apache-2.0 */
#include "rounds.h"

#include <string.h>

#include <fenwatch/crc.h>

static uint32_t shift_of(const struct file_group *file)
{
	uint32_t crc = fw_crc32c(0, file->file, strlen(file->file) + 1);
	return fw_crc32c(crc, file->name, strlen(file->name) + 1);
}

int64_t round_moment(const struct file_group *file, int64_t interval_ms, int64_t now_ms)
{
	int64_t shift_ms = (int64_t)shift_of(file) % interval_ms;
	int64_t past_ms = (now_ms - shift_ms) % interval_ms;
	return now_ms - (past_ms < 0 ? past_ms + interval_ms : past_ms);
}

/* ---- another set of files ---- */

static void open_round(
	struct round *round, const struct file_group *file, int64_t interval_ms, int64_t now_ms)
{
	round->interval_ms = file->interval_ms ? file->interval_ms : interval_ms;
	round->due_ms = round_moment(file, round->interval_ms, now_ms) + round->interval_ms;
	group_init(&round->group, file);
}

static struct round *find(const struct rounds *rounds, const struct file_group *file)
{
	for (size_t i = 0; i < rounds->n; i++)
		if (strcmp(rounds->items[i].group.file->name, file->name) == 0 &&
			strcmp(rounds->items[i].group.file->file, file->file) == 0)
			return &rounds->items[i];
	return NULL;
}

static void take_over(struct round *round, struct round *before)
{
	group_take_over(&round->group, &before->group);
	round->evaluations = before->evaluations;
	round->missed = before->missed;
	round->failures = before->failures;
}

void rounds_load(struct rounds *rounds, struct rule_set *set, int64_t interval_ms, int64_t now_ms,
	const struct group_settings *settings)
{
	struct rounds next = {.set = set};
	size_t n = 0;
	for (size_t f = 0; f < set->n_files; f++)
		n += set->files[f].n_groups;
	next.items = fw_alloc_array(n + 1, sizeof *next.items);
	for (size_t f = 0; f < set->n_files; f++)
		for (size_t g = 0; g < set->files[f].n_groups; g++) {
			const struct file_group *file = &set->files[f].groups[g];
			struct round *before = find(rounds, file);
			open_round(&next.items[next.n], file, interval_ms, now_ms);
			if (before)
				take_over(&next.items[next.n], before);
			if (rounds->set)
				group_begin_anew(&next.items[next.n].group);
			next.n++;
		}
	for (size_t i = 0; i < rounds->n; i++)
		group_end(&rounds->items[i].group, now_ms, settings, NULL);
	rounds_done(rounds);
	*rounds = next;
}

void rounds_done(struct rounds *rounds)
{
	for (size_t i = 0; i < rounds->n; i++)
		group_done(&rounds->items[i].group);
	fw_free(rounds->items);
	if (rounds->set)
		rule_set_done(rounds->set);
	fw_free(rounds->set);
	*rounds = (struct rounds){0};
}

/* ---- one round ---- */

/* A clock that was put back takes the moments with it. */
static void put_back(struct round *round, int64_t now_ms)
{
	if (round->due_ms - now_ms > round->interval_ms)
		round->due_ms = round_moment(round->group.file, round->interval_ms, now_ms) +
			round->interval_ms;
}

struct round *rounds_first(const struct rounds *rounds, int64_t now_ms)
{
	struct round *first = NULL;
	for (size_t i = 0; i < rounds->n; i++) {
		put_back(&rounds->items[i], now_ms);
		if (!first || rounds->items[i].due_ms < first->due_ms)
			first = &rounds->items[i];
	}
	return first;
}

void round_run(struct round *round, int64_t now_ms, const struct group_settings *settings)
{
	int64_t late = (now_ms - round->due_ms) / round->interval_ms;
	if (late > 0) {
		round->missed += (uint64_t)late;
		round->due_ms += late * round->interval_ms;
	}
	int64_t at_ms = round->due_ms;
	round->failures += group_evaluate(&round->group, at_ms, settings);
	if (++round->evaluations >= ROUNDS_RESTORE_AFTER)
		group_restore(&round->group, at_ms, settings);
	round->due_ms = at_ms + round->interval_ms;
}
