/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>

#define RENEWAL_CHECK_MS 60000
#define WORKERS_LIMIT 64
#define OTHER_DESCRIPTORS 500
#define GRACE_MS (90LL * 86400 * 1000) /* expired by so much, an agent may still renew */

/* ---- TLS ---- */

static int tls_new(struct ingest *ingest, SSL_CTX **out, struct fw_err *err)
{
	struct fw_arena arena = {0};
	struct fw_tls_config config = {
		.ca_pem = enrol_ca_pem(ingest->config.enrol),
		.client_cert_optional = true,
		.expired_grace_ms = GRACE_MS,
	};
	struct fw_cert_facts facts;
	int rc = enrol_server_cert(
		ingest->config.enrol, &arena, &config.cert_pem, &config.key_pem, err);
	if (rc == 0)
		rc = fw_cert_facts_pem(config.cert_pem, &facts, err);
	if (rc == 0)
		rc = fw_tls_server(out, &config, err);
	if (rc == 0)
		ingest->renew_at_ms = facts.from_ms + (facts.until_ms - facts.from_ms) / 2;
	fw_arena_done(&arena);
	return rc;
}

/* Connections keep the context they began with. */
void ingest_renew(struct ingest *ingest)
{
	struct fw_err err;
	SSL_CTX *tls;
	ingest->renew_at_ms = 0; /* if it fails, again soon */
	if (tls_new(ingest, &tls, &err) < 0) {
		fw_log(FW_ERROR, "the collector's own certificate cannot be renewed: %s", err.text);
		return;
	}
	for (unsigned i = 0; i < ingest->n_workers; i++) {
		SSL_CTX_up_ref(tls);
		if (!worker_order(
			    &ingest->workers[i], &(struct order){.kind = ORDER_TLS, .tls = tls}))
			SSL_CTX_free(tls);
	}
	SSL_CTX_free(tls);
	fw_log(FW_INFO, "the collector's own certificate is renewed");
}

static void on_renewal(uv_timer_t *timer)
{
	struct ingest *ingest = FW_CONTAINER(timer, struct ingest, renewal);
	if (fw_wall_ms() >= ingest->renew_at_ms)
		ingest_renew(ingest);
}

/* ---- closing ---- */

static void closed_one(struct ingest *ingest)
{
	if (--ingest->n_open > 0)
		return;
	uv_mutex_destroy(&ingest->seats.lock);
	uv_mutex_destroy(&ingest->quotas.lock);
	uv_mutex_destroy(&ingest->refusals.lock);
	void (*on_closed)(void *) = ingest->on_closed;
	void *arg = ingest->closed_arg;
	quotas_forget(&ingest->quotas);
	fw_free(ingest->workers);
	fw_free(ingest);
	if (on_closed)
		on_closed(arg);
}

static void on_mailbox_closed(struct fw_mailbox *box)
{
	closed_one(FW_CONTAINER(box, struct ingest, mailbox));
}

static void on_owner_done(struct fw_owner *owner)
{
	closed_one(FW_CONTAINER(owner, struct ingest, owner));
}

static void worker_ended(struct ingest *ingest, struct worker *worker)
{
	uv_thread_join(&worker->thread);
	if (--ingest->n_running > 0)
		return;
	fw_mailbox_close(&ingest->mailbox, on_mailbox_closed);
	fw_owner_close(&ingest->owner);
}

void ingest_close(struct ingest *ingest, void (*on_closed)(void *arg), void *arg)
{
	assert(!ingest->closing);
	ingest->closing = true;
	ingest->on_closed = on_closed;
	ingest->closed_arg = arg;
	refusals_sum_up(&ingest->refusals);
	for (unsigned i = 0; i < ingest->n_workers; i++)
		worker_order(&ingest->workers[i], &(struct order){.kind = ORDER_STOP});
}

/* ---- the main thread's mail ---- */

static void on_main_mail(struct fw_mailbox *box, struct fw_mail *mail)
{
	struct ingest *ingest = FW_CONTAINER(box, struct ingest, mailbox);
	struct main_mail *letter = FW_CONTAINER(mail, struct main_mail, mail);
	const struct ingest_config *config = &ingest->config;
	switch (letter->kind) {
	case MAIN_ENROL:
		hello_answer(ingest, FW_CONTAINER(letter, struct enrol_mail, to_main));
		break;
	case MAIN_CLONE: {
		struct clone_mail *clone = FW_CONTAINER(letter, struct clone_mail, mail);
		if (config->on_clone)
			config->on_clone(
				clone->name, clone->machine_a, clone->machine_b, config->arg);
		fw_free(clone);
		break;
	}
	case MAIN_CLAIMED: {
		struct claimed_mail *claimed = FW_CONTAINER(letter, struct claimed_mail, mail);
		if (config->on_claimed)
			config->on_claimed(
				claimed->device, claimed->claimant, claimed->owner, config->arg);
		fw_free(claimed);
		break;
	}
	case MAIN_GREETED: {
		struct greeted_mail *greeted = FW_CONTAINER(letter, struct greeted_mail, mail);
		if (config->on_greeted)
			config->on_greeted(&greeted->greeting, config->arg);
		fw_free(greeted);
		break;
	}
	case MAIN_MISSED: {
		struct greeted_mail *missed = FW_CONTAINER(letter, struct greeted_mail, mail);
		if (config->on_missed)
			config->on_missed(
				missed->greeting.agent, missed->greeting.host, config->arg);
		fw_free(missed);
		break;
	}
	case MAIN_WORKER_ENDED:
		worker_ended(ingest, FW_CONTAINER(letter, struct worker, ended));
		break;
	}
}

/* ---- opening ---- */

static void run_thread(void *arg)
{
	struct worker *worker = arg;
	worker_run(worker);
	/* The main thread's mailbox closes only after this. */
	(void)fw_mailbox_post(&worker->ingest->mailbox, &worker->ended.mail);
}

/* The first worker's port is everyone's. */
static int init_workers(struct ingest *ingest, SSL_CTX *tls, struct fw_err *err)
{
	char host[254], address[300];
	unsigned port;
	int rc = fw_split_host_port(ingest->config.listen, host, sizeof host, &port);
	if (rc < 0)
		return fw_fail(err, rc, "'%s' is not HOST:PORT", ingest->config.listen);
	for (unsigned i = 0; i < ingest->n_workers; i++) {
		snprintf(address, sizeof address, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
			i == 0 ? port : ingest->port);
		rc = worker_init(&ingest->workers[i], ingest, i, tls, address, &ingest->port, err);
		if (rc < 0) {
			while (i > 0)
				worker_abandon(&ingest->workers[--i]);
			return rc;
		}
	}
	return 0;
}

static int start_threads(struct ingest *ingest, struct fw_err *err)
{
	for (unsigned i = 0; i < ingest->n_workers; i++) {
		int rc = uv_thread_create(
			&ingest->workers[i].thread, run_thread, &ingest->workers[i]);
		if (rc == 0)
			continue;
		for (unsigned k = 0; k < i; k++) {
			worker_order(&ingest->workers[k], &(struct order){.kind = ORDER_STOP});
			uv_thread_join(&ingest->workers[k].thread);
		}
		for (unsigned k = i; k < ingest->n_workers; k++)
			worker_abandon(&ingest->workers[k]);
		return fw_fail_sys(err, rc, "cannot start a thread");
	}
	ingest->n_running = ingest->n_workers;
	return 0;
}

static unsigned count_workers(unsigned wanted)
{
	unsigned n = wanted ? wanted : uv_available_parallelism();
	return n < WORKERS_LIMIT ? n : WORKERS_LIMIT;
}

/* As many as may be open, less what store, state, feeds and API need. */
static unsigned connections_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return UINT_MAX;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		fw_log(FW_WARNING, "the limit of open files stays as it is");
	if (limit.rlim_cur >= UINT_MAX)
		return UINT_MAX;
	unsigned most = (unsigned)limit.rlim_cur;
	return most > 2 * OTHER_DESCRIPTORS ? most - OTHER_DESCRIPTORS : most / 2;
}

static struct ingest *ingest_new(const struct ingest_config *config)
{
	struct ingest *ingest = fw_alloc(sizeof *ingest);
	ingest->config = *config;
	ingest->n_workers = count_workers(config->workers);
	ingest->connections_limit = connections_limit();
	ingest->workers = fw_alloc_array(ingest->n_workers, sizeof *ingest->workers);
	uv_mutex_init(&ingest->seats.lock);
	uv_mutex_init(&ingest->quotas.lock);
	uv_mutex_init(&ingest->refusals.lock);
	/* Grows across restarts as long as the clock does; a million connections a second fit. */
	atomic_store(&ingest->next_number, (uint64_t)fw_wall_ms() * 1000);
	ingest->n_open = 2;
	uv_timer_init(config->main_loop, &ingest->renewal);
	fw_owner_init(&ingest->owner, on_owner_done);
	fw_owner_adopt(&ingest->owner, &ingest->renewal);
	return ingest;
}

int ingest_open(struct ingest **out, const struct ingest_config *config, struct fw_err *err)
{
	struct ingest *ingest = ingest_new(config);
	SSL_CTX *tls = NULL;
	int rc = fw_mailbox_open(&ingest->mailbox, config->main_loop, on_main_mail);
	if (rc < 0) {
		ingest->n_open = 1;
		fw_owner_close(&ingest->owner);
		return fw_fail_sys(err, rc, "cannot make a mailbox");
	}
	rc = tls_new(ingest, &tls, err);
	if (rc == 0)
		rc = init_workers(ingest, tls, err);
	if (rc == 0)
		rc = start_threads(ingest, err);
	SSL_CTX_free(tls);
	if (rc < 0) {
		fw_mailbox_close(&ingest->mailbox, on_mailbox_closed);
		fw_owner_close(&ingest->owner);
		return rc;
	}
	uv_timer_start(&ingest->renewal, on_renewal, RENEWAL_CHECK_MS, RENEWAL_CHECK_MS);
	*out = ingest;
	return 0;
}

unsigned ingest_port(const struct ingest *ingest)
{
	return ingest->port;
}

void ingest_drop_agent(struct ingest *ingest, const uint8_t agent[16], const char *why)
{
	struct order order = {.kind = ORDER_DROP};
	memcpy(order.agent, agent, sizeof order.agent);
	snprintf(order.why, sizeof order.why, "%s", why);
	for (unsigned i = 0; i < ingest->n_workers; i++)
		worker_order(&ingest->workers[i], &order);
}

void ingest_need_document(struct ingest *ingest, const uint8_t agent[16], const char *kind)
{
	struct order order = {.kind = ORDER_DOCUMENT};
	memcpy(order.agent, agent, sizeof order.agent);
	snprintf(order.why, sizeof order.why, "%s", kind);
	for (unsigned i = 0; i < ingest->n_workers; i++)
		worker_order(&ingest->workers[i], &order);
}

void ingest_stat(const struct ingest *ingest, struct ingest_stat *out)
{
	*out = (struct ingest_stat){0};
	for (unsigned i = 0; i < ingest->n_workers; i++) {
		struct counters *counters = &ingest->workers[i].counters;
		out->connections += atomic_load(&counters->connections);
		out->handshakes += atomic_load(&counters->handshakes);
		out->frames += atomic_load(&counters->frames);
		out->bytes += atomic_load(&counters->bytes);
		out->acks += atomic_load(&counters->acks);
		out->refused += atomic_load(&counters->refused);
		out->protocol_errors += atomic_load(&counters->protocol_errors);
	}
}
