/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define KSTAT "proc/spl/kstat/zfs"
#define DATASETS_LIMIT 100 /* of a pool; in the order of the kernel's numbers for them */
#define DATASET_BYTES 256

#define ARC(name, help)                                           \
	{                                                         \
		"node_zfs_arc_" name, FW_UNTYPED, "", help, 0, 1, \
	}
#define DATASET(name, help)                                                 \
	{                                                                   \
		"node_zfs_zpool_dataset_" name, FW_UNTYPED, "", help, 0, 1, \
	}

enum { STATE, DATASETS_LEFT_OUT, DATASET_FIRST };

static const struct metric metrics[] = {
	[STATE] = {"node_zfs_zpool_state", FW_GAUGE, "", "kstat.zfs.misc.state", 0, 1},
	[DATASETS_LEFT_OUT] = {"fenwatch_zfs_datasets_left_out", FW_GAUGE, "",
		"Datasets of a pool that have no series of their own, since there are too many.", 0,
		1},
	DATASET("writes", "Writes to a dataset."),
	DATASET("nwritten", "Bytes written to a dataset."),
	DATASET("reads", "Reads from a dataset."),
	DATASET("nread", "Bytes read from a dataset."),
	DATASET("nunlinks", "Files of a dataset that were to be deleted."),
	DATASET("nunlinked", "Files of a dataset that were deleted."),
#define ARC_FIRST 8
	ARC("hits", "Reads that the cache had."),
	ARC("iohits", "Reads of what was being read already."),
	ARC("misses", "Reads that the cache had not."),
	ARC("demand_data_hits", "Hits of data that was asked for."),
	ARC("demand_data_iohits", "Reads of data being read already, that was asked for."),
	ARC("demand_data_misses", "Misses of data that was asked for."),
	ARC("demand_metadata_hits", "Hits of metadata that was asked for."),
	ARC("demand_metadata_iohits", "Reads of metadata being read already, that was asked for."),
	ARC("demand_metadata_misses", "Misses of metadata that was asked for."),
	ARC("prefetch_data_hits", "Hits of data that was read ahead."),
	ARC("prefetch_data_iohits", "Reads ahead of data being read already."),
	ARC("prefetch_data_misses", "Misses of data that was read ahead."),
	ARC("prefetch_metadata_hits", "Hits of metadata that was read ahead."),
	ARC("prefetch_metadata_iohits", "Reads ahead of metadata being read already."),
	ARC("prefetch_metadata_misses", "Misses of metadata that was read ahead."),
	ARC("mru_hits", "Hits in the list of what was used last."),
	ARC("mru_ghost_hits", "Hits on what that list has given up."),
	ARC("mfu_hits", "Hits in the list of what is used most."),
	ARC("mfu_ghost_hits", "Hits on what that list has given up."),
	ARC("uncached_hits", "Hits on what is not to be kept."),
	ARC("deleted", "Buffers removed from the cache."),
	ARC("mutex_miss", "Buffers that were locked when they should have been removed."),
	ARC("access_skip", "Buffers whose use was not noted."),
	ARC("evict_skip", "Buffers that could not be removed."),
	ARC("evict_not_enough", "Times that less was removed than asked for."),
	ARC("evict_l2_cached", "Bytes removed that the second cache had."),
	ARC("evict_l2_eligible", "Bytes removed that the second cache might take."),
	ARC("evict_l2_eligible_mfu", "Of these, bytes of what is used most."),
	ARC("evict_l2_eligible_mru", "Of these, bytes of what was used last."),
	ARC("evict_l2_ineligible", "Bytes removed that the second cache does not take."),
	ARC("evict_l2_skip", "Buffers removed while the second cache was busy."),
	ARC("hash_elements", "Buffers in the table."),
	ARC("hash_elements_max", "Most buffers that were in the table."),
	ARC("hash_collisions", "Collisions in the table."),
	ARC("hash_chains", "Chains in the table."),
	ARC("hash_chain_max", "Longest chain in the table."),
	ARC("p", "Size that the list of what was used last should have."),
	ARC("meta", "Share of metadata that the cache should have."),
	ARC("pd", "Share of data in the list of what was used last."),
	ARC("pm", "Share of metadata in the list of what was used last."),
	ARC("c", "Size that the cache should have."),
	ARC("c_min", "Least size of the cache."),
	ARC("c_max", "Largest size of the cache."),
	ARC("size", "Size of the cache."),
	ARC("compressed_size", "Bytes of data, compressed."),
	ARC("uncompressed_size", "Bytes of data, as they would be uncompressed."),
	ARC("overhead_size", "Bytes of data that are there uncompressed too."),
	ARC("hdr_size", "Bytes of headers."),
	ARC("data_size", "Bytes of data."),
	ARC("metadata_size", "Bytes of metadata."),
	ARC("dbuf_size", "Bytes of buffers' descriptions."),
	ARC("dnode_size", "Bytes of objects' descriptions."),
	ARC("bonus_size", "Bytes of objects' attributes."),
	ARC("anon_size", "Bytes that belong to no list."),
	ARC("anon_evictable_data", "Of these, data that could be removed."),
	ARC("anon_evictable_metadata", "Of these, metadata that could be removed."),
	ARC("mru_size", "Bytes in the list of what was used last."),
	ARC("mru_evictable_data", "Of these, data that could be removed."),
	ARC("mru_evictable_metadata", "Of these, metadata that could be removed."),
	ARC("mru_ghost_size", "Bytes that this list has given up and remembers."),
	ARC("mru_ghost_evictable_data", "Of these, data."),
	ARC("mru_ghost_evictable_metadata", "Of these, metadata."),
	ARC("mfu_size", "Bytes in the list of what is used most."),
	ARC("mfu_evictable_data", "Of these, data that could be removed."),
	ARC("mfu_evictable_metadata", "Of these, metadata that could be removed."),
	ARC("mfu_ghost_size", "Bytes that this list has given up and remembers."),
	ARC("mfu_ghost_evictable_data", "Of these, data."),
	ARC("mfu_ghost_evictable_metadata", "Of these, metadata."),
	ARC("l2_hits", "Reads that the second cache had."),
	ARC("l2_misses", "Reads that the second cache had not."),
	ARC("l2_feeds", "Rounds of filling the second cache."),
	ARC("l2_rw_clash", "Reads that met a write of the second cache."),
	ARC("l2_read_bytes", "Bytes read from the second cache."),
	ARC("l2_write_bytes", "Bytes written to the second cache."),
	ARC("l2_writes_sent", "Writes sent to the second cache."),
	ARC("l2_writes_done", "Writes to the second cache that ended."),
	ARC("l2_writes_error", "Writes to the second cache that failed."),
	ARC("l2_writes_lock_retry", "Writes to the second cache tried again for a lock."),
	ARC("l2_evict_lock_retry", "Removals from the second cache tried again for a lock."),
	ARC("l2_evict_reading", "Removals from the second cache of what was being read."),
	ARC("l2_evict_l1cached", "Removals from the second cache of what the first has."),
	ARC("l2_free_on_write", "Buffers freed after they were written to the second cache."),
	ARC("l2_abort_lowmem", "Rounds of filling given up for want of memory."),
	ARC("l2_cksum_bad", "Wrong checksums of the second cache."),
	ARC("l2_io_error", "Errors of the second cache."),
	ARC("l2_size", "Bytes in the second cache, uncompressed."),
	ARC("l2_asize", "Bytes in the second cache, as they lie there."),
	ARC("l2_hdr_size", "Bytes of headers of the second cache."),
	ARC("memory_throttle_count", "Writes that waited for memory."),
	ARC("memory_direct_count", "Memory given back because a program needed it."),
	ARC("memory_indirect_count", "Memory given back because the kernel asked for it."),
	ARC("memory_all_bytes", "Memory of the machine."),
	ARC("memory_free_bytes", "Memory that is free."),
	ARC("memory_available_bytes", "Memory that the cache may still take."),
	ARC("arc_no_grow", "Whether the cache may not grow."),
	ARC("arc_tempreserve", "Bytes reserved for the moment."),
	ARC("arc_loaned_bytes", "Bytes on loan."),
	ARC("arc_prune", "Times that others were asked to let metadata go."),
	ARC("arc_meta_used", "Bytes of metadata."),
	ARC("arc_meta_limit", "Most bytes of metadata."),
	ARC("arc_dnode_limit", "Most bytes of objects' descriptions."),
	ARC("arc_meta_max", "Most bytes of metadata that there were."),
	ARC("arc_meta_min", "Least bytes of metadata."),
	ARC("async_upgrade_sync", "Reads ahead that somebody then waited for."),
	ARC("predictive_prefetch", "Reads ahead by guess."),
	ARC("demand_hit_predictive_prefetch", "Of these, reads that were asked for then."),
	ARC("prescient_prefetch", "Reads ahead by knowledge."),
	ARC("demand_hit_prescient_prefetch", "Of these, reads that were asked for then."),
	ARC("arc_need_free", "Bytes that the cache should give back."),
	ARC("arc_sys_free", "Bytes that the machine should have free."),
	ARC("arc_raw_size", "Bytes kept encrypted."),
	ARC("cached_only_in_progress", "Whether reads wait for the cache."),
	ARC("abd_chunk_waste_size", "Bytes lost in buffers' last pages."),
};
#define PREFIX (sizeof "node_zfs_arc_" - 1)
#define DATASET_PREFIX (sizeof "node_zfs_zpool_dataset_" - 1)

/* "name  type  data"; only numbers are of interest. */
static bool cut_number(struct fw_cursor *line, const char **name, size_t *length, int64_t *value)
{
	uint64_t type;
	return fw_cut_word(line, name, length) && fw_cut_u64(line, &type) && type != 7 &&
		fw_cut_i64(line, value);
}

static int add_arc(struct machine *m, struct sweep *out)
{
	struct fw_cursor c, line;
	const char *name;
	size_t length, hint = 0;
	int64_t value;
	int rc = machine_read(m, KSTAT "/arcstats", &c);
	while (rc == 0 && fw_cut_line(&c, &line)) {
		if (!cut_number(&line, &name, &length, &value))
			continue;
		const struct metric *metric = find_metric(metrics + ARC_FIRST,
			COUNT(metrics) - ARC_FIRST, &hint, PREFIX, name, length);
		if (metric)
			sweep_add_plain(out, metric, value);
	}
	return rc;
}

static void add_state(struct sweep *out, const char *pool, const char *now)
{
	static const char *const states[] = {
		"degraded", "faulted", "offline", "online", "removed", "suspended", "unavail"};
	for (size_t i = 0; i < COUNT(states); i++)
		sweep_add(out, &metrics[STATE], strcasecmp(now, states[i]) == 0,
			SWEEP_LABELS("state", states[i], "zpool", pool));
}

struct pool {
	struct sweep *out;
	const char *name;
	unsigned datasets;
};

static bool find_name(struct fw_cursor c, char out[DATASET_BYTES])
{
	struct fw_cursor line;
	uint64_t type;
	while (fw_cut_line(&c, &line)) {
		if (!fw_cut_literal(&line, "dataset_name") || !fw_cut_u64(&line, &type))
			continue;
		fw_skip_blanks(&line);
		snprintf(out, DATASET_BYTES, "%.*s", (int)(line.end - line.at), line.at);
		return true;
	}
	return false;
}

static int add_dataset(struct machine *m, const char *file, void *arg)
{
	struct pool *pool = arg;
	char path[2 * NAME_BYTES + 64], dataset[DATASET_BYTES];
	struct fw_cursor c, line;
	const char *name;
	size_t length, hint = 0;
	int64_t value;
	if (strncmp(file, "objset-", 7) != 0 || pool->datasets++ >= DATASETS_LIMIT)
		return 0;
	snprintf(path, sizeof path, KSTAT "/%.*s/%.*s", NAME_BYTES, pool->name, NAME_BYTES, file);
	if (machine_read(m, path, &c) < 0 || !find_name(c, dataset))
		return 0;
	while (fw_cut_line(&c, &line)) {
		if (!cut_number(&line, &name, &length, &value))
			continue;
		const struct metric *metric = find_metric(metrics + DATASET_FIRST,
			ARC_FIRST - DATASET_FIRST, &hint, DATASET_PREFIX, name, length);
		if (metric)
			sweep_add(pool->out, metric, value,
				SWEEP_LABELS("dataset", dataset, "zpool", pool->name));
	}
	return 0;
}

/* Every folder with a state is a pool. */
static int add_pool(struct machine *m, const char *name, void *arg)
{
	struct pool pool = {arg, name, 0};
	char path[NAME_BYTES + 48], state[TEXT_BYTES];
	snprintf(path, sizeof path, KSTAT "/%.*s/state", NAME_BYTES, name);
	if (!read_text(m, path, state, sizeof state))
		return 0;
	add_state(pool.out, name, state);
	snprintf(path, sizeof path, KSTAT "/%.*s", NAME_BYTES, name);
	machine_list(m, path, add_dataset, &pool);
	sweep_add(pool.out, &metrics[DATASETS_LEFT_OUT],
		pool.datasets > DATASETS_LIMIT ? pool.datasets - DATASETS_LIMIT : 0,
		SWEEP_LABELS("zpool", name));
	return 0;
}

static int read_zfs(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	int rc = machine_list(m, KSTAT, add_pool, out);
	if (rc == 0)
		rc = add_arc(m, out);
	return rc < 0 ? fw_fail(err, -ENODATA, "this machine has no /" KSTAT) : 0;
}

/* A pool that has lost its disks holds back whoever asks for it. */
const struct source source_zfs = {
	.name = "zfs",
	.help = "ZFS: the state of the pools, their datasets, and the cache.",
	.purpose =
		"A pool that is degraded or suspended, and whether its cache has the room it needs.",
	.reads = "/proc/spl/kstat/zfs",
	.slow = true,
	.only_with = KSTAT,
	.every_s = 30,
	.timeout_s = 20,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_zfs,
};
