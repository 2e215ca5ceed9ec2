/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <fenwatch/file.h>
#include <fenwatch/log.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#include "process.h"
#include "runner.h"

#define AS_WE_ARE "plugins run as who runs this program, not as a user of their own"

struct line {
	struct fw_owner owner;
	uv_poll_t poll;
	int fd;
};

static struct {
	uv_loop_t *loop;
	const struct check_config *config;
	bool forks; /* whatever the unit does */
	enum { UNSETTLED, BY_UNIT, FORKED } way;
	struct runner_user user; /* of one that is forked */
	struct line *line;       /* NULL: none at present */
	uint32_t last_id;
	LIST_HEAD(plugins_errands, plugins_errand) errands;
} plugins;

/* ---- the connection ---- */

static void on_line_closed(struct fw_owner *owner)
{
	struct line *line = FW_CONTAINER(owner, struct line, owner);
	fw_close(line->fd);
	fw_free(line);
}

void plugins_hang_up(void)
{
	if (plugins.line)
		fw_owner_close(&plugins.line->owner);
	plugins.line = NULL;
}

static void tell_ended(struct plugins_errand *errand, int status)
{
	LIST_REMOVE(errand, entry);
	errand->on_ended(errand, status);
}

static struct plugins_errand *find_errand(uint32_t id)
{
	struct plugins_errand *errand;
	LIST_FOREACH (errand, &plugins.errands, entry)
		if (errand->id == id)
			return errand;
	return NULL;
}

static void lose_all(void)
{
	plugins_hang_up();
	while (!LIST_EMPTY(&plugins.errands))
		tell_ended(LIST_FIRST(&plugins.errands), -ECONNRESET);
}

static void on_answers(uv_poll_t *poll, int status, int events)
{
	struct line *line = FW_CONTAINER(poll, struct line, poll);
	struct runner_answer answer;
	ssize_t n = 0;
	(void)events;
	while (line == plugins.line && status >= 0 &&
		(n = recv(line->fd, &answer, sizeof answer, MSG_DONTWAIT)) ==
			(ssize_t)sizeof answer) {
		struct plugins_errand *errand = find_errand(answer.id);
		if (errand)
			tell_ended(errand, answer.status);
	}
	if (line == plugins.line && !(n < 0 && (errno == EAGAIN || errno == EINTR)))
		lose_all();
}

static int take_line(int fd, struct fw_err *err)
{
	struct line *line = fw_alloc(sizeof *line);
	line->fd = fd;
	int rc = uv_poll_init(plugins.loop, &line->poll, fd);
	if (rc < 0) {
		fw_close(fd);
		fw_free(line);
		return fw_fail_sys(err, rc, "the connection to who runs plugins");
	}
	fw_owner_init(&line->owner, on_line_closed);
	fw_owner_adopt(&line->owner, &line->poll);
	uv_poll_start(&line->poll, UV_READABLE, on_answers);
	plugins.line = line;
	return 0;
}

/* ---- who is at its far end ---- */

static int dial(const char *path, struct fw_err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof address.sun_path)
		return fw_fail(err, -ENAMETOOLONG, "'%s': the path is too long", path);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fw_fail_sys(err, -errno, "no socket");
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	int rc = -errno;
	fw_close(fd);
	return fw_fail_sys(err, rc, "nobody listens at '%s'", path);
}

static _Noreturn void be_runner(int connection)
{
	struct fw_err err;
	process_become_helper(connection, -1);
	prctl(PR_SET_PDEATHSIG, 0); /* it ends with the connection, and first what it runs */
	int rc = runner_become(&plugins.user, &err);
	if (rc < 0)
		fw_log(FW_WARNING, AS_WE_ARE ": %s", err.text);
	runner_serve(connection, plugins.config, rc == 0 && plugins.user.becomes);
	_exit(0);
}

static int fork_runner(struct fw_err *err)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return fw_fail_sys(err, -errno, "no connection to who would run plugins");
	pid_t pid = fork();
	if (pid == 0)
		be_runner(ends[1]);
	int rc = pid < 0 ? -errno : 0;
	fw_close(ends[1]);
	if (rc == 0)
		return ends[0];
	fw_close(ends[0]);
	return fw_fail_sys(err, rc, "no child");
}

static void settle_on_fork(const struct fw_err *no_unit)
{
	struct fw_err err;
	plugins.way = FORKED;
	signal(SIGCHLD, SIG_IGN); /* nobody waits for them */
	if (runner_find_user(&plugins.user, plugins.config->plugins_user, &err) < 0)
		fw_log(FW_WARNING, AS_WE_ARE ": %s%s%s", no_unit ? no_unit->text : "",
			no_unit ? ", and " : "", err.text);
}

/* Who listens there once is asked for ever: were we to run plugins ourselves when it ends, one that
 * ends it would have our rights. */
static int connect_first(struct fw_err *err)
{
	int fd = plugins.forks ? -1 : dial(plugins.config->plugins_socket, err);
	if (fd >= 0)
		plugins.way = BY_UNIT;
	else
		settle_on_fork(plugins.forks ? NULL : err);
	return fd;
}

static int connect_anybody(struct fw_err *err)
{
	int fd = -1;
	if (plugins.way == UNSETTLED)
		fd = connect_first(err);
	else if (plugins.way == BY_UNIT)
		fd = dial(plugins.config->plugins_socket, err);
	if (plugins.way == FORKED)
		fd = fork_runner(err);
	return fd < 0 ? fd : take_line(fd, err);
}

/* ---- the door ---- */

void plugins_open(uv_loop_t *loop, const struct check_config *config, bool forked)
{
	plugins.loop = loop;
	plugins.config = config;
	plugins.forks = forked;
	LIST_INIT(&plugins.errands);
}

static int send_request(const struct runner_request *request, int descriptor)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.head = {.cmsg_level = SOL_SOCKET,
			     .cmsg_type = SCM_RIGHTS,
			     .cmsg_len = CMSG_LEN(sizeof(int))}};
	struct iovec part = {.iov_base = (void *)(uintptr_t)request, .iov_len = sizeof *request};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	memcpy(CMSG_DATA(&control.head), &descriptor, sizeof descriptor);
	if (descriptor >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof control;
	}
	return sendmsg(plugins.line->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int plugins_begin(struct plugins_errand *errand, const char *check, int output, struct fw_err *err)
{
	struct runner_request request = {.code = RUNNER_BEGIN};
	int rc = plugins.line ? 0 : connect_anybody(err);
	if (rc < 0)
		return rc;
	while (request.id == 0 || find_errand(request.id))
		request.id = ++plugins.last_id;
	snprintf(request.name, sizeof request.name, "%s", check);
	rc = send_request(&request, output);
	if (rc < 0)
		return fw_fail_sys(err, rc, "who runs plugins takes no request");
	errand->id = request.id;
	LIST_INSERT_HEAD(&plugins.errands, errand, entry);
	return 0;
}

void plugins_kill(const struct plugins_errand *errand)
{
	const struct runner_request request = {.code = RUNNER_KILL, .id = errand->id};
	if (plugins.line)
		send_request(&request, -1);
}

void plugins_forget(struct plugins_errand *errand)
{
	plugins_kill(errand);
	LIST_REMOVE(errand, entry);
}
