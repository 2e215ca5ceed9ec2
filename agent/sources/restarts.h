/* Files that were replaced while processes run the old ones, from one source to the
 * other: libraries looks for them and keeps them in DATA/restarts, packages finds the
 * fixes that they belong to. */
#pragma once

#include "../facts/facts.h"

/* By the helper; without one the processes of this user alone, and `partial` says so. */
int restarts_find(
	struct machine *m, struct fw_buf *body, struct facts_libraries *out, struct fw_err *err);
void restarts_keep(const struct machine *m, const struct fw_buf *body);
/* What was kept last, or is found now where that is no longer of use; of a recorded machine,
 * what there is. Why it proves nothing: "partial", or "unreadable", and then it is empty; or
 * NULL. */
const char *restarts_load(struct machine *m, struct fw_buf *body, struct facts_libraries *out);

/* Whether a line of a package's list of files is about this one. Where /lib is a link to
 * /usr/lib packages have one name of a file, and processes the other. */
bool restarts_names(const char *path, const struct fw_cursor *line);

#define RESTARTS_BITS (FACTS_SERVICES_LIMIT / 8)
#define RESTARTS_SERVICES 512
/* "a.service b.service sessions" of those whose bit is set. */
void restarts_name_services(const struct facts_libraries *replaced,
	const uint8_t services[RESTARTS_BITS], char out[RESTARTS_SERVICES]);
