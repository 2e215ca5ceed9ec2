/* SPDX-License-Identifier: Apache-2.0 */
#include "restarts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#define KEPT_S (2 * 3600)

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

/* The source libraries writes it every quarter of an hour, unless it is off or fails. */
static int read_kept(struct machine *m, struct fw_buf *body, struct facts_libraries *out)
{
	struct stat file;
	char *path = path_of(m);
	int rc = -ENOENT;
	if (stat(path, &file) == 0 && llabs(m->now_ms / 1000 - (int64_t)file.st_mtime) < KEPT_S)
		rc = fw_file_read(path, FACTS_ANSWER_LIMIT, body, NULL);
	fw_free(path);
	return rc < 0 ? rc : facts_get_libraries(body, out);
}

const char *restarts_load(struct machine *m, struct fw_buf *body, struct facts_libraries *out)
{
	int rc = m->recorded || !m->var ? -ENOENT : read_kept(m, body, out);
	if (rc < 0) {
		fw_buf_reset(body);
		rc = restarts_find(m, body, out, NULL);
		if (rc == 0 && !m->recorded)
			restarts_keep(m, body);
	}
	if (rc < 0) {
		out->n = out->n_services = 0;
		return "unreadable";
	}
	return out->partial ? "partial" : NULL;
}

static bool is_same(const char *path, const struct fw_cursor *line)
{
	size_t length = (size_t)(line->end - line->at);
	return strlen(path) == length && memcmp(path, line->at, length) == 0;
}

bool restarts_names(const char *path, const struct fw_cursor *line)
{
	return is_same(path, line) || (strncmp(path, "/usr/", 5) == 0 && is_same(path + 4, line));
}

void restarts_name_services(const struct facts_libraries *replaced,
	const uint8_t services[RESTARTS_BITS], char out[RESTARTS_SERVICES])
{
	struct fw_buf text = {.limit = RESTARTS_SERVICES - 1};
	for (size_t i = 0; i < replaced->n_services; i++) {
		const char *name = replaced->service[i];
		if (services[i / 8] >> i % 8 & 1)
			fw_buf_printf(
				&text, "%s%s", text.length ? " " : "", name[0] ? name : "sessions");
	}
	snprintf(out, RESTARTS_SERVICES, "%s", text.length ? (const char *)text.data : "");
	fw_buf_done(&text);
}
