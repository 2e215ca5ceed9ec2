/* One stream: TCP, optionally through an HTTP proxy, and TLS over it.
 *
 * A connection is an object for one attempt; reconnecting makes a new one. All
 * that happens comes through one callback on the loop's thread, never from
 * inside a call of its own: READY once, then DATA and DRAINED, and ENDED
 * exactly once, after which only fw_conn_free may be called. Written bytes are
 * queued up to `limit`; past it fw_conn_write refuses with -ENOBUFS and the
 * owner drops the peer. Deadlines: connect and handshake `handshake_ms`,
 * silence from the peer `idle_ms`; TCP_USER_TIMEOUT 30 s, TCP_NODELAY. The
 * program ignores SIGPIPE.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>
#include <uv.h>

#include <fenwatch/err.h>
#include <fenwatch/tls.h>

struct fw_conn;

enum fw_conn_event {
	FW_CONN_READY,   /* handshake done; peer's certificate and ALPN can be asked for */
	FW_CONN_DATA,    /* data, length: plaintext, valid during the call */
	FW_CONN_DRAINED, /* what had to be queued has all been handed to the kernel */
	FW_CONN_ENDED,   /* `why` says the cause, one sentence; data is NULL */
};

struct fw_conn_happening {
	enum fw_conn_event event;
	const uint8_t *data;
	size_t length;
	const char *why;
	bool confirmed; /* ENDED after fw_conn_close: the peer has hung up in good order, so it has
			   taken all that was written */
};

struct fw_conn_config {
	SSL_CTX *tls;
	const char *alpn; /* client: what to ask for */
	/* Client of another program's server instead, one that speaks no ALPN: the name or address
	 * that its certificate must have. */
	const char *server_name;
	int64_t handshake_ms; /* 10,000 */
	int64_t idle_ms;      /* 45,000; 0: never */
	int64_t linger_ms;    /* how long a goodbye is waited for; 0: 2 s */
	size_t limit;         /* bytes queued for writing, 1 MiB */
	void (*on_event)(
		struct fw_conn *conn, const struct fw_conn_happening *happening, void *arg);
	void *arg;
};

/* Client: starts resolving and connecting. `proxy` is "host:port" of an HTTP
 * proxy that is asked to CONNECT, or NULL. */
int fw_conn_dial(struct fw_conn **out, uv_loop_t *loop, const char *host_port, const char *proxy,
	const struct fw_conn_config *config, struct fw_err *err);
/* Server: takes over an accepted socket. On failure the descriptor is closed. */
int fw_conn_accept(struct fw_conn **out, uv_loop_t *loop, int fd,
	const struct fw_conn_config *config, struct fw_err *err);

int fw_conn_write(struct fw_conn *conn, const void *data, size_t length);
void fw_conn_pause(struct fw_conn *conn); /* no more DATA until resumed: back-pressure */
void fw_conn_resume(struct fw_conn *conn);
/* Sends what is queued, says goodbye, waits for `linger_ms` for the peer to hang up, and
 * comes back with ENDED "closed here". */
void fw_conn_close(struct fw_conn *conn);
/* Any time. Before ENDED: closes without a further event. Memory goes when libuv is done. */
void fw_conn_free(struct fw_conn *conn);

const char *fw_conn_alpn(const struct fw_conn *conn);                 /* after READY */
const struct fw_cert_facts *fw_conn_peer(const struct fw_conn *conn); /* NULL: no certificate */
bool fw_conn_peer_expired(const struct fw_conn *conn);
const char *fw_conn_peer_address(const struct fw_conn *conn); /* "192.0.2.1:4711" */
size_t fw_conn_queued(const struct fw_conn *conn);

/* A listening socket, optionally one of several on the same port (SO_REUSEPORT).
 * `address` is "HOST:PORT" or "[::]:PORT"; port 0 chooses one, written to *port. */
struct fw_listener;
int fw_listener_open(struct fw_listener **out, uv_loop_t *loop, const char *address,
	bool reuse_port, void (*on_accepted)(struct fw_listener *, int fd, void *arg), void *arg,
	unsigned *port, struct fw_err *err);
void fw_listener_pause(struct fw_listener *listener);
void fw_listener_resume(struct fw_listener *listener);
void fw_listener_close(struct fw_listener *listener); /* frees it too */
/* Splits "host:port" and "[v6]:port"; host at most 253 bytes. */
int fw_split_host_port(const char *text, char *host, size_t size, unsigned *port);
