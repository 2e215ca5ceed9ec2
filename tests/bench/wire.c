/* SPDX-License-Identifier: Apache-2.0 */
/* What the wire's encodings cost, on a capture of a real host.
 *
 * usage: wire FILE
 *
 * The capture is a file of frames itself: a Schema of 367 columns and 244 sweeps
 * 10 s apart as packed backlog batches. It is decoded, encoded anew in each form,
 * and the sizes are compared with their targets: they are the same on every
 * machine, so one that is missed ends the program with 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/batch.h>
#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/schema.h>
#include <fenwatch/wire.h>

#define INTERVAL_MS 10000

struct capture {
	struct fw_arena arena;
	struct fw_schema schema;
	size_t schema_bytes;
	uint32_t n_sweeps;
	int64_t times_ms[4 * FW_SWEEPS_LIMIT];
	int64_t *cells;
};

static void die(const char *what, const struct fw_err *err)
{
	fprintf(stderr, "wire: %s: %s\n", what, err->text);
	exit(2);
}

static void take_schema(struct capture *c, const struct fw_frame *frame)
{
	struct fw_err err;
	uint32_t id;
	if (fw_schema_decode(frame->payload, frame->length, &c->arena, NULL, NULL, &id, &c->schema,
		    &err) < 0)
		die("the capture's schema", &err);
	c->schema_bytes = frame->length;
	c->cells = fw_arena_alloc(
		&c->arena, 4 * FW_SWEEPS_LIMIT * c->schema.n_columns * sizeof *c->cells);
}

static void take_batch(struct capture *c, const struct fw_frame *frame)
{
	struct fw_batch batch;
	struct fw_err err;
	int64_t *to = c->cells + (size_t)c->n_sweeps * c->schema.n_columns;
	int rc = fw_batch_open(frame->payload, frame->length, &c->arena, &batch, &err);
	if (rc == 0 && c->n_sweeps + batch.n_sweeps > 4 * FW_SWEEPS_LIMIT)
		rc = fw_fail(&err, -1, "too many sweeps");
	if (rc == 0)
		rc = fw_batch_decode(&batch, c->schema.n_columns, NULL, to, &err);
	if (rc < 0)
		die("the capture's batches", &err);
	memcpy(c->times_ms + c->n_sweeps, batch.times_ms, batch.n_sweeps * sizeof *batch.times_ms);
	c->n_sweeps += batch.n_sweeps;
}

static void load(struct capture *c, const char *path)
{
	struct fw_buf file = {0};
	struct fw_err err;
	if (fw_file_read(path, 4u << 20, &file, &err) < 0)
		die("the capture", &err);
	for (size_t at = 0; at < file.length;) {
		struct fw_frame frame;
		int used = fw_frame_cut(file.data + at, file.length - at, &frame, &err);
		if (used <= 0)
			die("the capture's frames", &err);
		if (frame.type == FW_FRAME_SCHEMA)
			take_schema(c, &frame);
		else
			take_batch(c, &frame);
		at += (size_t)used;
	}
	fw_buf_done(&file);
}

enum form { LIVE, KEY, BACKLOG };

static void encode(
	const struct capture *c, enum form form, uint32_t at, uint32_t n_sweeps, struct fw_buf *out)
{
	size_t n = c->schema.n_columns;
	struct fw_sweeps sweeps = {
		.n_sweeps = n_sweeps,
		.n_columns = c->schema.n_columns,
		.times_ms = c->times_ms + at,
		.cells = c->cells + at * n,
	};
	const int64_t *before = form == LIVE ? c->cells + (at - 1) * n : NULL;
	if (form == BACKLOG)
		fw_batch_encode_backlog(&sweeps, 40000 + at, 3, INTERVAL_MS, out);
	else
		fw_batch_encode_live(&sweeps, 40000 + at, 3, INTERVAL_MS, before, out);
}

/* Bytes a sample with the frame around it; batches begin at the second sweep. */
static double measure_size(const struct capture *c, enum form form, uint32_t n_sweeps)
{
	struct fw_buf message = {0};
	uint64_t bytes = 0, samples = 0;
	for (uint32_t at = 1; at + n_sweeps <= c->n_sweeps; at += n_sweeps) {
		fw_buf_reset(&message);
		encode(c, form, at, n_sweeps, &message);
		bytes += FW_FRAME_HEADER + message.length;
		samples += (uint64_t)n_sweeps * c->schema.n_columns;
	}
	fw_buf_done(&message);
	return (double)bytes / (double)samples;
}

static double measure_encode_us(const struct capture *c, enum form form, uint32_t n_sweeps)
{
	struct fw_buf message = {0};
	uint64_t start_ns = fw_cpu_ns(), n = 0;
	for (unsigned round = 0; round < 20; round++)
		for (uint32_t at = 1; at + n_sweeps <= c->n_sweeps; at += n_sweeps, n++) {
			fw_buf_reset(&message);
			encode(c, form, at, n_sweeps, &message);
		}
	fw_buf_done(&message);
	return (double)(fw_cpu_ns() - start_ns) / 1000 / (double)n;
}

static double measure_decode_us(const struct capture *c, enum form form, uint32_t n_sweeps)
{
	size_t width = c->schema.n_columns;
	int64_t *cells = fw_alloc_array(n_sweeps * width, sizeof *cells);
	struct fw_buf message = {0};
	struct fw_arena arena = {0};
	uint64_t spent_ns = 0, n = 0;
	for (uint32_t at = 1; at + n_sweeps <= c->n_sweeps; at += n_sweeps) {
		fw_buf_reset(&message);
		encode(c, form, at, n_sweeps, &message);
		uint64_t start_ns = fw_cpu_ns();
		for (unsigned round = 0; round < 50; round++, n++) {
			struct fw_batch batch;
			struct fw_err err;
			fw_arena_reset(&arena);
			if (fw_batch_open(message.data, message.length, &arena, &batch, &err) < 0 ||
				fw_batch_decode(&batch, c->schema.n_columns,
					c->cells + (at - 1) * width, cells, &err) < 0)
				die("a batch of our own", &err);
		}
		spent_ns += fw_cpu_ns() - start_ns;
		if (memcmp(cells, c->cells + at * width, n_sweeps * width * sizeof *cells) != 0)
			die("a batch of our own", &(struct fw_err){"is not what was encoded"});
	}
	fw_free(cells);
	fw_buf_done(&message);
	fw_arena_done(&arena);
	return (double)spent_ns / 1000 / (double)n;
}

static const struct {
	const char *what;
	enum form form;
	uint32_t n_sweeps;
	double target; /* bytes a sample; 0: none */
} forms[] = {
	{"live, 1 sweep", LIVE, 1, 0.75},
	{"live, 6 sweeps", LIVE, 6, 0.70},
	{"key, 1 sweep", KEY, 1, 0},
	{"key, 6 sweeps", KEY, 6, 0},
	{"backlog, 1 sweep", BACKLOG, 1, 0},
	{"backlog, 6 sweeps", BACKLOG, 6, 0},
	{"backlog, 60 sweeps", BACKLOG, 60, 0.60},
};

int main(int argc, char **argv)
{
	static struct capture capture;
	bool missed = false;
	if (argc != 2) {
		fprintf(stderr, "usage: wire FILE\n");
		return 2;
	}
	load(&capture, argv[1]);
	printf("%u series, %u sweeps; a whole schema is %zu bytes. Frames counted, TLS and TCP not.\n\n",
		capture.schema.n_columns, capture.n_sweeps, capture.schema_bytes);
	printf("%-20s %14s %8s %10s %10s\n", "batch", "bytes a sample", "target", "encode us",
		"decode us");
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		double bytes = measure_size(&capture, forms[i].form, forms[i].n_sweeps);
		printf("%-20s %14.3f ", forms[i].what, bytes);
		if (forms[i].target > 0)
			printf("%8.2f", forms[i].target);
		else
			printf("%8s", "-");
		printf(" %10.2f %10.2f\n",
			measure_encode_us(&capture, forms[i].form, forms[i].n_sweeps),
			measure_decode_us(&capture, forms[i].form, forms[i].n_sweeps));
		missed = missed || (forms[i].target > 0 && bytes > forms[i].target);
	}
	fw_arena_done(&capture.arena);
	return missed;
}
