/* Passwords and tokens: in files that the configuration names.
 *
 * Read anew for each delivery, so that a renewed one counts at once. What was
 * read is wiped by its owner and appears in no log and no answer.
 */
#pragma once

#include <fenwatch/err.h>

#define SECRET_BYTES 4096

struct secret {
	char text[SECRET_BYTES]; /* one line, without its end */
};

/* `path` NULL: an empty one. -EINVAL where it is empty or more than a line. */
int secret_read(struct secret *secret, const char *path, struct fw_err *err);
/* The header "Authorization: ..." for it: Basic with a user, Bearer without (NULL).
 * secret_forget gives it back. */
char *secret_authorization(const struct secret *secret, const char *user);
void secret_forget(char *line);
void secret_wipe(struct secret *secret);
