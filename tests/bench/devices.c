/* SPDX-License-Identifier: Apache-2.0 */
/* usage: bench_devices CAPTURE DEVICES SWEEPS SPOOL_MIB
 *
 * What devices cost that a program beside the agent reads while there is no collector: the
 * agent's own adopter and spool in a folder that goes again, and devices that say what a real host said (367
 * series), each from another moment on and with a schema of its own. Once gathered as the
 * agent does it, once as frames of a sweep each; in JSON bytes a sample, in the messages
 * that go over the wire and on disk with all that is around them, and the peak of memory until
 * then, before and after all of it was read once. Sizes are the same on every
 * machine: more than 0.8 on the wire ends the program with 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <fenwatch/clock.h>
#include <fenwatch/err.h>
#include <fenwatch/text.h>
#include <fenwatch/wire.h>

#include "adopt.h"
#include "capture.h"
#include "spool.h"
#include "test_tree.h"

#define WIRE_MOST 0.8
#define DEVICES_MOST 4096
#define INTERVAL_MS 60000

struct device {
	uint32_t schema;
	struct fw_buf host;
};

struct site {
	struct fw_arena arena;
	struct recording said;
	uint32_t n_devices, n_sweeps;
	struct device *devices;
	struct spool *spool;
	struct adopter adopter;
};

static _Noreturn void end(const char *what, const char *why)
{
	fprintf(stderr, "devices: %s: %s\n", what, why);
	exit(2);
}

static uint32_t number(const char *text, uint32_t most)
{
	uint64_t value;
	if (fw_parse_u64(text, &value) < 0 || value == 0 || value > most)
		end(text, "not a number that is possible here");
	return (uint32_t)value;
}

static void pack_host(struct device *device, uint32_t id, const char *name)
{
	Fenwatch__Wire__Host host = FENWATCH__WIRE__HOST__INIT;
	Fenwatch__Wire__Label labels[2], *list[2] = {&labels[0], &labels[1]};
	for (int i = 0; i < 2; i++)
		fenwatch__wire__label__init(&labels[i]);
	labels[0].name = (char *)"instance";
	labels[0].value = (char *)name;
	labels[1].name = (char *)"job";
	labels[1].value = (char *)"snmp";
	host.id = id;
	host.n_labels = 2;
	host.labels = list;
	size_t length = fenwatch__wire__host__get_packed_size(&host);
	device->host.length =
		fenwatch__wire__host__pack(&host, fw_buf_reserve(&device->host, length + 1));
}

/* As a switch of so many ports calls them, whose first port is called otherwise than others'. */
static void name_columns(struct site *site, const char *name, struct fw_arena *arena)
{
	static const char *const metrics[] = {"ifHCInOctets", "ifHCOutOctets", "ifHCInUcastPkts",
		"ifHCOutUcastPkts", "ifHCInMulticastPkts", "ifHCInBroadcastPkts", "ifInErrors",
		"ifOutErrors", "ifInDiscards", "ifOutDiscards", "ifOperStatus", "ifHighSpeed"};
	enum { METRICS = sizeof metrics / sizeof *metrics };
	fw_arena_reset(arena);
	for (uint32_t i = 0; i < site->said.n_columns; i++) {
		uint32_t port = i / METRICS + 1;
		struct fw_column *column = &site->said.columns[i];
		struct fw_label *labels = fw_arena_alloc(arena, 3 * sizeof *labels);
		labels[0] = (struct fw_label){"ifDescr", port == 1 ? name : "GigabitEthernet"};
		labels[1] = (struct fw_label){"ifIndex", fw_arena_format(arena, "%u", port)};
		labels[2] = (struct fw_label){"ifName", fw_arena_format(arena, "Gi1/0/%u", port)};
		column->name = metrics[i % METRICS];
		column->labels = labels;
		column->n_labels = 3;
	}
}

static void make_devices(struct site *site)
{
	struct fw_arena arena = {0};
	for (uint32_t i = 0; i < site->n_devices; i++) {
		char name[24];
		size_t bytes;
		snprintf(name, sizeof name, "switch_%04u", i);
		name_columns(site, name, &arena);
		struct fw_schema schema = {
			.n_columns = site->said.n_columns, .columns = site->said.columns};
		fw_schema_seal(&schema);
		site->devices[i].schema = spool_schema_borrow(site->spool, &schema, &bytes);
		fw_buf_reset(&site->devices[i].host);
		pack_host(&site->devices[i], i + 1, name);
	}
	fw_arena_done(&arena);
}

/* A sweep of every device, and what a flush a minute does with them. */
static void go_round(struct site *site, uint32_t n, bool gathered)
{
	struct fw_err err;
	for (uint32_t i = 0; i < site->n_devices; i++) {
		const struct device *device = &site->devices[i];
		uint32_t first = i * 7 % (site->said.n_sweeps - site->n_sweeps + 1);
		int64_t at_ms = INT64_C(1790000000000) + n * (int64_t)INTERVAL_MS + i;
		struct handed handed = {
			.type = FW_FRAME_BATCH,
			.host = {i + 1, device->host.data, device->host.length},
			.schema = device->schema,
			.interval_ms = INTERVAL_MS,
			.sweeps = {i + 1, 1, site->said.n_columns, &at_ms,
				site->said.cells + (size_t)(first + n) * site->said.n_columns},
		};
		adopt(&site->adopter, &handed, !gathered);
		if (site->adopter.unwritten < 64u << 10 && i + 1 < site->n_devices)
			continue;
		if (spool_flush(site->spool, &err) < 0 || spool_join(site->spool, &err) < 0)
			end("the spool", err.text);
		site->adopter.unwritten = 0;
	}
}

/* Every frame once, as it goes. */
static uint64_t wire_bytes(struct site *site, uint64_t *sweeps)
{
	uint64_t bytes = 0, next = spool_next(site->spool, LANE_BACKLOG);
	for (uint64_t seq = 1; seq < next; seq++) {
		struct frame frame;
		struct fw_err err;
		if (spool_read(site->spool, LANE_BACKLOG, seq, &frame, &err) < 0)
			end("a frame", err.text);
		bytes += FW_FRAME_HEADER + frame.length;
		*sweeps += frame.sweeps;
	}
	return bytes;
}

/* Of this process so far, the capture and all. */
static long peak(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

static double measure(struct site *site, const char *folder, uint64_t mib, bool gathered)
{
	struct fw_err err;
	struct spool_stat stat;
	bool made;
	uint64_t sweeps = 0;
	const struct spool_config config = {.dir = fw_arena_format(&site->arena, "%s/%s", folder,
						    gathered ? "gathered" : "apart"),
		.max_bytes = mib << 20};
	if (spool_open(&site->spool, &config, &made, &err) < 0)
		end(folder, err.text);
	/* With its window full, what is handed over goes to the backlog as it is. */
	site->adopter = (struct adopter){.spool = site->spool, .n_live = WINDOW_GUESTS};
	make_devices(site);
	for (uint32_t n = 0; n < site->n_sweeps; n++)
		go_round(site, n, gathered);
	spool_gather_end(site->spool);
	if (spool_join(site->spool, &err) < 0)
		end("the spool", err.text);
	spool_stat(site->spool, &stat);
	double samples = (double)site->n_sweeps * site->n_devices * site->said.n_columns;
	long peak_kib = peak();
	double wire = (double)wire_bytes(site, &sweeps) / samples;
	if (sweeps != (uint64_t)site->n_sweeps * site->n_devices)
		end("the spool", "it has lost something");
	printf("\"%s\": {\"wire\": %.3f, \"disk\": %.3f, \"frames\": %llu, \"away_kib\": %ld, "
	       "\"peak_kib\": %ld}",
		config.dir + strlen(folder) + 1, wire, (double)stat.bytes / samples,
		(unsigned long long)stat.frames, peak_kib, peak());
	spool_close(site->spool);
	return wire;
}

int main(int argc, char **argv)
{
	struct site site = {.n_devices = 0};
	struct fw_err err;
	char folder[] = "/tmp/fenwatch-devices-XXXXXX";
	if (argc != 5)
		end("usage", "bench_devices CAPTURE DEVICES SWEEPS SPOOL_MIB");
	if (capture_load(argv[1], true, &site.arena, &site.said, &err) < 0)
		end(argv[1], err.text);
	site.n_devices = number(argv[2], DEVICES_MOST);
	site.n_sweeps = number(argv[3], site.said.n_sweeps);
	site.devices = fw_alloc_array(site.n_devices, sizeof *site.devices);
	if (!mkdtemp(folder))
		end(folder, "cannot be made");
	printf("{");
	double gathered = measure(&site, folder, number(argv[4], 65536), true);
	printf(", ");
	double apart = measure(&site, folder, number(argv[4], 65536), false);
	puts("}");
	test_remove_tree(folder);
	for (uint32_t i = 0; i < site.n_devices; i++)
		fw_buf_done(&site.devices[i].host);
	fw_free(site.devices);
	fw_arena_done(&site.arena);
	/* The other is the control: what they cost otherwise. */
	return apart > WIRE_MOST && gathered <= WIRE_MOST ? 0 : 1;
}
