/* SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include <errno.h>
#include <string.h>

#include <fenwatch/batch.h>

#include "answer.h"

static void pack_sample(
	const struct source *source, const struct sweep *s, uint32_t column, struct fw_buf *out)
{
	const struct fw_column *c = &sweep_schema(s)->columns[column];
	fw_buf_put_varint(out, (uint64_t)(sweep_metric(s, column) - source->metrics));
	fw_buf_put_varint(out, fw_zigzag(sweep_cells(s)[column]));
	fw_buf_put_varint(out, c->n_labels);
	for (uint16_t i = 0; i < c->n_labels; i++) {
		fw_buf_append(out, c->labels[i].name, strlen(c->labels[i].name) + 1);
		fw_buf_append(out, c->labels[i].value, strlen(c->labels[i].value) + 1);
	}
}

void samples_pack(const struct source *source, const struct sweep *s, int rc,
	const struct fw_err *err, struct fw_buf *out)
{
	uint32_t n = sweep_schema(s)->n_columns;
	fw_buf_put_varint(out, fw_zigzag(rc));
	fw_buf_append(out, err->text, strlen(err->text) + 1);
	fw_buf_put_varint(out, n);
	for (uint32_t i = 0; i < n; i++)
		pack_sample(source, s, i, out);
}

struct sample {
	const struct metric *metric;
	int64_t mantissa;
	const char *labels[2 * FW_LABELS_LIMIT + 1];
};

/* A label's name as our own sources write them. */
static bool is_name(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
	return length > 0 && text[length] == '\0';
}

static bool cut_sample(struct reader *r, const struct source *source, struct sample *out)
{
	uint64_t metric, mantissa, n_labels;
	if (!cut_number(r, &metric) || metric >= source->n_metrics || !cut_number(r, &mantissa) ||
		!cut_number(r, &n_labels) || n_labels > FW_LABELS_LIMIT)
		return false;
	out->metric = &source->metrics[metric];
	out->mantissa = fw_unzigzag(mantissa);
	size_t n = (size_t)n_labels;
	for (size_t i = 0; i < 2 * n; i += 2) {
		if (!cut_text(r, &out->labels[i]) || !is_name(out->labels[i]) ||
			!cut_text(r, &out->labels[i + 1]))
			return false;
		if (i > 0 && strcmp(out->labels[i - 2], out->labels[i]) >= 0)
			return false;
	}
	out->labels[2 * n] = NULL;
	return true;
}

int samples_check(const struct source *source, const struct fw_buf *packed, size_t *length,
	struct fw_err *err)
{
	struct reader r = {packed->data, packed->data + packed->length};
	struct sample sample;
	int rc;
	const char *sentence;
	uint64_t n, i = 0;
	if (packed->length == 0 || !cut_answer(&r, &rc, &sentence, &n))
		return fw_fail(err, -EBADMSG, "it ended without an answer");
	while (i < n && cut_sample(&r, source, &sample))
		i++;
	if (i < n)
		return fw_fail(err, -EBADMSG, "its answer is not whole");
	*length = (size_t)(r.at - packed->data);
	return rc < 0 ? fw_fail(err, rc, "%s", sentence) : 0;
}

void samples_add(const struct source *source, const struct fw_buf *packed, struct sweep *out)
{
	struct reader r = {packed->data, packed->data + packed->length};
	struct sample sample;
	int rc;
	const char *sentence;
	uint64_t n = 0;
	if (packed->length == 0 || !cut_answer(&r, &rc, &sentence, &n))
		return;
	for (uint64_t i = 0; i < n && cut_sample(&r, source, &sample); i++)
		sweep_add(out, sample.metric, sample.mantissa, sample.labels);
}
