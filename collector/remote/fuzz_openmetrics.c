/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of OpenMetrics; what is told must be what the store may be handed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/text.h>

#include "openmetrics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_sample(const struct openmetrics_sample *sample, void *arg)
{
	(void)arg;
	if (sample->n_labels == 0 || sample->n_labels > FW_LABELS_LIMIT)
		abort();
	for (size_t i = 0; i < sample->n_labels; i++)
		if (!*sample->labels[i].value ||
			!fw_utf8_valid(sample->labels[i].value, strlen(sample->labels[i].value)))
			abort();
}

static void on_about(const struct remote_about *about, void *arg)
{
	(void)arg;
	if (!about->metric || about->type >= REMOTE_TYPES)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fw_arena arena = {0};
	struct fw_err err;
	const struct openmetrics_to to = {on_sample, on_about, NULL, &arena};
	openmetrics_parse((const char *)data, size, 1, &to, &err);
	fw_arena_done(&arena);
	return 0;
}
