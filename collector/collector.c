/* SPDX-License-Identifier: Apache-2.0 */
/* Opening: lock, state, inventory, events, records, store, enrol, retired, alerts, ingest,
 * presence, patch, outlook, tickets, snapshots, API.
 * Closing, each when the one before has ended: API, rules, snapshots, ingest, outlook,
 * presence, patch, tickets, alerts;
 * then the store, which writes what it holds; then what is left on the loop.
 *
 * The store's writer reaches the main thread through `news`: it only sets flags
 * and wakes, so that it never waits.
 */
#include "collector.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fenwatch/clock.h>
#include <fenwatch/conn.h>
#include <fenwatch/file.h>
#include <fenwatch/log.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>
#include <fenwatch/notify.h>

#include "api.h"
#include "checkup.h"
#include "enrol.h"
#include "events.h"
#include "forget.h"
#include "health.h"
#include "inventory.h"
#include "outlook.h"
#include "patch.h"
#include "presence.h"
#include "query.h"
#include "records.h"
#include "remote.h"
#include "retire.h"
#include "retired.h"
#include "rulings.h"
#include "schedule.h"
#include "send.h"
#include "snapshots.h"
#include "state.h"
#include "store.h"
#include "tickets.h"

#define COMMIT_MS 50
#define TELL_EVERY_MS 3000
#define HOUSEKEEPING_MS 60000
#define EXTEND_TIMEOUT_US (10LL * 60 * 1000000)
#define CERT_MS (7LL * 86400000)
#define RENEW_GRACE_MS (90LL * 86400000)

struct collector {
	const struct config *config;
	const char *path;
	struct config *reread; /* rules, feeds and the register are this one's, if any */
	struct config *left;   /* what it takes the place of, while that is still read */
	bool reloading, reload_again;
	uv_loop_t loop;
	struct fw_owner owner;
	uv_async_t news;
	uv_timer_t watchdog, housekeeping;
	uv_signal_t terminate, interrupt, hangup;
	_Atomic bool committed;
	char fatal[256]; /* written before the flag is set */
	_Atomic bool failed;
	int lock;
	int64_t told_ms; /* how far the ring is */
	struct health *health;
	int64_t committed_ms, loaded_ms; /* the store, monotonic; rules, wall */
	bool stopping;
	struct state *state;
	struct inventory *inventory;
	struct events *events;
	struct records *records;
	struct store *store;
	struct enrol *enrol;
	struct retired *retired;
	struct alerts *alerts;
	struct tickets *tickets;
	struct ingest *ingest;
	struct presence *presence;
	struct outlook *outlook;
	struct patch *patch;
	struct remote *remote;
	struct query_source rule_source;
	struct promql_data rule_data;
	struct rulings *rulings;
	struct schedule *schedule;
	struct senders *senders;
	struct api *api;
	struct snapshots *snapshots;
};

/* ---- closing ---- */

static void close_next(void *arg)
{
	struct collector *c = arg;
	health_free(c->health);
	c->health = NULL;
	if (c->api) {
		struct api *api = c->api;
		c->api = NULL;
		api_close(api, close_next, c);
	} else if (c->schedule) {
		schedule_close(c->schedule);
		c->schedule = NULL;
		close_next(c);
	} else if (c->rulings) {
		struct rulings *rulings = c->rulings;
		c->rulings = NULL;
		rulings_close(rulings, close_next, c);
	} else if (c->snapshots) {
		snapshots_close(c->snapshots);
		c->snapshots = NULL;
		close_next(c);
	} else if (c->senders) {
		struct senders *senders = c->senders;
		c->senders = NULL;
		senders_close(senders, close_next, c);
	} else if (c->ingest) {
		struct ingest *ingest = c->ingest;
		c->ingest = NULL;
		ingest_close(ingest, close_next, c);
	} else if (c->outlook) {
		struct outlook *outlook = c->outlook;
		c->outlook = NULL;
		outlook_close(outlook, close_next, c);
	} else if (c->presence) {
		struct presence *presence = c->presence;
		c->presence = NULL;
		presence_close(presence, close_next, c);
	} else if (c->patch) {
		struct patch *patch = c->patch;
		c->patch = NULL;
		patch_close(patch, close_next, c);
	} else if (c->tickets) {
		struct tickets *tickets = c->tickets;
		c->tickets = NULL;
		tickets_close(tickets, close_next, c);
	} else if (c->alerts) {
		struct alerts *alerts = c->alerts;
		events_tell(c->events, NULL, "", NULL);
		c->alerts = NULL;
		alert_close(alerts, close_next, c);
	} else {
		/* What the store still hands over is filed; it is not released any more, so it
		 * comes once again at the next start, and is known then. */
		if (c->records)
			records_set_store(c->records, NULL);
		remote_free(c->remote);
		c->remote = NULL;
		if (c->store)
			store_close(c->store);
		c->store = NULL;
		records_close(c->records);
		c->records = NULL;
		events_close(c->events);
		c->events = NULL;
		fw_owner_close(&c->owner);
	}
}

static void stop(struct collector *c)
{
	if (c->stopping)
		return;
	c->stopping = true;
	close_next(c);
}

/* ---- what comes from outside ---- */

/* Told every few seconds; the service manager waits on as long as it goes on. */
static void on_allocated(uint64_t bytes, uint64_t of_bytes, void *arg)
{
	struct collector *c = arg;
	char status[160];
	int64_t now_ms = fw_mono_ms();
	if (now_ms - c->told_ms < TELL_EVERY_MS)
		return;
	c->told_ms = now_ms;
	fw_log(FW_NOTICE, "the store's ring is being written for the first time: %u of %u MiB",
		(unsigned)(bytes >> 20), (unsigned)(of_bytes >> 20));
	snprintf(status, sizeof status,
		"EXTEND_TIMEOUT_USEC=%lld\nSTATUS=Writing the ring for the first time: %u %%",
		EXTEND_TIMEOUT_US, (unsigned)(bytes * 100 / of_bytes));
	fw_notify(status);
}

static void on_commit(void *arg)
{
	struct collector *c = arg;
	if (!atomic_exchange(&c->committed, true))
		uv_async_send(&c->news);
}

static void on_fatal(const char *why, void *arg)
{
	struct collector *c = arg;
	snprintf(c->fatal, sizeof c->fatal, "%s", why);
	atomic_store(&c->failed, true);
	uv_async_send(&c->news);
}

static void on_record(const struct store_record *record, void *arg)
{
	struct collector *c = arg;
	records_take(c->records, record);
}

static void on_news(uv_async_t *async)
{
	struct collector *c = FW_CONTAINER(async, struct collector, news);
	if (atomic_load(&c->failed)) {
		/* What the memory says of the disk is not to be trusted: out, and recover from it. */
		fw_log(FW_ERROR,
			"the store has failed: %s; ending, so that the next start recovers",
			c->fatal);
		_exit(EXIT_DISK);
	}
	if (!atomic_exchange(&c->committed, false))
		return;
	c->committed_ms = fw_mono_ms();
	if (c->alerts)
		alert_wake(c->alerts);
}

static void drop_config(struct config *config)
{
	if (config)
		config_done(config);
	fw_free(config);
}

static void reload(struct collector *c);

static void on_reloaded(void *arg)
{
	struct collector *c = arg;
	drop_config(c->left);
	c->left = NULL;
	c->reloading = false;
	if (c->reload_again && !c->stopping)
		reload(c);
}

static int read_again(struct collector *c, struct fw_err *err)
{
	struct config *config = fw_alloc(sizeof *config);
	int rc = config_load(config, c->path, err);
	if (rc < 0) {
		fw_free(config);
		return rc;
	}
	rc = alert_reload(c->alerts, &config->alerts, on_reloaded, c, err);
	if (rc < 0) {
		drop_config(config);
		return rc;
	}
	events_tell(c->events, &config->event_rules, enrol_estate(c->enrol), c->alerts);
	presence_reload(c->presence, &config->alerts.absence, config->registry);
	tickets_set_register(c->tickets, config->registry);
	api_set_register(c->api, config->registry);
	schedule_load(c->schedule, config_take_rules(config));
	c->loaded_ms = fw_wall_ms();
	c->left = c->reread;
	c->reread = config;
	c->reloading = true;
	return 0;
}

/* A mistake in the file changes nothing. */
static void reload(struct collector *c)
{
	struct fw_err err;
	c->reload_again = c->reloading;
	if (c->reloading) {
		fw_log(FW_NOTICE,
			"SIGHUP: notices of the reload before are still under way; it follows");
		return;
	}
	int rc = read_again(c, &err);
	if (rc < 0)
		fw_log(FW_ERROR, "SIGHUP: %s; rules, feeds and register stay as they were",
			err.text);
	else
		fw_log(FW_NOTICE,
			"SIGHUP: rules, feeds and register are read anew; other keys take effect "
			"at the next start");
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct collector *c = handle->loop->data;
	if (c->stopping)
		return;
	if (number == SIGHUP) {
		reload(c);
		return;
	}
	fw_log(FW_NOTICE, "stopping");
	fw_notify("STOPPING=1");
	stop(c);
}

static void on_watchdog(uv_timer_t *timer)
{
	(void)timer;
	fw_notify("WATCHDOG=1");
}

static void on_revoked(const uint8_t agent[16], void *arg)
{
	struct collector *c = arg;
	if (c->ingest)
		ingest_drop_agent(c->ingest, agent, "its certificate is revoked");
	if (c->store)
		store_disown(c->store, agent);
}

static void on_authority(void *arg)
{
	struct collector *c = arg;
	if (c->ingest)
		ingest_renew(c->ingest);
}

static void on_clone(const char *name, const char *machine_a, const char *machine_b, void *arg)
{
	struct collector *c = arg;
	char text[256];
	snprintf(text, sizeof text,
		"one certificate is used on two machines, %.16s and %.16s: enrol the copy anew",
		machine_a, machine_b);
	fw_log(FW_WARNING, "%s: %s", name, text);
	if (c->alerts)
		alert_raise(c->alerts, "HostCloned", name, text);
}

static void on_claimed(const char *device, const char *claimant, const uint8_t owner[16], void *arg)
{
	struct collector *c = arg;
	struct enrol_agent known;
	char text[256];
	bool is_known = enrol_find(c->enrol, owner, &known);
	snprintf(text, sizeof text,
		"%.60s sends values of '%.60s', for which %.60s speaks: they are refused", claimant,
		device, is_known ? known.name : "another agent");
	fw_log(FW_WARNING, "%s", text);
	if (c->alerts)
		alert_raise(c->alerts, "DeviceClaimedTwice", claimant, text);
}

/* Who was enrolled anew under its name is retired no longer. */
static void note_return(struct collector *c, const uint8_t id[16])
{
	struct enrol_agent agent;
	struct fw_err err;
	if (!enrol_find(c->enrol, id, &agent) || agent.revoked_ms != 0 ||
		!retired_find(c->retired, agent.name))
		return;
	if (retired_end(c->retired, agent.name, "", fw_wall_ms(), &err) < 0)
		fw_log(FW_ERROR, "%s is still taken to be retired: %s", agent.name, err.text);
}

static void on_greeted(const struct ingest_greeting *greeting, void *arg)
{
	struct collector *c = arg;
	if (c->presence)
		presence_note(c->presence, greeting);
	note_return(c, greeting->agent);
	inventory_greet(c->inventory, greeting->agent, greeting->host);
}

static void on_missed(const uint8_t agent[16], uint32_t host, void *arg)
{
	static const char text[] = "its spool was full: some of what it had measured is lost";
	struct collector *c = arg;
	struct enrol_agent known;
	inventory_missed(c->inventory, agent, host);
	if (c->alerts && enrol_find(c->enrol, agent, &known))
		alert_raise(c->alerts, "SpoolDropping", known.name, text);
}

static void on_need_document(const uint8_t agent[16], const char *kind, void *arg)
{
	struct collector *c = arg;
	if (c->ingest)
		ingest_need_document(c->ingest, agent, kind);
}

static void on_document_changed(uint32_t host, const char *kind, void *arg)
{
	struct collector *c = arg;
	if (c->patch && strcmp(kind, "patches") == 0)
		patch_changed(c->patch, host);
}

static const char *on_alert_detail(const char *rule, const char *instance, void *arg)
{
	struct collector *c = arg;
	return c->patch ? patch_detail(c->patch, rule, instance) : "";
}

static void on_housekeeping(uv_timer_t *timer)
{
	struct collector *c = FW_CONTAINER(timer, struct collector, housekeeping);
	struct fw_err err;
	if (c->inventory && inventory_prune(c->inventory, fw_wall_ms(), &err) < 0)
		fw_log(FW_ERROR, "inventory: what is too old cannot go: %s", err.text);
	if (c->events && events_prune(c->events, &err) < 0)
		fw_log(FW_ERROR, "events: what is too old cannot go: %s", err.text);
	if (c->health)
		health_look(c->health, fw_wall_ms());
}

/* ---- opening ---- */

static void on_owner_done(struct fw_owner *owner)
{
	(void)owner;
}

static void open_loop(struct collector *c)
{
	int rc = uv_loop_init(&c->loop);
	assert(rc == 0);
	c->loop.data = c;
	fw_owner_init(&c->owner, on_owner_done);
	uv_async_init(&c->loop, &c->news, on_news);
	fw_owner_adopt(&c->owner, &c->news);
	uv_timer_init(&c->loop, &c->watchdog);
	fw_owner_adopt(&c->owner, &c->watchdog);
	uv_timer_init(&c->loop, &c->housekeeping);
	fw_owner_adopt(&c->owner, &c->housekeeping);
	uv_timer_start(&c->housekeeping, on_housekeeping, HOUSEKEEPING_MS, HOUSEKEEPING_MS);
	uv_signal_t *const signals[] = {&c->terminate, &c->interrupt, &c->hangup};
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
	for (size_t i = 0; i < 3; i++) {
		uv_signal_init(&c->loop, signals[i]);
		fw_owner_adopt(&c->owner, signals[i]);
		uv_signal_start(signals[i], on_signal, numbers[i]);
	}
}

static int take_lock(struct collector *c, struct fw_err *err)
{
	char path[4096];
	int rc = fw_mkdir_all(c->config->data, 0700);
	if (rc < 0)
		return fw_fail_sys(err, rc, "cannot make the folder '%s'", c->config->data);
	snprintf(path, sizeof path, "%s/lock", c->config->data);
	c->lock = fw_file_lock(path, err);
	return c->lock < 0 ? c->lock : 0;
}

static int open_inventory(struct collector *c, struct fw_err *err)
{
	const struct inventory_config config = {.state = c->state,
		.on_need = on_need_document,
		.on_changed = on_document_changed,
		.arg = c};
	return inventory_open(&c->inventory, &config, err);
}

static int open_events(struct collector *c, struct fw_err *err)
{
	const struct events_config config = {.loop = &c->loop, .state = c->state};
	return events_open(&c->events, &config, err);
}

/* So that each tier reaches at least three times as far back as the one below. */
static uint64_t tier_bytes(uint64_t set, uint64_t raw, uint64_t fifths)
{
	uint64_t bytes = set ? set : raw / 5 * fifths;
	return bytes < STORE_TIER_LEAST ? STORE_TIER_LEAST : bytes;
}

static int open_store(struct collector *c, struct fw_err *err)
{
	char dir[4096];
	snprintf(dir, sizeof dir, "%s/store", c->config->data);
	const uint64_t *set = c->config->store.tier_bytes, raw = set[STORE_RAW];
	const struct store_config config = {
		.dir = dir,
		.tier_bytes = {raw, tier_bytes(set[STORE_FIVE_MINUTE], raw, 8),
			tier_bytes(set[STORE_HOUR], raw, 3)},
		.late_ms = c->config->store.late_ms,
		.any_age = c->config->store.any_age,
		.columns_per_host = (uint32_t)c->config->store.columns_per_host,
		.foreign_series = (uint32_t)c->config->store.foreign_series,
		.foreign_series_per_host = (uint32_t)c->config->store.foreign_series_per_host,
		.commit_ms = COMMIT_MS,
		.on_allocated = on_allocated,
		.on_commit = on_commit,
		.on_fatal = on_fatal,
		.on_record = on_record,
		.arg = c,
	};
	int rc = store_open(&c->store, &config, err);
	if (rc == 0) {
		records_set_store(c->records, c->store);
		c->remote = remote_new(c->store);
	}
	return rc;
}

static int open_enrol(struct collector *c, struct fw_err *err)
{
	const struct enrol_config config = {
		.dir = c->config->data,
		.state = c->state,
		.cert_ms = CERT_MS,
		.renew_grace_ms = RENEW_GRACE_MS,
		.on_revoked = on_revoked,
		.on_authority = on_authority,
		.arg = c,
	};
	return enrol_open(&c->enrol, &config, err);
}

static bool is_expected(const uint8_t agent[16], void *arg)
{
	const struct collector *c = arg;
	return !enrol_is_revoked(c->enrol, agent);
}

static const char *on_checkup(void *arg)
{
	const struct collector *c = arg;
	struct store_stat stat;
	struct fw_arena arena = {0};
	struct schedule_group *groups;
	size_t n = 0;
	store_stat(c->store, &stat);
	const char *trouble = checkup_store(stat.hosts, fw_mono_ms() - c->committed_ms);
	if (trouble || !c->schedule)
		return trouble;
	schedule_list(c->schedule, &arena, &groups, &n);
	trouble = checkup_rules(groups, n, c->loaded_ms, fw_wall_ms());
	fw_arena_done(&arena);
	return trouble;
}

static int open_alerts(struct collector *c, struct fw_err *err)
{
	const struct alert_config config = {
		.loop = &c->loop,
		.store = c->store,
		.state = c->state,
		.estate = enrol_estate(c->enrol),
		.external_url = c->config->api.external_url,
		.options = &c->config->alerts,
		.is_expected = is_expected,
		.retired = c->retired,
		.on_detail = on_alert_detail,
		.on_checkup = on_checkup,
		.arg = c,
	};
	c->committed_ms = fw_mono_ms();
	int rc = alert_open(&c->alerts, &config, err);
	if (rc == 0)
		events_tell(c->events, &c->config->event_rules, config.estate, c->alerts);
	return rc;
}

static bool is_waited_for(const struct store_host *host, void *arg)
{
	const struct collector *c = arg;
	const char *name = fw_label_value(host->labels, host->n_labels, "instance");
	return is_expected(host->agent, arg) && !retired_find(c->retired, name);
}

static int open_presence(struct collector *c, struct fw_err *err)
{
	const struct presence_config config = {
		.loop = &c->loop,
		.store = c->store,
		.state = c->state,
		.absence = &c->config->alerts.absence,
		.registry = c->config->registry,
		.is_expected = is_waited_for,
		.arg = c,
	};
	return presence_open(&c->presence, &config, err);
}

static int open_ingest(struct collector *c, struct fw_err *err)
{
	const struct ingest_config config = {
		.listen = c->config->agents.listen.text,
		.workers = (unsigned)c->config->agents.workers,
		.store = c->store,
		.enrol = c->enrol,
		.main_loop = &c->loop,
		.settings = c->config->settings.items,
		.n_settings = c->config->settings.count,
		.on_clone = on_clone,
		.on_claimed = on_claimed,
		.on_greeted = on_greeted,
		.on_missed = on_missed,
		.arg = c,
	};
	return ingest_open(&c->ingest, &config, err);
}

static void on_new_series(uint32_t host, void *arg)
{
	const struct collector *c = arg;
	if (c->alerts)
		alert_look_again(c->alerts, host);
}

static int open_outlook(struct collector *c, struct fw_err *err)
{
	const struct outlook_config config = {
		.loop = &c->loop,
		.state = c->state,
		.store = c->store,
		.on_new_series = on_new_series,
		.arg = c,
	};
	return outlook_open(&c->outlook, &config, err);
}

static int open_patch(struct collector *c, struct fw_err *err)
{
	const struct patch_config config = {
		.loop = &c->loop,
		.dir = c->config->data,
		.state = c->state,
		.inventory = c->inventory,
		.store = c->store,
		.options = &c->config->patches,
		.on_series = on_new_series,
		.arg = c,
	};
	return patch_open(&c->patch, &config, err);
}

static void on_risk(const struct ticket *ticket, enum ticket_clock clock, void *arg)
{
	static const char *const wanted[] = {"nobody has taken up", "there is still"};
	const struct collector *c = arg;
	char due[32], text[512];
	snprintf(text, sizeof text, "%.200s: %s %.60s%s%.60s; what was agreed ends at %s",
		ticket->instance, wanted[clock], ticket->rule, *ticket->receipt ? ", " : "",
		ticket->receipt, fw_time_format(ticket->due_ms[clock], due, sizeof due));
	alert_raise(c->alerts, "TargetAtRisk", ticket->instance, text);
}

static int open_tickets(struct collector *c, struct fw_err *err)
{
	const struct tickets_config config = {
		.loop = &c->loop,
		.state = c->state,
		.registry = c->config->registry,
		.on_risk = on_risk,
		.arg = c,
	};
	return tickets_open(&c->tickets, &config, err);
}

static int on_forget(const char *name, struct fw_err *err, void *arg)
{
	const struct collector *c = arg;
	const struct forget parts = {
		.enrol = c->enrol,
		.store = c->store,
		.alerts = c->alerts,
		.inventory = c->inventory,
		.events = c->events,
		.presence = c->presence,
		.outlook = c->outlook,
		.patch = c->patch,
		.retired = c->retired,
	};
	return forget_host(&parts, name, err);
}

static struct retire retire_parts(const struct collector *c)
{
	return (struct retire){
		.enrol = c->enrol,
		.store = c->store,
		.alerts = c->alerts,
		.retired = c->retired,
	};
}

static int on_retire(const struct retirement *wanted, struct fw_err *err, void *arg)
{
	const struct retire parts = retire_parts(arg);
	return retire_host(&parts, wanted, err);
}

static int on_return(
	const char *name, const char *who, int64_t now_ms, struct fw_err *err, void *arg)
{
	const struct retire parts = retire_parts(arg);
	return retire_undo(&parts, name, who, now_ms, err);
}

static int finish_retiring(const struct collector *c, struct fw_err *err)
{
	const struct retire parts = retire_parts(c);
	return retire_finish(&parts, err);
}

static int on_snapshot(const char *name, struct fw_err *err, void *arg)
{
	const struct collector *c = arg;
	return snapshots_begin(c->snapshots, name, err);
}

static void on_snapshot_look(struct api_snapshot *out, void *arg)
{
	const struct collector *c = arg;
	snapshots_look(c->snapshots, out);
}

/* ---- rules ---- */

#define RULE_SAMPLES 10000000 /* of one question */
#define RULE_BYTES ((size_t)256 << 20)
#define RULE_TIMEOUT_MS 30000

/* A series that cannot be taken is told; the others are kept. */
static int write_samples(struct collector *c, struct store_foreign *series, size_t n, int64_t at_ms,
	struct fw_err *err)
{
	int rc = store_foreign_write(c->store, series, n, at_ms, err);
	for (size_t i = 0; i < n && rc == 0; i++)
		if (series[i].refusal != STORE_TAKEN)
			rc = fw_fail(err, -EINVAL, "a series could not be kept: %s",
				remote_refusals[series[i].refusal].sentence);
	return rc;
}

static int on_rule_samples(
	void *arg, const struct group_sample *samples, size_t n, int64_t at_ms, struct fw_err *err)
{
	struct store_foreign *series = fw_alloc_array(n + 1, sizeof *series);
	struct store_sample *cells = fw_alloc_array(n + 1, sizeof *cells);
	for (size_t i = 0; i < n; i++) {
		cells[i] = (struct store_sample){at_ms, fw_double_cell(samples[i].value)};
		series[i] = (struct store_foreign){
			.labels = samples[i].labels.items,
			.n_labels = samples[i].labels.n,
			.samples = &cells[i],
			.n_samples = 1,
		};
	}
	int rc = write_samples(arg, series, n, fw_wall_ms(), err);
	fw_free(cells);
	fw_free(series);
	return rc;
}

static void on_evaluated(void *arg, const struct schedule_group *group)
{
	const struct collector *c = arg;
	rulings_evaluated(c->rulings, group);
}

static void on_loaded(void *arg, const struct schedule_group *groups, size_t n)
{
	const struct collector *c = arg;
	rulings_loaded(c->rulings, groups, n);
}

static int open_schedule(struct collector *c, struct fw_err *err)
{
	c->rulings = rulings_open(&c->loop, enrol_estate(c->enrol), c->alerts);
	c->rule_source = (struct query_source){.store = c->store, .max_bytes = RULE_BYTES};
	c->rule_data = query_data(&c->rule_source);
	const struct schedule_config config = {
		.data = &c->rule_data,
		.on_samples = on_rule_samples,
		.on_evaluated = on_evaluated,
		.on_loaded = on_loaded,
		.arg = c,
		.limits = {.max_samples = RULE_SAMPLES,
			.max_bytes = RULE_BYTES,
			.timeout_ms = RULE_TIMEOUT_MS,
			.lookback_ms = c->config->query.lookback_ms},
		.interval_ms = c->config->evaluation_ms,
		.external_labels = &c->config->external_labels,
		.external_url = c->config->api.external_url,
	};
	int rc = schedule_open(&c->schedule, &config, err);
	if (rc == 0)
		schedule_load(c->schedule, config_take_rules((struct config *)c->config));
	c->loaded_ms = fw_wall_ms();
	return rc;
}

static void open_health(struct collector *c)
{
	const struct health_config config = {
		.store = c->store,
		.remote = c->remote,
		.schedule = c->schedule,
		.enrol = c->enrol,
		.alerts = c->alerts,
		.certificate = c->config->api.tls.cert,
	};
	c->health = health_new(&config);
}

static int open_api(struct collector *c, struct fw_err *err)
{
	const struct api_config config = {
		.loop = &c->loop,
		.listen = c->config->api.listen.text,
		.auth = c->config->api.auth,
		.tls_cert = c->config->api.tls.cert,
		.tls_key = c->config->api.tls.key,
		.cors = c->config->api.cors,
		.query = c->config->query,
		.store = c->store,
		.dir = c->config->data,
		.tickets = c->tickets,
		.enrol = c->enrol,
		.alerts = c->alerts,
		.ingest = c->ingest,
		.inventory = c->inventory,
		.patch = c->patch,
		.registry = c->config->registry,
		.remote = c->remote,
		.schedule = c->schedule,
		.evaluation_ms = c->config->evaluation_ms,
		.external_labels = &c->config->external_labels,
		.senders = c->senders,
		.retired = c->retired,
		.on_forget = on_forget,
		.on_retire = on_retire,
		.on_return = on_return,
		.on_snapshot = on_snapshot,
		.on_snapshot_look = on_snapshot_look,
		.arg = c,
	};
	return api_open(&c->api, &config, err);
}

static int open_all(struct collector *c, struct fw_err *err)
{
	int rc = take_lock(c, err);
	if (rc == 0)
		rc = state_open(&c->state, c->config->data, err);
	if (rc == 0)
		rc = open_inventory(c, err);
	if (rc == 0)
		rc = open_events(c, err);
	if (rc == 0)
		rc = records_open(&c->records, &c->loop, c->state, c->inventory, c->events, err);
	if (rc == 0)
		rc = open_store(c, err);
	if (rc == 0)
		rc = open_enrol(c, err);
	if (rc == 0)
		rc = retired_open(&c->retired, c->state, err);
	if (rc == 0)
		rc = open_alerts(c, err);
	if (rc == 0)
		rc = finish_retiring(c, err);
	if (rc == 0)
		rc = open_ingest(c, err);
	if (rc == 0)
		rc = open_presence(c, err);
	if (rc == 0)
		rc = open_patch(c, err);
	if (rc == 0)
		rc = open_outlook(c, err);
	if (rc == 0)
		rc = open_tickets(c, err);
	if (rc == 0)
		rc = senders_open(
			&c->senders, &c->loop, c->store, c->state, &c->config->remote_write, err);
	if (rc == 0)
		rc = snapshots_open(&c->snapshots, c->config->data, c->store, err);
	if (rc == 0)
		rc = open_schedule(c, err);
	if (rc == 0)
		open_health(c);
	if (rc == 0)
		rc = open_api(c, err);
	return rc;
}

static void say_ready(struct collector *c)
{
	char host[254];
	unsigned port;
	int64_t watchdog_ms = fw_notify_watchdog_ms();
	api_set_ready(c->api, 1);
	if (watchdog_ms > 0)
		uv_timer_start(
			&c->watchdog, on_watchdog, (uint64_t)watchdog_ms, (uint64_t)watchdog_ms);
	fw_notify("READY=1\nSTATUS=");
	fw_split_host_port(c->config->agents.listen.text, host, sizeof host, &port);
	const char *bracket = strchr(host, ':') ? "[" : "", *end = *bracket ? "]" : "";
	fw_log(FW_NOTICE,
		"version " FW_VERSION " is ready: agents on %s%s%s:%u, API on http%s port %u",
		bracket, host, end, ingest_port(c->ingest), c->config->api.tls.cert ? "s" : "",
		api_port(c->api));
}

int collector_run(const struct config *config, const char *path)
{
	struct collector c = {.config = config, .path = path, .lock = -1};
	struct fw_err err;
	signal(SIGPIPE, SIG_IGN);
	open_loop(&c);
	int rc = open_all(&c, &err);
	if (rc < 0) {
		fw_log(FW_ERROR, "cannot start: %s", err.text);
		stop(&c);
	} else {
		say_ready(&c);
	}
	uv_run(&c.loop, UV_RUN_DEFAULT);
	inventory_close(c.inventory);
	retired_close(c.retired);
	enrol_close(c.enrol);
	state_close(c.state);
	if (c.lock >= 0)
		fw_close(c.lock);
	drop_config(c.reread);
	int left = uv_loop_close(&c.loop);
	assert(left == 0);
	if (rc == 0)
		fw_log(FW_NOTICE, "stopped");
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
