/* Passwords and tokens: in files that the configuration names.
 *
 * Read anew for each use, so that a renewed one counts at once. What was read is
 * wiped by its owner and appears in no log and no answer.
 */
#pragma once

#include <fenwatch/err.h>

#define FW_SECRET_BYTES 4096

struct fw_secret {
	char text[FW_SECRET_BYTES]; /* one line, without its end */
};

/* `path` NULL: an empty one. -EINVAL where it is empty or more than a line. */
int fw_secret_read(struct fw_secret *secret, const char *path, struct fw_err *err);
void fw_secret_wipe(struct fw_secret *secret);
