/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/log.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>
#include <fenwatch/notify.h>
#include <fenwatch/wire.h>

#include "budget.h"
#include "documents.h"
#include "handover.h"
#include "identity.h"
#include "ledger.h"
#include "packer.h"
#include "plan.h"
#include "self.h"
#include "uplink.h"

#define FLUSH_ONLINE_MS 5000   /* a frame may be in memory alone for so long */
#define FLUSH_OFFLINE_MS 60000 /* one write a minute */
#define RENEW_AGAIN_MS 600000
#define PROVING_SWEEPS 2

struct agent {
	const struct config *config;
	uv_loop_t loop;
	struct fw_owner owner;
	uv_timer_t flush, watchdog;
	uv_signal_t terminate, interrupt;

	struct machine machine;
	struct machine_id machine_id;
	struct identity identity;
	struct settings *settings;
	char *spool_dir;
	struct spool *spool;
	struct packer *packer;
	struct sampler *sampler;
	struct uplink *uplink;
	struct handover *handover; /* NULL: no socket for programs beside this one */
	struct source_plan *plans;
	unsigned sweeps; /* since the settings in force */
	bool write_failed, stopping;
	uint64_t too_many_bytes; /* ends because it had so many of its own */
	int lock;
};

/* ---- to disk ---- */

static void write_out(struct agent *a)
{
	struct fw_err err;
	if (uplink_is_online(a->uplink))
		spool_tell_gap(a->spool, fw_wall_ms());
	int rc = spool_flush(a->spool, &err);
	if (rc >= 0)
		rc = packer_journal(a->packer, &err);
	if (rc < 0 && !a->write_failed)
		fw_log(FW_ERROR, "%s; frames wait in memory", err.text);
	if (rc >= 0 && a->write_failed)
		fw_log(FW_NOTICE, "the spool can be written again");
	a->write_failed = rc < 0;
	if (spool_is_flushed(a->spool))
		handover_durable(a->handover);
}

static void on_flush(uv_timer_t *timer)
{
	struct agent *a = FW_CONTAINER(timer, struct agent, flush);
	write_out(a);
	uplink_wake(a->uplink);
}

static bool all_is_written(const struct agent *a)
{
	return spool_is_flushed(a->spool) && packer_is_journaled(a->packer);
}

static void flush_later(struct agent *a)
{
	bool online = uplink_is_online(a->uplink);
	if (a->stopping || all_is_written(a) || uv_is_active((uv_handle_t *)&a->flush))
		return;
	uv_timer_start(&a->flush, on_flush, online ? FLUSH_ONLINE_MS : FLUSH_OFFLINE_MS, 0);
}

/* ---- sweeps ---- */

static void on_sweeping(struct sweep *sweep, void *arg)
{
	struct agent *a = arg;
	struct spool_stat stat;
	struct handover_stat programs;
	spool_stat(a->spool, &stat);
	self_add(sweep, &stat);
	handover_stat(a->handover, &programs);
	self_add_programs(sweep, &programs);
}

static void renew_if_due(struct agent *a)
{
	int64_t now_ms = fw_wall_ms();
	if (now_ms < a->identity.renew_at_ms || !uplink_is_online(a->uplink))
		return;
	a->identity.renew_at_ms = now_ms + RENEW_AGAIN_MS;
	uplink_renew(a->uplink);
}

static uint64_t memory_limit(void)
{
#ifdef FW_TEST_SEAMS
	/* A sanitizer's own memory would count. */
	const char *text = getenv("FENWATCH_MEMORY_LIMIT");
	return text ? strtoull(text, NULL, 10) : UINT64_MAX;
#else
	return BUDGET_MEMORY_BYTES;
#endif
}

static void agent_stop(struct agent *a);

static void stop_if_too_large(struct agent *a)
{
	uint64_t own = self_own_bytes();
	if (own <= memory_limit())
		return;
	a->too_many_bytes = own;
	agent_stop(a);
}

static void on_swept(const struct sweep *sweep, void *arg)
{
	struct agent *a = arg;
	bool live = uplink_has_window(a->uplink, handover_in_flight(a->handover));
	uint64_t backlog = spool_next(a->spool, LANE_BACKLOG);
	packer_sweep(a->packer, sweep_schema(sweep), sweep_cells(sweep), sweep_at_ms(sweep), live);
	/* A backlog frame is on disk before it goes, so that its number is never used
	 * for another one after a crash. */
	if (uplink_is_online(a->uplink) && spool_next(a->spool, LANE_BACKLOG) != backlog)
		write_out(a);
	uplink_wake(a->uplink);
	flush_later(a);
	renew_if_due(a);
	a->sweeps++;
	stop_if_too_large(a);
}

/* ---- programs beside the agent ---- */

static bool op_is_online(void *arg)
{
	struct agent *a = arg;
	return uplink_is_online(a->uplink);
}

static void on_taken(bool at_once, void *arg)
{
	struct agent *a = arg;
	if (at_once)
		write_out(a);
	uplink_wake(a->uplink);
	flush_later(a);
}

static void open_handover(struct agent *a)
{
	struct fw_err err;
	struct handover_config config = {
		.path = a->config->probe,
		.instance = a->config->name,
		.class = config_classes[a->config->class],
		.spool = a->spool,
		.is_online = op_is_online,
		.on_taken = on_taken,
		.arg = a,
	};
	if (config.path && handover_open(&a->handover, &a->loop, &config, &err) < 0)
		fw_log(FW_NOTICE, "programs beside the agent cannot hand over anything: %s",
			err.text);
}

/* ---- inventory ---- */

/* Of a new stream nothing is known there. */
static void want_all_documents(struct agent *a)
{
	struct fw_err err;
	if (documents_want_whole(a->config->data, NULL, &err) < 0)
		fw_log(FW_ERROR, "inventory: %s", err.text);
}

static void pack_document(
	uint64_t seq, const struct document_news *news, int64_t now_ms, struct fw_buf *out)
{
	Fenwatch__Wire__Document document = FENWATCH__WIRE__DOCUMENT__INIT;
	document.seq = seq;
	document.backlog = true;
	document.kind = (char *)news->kind;
	document.revision = news->revision;
	document.whole = news->whole;
	document.at_ms = now_ms;
	document.body.data = (uint8_t *)news->body;
	document.body.len = news->length;
	document.raw_length = news->raw_length;
	size_t length = fenwatch__wire__document__get_packed_size(&document);
	out->length += fenwatch__wire__document__pack(&document, fw_buf_reserve(out, length));
}

/* The table is what the next one is compared with only when nothing can lose the
 * document any more. */
static void on_document(const struct document_news *news, void *arg)
{
	struct agent *a = arg;
	struct fw_buf message = {0};
	struct frame frame = {
		.type = FW_FRAME_DOCUMENT,
		.lane = LANE_BACKLOG,
		.seq = spool_next(a->spool, LANE_BACKLOG),
		.oldest_ms = fw_wall_ms(),
	};
	pack_document(frame.seq, news, frame.oldest_ms, &message);
	frame.payload = message.data;
	frame.length = message.length;
	spool_add(a->spool, &frame);
	fw_buf_done(&message);
	write_out(a);
	struct fw_err err;
	if (spool_is_flushed(a->spool) && documents_keep(a->config->data, news, &err) < 0)
		fw_log(FW_ERROR, "inventory: %s", err.text);
	uplink_wake(a->uplink);
}

/* ---- what the uplink asks and tells ---- */

static SSL_CTX *op_tls(void *arg)
{
	struct agent *a = arg;
	return a->identity.tls;
}

static bool op_must_renew(void *arg)
{
	struct agent *a = arg;
	return identity_is_expired(&a->identity, fw_wall_ms());
}

struct known {
	ProtobufCBinaryData hashes[64];
	size_t n;
};

static void note_hash(uint32_t id, const uint8_t hash[FW_SCHEMA_HASH], void *arg)
{
	struct known *known = arg;
	(void)id;
	if (known->n == sizeof known->hashes / sizeof *known->hashes)
		return;
	known->hashes[known->n].data = (uint8_t *)hash;
	known->hashes[known->n++].len = FW_SCHEMA_HASH;
}

static void op_hello(struct fw_buf *out, void *arg)
{
	struct agent *a = arg;
	const char *const texts[][2] = {
		{"class", config_classes[a->config->class]},
		{"instance", a->config->name},
		{"job", "node"},
	};
	enum { LABELS = sizeof texts / sizeof *texts };
	Fenwatch__Wire__Label labels[LABELS], *list[LABELS];
	for (int i = 0; i < LABELS; i++) {
		fenwatch__wire__label__init(&labels[i]);
		labels[i].name = (char *)texts[i][0];
		labels[i].value = (char *)texts[i][1];
		list[i] = &labels[i];
	}
	struct known known = {.n = 0};
	spool_schemas(a->spool, note_hash, &known);
	const Fenwatch__Wire__Settings *settings = settings_now(a->settings);
	Fenwatch__Wire__Hello hello = FENWATCH__WIRE__HELLO__INIT;
	hello.proto = 1;
	hello.stream = spool_stream(a->spool);
	hello.next_live = spool_oldest(a->spool, LANE_LIVE);
	hello.next_backlog = spool_oldest(a->spool, LANE_BACKLOG);
	hello.machine.data = a->machine_id.machine;
	hello.machine.len = sizeof a->machine_id.machine;
	hello.boot.data = a->machine_id.boot;
	hello.boot.len = sizeof a->machine_id.boot;
	hello.version = (char *)FW_VERSION;
	hello.n_labels = LABELS;
	hello.labels = list;
	hello.n_known_schema = known.n;
	hello.known_schema = known.hashes;
	hello.settings_version = settings ? settings->version : 0;
	fw_wire_put(out, FW_FRAME_HELLO, &hello.base);
}

static void apply_settings(struct agent *a)
{
	int64_t interval_ms = plan_interval_ms(a->config, a->settings);
	plan_sources(a->config, a->settings, a->plans);
	sampler_set_plan(a->sampler, a->plans);
	sampler_set_interval(a->sampler, interval_ms);
	packer_set_interval(a->packer, (uint32_t)interval_ms);
	spool_set_max(a->spool, plan_spool_bytes(a->config, a->settings));
	a->sweeps = 0;
}

static int begin_stream(struct agent *a)
{
	struct fw_err err;
	fw_log(FW_WARNING,
		"the collector has numbers that this spool did not make: this machine "
		"or its data was set back; a new stream begins");
	if (spool_renew(a->spool, LOSS_STREAM, fw_wall_ms(), &err) < 0)
		fw_log(FW_ERROR, "a new stream: %s", err.text);
	packer_need_key(a->packer, fw_wall_ms());
	handover_begin_stream(a->handover);
	want_all_documents(a);
	return -ESTALE;
}

static int op_on_welcome(const Fenwatch__Wire__Welcome *welcome, void *arg)
{
	struct agent *a = arg;
	const uint64_t acked[LANES] = {welcome->acked_live, welcome->acked_backlog};
	const uint32_t crc[LANES] = {welcome->live_crc, welcome->backlog_crc};
	if (spool_welcome(a->spool, acked, crc) < 0)
		return begin_stream(a);
	ledger_note(a->spool, acked);
	packer_acked(a->packer, acked[LANE_LIVE]);
	for (int lane = 0; lane < LANES; lane++)
		spool_ack(a->spool, (enum lane)lane, acked[lane]);
	packer_set_max_sweeps(a->packer, welcome->max_sweeps);
	if (welcome->settings && settings_offer(a->settings, welcome->settings)) {
		fw_log(FW_NOTICE, "settings %llu of the collector are in force",
			(unsigned long long)welcome->settings->version);
		apply_settings(a);
	}
	packer_connected(a->packer);
	spool_tell_gap(a->spool, fw_wall_ms());
	write_out(a);
	uv_timer_stop(&a->flush); /* it may be set for as long as one may wait offline */
	return 0;
}

static uint64_t op_oldest(enum lane lane, void *arg)
{
	struct agent *a = arg;
	return spool_oldest(a->spool, lane);
}

static int op_frame(enum lane lane, uint64_t seq, struct frame *out, void *arg)
{
	struct agent *a = arg;
	struct fw_err err;
	int rc = spool_read(a->spool, lane, seq, out, &err);
	if (rc < 0 && rc != -ENOENT)
		fw_log(FW_ERROR, "%s", err.text);
	return rc;
}

static const uint8_t *op_schema_hash(uint32_t id, void *arg)
{
	struct agent *a = arg;
	return spool_schema_hash(a->spool, id);
}

static int op_schema(uint32_t id, const uint8_t **message, size_t *length, void *arg)
{
	struct agent *a = arg;
	return spool_schema(a->spool, id, message, length);
}

static int op_schema_difference(
	uint32_t id, uint32_t *base, const uint8_t **message, size_t *length, void *arg)
{
	struct agent *a = arg;
	return spool_schema_difference(a->spool, id, base, message, length);
}

static void op_on_acked(const uint64_t to[LANES], void *arg)
{
	struct agent *a = arg;
	ledger_note(a->spool, to);
	packer_acked(a->packer, to[LANE_LIVE]);
	for (int lane = 0; lane < LANES; lane++)
		spool_ack(a->spool, (enum lane)lane, to[lane]);
	if (all_is_written(a))
		uv_timer_stop(&a->flush);
	if (spool_is_flushed(a->spool))
		handover_durable(a->handover);
	handover_go_on(a->handover);
	if (settings_on_trial(a->settings) && a->sweeps >= PROVING_SWEEPS)
		settings_prove(a->settings);
}

static void op_on_need_key(void *arg)
{
	struct agent *a = arg;
	packer_need_key(a->packer, fw_wall_ms());
}

static void op_on_need_document(const char *kind, void *arg)
{
	struct agent *a = arg;
	struct fw_err err;
	int rc = documents_want_whole(a->config->data, kind, &err);
	if (rc < 0 && rc != -ENOENT)
		fw_log(FW_ERROR, "inventory: %s", err.text);
}

static int op_renewal(struct fw_buf *out, struct fw_err *err, void *arg)
{
	struct agent *a = arg;
	return identity_request(&a->identity, a->config->name, NULL, &a->machine_id, out, err);
}

static int op_on_renewed(const uint8_t *reply, size_t length, struct fw_err *err, void *arg)
{
	struct agent *a = arg;
	return identity_accept(&a->identity, reply, length, err);
}

static void op_on_lost(void *arg)
{
	struct agent *a = arg;
	packer_disconnected(a->packer);
	handover_go_on(a->handover);
	flush_later(a);
}

static const struct uplink_ops ops = {
	.tls = op_tls,
	.must_renew = op_must_renew,
	.hello = op_hello,
	.on_welcome = op_on_welcome,
	.oldest = op_oldest,
	.frame = op_frame,
	.schema_hash = op_schema_hash,
	.schema = op_schema,
	.schema_difference = op_schema_difference,
	.on_acked = op_on_acked,
	.on_need_key = op_on_need_key,
	.on_need_document = op_on_need_document,
	.renewal = op_renewal,
	.on_renewed = op_on_renewed,
	.on_lost = op_on_lost,
};

/* ---- life ---- */

static void agent_stop(struct agent *a)
{
	if (a->stopping)
		return;
	a->stopping = true;
	fw_notify("STOPPING=1");
	uv_timer_stop(&a->flush);
	packer_close_chain(a->packer);
	write_out(a);
	handover_close(a->handover);
	a->handover = NULL;
	uplink_close(a->uplink);
	sampler_close(a->sampler);
	fw_owner_close(&a->owner);
}

static void on_signal(uv_signal_t *signal, int number)
{
	(void)number;
	agent_stop(signal->loop->data);
}

static void on_watchdog(uv_timer_t *timer)
{
	(void)timer;
	fw_notify("WATCHDOG=1");
}

static void on_handles_closed(struct fw_owner *owner)
{
	(void)owner;
}

static void open_handles(struct agent *a)
{
	uint64_t watchdog_ms = (uint64_t)fw_notify_watchdog_ms();
	a->loop.data = a;
	fw_owner_init(&a->owner, on_handles_closed);
	uv_timer_init(&a->loop, &a->flush);
	fw_owner_adopt(&a->owner, &a->flush);
	uv_timer_init(&a->loop, &a->watchdog);
	fw_owner_adopt(&a->owner, &a->watchdog);
	uv_signal_init(&a->loop, &a->terminate);
	fw_owner_adopt(&a->owner, &a->terminate);
	uv_signal_init(&a->loop, &a->interrupt);
	fw_owner_adopt(&a->owner, &a->interrupt);
	uv_signal_start(&a->terminate, on_signal, SIGTERM);
	uv_signal_start(&a->interrupt, on_signal, SIGINT);
	if (watchdog_ms)
		uv_timer_start(&a->watchdog, on_watchdog, watchdog_ms, watchdog_ms);
}

static double pause_scale(void)
{
#ifdef FW_TEST_SEAMS
	const char *text = getenv("FENWATCH_BACKOFF_SCALE");
	if (text)
		return strtod(text, NULL);
#endif
	return 1;
}

static int open_spool(struct agent *a, struct fw_err *err)
{
	bool made;
	struct spool_config config = plan_spool(a->config, a->settings, a->spool_dir);
	int rc = spool_open(&a->spool, &config, &made, err);
	if (rc < 0 || !made)
		return rc;
	/* Enrolling made one. */
	fw_log(FW_WARNING, "spool '%s': what waited in it is lost; a new stream begins",
		a->spool_dir);
	if (spool_renew(a->spool, LOSS_STREAM, fw_wall_ms(), err) < 0)
		fw_log(FW_ERROR, "%s", err->text);
	want_all_documents(a);
	return 0;
}

static int open_state(struct agent *a, struct fw_err *err)
{
	const struct config *config = a->config;
	char *lock = fw_format("%s/lock", config->data);
	int rc = fw_mkdir_all(config->data, 0700);
	a->lock = rc < 0 ? fw_fail_sys(err, rc, "data folder '%s'", config->data)
			 : fw_file_lock(lock, err);
	fw_free(lock);
	if (a->lock < 0)
		return a->lock == -EBUSY
			? fw_fail(err, -EBUSY, "another agent is running with data folder '%s'",
				  config->data)
			: a->lock;
	rc = identity_load(&a->identity, config->data, err);
	if (rc >= 0)
		rc = machine_open(&a->machine, config->root, err);
	if (rc < 0)
		return rc;
	a->machine.var = config->data;
	a->machine.facts = config->facts;
	a->machine.choices = &config->choices;
	machine_id_read(&a->machine, &a->machine_id);
	a->settings = settings_open(config->data);
	a->spool_dir = fw_format("%s/spool", config->data);
	rc = open_spool(a, err);
	if (rc < 0)
		return rc;
	a->packer = packer_new(
		a->spool, (uint32_t)config->batch, (uint32_t)plan_interval_ms(config, a->settings));
	return 0;
}

static int open_work(struct agent *a, struct fw_err *err)
{
	struct uplink_config uplink = {
		.collectors = &a->config->collectors,
		.proxy = a->config->proxy,
		.pause_scale = pause_scale(),
		.ops = &ops,
		.arg = a,
	};
	struct sampler_config sampler = {
		.machine = &a->machine,
		.interval_ms = plan_interval_ms(a->config, a->settings),
		.on_sweeping = on_sweeping,
		.on_swept = on_swept,
		.on_document = on_document,
		.arg = a,
	};
	int rc = uplink_open(&a->uplink, &a->loop, &uplink, err);
	if (rc < 0)
		return rc;
	a->plans = plan_new();
	plan_sources(a->config, a->settings, a->plans);
	rc = sampler_open(&a->sampler, &a->loop, &sampler, a->plans, err);
	if (rc < 0)
		uplink_close(a->uplink);
	else
		open_handover(a);
	return rc;
}

static void agent_done(struct agent *a)
{
	packer_free(a->packer);
	spool_close(a->spool);
	settings_close(a->settings);
	if (a->machine.root_path)
		machine_close(&a->machine);
	identity_done(&a->identity);
	fw_free(a->plans);
	fw_free(a->spool_dir);
	if (a->lock >= 0)
		fw_close(a->lock);
}

int run(const struct config *config, struct fw_err *err)
{
	/* A collector that hangs up between two records of TLS is no reason to end. */
	signal(SIGPIPE, SIG_IGN);
	struct agent *a = fw_alloc(sizeof *a);
	a->config = config;
	a->lock = -1;
	int rc = open_state(a, err);
	if (rc >= 0) {
		uv_loop_init(&a->loop);
		open_handles(a);
		rc = open_work(a, err);
		if (rc >= 0) {
			fw_notify("READY=1");
			fw_log(FW_INFO, "watching %s every %lld ms", config->name,
				(long long)plan_interval_ms(config, a->settings));
		} else {
			fw_owner_close(&a->owner);
		}
		uv_run(&a->loop, UV_RUN_DEFAULT);
		int closed = uv_loop_close(&a->loop);
		assert(closed == 0);
		(void)closed;
	}
	if (a->too_many_bytes)
		rc = fw_fail(err, -ENOMEM,
			"%u KiB of memory is more than an agent may have (%u): ending, to be started anew",
			(unsigned)(a->too_many_bytes >> 10), (unsigned)(memory_limit() >> 10));
	agent_done(a);
	fw_free(a);
	return rc;
}
