/* SPDX-License-Identifier: Apache-2.0 */
#include "enrol.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <fenwatch/clock.h>
#include <fenwatch/conn.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "documents.h"
#include "exchange.h"
#include "identity.h"
#include "plan.h"
#include "spool.h"

#define TOKEN_LIMIT 512

struct enrolment {
	struct identity identity;
	struct exchange *exchange;
	struct fw_err *err;
	int rc;
};

/* A running agent would go on as who it was, and write to the same spool. */
static int enter(const char *dir, struct fw_err *err)
{
	int fd = identity_lock(dir, err);
	if (fd == -EBUSY)
		fw_fail(err, fd,
			"the agent is running with data folder '%s'; stop it first, as by 'systemctl stop fenwatch-agent'",
			dir);
	return fd;
}

static int token_read(const char *path, char token[TOKEN_LIMIT], struct fw_err *err)
{
	FILE *file = path ? fopen(path, "re") : stdin;
	if (!file)
		return fw_fail_sys(err, -errno, "token file '%s'", path);
	if (!path && isatty(STDIN_FILENO))
		fprintf(stderr, "Join token: ");
	char *line = fgets(token, TOKEN_LIMIT, file);
	if (path)
		fclose(file);
	if (!line)
		return fw_fail(
			err, -EINVAL, "no token came from %s", path ? path : "standard input");
	token[strcspn(token, "\r\n \t")] = 0;
	return 0;
}

static void on_done(const uint8_t *reply, size_t length, const char *why, void *arg)
{
	struct enrolment *e = arg;
	if (reply)
		e->rc = identity_accept(&e->identity, reply, length, e->err);
	else
		e->rc = fw_fail(e->err, -ECONNRESET, "%s", why);
	exchange_free(e->exchange);
	e->exchange = NULL;
}

static int converse(struct enrolment *e, const struct config *config, const char *collector,
	const uint8_t *pin, const struct fw_buf *request)
{
	uv_loop_t loop;
	SSL_CTX *tls;
	struct fw_tls_config tls_config = {.pin = pin};
	int rc = fw_tls_client(&tls, &tls_config, e->err);
	if (rc < 0)
		return rc;
	struct exchange_config exchange = {
		.collector = collector,
		.proxy = config->proxy,
		.tls = tls,
		.on_done = on_done,
		.arg = e,
	};
	uv_loop_init(&loop);
	rc = exchange_open(&e->exchange, &loop, &exchange, request->data, request->length, e->err);
	uv_run(&loop, UV_RUN_DEFAULT);
	int closed = uv_loop_close(&loop);
	assert(closed == 0);
	(void)closed;
	SSL_CTX_free(tls);
	return rc < 0 ? rc : e->rc;
}

static int ask(
	struct enrolment *e, const struct config *config, const char *collector, const char *token)
{
	uint8_t pin[FW_FINGERPRINT];
	struct machine machine = {0};
	struct machine_id machine_id;
	struct fw_buf request = {0};
	int rc = identity_token_pin(token, pin, e->err);
	if (rc >= 0)
		rc = machine_open(&machine, config->root, e->err);
	if (rc < 0)
		return rc;
	machine_id_read(&machine, &machine_id);
	machine_close(&machine);
	rc = identity_request(&e->identity, config->name, token, &machine_id, &request, e->err);
	if (rc >= 0) {
		rc = converse(e, config, collector, pin, &request);
		if (rc < 0)
			fw_fail_in(e->err, rc, "collector %s", collector);
	}
	fw_buf_done(&request);
	return rc;
}

/* A spool belongs to an identity: what waits in it goes in a stream of its own, and
 * of inventory nothing is known there. */
static int spool_make(const struct config *config, struct fw_err *err)
{
	struct spool *spool;
	bool made;
	char *dir = fw_format("%s/spool", config->data);
	struct spool_config spool_config = plan_spool(config, NULL, dir);
	int rc = spool_open(&spool, &spool_config, &made, err);
	if (rc >= 0 && !made)
		rc = spool_renew(spool, LOSS_NONE, fw_wall_ms(), err);
	if (rc >= 0)
		spool_close(spool);
	fw_free(dir);
	return rc < 0 ? rc : documents_want_whole(config->data, NULL, err);
}

static void say_enrolled(const char *name, const struct identity *identity)
{
	char until[32], now[32];
	int64_t now_ms = fw_wall_ms();
	printf("%s is enrolled as %s; its certificate is good until %s and renews itself\n", name,
		identity->facts.uuid,
		fw_time_format(identity->facts.until_ms, until, sizeof until));
	if (identity_is_expired(identity, now_ms))
		fprintf(stderr,
			"fenwatch-agent: by this machine's clock it is %s, which cannot be: set it right, or the agent does not come\n",
			fw_time_format(now_ms, now, sizeof now));
}

int enrol(const struct config *config, const char *collector, const char *token_file,
	struct fw_err *err)
{
	struct enrolment e = {.err = err};
	char token[TOKEN_LIMIT], host[256];
	unsigned port;
	if (!collector && config->collectors.count > 0)
		collector = config->collectors.items[0];
	if (!collector || fw_split_host_port(collector, host, sizeof host, &port) < 0)
		return fw_fail(err, -EINVAL, "--collector HOST:PORT says where to enrol");
	int rc = token_read(token_file, token, err);
	if (rc < 0)
		return rc;
	int lock = enter(config->data, err);
	if (lock < 0)
		return lock;
	identity_init(&e.identity, config->data);
	rc = ask(&e, config, collector, token);
	explicit_bzero(token, sizeof token);
	if (rc >= 0)
		rc = spool_make(config, err);
	if (rc >= 0)
		say_enrolled(config->name, &e.identity);
	identity_done(&e.identity);
	fw_close(lock);
	return rc;
}
