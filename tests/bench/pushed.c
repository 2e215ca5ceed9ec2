/* SPDX-License-Identifier: Apache-2.0 */
/* The past of made-up hosts (gen.h), or a capture of one, pushed by remote_write 1.0.
 *
 * usage: pushed URL START_MS HOSTS SWEEPS [jitter]
 *        pushed URL START_MS CAPTURE
 *
 * A request has one host's next five minutes; the hosts take turns. With jitter sweeps
 * are up to 5 ms early or late. It ends when the last was answered, or at once with 1
 * where one was refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <snappy-c.h>

#include <fenwatch/buf.h>
#include <fenwatch/text.h>

#include "capture.h"
#include "gen.h"

#define REQUEST_SWEEPS 30
#define LABELS_MOST 8

enum { VARINT = 0, FIXED64 = 1, BYTES = 2 }; /* kinds of protobuf's fields */

struct host {
	struct gen_host made;
	uint32_t dice;
	struct fw_buf *labels; /* of each series, encoded */
};

struct push {
	CURL *curl;
	struct curl_slist *headers;
	struct host *hosts;
	unsigned n_hosts, n_series;
	uint32_t n_sweeps;
	int64_t start_ms;
	bool jitter;
	struct recording capture; /* of the one host, or nothing */
	double *values;           /* of a request, sweep after sweep */
	struct fw_buf message, series, sample, packed, reply;
};

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "pushed: %s: %s\n", what, why);
	exit(1);
}

static void put_tag(struct fw_buf *out, unsigned field, unsigned kind)
{
	fw_buf_put_varint(out, field << 3 | kind);
}

static void put_bytes(struct fw_buf *out, unsigned field, const void *data, size_t length)
{
	put_tag(out, field, BYTES);
	fw_buf_put_varint(out, length);
	fw_buf_append(out, data, length);
}

static void put_label(struct fw_buf *out, const struct fw_label *label)
{
	struct fw_buf pair = {0};
	put_bytes(&pair, 1, label->name, strlen(label->name));
	put_bytes(&pair, 2, label->value, strlen(label->value));
	put_bytes(out, 1, pair.data, pair.length);
	fw_buf_done(&pair);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct fw_label *)a)->name, ((const struct fw_label *)b)->name);
}

static void put_labels(struct fw_buf *out, const struct fw_column *column, const char *instance)
{
	struct fw_label labels[LABELS_MOST] = {
		{"__name__", column->name}, {"instance", instance}, {"job", "node"}};
	unsigned n = 3;
	for (unsigned l = 0; l < column->n_labels; l++)
		labels[n++] = column->labels[l];
	qsort(labels, n, sizeof *labels, by_name);
	for (unsigned l = 0; l < n; l++)
		put_label(out, &labels[l]);
}

static void add_hosts(struct push *push, unsigned n, const struct fw_column *columns)
{
	push->n_hosts = n;
	push->hosts = fw_alloc_array(n, sizeof *push->hosts);
	push->values = fw_alloc_array((size_t)REQUEST_SWEEPS * push->n_series, sizeof(double));
	for (unsigned h = 0; h < n; h++) {
		struct host *host = &push->hosts[h];
		char instance[32];
		snprintf(instance, sizeof instance, "host-%05u", h);
		gen_host_init(&host->made, h);
		host->dice = h + 1;
		host->labels = fw_alloc_array(push->n_series, sizeof *host->labels);
		for (unsigned i = 0; i < push->n_series; i++) {
			host->labels[i] = (struct fw_buf){0};
			put_labels(&host->labels[i], &columns[i], instance);
		}
	}
}

/* ---- what is told ---- */

static int64_t capture_sweep(const struct push *push, uint32_t sweep, double *values)
{
	const struct recording *capture = &push->capture;
	memcpy(values, capture->cells + (size_t)sweep * push->n_series,
		push->n_series * sizeof *values);
	return push->start_ms + capture->times_ms[sweep] - capture->times_ms[0];
}

static int64_t made_sweep(
	const struct push *push, struct host *host, uint32_t sweep, double *values)
{
	int64_t at_ms = push->start_ms + (int64_t)sweep * GEN_INTERVAL_MS;
	host->dice = host->dice * 1664525 + 1013904223;
	if (push->jitter)
		at_ms += (int64_t)(host->dice >> 16) % 11 - 5;
	gen_host_step(&host->made, sweep, at_ms, values);
	return at_ms;
}

static int64_t next_sweep(
	const struct push *push, struct host *host, uint32_t sweep, double *values)
{
	return push->capture.cells ? capture_sweep(push, sweep, values)
				   : made_sweep(push, host, sweep, values);
}

static void put_sample(struct push *push, int64_t at_ms, double value)
{
	struct fw_buf *sample = &push->sample;
	fw_buf_reset(sample);
	put_tag(sample, 1, FIXED64);
	fw_buf_append(sample, &value, sizeof value);
	put_tag(sample, 2, VARINT);
	fw_buf_put_varint(sample, (uint64_t)at_ms);
	put_bytes(&push->series, 2, sample->data, sample->length);
}

static void make_message(struct push *push, struct host *host, uint32_t first, uint32_t n)
{
	int64_t times_ms[REQUEST_SWEEPS];
	for (uint32_t s = 0; s < n; s++)
		times_ms[s] = next_sweep(push, host, first + s, push->values + s * push->n_series);
	fw_buf_reset(&push->message);
	for (unsigned i = 0; i < push->n_series; i++) {
		fw_buf_reset(&push->series);
		fw_buf_append(&push->series, host->labels[i].data, host->labels[i].length);
		for (uint32_t s = 0; s < n; s++)
			put_sample(push, times_ms[s], push->values[s * push->n_series + i]);
		put_bytes(&push->message, 1, push->series.data, push->series.length);
	}
}

static void pack(struct push *push)
{
	size_t length = snappy_max_compressed_length(push->message.length);
	fw_buf_reset(&push->packed);
	char *to = (char *)fw_buf_reserve(&push->packed, length);
	if (snappy_compress((const char *)push->message.data, push->message.length, to, &length) !=
		SNAPPY_OK)
		die("snappy", "it refuses a message");
	push->packed.length = length;
}

static void send_message(struct push *push)
{
	long status = 0;
	pack(push);
	fw_buf_reset(&push->reply);
	curl_easy_setopt(push->curl, CURLOPT_POSTFIELDS, push->packed.data);
	curl_easy_setopt(push->curl, CURLOPT_POSTFIELDSIZE, (long)push->packed.length);
	CURLcode code = curl_easy_perform(push->curl);
	if (code != CURLE_OK)
		die("the receiver", curl_easy_strerror(code));
	curl_easy_getinfo(push->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status / 100 != 2)
		die("refused", push->reply.length > 0 ? (const char *)push->reply.data : "");
}

static void push_all(struct push *push)
{
	for (uint32_t at = 0; at < push->n_sweeps; at += REQUEST_SWEEPS) {
		uint32_t left = push->n_sweeps - at;
		for (unsigned h = 0; h < push->n_hosts; h++) {
			make_message(push, &push->hosts[h], at,
				left < REQUEST_SWEEPS ? left : REQUEST_SWEEPS);
			send_message(push);
		}
	}
}

static size_t on_reply(char *data, size_t size, size_t n, void *arg)
{
	fw_buf_append(arg, data, size * n);
	return size * n;
}

static void push_init(struct push *push, const char *url)
{
	static const char *const headers[] = {"Content-Type: application/x-protobuf",
		"Content-Encoding: snappy", "X-Prometheus-Remote-Write-Version: 0.1.0", "Expect:"};
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
		push->headers = curl_slist_append(push->headers, headers[i]);
	push->curl = curl_easy_init();
	curl_easy_setopt(push->curl, CURLOPT_URL, url);
	curl_easy_setopt(push->curl, CURLOPT_HTTPHEADER, push->headers);
	curl_easy_setopt(push->curl, CURLOPT_WRITEFUNCTION, on_reply);
	curl_easy_setopt(push->curl, CURLOPT_WRITEDATA, &push->reply);
}

static void push_done(struct push *push)
{
	for (unsigned h = 0; h < push->n_hosts; h++) {
		for (unsigned i = 0; i < push->n_series; i++)
			fw_buf_done(&push->hosts[h].labels[i]);
		fw_free(push->hosts[h].labels);
	}
	fw_free(push->hosts);
	fw_free(push->values);
	fw_buf_done(&push->message);
	fw_buf_done(&push->series);
	fw_buf_done(&push->sample);
	fw_buf_done(&push->packed);
	fw_buf_done(&push->reply);
	curl_slist_free_all(push->headers);
	curl_easy_cleanup(push->curl);
}

static uint64_t number(const char *text, const char *allowed, uint64_t most)
{
	uint64_t value;
	if (fw_parse_u64(text, &value) < 0 || value < 1 || value > most)
		die(text, allowed);
	return value;
}

static void take_made(struct push *push, struct fw_arena *arena, char **words)
{
	struct fw_schema schema;
	gen_schema(arena, &schema);
	push->n_series = GEN_SERIES;
	push->n_sweeps = (uint32_t)number(words[1], "sweeps, 1 to 600000", 600000);
	push->jitter = words[2] != NULL;
	add_hosts(push, (unsigned)number(words[0], "hosts, 1 to 1000", 1000), schema.columns);
}

static void take_capture(struct push *push, struct fw_arena *arena, const char *path)
{
	struct recording *capture = &push->capture;
	struct fw_err err;
	if (capture_load(path, false, arena, capture, &err) < 0)
		die("the capture", err.text);
	push->n_series = capture->n_columns;
	push->n_sweeps = capture->n_sweeps;
	for (unsigned i = 0; i < push->n_series; i++)
		capture->columns[i].name = fw_arena_format(arena, "capture_%u", i);
	add_hosts(push, 1, capture->columns);
}

int main(int argc, char **argv)
{
	static struct push push;
	struct fw_arena arena = {0};
	if (argc < 4 || argc > 6) {
		fprintf(stderr,
			"usage: pushed URL START_MS HOSTS SWEEPS [jitter]\n"
			"       pushed URL START_MS CAPTURE\n");
		return 2;
	}
	push.start_ms = (int64_t)number(argv[2], "a time in ms", INT64_MAX);
	if (argc == 4)
		take_capture(&push, &arena, argv[3]);
	else
		take_made(&push, &arena, argv + 3);
	push_init(&push, argv[1]);
	push_all(&push);
	push_done(&push);
	fw_arena_done(&arena);
	return 0;
}
