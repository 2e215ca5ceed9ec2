/* SPDX-License-Identifier: Apache-2.0 */
#include "device.h"

#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/crc.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#include "inventory.h"
#include "probe.h"
#include "reading.h"

#define PATIENCE 5 /* intervals between two attempts, at most */

struct device {
	struct device_config config;
	struct fw_owner owner;
	uv_timer_t due;
	struct session *session;
	unsigned failures;
	char *told; /* what was last said of it; NULL: nothing, or that all is well */
	bool asked, for_inventory; /* what was asked and is not answered yet */
	struct inventory inventory;
	struct wraps *wraps;
	/* the read that is under way */
	bool reading;
	int64_t began_ms, module_began_ms;
	unsigned module, room;
	struct sweep *sweep;
	struct walk walk;
	struct reading_stat stat;
	char ended[128]; /* of the first module that is not whole, why; "": all are */
};

/* ---- when ---- */

int64_t device_wait_ms(const char *name, int64_t every_ms, unsigned failures, int64_t now_ms)
{
	int64_t phase_ms = fw_crc32c(0, name, strlen(name)) % every_ms;
	int64_t wait_ms = every_ms - (now_ms - phase_ms) % every_ms;
	unsigned skipped = failures < PATIENCE ? failures : PATIENCE;
	return wait_ms + every_ms * (skipped ? skipped - 1 : 0);
}

static void on_due(uv_timer_t *timer);

static void wait_next(struct device *d)
{
	const struct device_settings *settings = d->config.settings;
	if (d->config.once || d->owner.closing)
		return;
	uv_update_time(d->due.loop);
	uv_timer_start(&d->due, on_due,
		(uint64_t)device_wait_ms(
			settings->name, settings->every_ms, d->failures, fw_wall_ms()),
		0);
}

/* ---- one read ---- */

static void end_read(struct device *d, const char *why)
{
	struct sweep *sweep = d->sweep;
	walk_done(&d->walk);
	d->sweep = NULL;
	d->reading = false;
	d->failures = why ? d->failures + 1 : 0;
	if (!why) {
		inventory_add_stats(&d->inventory, sweep);
		reading_add_duration(sweep, fw_mono_ms() - d->began_ms);
		sweep_end(sweep);
	}
	wait_next(d);
	if (!why && d->ended[0])
		why = d->ended;
	d->config.on_read(d, d->failures ? NULL : sweep, why, d->config.arg);
	sweep_free(sweep);
}

/* Opens the walk of the first module with metrics, this one or one behind it. */
static bool begin_module(struct device *d)
{
	const struct device_settings *settings = d->config.settings;
	while (d->module < settings->n_modules && settings->modules[d->module]->n_documents > 0)
		d->module++;
	if (d->module == settings->n_modules)
		return false;
	d->stat = (struct reading_stat){0};
	d->module_began_ms = fw_mono_ms();
	walk_open(&d->walk, settings->modules[d->module], settings->version != SNMP_V1);
	return true;
}

static void end_module(struct device *d)
{
	d->stat.took_ms = fw_mono_ms() - d->module_began_ms;
	d->stat.ended = walk_ended(&d->walk);
	session_count(d->session, &d->stat.sent, &d->stat.retried);
	int64_t uptime_ms = reading_uptime_ms(&d->walk);
	if (uptime_ms >= 0)
		wraps_started(d->wraps, fw_wall_ms() - uptime_ms);
	if (!reading_add(d->sweep, &d->walk, d->wraps, &d->room))
		d->stat.ended = "the device has more series than are allowed";
	if (d->stat.ended && !d->ended[0])
		snprintf(d->ended, sizeof d->ended, "module '%.60s': %s", d->walk.module->name,
			d->stat.ended);
	reading_add_stat(d->sweep, d->walk.module, &d->stat);
	walk_done(&d->walk);
	d->module++;
}

/* NULL: the sweep is there, and was told. */
static const struct asking *next_of_sweep(struct device *d)
{
	const struct asking *asking;
	while (!(asking = walk_next(&d->walk))) {
		end_module(d);
		if (!begin_module(d)) {
			end_read(d, NULL);
			return NULL;
		}
	}
	return asking;
}

/* A sweep goes before the inventory, which takes the time between two. */
static void go_on(struct device *d)
{
	const struct asking *asking = d->reading ? next_of_sweep(d) : NULL;
	d->for_inventory = !asking;
	if (!asking)
		asking = inventory_next(&d->inventory, fw_mono_ms(), session_address(d->session));
	d->asked = asking != NULL;
	if (asking)
		session_ask(d->session, asking);
	else if (d->config.once)
		d->config.on_end(d, d->config.arg);
}

static void take_for_inventory(struct device *d, const struct answer *answer, const char *why)
{
	uint64_t sent, retried;
	session_count(d->session, &sent, &retried);
	inventory_count(&d->inventory, sent, retried);
	if (why)
		inventory_fail(&d->inventory, why, fw_mono_ms());
	else
		inventory_take(&d->inventory, answer);
	go_on(d);
}

static void take_for_sweep(struct device *d, const struct answer *answer, const char *why)
{
	if (!why && fw_mono_ms() - d->began_ms >= d->config.settings->every_ms && !d->config.once)
		why = "it takes longer to be read than its interval";
	if (!why) {
		d->stat.pdus += answer->n;
		walk_take(&d->walk, answer);
		go_on(d);
		return;
	}
	end_read(d, why);
	if (d->config.once)
		d->config.on_end(d, d->config.arg);
}

static void on_answer(const struct answer *answer, const char *why, void *arg)
{
	struct device *d = arg;
	d->asked = false;
	(d->for_inventory ? take_for_inventory : take_for_sweep)(d, answer, why);
}

static void on_due(uv_timer_t *timer)
{
	struct device *d = FW_CONTAINER(timer, struct device, due);
	d->reading = true;
	d->began_ms = fw_mono_ms();
	d->module = 0;
	d->room = READING_SERIES;
	d->ended[0] = '\0';
	wraps_begin(d->wraps);
	d->sweep = sweep_new();
	sweep_begin(d->sweep, fw_wall_ms());
	begin_module(d);
	if (!d->asked)
		go_on(d);
}

/* ---- life ---- */

static bool on_table(const char *kind, const struct fw_buf *lines, void *arg)
{
	struct device *d = arg;
	return d->config.on_table(d, kind, lines, d->config.arg);
}

static void on_closed(struct fw_owner *owner)
{
	struct device *d = FW_CONTAINER(owner, struct device, owner);
	wraps_free(d->wraps);
	fw_free(d->told);
	fw_free(d);
}

static bool is_same(const struct device_settings *a, const struct device_settings *b)
{
	return strcmp(a->host, b->host) == 0 && a->port == b->port && a->version == b->version &&
		strcmp(a->credentials, b->credentials) == 0 && a->every_ms == b->every_ms;
}

/* One that is asked otherwise now is as good as new, but for what was told. */
static void follow(struct device *d, const struct device *before)
{
	inventory_follow(&d->inventory, &before->inventory);
	if (!is_same(d->config.settings, before->config.settings))
		return;
	d->failures = before->failures;
	d->told = before->told ? fw_strdup(before->told) : NULL;
	wraps_free(d->wraps);
	d->wraps = wraps_copy(before->wraps);
	uint64_t wait_ms = before->reading ? 0 : uv_timer_get_due_in(&before->due);
	uv_timer_start(&d->due, on_due, wait_ms, 0);
}

struct device *device_new(uv_loop_t *loop, const struct device_config *config)
{
	struct device *d = fw_alloc(sizeof *d);
	const struct device_settings *settings = config->settings;
	struct session_config session = {
		.host = settings->host,
		.port = settings->port,
		.version = settings->version,
		.credentials = settings->credentials,
		.own = config->once,
		.timeout_ms = settings->timeout_ms,
		.retries = (int)settings->retries,
		.on_answer = on_answer,
		.arg = d,
	};
	d->config = *config;
	d->session = session_new(loop, &session);
	d->wraps = wraps_new();
	inventory_init(&d->inventory, settings);
	d->inventory.on_table = on_table;
	d->inventory.arg = d;
	fw_owner_init(&d->owner, on_closed);
	uv_timer_init(loop, &d->due);
	fw_owner_adopt(&d->owner, &d->due);
	if (config->once)
		uv_timer_start(&d->due, on_due, 0, 0);
	wait_next(d);
	if (config->before)
		follow(d, config->before);
	d->config.before = NULL;
	return d;
}

void device_free(struct device *d)
{
	if (!d)
		return;
	d->reading = false;
	inventory_done(&d->inventory);
	walk_done(&d->walk);
	sweep_free(d->sweep);
	d->sweep = NULL;
	session_free(d->session);
	d->session = NULL;
	fw_owner_close(&d->owner);
}

const struct device_settings *device_settings(const struct device *d)
{
	return d->config.settings;
}

const char *device_address(const struct device *d)
{
	return session_address(d->session);
}

bool device_is_news(struct device *d, const char *state)
{
	bool same = state && d->told ? strcmp(state, d->told) == 0 : !state && !d->told;
	if (same)
		return false;
	fw_free(d->told);
	d->told = state ? fw_strdup(state) : NULL;
	return true;
}

struct wraps *device_wraps(struct device *d)
{
	return d->wraps;
}

struct probe_host *device_host(struct probe *probe, const char *name)
{
	const struct fw_label labels[] = {{"instance", name}, {"job", "snmp"}};
	return probe_host(probe, labels, sizeof labels / sizeof *labels);
}
