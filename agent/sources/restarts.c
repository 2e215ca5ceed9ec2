/* SPDX-License-Identifier: Apache-2.0 */
#include "restarts.h"

#include <errno.h>
#include <string.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

int restarts_find(
	struct machine *m, struct fw_buf *body, struct facts_libraries *out, struct fw_err *err)
{
	const struct facts_request request = {.code = FACTS_LIBRARIES};
	int rc = facts_ask(m, &request, body, err);
	if (rc == -ENOENT)
		rc = facts_perform(m, NULL, &request, body);
	if (rc < 0)
		return rc;
	if (facts_get_libraries(body, out) < 0)
		return fw_fail(err, -EBADMSG, "the helper's list of libraries is not whole");
	return 0;
}

static char *path_of(const struct machine *m)
{
	return fw_format("%s/restarts", m->var);
}

void restarts_keep(const struct machine *m, const struct fw_buf *body)
{
	if (!m->var)
		return;
	char *path = path_of(m);
	fw_file_replace(path, body->data, body->length, 0600, NULL);
	fw_free(path);
}

void restarts_load(struct machine *m, struct fw_buf *body, struct facts_libraries *out)
{
	int rc = -ENOENT;
	if (m->recorded) {
		rc = restarts_find(m, body, out, NULL);
	} else if (m->var) {
		char *path = path_of(m);
		rc = fw_file_read(path, FACTS_ANSWER_LIMIT, body, NULL);
		fw_free(path);
		if (rc >= 0)
			rc = facts_get_libraries(body, out);
	}
	if (rc < 0)
		out->n = out->n_services = 0;
}
