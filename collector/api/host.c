/* SPDX-License-Identifier: Apache-2.0 */
#include "host.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "alert.h"
#include "capacity.h"
#include "hosts.h"
#include "inventory.h"
#include "parts.h"
#include "registered.h"

#define RATE_RANGE "[2m]"
#define RATE_METRICS                                                                         \
	"node_cpu_seconds_total|node_disk_(read_bytes|written_bytes|io_time_seconds)_total|" \
	"node_network_(receive|transmit)_bytes_total"

struct page {
	struct request *r;
	struct json *j;
	const struct host *host;
	struct facts now, rates;
	int64_t at_ms; /* of its values */
};

/* ---- patches, and filesystems, also of the list ---- */

/* Every metric that patches are told from, as a regular expression. */
#define HOST_PATCH_METRICS                          \
	"fenwatch_patch_held|node_reboot_required|" \
	"apt_package_cache_timestamp_seconds|fenwatch_patch_pending|fenwatch_patch_source_ok"

struct host_patches {
	const struct promql_row *like; /* the host's labels alone */
	bool source_ok;                /* every source could be read */
};

/* The series without its label `name`. */
static const struct promql_row *without(
	struct request *r, const struct promql_row *series, const char *name)
{
	struct fw_label *labels = fw_arena_alloc(&r->arena, series->n_labels * sizeof *labels);
	struct promql_row *out = fw_arena_alloc(&r->arena, sizeof *out);
	*out = *series;
	out->labels = labels;
	out->n_labels = 0;
	for (size_t i = 0; i < series->n_labels; i++)
		if (strcmp(series->labels[i].name, name) != 0)
			labels[out->n_labels++] = series->labels[i];
	return out;
}

/* Whether any source of packages is read. */
static bool find_patches(struct request *r, const struct facts *facts, struct host_patches *out)
{
	size_t n;
	const struct promql_row *ok = facts_metric(facts, "fenwatch_patch_source_ok", &n);
	if (n == 0)
		return false;
	*out = (struct host_patches){without(r, &ok[0], "source"), true};
	for (size_t i = 0; i < n; i++)
		out->source_ok = out->source_ok && facts_newest(&ok[i]) == 1;
	return true;
}

/* Of every source and class, or of one class; NaN where no source tells. */
static double sum_updates(const struct facts *facts, const struct promql_row *like,
	const char *metric, const char *class)
{
	size_t n;
	const struct promql_row *series = facts_metric(facts, metric, &n);
	const char *instance = facts_label(like, "instance");
	double sum = NAN;
	for (size_t i = 0; i < n; i++) {
		const char *of = facts_label(&series[i], "instance");
		const char *is = facts_label(&series[i], "class");
		if (!of || !instance || strcmp(of, instance) != 0 ||
			(class && (!is || strcmp(is, class) != 0)))
			continue;
		sum = (isnan(sum) ? 0 : sum) + facts_newest(&series[i]);
	}
	return sum;
}

static void write_patch_members(
	struct json *j, const struct facts *facts, const struct host_patches *host, int64_t now_ms)
{
	const struct promql_row *like = host->like;
	double lists_s = facts_beside(facts, like, "apt_package_cache_timestamp_seconds");
	double reboot = facts_beside(facts, like, "node_reboot_required");
	json_put_number(j, "pending", sum_updates(facts, like, "fenwatch_patch_pending", NULL));
	json_put_number(
		j, "security", sum_updates(facts, like, "fenwatch_patch_pending", "security"));
	json_put_number(j, "held", sum_updates(facts, like, "fenwatch_patch_held", NULL));
	json_key(j, "reboot_required");
	json_raw(j, isnan(reboot) ? "null" : reboot > 0 ? "true" : "false");
	json_put_number(j, "lists_age_s", floor((double)now_ms / 1000 - lists_s));
	json_put_bool(j, "source_ok", host->source_ok);
}

double host_used_percent(const struct facts *facts, const struct promql_row *size)
{
	double bytes = facts_newest(size);
	double avail = facts_beside(facts, size, "node_filesystem_avail_bytes");
	return bytes > 0 ? round((1 - avail / bytes) * 1000) / 10 : NAN;
}

void host_write_filesystem(
	struct request *r, struct json *j, const struct facts *facts, const struct promql_row *size)
{
	double files = facts_beside(facts, size, "node_filesystem_files");
	double files_free = facts_beside(facts, size, "node_filesystem_files_free");
	double readonly = facts_beside(facts, size, "node_filesystem_readonly");
	double since_s =
		facts_beside(facts, size, "fenwatch_filesystem_readonly_since_timestamp_seconds");
	json_put_text(j, "mountpoint", facts_label(size, "mountpoint"));
	json_put_text(j, "device", facts_label(size, "device"));
	json_put_text(j, "fstype", facts_label(size, "fstype"));
	json_put_number(j, "size", facts_newest(size));
	json_put_number(j, "avail", facts_beside(facts, size, "node_filesystem_avail_bytes"));
	json_put_number(j, "used_percent", host_used_percent(facts, size));
	json_put_number(j, "files_used_percent",
		files > 0 ? round((1 - files_free / files) * 1000) / 10 : NAN);
	json_key(j, "readonly");
	json_raw(j, isnan(readonly) ? "null" : readonly > 0 ? "true" : "false");
	json_put_time(j, "readonly_since", since_s > 0 ? (int64_t)(since_s * 1000) : 0);
	capacity_write(r, j, "fills", facts, size, CAPACITY_BYTES);
	capacity_write(r, j, "inodes_gone", facts, size, CAPACITY_INODES);
}

/* ---- the page, part by part ---- */

static void write_identity(const struct page *p)
{
	const struct host *host = p->host;
	json_put_text(p->j, "name", host->name);
	json_put_text(p->j, "state", host_state_names[host->state]);
	json_put_time(p->j, "since", host->since_ms);
	json_put_time(p->j, "last_seen", host->store->received_ms);
	json_put_time(p->j, "values_of", p->at_ms);
	json_put_text(p->j, "site", host->site ? host->site : "");
	json_put_text(p->j, "class", host->class ? host->class : "");
	json_key(p->j, "labels");
	json_open(p->j, '{');
	for (size_t i = 0; i < host->store->n_labels; i++)
		json_put_text(p->j, host->store->labels[i].name, host->store->labels[i].value);
	json_close(p->j, '}');
	registered_write(p->j, api_config(p->r->api)->registry, host->store);
}

/* A label of a metric whose facts are its labels. */
static const char *info(const struct page *p, const char *metric, const char *label)
{
	size_t n;
	const struct promql_row *series = facts_metric(&p->now, metric, &n);
	return n ? facts_label(&series[0], label) : NULL;
}

static void write_system(const struct page *p)
{
	double boot_s = facts_value(&p->now, "node_boot_time_seconds");
	json_put_number(p->j, "uptime_s", floor((double)p->at_ms / 1000 - boot_s));
	json_put_text(p->j, "os", info(p, "node_os_info", "pretty_name"));
	json_put_text(p->j, "kernel", info(p, "node_uname_info", "release"));
	json_put_text(p->j, "architecture", info(p, "node_uname_info", "machine"));
	static const char *const loads[] = {"node_load1", "node_load5", "node_load15"};
	json_key(p->j, "load");
	json_open(p->j, '[');
	for (size_t i = 0; i < sizeof loads / sizeof *loads; i++)
		json_number(p->j, facts_value(&p->now, loads[i]));
	json_close(p->j, ']');
}

static void write_cpu(const struct page *p)
{
	size_t n, n_cpus = 0, n_measured = 0;
	double idle = 0;
	const struct promql_row *cpu = facts_metric(&p->now, "node_cpu_seconds_total", &n);
	for (size_t i = 0; i < n; i++) {
		const char *mode = facts_label(&cpu[i], "mode");
		n_cpus += mode && strcmp(mode, "idle") == 0;
	}
	cpu = facts_metric(&p->rates, "node_cpu_seconds_total", &n);
	for (size_t i = 0; i < n; i++) {
		const char *mode = facts_label(&cpu[i], "mode");
		double rate = facts_rate(&cpu[i]);
		if (!mode || isnan(rate) ||
			(strcmp(mode, "idle") != 0 && strcmp(mode, "iowait") != 0))
			continue;
		idle += rate;
		n_measured += strcmp(mode, "idle") == 0;
	}
	double busy = n_measured ? (1 - idle / (double)n_measured) * 100 : NAN;
	json_key(p->j, "cpus");
	json_number(p->j, n_cpus ? (double)n_cpus : NAN);
	json_put_number(p->j, "cpu_busy_percent", busy < 0 ? 0 : round(busy * 10) / 10);
}

static void write_memory(const struct page *p)
{
	double total = facts_value(&p->now, "node_memory_MemTotal_bytes");
	double available = facts_value(&p->now, "node_memory_MemAvailable_bytes");
	json_key(p->j, "memory");
	json_open(p->j, '{');
	json_put_number(p->j, "total", total);
	json_put_number(p->j, "available", available);
	json_put_number(
		p->j, "used_percent", total > 0 ? round((1 - available / total) * 1000) / 10 : NAN);
	json_put_number(p->j, "swap_total", facts_value(&p->now, "node_memory_SwapTotal_bytes"));
	json_put_number(p->j, "swap_free", facts_value(&p->now, "node_memory_SwapFree_bytes"));
	json_close(p->j, '}');
}

static void write_filesystems(const struct page *p)
{
	size_t n;
	const struct promql_row *size = facts_metric(&p->now, "node_filesystem_size_bytes", &n);
	json_key(p->j, "filesystems");
	json_open(p->j, '[');
	for (size_t i = 0; i < n; i++) {
		json_open(p->j, '{');
		host_write_filesystem(p->r, p->j, &p->now, &size[i]);
		json_close(p->j, '}');
	}
	json_close(p->j, ']');
}

/* The rate of `name` for the device of `like`. */
static double rate_beside(const struct page *p, const struct promql_row *like, const char *name)
{
	size_t n;
	const char *device = facts_label(like, "device");
	const struct promql_row *series = facts_metric(&p->rates, name, &n);
	for (size_t i = 0; i < n; i++) {
		const char *its = facts_label(&series[i], "device");
		if (device && its && strcmp(device, its) == 0)
			return facts_rate(&series[i]);
	}
	return NAN;
}

static void write_disks(const struct page *p)
{
	size_t n;
	const struct promql_row *disk =
		facts_metric(&p->now, "node_disk_io_time_seconds_total", &n);
	json_key(p->j, "disks");
	json_open(p->j, '[');
	for (size_t i = 0; i < n; i++) {
		json_open(p->j, '{');
		json_put_text(p->j, "device", facts_label(&disk[i], "device"));
		json_put_number(p->j, "read_bytes_per_s",
			rate_beside(p, &disk[i], "node_disk_read_bytes_total"));
		json_put_number(p->j, "written_bytes_per_s",
			rate_beside(p, &disk[i], "node_disk_written_bytes_total"));
		json_put_number(p->j, "busy_percent",
			round(rate_beside(p, &disk[i], "node_disk_io_time_seconds_total") * 1000) /
				10);
		json_close(p->j, '}');
	}
	json_close(p->j, ']');
}

static void write_network(const struct page *p)
{
	size_t n;
	const struct promql_row *net =
		facts_metric(&p->now, "node_network_receive_bytes_total", &n);
	json_key(p->j, "network");
	json_open(p->j, '[');
	for (size_t i = 0; i < n; i++) {
		double up = facts_beside(&p->now, &net[i], "node_network_up");
		json_open(p->j, '{');
		json_put_text(p->j, "device", facts_label(&net[i], "device"));
		json_key(p->j, "up");
		json_raw(p->j, isnan(up) ? "null" : up > 0 ? "true" : "false");
		json_put_number(p->j, "receive_bytes_per_s",
			rate_beside(p, &net[i], "node_network_receive_bytes_total"));
		json_put_number(p->j, "transmit_bytes_per_s",
			rate_beside(p, &net[i], "node_network_transmit_bytes_total"));
		json_put_number(p->j, "receive_errors",
			facts_beside(&p->now, &net[i], "node_network_receive_errs_total"));
		json_put_number(p->j, "transmit_errors",
			facts_beside(&p->now, &net[i], "node_network_transmit_errs_total"));
		json_close(p->j, '}');
	}
	json_close(p->j, ']');
}

static void write_patches(const struct page *p)
{
	struct host_patches patches;
	json_key(p->j, "patches");
	if (!find_patches(p->r, &p->now, &patches)) {
		json_none(p->j);
		return;
	}
	json_open(p->j, '{');
	write_patch_members(p->j, &p->now, &patches, p->at_ms);
	json_close(p->j, '}');
}

static void write_failed_units(const struct page *p)
{
	size_t n;
	const struct promql_row *unit = facts_metric(&p->now, "node_systemd_unit_state", &n);
	json_key(p->j, "units_failed");
	json_open(p->j, '[');
	for (size_t i = 0; i < n; i++) {
		const char *state = facts_label(&unit[i], "state");
		if (state && strcmp(state, "failed") == 0 && facts_newest(&unit[i]) == 1)
			json_text(p->j, facts_label(&unit[i], "name"));
	}
	json_close(p->j, ']');
}

static void write_inventory(const struct page *p)
{
	json_key(p->j, "inventory");
	json_open(p->j, '[');
	for (size_t i = 0; i < p->r->n_documents; i++)
		inventory_write_document(p->j, &p->r->documents[i]);
	json_close(p->j, ']');
}

static void write_alerts(const struct page *p)
{
	const struct request *r = p->r;
	json_key(p->j, "alerts");
	json_open(p->j, '[');
	for (size_t i = 0; i < r->n_alerts; i++)
		if (r->alerts[i].instance && strcmp(r->alerts[i].instance, p->host->name) == 0)
			admin_write_alert(p->j, &r->alerts[i]);
	json_close(p->j, ']');
}

static const struct host *find_host(struct request *r)
{
	struct host *hosts;
	size_t n;
	if (hosts_read(r, &hosts, &n) < 0)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (strcmp(hosts[i].name, r->path_value) == 0)
			return &hosts[i];
	request_fail(r, 404, "not_found", "there is no host '%.200s'; see 'fenwatch hosts'",
		r->path_value);
	return NULL;
}

static int read_page(struct page *p)
{
	/* Of a silent host, what it said last. */
	int64_t newest_ms = p->host->store->newest_ms;
	p->at_ms = newest_ms + PROMQL_LOOKBACK_MS <= p->r->now_ms ? newest_ms : p->r->now_ms;
	int rc = facts_read(p->r, facts_selector(p->r, ".+", p->host->name), p->at_ms, &p->now);
	if (rc < 0)
		return rc;
	const char *rates = facts_selector(p->r, RATE_METRICS, p->host->name);
	return facts_read(
		p->r, fw_arena_format(&p->r->arena, "%s" RATE_RANGE, rates), p->at_ms, &p->rates);
}

void host_page(struct request *r)
{
	struct page p = {.r = r, .host = find_host(r)};
	if (!p.host || read_page(&p) < 0)
		return;
	p.j = request_begin(r);
	json_open(p.j, '{');
	write_identity(&p);
	write_system(&p);
	write_cpu(&p);
	write_memory(&p);
	write_filesystems(&p);
	write_disks(&p);
	write_network(&p);
	write_patches(&p);
	write_failed_units(&p);
	write_inventory(&p);
	write_alerts(&p);
	json_close(p.j, '}');
	request_end(r, NULL, 0);
}
