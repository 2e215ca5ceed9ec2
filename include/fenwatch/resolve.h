/* From a name to addresses, on the caller's loop.
 *
 * c-ares asks, not the C library: that would take a thread, and a static program
 * would have to load modules of whatever C library the machine has. It reads
 * /etc/hosts and /etc/resolv.conf, anew for each name, because a laptop's change
 * as it moves. "localhost" is this machine wherever it is asked for (RFC 6761), also
 * on one that has neither file.
 */
#pragma once

#include <sys/socket.h>

#include <uv.h>

#include <fenwatch/err.h>

#define FW_RESOLVE_ADDRESSES 4

/* The best of the addresses, in the order in which they are to be tried; or none,
 * and why not. The text lasts as long as the call. */
struct fw_resolved {
	struct sockaddr_storage addresses[FW_RESOLVE_ADDRESSES];
	unsigned n_addresses;
	const char *why;
};

struct fw_resolve;

/* Ends in one call of `on_resolved`, from the loop and not from within, at the
 * latest after some 6 s a server; then it is gone. */
int fw_resolve_start(struct fw_resolve **out, uv_loop_t *loop, const char *host, unsigned port,
	void (*on_resolved)(const struct fw_resolved *resolved, void *arg), void *arg,
	struct fw_err *err);
/* No call any more. */
void fw_resolve_cancel(struct fw_resolve *resolve);
