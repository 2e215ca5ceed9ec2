/* SPDX-License-Identifier: Apache-2.0 */
/* Sends made-up hosts by remote_write as a Prometheus would: a request has some sweeps of
 * one host, each connection has its hosts, and waits for every answer.
 *
 * usage: bench_remote URL HOSTS SWEEPS SWEEPS-A-REQUEST PROTOCOL CONNECTIONS FROM-MS INTERVAL-MS [JITTER-MS] < TOKEN
 *
 * It prints the number of samples that were taken. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include <fenwatch/batch.h>
#include <fenwatch/mem.h>
#include <fenwatch/text.h>

#include "bodies.h"
#include "encode.h"
#include "gen.h"

enum { REQUEST_SWEEPS = 60, TOKEN_BYTES = 128 };

struct plan {
	const char *url;
	int64_t hosts, sweeps, a_request, protocol, connections, from_ms, interval_ms, jitter_ms;
	char authorization[TOKEN_BYTES + 32];
	struct fw_schema schema;
};

struct member {
	struct gen_host values;
	char instance[32];
};

struct connection {
	const struct plan *plan;
	pthread_t thread;
	struct member *members;
	size_t n_members;
	struct encoder encoder;
	struct fw_buf plain, body;
	CURL *curl;
	struct curl_slist *headers;
	uint64_t samples;
};

static void die(const char *what)
{
	fprintf(stderr, "bench_remote: %s\n", what);
	exit(1);
}

static size_t ignore(char *data, size_t size, size_t n, void *arg)
{
	(void)data;
	(void)arg;
	return size * n;
}

/* ---- requests ---- */

static void send_body(struct connection *c)
{
	long status = 0;
	body_pack(BODY_SNAPPY, &c->plain, &c->body);
	curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, c->body.data);
	curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE, (long)c->body.length);
	if (curl_easy_perform(c->curl) != CURLE_OK)
		die("no answer");
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status / 100 != 2)
		die("a request was refused");
	c->samples += c->encoder.n_samples;
}

/* The same for a host and sweep at any time. */
static int64_t jitter(const struct plan *plan, unsigned host, int64_t sweep)
{
	uint64_t x = host * 0x9e3779b97f4a7c15u ^ (uint64_t)sweep * 0xc2b2ae3d27d4eb4fu;
	x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
	x ^= x >> 32;
	return (int64_t)(x % (uint64_t)(2 * plan->jitter_ms + 1)) - plan->jitter_ms;
}

static void send_sweeps(struct connection *c, struct member *member, int64_t sweep, int64_t n)
{
	const struct plan *plan = c->plan;
	int64_t times_ms[REQUEST_SWEEPS];
	int64_t cells[REQUEST_SWEEPS * GEN_SERIES];
	const struct fw_label labels[] = {{"instance", member->instance}, {"job", "node"}};
	for (int64_t i = 0; i < n; i++) {
		double values[GEN_SERIES];
		times_ms[i] = plan->from_ms + (sweep + i) * plan->interval_ms +
			jitter(plan, member->values.number, sweep + i);
		gen_host_step(&member->values, (uint32_t)(sweep + i), times_ms[i], values);
		for (size_t s = 0; s < GEN_SERIES; s++)
			cells[(size_t)i * GEN_SERIES + s] = fw_double_cell(values[s]);
	}
	const struct store_followed sweeps = {
		.host_labels = labels,
		.n_host_labels = 2,
		.schema = &plan->schema,
		.n_sweeps = (size_t)n,
		.times_ms = times_ms,
		.cells = cells,
	};
	encode_begin(&c->encoder, plan->protocol == 2);
	for (size_t s = 0; s < GEN_SERIES; s++)
		encode_column(&c->encoder, &sweeps, s);
	encode_end(&c->encoder, &c->plain);
	send_body(c);
}

static void *run(void *arg)
{
	struct connection *c = arg;
	const struct plan *plan = c->plan;
	for (int64_t sweep = 0; sweep < plan->sweeps; sweep += plan->a_request) {
		int64_t left = plan->sweeps - sweep;
		for (size_t i = 0; i < c->n_members; i++)
			send_sweeps(c, &c->members[i], sweep,
				left < plan->a_request ? left : plan->a_request);
	}
	return NULL;
}

/* ---- connections ---- */

static void add_header(struct connection *c, const char *line)
{
	c->headers = curl_slist_append(c->headers, line);
}

static void open_connection(struct connection *c, const struct plan *plan, int64_t number)
{
	bool is_2 = plan->protocol == 2;
	c->plan = plan;
	c->members = fw_alloc_array((size_t)plan->hosts, sizeof *c->members);
	for (int64_t host = number; host < plan->hosts; host += plan->connections) {
		struct member *member = &c->members[c->n_members++];
		gen_host_init(&member->values, (unsigned)host);
		snprintf(member->instance, sizeof member->instance, "host-%04u.dc1.example:9100",
			(unsigned)host);
	}
	c->curl = curl_easy_init();
	add_header(c, "Content-Encoding: snappy");
	add_header(c,
		is_2 ? "Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request"
		     : "Content-Type: application/x-protobuf");
	add_header(c,
		is_2 ? "X-Prometheus-Remote-Write-Version: 2.0.0"
		     : "X-Prometheus-Remote-Write-Version: 0.1.0");
	add_header(c, "Expect:");
	if (*plan->authorization)
		add_header(c, plan->authorization);
	curl_easy_setopt(c->curl, CURLOPT_URL, plan->url);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, c->headers);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, ignore);
	curl_easy_setopt(c->curl, CURLOPT_POST, 1L);
}

static void close_connection(struct connection *c)
{
	curl_easy_cleanup(c->curl);
	curl_slist_free_all(c->headers);
	encoder_done(&c->encoder);
	fw_buf_done(&c->plain);
	fw_buf_done(&c->body);
	fw_free(c->members);
}

/* ---- the whole ---- */

static void read_plan(char **argv, struct plan *plan)
{
	int64_t *const numbers[] = {&plan->hosts, &plan->sweeps, &plan->a_request, &plan->protocol,
		&plan->connections, &plan->from_ms, &plan->interval_ms, &plan->jitter_ms};
	char token[TOKEN_BYTES] = "";
	plan->url = argv[1];
	for (size_t i = 0; i < 8 && argv[2 + i]; i++)
		*numbers[i] = strtoll(argv[2 + i], NULL, 10);
	if (plan->a_request < 1 || plan->a_request > REQUEST_SWEEPS || plan->connections < 1)
		die("1 to 60 sweeps a request, and a connection at least");
	if (fgets(token, sizeof token, stdin))
		snprintf(plan->authorization, sizeof plan->authorization,
			"Authorization: Bearer %.*s", (int)strcspn(token, "\n"), token);
}

int main(int argc, char **argv)
{
	static struct fw_arena arena;
	struct plan plan = {.protocol = 1};
	uint64_t samples = 0;
	if (argc < 9)
		die("see the top of tests/bench/remote.c");
	read_plan(argv, &plan);
	gen_schema(&arena, &plan.schema);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	struct connection *all = fw_alloc_array((size_t)plan.connections, sizeof *all);
	for (int64_t i = 0; i < plan.connections; i++)
		open_connection(&all[i], &plan, i);
	for (int64_t i = 0; i < plan.connections; i++)
		if (pthread_create(&all[i].thread, NULL, run, &all[i]))
			die("no thread");
	for (int64_t i = 0; i < plan.connections; i++) {
		pthread_join(all[i].thread, NULL);
		samples += all[i].samples;
		close_connection(&all[i]);
	}
	fw_free(all);
	fw_arena_done(&arena);
	printf("%llu\n", (unsigned long long)samples);
	return 0;
}
