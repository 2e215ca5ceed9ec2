/* SPDX-License-Identifier: Apache-2.0 */
/* plugin: a program that the root-owned configuration names ends with a state, and prints a
 * line and performance data.
 *
 * It runs without a shell, without privileges to gain, in a process group of its own with
 * limits, and the whole group is killed when it ends, at its timeout, or when it prints
 * more than OUTPUT_LIMIT. What it leaves behind in another session keeps its pipe, which
 * nobody reads any more. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <fenwatch/buf.h>
#include <fenwatch/file.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#include "metrics.h"
#include "options.h"
#include "perfdata.h"
#include "process.h"

#define OUTPUT_LIMIT (64u << 10)
#define MEMORY_LIMIT (512u << 20)
#define FILE_LIMIT (1u << 20)
#define ARGUMENTS 64

enum { PLUGIN_NOT_RUN = 127 };

struct plugin {
	struct fw_owner owner;
	uv_poll_t output;
	uv_signal_t ended;
	struct check_run *run;
	pid_t pid;
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

/* `why` NULL: it speaks for itself. The object stays until its process is gone. */
static void plugin_tell(struct plugin *p, enum check_state state, const char *why)
{
	struct check_run *run = p->run;
	char text[CHECK_TEXT];
	const char *output = p->text.data ? (const char *)p->text.data : "";
	perf_text(output, p->text.length, text, sizeof text);
	if (!why)
		perf_each(output, p->text.length, add_value, run->sweep);
	p->run = NULL;
	check_finish(run, state, "%s", why ? why : text);
}

/* ---- its end ---- */

/* One that cannot die (it waits for a disk) is left for later, and nobody waits for it. */
static void plugin_kill(struct plugin *p)
{
	kill(-p->pid, SIGKILL);
	kill(p->pid, SIGKILL);
	uv_poll_stop(&p->output);
	uv_unref((uv_handle_t *)&p->ended);
	p->run = NULL;
}

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

static void judge(struct plugin *p, int status)
{
	char why[64] = "the plugin cannot be run";
	if (p->text.overflowed)
		snprintf(why, sizeof why, "the plugin prints more than %u KiB", OUTPUT_LIMIT >> 10);
	else if (WIFSIGNALED(status))
		snprintf(why, sizeof why, "the plugin was ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) < CHECK_STATES)
		why[0] = '\0';
	else if (WEXITSTATUS(status) != PLUGIN_NOT_RUN)
		snprintf(why, sizeof why, "the plugin ended with %d", WEXITSTATUS(status));
	if (why[0])
		plugin_tell(p, CHECK_UNKNOWN, why);
	else
		plugin_tell(p, (enum check_state)WEXITSTATUS(status), NULL);
}

/* Some child has ended. */
static void on_child(uv_signal_t *handle, int number)
{
	struct plugin *p = FW_CONTAINER(handle, struct plugin, ended);
	int status;
	(void)number;
	if (p->owner.closing || waitpid(p->pid, &status, WNOHANG) != p->pid)
		return;
	kill(-p->pid, SIGKILL);
	if (p->run) {
		while (read_some(p))
			;
		judge(p, status);
	}
	fw_owner_close(&p->owner);
}

static void on_output(uv_poll_t *poll, int status, int events)
{
	struct plugin *p = FW_CONTAINER(poll, struct plugin, output);
	(void)events;
	if (status < 0)
		uv_poll_stop(poll);
	else
		read_some(p);
	if (p->text.overflowed && p->run)
		kill(-p->pid, SIGKILL); /* on_child tells */
}

/* ---- its beginning ---- */

static void limit(__rlimit_resource_t what, rlim_t most)
{
	const struct rlimit both = {most, most};
	setrlimit(what, &both);
}

/* In the child. What it may do it was given by who started us, but for capabilities. */
static _Noreturn void become(const struct fw_text_list *command, int64_t timeout_ms, int output)
{
	static const char *const environment[] = {
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TZ=UTC", NULL};
	const char *argv[ARGUMENTS + 1] = {NULL};
	memcpy(argv, command->items, command->count * sizeof *argv);
	process_become_helper(output, -1);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_AS, MEMORY_LIMIT);
	limit(RLIMIT_FSIZE, FILE_LIMIT);
	limit(RLIMIT_CPU, (rlim_t)(timeout_ms / 1000 + 1));
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (chdir("/") == 0 && null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
		dup2(null, STDERR_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0)
		execve(argv[0], (char *const *)(uintptr_t)argv,
			(char *const *)(uintptr_t)environment);
	_exit(PLUGIN_NOT_RUN);
}

static int fork_plugin(struct plugin *p, int ends[2], struct fw_err *err)
{
	const struct check_spec *spec = p->run->spec;
	p->pid = fork();
	if (p->pid == 0)
		become(&spec->command, spec->timeout_ms, ends[1]);
	int rc = p->pid < 0 ? -errno : 0;
	fw_close(ends[1]);
	if (rc < 0)
		return fw_fail_sys(err, rc, "no child");
	setpgid(p->pid, p->pid); /* whoever of the two comes first */
	return 0;
}

/* Its end is listened for before it begins. On failure the pipe is closed. */
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
	uv_signal_init(p->run->loop, &p->ended);
	fw_owner_init(&p->owner, on_plugin_closed);
	fw_owner_adopt(&p->owner, &p->output);
	fw_owner_adopt(&p->owner, &p->ended);
	return 0;
}

static int start_plugin(struct check_run *run, struct fw_err *err)
{
	struct plugin *p = fw_alloc(sizeof *p);
	int ends[2];
	p->run = run;
	p->text.limit = OUTPUT_LIMIT;
	int rc = listen_first(p, ends, err);
	if (rc < 0) {
		fw_free(p);
		return rc;
	}
	uv_poll_start(&p->output, UV_READABLE, on_output);
	uv_signal_start(&p->ended, on_child, SIGCHLD);
	rc = fork_plugin(p, ends, err);
	if (rc < 0)
		fw_owner_close(&p->owner);
	else
		run->state = p;
	return rc;
}

static void cancel_plugin(struct check_run *run)
{
	plugin_kill(run->state);
}

static int prepare_plugin(struct check_spec *spec, struct fw_err *err)
{
	if (spec->command.count == 0 || spec->command.items[0][0] != '/')
		return fw_fail(err, -EINVAL, "'command' begins with a path from /");
	if (spec->command.count > ARGUMENTS)
		return fw_fail(err, -EINVAL, "'command' has more than %d arguments", ARGUMENTS);
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
