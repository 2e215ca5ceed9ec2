/* SPDX-License-Identifier: Apache-2.0 */
/* Advisories: files of them are read here, and what matters goes to the collector. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fenwatch/file.h>
#include <fenwatch/unpack.h>

#include "import.h"
#include "render.h"

#define BATCH_ADVISORIES 500
#define BATCH_FIXES 2000
#define TELL_EVERY 5000

struct sending {
	struct cli *cli;
	const char *path;
	int fd;
	struct fw_unpack *packed; /* NULL: it is not */
	json_t *batch;
	size_t n_fixes, sent, told;
	enum status status;
};

static ssize_t on_read(void *from, void *data, size_t size)
{
	struct sending *s = from;
	if (s->packed)
		return fw_unpack_read(s->packed, data, size);
	ssize_t n = read(s->fd, data, size);
	return n < 0 ? -errno : n;
}

static void tell_progress(struct sending *s)
{
	if (s->sent - s->told < TELL_EVERY)
		return;
	s->told = s->sent;
	fprintf(stderr, "fenwatch: %s: %zu advisories so far\n",
		screen_text(&s->cli->screen, s->path), s->sent);
}

static int flush(struct sending *s, struct fw_err *err)
{
	size_t n = json_array_size(s->batch);
	if (n == 0)
		return 0;
	char *text = json_dumps(s->batch, JSON_COMPACT);
	const struct parameter parameters[] = {{"advisories", text}, {0}};
	json_t *data =
		client_ask(s->cli, "POST", "/api/fenwatch/v1/advisories", parameters, &s->status);
	free(text);
	json_array_clear(s->batch);
	s->n_fixes = 0;
	if (!data)
		return fw_fail(err, -ECANCELED, "the collector did not take it");
	json_decref(data);
	s->sent += n;
	tell_progress(s);
	return 0;
}

static json_t *fixes_of(const struct import_advisory *a)
{
	json_t *fixes = json_array();
	for (size_t i = 0; i < a->n_fixes; i++)
		json_array_append_new(fixes,
			json_pack("[s,s,s]", a->fixes[i].package, a->fixes[i].release,
				a->fixes[i].version));
	return fixes;
}

static int on_advisory(const struct import_advisory *a, void *arg, struct fw_err *err)
{
	struct sending *s = arg;
	json_array_append_new(s->batch,
		json_pack("{s:s,s:I,s:s*,s:f,s:o}", "name", a->name, "issued",
			(json_int_t)a->issued_s, "severity", a->severity, "cvss", a->cvss, "fixes",
			fixes_of(a)));
	s->n_fixes += a->n_fixes;
	return json_array_size(s->batch) >= BATCH_ADVISORIES || s->n_fixes >= BATCH_FIXES
		? flush(s, err)
		: 0;
}

static enum status report(
	struct sending *s, int rc, const struct import *import, const struct fw_err *err)
{
	struct screen *screen = &s->cli->screen;
	const char *path = screen_text(screen, s->path);
	if (rc == -ECANCELED)
		return s->status;
	if (rc < 0)
		return cli_fail(STATUS_USAGE, "%s: %s; %zu advisories of it are imported", path,
			screen_text(screen, err->text), s->sent);
	screen_printf(screen, "%s: imported %zu advisories", path, import->n);
	if (import->n_passed)
		screen_printf(screen, ", passed over %zu without a date or a fixed version",
			import->n_passed);
	fw_buf_putc(&screen->out, '\n');
	return STATUS_WELL;
}

static enum status import_file(struct cli *cli, const char *path)
{
	struct sending s = {.cli = cli, .path = path};
	struct import import = {.read = on_read, .from = &s, .on_advisory = on_advisory, .arg = &s};
	struct fw_err err;
	bool is_input = strcmp(path, "-") == 0;
	s.fd = is_input ? STDIN_FILENO : fw_open(path, O_RDONLY, 0);
	if (s.fd < 0)
		return cli_fail(
			STATUS_USAGE, "%s: %s", screen_text(&cli->screen, path), fw_strerror(s.fd));
	if (fw_unpack_knows(path))
		s.packed = fw_unpack_new(s.fd, path);
	s.batch = json_array();
	int rc = import_run(&import, &err);
	if (rc == 0)
		rc = flush(&s, &err);
	enum status status = report(&s, rc, &import, &err);
	json_decref(s.batch);
	fw_unpack_free(s.packed);
	if (!is_input)
		fw_close(s.fd);
	return status;
}

enum status command_advisories_import(struct cli *cli, char **args, int n_args)
{
	enum status status = STATUS_WELL;
	for (int i = 0; i < n_args && status == STATUS_WELL; i++)
		status = import_file(cli, args[i]);
	return status;
}

enum status render_advisories(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {
		"ADVISORY", ">ISSUED", "SEVERITY", ">CVSS", ">FIXES", NULL};
	struct table t;
	size_t i;
	const json_t *advisory;
	if (json_array_size(data) == 0) {
		fw_buf_puts(&s->out, "none; see 'fenwatch advisories import'\n");
		return STATUS_WELL;
	}
	table_init(&t, s, headings);
	json_array_foreach(data, i, advisory)
	{
		const char *severity = screen_member(s, advisory, "severity");
		table_put(&t, TONE_PLAIN, screen_member(s, advisory, "name"));
		table_put(&t, TONE_PLAIN, screen_day(s, advisory, "issued"));
		table_put(&t, TONE_PLAIN, *severity ? severity : "-");
		table_put(&t, TONE_PLAIN, screen_number(s, advisory, "cvss"));
		table_put(&t, TONE_PLAIN, screen_number(s, advisory, "fixes"));
	}
	table_print(&t);
	return STATUS_WELL;
}

enum status command_advisories_list(struct cli *cli, char **args, int n_args)
{
	(void)args;
	(void)n_args;
	const struct parameter parameters[] = {
		{"package", cli->settings.package}, {"limit", cli->settings.limit}, {0}};
	return cli_get(cli, "/api/fenwatch/v1/advisories", parameters, render_advisories);
}
