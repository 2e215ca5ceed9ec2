/* SPDX-License-Identifier: Apache-2.0 */
/* The past of made-up hosts (gen.h), pushed by remote_write 1.0.
 *
 * usage: pushed URL HOSTS SWEEPS START_MS
 *
 * A request has one host's next five minutes; the hosts take turns. It ends when the
 * last was answered, or at once with 1 where one was refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <snappy-c.h>

#include <fenwatch/buf.h>
#include <fenwatch/text.h>

#include "gen.h"

#define REQUEST_SWEEPS 30
#define LABELS_MOST 8

enum { VARINT = 0, FIXED64 = 1, BYTES = 2 }; /* kinds of protobuf's fields */

struct host {
	struct gen_host made;
	struct fw_buf labels[GEN_SERIES]; /* encoded */
};

struct push {
	CURL *curl;
	struct curl_slist *headers;
	struct host *hosts;
	unsigned n_hosts;
	uint32_t n_sweeps;
	int64_t start_ms;
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

static void host_init(struct host *host, unsigned number, const struct fw_schema *schema)
{
	char instance[32];
	snprintf(instance, sizeof instance, "host-%05u", number);
	gen_host_init(&host->made, number);
	for (unsigned i = 0; i < GEN_SERIES; i++) {
		const struct fw_column *column = &schema->columns[i];
		struct fw_label labels[LABELS_MOST] = {
			{"__name__", column->name}, {"instance", instance}, {"job", "node"}};
		unsigned n = 3;
		for (unsigned l = 0; l < column->n_labels; l++)
			labels[n++] = column->labels[l];
		qsort(labels, n, sizeof *labels, by_name);
		host->labels[i] = (struct fw_buf){0};
		for (unsigned l = 0; l < n; l++)
			put_label(&host->labels[i], &labels[l]);
	}
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
	static double values[REQUEST_SWEEPS][GEN_SERIES];
	int64_t times_ms[REQUEST_SWEEPS];
	for (uint32_t s = 0; s < n; s++) {
		times_ms[s] = push->start_ms + (int64_t)(first + s) * GEN_INTERVAL_MS;
		gen_host_step(&host->made, first + s, times_ms[s], values[s]);
	}
	fw_buf_reset(&push->message);
	for (unsigned i = 0; i < GEN_SERIES; i++) {
		fw_buf_reset(&push->series);
		fw_buf_append(&push->series, host->labels[i].data, host->labels[i].length);
		for (uint32_t s = 0; s < n; s++)
			put_sample(push, times_ms[s], values[s][i]);
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
	struct fw_arena arena = {0};
	struct fw_schema schema;
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
		push->headers = curl_slist_append(push->headers, headers[i]);
	push->curl = curl_easy_init();
	curl_easy_setopt(push->curl, CURLOPT_URL, url);
	curl_easy_setopt(push->curl, CURLOPT_HTTPHEADER, push->headers);
	curl_easy_setopt(push->curl, CURLOPT_WRITEFUNCTION, on_reply);
	curl_easy_setopt(push->curl, CURLOPT_WRITEDATA, &push->reply);
	gen_schema(&arena, &schema);
	push->hosts = fw_alloc_array(push->n_hosts, sizeof *push->hosts);
	for (unsigned h = 0; h < push->n_hosts; h++)
		host_init(&push->hosts[h], h, &schema);
	fw_arena_done(&arena);
}

static void push_done(struct push *push)
{
	for (unsigned h = 0; h < push->n_hosts; h++)
		for (unsigned i = 0; i < GEN_SERIES; i++)
			fw_buf_done(&push->hosts[h].labels[i]);
	fw_free(push->hosts);
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

int main(int argc, char **argv)
{
	static struct push push;
	if (argc != 5) {
		fprintf(stderr, "usage: pushed URL HOSTS SWEEPS START_MS\n");
		return 2;
	}
	push.n_hosts = (unsigned)number(argv[2], "hosts, 1 to 1000", 1000);
	push.n_sweeps = (uint32_t)number(argv[3], "sweeps, 1 to 600000", 600000);
	push.start_ms = (int64_t)number(argv[4], "a time in ms", INT64_MAX);
	push_init(&push, argv[1]);
	push_all(&push);
	push_done(&push);
	return 0;
}
