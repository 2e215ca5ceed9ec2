/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluation.h"

#include <errno.h>

#include <fenwatch/clock.h>
#include <fenwatch/mem.h>

#include "checkup.h"
#include "query.h"
#include "remote.h"
#include "rulings.h"
#include "schedule.h"
#include "store.h"

#define SAMPLES 10000000 /* of one question */
#define BYTES ((size_t)256 << 20)
#define TIMEOUT_MS 30000

struct evaluation {
	struct store *store;
	struct query_source source;
	struct promql_data data;
	struct rulings *rulings;
	struct schedule *schedule;
	int64_t loaded_ms;
	void (*on_closed)(void *arg);
	void *arg;
};

/* ---- the schedule's thread ---- */

/* A series that cannot be taken is told; the others are kept. */
static int write_series(struct store *store, struct store_foreign *series, size_t n, int64_t now_ms,
	struct fw_err *err)
{
	int rc = store_foreign_write(store, series, n, now_ms, err);
	for (size_t i = 0; i < n && rc == 0; i++)
		if (series[i].refusal != STORE_TAKEN)
			rc = fw_fail(err, -EINVAL, "a series could not be kept: %s",
				remote_refusals[series[i].refusal].sentence);
	return rc;
}

static int on_samples(
	void *arg, const struct group_sample *samples, size_t n, int64_t at_ms, struct fw_err *err)
{
	struct evaluation *evaluation = arg;
	struct store_foreign *series = fw_alloc_array(n + 1, sizeof *series);
	struct store_sample *cells = fw_alloc_array(n + 1, sizeof *cells);
	for (size_t i = 0; i < n; i++) {
		cells[i] = (struct store_sample){at_ms, fw_double_cell(samples[i].value)};
		series[i] = (struct store_foreign){
			.labels = samples[i].labels.items,
			.n_labels = samples[i].labels.n,
			.samples = &cells[i],
			.n_samples = 1,
		};
	}
	int rc = write_series(evaluation->store, series, n, fw_wall_ms(), err);
	fw_free(cells);
	fw_free(series);
	return rc;
}

static void on_evaluated(void *arg, const struct schedule_group *group)
{
	const struct evaluation *evaluation = arg;
	rulings_evaluated(evaluation->rulings, group);
}

static void on_loaded(void *arg, const struct schedule_group *groups, size_t n)
{
	const struct evaluation *evaluation = arg;
	rulings_loaded(evaluation->rulings, groups, n);
}

/* ---- the main thread ---- */

static void on_rulings_closed(void *arg)
{
	struct evaluation *evaluation = arg;
	void (*on_closed)(void *arg) = evaluation->on_closed;
	void *closed_arg = evaluation->arg;
	fw_free(evaluation);
	if (on_closed)
		on_closed(closed_arg);
}

void evaluation_close(struct evaluation *evaluation, void (*on_closed)(void *arg), void *arg)
{
	evaluation->on_closed = on_closed;
	evaluation->arg = arg;
	if (evaluation->schedule)
		schedule_close(evaluation->schedule);
	rulings_close(evaluation->rulings, on_rulings_closed, evaluation);
}

static int open_schedule(
	struct evaluation *evaluation, const struct evaluation_config *config, struct fw_err *err)
{
	const struct schedule_config schedule = {
		.data = &evaluation->data,
		.on_samples = on_samples,
		.on_evaluated = on_evaluated,
		.on_loaded = on_loaded,
		.arg = evaluation,
		.limits = {.max_samples = SAMPLES,
			.max_bytes = BYTES,
			.timeout_ms = TIMEOUT_MS,
			.lookback_ms = config->lookback_ms},
		.interval_ms = config->interval_ms,
		.external_labels = config->external_labels,
		.external_url = config->external_url,
	};
	return schedule_open(&evaluation->schedule, &schedule, err);
}

int evaluation_open(
	struct evaluation **out, const struct evaluation_config *config, struct fw_err *err)
{
	struct evaluation *evaluation = fw_alloc(sizeof *evaluation);
	evaluation->store = config->store;
	evaluation->source = (struct query_source){.store = config->store, .max_bytes = BYTES};
	evaluation->data = query_data(&evaluation->source);
	evaluation->rulings = rulings_open(config->loop, config->estate, config->alerts);
	int rc = open_schedule(evaluation, config, err);
	if (rc < 0) {
		evaluation_close(evaluation, NULL, NULL);
		return rc;
	}
	*out = evaluation;
	return 0;
}

void evaluation_load(struct evaluation *evaluation, struct rule_set *rules, int64_t now_ms)
{
	schedule_load(evaluation->schedule, rules);
	evaluation->loaded_ms = now_ms;
}

struct schedule *evaluation_schedule(const struct evaluation *evaluation)
{
	return evaluation->schedule;
}

const char *evaluation_trouble(const struct evaluation *evaluation, int64_t now_ms)
{
	struct fw_arena arena = {0};
	struct schedule_group *groups;
	size_t n = 0;
	schedule_list(evaluation->schedule, &arena, &groups, &n);
	const char *trouble = checkup_rules(groups, n, evaluation->loaded_ms, now_ms);
	fw_arena_done(&arena);
	return trouble;
}
