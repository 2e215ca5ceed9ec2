/* One line an event, to standard error.
 *
 * Host and cause are in the line itself. Control characters, DEL, C1 and
 * bidirectional overrides are escaped, so a hostile name cannot forge a line or
 * move a cursor. Under systemd the "<6>" priority prefix is written, otherwise a
 * time. Only the programs log; lib/ and proto/ report.
 */
#pragma once

#include <stddef.h>

enum fw_level { FW_ERROR = 3, FW_WARNING = 4, FW_NOTICE = 5, FW_INFO = 6, FW_DEBUG = 7 };

void fw_log_init(const char *program, enum fw_level most); /* levels above `most` are dropped */
void fw_log(enum fw_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Copies `text` with everything that could harm a terminal escaped as \xNN or
 * \u{NNNN}; invalid UTF-8 too. Returns `out`, always ended; cut to fit. */
char *fw_escape(const char *text, char *out, size_t size);
