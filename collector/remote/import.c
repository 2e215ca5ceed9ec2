/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "internal.h"
#include "openmetrics.h"

struct importing {
	struct remote *remote;
	struct fw_arena arena;
	struct store_foreign *series; /* a sample each */
	size_t n, capacity;
};

static void on_sample(const struct openmetrics_sample *sample, void *arg)
{
	struct importing *im = arg;
	if (im->n == im->capacity) {
		im->capacity = 2 * im->capacity + 1024;
		im->series = fw_realloc(im->series, im->capacity * sizeof *im->series);
	}
	struct store_sample *one = fw_arena_alloc(&im->arena, sizeof *one);
	*one = (struct store_sample){sample->at_ms, fw_double_cell(sample->value)};
	im->series[im->n++] = (struct store_foreign){
		.labels = sample->labels,
		.n_labels = sample->n_labels,
		.samples = one,
		.n_samples = 1,
	};
}

static void on_about(const struct remote_about *about, void *arg)
{
	struct importing *im = arg;
	metadata_note(&im->remote->metadata, about);
}

/* All are taken, or it is said which not, and the others are. */
static int count(const struct importing *im, uint64_t *samples, struct fw_err *err)
{
	size_t refused = 0, first = 0;
	for (size_t i = im->n; i-- > 0;) {
		*samples += im->series[i].n_samples;
		refused += im->series[i].n_refused;
		first = im->series[i].n_refused > 0 ? i : first;
	}
	im->remote->counters.samples += *samples;
	if (refused == 0)
		return 0;
	im->remote->counters.refused[im->series[first].refusal] += refused;
	return fw_fail(err, -ERANGE, "%s (%zu samples from the %zuth on of this part)",
		remote_refusals[im->series[first].refusal].sentence, refused, first + 1);
}

int remote_import(struct remote *remote, const char *text, size_t length, uint64_t line,
	int64_t now_ms, uint64_t *samples, struct fw_err *err)
{
	struct importing im = {.remote = remote};
	const struct openmetrics_to to = {on_sample, on_about, &im, &im.arena};
	*samples = 0;
	int rc = openmetrics_parse(text, length, line, &to, err);
	if (rc >= 0)
		rc = store_foreign_write(remote->store, im.series, im.n, now_ms, err);
	if (rc >= 0)
		rc = count(&im, samples, err);
	fw_free(im.series);
	fw_arena_done(&im.arena);
	return rc;
}
