/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <fenwatch/file.h>
#include <fenwatch/log.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#include "../process.h"
#include "rights.h"

#define PEERS_LIMIT 8
#define JOBS_LIMIT 32
#define CHILD_MEMORY ((rlim_t)256 << 20)

/* One child process, and the pipe from it. */
struct job {
	LIST_ENTRY(job) entry;
	struct fw_owner owner;
	uv_poll_t poll;
	uv_timer_t deadline;
	struct server *server;
	struct peer *peer; /* NULL: nobody waits for it any more */
	struct facts_request request;
	pid_t pid;
	int pipe;
	struct fw_buf packet;
};

struct peer {
	LIST_ENTRY(peer) entry;
	struct fw_owner owner;
	uv_poll_t poll;
	struct server *server;
	int fd;
	struct job *job; /* it waits for this */
};

struct server {
	struct fw_owner owner;
	uv_poll_t poll;
	uv_timer_t idle;
	uv_loop_t *loop;
	struct server_config config;
	LIST_HEAD(peers, peer) peers;
	LIST_HEAD(jobs, job) jobs;
	unsigned n_peers, n_jobs;
};

/* ---- answers ---- */

static void close_peer(struct peer *peer);

static void answer(struct peer *peer, const uint8_t *packet, size_t length)
{
	if (send(peer->fd, packet, length, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)length)
		close_peer(peer);
}

static void answer_failure(struct peer *peer, enum facts_code code, int rc)
{
	struct fw_buf packet = {0};
	facts_put_answer(code, rc, NULL, &packet);
	answer(peer, packet.data, packet.length);
	fw_buf_done(&packet);
}

/* ---- jobs ---- */

static void on_job_closed(struct fw_owner *owner)
{
	struct job *job = FW_CONTAINER(owner, struct job, owner);
	fw_close(job->pipe);
	fw_buf_done(&job->packet);
	fw_free(job);
}

static void end_job(struct job *job)
{
	struct server *s = job->server;
	LIST_REMOVE(job, entry);
	s->n_jobs--;
	if (job->peer)
		job->peer->job = NULL;
	fw_owner_close(&job->owner);
}

/* The child leads a group of its own, so that what it ran goes with it. */
static void kill_job(const struct job *job)
{
	kill(-job->pid, SIGKILL);
	kill(job->pid, SIGKILL);
}

/* The child may have been led astray by what it read: its packet is looked at as any. */
static void finish(struct job *job)
{
	struct peer *peer = job->peer;
	struct fw_buf body = {0};
	kill_job(job);
	waitpid(job->pid, NULL, 0);
	int rc = facts_get_answer(job->request.code, job->packet.data, job->packet.length, &body);
	if (peer && rc == -EBADMSG)
		answer_failure(peer, job->request.code, -EIO);
	else if (peer)
		answer(peer, job->packet.data, job->packet.length);
	fw_buf_done(&body);
	end_job(job);
}

static void on_job_readable(uv_poll_t *poll, int status, int events)
{
	struct job *job = FW_CONTAINER(poll, struct job, poll);
	uint8_t bytes[4096];
	(void)events;
	ssize_t got = status < 0 ? 0 : read(job->pipe, bytes, sizeof bytes);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		finish(job);
		return;
	}
	fw_buf_append(&job->packet, bytes, (size_t)got);
	if (job->packet.overflowed)
		kill_job(job);
}

static void on_deadline(uv_timer_t *timer)
{
	struct job *job = FW_CONTAINER(timer, struct job, deadline);
	const struct facts_limits *limits = &facts_limits[job->request.code];
	struct peer *peer = job->peer;
	fw_log(FW_WARNING, "request %s of %u:%u has not ended within %u s", limits->name,
		job->request.major, job->request.minor, limits->timeout_s);
	kill_job(job);
	job->peer = NULL;
	if (!peer)
		return;
	peer->job = NULL;
	answer_failure(peer, job->request.code, -ETIMEDOUT);
}

static void limit_child(void)
{
	const struct rlimit none = {0, 0}, memory = {CHILD_MEMORY, CHILD_MEMORY};
	setrlimit(RLIMIT_CORE, &none);
	setrlimit(RLIMIT_FSIZE, &none);
#ifndef __SANITIZE_ADDRESS__ /* which takes terabytes of addresses */
	setrlimit(RLIMIT_AS, &memory);
#else
	(void)memory;
#endif
}

/* The pipe is handed on to a program, so that it ends with the last of them. */
static _Noreturn void run_child(
	const struct server *s, const struct facts_request *request, int pipe)
{
	struct machine m = *s->config.machine;
	struct fw_buf body = {.limit = FACTS_ANSWER_LIMIT}, packet = {0};
	m.text = (struct fw_buf){0};
	process_become_helper(pipe, m.root);
	setpgid(0, 0);
	limit_child();
	fcntl(pipe, F_SETFD, 0);
	int rc = rights_keep_only(facts_limits[request->code].capabilities);
	if (rc == 0)
		rc = facts_perform(&m, s->config.smartctl, request, &body);
	if (rc == 0 && body.overflowed)
		rc = -EFBIG;
	facts_put_answer(request->code, rc, &body, &packet);
	fw_write(pipe, packet.data, packet.length);
	_exit(0);
}

static int fork_child(struct server *s, struct job *job)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	job->pid = fork();
	if (job->pid == 0)
		run_child(s, &job->request, ends[1]);
	int rc = job->pid < 0 ? -errno : 0;
	fw_close(ends[1]);
	if (rc < 0) {
		fw_close(ends[0]);
		return rc;
	}
	setpgid(job->pid, job->pid);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	job->pipe = ends[0];
	return 0;
}

/* Another child is where this one would go. */
static bool is_busy(const struct server *s, const struct facts_request *request)
{
	bool of_disk = facts_limits[request->code].of_disk;
	const struct job *job = NULL;
	if (s->n_jobs >= JOBS_LIMIT)
		return true;
	LIST_FOREACH (job, &s->jobs, entry) {
		if (of_disk && facts_limits[job->request.code].of_disk &&
			job->request.major == request->major &&
			job->request.minor == request->minor)
			return true;
		if (!of_disk && job->request.code == request->code)
			return true;
	}
	return false;
}

static void watch_job(struct server *s, struct job *job)
{
	fw_owner_init(&job->owner, on_job_closed);
	uv_poll_init(s->loop, &job->poll, job->pipe);
	fw_owner_adopt(&job->owner, &job->poll);
	uv_timer_init(s->loop, &job->deadline);
	fw_owner_adopt(&job->owner, &job->deadline);
	uv_poll_start(&job->poll, UV_READABLE, on_job_readable);
	uv_timer_start(&job->deadline, on_deadline,
		(uint64_t)facts_limits[job->request.code].timeout_s * 1000, 0);
}

static int start_job(struct peer *peer, const struct facts_request *request)
{
	struct server *s = peer->server;
	if (!(s->config.codes >> request->code & 1))
		return -EOPNOTSUPP;
	if (is_busy(s, request))
		return -EBUSY;
	struct job *job = fw_alloc(sizeof *job);
	*job = (struct job){.server = s, .peer = peer, .request = *request};
	job->packet.limit = FACTS_HEAD_BYTES + FACTS_ANSWER_LIMIT;
	int rc = fork_child(s, job);
	if (rc < 0) {
		fw_free(job);
		return rc;
	}
	watch_job(s, job);
	LIST_INSERT_HEAD(&s->jobs, job, entry);
	s->n_jobs++;
	peer->job = job;
	return 0;
}

/* ---- peers ---- */

static void on_peer_closed(struct fw_owner *owner)
{
	struct peer *peer = FW_CONTAINER(owner, struct peer, owner);
	fw_close(peer->fd);
	fw_free(peer);
}

static void on_idle(uv_timer_t *timer)
{
	struct server *s = FW_CONTAINER(timer, struct server, idle);
	s->config.on_idle(s->config.arg);
}

static void wait_idle(struct server *s)
{
	if (s->config.idle_ms > 0 && s->n_peers == 0 && !s->owner.closing)
		uv_timer_start(&s->idle, on_idle, (uint64_t)s->config.idle_ms, 0);
}

static void close_peer(struct peer *peer)
{
	struct server *s = peer->server;
	if (peer->owner.closing)
		return;
	if (peer->job) {
		peer->job->peer = NULL;
		kill_job(peer->job);
	}
	LIST_REMOVE(peer, entry);
	s->n_peers--;
	fw_owner_close(&peer->owner);
	wait_idle(s);
}

static void on_peer_readable(uv_poll_t *poll, int status, int events)
{
	struct peer *peer = FW_CONTAINER(poll, struct peer, poll);
	uint8_t bytes[FACTS_REQUEST_BYTES + 1];
	struct facts_request request;
	(void)events;
	ssize_t got = status < 0 ? 0 : recv(peer->fd, bytes, sizeof bytes, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0 || peer->job || facts_get_request(bytes, (size_t)got, &request) < 0) {
		close_peer(peer);
		return;
	}
	int rc = start_job(peer, &request);
	if (rc < 0)
		answer_failure(peer, request.code, rc);
}

static bool is_allowed(const struct server *s, int fd)
{
	struct ucred cred;
	socklen_t length = sizeof cred;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &length) < 0)
		return false;
	if (cred.uid == s->config.uid || cred.uid == 0)
		return true;
	fw_log(FW_WARNING, "a process of user %u (%d) was refused", cred.uid, (int)cred.pid);
	return false;
}

static void take_peer(struct server *s, int fd)
{
	if (s->n_peers >= PEERS_LIMIT || !is_allowed(s, fd)) {
		fw_close(fd);
		return;
	}
	struct peer *peer = fw_alloc(sizeof *peer);
	*peer = (struct peer){.server = s, .fd = fd};
	fw_owner_init(&peer->owner, on_peer_closed);
	uv_poll_init(s->loop, &peer->poll, fd);
	fw_owner_adopt(&peer->owner, &peer->poll);
	uv_poll_start(&peer->poll, UV_READABLE, on_peer_readable);
	LIST_INSERT_HEAD(&s->peers, peer, entry);
	s->n_peers++;
	uv_timer_stop(&s->idle);
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
	struct server *s = FW_CONTAINER(poll, struct server, poll);
	(void)events;
	int fd = status < 0 ? -1 : accept4(s->config.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		take_peer(s, fd);
}

/* ---- the server ---- */

static void on_server_closed(struct fw_owner *owner)
{
	struct server *s = FW_CONTAINER(owner, struct server, owner);
	fw_close(s->config.fd);
	fw_free(s);
}

int server_open(struct server **out, uv_loop_t *loop, const struct server_config *config,
	struct fw_err *err)
{
	struct server *s = fw_alloc(sizeof *s);
	*s = (struct server){.loop = loop, .config = *config};
	fcntl(config->fd, F_SETFL, O_NONBLOCK);
	int rc = uv_poll_init(loop, &s->poll, config->fd);
	if (rc < 0) {
		fw_close(config->fd);
		fw_free(s);
		return fw_fail_sys(err, rc, "socket");
	}
	fw_owner_init(&s->owner, on_server_closed);
	fw_owner_adopt(&s->owner, &s->poll);
	uv_timer_init(loop, &s->idle);
	fw_owner_adopt(&s->owner, &s->idle);
	uv_poll_start(&s->poll, UV_READABLE, on_acceptable);
	wait_idle(s);
	*out = s;
	return 0;
}

/* Children that cannot die yet are left to the system. */
void server_close(struct server *s)
{
	struct peer *peer, *next_peer;
	struct job *job, *next_job;
	if (!s)
		return;
	fw_owner_close(&s->owner);
	for (peer = LIST_FIRST(&s->peers); peer; peer = next_peer) {
		next_peer = LIST_NEXT(peer, entry);
		close_peer(peer);
	}
	for (job = LIST_FIRST(&s->jobs); job; job = next_job) {
		next_job = LIST_NEXT(job, entry);
		kill_job(job);
		waitpid(job->pid, NULL, WNOHANG);
		end_job(job);
	}
}
