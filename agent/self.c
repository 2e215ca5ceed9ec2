/* SPDX-License-Identifier: Apache-2.0 */
#include "self.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/text.h>

enum {
	BUILD_INFO,
	CPU_SECONDS,
	RESIDENT_BYTES,
	VIRTUAL_BYTES,
	VIRTUAL_MAX_BYTES,
	OPEN_FDS,
	MAX_FDS,
	START_TIME,
	SPOOL_DEPTH,
	SPOOL_BYTES,
	SPOOL_OLDEST,
	SPOOL_DROPPED,
	PROGRAMS,
	PROGRAM_FRAMES,
	PROGRAM_CUT_OFF,
};

static const struct metric metrics[] = {
	[BUILD_INFO] = {"fenwatch_build_info", FW_GAUGE, "", "The version, as a label.", 0, 1},
	[CPU_SECONDS] = {"process_cpu_seconds_total", FW_COUNTER, "seconds",
		"CPU time that the agent has used.", 2, 1},
	[RESIDENT_BYTES] = {"process_resident_memory_bytes", FW_GAUGE, "bytes",
		"Resident memory of the agent.", 0, 4096},
	[VIRTUAL_BYTES] = {"process_virtual_memory_bytes", FW_GAUGE, "bytes",
		"Virtual memory of the agent.", 0, 4096},
	[VIRTUAL_MAX_BYTES] = {"process_virtual_memory_max_bytes", FW_GAUGE, "bytes",
		"Virtual memory that the agent may have; 2^64: as much as there is.", 0, 4096},
	[OPEN_FDS] = {"process_open_fds", FW_GAUGE, "", "Descriptors that the agent has open.", 0,
		1},
	[MAX_FDS] = {"process_max_fds", FW_GAUGE, "", "Descriptors that the agent may open.", 0, 1},
	[START_TIME] = {"process_start_time_seconds", FW_GAUGE, "seconds",
		"When the agent was started.", 3, 1},
	[SPOOL_DEPTH] = {"fenwatch_spool_depth", FW_GAUGE, "",
		"Frames that the collector has not acknowledged yet.", 0, 1},
	[SPOOL_BYTES] = {"fenwatch_spool_bytes", FW_GAUGE, "bytes",
		"Bytes that wait, on disk and in memory.", 0, 1},
	[SPOOL_OLDEST] = {"fenwatch_spool_oldest_timestamp_seconds", FW_GAUGE, "seconds",
		"Time of the oldest sweep that waits on disk; 0: none.", 3, 1},
	[SPOOL_DROPPED] = {"fenwatch_spool_dropped_total", FW_COUNTER, "",
		"Sweeps that had to be dropped.", 0, 1},
	[PROGRAMS] = {"fenwatch_agent_programs", FW_GAUGE, "",
		"Programs beside the agent that are connected to hand over what they learn.", 0, 1},
	[PROGRAM_FRAMES] = {"fenwatch_agent_program_frames_total", FW_COUNTER, "",
		"What they have handed over, by kind.", 0, 1},
	[PROGRAM_CUT_OFF] = {"fenwatch_agent_program_cut_off_total", FW_COUNTER, "",
		"How often one was hung up on because it misbehaved.", 0, 1},
};

const struct metric *self_metrics(size_t *n)
{
	*n = sizeof metrics / sizeof *metrics;
	return metrics;
}

static int64_t start_time_ms(void)
{
	static int64_t started_ms;
	if (!started_ms)
		started_ms = fw_wall_ms();
	return started_ms;
}

struct pages {
	int64_t all, resident, shared;
};

static bool read_pages(struct pages *pages)
{
	char text[128];
	int fd = fw_open("/proc/self/statm", O_RDONLY, 0);
	if (fd < 0)
		return false;
	ssize_t n = fw_pread(fd, text, sizeof text, 0);
	fw_close(fd);
	struct fw_cursor c = {text, text + (n > 0 ? n : 0)};
	return fw_cut_i64(&c, &pages->all) && fw_cut_i64(&c, &pages->resident) &&
		fw_cut_i64(&c, &pages->shared);
}

uint64_t self_own_bytes(void)
{
	struct pages pages;
	if (!read_pages(&pages) || pages.resident < pages.shared)
		return 0;
	return (uint64_t)(pages.resident - pages.shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void add_memory(struct sweep *sweep)
{
	struct pages pages;
	int64_t page = sysconf(_SC_PAGESIZE);
	if (read_pages(&pages)) {
		sweep_add_plain(sweep, &metrics[RESIDENT_BYTES], pages.resident * page / 4096);
		sweep_add_plain(sweep, &metrics[VIRTUAL_BYTES], pages.all * page / 4096);
	}
	struct rlimit limit;
	const int64_t unlimited = INT64_C(1) << 52;
	if (getrlimit(RLIMIT_AS, &limit) == 0)
		sweep_add_plain(sweep, &metrics[VIRTUAL_MAX_BYTES],
			limit.rlim_cur == RLIM_INFINITY ? unlimited
							: (int64_t)(limit.rlim_cur / 4096));
}

static void add_descriptors(struct sweep *sweep)
{
	struct rlimit limit;
	int64_t n = -3; /* ".", ".." and the one that looks */
	DIR *dir = opendir("/proc/self/fd");
	if (!dir)
		return;
	while (readdir(dir))
		n++;
	closedir(dir);
	sweep_add_plain(sweep, &metrics[OPEN_FDS], n);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		sweep_add_plain(sweep, &metrics[MAX_FDS], (int64_t)limit.rlim_cur);
}

/* Of machines where no such program runs they would say nothing. */
void self_add_programs(struct sweep *sweep, const struct handover_stat *stat)
{
	if (!stat->seen)
		return;
	sweep_add_plain(sweep, &metrics[PROGRAMS], stat->programs);
	sweep_add(sweep, &metrics[PROGRAM_FRAMES], (int64_t)stat->sweeps,
		SWEEP_LABELS("kind", "sweep"));
	sweep_add(sweep, &metrics[PROGRAM_FRAMES], (int64_t)stat->events,
		SWEEP_LABELS("kind", "event"));
	sweep_add_plain(sweep, &metrics[PROGRAM_CUT_OFF], (int64_t)stat->cut_off);
}

void self_add(struct sweep *sweep, const struct spool_stat *spool)
{
	sweep_add(sweep, &metrics[BUILD_INFO], 1,
		SWEEP_LABELS("program", "fenwatch-agent", "version", FW_VERSION));
	sweep_add_plain(sweep, &metrics[CPU_SECONDS], (int64_t)(fw_cpu_ns() / 10000000));
	sweep_add_plain(sweep, &metrics[START_TIME], start_time_ms());
	add_memory(sweep);
	add_descriptors(sweep);
	sweep_add_plain(sweep, &metrics[SPOOL_DEPTH], (int64_t)spool->frames);
	sweep_add_plain(sweep, &metrics[SPOOL_BYTES], (int64_t)spool->bytes);
	sweep_add_plain(sweep, &metrics[SPOOL_OLDEST], spool->oldest_ms);
	sweep_add_plain(sweep, &metrics[SPOOL_DROPPED], (int64_t)spool->dropped_sweeps);
}
