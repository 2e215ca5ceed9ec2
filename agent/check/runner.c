/* SPDX-License-Identifier: Apache-2.0 */
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <fenwatch/file.h>

#include "process.h"

#define ERRANDS 256 /* at once */
#define MEMORY_LIMIT (512u << 20)
#define FILE_LIMIT (1u << 20)
#define PROCESSES_EACH 16 /* of a plugin, in the middle: they are counted by their user */
#define PROCESSES_LEAST 64

struct errand {
	uint32_t id;
	pid_t pid;
};

struct runner {
	const struct check_config *config;
	bool apart;
	int connection, signals; /* a descriptor that is readable when one has come */
	struct errand errands[ERRANDS];
	size_t n;
};

/* ---- whom it becomes ---- */

int runner_find_user(struct runner_user *out, const char *name, struct fw_err *err)
{
	char room[4096];
	struct passwd user, *found = NULL;
	*out = (struct runner_user){.uid = geteuid(), .gid = getegid()};
	int rc = getpwnam_r(name, &user, room, sizeof room, &found);
	if (rc != 0 || !found)
		return fw_fail(err, -ENOENT, "there is no user '%.64s'", name);
	if (found->pw_uid == geteuid())
		return 0;
	if (geteuid() != 0)
		return fw_fail(err, -EPERM, "only root can become '%.64s'", name);
	*out = (struct runner_user){.uid = found->pw_uid, .gid = found->pw_gid, .becomes = true};
	return 0;
}

int runner_become(const struct runner_user *user, struct fw_err *err)
{
	int rc = user->becomes ? fw_become(user->uid, user->gid) : 0;
	return rc < 0 ? fw_fail_sys(err, rc, "becoming the user of plugins") : 0;
}

/* ---- one plugin ---- */

static void limit(__rlimit_resource_t what, rlim_t most)
{
	const struct rlimit both = {most, most};
	setrlimit(what, &both);
}

static void limit_all(const struct runner *r, int64_t timeout_ms)
{
	rlim_t processes = (rlim_t)r->config->most_plugins * PROCESSES_EACH;
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_AS, MEMORY_LIMIT);
	limit(RLIMIT_FSIZE, FILE_LIMIT);
	limit(RLIMIT_CPU, (rlim_t)(timeout_ms / 1000 + 1));
	if (r->apart)
		limit(RLIMIT_NPROC, processes < PROCESSES_LEAST ? PROCESSES_LEAST : processes);
}

/* In the child, where the plugin would have said how it went. */
static _Noreturn void tell_why_not(const char *path, int error, int output)
{
	bool lacks_other = error == ENOENT && access(path, F_OK) == 0;
	dprintf(output, "the plugin '%.300s' cannot be run: %s", path,
		error == ENOEXEC      ? "it is no program, and no script that begins with #!"
			: lacks_other ? "what its first line or its format names is not there"
				      : strerror(error));
	_exit(RUNNER_NOT_RUN);
}

/* In the child: without a shell, and without a way to more rights. */
static _Noreturn void become_plugin(
	const struct runner *r, const struct check_spec *spec, int output)
{
	static const char *const environment[] = {
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TZ=UTC", NULL};
	const char *argv[RUNNER_ARGUMENTS + 1] = {NULL};
	memcpy(argv, spec->command.items, spec->command.count * sizeof *argv);
	process_become_helper(output, -1);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0);
	limit_all(r, spec->timeout_ms);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (chdir("/") == 0 && null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
		dup2(null, STDERR_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0)
		execve(argv[0], (char *const *)(uintptr_t)argv,
			(char *const *)(uintptr_t)environment);
	tell_why_not(argv[0], errno, output);
}

/* Where nobody listens any more, poll() says so next. */
static void tell(const struct runner *r, uint32_t id, int status)
{
	const struct runner_answer answer = {.id = id, .status = status};
	send(r->connection, &answer, sizeof answer, MSG_NOSIGNAL);
}

static const struct check_spec *find_plugin(const struct check_config *config, const char *name)
{
	const struct check_spec *spec = check_config_find(config, name, NULL);
	return spec && spec->kind == &check_plugin ? spec : NULL;
}

static int fork_plugin(const struct runner *r, const struct check_spec *spec, int output)
{
	pid_t pid = process_fork();
	if (pid == 0)
		become_plugin(r, spec, output);
	if (pid < 0)
		return -errno;
	setpgid(pid, pid); /* whoever of the two comes first */
	return pid;
}

static void begin(struct runner *r, const struct runner_request *request, int output)
{
	const struct check_spec *spec = find_plugin(r->config, request->name);
	pid_t pid = !spec ? -ENOENT : r->n == ERRANDS ? -EAGAIN : fork_plugin(r, spec, output);
	if (pid < 0)
		tell(r, request->id, pid);
	else
		r->errands[r->n++] = (struct errand){.id = request->id, .pid = pid};
}

static void kill_group(pid_t pid)
{
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
}

static void kill_errand(const struct runner *r, uint32_t id)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->errands[i].id == id)
			kill_group(r->errands[i].pid);
}

/* ---- requests ---- */

/* The length of the packet, with the descriptor that came with it; -1: none did. */
static ssize_t receive(int connection, struct runner_request *out, int *descriptor)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = {.iov_base = out, .iov_len = sizeof *out};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_LEN(sizeof(int))}; /* there is no room for a second */
	*descriptor = -1;
	ssize_t n = recvmsg(connection, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	const struct cmsghdr *head = n < 0 ? NULL : CMSG_FIRSTHDR(&message);
	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
		head->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(descriptor, CMSG_DATA(head), sizeof(int));
	if (n >= 0 && (message.msg_flags & MSG_TRUNC))
		return -EMSGSIZE;
	return n < 0 ? -errno : n;
}

/* False: this is no request. */
static bool obey(struct runner *r, const struct runner_request *request, int output)
{
	if (!memchr(request->name, '\0', sizeof request->name) || request->id == 0)
		return false;
	if (request->code == RUNNER_KILL)
		kill_errand(r, request->id);
	else if (request->code == RUNNER_BEGIN && output >= 0)
		begin(r, request, output);
	else
		return false;
	return true;
}

/* False: the other end has gone, or is not who it should be. */
static bool take_request(struct runner *r)
{
	struct runner_request request;
	int output;
	ssize_t n = receive(r->connection, &request, &output);
	if (n == -EAGAIN || n == -EINTR)
		return true;
	bool well = n == (ssize_t)sizeof request && obey(r, &request, output);
	if (output >= 0)
		fw_close(output);
	return well;
}

/* ---- its life ---- */

/* What a plugin has left behind in its group ends with it. */
static void end_errand(struct runner *r, pid_t pid, int status)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->errands[i].pid == pid) {
			kill(-pid, SIGKILL);
			tell(r, r->errands[i].id, status);
			r->errands[i] = r->errands[--r->n];
			return;
		}
}

/* False: it was told to end. */
static bool take_signals(struct runner *r)
{
	struct signalfd_siginfo one;
	bool goes_on = true;
	int status;
	pid_t pid;
	while (read(r->signals, &one, sizeof one) > 0)
		goes_on &= one.ssi_signo == SIGCHLD;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		end_errand(r, pid, status);
	return goes_on;
}

/* So that one call waits for all there is. */
static int listen_for_signals(void)
{
	static const int numbers[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		sigaddset(&set, numbers[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void serve(struct runner *r)
{
	struct pollfd both[] = {
		{.fd = r->connection, .events = POLLIN}, {.fd = r->signals, .events = POLLIN}};
	bool goes_on = r->signals >= 0;
	while (goes_on && (poll(both, 2, -1) >= 0 || errno == EINTR)) {
		if (both[1].revents)
			goes_on = take_signals(r);
		if (both[0].revents)
			goes_on &= take_request(r);
	}
}

/* Nobody looks into it: it may be a copy of who forked it, secrets and all. */
void runner_serve(int connection, const struct check_config *config, bool apart)
{
	struct runner r = {.config = config, .apart = apart, .connection = connection};
	prctl(PR_SET_DUMPABLE, 0);
	r.signals = listen_for_signals();
	serve(&r);
	for (size_t i = 0; i < r.n; i++)
		kill_group(r.errands[i].pid);
	fw_close(connection);
}
