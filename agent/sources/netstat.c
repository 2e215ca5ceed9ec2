/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <assert.h>
#include <string.h>

#define FIELD(protocol, field)                                        \
	{                                                             \
		"node_netstat_" #protocol "_" #field, FW_UNTYPED, "", \
			"Statistic " #protocol #field ".", 0, 1,      \
	}

/* In the kernel's order: /proc/net/snmp, netstat, snmp6. */
static const struct metric metrics[] = {
	FIELD(Ip, Forwarding),
	FIELD(Icmp, InMsgs),
	FIELD(Icmp, InErrors),
	FIELD(Icmp, OutMsgs),
	FIELD(Tcp, MaxConn),
	FIELD(Tcp, ActiveOpens),
	FIELD(Tcp, PassiveOpens),
	FIELD(Tcp, CurrEstab),
	FIELD(Tcp, InSegs),
	FIELD(Tcp, OutSegs),
	FIELD(Tcp, RetransSegs),
	FIELD(Tcp, InErrs),
	FIELD(Tcp, OutRsts),
	FIELD(Udp, InDatagrams),
	FIELD(Udp, NoPorts),
	FIELD(Udp, InErrors),
	FIELD(Udp, OutDatagrams),
	FIELD(Udp, RcvbufErrors),
	FIELD(Udp, SndbufErrors),
	FIELD(UdpLite, InErrors),
	FIELD(TcpExt, SyncookiesSent),
	FIELD(TcpExt, SyncookiesRecv),
	FIELD(TcpExt, SyncookiesFailed),
	FIELD(TcpExt, ListenOverflows),
	FIELD(TcpExt, ListenDrops),
	FIELD(TcpExt, TCPTimeouts),
	FIELD(TcpExt, TCPRcvQDrop),
	FIELD(TcpExt, TCPOFOQueue),
	FIELD(TcpExt, TCPSynRetrans),
	FIELD(IpExt, InOctets),
	FIELD(IpExt, OutOctets),
	FIELD(Ip6, InOctets),
	FIELD(Ip6, OutOctets),
	FIELD(Icmp6, InMsgs),
	FIELD(Icmp6, InErrors),
	FIELD(Icmp6, OutMsgs),
	FIELD(Udp6, InDatagrams),
	FIELD(Udp6, NoPorts),
	FIELD(Udp6, InErrors),
	FIELD(Udp6, OutDatagrams),
	FIELD(Udp6, RcvbufErrors),
	FIELD(Udp6, SndbufErrors),
	FIELD(UdpLite6, InErrors),
};
#define PREFIX strlen("node_netstat_")
#define COLUMNS_LIMIT 256 /* of a table; the widest has 130 */
#define TABLES_LIMIT 16   /* half of them of each file */

static bool is_of(const struct metric *metric, const char *protocol, size_t length)
{
	const char *name = metric->name + PREFIX;
	size_t i = 0;
	while (i < length && name[i] != '\0' && name[i] == protocol[i])
		i++;
	return i == length && name[i] == '_';
}

/* The first of a protocol's metrics and the one behind its last. */
static void find_protocol(const char *protocol, size_t length, size_t *first, size_t *end)
{
	size_t i = 0;
	while (i < COUNT(metrics) && !is_of(&metrics[i], protocol, length))
		i++;
	*first = i;
	while (i < COUNT(metrics) && is_of(&metrics[i], protocol, length))
		i++;
	*end = i;
}

/* Which metric each column of a table is. The kernel's header is the same at every
 * read, so it is looked into only when it is not the one that is remembered. */
struct table {
	struct fw_buf header;
	uint8_t metrics[COLUMNS_LIMIT]; /* index + 1; 0 is none of ours */
	size_t n;
};

struct netstat {
	struct table tables[TABLES_LIMIT];
};

static_assert(COUNT(metrics) < UINT8_MAX, "a column holds an index + 1");

static void learn_columns(struct table *table, struct fw_cursor names)
{
	const char *word;
	size_t length, first, end, hint = 0;
	table->n = 0;
	if (!fw_cut_word(&names, &word, &length))
		return;
	find_protocol(word, length - 1, &first, &end);
	size_t key = PREFIX + length;
	while (first < end && table->n < COLUMNS_LIMIT && fw_cut_word(&names, &word, &length)) {
		const struct metric *metric =
			find_metric(&metrics[first], end - first, &hint, key, word, length);
		table->metrics[table->n++] = metric ? (uint8_t)(metric - metrics + 1) : 0;
	}
}

static void remember(struct table *table, const struct fw_cursor *names)
{
	size_t length = (size_t)(names->end - names->at);
	if (table->header.length == length && table->header.data &&
		memcmp(table->header.data, names->at, length) == 0)
		return;
	fw_buf_reset(&table->header);
	fw_buf_append(&table->header, names->at, length);
	learn_columns(table, *names);
}

/* A line of names and one of values, both beginning with the protocol. */
static void add_pair(struct sweep *out, struct table *table, const struct fw_cursor *names,
	struct fw_cursor *values)
{
	const char *protocol;
	size_t length;
	int64_t value;
	remember(table, names);
	if (!fw_cut_word(values, &protocol, &length))
		return;
	for (size_t i = 0; i < table->n && fw_cut_i64(values, &value); i++)
		if (table->metrics[i] > 0)
			sweep_add_plain(out, &metrics[table->metrics[i] - 1], value);
}

static int add_tables(struct machine *m, struct table *table, const char *path, struct sweep *out,
	struct fw_err *err)
{
	struct fw_cursor c, names, values;
	int rc = read_facts(m, path, &c, err);
	for (size_t i = 0; rc == 0 && i < TABLES_LIMIT / 2; i++)
		if (fw_cut_line(&c, &names) && fw_cut_line(&c, &values))
			add_pair(out, &table[i], &names, &values);
	return rc;
}

/* The metrics of one protocol, looked for once for all the lines that begin with it. */
struct range {
	char protocol[NAME_BYTES];
	size_t length, first, end;
};

static void find_range(struct range *range, const char *key, size_t length)
{
	if (range->length == length && memcmp(range->protocol, key, length) == 0)
		return;
	memcpy(range->protocol, key, length);
	range->length = length;
	find_protocol(key, length, &range->first, &range->end);
}

/* "Ip6InOctets   128": the protocol ends behind the 6. */
static void add_snmp6(struct machine *m, struct sweep *out)
{
	struct fw_cursor c, line;
	struct range range = {0};
	if (machine_read(m, "proc/net/snmp6", &c) < 0)
		return;
	size_t hint = 0;
	while (fw_cut_line(&c, &line)) {
		char key[NAME_BYTES];
		int64_t value;
		const char *six = cut_name(&line, ' ', key, sizeof key) ? strchr(key, '6') : NULL;
		if (!six)
			continue;
		size_t length = (size_t)(six - key) + 1;
		find_range(&range, key, length);
		const struct metric *metric =
			find_metric(&metrics[range.first], range.end - range.first, &hint,
				PREFIX + length + 1, six + 1, strlen(six + 1));
		if (metric && fw_cut_i64(&line, &value))
			sweep_add_plain(out, metric, value);
	}
}

static int read_netstat(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	struct netstat *s = state;
	int rc = add_tables(m, s->tables, "proc/net/snmp", out, err);
	if (rc == 0)
		rc = add_tables(m, s->tables + TABLES_LIMIT / 2, "proc/net/netstat", out, err);
	if (rc == 0)
		add_snmp6(m, out);
	return rc;
}

static void close_netstat(void *state)
{
	struct netstat *s = state;
	for (size_t i = 0; i < TABLES_LIMIT; i++)
		fw_buf_done(&s->tables[i].header);
}

const struct source source_netstat = {
	.name = "netstat",
	.help = "What the network protocols counted.",
	.purpose = "Lost and refused packets tell of a bad network or an overloaded service.",
	.reads = "/proc/net/netstat, /proc/net/snmp, /proc/net/snmp6",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.state_size = sizeof(struct netstat),
	.close = close_netstat,
	.read = read_netstat,
};
