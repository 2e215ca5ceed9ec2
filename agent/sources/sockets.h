/* The TCP sockets of this machine, from the kernel's own table.
 *
 * Asked by sock_diag over netlink, which any user may; where the kernel has none,
 * and in a recorded tree, /proc/net/tcp and tcp6 are read as far as machine_read()
 * goes. Nothing is captured. IPv4 addresses stand mapped into IPv6 (::ffff:a.b.c.d).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <netinet/in.h>

#include "../source.h"

struct tcp_socket {
	bool listens;
	struct in6_addr local, remote;
	uint16_t local_port, remote_port;
};

/* Listening sockets alone, or all that were connected: also those that have just
 * ended. -ENODATA: this machine has no TCP. */
int sockets_each(struct machine *m, bool listening,
	void (*each)(const struct tcp_socket *socket, void *arg), void *arg, struct fw_err *err);
