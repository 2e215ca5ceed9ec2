/* SPDX-License-Identifier: Apache-2.0 */
#include "life.h"

#include <signal.h>

#include <fenwatch/notify.h>

static void on_signal(uv_signal_t *signal, int number)
{
	struct life *life = signal->loop->data;
	(void)number;
	if (life->owner.closing)
		return;
	fw_notify("STOPPING=1");
	life->config.on_end(life->config.arg);
	life_end(life);
}

static void on_hung_up(uv_signal_t *signal, int number)
{
	const struct life *life = signal->loop->data;
	(void)number;
	if (!life->owner.closing)
		life->config.on_hung_up(life->config.arg);
}

static void on_tick(uv_timer_t *timer)
{
	const struct life *life = timer->loop->data;
	life->config.on_tick(life->config.arg);
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

static void hear(struct life *life, uv_signal_t *signal, uv_signal_cb on_heard, int number)
{
	uv_signal_init(&life->loop, signal);
	fw_owner_adopt(&life->owner, signal);
	uv_signal_start(signal, on_heard, number);
}

static void repeat(struct life *life, uv_timer_t *timer, uv_timer_cb on_time, uint64_t every_ms)
{
	uv_timer_init(&life->loop, timer);
	fw_owner_adopt(&life->owner, timer);
	if (every_ms > 0)
		uv_timer_start(timer, on_time, every_ms, every_ms);
}

void life_open(struct life *life, const struct life_config *config)
{
	life->config = *config;
	uv_loop_init(&life->loop);
	life->loop.data = life;
	fw_owner_init(&life->owner, on_handles_closed);
	hear(life, &life->terminate, on_signal, SIGTERM);
	hear(life, &life->interrupt, on_signal, SIGINT);
	if (config->on_hung_up)
		hear(life, &life->hung_up, on_hung_up, SIGHUP);
	repeat(life, &life->tick, on_tick, config->tick_ms);
	repeat(life, &life->watchdog, on_watchdog, (uint64_t)fw_notify_watchdog_ms());
}

void life_end(struct life *life)
{
	fw_owner_close(&life->owner);
}

int life_run(struct life *life, struct fw_err *err)
{
	uv_run(&life->loop, UV_RUN_DEFAULT);
	int left = uv_loop_close(&life->loop);
	return left == 0 ? 0 : fw_fail(err, left, "the loop is not empty at the end");
}
