/* The TCP sockets of this machine, from the kernel's own table.
 *
 * Asked by sock_diag over netlink, which any user may; where the kernel has none,
 * and in a recorded tree, /proc/net/tcp and tcp6 are read as far as machine_read()
 * goes. Nothing is captured. IPv4 addresses stand mapped into IPv6 (::ffff:a.b.c.d).
 */
#pragma once

#include <stdint.h>

#include <netinet/in.h>

#include "../source.h"

/* include/net/tcp_states.h. A socket that is only being opened may have a sender
 * that is made up. */
enum socket_state {
	SOCKET_ESTABLISHED = 1,
	SOCKET_SYN_SENT,
	SOCKET_SYN_RECV,
	SOCKET_FIN_WAIT1,
	SOCKET_FIN_WAIT2,
	SOCKET_TIME_WAIT,
	SOCKET_CLOSE,
	SOCKET_CLOSE_WAIT,
	SOCKET_LAST_ACK,
	SOCKET_LISTEN,
	SOCKET_CLOSING,
};
#define SOCKETS_ALL ((2u << SOCKET_CLOSING) - 2)
#define SOCKETS_LISTENING (1u << SOCKET_LISTEN)
/* Also those that have just ended. */
#define SOCKETS_CONNECTED                                                             \
	(SOCKETS_ALL &                                                                \
		~(SOCKETS_LISTENING | 1u << SOCKET_SYN_SENT | 1u << SOCKET_SYN_RECV | \
			1u << SOCKET_CLOSE))

struct tcp_socket {
	enum socket_state state;
	uint32_t received, to_send; /* bytes that wait; connections, where it listens */
	struct in6_addr local, remote;
	uint16_t local_port, remote_port;
};

/* Those in the states of a mask. -ENODATA: this machine has no TCP. */
int sockets_each(struct machine *m, unsigned states,
	void (*each)(const struct tcp_socket *socket, void *arg), void *arg, struct fw_err *err);
