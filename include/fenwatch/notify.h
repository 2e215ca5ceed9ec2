/* Telling the service manager: sd_notify(3)'s protocol, a datagram to
 * $NOTIFY_SOCKET. Without that variable everything here does nothing. */
#pragma once

#include <stdint.h>

void fw_notify(const char *state); /* "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=..." */
/* How often WATCHDOG=1 is due, in ms (half of what the unit asks); 0: not asked for. */
int64_t fw_notify_watchdog_ms(void);
