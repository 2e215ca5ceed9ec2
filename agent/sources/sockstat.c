/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SOCKETS(protocol, what)                                                      \
	{                                                                            \
		"node_sockstat_" #protocol "_" #what, FW_GAUGE, "",                  \
			"Number of " #protocol " sockets in state " #what ".", 0, 1, \
	}

static const struct metric metrics[] = {
	{"node_sockstat_sockets_used", FW_GAUGE, "", "Number of IPv4 sockets in use.", 0, 1},
	SOCKETS(TCP, inuse),
	SOCKETS(TCP, orphan),
	SOCKETS(TCP, tw),
	SOCKETS(TCP, alloc),
	SOCKETS(TCP, mem),
	{"node_sockstat_TCP_mem_bytes", FW_GAUGE, "bytes", "Memory of all TCP sockets.", 0, 1},
	SOCKETS(UDP, inuse),
	SOCKETS(UDP, mem),
	{"node_sockstat_UDP_mem_bytes", FW_GAUGE, "bytes", "Memory of all UDP sockets.", 0, 1},
	SOCKETS(UDPLITE, inuse),
	SOCKETS(RAW, inuse),
	SOCKETS(FRAG, inuse),
	SOCKETS(FRAG, memory),
	SOCKETS(TCP6, inuse),
	SOCKETS(UDP6, inuse),
	SOCKETS(UDPLITE6, inuse),
	SOCKETS(RAW6, inuse),
	SOCKETS(FRAG6, inuse),
	SOCKETS(FRAG6, memory),
};

/* The key "mem" is in pages; the metric behind it in the table is the same in bytes. */
static void add(struct sweep *out, const struct metric *metric, int64_t value, const char *key)
{
	sweep_add_plain(out, metric, value);
	if (strcmp(key, "mem") == 0)
		sweep_add_plain(out, metric + 1, value * sysconf(_SC_PAGESIZE));
}

/* "TCP: inuse 5 orphan 0 tw 0 alloc 7 mem 1" */
static void add_line(struct sweep *out, struct fw_cursor *line, size_t *hint)
{
	char protocol[NAME_BYTES / 2], key[NAME_BYTES / 2], name[NAME_BYTES];
	if (!cut_name(line, ':', protocol, sizeof protocol))
		return;
	int64_t value;
	while (cut_name(line, ' ', key, sizeof key) && fw_cut_i64(line, &value)) {
		int length = snprintf(name, sizeof name, "%s_%s", protocol, key);
		const struct metric *metric = find_metric(metrics, COUNT(metrics), hint,
			strlen("node_sockstat_"), name, (size_t)length);
		if (metric)
			add(out, metric, value, key);
	}
}

static int add_file(struct machine *m, const char *path, struct sweep *out, struct fw_err *err)
{
	struct fw_cursor c, line;
	int rc = read_facts(m, path, &c, err);
	size_t hint = 0;
	while (rc == 0 && fw_cut_line(&c, &line))
		add_line(out, &line, &hint);
	return rc;
}

/* A machine without IPv6 lacks the second file. */
static int read_sockstat(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	int rc = add_file(m, "proc/net/sockstat", out, err);
	if (rc == 0)
		add_file(m, "proc/net/sockstat6", out, NULL);
	return rc;
}

const struct source source_sockstat = {
	.name = "sockstat",
	.help = "Sockets in use, by protocol, and their memory.",
	.purpose = "Services that leak connections come to an end.",
	.reads = "/proc/net/sockstat, /proc/net/sockstat6",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_sockstat,
};
