/* SPDX-License-Identifier: Apache-2.0 */
#include "gen.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define SEED 0x46656e7761746368ull
#define SWEEPS_A_DAY 8640

/* ---- which series there are ---- */

struct definition {
	const char *name;
	struct fw_label labels[3];
	uint16_t n_labels;
	enum gen_kind kind;
	double size, step;
};

struct definitions {
	struct fw_arena *arena;
	struct definition list[GEN_SERIES];
	unsigned n;
};

static struct definition *add(
	struct definitions *all, const char *name, enum gen_kind kind, double size, double step)
{
	assert(all->n < GEN_SERIES);
	struct definition *definition = &all->list[all->n++];
	*definition = (struct definition){.name = name, .kind = kind, .size = size, .step = step};
	return definition;
}

static void label(struct definition *definition, const char *name, const char *value)
{
	assert(definition->n_labels < 3);
	definition->labels[definition->n_labels++] = (struct fw_label){name, value};
}

static void add_cpus(struct definitions *all)
{
	static const struct {
		const char *mode;
		double share;
	} modes[] = {{"idle", 0}, {"user", .6}, {"system", .25}, {"iowait", .1}, {"softirq", .05},
		{"irq", -1}, {"nice", -1}, {"steal", -1}};
	for (unsigned cpu = 0; cpu < 4; cpu++)
		for (unsigned i = 0; i < 8; i++) {
			bool changes = modes[i].share >= 0;
			struct definition *d =
				add(all, "node_cpu_seconds_total", changes ? GEN_CPU : GEN_CONSTANT,
					changes ? modes[i].share : 0, i == 0);
			label(d, "cpu", fw_arena_format(all->arena, "%u", cpu));
			label(d, "mode", modes[i].mode);
		}
}

struct family {
	const char *name;
	double size, step;
};

static void add_on(struct definitions *all, const char *device, const struct family *families,
	unsigned n, enum gen_kind kind, double part)
{
	for (unsigned i = 0; i < n; i++)
		label(add(all, families[i].name, kind, families[i].size * part, families[i].step),
			"device", device);
}

static void add_plain(
	struct definitions *all, const struct family *families, unsigned n, enum gen_kind kind)
{
	for (unsigned i = 0; i < n; i++)
		add(all, families[i].name, kind, families[i].size, families[i].step);
}

static const char *const disks[] = {"nvme0n1", "sda"};

static void add_fast(struct definitions *all)
{
	static const struct family network[] = {{"node_network_receive_bytes_total", 4e6, .5},
		{"node_network_transmit_bytes_total", 2e6, .5},
		{"node_network_receive_packets_total", 5e3, .5},
		{"node_network_transmit_packets_total", 4e3, .5}};
	static const struct family disk[] = {{"node_disk_read_bytes_total", 2e5, .8},
		{"node_disk_written_bytes_total", 1.5e6, .8},
		{"node_disk_reads_completed_total", 30, .8},
		{"node_disk_writes_completed_total", 150, .8}};
	static const struct family rest[] = {{"node_context_switches_total", 3e4, .3},
		{"node_intr_total", 1.5e4, .3}, {"node_vmstat_pgfault", 2e4, .3},
		{"node_vmstat_pgpgin", 2e3, .3}, {"node_vmstat_pgpgout", 1e4, .3},
		{"node_netstat_Tcp_InSegs", 4e3, .3}, {"node_netstat_Tcp_OutSegs", 4e3, .3},
		{"node_netstat_IpExt_InOctets", 4e6, .3}};
	add_on(all, "lo", network, 4, GEN_FAST, .1);
	add_on(all, "eth0", network, 4, GEN_FAST, 1);
	for (unsigned d = 0; d < 2; d++)
		add_on(all, disks[d], disk, 4, GEN_FAST, 1);
	add_plain(all, rest, 8, GEN_FAST);
}

static void add_slow(struct definitions *all)
{
	static const struct family slow[] = {{"node_forks_total", 8, 0},
		{"node_netstat_Tcp_ActiveOpens", 13, 0}, {"node_netstat_Tcp_PassiveOpens", 18, 0},
		{"node_netstat_Udp_InDatagrams", 23, 0}, {"node_netstat_Udp_OutDatagrams", 28, 0}};
	static const struct family sparse[] = {{"node_vmstat_pgmajfault", .1, 3},
		{"node_netstat_Tcp_RetransSegs", .1, 3}, {"node_netstat_TcpExt_TCPTimeouts", .1, 3},
		{"node_netstat_TcpExt_TCPSynRetrans", .1, 3}, {"node_netstat_Tcp_OutRsts", .1, 3}};
	static const struct family disk[] = {{"node_disk_reads_merged_total", .1, 5},
		{"node_disk_discards_completed_total", .05, 20}};
	add_plain(all, slow, 5, GEN_SLOW);
	for (unsigned cpu = 0; cpu < 4; cpu++)
		label(add(all, "node_softnet_processed_total", GEN_SLOW, 40, 0), "cpu",
			fw_arena_format(all->arena, "%u", cpu));
	add(all, "node_netstat_Icmp_InMsgs", GEN_SLOW, 2, 0);
	add_plain(all, sparse, 5, GEN_SPARSE);
	for (unsigned d = 0; d < 2; d++)
		add_on(all, disks[d], disk, 2, GEN_SPARSE, 1);
	add(all, "node_netstat_Udp_NoPorts", GEN_SPARSE, .1, 1);
}

static void add_seconds(struct definitions *all)
{
	static const struct family disk[] = {{"node_disk_read_time_seconds_total", .05, 1e3},
		{"node_disk_write_time_seconds_total", .4, 1e3},
		{"node_disk_io_time_seconds_total", .3, 1e3},
		{"node_disk_io_time_weighted_seconds_total", .5, 1e3}};
	static const struct family pressure[] = {
		{"node_pressure_cpu_waiting_seconds_total", .2, 1e6},
		{"node_pressure_io_waiting_seconds_total", .1, 1e6}};
	for (unsigned d = 0; d < 2; d++)
		add_on(all, disks[d], disk, 4, GEN_SECONDS, 1);
	add_plain(all, pressure, 2, GEN_SECONDS);
}

static void add_memory(struct definitions *all)
{
	static const char *const names[] = {"MemFree", "MemAvailable", "Buffers", "Cached",
		"Active", "Inactive", "Active_anon", "Inactive_anon", "Active_file",
		"Inactive_file", "Dirty", "AnonPages", "Mapped", "Shmem", "Slab", "SReclaimable",
		"SUnreclaim", "PageTables", "KernelStack", "Committed_AS"};
	for (unsigned i = 0; i < 20; i++)
		add(all, fw_arena_format(all->arena, "node_memory_%s_bytes", names[i]), GEN_MEMORY,
			i < 10 ? 400 : 40, i < 10 ? 4e6 : 2e5);
}

static void add_gauges(struct definitions *all)
{
	static const struct family small[] = {{"node_procs_running", 2, 0},
		{"node_procs_blocked", .3, 1}, {"node_sockstat_sockets_used", 250, 2},
		{"node_sockstat_TCP_inuse", 60, 3}, {"node_sockstat_TCP_tw", 30, 4},
		{"node_sockstat_TCP_alloc", 80, 5}, {"node_sockstat_TCP_mem", 12, 6},
		{"node_filefd_allocated", 2200, 7}, {"node_entropy_available_bits", 3500, 8},
		{"node_arp_entries", 14, 9}, {"node_processes_threads", 420, 10}};
	static const struct family load[] = {
		{"node_load1", 1, 0}, {"node_load5", 5, 0}, {"node_load15", 15, 0}};
	static const char *const collectors[] = {"cpu", "diskstats", "filesystem", "loadavg",
		"meminfo", "netdev", "netstat", "sockstat", "stat", "vmstat", "time"};
	add_plain(all, small, 11, GEN_SMALL);
	add_plain(all, load, 3, GEN_LOAD);
	for (unsigned i = 0; i < 11; i++)
		label(add(all, "node_scrape_collector_duration_seconds", GEN_DURATION,
			      2e-4 * (i + 1), 0),
			"collector", collectors[i]);
	add(all, "node_time_seconds", GEN_TIME, 0, 0);
}

static void add_filesystems(struct definitions *all)
{
	static const char *const mounts[] = {"/", "/boot", "/var/lib/data", "/home", "/tmp"};
	static const char *const names[] = {"avail_bytes", "free_bytes", "files_free", "size_bytes",
		"files", "readonly", "device_error"};
	for (unsigned m = 0; m < 5; m++)
		for (unsigned i = 0; i < 7; i++) {
			struct definition *d = add(all,
				fw_arena_format(all->arena, "node_filesystem_%s", names[i]),
				i < 3 ? GEN_RARE : GEN_CONSTANT, i < 2 ? 4096 : 1, 0);
			label(d, "device", fw_arena_format(all->arena, "/dev/mapper/vg0-lv%u", m));
			label(d, "fstype", "ext4");
			label(d, "mountpoint", mounts[m]);
		}
}

static void add_rare(struct definitions *all)
{
	static const char *const names[] = {"node_timex_offset_seconds",
		"node_timex_frequency_adjustment_ratio", "node_nf_conntrack_entries",
		"node_memory_HugePages_Free", "node_memory_Mlocked_bytes", "node_hwmon_fan_rpm",
		"node_md_blocks_synced", "node_systemd_units_active", "node_filefd_maximum",
		"node_sockstat_UDP_inuse", "node_sockstat_RAW_inuse", "node_sockstat_FRAG_inuse",
		"node_vmstat_oom_kill", "node_bonding_active", "node_netstat_Tcp_CurrEstab"};
	for (unsigned i = 0; i < 15; i++)
		add(all, names[i], GEN_RARE, 1, 0);
}

/* As many as are missing. */
static void add_interfaces(struct definitions *all)
{
	static const char *const names[] = {"receive_errs_total", "receive_drop_total",
		"receive_fifo_total", "receive_frame_total", "receive_compressed_total",
		"receive_multicast_total", "transmit_errs_total", "transmit_drop_total",
		"transmit_fifo_total", "transmit_colls_total", "transmit_carrier_total",
		"transmit_compressed_total", "up", "mtu_bytes", "speed_bytes", "carrier",
		"iface_id", "protocol_type", "transmit_queue_length", "flags", "dormant"};
	for (unsigned d = 0; all->n < GEN_SERIES; d++)
		for (unsigned i = 0; i < 21 && all->n < GEN_SERIES; i++)
			label(add(all, fw_arena_format(all->arena, "node_network_%s", names[i]),
				      GEN_CONSTANT, 0, 0),
				"device",
				fw_arena_format(all->arena, "%s%u", d ? "veth" : "eth", d));
}

static const struct definitions *define(void)
{
	static struct fw_arena arena;
	static struct definitions all;
	if (all.n > 0)
		return &all;
	all.arena = &arena;
	add_cpus(&all);
	add_fast(&all);
	add_slow(&all);
	add_seconds(&all);
	add_memory(&all);
	add_gauges(&all);
	add_filesystems(&all);
	add_rare(&all);
	add_interfaces(&all);
	return &all;
}

void gen_schema(struct fw_arena *arena, struct fw_schema *out)
{
	const struct definitions *all = define();
	struct fw_column *columns = fw_arena_alloc(arena, GEN_SERIES * sizeof *columns);
	for (unsigned i = 0; i < GEN_SERIES; i++)
		columns[i] = (struct fw_column){
			.name = all->list[i].name,
			.labels = all->list[i].labels,
			.n_labels = all->list[i].n_labels,
			.type = FW_UNTYPED | FW_DOUBLE,
			.factor = 1,
		};
	*out = (struct fw_schema){.n_columns = GEN_SERIES, .columns = columns};
	fw_schema_seal(out);
}

/* ---- dice ---- */

static uint64_t mix(uint64_t z)
{
	z += 0x9e3779b97f4a7c15;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static uint64_t roll(uint64_t *state)
{
	uint64_t x = *state;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/* From 0 to 1. */
static double roll_part(uint64_t *state)
{
	return (double)(roll(state) >> 11) * 0x1p-53;
}

/* About a normal distribution around 0, of deviation 1. */
static double roll_bell(uint64_t *state)
{
	uint64_t r = roll(state) * 0x2545f4914f6cdd1d;
	double sum = (double)(r & 0xffff) + (double)((r >> 16) & 0xffff) +
		(double)((r >> 32) & 0xffff) + (double)(r >> 48);
	return (sum - 131070.0) * (1.7320508 / 65536.0);
}

/* ---- where they begin ---- */

static void init_series(struct gen_series *s)
{
	double part = roll_part(&s->rng), other = roll_part(&s->rng);
	switch (s->kind) {
	case GEN_CONSTANT:
		s->count = part < .6 ? 0 : part < .8 ? 1 : (int64_t)(other * 1e10);
		break;
	case GEN_RARE:
		s->count = (int64_t)(other * (s->size > 1 ? 2e7 : 300));
		break;
	case GEN_CPU:
		s->count = (int64_t)(other * 3e7);
		break;
	case GEN_FAST:
		s->count = (int64_t)(other * s->size * 1e5);
		s->size *= .3 + 2 * part;
		break;
	case GEN_SLOW:
		s->count = (int64_t)(other * 1e6);
		s->size *= .3 + 2 * part;
		break;
	case GEN_SPARSE:
		s->count = (int64_t)(other * 1e4);
		break;
	case GEN_SECONDS:
		s->count = (int64_t)(other * 1e5 * s->step);
		s->size *= .2 + part;
		break;
	case GEN_MEMORY:
		s->middle = s->step * (.2 + part);
		s->count = (int64_t)s->middle;
		break;
	case GEN_SMALL:
		s->middle = s->size * (.5 + part);
		s->count = (int64_t)s->middle;
		break;
	case GEN_LOAD:
		s->value = part;
		break;
	case GEN_DURATION:
		s->size *= .5 + part;
		break;
	default:
		s->middle = part;
	}
}

void gen_host_init(struct gen_host *host, unsigned number)
{
	const struct definitions *all = define();
	uint64_t seed = SEED ^ (uint64_t)number << 20;
	*host = (struct gen_host){.number = number, .rng = mix(seed) | 1};
	host->activity = .1 + .5 * roll_part(&host->rng);
	for (uint64_t i = 0; i < GEN_SERIES; i++) {
		struct gen_series *s = &host->series[i];
		*s = (struct gen_series){
			.kind = all->list[i].kind,
			.size = all->list[i].size,
			.step = all->list[i].step,
			.rng = mix(seed ^ (i + 1) << 40) | 1,
		};
		init_series(s);
	}
}

/* ---- how they go on ---- */

static double at_least_0(double v)
{
	return v < 0 ? 0 : v;
}

static double step_rare(struct gen_series *s)
{
	uint64_t r = roll(&s->rng);
	if ((r >> 40) % 360 == 0) {
		int64_t change = (int64_t)((r & 0xffff) % 9) - 4;
		s->count += s->size > 1 ? change * 37 : change;
		s->count = s->count < 0 ? 0 : s->count;
	}
	return (double)s->count * s->size;
}

/* A CPU's idle time, its first series, takes what the others have left: see below. */
static double step_cpu(struct gen_host *host, struct gen_series *s, double *busy)
{
	if (s->step != 0)
		return 0;
	double more = 1000 * host->activity * s->size * (1 + .35 * roll_bell(&s->rng));
	more = at_least_0(more);
	more = (double)(int64_t)(more + *busy > 1000 ? 1000 - *busy : more);
	*busy += more;
	s->count += (int64_t)more;
	return (double)s->count / 100.0;
}

static double step_fast(struct gen_series *s, double activity)
{
	double more = s->size * 10 * activity * (1 + s->step * roll_bell(&s->rng));
	uint64_t r = roll(&s->rng);
	if ((r >> 32) % 50 == 0)
		more *= (double)(1 + (r & 15));
	s->count += (int64_t)at_least_0(more);
	return (double)s->count;
}

static double step_slow(struct gen_series *s, double activity)
{
	double more = s->size * 4 * activity * (1 + .6 * roll_bell(&s->rng));
	s->count += (int64_t)(at_least_0(more) + .5);
	return (double)s->count;
}

static double step_sparse(struct gen_series *s)
{
	uint64_t r = roll(&s->rng);
	if ((double)(r >> 40) * 0x1p-24 < s->size)
		s->count += 1 + (int64_t)((r & 0xffff) % (uint64_t)s->step);
	return (double)s->count;
}

static double step_seconds(struct gen_series *s, double activity)
{
	double more = s->size * 10 * activity * (1 + .5 * roll_bell(&s->rng)) * s->step;
	s->count += (int64_t)at_least_0(more);
	return (double)s->count / s->step;
}

static double step_memory(struct gen_series *s)
{
	if (roll(&s->rng) % 10 < 7) {
		int64_t home = (int64_t)((s->middle - (double)s->count) * .002);
		s->count += (int64_t)(s->size * roll_bell(&s->rng)) + home;
		s->count = s->count < 0 ? 0 : s->count;
	}
	return (double)s->count * 1024;
}

static double step_small(struct gen_series *s, double activity)
{
	double deviation = s->step < 2 ? 1 : .01 * s->size + .4;
	if (roll(&s->rng) % 10 < 5)
		s->count = (int64_t)(s->middle * (.8 + .8 * activity) +
			deviation * roll_bell(&s->rng) + .5);
	s->count = s->count < 0 ? 0 : s->count;
	return (double)s->count;
}

static double step_load(struct gen_series *s, double activity)
{
	s->value += (4 * activity * (1 + .3 * roll_bell(&s->rng)) - s->value) *
		(1 - exp(-10.0 / (60 * s->size)));
	s->value = at_least_0(s->value);
	return (double)(int64_t)(s->value * 100) / 100.0;
}

static double step_duration(struct gen_series *s)
{
	double v = s->size * (1 + .25 * roll_bell(&s->rng));
	return (double)(int64_t)((v < 1e-6 ? 1e-6 : v) * 1e9) / 1e9;
}

static double step_time(struct gen_series *s, int64_t at_ms)
{
	double late = s->middle + .002 * roll_part(&s->rng);
	return (double)at_ms / 1000.0 + (double)(int64_t)(late * 1e7) / 1e7;
}

static double step_series(struct gen_host *host, unsigned i, int64_t at_ms)
{
	struct gen_series *s = &host->series[i];
	switch (s->kind) {
	case GEN_CONSTANT:
		return (double)s->count;
	case GEN_RARE:
		return step_rare(s);
	case GEN_CPU:
		return step_cpu(host, s, &host->busy[i / 8]);
	case GEN_FAST:
		return step_fast(s, host->activity);
	case GEN_SLOW:
		return step_slow(s, host->activity);
	case GEN_SPARSE:
		return step_sparse(s);
	case GEN_SECONDS:
		return step_seconds(s, host->activity);
	case GEN_MEMORY:
		return step_memory(s);
	case GEN_SMALL:
		return step_small(s, host->activity);
	case GEN_LOAD:
		return step_load(s, host->activity);
	case GEN_DURATION:
		return step_duration(s);
	default:
		return step_time(s, at_ms);
	}
}

static void step_activity(struct gen_host *host, uint32_t sweep)
{
	double of_day = (double)(sweep % SWEEPS_A_DAY) / (double)SWEEPS_A_DAY;
	double day = 6.283185307179586 * (of_day + host->number * .01);
	double change = .05 * (.25 + .15 * sin(day) - host->activity);
	host->activity += change + .03 * roll_bell(&host->rng);
	host->activity = host->activity < .01 ? .01 : host->activity > 1 ? 1 : host->activity;
}

void gen_host_step(struct gen_host *host, uint32_t sweep, int64_t at_ms, double *values)
{
	step_activity(host, sweep);
	memset(host->busy, 0, sizeof host->busy);
	for (unsigned i = 0; i < GEN_SERIES; i++)
		values[i] = step_series(host, i, at_ms);
	for (unsigned cpu = 0; cpu < 4; cpu++) {
		struct gen_series *idle = &host->series[8 * cpu];
		idle->count += (int64_t)(1000 - host->busy[cpu]);
		values[8 * cpu] = (double)idle->count / 100.0;
	}
}
