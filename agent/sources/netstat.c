/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <stdio.h>
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

/* The first of a protocol's metrics and the one behind its last. */
static void find_protocol(const char *protocol, size_t length, size_t *first, size_t *end)
{
	size_t i = 0;
	while (i < COUNT(metrics) &&
		(strncmp(metrics[i].name + PREFIX, protocol, length) != 0 ||
			metrics[i].name[PREFIX + length] != '_'))
		i++;
	*first = i;
	while (i < COUNT(metrics) && strncmp(metrics[i].name + PREFIX, protocol, length) == 0 &&
		metrics[i].name[PREFIX + length] == '_')
		i++;
	*end = i;
}

/* A line of names and one of values, both beginning with the protocol. */
static void add_pair(struct sweep *out, struct fw_cursor *names, struct fw_cursor *values)
{
	const char *word, *again;
	size_t length, again_length, first, end;
	int64_t value;
	if (!fw_cut_word(names, &word, &length) || !fw_cut_word(values, &again, &again_length))
		return;
	find_protocol(word, length - 1, &first, &end);
	if (first == end)
		return;
	size_t key = PREFIX + length, hint = 0;
	while (fw_cut_word(names, &word, &length) && fw_cut_i64(values, &value)) {
		const struct metric *metric =
			find_metric(&metrics[first], end - first, &hint, key, word, length);
		if (metric)
			sweep_add_plain(out, metric, value);
	}
}

static int add_tables(struct machine *m, const char *path, struct sweep *out, struct fw_err *err)
{
	struct fw_cursor c, names, values;
	int rc = read_facts(m, path, &c, err);
	while (rc == 0 && fw_cut_line(&c, &names) && fw_cut_line(&c, &values))
		add_pair(out, &names, &values);
	return rc;
}

/* "Ip6InOctets   128": the protocol ends behind the 6. */
static void add_snmp6(struct machine *m, struct sweep *out)
{
	struct fw_cursor c, line;
	if (machine_read(m, "proc/net/snmp6", &c) < 0)
		return;
	size_t hint = 0;
	while (fw_cut_line(&c, &line)) {
		char key[NAME_BYTES], name[NAME_BYTES + 1];
		int64_t value;
		if (!cut_name(&line, ' ', key, sizeof key) || !fw_cut_i64(&line, &value))
			continue;
		const char *six = strchr(key, '6');
		if (!six)
			continue;
		int length =
			snprintf(name, sizeof name, "%.*s_%s", (int)(six - key) + 1, key, six + 1);
		const struct metric *metric =
			find_metric(metrics, COUNT(metrics), &hint, PREFIX, name, (size_t)length);
		if (metric)
			sweep_add_plain(out, metric, value);
	}
}

static int read_netstat(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	int rc = add_tables(m, "proc/net/snmp", out, err);
	if (rc == 0)
		rc = add_tables(m, "proc/net/netstat", out, err);
	if (rc == 0)
		add_snmp6(m, out);
	return rc;
}

const struct source source_netstat = {
	.name = "netstat",
	.help = "What the network protocols counted.",
	.purpose = "Lost and refused packets tell of a bad network or an overloaded service.",
	.reads = "/proc/net/netstat, /proc/net/snmp, /proc/net/snmp6",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_netstat,
};
