/* SPDX-License-Identifier: Apache-2.0 */
/* Whom to dial and when: one address after the other, and a pause after the last. */
#include <errno.h>
#include <stdio.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>
#include <fenwatch/mem.h>
#include <fenwatch/text.h>
#include <fenwatch/tls.h>

#include "exchange.h"
#include "uplink_internal.h"

#define HEARTBEAT_MS 15000

static void on_retry(uv_timer_t *timer);

int64_t uplink_pause_ms(int64_t lost_ms, unsigned failures, uint32_t dice)
{
	int64_t most_ms = failures <= 1 ? 20000 : lost_ms < 600000 ? 40000 : UPLINK_FAR_MS;
	return (int64_t)((uint64_t)dice * (uint64_t)most_ms >> 32);
}

static uint32_t throw_dice(const struct uplink *u)
{
	uint32_t dice;
	if (u->config.dice)
		return u->config.dice(u->config.arg);
	fw_random(&dice, sizeof dice);
	return dice;
}

const char *uplink_address(const struct uplink *u)
{
	return u->config.collectors->items[u->address];
}

/* ---- the end of a connection ---- */

static void schedule_retry(struct uplink *u, int64_t pause_ms)
{
	double scaled = (double)pause_ms * u->config.pause_scale;
	uv_update_time(u->loop);
	uv_timer_start(&u->retry, on_retry, (uint64_t)scaled, 0);
}

static int64_t choose_pause_ms(struct uplink *u)
{
	bool more = u->address + 1 < u->config.collectors->count;
	if (more) {
		u->address++;
		return uplink_pause_ms(0, 0, throw_dice(u)) / 20;
	}
	u->address = 0;
	u->failures++;
	int64_t pause_ms =
		uplink_pause_ms(fw_mono_ms() - u->lost_mono_ms, u->failures, throw_dice(u));
	return pause_ms + u->pause_at_least_ms;
}

void uplink_give_up(struct uplink *u, const char *why)
{
	char text[32];
	const char *address = uplink_address(u);
	bool was_online = uplink_is_online(u);
	uv_timer_stop(&u->beat);
	link_free(u->link);
	u->link = NULL;
	if (was_online) {
		u->lost_mono_ms = fw_mono_ms();
		u->failures = 0;
		u->address = u->config.collectors->count - 1;
	}
	int64_t pause_ms = choose_pause_ms(u);
	u->pause_at_least_ms = 0;
	fw_log(FW_WARNING, "collector %s: %s; next attempt in %s", address, why,
		fw_format_duration(
			(int64_t)((double)pause_ms * u->config.pause_scale), text, sizeof text));
	schedule_retry(u, pause_ms);
	if (was_online)
		u->config.ops->on_lost(u->config.arg);
}

/* ---- certificates that have expired ---- */

int uplink_take_reply(struct uplink *u, const uint8_t *reply, size_t length)
{
	struct fw_err err;
	int rc = u->config.ops->on_renewed(reply, length, &err, u->config.arg);
	if (rc < 0)
		fw_log(FW_ERROR, "renewing the certificate: %s", err.text);
	else
		fw_log(FW_INFO, "the certificate is renewed");
	return rc;
}

/* The collector made it just now, so it is this machine's clock that is wrong. */
static void wait_for_clock(struct uplink *u)
{
	char now[32], why[160];
	snprintf(why, sizeof why,
		"the certificate that was made just now has expired by this machine's clock, which says %s: set it right",
		fw_time_format(fw_wall_ms(), now, sizeof now));
	u->pause_at_least_ms = UPLINK_FAR_MS / 2;
	uplink_give_up(u, why);
}

static void on_exchanged(const uint8_t *reply, size_t length, const char *why, void *arg)
{
	struct uplink *u = arg;
	int rc = reply ? uplink_take_reply(u, reply, length) : -1;
	exchange_free(u->exchange);
	u->exchange = NULL;
	if (rc < 0) {
		u->pause_at_least_ms = reply ? UPLINK_FAR_MS / 2 : 0;
		uplink_give_up(u, reply ? "the certificate cannot be renewed" : why);
		return;
	}
	u->must_renew = false;
	if (u->config.ops->must_renew(u->config.arg)) {
		wait_for_clock(u);
		return;
	}
	u->failures = 0;
	schedule_retry(u, uplink_pause_ms(0, 0, throw_dice(u)) / 20);
}

static void renew_first(struct uplink *u)
{
	struct fw_buf request = {0};
	struct fw_err err;
	struct exchange_config config = {
		.collector = uplink_address(u),
		.proxy = u->config.proxy,
		.tls = u->config.ops->tls(u->config.arg),
		.on_done = on_exchanged,
		.arg = u,
	};
	int rc = u->config.ops->renewal(&request, &err, u->config.arg);
	if (rc >= 0)
		rc = exchange_open(
			&u->exchange, u->loop, &config, request.data, request.length, &err);
	fw_buf_done(&request);
	if (rc < 0)
		uplink_give_up(u, err.text);
}

/* ---- dialling ---- */

static void on_retry(uv_timer_t *timer)
{
	struct uplink *u = FW_CONTAINER(timer, struct uplink, retry);
	struct fw_err err;
	if (u->must_renew || u->config.ops->must_renew(u->config.arg))
		renew_first(u);
	else if (link_dial(u, &err) < 0)
		uplink_give_up(u, err.text);
}

static void on_beat(uv_timer_t *timer)
{
	link_beat(FW_CONTAINER(timer, struct uplink, beat)->link);
}

void uplink_begin_beating(struct uplink *u)
{
	uv_timer_start(&u->beat, on_beat, HEARTBEAT_MS, HEARTBEAT_MS);
}

/* ---- the door ---- */

void uplink_wake(struct uplink *u)
{
	if (uplink_is_online(u))
		link_pump(u->link);
}

void uplink_renew(struct uplink *u)
{
	if (u->link)
		link_renew(u->link);
}

bool uplink_is_online(const struct uplink *u)
{
	return u->link && u->link->welcomed;
}

bool uplink_has_window(const struct uplink *u, unsigned guests)
{
	const struct link *l = u->link;
	return uplink_is_online(u) &&
		l->next[LANE_LIVE] - 1 - l->acked[LANE_LIVE] < WINDOW_OWN + guests;
}

static void on_closed(struct fw_owner *owner)
{
	fw_free(FW_CONTAINER(owner, struct uplink, owner));
}

int uplink_open(struct uplink **out, uv_loop_t *loop, const struct uplink_config *config,
	struct fw_err *err)
{
	if (config->collectors->count == 0)
		return fw_fail(err, -EINVAL, "no address of a collector is configured");
	struct uplink *u = fw_alloc(sizeof *u);
	u->config = *config;
	u->loop = loop;
	u->lost_mono_ms = fw_mono_ms();
	fw_owner_init(&u->owner, on_closed);
	uv_timer_init(loop, &u->retry);
	fw_owner_adopt(&u->owner, &u->retry);
	uv_timer_init(loop, &u->beat);
	fw_owner_adopt(&u->owner, &u->beat);
	schedule_retry(u, uplink_pause_ms(0, 0, throw_dice(u)) / 20);
	*out = u;
	return 0;
}

void uplink_close(struct uplink *u)
{
	if (!u)
		return;
	exchange_free(u->exchange);
	link_free(u->link);
	u->exchange = NULL;
	u->link = NULL;
	fw_owner_close(&u->owner);
}
