/* SPDX-License-Identifier: Apache-2.0 */
/* tcp: a connection can be made. tls: and a handshake on it, by a server that is believed.
 * Both: and what a list says is said then, where TLS may begin in the middle. */
#include "check.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <fenwatch/file.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>
#include <fenwatch/tls.h>

#include "certs.h"
#include "metrics.h"
#include "options.h"
#include "reach.h"

struct attempt {
	struct fw_owner owner;
	uv_poll_t poll;
	struct check_run *run;
	struct reach reach;
	int fd;
	SSL_CTX *tls;
	SSL *ssl; /* NULL: not yet, or never */
	struct certs certs;
	enum { CONNECTING, SHAKING, TALKING } stage;
	struct dialog dialog;
	size_t sent; /* of what is to be said */
};

static void attempt_free(struct attempt *a)
{
	dialog_done(&a->dialog);
	SSL_free(a->ssl);
	SSL_CTX_free(a->tls);
	if (a->fd >= 0)
		fw_close(a->fd);
	fw_free(a);
}

static void on_attempt_closed(struct fw_owner *owner)
{
	attempt_free(FW_CONTAINER(owner, struct attempt, owner));
}

/* The poll handle exists from the time on that there is a socket. */
static void attempt_close(struct attempt *a)
{
	reach_cancel(&a->reach);
	a->run = NULL;
	if (a->fd >= 0)
		fw_owner_close(&a->owner);
	else
		attempt_free(a);
}

static void add_findings(struct attempt *a)
{
	if (a->run->spec->script.n_steps > 0)
		check_add(a->run->sweep, PROBE_REGEX_FAILED, a->dialog.by_regex);
	certs_add(&a->certs, a->run->sweep);
}

static void attempt_end(struct attempt *a, const char *why)
{
	struct check_run *run = a->run;
	add_findings(a);
	attempt_close(a);
	check_finish(run, why ? CHECK_CRITICAL : CHECK_OK, "%s", why ? why : "");
}

/* ---- the handshake ---- */

static bool is_address(const char *name)
{
	struct in6_addr room;
	return inet_pton(AF_INET, name, &room) == 1 || inet_pton(AF_INET6, name, &room) == 1;
}

/* Whose certificate it must be: the name that was asked for, or the address. */
static void expect(SSL *ssl, const char *name)
{
	if (is_address(name)) {
		X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
		return;
	}
	SSL_set_tlsext_host_name(ssl, name);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	SSL_set1_host(ssl, name);
}

static int prepare_ssl(struct attempt *a, struct fw_err *err)
{
	const struct check_spec *spec = a->run->spec;
	a->certs.tolerant = !spec->verify;
	int rc = certs_client(&a->tls, spec->ca, &a->certs, err);
	if (rc < 0)
		return rc;
	a->ssl = SSL_new(a->tls);
	if (!a->ssl)
		return fw_fail(err, -ENOMEM, "TLS does not start");
	expect(a->ssl, spec->server_name ? spec->server_name : spec->host);
	return 0;
}

static const char *handshake_fault(struct attempt *a, char *text, size_t size)
{
	if (a->certs.seen && !a->certs.verified)
		return a->certs.why;
	const char *said = fw_tls_error(text, size);
	return said[0] ? said : "the server hung up in the handshake";
}

static void on_attempt_ready(uv_poll_t *poll, int status, int events);
static void talk(struct attempt *a);

static void wait_for(struct attempt *a, int events)
{
	uv_poll_start(&a->poll, events, on_attempt_ready);
}

/* Whether it is only to wait. */
static bool tls_waits(struct attempt *a, int rc)
{
	int wants = SSL_get_error(a->ssl, rc);
	if (wants != SSL_ERROR_WANT_READ && wants != SSL_ERROR_WANT_WRITE)
		return false;
	wait_for(a, wants == SSL_ERROR_WANT_READ ? UV_READABLE : UV_WRITABLE);
	return true;
}

static void shake(struct attempt *a)
{
	char text[256];
	a->stage = SHAKING;
	int rc = SSL_connect(a->ssl);
	if (rc == 1) {
		a->stage = TALKING;
		if (a->dialog.step < a->dialog.n_steps && a->dialog.part == DIALOG_SHAKES)
			dialog_shaken(&a->dialog);
		talk(a);
	} else if (!tls_waits(a, rc)) {
		attempt_end(a, handshake_fault(a, text, sizeof text));
	}
}

/* In the middle of what is said. */
static void begin_tls(struct attempt *a)
{
	struct fw_err err;
	if (prepare_ssl(a, &err) < 0) {
		attempt_end(a, err.text);
		return;
	}
	SSL_set_fd(a->ssl, a->fd);
	shake(a);
}

/* ---- what is said ---- */

/* False: it waits, or is over. */
static bool say(struct attempt *a)
{
	const uint8_t *data = a->dialog.said.data + a->sent;
	size_t length = a->dialog.said.length - a->sent;
	ssize_t n = a->ssl ? SSL_write(a->ssl, data, (int)length)
			   : send(a->fd, data, length, MSG_NOSIGNAL);
	bool waits = n < 0 && !a->ssl && errno == EAGAIN;
	if (waits)
		wait_for(a, UV_WRITABLE);
	else if (n <= 0 && !(a->ssl && tls_waits(a, (int)n)))
		attempt_end(a, "the server does not take what is said to it");
	if (n <= 0)
		return false;
	a->sent += (size_t)n;
	if (a->sent == a->dialog.said.length) {
		dialog_sent(&a->dialog);
		a->sent = 0;
	}
	return true;
}

/* What is no answer any more is an end. */
static bool hear(struct attempt *a)
{
	size_t size;
	char *room = dialog_room(&a->dialog, &size);
	ssize_t n = a->ssl ? SSL_read(a->ssl, room, (int)size) : recv(a->fd, room, size, 0);
	if (n <= 0 && a->ssl && tls_waits(a, (int)n))
		return false;
	if (n < 0 && !a->ssl && errno == EAGAIN) {
		wait_for(a, UV_READABLE);
		return false;
	}
	dialog_heard(&a->dialog, n > 0 ? (size_t)n : 0);
	return true;
}

static void talk(struct attempt *a)
{
	for (;;) {
		enum dialog_wants wants = dialog_next(&a->dialog);
		if (wants == DIALOG_HEAR ? hear(a) : wants == DIALOG_SAY ? say(a) : false)
			continue;
		if (wants == DIALOG_TLS)
			begin_tls(a);
		else if (wants == DIALOG_DONE || wants == DIALOG_FAILED)
			attempt_end(a, a->dialog.why);
		return;
	}
}

/* ---- the connection ---- */

static void advance(struct attempt *a)
{
	if (a->stage == TALKING)
		talk(a);
	else if (a->ssl)
		shake(a);
	else {
		a->stage = TALKING;
		talk(a);
	}
}

static void on_attempt_ready(uv_poll_t *poll, int status, int events)
{
	struct attempt *a = FW_CONTAINER(poll, struct attempt, poll);
	int error = 0;
	socklen_t length = sizeof error;
	(void)events;
	uv_poll_stop(poll);
	getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &length);
	if (!error && status < 0) /* where the kernel does not say, libuv's word counts */
		error = -status;
	if (error)
		attempt_end(a, fw_strerror(-error));
	else
		advance(a);
}

/* 0, or why not; the attempt then has a descriptor to close or none. */
static int begin_connecting(struct attempt *a)
{
	int fd = socket(a->reach.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&a->reach.address, reach_length(&a->reach)) < 0 &&
		errno != EINPROGRESS) {
		int rc = -errno;
		fw_close(fd);
		return rc;
	}
	int rc = uv_poll_init(a->run->loop, &a->poll, fd);
	if (rc < 0) {
		fw_close(fd);
		return rc;
	}
	a->fd = fd;
	fw_owner_init(&a->owner, on_attempt_closed);
	fw_owner_adopt(&a->owner, &a->poll);
	if (a->ssl)
		SSL_set_fd(a->ssl, fd);
	return uv_poll_start(&a->poll, UV_WRITABLE, on_attempt_ready);
}

static void on_tcp_reached(struct reach *reach, const char *why)
{
	struct attempt *a = FW_CONTAINER(reach, struct attempt, reach);
	if (!why) {
		int rc = begin_connecting(a);
		why = rc < 0 ? fw_strerror(rc) : NULL;
	}
	if (why)
		attempt_end(a, why);
}

/* ---- the kinds ---- */

static int attempt_start(struct attempt *a, struct check_run *run, struct fw_err *err)
{
	int rc = reach_start(&a->reach, run, on_tcp_reached, err);
	if (rc < 0)
		attempt_free(a);
	else
		run->state = a;
	return rc;
}

static struct attempt *attempt_new(struct check_run *run)
{
	struct attempt *a = fw_alloc(sizeof *a);
	a->run = run;
	a->fd = -1;
	dialog_init(&a->dialog, run->spec->script.steps, run->spec->script.n_steps);
	return a;
}

static int start_tcp(struct check_run *run, struct fw_err *err)
{
	return attempt_start(attempt_new(run), run, err);
}

static int start_tls(struct check_run *run, struct fw_err *err)
{
	struct attempt *a = attempt_new(run);
	int rc = prepare_ssl(a, err);
	if (rc < 0) {
		attempt_free(a);
		return rc;
	}
	return attempt_start(a, run, err);
}

static void cancel_tcp(struct check_run *run)
{
	struct attempt *a = run->state;
	add_findings(a);
	attempt_close(a);
}

static int prepare_tcp(struct check_spec *spec, struct fw_err *err)
{
	return reach_split(spec, 0, err);
}

static int prepare_tls(struct check_spec *spec, struct fw_err *err)
{
	for (size_t i = 0; i < spec->script.n_steps; i++)
		if (spec->script.steps[i].starttls)
			return fw_fail(err, -EINVAL, "starttls is for tcp: here TLS has begun");
	return reach_split(spec, 443, err);
}

const struct check_kind check_tcp = {
	.name = "tcp",
	.help = "a connection can be made",
	.options = check_options_tcp,
	.prepare = prepare_tcp,
	.start = start_tcp,
	.cancel = cancel_tcp,
};

const struct check_kind check_tls = {
	.name = "tls",
	.help = "a handshake is made by a server whose certificate is believed",
	.options = check_options_tls,
	.prepare = prepare_tls,
	.start = start_tls,
	.cancel = cancel_tcp,
};
