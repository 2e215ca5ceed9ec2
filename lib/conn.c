/* SPDX-License-Identifier: Apache-2.0 */
/* TLS over a link.
 *
 *   DIALLING -> HANDSHAKE -> OPEN -> LINGER -> ENDED -> (free)
 *
 * OpenSSL reads and writes through a BIO of ours: it takes ciphertext straight
 * from the link's read buffer and hands records straight to the socket, so an
 * idle connection holds no buffer. Every end goes through LINGER or a timer of
 * no length: ENDED is always told from the loop. LINGER waits a little for the
 * peer to hang up after our last word, since closing with unread bytes would
 * reset the connection and take that word with it.
 */
#include <fenwatch/conn.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>

#include <fenwatch/buf.h>
#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "link.h"

#define PLAIN_BYTES 16384 /* one TLS record */
#define LINGER_MS 2000
#define ALPN_BYTES 32

enum stage { DIALLING, HANDSHAKE, OPEN, LINGER, ENDED };

struct fw_conn {
	struct fw_owner owner;
	uv_timer_t timer;
	enum stage stage;
	bool paused, resuming, has_peer, freed, foreign, closed_here, disturbed, confirmed;
	struct fw_conn_config config;
	struct fw_dial *dial;
	struct fw_link *link;
	SSL *ssl;
	const uint8_t *in; /* ciphertext that OpenSSL has not taken yet */
	size_t in_left;
	struct fw_buf held; /* the same while paused */
	uint64_t heard_ms;  /* on the loop's clock */
	char *why, *refusal;
	char alpn[ALPN_BYTES];
	char address[FW_ADDRESS_TEXT];
	struct fw_cert_facts peer;
};

static _Thread_local uint8_t plain_bytes[PLAIN_BYTES];

static void end(struct fw_conn *conn, bool linger, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void on_timer(uv_timer_t *timer);

static uv_loop_t *loop_of(const struct fw_conn *conn)
{
	return conn->timer.loop;
}

static void arm(struct fw_conn *conn, uint64_t in_ms)
{
	uv_timer_start(&conn->timer, on_timer, in_ms, 0);
}

static void tell(struct fw_conn *conn, const struct fw_conn_happening *happening)
{
	if (!conn->freed)
		conn->config.on_event(conn, happening, conn->config.arg);
}

static void tell_ended(struct fw_conn *conn)
{
	conn->stage = ENDED;
	fw_link_close(conn->link);
	conn->link = NULL;
	tell(conn,
		&(struct fw_conn_happening){
			.event = FW_CONN_ENDED, .why = conn->why, .confirmed = conn->confirmed});
}

/* ---- between OpenSSL and the link ---- */

static int bio_write(BIO *bio, const char *data, int length)
{
	struct fw_conn *conn = BIO_get_data(bio);
	int rc = conn->link ? fw_link_write(conn->link, data, (size_t)length) : -ENOTCONN;
	if (rc == 0)
		return length;
	end(conn, false, "cannot send: %s", fw_strerror(rc));
	return -1;
}

static int bio_read(BIO *bio, char *data, int length)
{
	struct fw_conn *conn = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (conn->in_left == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	size_t taken = conn->in_left < (size_t)length ? conn->in_left : (size_t)length;
	memcpy(data, conn->in, taken);
	conn->in += taken;
	conn->in_left -= taken;
	return (int)taken;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static CRYPTO_ONCE bio_once = CRYPTO_ONCE_STATIC_INIT;
static BIO_METHOD *bio_method;

static void bio_register(void)
{
	bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "fenwatch link");
	if (!bio_method)
		return;
	BIO_meth_set_write(bio_method, bio_write);
	BIO_meth_set_read(bio_method, bio_read);
	BIO_meth_set_ctrl(bio_method, bio_control);
}

static int ssl_new(struct fw_conn *conn, bool server)
{
	CRYPTO_THREAD_run_once(&bio_once, bio_register);
	conn->ssl = SSL_new(conn->config.tls);
	BIO *bio = bio_method ? BIO_new(bio_method) : NULL;
	if (!conn->ssl || !bio) {
		BIO_free(bio);
		return -ENOMEM;
	}
	BIO_set_data(bio, conn);
	BIO_set_init(bio, 1);
	SSL_set_bio(conn->ssl, bio, bio);
	fw_tls_watch(conn->ssl, &conn->refusal);
	if (server)
		SSL_set_accept_state(conn->ssl);
	else
		SSL_set_connect_state(conn->ssl);
	return 0;
}

/* ---- how it ends ---- */

static void end(struct fw_conn *conn, bool linger, const char *format, ...)
{
	if (conn->stage >= LINGER)
		return;
	va_list args;
	va_start(args, format);
	char why[256];
	vsnprintf(why, sizeof why, format, args);
	va_end(args);
	conn->why = fw_strdup(why);
	conn->stage = LINGER;
	conn->in_left = 0;
	fw_buf_done(&conn->held);
	fw_dial_cancel(conn->dial);
	conn->dial = NULL;
	if (linger && conn->link && fw_link_resume(conn->link) == 0) {
		fw_link_shutdown(conn->link);
		arm(conn,
			conn->config.linger_ms > 0 ? (uint64_t)conn->config.linger_ms : LINGER_MS);
	} else {
		arm(conn, 0);
	}
}

/* The other side's words for it, or ours. */
static void end_by_tls(struct fw_conn *conn, const char *during)
{
	char reason[128];
	fw_tls_error(reason, sizeof reason);
	if (conn->refusal)
		end(conn, true, "%s", conn->refusal);
	else
		end(conn, true, "%s: %s", during, reason);
}

static void on_link_ended(struct fw_link *link, int rc)
{
	struct fw_conn *conn = link->arg;
	if (conn->stage == LINGER) {
		conn->disturbed = conn->disturbed || rc != UV_EOF;
		conn->confirmed = conn->closed_here && !conn->disturbed;
		arm(conn, 0);
	} else if (rc == UV_EOF)
		end(conn, false, "%s",
			conn->stage == HANDSHAKE ? "hung up during the TLS handshake"
						 : "closed by the peer");
	else
		end(conn, false, "connection lost: %s", fw_strerror(rc));
}

/* ---- what comes in ---- */

static void read_alpn(struct fw_conn *conn)
{
	const unsigned char *name;
	unsigned length;
	SSL_get0_alpn_selected(conn->ssl, &name, &length);
	if (length > 0 && length < ALPN_BYTES)
		memcpy(conn->alpn, name, length);
}

static void handshake_done(struct fw_conn *conn)
{
	read_alpn(conn);
	if (!conn->alpn[0] && !conn->foreign) {
		end(conn, true, "the peer agreed to no protocol of Fenwatch (ALPN)");
		return;
	}
	X509 *cert = SSL_get0_peer_certificate(conn->ssl);
	conn->has_peer = cert && fw_cert_facts(cert, &conn->peer, NULL) == 0;
	conn->stage = OPEN;
	if (conn->config.idle_ms > 0)
		arm(conn, (uint64_t)conn->config.idle_ms);
	else
		uv_timer_stop(&conn->timer);
	tell(conn, &(struct fw_conn_happening){.event = FW_CONN_READY});
}

static void handshake(struct fw_conn *conn)
{
	ERR_clear_error();
	int rc = SSL_do_handshake(conn->ssl);
	if (rc == 1)
		handshake_done(conn);
	else if (SSL_get_error(conn->ssl, rc) != SSL_ERROR_WANT_READ)
		end_by_tls(conn, "TLS handshake failed");
}

static void read_failed(struct fw_conn *conn, int rc)
{
	int cause = SSL_get_error(conn->ssl, rc);
	if (cause == SSL_ERROR_ZERO_RETURN)
		end(conn, false, "closed by the peer");
	else if (cause != SSL_ERROR_WANT_READ)
		end_by_tls(conn, "TLS failed");
}

/* Reads on until the bytes are used up, the owner pauses or it is over. */
static void take_in(struct fw_conn *conn)
{
	if (conn->stage == HANDSHAKE)
		handshake(conn);
	while (conn->stage == OPEN && !conn->paused && !conn->freed) {
		ERR_clear_error();
		int length = SSL_read(conn->ssl, plain_bytes, PLAIN_BYTES);
		if (length <= 0) {
			read_failed(conn, length);
			return;
		}
		tell(conn,
			&(struct fw_conn_happening){.event = FW_CONN_DATA,
				.data = plain_bytes,
				.length = (size_t)length});
	}
}

/* After our last word only theirs counts: a goodbye, or that they refused us. */
static void listen_on(struct fw_conn *conn, const uint8_t *data, size_t length)
{
	int rc = 1;
	conn->in = data;
	conn->in_left = length;
	ERR_clear_error();
	while (rc > 0)
		rc = SSL_read(conn->ssl, plain_bytes, PLAIN_BYTES);
	conn->disturbed = conn->disturbed || SSL_get_error(conn->ssl, rc) == SSL_ERROR_SSL;
	conn->in_left = 0;
}

static void on_link_read(struct fw_link *link, const uint8_t *data, size_t length)
{
	struct fw_conn *conn = link->arg;
	if (conn->stage == LINGER) {
		if (conn->closed_here)
			listen_on(conn, data, length);
		return;
	}
	conn->heard_ms = uv_now(loop_of(conn));
	conn->in = data;
	conn->in_left = length;
	take_in(conn);
	if (conn->in_left > 0 && conn->stage == OPEN && !conn->freed)
		fw_buf_append(&conn->held, conn->in, conn->in_left);
	conn->in_left = 0;
}

static void resume(struct fw_conn *conn)
{
	struct fw_buf held = conn->held;
	conn->held = (struct fw_buf){0};
	conn->resuming = false;
	conn->heard_ms = uv_now(loop_of(conn));
	conn->in = held.data;
	conn->in_left = held.length;
	take_in(conn);
	if (conn->in_left > 0 && conn->stage == OPEN && !conn->freed)
		fw_buf_append(&conn->held, conn->in, conn->in_left);
	conn->in_left = 0;
	fw_buf_done(&held);
	if (conn->stage != OPEN || conn->paused || conn->freed)
		return;
	int rc = fw_link_resume(conn->link);
	if (rc < 0)
		end(conn, false, "cannot read: %s", fw_strerror(rc));
}

static void on_link_drained(struct fw_link *link)
{
	struct fw_conn *conn = link->arg;
	if (conn->stage == OPEN)
		tell(conn, &(struct fw_conn_happening){.event = FW_CONN_DRAINED});
}

static const struct fw_link_events link_events = {
	.on_read = on_link_read,
	.on_drained = on_link_drained,
	.on_ended = on_link_ended,
};

/* ---- time ---- */

static void check_silence(struct fw_conn *conn)
{
	if (conn->config.idle_ms == 0 || conn->stage != OPEN)
		return;
	uint64_t idle_ms = (uint64_t)conn->config.idle_ms;
	uint64_t silent_ms = uv_now(loop_of(conn)) - conn->heard_ms;
	if (conn->paused || silent_ms < idle_ms)
		arm(conn, conn->paused ? idle_ms : idle_ms - silent_ms);
	else
		end(conn, true, "nothing heard for %lld s",
			(long long)(conn->config.idle_ms / 1000));
}

static void on_timer(uv_timer_t *timer)
{
	struct fw_conn *conn = FW_CONTAINER(timer, struct fw_conn, timer);
	if (conn->stage == LINGER) {
		tell_ended(conn);
	} else if (conn->stage < OPEN) {
		end(conn, false, "no TLS handshake within %lld s",
			(long long)(conn->config.handshake_ms / 1000));
	} else {
		if (conn->resuming)
			resume(conn);
		check_silence(conn);
	}
}

/* ---- the door ---- */

static void on_conn_done(struct fw_owner *owner)
{
	struct fw_conn *conn = FW_CONTAINER(owner, struct fw_conn, owner);
	SSL_free(conn->ssl);
	fw_buf_done(&conn->held);
	fw_free(conn->why);
	fw_free(conn->refusal);
	fw_free(conn);
}

static struct fw_conn *conn_new(uv_loop_t *loop, const struct fw_conn_config *config)
{
	struct fw_conn *conn = fw_alloc(sizeof *conn);
	conn->config = *config;
	uv_timer_init(loop, &conn->timer);
	fw_owner_init(&conn->owner, on_conn_done);
	fw_owner_adopt(&conn->owner, &conn->timer);
	conn->heard_ms = uv_now(loop);
	arm(conn, (uint64_t)config->handshake_ms);
	return conn;
}

static int start_link(struct fw_conn *conn, struct fw_link *link)
{
	conn->link = link;
	conn->stage = HANDSHAKE;
	fw_link_peer(link, conn->address);
	return fw_link_start(link, &link_events, conn);
}

static void on_dialled(struct fw_link *link, const char *why, void *arg)
{
	struct fw_conn *conn = arg;
	conn->dial = NULL;
	if (!link) {
		end(conn, false, "%s", why);
		return;
	}
	int rc = start_link(conn, link);
	if (rc < 0)
		end(conn, false, "cannot read: %s", fw_strerror(rc));
	else
		handshake(conn);
}

/* ALPN's own form: a length byte before the name. */
static int offer_alpn(struct fw_conn *conn)
{
	uint8_t offer[ALPN_BYTES];
	size_t length = strlen(conn->config.alpn);
	if (length == 0 || length >= sizeof offer)
		return -EINVAL;
	offer[0] = (uint8_t)length;
	memcpy(offer + 1, conn->config.alpn, length);
	return SSL_set_alpn_protos(conn->ssl, offer, (unsigned)length + 1) == 0 ? 0 : -ENOMEM;
}

/* Checked by OpenSSL during the handshake, if the context verifies at all. */
static int expect_name(struct fw_conn *conn)
{
	X509_VERIFY_PARAM *expected = SSL_get0_param(conn->ssl);
	conn->foreign = true;
	if (X509_VERIFY_PARAM_set1_ip_asc(expected, conn->config.server_name) == 1)
		return 0;
	ERR_clear_error();
	bool set = SSL_set1_host(conn->ssl, conn->config.server_name) == 1 &&
		SSL_set_tlsext_host_name(conn->ssl, conn->config.server_name) == 1;
	return set ? 0 : -EINVAL;
}

int fw_conn_dial(struct fw_conn **out, uv_loop_t *loop, const char *host_port, const char *proxy,
	const struct fw_conn_config *config, struct fw_err *err)
{
	struct fw_conn *conn = conn_new(loop, config);
	int rc = ssl_new(conn, false);
	if (rc == 0)
		rc = config->server_name ? expect_name(conn) : offer_alpn(conn);
	if (rc < 0)
		fw_fail(err, rc, "cannot start TLS");
	else
		rc = fw_dial_start(&conn->dial, loop, host_port, proxy, config->handshake_ms,
			on_dialled, conn, err);
	if (rc < 0) {
		fw_conn_free(conn);
		return rc;
	}
	*out = conn;
	return 0;
}

int fw_conn_accept(struct fw_conn **out, uv_loop_t *loop, int fd,
	const struct fw_conn_config *config, struct fw_err *err)
{
	struct fw_link *link;
	int rc = fw_link_new(&link, loop);
	if (rc == 0) {
		rc = uv_tcp_open(&link->tcp, fd);
		if (rc < 0)
			fw_link_close(link);
	}
	if (rc < 0) {
		fw_close(fd);
		return fw_fail_sys(err, rc, "cannot take over a connection");
	}
	struct fw_conn *conn = conn_new(loop, config);
	rc = ssl_new(conn, true);
	if (rc < 0)
		fw_link_close(link);
	else
		rc = start_link(conn, link);
	if (rc < 0) {
		fw_conn_free(conn);
		return fw_fail_sys(err, rc, "cannot start TLS");
	}
	*out = conn;
	return 0;
}

int fw_conn_write(struct fw_conn *conn, const void *data, size_t length)
{
	if (conn->stage != OPEN)
		return -ENOTCONN;
	if (length == 0)
		return 0;
	if (length > conn->config.limit || conn->link->queued > conn->config.limit - length)
		return -ENOBUFS;
	ERR_clear_error();
	size_t written;
	if (SSL_write_ex(conn->ssl, data, length, &written) == 1)
		return 0;
	end_by_tls(conn, "cannot send");
	return -EPIPE;
}

void fw_conn_pause(struct fw_conn *conn)
{
	conn->paused = true;
	conn->resuming = false;
	if (conn->stage == OPEN)
		fw_link_pause(conn->link);
}

void fw_conn_resume(struct fw_conn *conn)
{
	if (!conn->paused)
		return;
	conn->paused = false;
	conn->resuming = conn->stage == OPEN;
	if (conn->resuming)
		arm(conn, 0);
}

void fw_conn_close(struct fw_conn *conn)
{
	bool open = conn->stage == OPEN;
	ERR_clear_error();
	if (open && SSL_shutdown(conn->ssl) >= 0)
		conn->closed_here = true;
	end(conn, open, "closed here");
}

void fw_conn_free(struct fw_conn *conn)
{
	if (!conn || conn->freed)
		return;
	conn->freed = true;
	conn->stage = ENDED;
	fw_dial_cancel(conn->dial);
	fw_link_close(conn->link);
	conn->dial = NULL;
	conn->link = NULL;
	fw_owner_close(&conn->owner);
}

const char *fw_conn_alpn(const struct fw_conn *conn)
{
	return conn->alpn;
}

const struct fw_cert_facts *fw_conn_peer(const struct fw_conn *conn)
{
	return conn->has_peer ? &conn->peer : NULL;
}

bool fw_conn_peer_expired(const struct fw_conn *conn)
{
	return conn->has_peer && conn->peer.until_ms < fw_wall_ms();
}

const char *fw_conn_peer_address(const struct fw_conn *conn)
{
	return conn->address;
}

size_t fw_conn_queued(const struct fw_conn *conn)
{
	return conn->link ? conn->link->queued : 0;
}
