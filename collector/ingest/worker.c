/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#include <assert.h>
#include <string.h>

#include <fenwatch/log.h>

#define TICK_MS 1000
#define STOPPING_RETRY_MS 3000
#define ROOM_MS 20 /* how often a full pool is looked at for room */

#define REASON(name) FENWATCH__WIRE__GOODBYE__REASON__##name

/* ---- accepting ---- */

static void on_gate(uv_timer_t *gate);

static uint64_t gate_wait_ms(struct worker *worker)
{
	uint64_t now_ms = uv_now(&worker->loop);
	uint64_t wait_ms = admission_wait_ms(&worker->admission, now_ms);
	uint64_t room_ms = pool_wait_ms(&worker->pool, now_ms);
	if (room_ms > ROOM_MS)
		room_ms = ROOM_MS;
	return room_ms > wait_ms ? room_ms : wait_ms;
}

/* Who may not come in yet waits in the kernel's queue. */
static void check_gate(struct worker *worker)
{
	if (!worker->listener)
		return;
	uint64_t wait_ms = gate_wait_ms(worker);
	if (wait_ms == 0) {
		fw_listener_resume(worker->listener);
		return;
	}
	fw_listener_pause(worker->listener);
	uv_timer_start(&worker->gate, on_gate, wait_ms, 0);
}

static void on_gate(uv_timer_t *gate)
{
	check_gate(FW_CONTAINER(gate, struct worker, gate));
}

static void on_accepted(struct fw_listener *listener, int fd, void *arg)
{
	struct worker *worker = arg;
	(void)listener;
	if (!session_accept(worker, fd))
		return;
	admission_take(&worker->admission);
	check_gate(worker);
}

/* ---- mail ---- */

static void on_flight(struct flight *flight)
{
	struct session *session = flight->session;
	flight_landed(flight);
	if (flight->entry.kind == STORE_SESSION)
		hello_opened(session, &flight->entry);
	else
		stream_flown(session, flight);
	flight_free(flight);
	session_release(session);
}

/* Writing moves a session to the end of its list, so the next one is taken first. */
static void drop_agent(struct session_list *list, const struct order *order)
{
	struct session *session = TAILQ_FIRST(list), *next;
	for (; session; session = next) {
		next = TAILQ_NEXT(session, in_list);
		if (memcmp(session->agent, order->agent, sizeof order->agent) == 0)
			session_refuse(session, CAUSE_STANDING, REASON(REVOKED), "%s", order->why);
	}
}

static struct session *find_session(struct worker *worker, uint64_t number)
{
	struct session *session;
	TAILQ_FOREACH (session, &worker->greeted, in_list)
		if (session->number == number)
			return session;
	return NULL;
}

static void send_heartbeat(struct session *session)
{
	Fenwatch__Wire__Heartbeat heartbeat = FENWATCH__WIRE__HEARTBEAT__INIT;
	session_send(session, FW_FRAME_HEARTBEAT, &heartbeat.base);
}

static void stop_list(struct session_list *list)
{
	struct session *session = TAILQ_FIRST(list), *next;
	for (; session; session = next) {
		next = TAILQ_NEXT(session, in_list);
		session_hang_up(
			session, REASON(STOPPING), STOPPING_RETRY_MS, "the collector is stopping");
	}
}

static void finish(struct worker *worker)
{
	if (!worker->stopping || worker->n_sessions > 0)
		return;
	fw_mailbox_close(&worker->mailbox, NULL);
	fw_owner_close(&worker->owner);
}

static void stop(struct worker *worker)
{
	worker->stopping = true;
	fw_listener_close(worker->listener);
	worker->listener = NULL;
	stop_list(&worker->ungreeted);
	stop_list(&worker->greeted);
	finish(worker);
}

void worker_session_ended(struct worker *worker)
{
	finish(worker);
}

static void obey(struct worker *worker, const struct order *order)
{
	struct session *session = NULL;
	if (order->kind == ORDER_REPLACE || order->kind == ORDER_PROBE)
		session = find_session(worker, order->number);
	switch (order->kind) {
	case ORDER_DROP:
		drop_agent(&worker->ungreeted, order);
		drop_agent(&worker->greeted, order);
		break;
	case ORDER_DOCUMENT:
		TAILQ_FOREACH (session, &worker->greeted, in_list)
			if (memcmp(session->agent, order->agent, sizeof order->agent) == 0)
				stream_need_document(session, order->why);
		break;
	case ORDER_REPLACE:
		if (session)
			session_hang_up(session, REASON(REPLACED), 0, order->why);
		break;
	case ORDER_PROBE:
		if (session)
			send_heartbeat(session);
		break;
	case ORDER_TLS:
		SSL_CTX_free(worker->tls);
		worker->tls = order->tls;
		break;
	case ORDER_STOP:
		stop(worker);
		break;
	}
}

static void on_mail(struct fw_mailbox *box, struct fw_mail *mail)
{
	struct worker *worker = FW_CONTAINER(box, struct worker, mailbox);
	struct worker_mail *letter = FW_CONTAINER(mail, struct worker_mail, mail);
	switch (letter->kind) {
	case MAIL_FLIGHT:
		on_flight(FW_CONTAINER(letter, struct flight, mail));
		break;
	case MAIL_ENROLLED:
		hello_enrolled(FW_CONTAINER(letter, struct enrol_mail, to_worker));
		break;
	case MAIL_ORDER: {
		struct order *order = FW_CONTAINER(letter, struct order, mail);
		obey(worker, order);
		fw_free(order);
		break;
	}
	}
}

bool worker_order(struct worker *worker, const struct order *order)
{
	struct order *copy = fw_alloc(sizeof *copy);
	*copy = *order;
	copy->mail.kind = MAIL_ORDER;
	if (fw_mailbox_post(&worker->mailbox, &copy->mail.mail))
		return true;
	fw_free(copy);
	return false;
}

/* ---- each turn, each second ---- */

/* After all mail of this turn: one ack a connection, however much became durable. */
static void on_flush(uv_check_t *check)
{
	struct worker *worker = FW_CONTAINER(check, struct worker, flush);
	struct session *session, *next;
	while ((session = TAILQ_FIRST(&worker->dirty))) {
		TAILQ_REMOVE(&worker->dirty, session, in_dirty);
		session->is_dirty = false;
		stream_ack(session);
	}
	for (session = TAILQ_FIRST(&worker->paused); session; session = next) {
		next = TAILQ_NEXT(session, in_paused);
		session_resume(session);
	}
}

static void on_tick(uv_timer_t *timer)
{
	struct worker *worker = FW_CONTAINER(timer, struct worker, tick);
	uint64_t now_ms = uv_now(&worker->loop);
	struct session *session, *next;
	for (session = TAILQ_FIRST(&worker->ungreeted);
		session && now_ms - session->accepted_ms >= HELLO_MS; session = next) {
		next = TAILQ_NEXT(session, in_list);
		if (session->stage == STAGE_HELLO || session->stage == STAGE_ENROL)
			session_refuse(session, CAUSE_SILENCE, REASON(PROTOCOL),
				"it did not say what it wants in time");
	}
	while ((session = TAILQ_FIRST(&worker->greeted)) &&
		now_ms - session->sent_ms >= HEARTBEAT_MS) {
		session->sent_ms = now_ms;
		TAILQ_REMOVE(&worker->greeted, session, in_list);
		TAILQ_INSERT_TAIL(&worker->greeted, session, in_list);
		send_heartbeat(session);
	}
	if (worker->index == 0)
		refusals_sum_up(&worker->ingest->refusals);
}

/* ---- the thread ---- */

static void on_worker_done(struct fw_owner *owner)
{
	(void)owner;
}

static void open_handles(struct worker *worker)
{
	uv_timer_init(&worker->loop, &worker->tick);
	uv_timer_init(&worker->loop, &worker->gate);
	uv_check_init(&worker->loop, &worker->flush);
	fw_owner_init(&worker->owner, on_worker_done);
	fw_owner_adopt(&worker->owner, &worker->tick);
	fw_owner_adopt(&worker->owner, &worker->gate);
	fw_owner_adopt(&worker->owner, &worker->flush);
}

static int open_doors(
	struct worker *worker, const char *address, unsigned *port, struct fw_err *err)
{
	int rc = fw_mailbox_open(&worker->mailbox, &worker->loop, on_mail);
	if (rc < 0)
		return fw_fail_sys(err, rc, "cannot make a mailbox");
	rc = fw_listener_open(
		&worker->listener, &worker->loop, address, true, on_accepted, worker, port, err);
	if (rc < 0)
		fw_mailbox_close(&worker->mailbox, NULL);
	return rc;
}

int worker_init(struct worker *worker, struct ingest *ingest, unsigned index, SSL_CTX *tls,
	const char *address, unsigned *port, struct fw_err *err)
{
	worker->ingest = ingest;
	worker->index = index;
	worker->ended.kind = MAIN_WORKER_ENDED;
	TAILQ_INIT(&worker->ungreeted);
	TAILQ_INIT(&worker->greeted);
	TAILQ_INIT(&worker->dirty);
	TAILQ_INIT(&worker->paused);
	worker->scratch.limit = FW_WIRE_ARENA;
	int rc = uv_loop_init(&worker->loop);
	if (rc < 0)
		return fw_fail_sys(err, rc, "cannot make a loop");
	admission_init(&worker->admission, ingest->n_workers, uv_now(&worker->loop));
	pool_init(&worker->pool, ingest->n_workers);
	open_handles(worker);
	rc = open_doors(worker, address, port, err);
	if (rc < 0) {
		fw_owner_close(&worker->owner);
		worker_run(worker);
		return rc;
	}
	SSL_CTX_up_ref(tls);
	worker->tls = tls;
	uv_timer_start(&worker->tick, on_tick, TICK_MS, TICK_MS);
	uv_check_start(&worker->flush, on_flush);
	return 0;
}

void worker_run(struct worker *worker)
{
	uv_run(&worker->loop, UV_RUN_DEFAULT);
	int rc = uv_loop_close(&worker->loop);
	assert(rc == 0);
	flights_done(worker);
	fw_arena_done(&worker->scratch);
	fw_buf_done(&worker->out);
	SSL_CTX_free(worker->tls);
	worker->tls = NULL;
}

void worker_abandon(struct worker *worker)
{
	stop(worker);
	worker_run(worker);
}
