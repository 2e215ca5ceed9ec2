/* SPDX-License-Identifier: Apache-2.0 */
#include "listening.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>
#include <fenwatch/loop.h>
#include <fenwatch/notify.h>

#include "../probe/probe.h"
#include "capture_report.h"
#include "sampling.h"
#include "seen.h"
#include "wire_tap.h"

#define TURN_MS 1000
#define MOST_AT_ONCE 4096
#define FIRST_TABLES_MS 60000 /* after a start */
#define AUTHORITY_MS 10000    /* how often the file that allows names is looked at */

struct tap {
	struct wire_tap *wire;
	uv_poll_t poll;
	struct listening *listening;
};

struct listening {
	uv_loop_t *loop;
	const struct capture_config *config;
	struct capture_authority authority;
	struct watch watch;
	bool names; /* they might be kept, at the last turn */
	struct sampling sampling;
	struct recent recent;
	struct tap taps[CAPTURE_INTERFACES];
	size_t n_taps;
	struct probe *probe;
	char instance[256]; /* the agent's own; empty until it has greeted */
	bool greeted;
	uv_timer_t turn, watchdog;
	int64_t told_ms, tables_ms; /* when the sweep went, and the tables */
	int64_t heeded_ms;          /* when the authority was read */
	struct fw_buf told[SEEN_KINDS];
	char *file; /* where the tables outlive us */
	bool unsaved;
	unsigned handles;
	bool closing;
	int failed;
	struct fw_err why;
};

/* ---- what is told ---- */

static struct report_facts facts_of(struct listening *l)
{
	struct report_facts facts = {
		.cpu_us = (int64_t)(fw_cpu_ns() / 1000),
		.names = capture_authority_holds(&l->authority, fw_wall_ms()),
	};
	for (size_t i = 0; i < l->n_taps; i++) {
		struct wire_tap_counts counts;
		wire_tap_counts(l->taps[i].wire, &counts);
		facts.received += counts.received;
		facts.dropped += counts.dropped;
		facts.interface_dropped += counts.interface_dropped;
	}
	const struct recent_totals totals = {
		fw_mono_ms(), l->watch.counts, facts.received, facts.dropped};
	facts.recent = recent_take(&l->recent, &totals);
	return facts;
}

static struct probe_host *own_host(struct listening *l)
{
	const struct fw_label labels[] = {{"instance", l->instance}, {"job", "capture"}};
	return probe_host(l->probe, labels, 2);
}

static void tell_counts(struct listening *l, int64_t now_ms)
{
	struct report_facts facts = facts_of(l);
	struct report report;
	report_make(&report, &l->watch, &facts);
	probe_sweep(l->probe, own_host(l), &report.schema, report.cells, now_ms,
		(uint32_t)l->config->interval_ms);
	report_done(&report);
	l->told_ms = now_ms;
	l->watch.counts.broadcast_peak = 0;
}

static bool same_text(const struct fw_buf *a, const struct fw_buf *b)
{
	return a->length == b->length &&
		(a->length == 0 || memcmp(a->data, b->data, a->length) == 0);
}

/* What has not changed is not told again. */
static void tell_table(struct listening *l, enum seen_kind kind, int64_t now_ms)
{
	struct fw_buf text;
	seen_write(&text, kind, &l->watch);
	if (same_text(&text, &l->told[kind]) ||
		probe_document(l->probe, own_host(l), seen_kinds[kind], &text, now_ms) == 0) {
		fw_buf_done(&text);
		return;
	}
	fw_buf_done(&l->told[kind]);
	l->told[kind] = text;
}

/* Where it fails once it will fail again: said once. */
static void save_tables(struct listening *l)
{
	struct fw_err err;
	int rc = seen_save(&l->watch, l->file, &err);
	if (rc < 0 && !l->unsaved)
		fw_log(FW_WARNING, "who uses what would not outlive a restart: %s", err.text);
	l->unsaved = rc < 0;
}

static void tell_tables(struct listening *l, int64_t now_ms)
{
	seen_forget(&l->watch, (now_ms - l->config->keep_ms) * 1000);
	for (enum seen_kind kind = 0; kind < SEEN_KINDS; kind++)
		tell_table(l, kind, now_ms);
	save_tables(l);
	l->tables_ms = now_ms;
}

/* Where there is no room for the event it is told of an hour later, if it goes on. */
static void tell_conflicts(struct listening *l, int64_t now_ms)
{
	for (size_t i = 0; i < l->watch.n_conflicts; i++) {
		const struct watch_conflict *c = &l->watch.conflicts[i];
		char address[46], claimant[SEEN_MAC_BYTES], holder[SEEN_MAC_BYTES];
		const struct fw_label fields[] = {
			{"address", packet_address_text(&c->address, address, sizeof address)},
			{"claimant", seen_mac_text(c->claimant, claimant)},
			{"holder", seen_mac_text(c->holder, holder)},
		};
		probe_event(l->probe, NULL, "duplicate", fields, 3, now_ms);
	}
	l->watch.n_conflicts = 0;
}

static bool is_due(int64_t last_ms, int64_t every_ms, int64_t now_ms)
{
	return now_ms - last_ms >= every_ms || now_ms < last_ms;
}

/* Before the agent has said what its machine is called there is nobody to tell it of. */
static void tell_what_is_due(struct listening *l, int64_t now_ms)
{
	if (l->instance[0] == '\0')
		return;
	tell_conflicts(l, now_ms);
	if (is_due(l->told_ms, l->config->interval_ms, now_ms))
		tell_counts(l, now_ms);
	if (is_due(l->tables_ms, l->config->tables_ms, now_ms))
		tell_tables(l, now_ms);
}

/* ---- the agent ---- */

static void on_ready(const char *instance, void *arg)
{
	struct listening *l = arg;
	snprintf(l->instance, sizeof l->instance, "%s", instance);
	if (!l->greeted)
		fw_log(FW_INFO, "the agent takes what is captured");
	l->greeted = true;
}

static void on_lost(const char *why, void *arg)
{
	struct listening *l = arg;
	if (l->greeted || l->instance[0] == '\0')
		fw_log(FW_WARNING, "the agent is not there: %s", why);
	l->greeted = false;
}

/* ---- packets ---- */

static void fail(struct listening *l, int rc)
{
	if (l->failed == 0)
		l->failed = rc;
	uv_stop(l->loop);
}

static void take(const struct packet *p, void *arg)
{
	struct listening *l = arg;
	watch_packet(&l->watch, p);
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
	(void)events;
	struct tap *tap = handle->data;
	struct fw_err err;
	int rc = status < 0 ? fw_fail_sys(&err, status, "waiting for packets")
			    : wire_tap_read(tap->wire, MOST_AT_ONCE, take, tap->listening, &err);
	if (rc >= 0)
		return;
	tap->listening->why = err;
	fail(tap->listening, rc);
}

/* Who takes the file away, or spoils it, allows nothing any more. */
static void read_authority(struct listening *l)
{
	struct fw_err err;
	bool before = l->authority.name[0] != '\0';
	int rc = capture_authority_load(&l->authority, l->config->names, &err);
	bool after = l->authority.name[0] != '\0';
	if (after && !before)
		fw_log(FW_NOTICE, "names of DNS and TLS may be kept, as %s allows",
			l->authority.name);
	else if (before && !after)
		fw_log(FW_NOTICE, "names of DNS and TLS are no longer kept: %s",
			rc < 0 ? err.text : "the file that allowed it is gone");
}

/* The day may have come on which names are no longer kept: nor are those that were. */
static void heed_authority(struct listening *l, int64_t now_ms)
{
	if (is_due(l->heeded_ms, AUTHORITY_MS, now_ms)) {
		read_authority(l);
		l->heeded_ms = now_ms;
	}
	bool names = capture_authority_holds(&l->authority, now_ms);
	if (l->names && !names)
		watch_forget_names(&l->watch);
	l->names = names;
	for (size_t i = 0; i < l->n_taps; i++) {
		int rc = wire_tap_allow_names(l->taps[i].wire, names, &l->why);
		if (rc < 0)
			fail(l, rc);
	}
}

static void on_turn(uv_timer_t *timer)
{
	struct listening *l = timer->data;
	int64_t now_ms = fw_wall_ms();
	unsigned shift =
		sampling_turn(&l->sampling, (int64_t)(fw_cpu_ns() / 1000), fw_mono_ms() * 1000);
	if ((shift == 0) != (l->watch.shift == 0))
		fw_log(FW_NOTICE,
			shift ? "over its budget: now it samples"
			      : "within its budget again: every packet counts");
	l->watch.shift = shift;
	heed_authority(l, now_ms);
	watch_turn(&l->watch, now_ms * 1000);
	tell_what_is_due(l, now_ms);
}

static void on_watchdog(uv_timer_t *timer)
{
	(void)timer;
	fw_notify("WATCHDOG=1");
}

/* ---- beginning and end ---- */

static int open_taps(struct listening *l, struct fw_err *err)
{
	const struct capture_config *c = l->config;
	const struct wire_tap_options options = {
		.buffer = c->buffer,
		.promiscuous = c->promiscuous,
		.names = capture_authority_holds(&l->authority, fw_wall_ms()),
	};
	for (size_t i = 0; i < c->interfaces.count; i++) {
		struct tap *tap = &l->taps[i];
		int rc = wire_tap_open(&tap->wire, c->interfaces.items[i], &options, err);
		if (rc < 0)
			return rc;
		tap->listening = l;
		l->n_taps++;
	}
	return 0;
}

static void give_back(struct listening *l)
{
	for (size_t i = 0; i < l->n_taps; i++)
		wire_tap_close(l->taps[i].wire);
	for (enum seen_kind kind = 0; kind < SEEN_KINDS; kind++)
		fw_buf_done(&l->told[kind]);
	watch_done(&l->watch);
	fw_free(l->file);
	fw_free(l);
}

/* What was seen before; without it all begins anew. */
static void remember(struct listening *l)
{
	struct fw_err err;
	int64_t first_ms = l->config->tables_ms < FIRST_TABLES_MS ? 0 : FIRST_TABLES_MS;
	l->tables_ms = fw_wall_ms() - l->config->tables_ms + first_ms;
	l->file = fw_format("%s/seen", l->config->data);
	if (seen_load(&l->watch, l->file, &err) < 0)
		fw_log(FW_WARNING, "%s", err.text);
}

int listening_open(struct listening **out, uv_loop_t *loop, const struct capture_config *config,
	struct fw_err *err)
{
	struct listening *l = fw_alloc(sizeof *l);
	uint64_t seed;
	l->loop = loop;
	l->config = config;
	if (RAND_bytes((uint8_t *)&seed, sizeof seed) != 1)
		seed = (uint64_t)fw_mono_ms();
	watch_init(&l->watch, seed, 0);
	int rc = capture_authority_load(&l->authority, config->names, err);
	if (rc == 0)
		rc = open_taps(l, err);
	if (rc < 0)
		give_back(l);
	else
		*out = l;
	return rc;
}

static void start_timer(struct listening *l, uv_timer_t *timer, uv_timer_cb call, int64_t every_ms)
{
	uv_timer_init(l->loop, timer);
	timer->data = l;
	l->handles++;
	if (every_ms > 0)
		uv_timer_start(timer, call, (uint64_t)every_ms, (uint64_t)every_ms);
}

static int start_tap(struct listening *l, struct tap *tap, struct fw_err *err)
{
	int rc = uv_poll_init(l->loop, &tap->poll, wire_tap_fd(tap->wire));
	if (rc < 0)
		return fw_fail_sys(err, rc, "waiting for packets");
	tap->poll.data = tap;
	l->handles++;
	uv_poll_start(&tap->poll, UV_READABLE, on_readable);
	return 0;
}

int listening_start(struct listening *l, struct fw_err *err)
{
	const struct probe_config config = {
		.socket = l->config->socket,
		.program = "fenwatch-capture " FW_VERSION,
		.on_ready = on_ready,
		.on_lost = on_lost,
		.arg = l,
	};
	remember(l);
	start_timer(l, &l->turn, on_turn, TURN_MS);
	start_timer(l, &l->watchdog, on_watchdog, fw_notify_watchdog_ms());
	sampling_init(&l->sampling, l->config->budget * 10000, (int64_t)(fw_cpu_ns() / 1000),
		fw_mono_ms() * 1000);
	int rc = probe_open(&l->probe, l->loop, &config, err);
	for (size_t i = 0; rc >= 0 && i < l->n_taps; i++)
		rc = start_tap(l, &l->taps[i], err);
	if (rc >= 0 && capture_authority_holds(&l->authority, fw_wall_ms()))
		fw_log(FW_NOTICE, "names of DNS and TLS are kept, as %s allows", l->authority.name);
	return rc < 0 ? rc : 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct listening *l =
		handle->type == UV_POLL ? ((struct tap *)handle->data)->listening : handle->data;
	if (--l->handles == 0)
		give_back(l);
}

void listening_close(struct listening *l)
{
	if (l->closing)
		return;
	l->closing = true;
	if (l->probe)
		save_tables(l);
	if (l->probe)
		probe_close(l->probe);
	if (l->handles == 0) {
		give_back(l);
		return;
	}
	for (size_t i = 0; i < l->n_taps; i++)
		if (l->taps[i].poll.data)
			uv_close((uv_handle_t *)&l->taps[i].poll, on_handle_closed);
	uv_close((uv_handle_t *)&l->turn, on_handle_closed);
	uv_close((uv_handle_t *)&l->watchdog, on_handle_closed);
}

int listening_failed(const struct listening *l, struct fw_err *err)
{
	if (l->failed < 0 && err)
		*err = l->why;
	return l->failed;
}
