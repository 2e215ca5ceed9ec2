/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/tcp.h>
#include <openssl/err.h>

#include <fenwatch/err.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>
#include <fenwatch/tls.h>

#define PIECE_BYTES 16384
#define SMALLEST_WINDOW 1024
#define USER_TIMEOUT_MS 30000

static void on_poll(uv_poll_t *poll, int status, int events);

static void on_closed(uv_handle_t *handle)
{
	fw_free(FW_CONTAINER(handle, struct line, poll));
}

void line_close(struct line *line)
{
	if (!line)
		return;
	line->member = NULL;
	SSL_free(line->ssl);
	fw_buf_done(&line->in);
	fw_buf_done(&line->out);
	uv_poll_stop(&line->poll);
	close(line->fd);
	uv_close((uv_handle_t *)&line->poll, on_closed);
}

static enum conduct conduct_of(const struct line *line)
{
	return line->member->fleet->conduct;
}

static bool is_silent(const struct line *line)
{
	enum conduct conduct = conduct_of(line);
	return line->connected && (conduct == CONDUCT_STUCK || conduct == CONDUCT_TRICKLE);
}

void line_listen(struct line *line)
{
	bool deaf = conduct_of(line) == CONDUCT_DEAF && line->member->welcome;
	int events = UV_DISCONNECT;
	if (!is_silent(line) && !deaf)
		events |= UV_READABLE;
	if (!line->connected || line->out.length > 0)
		events |= UV_WRITABLE;
	if (events != line->events)
		uv_poll_start(&line->poll, events, on_poll);
	line->events = events;
}

static void fail_tls(struct line *line, const char *during)
{
	char reason[128], why[256];
	fw_tls_error(reason, sizeof reason);
	snprintf(why, sizeof why, "%s: %s", during, reason);
	member_ended(line->member, why);
}

/* ---- out ---- */

/* A call that could not be finished is made again with the same bytes, and more behind them. */
static void flush(struct line *line)
{
	ERR_clear_error();
	if (line->out.length == 0)
		return;
	int rc = SSL_write(line->ssl, line->out.data, (int)line->out.length);
	if (rc > 0) {
		line->member->fleet->tally.bytes_out += (uint64_t)rc;
		fw_buf_done(&line->out);
		line_listen(line);
		return;
	}
	int cause = SSL_get_error(line->ssl, rc);
	if (cause == SSL_ERROR_WANT_WRITE || cause == SSL_ERROR_WANT_READ)
		line_listen(line);
	else
		fail_tls(line, "cannot send");
}

void line_send(struct line *line, const struct fw_buf *frames)
{
	if (frames->length == 0)
		return;
	fw_buf_append(&line->out, frames->data, frames->length);
	flush(line);
}

/* ---- in ---- */

static void read_all(struct line *line)
{
	static uint8_t piece[PIECE_BYTES];
	struct member *member = line->member;
	while (line->member) {
		ERR_clear_error();
		int length = SSL_read(line->ssl, piece, sizeof piece);
		if (length <= 0) {
			int cause = SSL_get_error(line->ssl, length);
			if (cause == SSL_ERROR_ZERO_RETURN)
				member_ended(member, "closed by the peer");
			else if (cause != SSL_ERROR_WANT_READ)
				fail_tls(line, "cannot read");
			return;
		}
		member->fleet->tally.bytes_in += (uint64_t)length;
		fw_buf_append(&line->in, piece, (size_t)length);
		member_data(member);
		if (line->member && line->in.length == 0)
			fw_buf_done(&line->in);
	}
}

/* ---- the beginning ---- */

static void shake(struct line *line)
{
	ERR_clear_error();
	int rc = SSL_do_handshake(line->ssl);
	if (rc == 1) {
		line->shaken = true;
		SSL_certs_clear(line->ssl);
		member_shaken(line->member);
		return;
	}
	int cause = SSL_get_error(line->ssl, rc);
	if (cause != SSL_ERROR_WANT_READ && cause != SSL_ERROR_WANT_WRITE)
		fail_tls(line, "TLS handshake failed");
}

static void connected(struct line *line)
{
	int cause = 0;
	socklen_t length = sizeof cause;
	getsockopt(line->fd, SOL_SOCKET, SO_ERROR, &cause, &length);
	if (cause != 0) {
		member_ended(line->member, fw_strerror(-cause));
		return;
	}
	line->connected = true;
	if (conduct_of(line) != CONDUCT_TRICKLE)
		shake(line);
	if (line->member)
		line_listen(line);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct line *line = FW_CONTAINER(poll, struct line, poll);
	if (!line->member)
		return;
	if (!line->connected)
		connected(line);
	else if (is_silent(line) || status < 0)
		member_ended(line->member, "the peer has hung up");
	else if (!line->shaken)
		shake(line);
	else if (events & UV_WRITABLE)
		flush(line);
	if (line->member && line->shaken && (events & UV_READABLE))
		read_all(line);
	else if (line->member && line->shaken && (events & UV_DISCONNECT))
		member_ended(line->member, "the peer has hung up");
}

static int dial(struct line *line)
{
	const struct member *member = line->member;
	const struct fleet *fleet = member->fleet;
	int on = 1, window = SMALLEST_WINDOW, patience_ms = USER_TIMEOUT_MS;
	struct sockaddr_in from = {.sin_family = AF_INET};
	setsockopt(line->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(line->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof patience_ms);
	setsockopt(line->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	if (fleet->conduct == CONDUCT_DEAF)
		setsockopt(line->fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof window);
	if (fleet->first_address) {
		from.sin_addr.s_addr =
			htonl(fleet->first_address + member->number % fleet->n_addresses);
		if (bind(line->fd, (const struct sockaddr *)&from, sizeof from) < 0)
			return -errno;
	}
	if (connect(line->fd, (const struct sockaddr *)&fleet->collector, sizeof fleet->collector) <
			0 &&
		errno != EINPROGRESS)
		return -errno;
	return 0;
}

static bool identify(struct line *line)
{
	const struct member *member = line->member;
	const uint8_t *der = member->certificate;
	if (!der)
		return true;
	X509 *cert = d2i_X509(NULL, &der, member->certificate_length);
	bool ok = cert && SSL_use_certificate(line->ssl, cert) == 1 &&
		SSL_use_PrivateKey(line->ssl, member->fleet->key) == 1;
	X509_free(cert);
	return ok;
}

static bool start_tls(struct line *line, SSL_CTX *tls, const char *alpn)
{
	uint8_t offer[32];
	size_t length = strlen(alpn);
	line->ssl = SSL_new(tls);
	if (!line->ssl)
		return false;
	offer[0] = (uint8_t)length;
	memcpy(offer + 1, alpn, length);
	SSL_set_connect_state(line->ssl);
	return SSL_set_fd(line->ssl, line->fd) == 1 &&
		SSL_set_alpn_protos(line->ssl, offer, (unsigned)length + 1) == 0 && identify(line);
}

struct line *line_open(struct member *member, SSL_CTX *tls, const char *alpn)
{
	struct line *line = fw_alloc(sizeof *line);
	line->member = member;
	line->began_ms = uv_now(&member->fleet->loop);
	line->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (line->fd < 0)
		fleet_die("a socket", fw_strerror(-errno));
	int rc = dial(line);
	if (rc < 0)
		fleet_die("cannot dial", fw_strerror(rc));
	if (!start_tls(line, tls, alpn))
		fleet_die("cannot start TLS", "certificate or key");
	uv_poll_init(&member->fleet->loop, &line->poll, line->fd);
	line_listen(line);
	return line;
}
