/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <string.h>

#include "alert.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)

static const struct alert_absence usual = {.laptop_ms = 14 * DAY_MS};

const struct fw_option alert_absence_table[] = {
	{
		.name = "laptop",
		.help = "a laptop that is not heard is away, and only after so long silent",
		.type = FW_OPT_DURATION,
		.offset = offsetof(struct alert_absence, laptop_ms),
		.fallback = "14d",
		.min = 0,
		.max = 400 * DAY_MS,
	},
	{
		.name = "blue-light",
		.help = "what the fire and rescue service depends on is silent so long after it was "
			"last heard, in place of HostSilent's hold",
		.type = FW_OPT_DURATION,
		.offset = offsetof(struct alert_absence, blue_light_ms),
		.fallback = "0s",
		.min = 0,
		.max = DAY_MS,
	},
	{0},
};

static bool is_class(const char *class, const char *name)
{
	return class && strcmp(class, name) == 0;
}

bool alert_may_be_away(const struct alert_absence *absence, const char *class, int64_t silent_ms)
{
	const struct alert_absence *said = absence ? absence : &usual;
	return is_class(class, "laptop") && silent_ms < said->laptop_ms;
}

int64_t alert_silence_hold_ms(
	const struct alert_absence *absence, const char *class, int64_t hold_ms)
{
	const struct alert_absence *said = absence ? absence : &usual;
	return is_class(class, "blue-light") ? said->blue_light_ms : hold_ms;
}
