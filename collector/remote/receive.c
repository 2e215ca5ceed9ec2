/* SPDX-License-Identifier: Apache-2.0 */
/* remote_write, 1.0 and 2.0: from a body to series of the store.
 *
 * What cannot be taken is told with 400 and a sentence, and the rest is written all the
 * same, as both specifications have it: the sender must not come with it again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <fenwatch/log.h>
#include <fenwatch/text.h>

#include "bodies.h"
#include "internal.h"
#include "labels.h"
#include "remote.pb-c.h"

typedef Fenwatch__Remote__Write Write;
typedef Fenwatch__Remote__Write2 Write2;

#define SYMBOLS_LIMIT 1000000
#define LABELS_LIMIT 256 /* of one series on the wire; the store has its own */

struct remote *remote_new(struct store *store)
{
	struct remote *remote = fw_alloc(sizeof *remote);
	remote->store = store;
	metadata_init(&remote->metadata);
	return remote;
}

void remote_free(struct remote *remote)
{
	if (!remote)
		return;
	metadata_done(&remote->metadata);
	fw_free(remote);
}

size_t remote_metadata(struct remote *remote, const char *metric, struct fw_arena *arena,
	struct remote_about **out)
{
	return metadata_collect(&remote->metadata, metric, arena, out);
}

void remote_stat(struct remote *remote, struct remote_stat *out)
{
	struct counters *counters = &remote->counters;
	*out = (struct remote_stat){
		.writes = counters->writes,
		.bytes = counters->bytes,
		.bad = counters->bad,
		.samples = counters->samples,
		.histograms = counters->histograms,
		.exemplars = counters->exemplars,
	};
	for (int i = 0; i < STORE_REFUSALS; i++)
		out->refused[i] = counters->refused[i];
}

/* ---- the kind of body ---- */

static void finish(struct remote_write *write, unsigned status)
{
	write->status = status;
	if (status != 204 && write->samples == 0)
		write->remote->counters.bad++;
	write->on_done(write);
}

static void fail(struct remote_write *write, unsigned status, const char *sentence)
{
	snprintf(write->why, sizeof write->why, "%s", sentence);
	finish(write, status);
}

/* The parameter "proto" of the content type; without one it is 1.0. */
static int read_type(struct remote_write *write)
{
	static const char plain[] = "application/x-protobuf", param[] = "proto=";
	const char *type = write->content_type ? write->content_type : plain;
	if (strncasecmp(type, plain, sizeof plain - 1) != 0)
		return -ENOTSUP;
	const char *proto = strstr(type, param);
	if (!proto)
		return 0;
	proto += sizeof param - 1;
	size_t length = strcspn(proto, "; \t");
	write->is_2 = length == strlen("io.prometheus.write.v2.Request") &&
		strncmp(proto, "io.prometheus.write.v2.Request", length) == 0;
	bool is_1 = length == strlen("prometheus.WriteRequest") &&
		strncmp(proto, "prometheus.WriteRequest", length) == 0;
	return write->is_2 || is_1 ? 0 : -ENOTSUP;
}

/* ---- labels ---- */

/* An empty label is none. Of one that comes twice neither is right: the store refuses it. */
static size_t put_in_order(struct fw_label *labels, size_t n)
{
	size_t kept = 0;
	bool sorted = true;
	for (size_t i = 0; i < n; i++) {
		if (!*labels[i].value && *labels[i].name)
			continue;
		sorted &= kept == 0 || strcmp(labels[kept - 1].name, labels[i].name) < 0;
		labels[kept++] = labels[i];
	}
	if (!sorted)
		labels_sort(labels, kept);
	return kept;
}

static int take_samples(struct remote_write *write, struct store_foreign *series,
	Fenwatch__Remote__Sample *const *samples, size_t n, struct fw_err *err)
{
	series->samples = fw_arena_try(&write->arena, n * sizeof *series->samples + 1);
	if (!series->samples)
		return body_fail_memory(err);
	series->n_samples = n;
	for (size_t i = 0; i < n; i++)
		series->samples[i] =
			(struct store_sample){samples[i]->at_ms, fw_double_cell(samples[i]->value)};
	return 0;
}

/* ---- 1.0 ---- */

static int take_labels(struct remote_write *write, const Fenwatch__Remote__Series *from,
	struct store_foreign *series, struct fw_err *err)
{
	if (from->n_labels > LABELS_LIMIT)
		return fw_fail(err, -EINVAL, "a series has %zu labels, the limit is %d",
			from->n_labels, LABELS_LIMIT);
	struct fw_label *labels = fw_arena_try(&write->arena, from->n_labels * sizeof *labels + 1);
	if (!labels)
		return body_fail_memory(err);
	for (size_t i = 0; i < from->n_labels; i++) {
		labels[i].name = body_text(&from->labels[i]->name, &write->arena);
		labels[i].value = body_text(&from->labels[i]->value, &write->arena);
		if (!labels[i].name || !labels[i].value)
			return fw_fail(err, -EINVAL, "a label has a zero byte in it");
	}
	series->labels = labels;
	series->n_labels = put_in_order(labels, from->n_labels);
	return 0;
}

static enum remote_type type_of(int32_t type)
{
	return type > 0 && type < REMOTE_TYPES ? (enum remote_type)type : REMOTE_UNKNOWN;
}

static void take_about(struct remote_write *write, const Fenwatch__Remote__About *from)
{
	struct remote_about about = {
		.metric = body_text(&from->metric, &write->arena),
		.help = body_text(&from->help, &write->arena),
		.unit = body_text(&from->unit, &write->arena),
		.type = type_of(from->type),
	};
	if (about.metric && about.help && about.unit &&
		fw_utf8_valid(about.metric, strlen(about.metric)) &&
		fw_utf8_valid(about.help, strlen(about.help)) &&
		fw_utf8_valid(about.unit, strlen(about.unit)))
		metadata_note(&write->remote->metadata, &about);
}

static int take_1(struct remote_write *write, const Write *from, struct fw_err *err)
{
	struct counters *counters = &write->remote->counters;
	write->n_series = from->n_series;
	write->series = fw_arena_try(&write->arena, from->n_series * sizeof *write->series + 1);
	if (!write->series)
		return body_fail_memory(err);
	for (size_t i = 0; i < from->n_series; i++) {
		const Fenwatch__Remote__Series *one = from->series[i];
		int rc = take_labels(write, one, &write->series[i], err);
		if (rc >= 0)
			rc = take_samples(
				write, &write->series[i], one->samples, one->n_samples, err);
		if (rc < 0)
			return rc;
		counters->histograms += one->n_histograms;
		counters->exemplars += one->n_exemplars;
	}
	for (size_t i = 0; i < from->n_about; i++)
		take_about(write, from->about[i]);
	return 0;
}

/* ---- 2.0 ---- */

static int take_symbols(
	struct remote_write *write, const Write2 *from, const char ***out, struct fw_err *err)
{
	if (from->n_symbols > SYMBOLS_LIMIT)
		return fw_fail(err, -EINVAL, "%zu symbols, the limit is %d", from->n_symbols,
			SYMBOLS_LIMIT);
	const char **symbols = fw_arena_try(&write->arena, from->n_symbols * sizeof *symbols + 1);
	if (!symbols)
		return body_fail_memory(err);
	for (size_t i = 0; i < from->n_symbols; i++) {
		symbols[i] = body_text(&from->symbols[i], &write->arena);
		if (!symbols[i])
			return fw_fail(err, -EINVAL, "a symbol has a zero byte in it");
	}
	*out = symbols;
	return 0;
}

static int take_labels_2(struct remote_write *write, const Write2 *whole,
	const char *const *symbols, const Fenwatch__Remote__Series2 *from,
	struct store_foreign *series, struct fw_err *err)
{
	size_t n = from->n_labels / 2;
	if (from->n_labels % 2 || n > LABELS_LIMIT)
		return fw_fail(
			err, -EINVAL, "a series has %zu references to labels", from->n_labels);
	struct fw_label *labels = fw_arena_try(&write->arena, n * sizeof *labels + 1);
	if (!labels)
		return body_fail_memory(err);
	for (size_t i = 0; i < n; i++) {
		uint32_t name = from->labels[2 * i], value = from->labels[2 * i + 1];
		if (name >= whole->n_symbols || value >= whole->n_symbols)
			return fw_fail(err, -EINVAL,
				"a label refers to symbol %u, and there are %zu",
				name > value ? name : value, whole->n_symbols);
		labels[i] = (struct fw_label){symbols[name], symbols[value]};
	}
	series->labels = labels;
	series->n_labels = put_in_order(labels, n);
	return 0;
}

static const char *name_of(const struct store_foreign *series)
{
	return fw_label_value(series->labels, series->n_labels, "__name__");
}

/* Series of a histogram or summary have one of these behind the metric's name. */
static const char *family_of(struct remote_write *write, const char *name, enum remote_type type)
{
	static const char *const ends[] = {"_bucket", "_count", "_sum"};
	bool many = type == REMOTE_HISTOGRAM || type == REMOTE_GAUGE_HISTOGRAM ||
		type == REMOTE_SUMMARY;
	size_t length = strlen(name);
	for (size_t i = 0; many && i < sizeof ends / sizeof *ends; i++) {
		size_t end = strlen(ends[i]);
		if (length > end && strcmp(name + length - end, ends[i]) == 0)
			return fw_arena_strndup(&write->arena, name, length - end);
	}
	return name;
}

static void take_about_2(struct remote_write *write, const Write2 *whole,
	const char *const *symbols, const Fenwatch__Remote__About2 *from, const char *name)
{
	if (!from || from->help >= whole->n_symbols || from->unit >= whole->n_symbols ||
		(from->type == 0 && !*symbols[from->help]))
		return;
	const struct remote_about about = {
		.metric = family_of(write, name, type_of(from->type)),
		.help = symbols[from->help],
		.unit = symbols[from->unit],
		.type = type_of(from->type),
	};
	if (fw_utf8_valid(about.metric, strlen(about.metric)) &&
		fw_utf8_valid(about.help, strlen(about.help)) &&
		fw_utf8_valid(about.unit, strlen(about.unit)))
		metadata_note(&write->remote->metadata, &about);
}

static bool is_same_about(const Fenwatch__Remote__About2 *a, const Fenwatch__Remote__About2 *b)
{
	return a && b && a->type == b->type && a->help == b->help && a->unit == b->unit;
}

static int take_2(struct remote_write *write, const Write2 *from, struct fw_err *err)
{
	struct counters *counters = &write->remote->counters;
	const char **symbols;
	int rc = take_symbols(write, from, &symbols, err);
	write->n_series = from->n_series;
	write->series = fw_arena_try(&write->arena, from->n_series * sizeof *write->series + 1);
	if (rc < 0 || !write->series)
		return rc < 0 ? rc : body_fail_memory(err);
	for (size_t i = 0; i < from->n_series; i++) {
		const Fenwatch__Remote__Series2 *one = from->series[i];
		struct store_foreign *series = &write->series[i];
		rc = take_labels_2(write, from, symbols, one, series, err);
		if (rc >= 0)
			rc = take_samples(write, series, one->samples, one->n_samples, err);
		if (rc < 0)
			return rc;
		/* Series of one metric come one after the other, and say the same of it. */
		if (i == 0 || strcmp(name_of(series), name_of(series - 1)) != 0 ||
			!is_same_about(one->about, from->series[i - 1]->about))
			take_about_2(write, from, symbols, one->about, name_of(series));
		counters->histograms += one->n_histograms;
		counters->exemplars += one->n_exemplars;
	}
	return 0;
}

/* ---- the answer ---- */

static void print_series(struct fw_buf *out, const struct store_foreign *series)
{
	bool any = false;
	fw_buf_puts(out, name_of(series));
	for (size_t i = 0; i < series->n_labels; i++) {
		const struct fw_label *label = &series->labels[i];
		if (strcmp(label->name, "__name__") == 0)
			continue;
		fw_buf_printf(out, "%s%s=\"%s\"", any ? ", " : "{", label->name, label->value);
		any = true;
	}
	fw_buf_puts(out, any ? "}" : "");
}

static void say_refused(
	struct remote_write *write, const struct store_foreign *first, uint64_t refused)
{
	struct fw_buf name = {0};
	char shown[160];
	print_series(&name, first);
	fw_escape((const char *)name.data, shown, sizeof shown);
	snprintf(write->why, sizeof write->why, "%s (%llu samples were not taken; the first: %s)",
		remote_refusals[first->refusal].sentence, (unsigned long long)refused, shown);
	fw_buf_done(&name);
}

static void count(struct remote_write *write)
{
	struct counters *counters = &write->remote->counters;
	const struct store_foreign *first = NULL;
	uint64_t refused = 0;
	for (size_t i = 0; i < write->n_series; i++) {
		const struct store_foreign *series = &write->series[i];
		if (series->n_samples > 0) /* else none stands for those of equal times */
			write->samples += series->n_samples + series->n_merged;
		refused += series->n_refused;
		counters->refused[series->refusal] += series->n_refused;
		if (series->n_refused > 0 && !first)
			first = series;
	}
	counters->samples += write->samples;
	if (first)
		say_refused(write, first, refused);
	finish(write, first ? 400 : 204);
}

static void on_written(struct store_entry *entry)
{
	struct remote_write *write = (struct remote_write *)(void *)((char *)entry -
		offsetof(struct remote_write, entry));
	if (entry->verdict == STORE_DURABLE)
		count(write);
	else
		fail(write, 503, "the store takes nothing now");
}

static void hand_over(struct remote_write *write)
{
	struct fw_err err;
	struct store *store = write->remote->store;
	if (store_foreign_open(store, write->series, write->n_series, write->now_ms, &err) < 0) {
		fail(write, 503, err.text);
		return;
	}
	write->entry = (struct store_entry){
		.kind = STORE_FOREIGN,
		.foreign = write->series,
		.n_foreign = write->n_series,
		.received_ms = write->now_ms,
		.on_done = on_written,
	};
	store_submit(store, &write->entry);
}

static int take_apart(struct remote_write *write, struct fw_err *err)
{
	const uint8_t *data;
	size_t length;
	void *message;
	int packing = body_packing_of(write->encoding);
	int rc = body_unpack((enum body_packing)packing, write->body, write->length, &write->arena,
		&data, &length, err);
	if (rc >= 0)
		rc = body_parse(write->is_2 ? &fenwatch__remote__write2__descriptor
					    : &fenwatch__remote__write__descriptor,
			data, length, &write->arena, &message, err);
	if (rc < 0)
		return rc;
	return write->is_2 ? take_2(write, message, err) : take_1(write, message, err);
}

void remote_receive(struct remote *remote, struct remote_write *write)
{
	struct fw_err err;
	int rc;
	write->remote = remote;
	write->arena.limit = REMOTE_ARENA_LIMIT;
	remote->counters.writes++;
	remote->counters.bytes += write->length;
	if (read_type(write) < 0)
		fail(write, 415,
			"Content-Type must be application/x-protobuf, with proto="
			"prometheus.WriteRequest or io.prometheus.write.v2.Request if any");
	else if (body_packing_of(write->encoding) < 0)
		fail(write, 415, "Content-Encoding must be snappy or zstd");
	else if ((rc = take_apart(write, &err)) < 0)
		fail(write, rc == -EMSGSIZE ? 413 : 400, err.text);
	else
		hand_over(write);
}

void remote_write_done(struct remote_write *write)
{
	fw_arena_done(&write->arena);
}
