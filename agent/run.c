/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

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
#include "packer.h"
#include "plan.h"
#include "running.h"
#include "self.h"
#include "uplink.h"

#define FLUSH_ONLINE_MS 5000   /* a frame may be in memory alone for so long */
#define FLUSH_OFFLINE_MS 60000 /* one write a minute */
#define RENEW_AGAIN_MS 600000
#define JOIN_AGAIN_MS \
	60000 /* what is gathered, on a disk that had no room: all of it is read for that */

/* ---- to disk ---- */

static int join_gathered(struct agent *a, struct fw_err *err)
{
	int64_t mono_ms = fw_mono_ms();
	if (!spool_join_is_due(a->spool))
		a->join_at_mono_ms = 0;
	if (mono_ms < a->join_at_mono_ms)
		return fw_fail(err, -EAGAIN, "what is gathered waits to be joined");
	int rc = spool_join(a->spool, err);
	if (rc < 0)
		a->join_at_mono_ms = mono_ms + JOIN_AGAIN_MS;
	return rc;
}

void agent_write_out(struct agent *a)
{
	struct fw_err err;
	if (uplink_is_online(a->uplink))
		spool_tell_gap(a->spool, fw_wall_ms());
	int rc = spool_flush(a->spool, &err);
	if (rc >= 0)
		rc = packer_journal(a->packer, &err);
	if (rc >= 0)
		rc = join_gathered(a, &err);
	if (rc < 0 && !a->write_failed)
		fw_log(FW_ERROR, "%s; what is new waits in memory", err.text);
	if (rc >= 0 && a->write_failed)
		fw_log(FW_NOTICE, "the spool can be written again");
	a->write_failed = rc < 0;
	if (spool_is_flushed(a->spool))
		handover_durable(a->handover);
}

static void on_flush(uv_timer_t *timer)
{
	struct agent *a = FW_CONTAINER(timer, struct agent, flush);
	agent_write_out(a);
	uplink_wake(a->uplink);
}

bool agent_all_is_written(const struct agent *a)
{
	return spool_is_flushed(a->spool) && !spool_join_is_due(a->spool) &&
		packer_is_journaled(a->packer);
}

void agent_flush_later(struct agent *a)
{
	bool online = uplink_is_online(a->uplink);
	if (a->stopping || agent_all_is_written(a) || uv_is_active((uv_handle_t *)&a->flush))
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
	int64_t now_ms = fw_wall_ms(), since_ms = now_ms - a->renewal_asked_ms;
	if (now_ms < a->identity.renew_at_ms || !uplink_is_online(a->uplink))
		return;
	/* By a clock that is days ahead each new certificate is due for renewal as it comes. */
	if (since_ms >= 0 && since_ms < RENEW_AGAIN_MS)
		return;
	a->renewal_asked_ms = now_ms;
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
		agent_write_out(a);
	uplink_wake(a->uplink);
	agent_flush_later(a);
	renew_if_due(a);
	a->sweeps++;
	stop_if_too_large(a);
}

/* ---- programs beside the agent ---- */

static bool is_online(void *arg)
{
	struct agent *a = arg;
	return uplink_is_online(a->uplink);
}

static void on_taken(bool at_once, void *arg)
{
	struct agent *a = arg;
	if (at_once)
		agent_write_out(a);
	uplink_wake(a->uplink);
	agent_flush_later(a);
}

static void open_handover(struct agent *a)
{
	struct fw_err err;
	struct handover_config config = {
		.path = a->config->probe,
		.instance = a->config->name,
		.class = config_classes[a->config->class],
		.spool = a->spool,
		.is_online = is_online,
		.on_taken = on_taken,
		.arg = a,
	};
	if (config.path && handover_open(&a->handover, &a->loop, &config, &err) < 0)
		fw_log(FW_NOTICE, "programs beside the agent cannot hand over anything: %s",
			err.text);
}

/* ---- inventory ---- */

void agent_want_all_documents(struct agent *a)
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
	agent_write_out(a);
	struct fw_err err;
	if (spool_is_flushed(a->spool) && documents_keep(a->config->data, news, &err) < 0)
		fw_log(FW_ERROR, "inventory: %s", err.text);
	uplink_wake(a->uplink);
}

/* ---- life ---- */

static void agent_stop(struct agent *a)
{
	if (a->stopping)
		return;
	a->stopping = true;
	fw_notify("STOPPING=1");
	uv_timer_stop(&a->flush);
	packer_close_chain(a->packer);
	agent_write_out(a);
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
	agent_want_all_documents(a);
	return 0;
}

static int open_state(struct agent *a, struct fw_err *err)
{
	const struct config *config = a->config;
	a->lock = identity_lock(config->data, err);
	if (a->lock < 0)
		return a->lock;
	int rc = identity_load(&a->identity, config->data, err);
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
		.ops = &agent_uplink_ops,
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
