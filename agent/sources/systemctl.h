/* What systemctl says, or once said on a recorded machine. For slow sources: it is a program
 * that runs. */
#pragma once

#include "source.h"

/* -ENODATA where systemd did not start this machine. */
int systemctl_there(struct machine *m, struct fw_err *err);
/* `arguments` without the program, ended by NULL. `text` holds what `c` reads. */
int systemctl_ask(struct machine *m, const char *recorded, const char *const *arguments,
	struct fw_buf *text, struct fw_cursor *c, struct fw_err *err);
/* "Sun 2026-11-22 23:50:42 UTC"; false for a time that never was. */
bool systemctl_time(const char *value, int64_t *at_ms);
bool systemctl_is_type(const char *unit, const char *type); /* "service", "timer" */
