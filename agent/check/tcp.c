/* SPDX-License-Identifier: Apache-2.0 */
/* tcp: a connection can be made. tls: and a handshake on it, by a server that is believed. */
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
	SSL *ssl; /* NULL: a connection is all that is wanted */
	struct certs certs;
};

static void attempt_free(struct attempt *a)
{
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

static void attempt_end(struct attempt *a, const char *why)
{
	struct check_run *run = a->run;
	certs_add(&a->certs, run->sweep);
	attempt_close(a);
	check_finish(run, why ? CHECK_CRITICAL : CHECK_OK, "%s", why ? why : "");
}

/* ---- the handshake ---- */

static const char *handshake_fault(struct attempt *a, char *text, size_t size)
{
	if (a->certs.seen && !a->certs.verified)
		return a->certs.why;
	const char *said = fw_tls_error(text, size);
	return said[0] ? said : "the server hung up in the handshake";
}

static void on_attempt_ready(uv_poll_t *poll, int status, int events);

static void shake(struct attempt *a)
{
	char text[256];
	int rc = SSL_connect(a->ssl);
	if (rc == 1) {
		attempt_end(a, NULL);
		return;
	}
	int wants = SSL_get_error(a->ssl, rc);
	if (wants == SSL_ERROR_WANT_READ || wants == SSL_ERROR_WANT_WRITE)
		uv_poll_start(&a->poll, wants == SSL_ERROR_WANT_READ ? UV_READABLE : UV_WRITABLE,
			on_attempt_ready);
	else
		attempt_end(a, handshake_fault(a, text, sizeof text));
}

/* ---- the connection ---- */

static void on_attempt_ready(uv_poll_t *poll, int status, int events)
{
	struct attempt *a = FW_CONTAINER(poll, struct attempt, poll);
	int error = 0;
	socklen_t length = sizeof error;
	(void)events;
	getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &length);
	if (!error && status < 0) /* where the kernel does not say, libuv's word counts */
		error = -status;
	if (error)
		attempt_end(a, fw_strerror(-error));
	else if (a->ssl)
		shake(a);
	else
		attempt_end(a, NULL);
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
	return a;
}

static int start_tcp(struct check_run *run, struct fw_err *err)
{
	return attempt_start(attempt_new(run), run, err);
}

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

static int start_tls(struct check_run *run, struct fw_err *err)
{
	const struct check_spec *spec = run->spec;
	struct attempt *a = attempt_new(run);
	a->certs.tolerant = !spec->verify;
	int rc = certs_client(&a->tls, spec->ca, &a->certs, err);
	if (rc == 0) {
		a->ssl = SSL_new(a->tls);
		rc = a->ssl ? 0 : fw_fail(err, -ENOMEM, "TLS does not start");
	}
	if (rc < 0) {
		attempt_free(a);
		return rc;
	}
	expect(a->ssl, spec->server_name ? spec->server_name : spec->host);
	return attempt_start(a, run, err);
}

static void cancel_tcp(struct check_run *run)
{
	struct attempt *a = run->state;
	certs_add(&a->certs, run->sweep);
	attempt_close(a);
}

static int prepare_tcp(struct check_spec *spec, struct fw_err *err)
{
	return reach_split(spec, 0, err);
}

static int prepare_tls(struct check_spec *spec, struct fw_err *err)
{
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
