/* SPDX-License-Identifier: Apache-2.0 */
/* Asking takes as long as there are sockets, so a child does it. */
#include "parse.h"

#include <errno.h>
#include <string.h>

#include "sockets.h"

enum { STATES, QUEUES };

static const struct metric metrics[] = {
	[STATES] = {"node_tcp_connection_states", FW_GAUGE, "", "Number of connection states.", 0,
		1},
	[QUEUES] = {"node_udp_queues", FW_GAUGE, "bytes",
		"Number of allocated memory in the kernel for UDP datagrams in bytes.", 0, 1},
};

/* By the kernel's numbers; then the bytes that wait. */
static const char *const states[] = {
	[SOCKET_ESTABLISHED] = "established",
	[SOCKET_SYN_SENT] = "syn_sent",
	[SOCKET_SYN_RECV] = "syn_recv",
	[SOCKET_FIN_WAIT1] = "fin_wait1",
	[SOCKET_FIN_WAIT2] = "fin_wait2",
	[SOCKET_TIME_WAIT] = "time_wait",
	[SOCKET_CLOSE] = "close",
	[SOCKET_CLOSE_WAIT] = "close_wait",
	[SOCKET_LAST_ACK] = "last_ack",
	[SOCKET_LISTEN] = "listen",
	[SOCKET_CLOSING] = "closing",
	"rx_queued_bytes",
	"tx_queued_bytes",
};
enum { RECEIVED = SOCKET_CLOSING + 1, TO_SEND };

static void on_socket(const struct tcp_socket *socket, void *arg)
{
	int64_t *counts = arg;
	counts[socket->state]++;
	counts[RECEIVED] += socket->received;
	counts[TO_SEND] += socket->to_send;
}

/* A state that no socket is in is not there, as with node_exporter. */
static int add_states(struct machine *m, struct sweep *out, struct fw_err *err)
{
	int64_t counts[COUNT(states)] = {0};
	int rc = sockets_each(m, SOCKETS_ALL, on_socket, counts, err);
	for (size_t i = 0; rc == 0 && i < COUNT(states); i++)
		if (states[i] && (counts[i] > 0 || i >= RECEIVED))
			sweep_add(
				out, &metrics[STATES], counts[i], SWEEP_LABELS("state", states[i]));
	return rc;
}

/* "  sl  local_address rem_address   st tx_queue rx_queue ..." under a header. A table
 * that was cut off gives no sum. */
static int add_queues(struct machine *m, struct sweep *out, const char *path, const char *ip)
{
	struct fw_cursor c, line;
	const char *word;
	size_t length;
	uint64_t tx, rx, sums[2] = {0};
	int rc = machine_read(m, path, &c);
	if (rc < 0 || !fw_cut_line(&c, &line))
		return -ENODATA;
	if (c.end > c.at && c.end[-1] != '\n')
		return -EFBIG;
	while (fw_cut_line(&c, &line)) {
		for (size_t i = 0; i < 4; i++)
			fw_cut_word(&line, &word, &length);
		if (!cut_hex(&line, &tx) || !fw_cut_literal(&line, ":") || !cut_hex(&line, &rx))
			continue;
		sums[0] += tx;
		sums[1] += rx;
	}
	sweep_add(out, &metrics[QUEUES], (int64_t)sums[0], SWEEP_LABELS("ip", ip, "queue", "tx"));
	sweep_add(out, &metrics[QUEUES], (int64_t)sums[1], SWEEP_LABELS("ip", ip, "queue", "rx"));
	return 0;
}

/* A machine may have one of the tables only. */
static int read_connections(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	int rc = add_states(m, out, err);
	int rc4 = add_queues(m, out, "proc/net/udp", "v4");
	int rc6 = add_queues(m, out, "proc/net/udp6", "v6");
	if (rc4 == -EFBIG || rc6 == -EFBIG)
		return fw_fail(err, -EFBIG, "/proc/net/udp: longer than 1 MiB");
	return rc == -ENODATA && (rc4 == 0 || rc6 == 0) ? 0 : rc;
}

const struct source source_connections = {
	.name = "connections",
	.help = "TCP connections by state, and bytes that wait in sockets.",
	.purpose =
		"Connections that pile up in one state, and services that do not read what has come.",
	.reads = "the kernel's socket tables (sock_diag, /proc/net/udp); counts alone",
	.slow = true,
	.every_s = 60,
	.timeout_s = 20,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_connections,
};
