/* Time. Nobody else in the project asks the system for it.
 *
 * Wall time is milliseconds since 1970 everywhere; it may step. Monotonic time
 * never steps; boot time also counts sleep.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int64_t fw_wall_ms(void);
int64_t fw_mono_ms(void);
int64_t fw_boot_ms(void);
uint64_t fw_cpu_ns(void); /* this process' CPU time */

/* "2026-11-22T23:21:54.120Z"; `text` holds at least 32 bytes. */
const char *fw_time_format(int64_t wall_ms, char *text, size_t size);
/* RFC 3339 or seconds since 1970 with decimals; 0 or -EINVAL. */
int fw_time_parse(const char *text, int64_t *wall_ms);
