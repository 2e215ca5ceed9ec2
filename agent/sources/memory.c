/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <errno.h>
#include <string.h>

#define BYTES(field)                                                           \
	{                                                                      \
		"node_memory_" #field "_bytes", FW_GAUGE, "bytes",             \
			"Memory information field " #field "_bytes.", 0, 1024, \
	}
#define PAGES(field)                                                                               \
	{                                                                                          \
		"node_memory_" #field, FW_GAUGE, "", "Memory information field " #field ".", 0, 1, \
	}

/* In the kernel's order, old fields and new. */
static const struct metric metrics[] = {
	BYTES(MemTotal),
	BYTES(MemFree),
	BYTES(MemAvailable),
	BYTES(Buffers),
	BYTES(Cached),
	BYTES(SwapCached),
	BYTES(Active),
	BYTES(Inactive),
	BYTES(Active_anon),
	BYTES(Inactive_anon),
	BYTES(Active_file),
	BYTES(Inactive_file),
	BYTES(Unevictable),
	BYTES(Mlocked),
	BYTES(HighTotal),
	BYTES(HighFree),
	BYTES(LowTotal),
	BYTES(LowFree),
	BYTES(MmapCopy),
	BYTES(SwapTotal),
	BYTES(SwapFree),
	BYTES(Zswap),
	BYTES(Zswapped),
	BYTES(Dirty),
	BYTES(Writeback),
	BYTES(AnonPages),
	BYTES(Mapped),
	BYTES(Shmem),
	BYTES(KReclaimable),
	BYTES(Slab),
	BYTES(SReclaimable),
	BYTES(SUnreclaim),
	BYTES(KernelStack),
	BYTES(ShadowCallStack),
	BYTES(PageTables),
	BYTES(SecPageTables),
	BYTES(NFS_Unstable),
	BYTES(Bounce),
	BYTES(WritebackTmp),
	BYTES(CommitLimit),
	BYTES(Committed_AS),
	BYTES(VmallocTotal),
	BYTES(VmallocUsed),
	BYTES(VmallocChunk),
	BYTES(Percpu),
	BYTES(EarlyMemtestBad),
	BYTES(HardwareCorrupted),
	BYTES(AnonHugePages),
	BYTES(ShmemHugePages),
	BYTES(ShmemPmdMapped),
	BYTES(FileHugePages),
	BYTES(FilePmdMapped),
	BYTES(CmaTotal),
	BYTES(CmaFree),
	BYTES(Unaccepted),
	BYTES(Balloon),
	BYTES(GPUActive),
	BYTES(GPUReclaim),
	PAGES(HugePages_Total),
	PAGES(HugePages_Free),
	PAGES(HugePages_Rsvd),
	PAGES(HugePages_Surp),
	BYTES(Hugepagesize),
	BYTES(Hugetlb),
	BYTES(DirectMap4k),
	BYTES(DirectMap4M),
	BYTES(DirectMap2M),
	BYTES(DirectMap1G),
};

static int read_memory(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	struct fw_cursor c, line;
	int rc = read_facts(m, "proc/meminfo", &c, err);
	if (rc < 0)
		return rc;
	size_t hint = 0, found = 0;
	while (fw_cut_line(&c, &line)) {
		char key[NAME_BYTES];
		int64_t value;
		if (!cut_name(&line, ':', key, sizeof key) || !fw_cut_i64(&line, &value))
			continue;
		const struct metric *metric = find_metric(
			metrics, COUNT(metrics), &hint, strlen("node_memory_"), key, strlen(key));
		if (!metric)
			continue;
		sweep_add_plain(out, metric, value);
		found++;
	}
	return found ? 0 : fw_fail(err, -EBADMSG, "/proc/meminfo: no field is known");
}

const struct source source_memory = {
	.name = "memory",
	.help = "Memory and swap, as the kernel accounts for them.",
	.purpose = "To act before memory is used up.",
	.reads = "/proc/meminfo",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_memory,
};
