/* SPDX-License-Identifier: Apache-2.0 */
#include "systemctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <fenwatch/clock.h>

#include "../process.h"
#include "parse.h"

#define OUTPUT_LIMIT ((size_t)4 << 20)
#define ARGUMENTS 8

int systemctl_there(struct machine *m, struct fw_err *err)
{
	struct machine_file booted;
	if (!m->recorded && machine_stat(m, "run/systemd/system", &booted) < 0)
		return fw_fail(err, -ENODATA, "this machine was not started by systemd");
	return 0;
}

static int run(const char *const *arguments, struct fw_buf *out, struct fw_err *err)
{
	static const char *const paths[] = {"/usr/bin/systemctl", "/bin/systemctl"};
	const char *argv[ARGUMENTS + 2] = {access(paths[0], X_OK) == 0 ? paths[0] : paths[1]};
	for (size_t i = 0; i < ARGUMENTS && arguments[i]; i++)
		argv[i + 1] = arguments[i];
	int rc = process_output(argv, OUTPUT_LIMIT, out);
	if (rc < 0)
		return fw_fail_sys(err, rc, "%s", argv[0]);
	return rc == 0 ? 0 : fw_fail(err, -EIO, "%s: it ended with %d", argv[0], rc);
}

int systemctl_ask(struct machine *m, const char *recorded, const char *const *arguments,
	struct fw_buf *text, struct fw_cursor *c, struct fw_err *err)
{
	if (m->recorded)
		return read_facts(m, recorded, c, err);
	fw_buf_reset(text);
	int rc = run(arguments, text, err);
	c->at = rc == 0 && text->data ? (const char *)text->data : "";
	c->end = c->at + text->length;
	return rc;
}

bool systemctl_time(const char *value, int64_t *at_ms)
{
	char weekday[8], date[16], time[16], text[40];
	struct fw_cursor c = {value, value + strlen(value)};
	if (!cut_name(&c, ' ', weekday, sizeof weekday) || !cut_name(&c, ' ', date, sizeof date) ||
		!cut_name(&c, ' ', time, sizeof time))
		return false;
	snprintf(text, sizeof text, "%sT%sZ", date, time);
	return fw_time_parse(text, at_ms) == 0;
}

bool systemctl_is_type(const char *unit, const char *type)
{
	const char *dot = strrchr(unit, '.');
	return dot && strcmp(dot + 1, type) == 0;
}
