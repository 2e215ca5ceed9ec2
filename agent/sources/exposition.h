/* Prometheus' text format, as the files of node_exporter's textfile directory have it.
 *
 * Read strictly, a line at a time: what is not of the format is an error that names its
 * line. Names, labels and their number are held to what the wire allows; labels come
 * sorted. A time behind a value is refused, as node_exporter does.
 */
#pragma once

#include <stddef.h>

#include <fenwatch/err.h>
#include <fenwatch/schema.h>
#include <fenwatch/text.h>

#define EXPOSITION_NAME 256

struct exposition_sample {
	const char *name, *help;
	enum fw_metric_type type;
	const char *labels[2 * FW_LABELS_LIMIT + 1]; /* names and values, ended by NULL */
	double value;
};

/* Calls `each` for every sample; stops at the first negative, and at the first mistake with
 * -EINVAL and a sentence. */
int exposition_read(struct fw_cursor text,
	int (*each)(const struct exposition_sample *sample, void *arg), void *arg,
	struct fw_err *err);
