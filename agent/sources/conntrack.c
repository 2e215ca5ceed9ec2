/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <string.h>

#define STAT(name, help)                                                  \
	{                                                                 \
		"node_nf_conntrack_stat_" name, FW_GAUGE, "", help, 0, 1, \
	}

enum { ENTRIES, LIMIT, FIRST_STAT };

static const struct metric metrics[] = {
	[ENTRIES] = {"node_nf_conntrack_entries", FW_GAUGE, "",
		"Number of currently allocated flow entries for connection tracking.", 0, 1},
	[LIMIT] = {"node_nf_conntrack_entries_limit", FW_GAUGE, "",
		"Maximum size of connection tracking table.", 0, 1},
	[FIRST_STAT] = STAT("found", "Number of searched entries which were successful."),
	STAT("invalid", "Number of packets seen which can not be tracked."),
	STAT("ignore", "Number of packets seen which are already connected to a conntrack entry."),
	STAT("insert", "Number of entries inserted into the list."),
	STAT("insert_failed", "Number of entries that could not be inserted into the list."),
	STAT("drop", "Number of packets dropped due to conntrack failure."),
	STAT("early_drop", "Number of entries dropped to make room for new ones."),
	STAT("search_restart", "Number of lookups restarted because the table was resized."),
};

enum { COLUMNS_LIMIT = 32, STATS = COUNT(metrics) - FIRST_STAT, NOT_OURS = STATS };

/* Which of our sums each column of the header belongs to. */
static size_t read_header(struct fw_cursor *line, size_t *sum_of)
{
	size_t n = 0, length;
	const char *word;
	while (n < COLUMNS_LIMIT && fw_cut_word(line, &word, &length)) {
		sum_of[n] = NOT_OURS;
		for (size_t i = 0; i < STATS; i++) {
			const char *name =
				metrics[FIRST_STAT + i].name + strlen("node_nf_conntrack_stat_");
			if (strlen(name) == length && memcmp(name, word, length) == 0)
				sum_of[n] = i;
		}
		n++;
	}
	return n;
}

/* One line for each CPU, in hexadecimal under a header. */
static void add_stats(struct machine *m, struct sweep *out)
{
	struct fw_cursor c, line;
	if (machine_read(m, "proc/net/stat/nf_conntrack", &c) < 0 || !fw_cut_line(&c, &line))
		return;
	size_t sum_of[COLUMNS_LIMIT];
	size_t n = read_header(&line, sum_of);
	uint64_t sums[STATS + 1] = {0}, value;
	bool present[STATS + 1] = {0};
	while (fw_cut_line(&c, &line)) {
		for (size_t i = 0; i < n && cut_hex(&line, &value); i++) {
			sums[sum_of[i]] += value;
			present[sum_of[i]] = true;
		}
	}
	for (size_t i = 0; i < STATS; i++)
		if (present[i])
			sweep_add_plain(out, &metrics[FIRST_STAT + i], (int64_t)sums[i]);
}

static int read_conntrack(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	int64_t entries, limit;
	int rc = read_number(m, "proc/sys/net/netfilter/nf_conntrack_count", &entries, err);
	if (rc == 0)
		rc = read_number(m, "proc/sys/net/netfilter/nf_conntrack_max", &limit, err);
	if (rc < 0)
		return rc;
	sweep_add_plain(out, &metrics[ENTRIES], entries);
	sweep_add_plain(out, &metrics[LIMIT], limit);
	add_stats(m, out);
	return 0;
}

const struct source source_conntrack = {
	.name = "conntrack",
	.help = "The firewall's table of connections.",
	.purpose = "A table that is full drops new connections.",
	.reads = "/proc/sys/net/netfilter, /proc/net/stat/nf_conntrack",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_conntrack,
};
