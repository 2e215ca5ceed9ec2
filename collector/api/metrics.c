/* SPDX-License-Identifier: Apache-2.0 */
/* The collector about itself, in Prometheus' text format. */
#include <inttypes.h>
#include <stddef.h>
#include <unistd.h>

#include <uv.h>

#include <fenwatch/clock.h>

#include "ingest.h"
#include "parts.h"
#include "remote.h"
#include "send.h"
#include "store.h"

struct counters {
	struct store_stat store;
	struct ingest_stat ingest;
	struct api_stat api;
	struct remote_stat remote;
};

#define STORE(field) offsetof(struct counters, store.field)
#define INGEST(field) offsetof(struct counters, ingest.field)
#define REMOTE(field) offsetof(struct counters, remote.field)
#define API(field) offsetof(struct counters, api.field)

static const struct {
	const char *name, *type, *help;
	size_t offset; /* of a uint64_t */
} rows[] = {
	{"fenwatch_store_sweeps_total", "counter", "Sweeps stored since the start.", STORE(sweeps)},
	{"fenwatch_store_samples_total", "counter", "Samples stored since the start.",
		STORE(samples)},
	{"fenwatch_store_hosts", "gauge", "Hosts known.", STORE(hosts)},
	{"fenwatch_store_schemas", "gauge", "Schemas known.", STORE(schemas)},
	{"fenwatch_store_series", "gauge", "Series known.", STORE(series)},
	{"fenwatch_store_commits_total", "counter", "Group commits, each one fdatasync.",
		STORE(commits)},
	{"fenwatch_store_damaged_blocks_total", "counter",
		"Blocks and other places of the store that cannot be read, each counted once.",
		STORE(damaged_blocks)},
	{"fenwatch_store_refused_total", "counter", "Batches refused: too old or too wide.",
		STORE(refused)},
	{"fenwatch_store_claimed_total", "counter",
		"Batches, documents and events of another agent's device, refused.",
		STORE(claimed)},
	{"fenwatch_store_duplicates_total", "counter", "Frames that were durable before.",
		STORE(duplicates)},
	{"fenwatch_store_gaps_total", "counter", "Numbers that agents skipped for good.",
		STORE(gaps)},
	{"fenwatch_store_late_total", "counter", "Sweeps older than the newest of their host.",
		STORE(late)},
	{"fenwatch_ingest_connections", "gauge", "Agents connected.", INGEST(connections)},
	{"fenwatch_ingest_handshakes_total", "counter", "TLS handshakes completed.",
		INGEST(handshakes)},
	{"fenwatch_ingest_frames_total", "counter", "Frames read.", INGEST(frames)},
	{"fenwatch_ingest_bytes_total", "counter", "Bytes read.", INGEST(bytes)},
	{"fenwatch_ingest_acks_total", "counter", "Acknowledgements sent.", INGEST(acks)},
	{"fenwatch_ingest_refused_total", "counter", "Connections refused.", INGEST(refused)},
	{"fenwatch_ingest_protocol_errors_total", "counter",
		"Connections closed for what they sent.", INGEST(protocol_errors)},
	{"fenwatch_store_foreign_series", "gauge",
		"Series from elsewhere that count against the limit.", STORE(foreign_series)},
	{"fenwatch_remote_requests_total", "counter", "Requests of remote_write.", REMOTE(writes)},
	{"fenwatch_remote_bytes_total", "counter", "Bytes of them, compressed.", REMOTE(bytes)},
	{"fenwatch_remote_bad_total", "counter", "Requests of which nothing was written.",
		REMOTE(bad)},
	{"fenwatch_remote_samples_total", "counter", "Samples that came by it and were written.",
		REMOTE(samples)},
	{"fenwatch_remote_histograms_total", "counter", "Native histograms that were left out.",
		REMOTE(histograms)},
	{"fenwatch_remote_exemplars_total", "counter", "Exemplars that were left out.",
		REMOTE(exemplars)},
	{"fenwatch_api_working", "gauge",
		"Requests for the store that are answered now or wait for that.", API(working)},
	{"fenwatch_api_answered_total", "counter", "Requests for the store that were answered.",
		API(answered)},
	{"fenwatch_api_refused_total", "counter", "Requests refused as too many waited.",
		API(refused)},
	{"fenwatch_api_canceled_total", "counter",
		"Requests whose client went away before the answer.", API(canceled)},
	{"fenwatch_api_too_long_total", "counter",
		"Requests refused as their body is longer than 16 MiB, those of remote_write too.",
		API(too_long)},
};

static void head(struct fw_buf *out, const char *name, const char *type, const char *help)
{
	fw_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static const struct {
	const char *name, *help;
	size_t offset;
} tier_rows[] = {
	{"fenwatch_store_budget_bytes", "Size of a tier's ring.",
		offsetof(struct store_tier_stat, bytes)},
	{"fenwatch_store_used_bytes", "Bytes of it that hold data.",
		offsetof(struct store_tier_stat, used_bytes)},
	{"fenwatch_store_blocks", "Blocks in it.", offsetof(struct store_tier_stat, blocks)},
};

static void write_tiers(struct request *r, const struct store_stat *stat)
{
	for (size_t i = 0; i < sizeof tier_rows / sizeof *tier_rows; i++) {
		head(&r->out, tier_rows[i].name, "gauge", tier_rows[i].help);
		for (int t = 0; t < STORE_TIERS; t++) {
			const char *at = (const char *)&stat->tiers[t] + tier_rows[i].offset;
			fw_buf_printf(&r->out, "%s{tier=\"%s\"} %" PRIu64 "\n", tier_rows[i].name,
				store_tier_name((enum store_tier)t),
				*(const uint64_t *)(const void *)at);
		}
	}
}

static void write_refused(struct request *r, const struct remote_stat *stat)
{
	static const char name[] = "fenwatch_remote_refused_total";
	head(&r->out, name, "counter", "Samples that came by remote_write and were not taken.");
	for (int i = 1; i < STORE_REFUSALS; i++)
		fw_buf_printf(&r->out, "%s{reason=\"%s\"} %" PRIu64 "\n", name,
			remote_refusals[i].reason, stat->refused[i]);
}

static const struct {
	const char *name, *type, *help;
	size_t offset;
} sender_rows[] = {
	{"fenwatch_remote_write_samples_total", "counter", "Samples that a receiver has taken.",
		offsetof(struct send_stat, samples)},
	{"fenwatch_remote_write_requests_total", "counter", "Requests sent to it.",
		offsetof(struct send_stat, requests)},
	{"fenwatch_remote_write_retries_total", "counter",
		"Requests without an answer, or answered with 429 or 5xx.",
		offsetof(struct send_stat, retries)},
	{"fenwatch_remote_write_dropped_total", "counter", "Samples that it refused.",
		offsetof(struct send_stat, dropped)},
	{"fenwatch_remote_write_gaps_total", "counter",
		"Times that the store's log had gone past it.", offsetof(struct send_stat, gaps)},
	{"fenwatch_remote_write_behind_bytes", "gauge", "How much of the log it has not had yet.",
		offsetof(struct send_stat, behind_bytes)},
};

static void put_quoted(struct fw_buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fw_buf_putc(out, '\\');
		fw_buf_putc(out, *text);
	}
}

static void write_senders(struct request *r)
{
	struct send_stat stat;
	for (size_t row = 0; row < sizeof sender_rows / sizeof *sender_rows; row++) {
		for (size_t i = 0; senders_stat(api_config(r->api)->senders, i, &stat); i++) {
			const char *at = (const char *)&stat + sender_rows[row].offset;
			if (i == 0)
				head(&r->out, sender_rows[row].name, sender_rows[row].type,
					sender_rows[row].help);
			fw_buf_printf(&r->out, "%s{receiver=\"", sender_rows[row].name);
			put_quoted(&r->out, stat.name);
			fw_buf_printf(
				&r->out, "\"} %" PRIu64 "\n", *(const uint64_t *)(const void *)at);
		}
	}
}

static void write_counters(struct request *r)
{
	struct counters counters = {0};
	store_stat(api_config(r->api)->store, &counters.store);
	ingest_stat(api_config(r->api)->ingest, &counters.ingest);
	api_stat(r->api, &counters.api);
	remote_stat(api_config(r->api)->remote, &counters.remote);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *at = (const char *)&counters + rows[i].offset;
		head(&r->out, rows[i].name, rows[i].type, rows[i].help);
		fw_buf_printf(&r->out, "%s %" PRIu64 "\n", rows[i].name,
			*(const uint64_t *)(const void *)at);
	}
	write_tiers(r, &counters.store);
	write_refused(r, &counters.remote);
	write_senders(r);
	head(&r->out, "fenwatch_store_oldest_timestamp_seconds", "gauge",
		"Time of the oldest sweep stored.");
	fw_buf_printf(&r->out, "fenwatch_store_oldest_timestamp_seconds %.3f\n",
		(double)counters.store.oldest_ms / 1000);
}

static void write_process(struct request *r)
{
	size_t resident = 0;
	uv_resident_set_memory(&resident);
	head(&r->out, "process_cpu_seconds_total", "counter", "CPU time of this process.");
	fw_buf_printf(&r->out, "process_cpu_seconds_total %.3f\n", (double)fw_cpu_ns() / 1e9);
	head(&r->out, "process_resident_memory_bytes", "gauge", "Resident memory of this process.");
	fw_buf_printf(&r->out, "process_resident_memory_bytes %zu\n", resident);
	head(&r->out, "fenwatch_build_info", "gauge", "The version that runs.");
	fw_buf_puts(&r->out, "fenwatch_build_info{version=\"" FW_VERSION "\"} 1\n");
}

void metrics_page(struct request *r)
{
	request_text(r, 200, "");
	r->content_type = "text/plain; version=0.0.4; charset=utf-8";
	write_counters(r);
	write_process(r);
}
