/* SPDX-License-Identifier: Apache-2.0 */
/* plugin: a program that the root-owned configuration names ends with a state, and prints a
 * line and performance data.
 *
 * Another process runs it (runner.h), as a user of its own where there is one: without a shell,
 * without privileges to gain, in a process group of its own with limits, and the whole group is
 * killed when it ends, at its timeout, or when it prints more than OUTPUT_LIMIT. What it leaves
 * behind in another session keeps its pipe, which nobody reads any more. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <sys/wait.h>

#include <fenwatch/buf.h>
#include <fenwatch/file.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#include "metrics.h"
#include "options.h"
#include "perfdata.h"
#include "plugins.h"
#include "runner.h"

#define OUTPUT_LIMIT (64u << 10)

struct plugin {
	struct fw_owner owner;
	uv_poll_t output;
	struct plugins_errand errand;
	struct check_run *run;
	int pipe;
	struct fw_buf text;
};

static void on_plugin_closed(struct fw_owner *owner)
{
	struct plugin *p = FW_CONTAINER(owner, struct plugin, owner);
	fw_close(p->pipe);
	fw_buf_done(&p->text);
	fw_free(p);
}

/* ---- series ---- */

static void add_threshold(struct sweep *sweep, const struct perf_value *v, const char *level,
	const char *bound, double value)
{
	if (!isnan(value))
		sweep_add(sweep, &check_metrics[PLUGIN_THRESHOLD], fw_double_cell(value),
			SWEEP_LABELS("bound", bound, "label", v->label, "level", level, "unit",
				v->unit));
}

static void add_value(const struct perf_value *v, void *arg)
{
	struct sweep *sweep = arg;
	sweep_add(sweep, &check_metrics[PLUGIN_VALUE], fw_double_cell(v->value),
		SWEEP_LABELS("label", v->label, "unit", v->unit));
	add_threshold(sweep, v, "warning", "lower", v->warning.lower);
	add_threshold(sweep, v, "warning", "upper", v->warning.upper);
	add_threshold(sweep, v, "critical", "lower", v->critical.lower);
	add_threshold(sweep, v, "critical", "upper", v->critical.upper);
}

/* `why` NULL: it speaks for itself. */
static void plugin_tell(struct plugin *p, enum check_state state, const char *why)
{
	struct check_run *run = p->run;
	char text[CHECK_TEXT];
	const char *output = p->text.data ? (const char *)p->text.data : "";
	perf_text(output, p->text.length, text, sizeof text);
	if (!why)
		perf_each(output, p->text.length, add_value, run->sweep);
	check_finish(run, state, "%s", why ? why : text);
}

/* ---- its end ---- */

/* False: there is no more at present, or no end to it. */
static bool read_some(struct plugin *p)
{
	char bytes[4096];
	ssize_t got = read(p->pipe, bytes, sizeof bytes);
	if (got > 0)
		fw_buf_append(&p->text, bytes, (size_t)got);
	if (got == 0)
		uv_poll_stop(&p->output);
	return got > 0 && !p->text.overflowed;
}

/* What is behind a state that is none. */
static void explain(const struct plugin *p, int status, char *why, size_t size)
{
	if (status == -ENOENT)
		snprintf(why, size,
			"who runs plugins has no check of this name in its file, or the file "
			"has changed since");
	else if (status == -ECONNRESET)
		snprintf(why, size, "who runs plugins has ended; its log says why");
	else if (status < 0)
		snprintf(why, size, "no process for the plugin: %s", fw_strerror(status));
	else if (p->text.overflowed)
		snprintf(why, size, "the plugin prints more than %u KiB", OUTPUT_LIMIT >> 10);
	else if (WIFSIGNALED(status))
		snprintf(why, size, "the plugin was ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) == RUNNER_NOT_RUN && p->text.length > 0)
		perf_text((const char *)p->text.data, p->text.length, why, size);
	else
		snprintf(why, size, "the plugin ended with %d", WEXITSTATUS(status));
}

static bool has_state(const struct plugin *p, int status)
{
	return status >= 0 && !p->text.overflowed && WIFEXITED(status) &&
		WEXITSTATUS(status) < CHECK_STATES;
}

static void on_ended(struct plugins_errand *errand, int status)
{
	struct plugin *p = FW_CONTAINER(errand, struct plugin, errand);
	char why[CHECK_TEXT];
	while (read_some(p))
		;
	if (has_state(p, status)) {
		plugin_tell(p, (enum check_state)WEXITSTATUS(status), NULL);
	} else {
		explain(p, status, why, sizeof why);
		plugin_tell(p, CHECK_UNKNOWN, why);
	}
	fw_owner_close(&p->owner);
}

static void on_output(uv_poll_t *poll, int status, int events)
{
	struct plugin *p = FW_CONTAINER(poll, struct plugin, output);
	(void)events;
	if (status >= 0)
		read_some(p);
	if (status < 0 || p->text.overflowed)
		uv_poll_stop(poll);
	if (p->text.overflowed)
		plugins_kill(&p->errand); /* on_ended tells */
}

/* ---- its beginning ---- */

/* On failure the pipe is closed. */
static int listen_first(struct plugin *p, int ends[2], struct fw_err *err)
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fw_fail_sys(err, -errno, "no pipe");
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	p->pipe = ends[0];
	int rc = uv_poll_init(p->run->loop, &p->output, p->pipe);
	if (rc < 0) {
		fw_close(ends[0]);
		fw_close(ends[1]);
		return fw_fail_sys(err, rc, "no pipe");
	}
	fw_owner_init(&p->owner, on_plugin_closed);
	fw_owner_adopt(&p->owner, &p->output);
	return 0;
}

static int start_plugin(struct check_run *run, struct fw_err *err)
{
	struct plugin *p = fw_alloc(sizeof *p);
	int ends[2];
	p->run = run;
	p->text.limit = OUTPUT_LIMIT;
	p->errand.on_ended = on_ended;
	int rc = listen_first(p, ends, err);
	if (rc < 0) {
		fw_free(p);
		return rc;
	}
	uv_poll_start(&p->output, UV_READABLE, on_output);
	rc = plugins_begin(&p->errand, run->spec->name, ends[1], err);
	fw_close(ends[1]);
	if (rc < 0)
		fw_owner_close(&p->owner);
	else
		run->state = p;
	return rc;
}

/* One that cannot die (it waits for a disk) nobody waits for. */
static void cancel_plugin(struct check_run *run)
{
	struct plugin *p = run->state;
	plugins_forget(&p->errand);
	fw_owner_close(&p->owner);
}

static int prepare_plugin(struct check_spec *spec, struct fw_err *err)
{
	if (spec->command.count == 0 || spec->command.items[0][0] != '/')
		return fw_fail(err, -EINVAL, "'command' begins with a path from /");
	if (spec->command.count > RUNNER_ARGUMENTS)
		return fw_fail(
			err, -EINVAL, "'command' has more than %d arguments", RUNNER_ARGUMENTS);
	return 0;
}

const struct check_kind check_plugin = {
	.name = "plugin",
	.help = "a Nagios-style plugin says so",
	.options = check_options_plugin,
	.prepare = prepare_plugin,
	.start = start_plugin,
	.cancel = cancel_plugin,
};
