/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <errno.h>

#include <sys/timex.h>

enum {
	OFFSET,
	FREQUENCY,
	MAXERROR,
	ESTERROR,
	STATUS,
	SYNC,
	CONSTANT,
	TICK,
	PPS_FREQUENCY,
	PPS_JITTER,
	PPS_SHIFT,
	PPS_STABILITY,
	PPS_JITTER_TOTAL,
	PPS_CALIBRATION,
	PPS_ERROR,
	PPS_STABILITY_EXCEEDED,
	TAI,
};

static const struct metric metrics[] = {
	[OFFSET] = {"node_timex_offset_seconds", FW_GAUGE, "seconds",
		"Time offset in between local system and reference clock.", 9, 1},
	[FREQUENCY] = {"node_timex_frequency_adjustment_ratio", FW_GAUGE, "ratio",
		"Local clock frequency adjustment.", 15, 1},
	[MAXERROR] = {"node_timex_maxerror_seconds", FW_GAUGE, "seconds",
		"Maximum error in seconds.", 6, 1},
	[ESTERROR] = {"node_timex_estimated_error_seconds", FW_GAUGE, "seconds",
		"Estimated error in seconds.", 6, 1},
	[STATUS] = {"node_timex_status", FW_GAUGE, "", "Value of the status array bits.", 0, 1},
	[SYNC] = {"node_timex_sync_status", FW_GAUGE, "",
		"Is clock synchronized to a reliable server (1 = yes, 0 = no).", 0, 1},
	[CONSTANT] = {"node_timex_loop_time_constant", FW_GAUGE, "",
		"Phase-locked loop time constant.", 0, 1},
	[TICK] = {"node_timex_tick_seconds", FW_GAUGE, "seconds", "Seconds between clock ticks.", 6,
		1},
	[PPS_FREQUENCY] = {"node_timex_pps_frequency_hertz", FW_GAUGE, "hertz",
		"Pulse per second frequency.", 15, 1},
	[PPS_JITTER] = {"node_timex_pps_jitter_seconds", FW_GAUGE, "seconds",
		"Pulse per second jitter.", 9, 1},
	[PPS_SHIFT] = {"node_timex_pps_shift_seconds", FW_GAUGE, "seconds",
		"Pulse per second interval duration.", 0, 1},
	[PPS_STABILITY] = {"node_timex_pps_stability_hertz", FW_GAUGE, "hertz",
		"Pulse per second stability, average of recent frequency changes.", 15, 1},
	[PPS_JITTER_TOTAL] = {"node_timex_pps_jitter_total", FW_COUNTER, "",
		"Pulse per second count of jitter limit exceeded events.", 0, 1},
	[PPS_CALIBRATION] = {"node_timex_pps_calibration_total", FW_COUNTER, "",
		"Pulse per second count of calibration intervals.", 0, 1},
	[PPS_ERROR] = {"node_timex_pps_error_total", FW_COUNTER, "",
		"Pulse per second count of calibration errors.", 0, 1},
	[PPS_STABILITY_EXCEEDED] = {"node_timex_pps_stability_exceeded_total", FW_COUNTER, "",
		"Pulse per second count of stability limit exceeded events.", 0, 1},
	[TAI] = {"node_timex_tai_offset_seconds", FW_GAUGE, "seconds",
		"International Atomic Time (TAI) offset.", 0, 1},
};

/* The kernel gives frequencies in 2^-16 ppm; so much is one of them in 10^-15,
 * the table's scale, exactly 1953125 / 128. */
static int64_t femto(long scaled_ppm)
{
	return (int64_t)scaled_ppm * 1953125 / 128;
}

static int read_timex(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	if (m->recorded)
		return fw_fail(err, -ENODATA, "a recorded machine has no clock");
	struct timex now = {.modes = 0};
	int clock = adjtimex(&now);
	if (clock < 0 && errno == EPERM) /* a container that may not look at the clock */
		return fw_fail(err, -ENODATA, "this container may not read the clock's state");
	if (clock < 0)
		return fw_fail_sys(err, -errno, "adjtimex");
	int64_t to_ns = now.status & STA_NANO ? 1 : 1000;
	const int64_t values[COUNT(metrics)] = {
		[OFFSET] = now.offset * to_ns,
		[FREQUENCY] = 1000000000000000 + femto(now.freq),
		[MAXERROR] = now.maxerror,
		[ESTERROR] = now.esterror,
		[STATUS] = now.status,
		[SYNC] = clock != TIME_ERROR,
		[CONSTANT] = now.constant,
		[TICK] = now.tick,
		[PPS_FREQUENCY] = femto(now.ppsfreq),
		[PPS_JITTER] = now.jitter * to_ns,
		[PPS_SHIFT] = now.shift,
		[PPS_STABILITY] = femto(now.stabil),
		[PPS_JITTER_TOTAL] = now.jitcnt,
		[PPS_CALIBRATION] = now.calcnt,
		[PPS_ERROR] = now.errcnt,
		[PPS_STABILITY_EXCEEDED] = now.stbcnt,
		[TAI] = now.tai,
	};
	for (size_t i = 0; i < COUNT(metrics); i++)
		sweep_add_plain(out, &metrics[i], values[i]);
	return 0;
}

const struct source source_timex = {
	.name = "timex",
	.help = "How the clock is kept right.",
	.purpose = "Whether the clock is kept right.",
	.reads = "the kernel's clock (adjtimex)",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_timex,
};
