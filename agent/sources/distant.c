/* SPDX-License-Identifier: Apache-2.0 */
#include "distant.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <sys/statvfs.h>
#include <sys/wait.h>

#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "../process.h"

enum {
	ASK_EVERY_MS = 60000,
	STUCK_AFTER_MS = 5000,
	KILL_AFTER_MS = 30000,
	FORGOTTEN_AFTER_MS = 180000,
	FIRST_PATIENCE_MS = 100,
	FIRST_ASKS_A_SWEEP = 16,
};

struct answer {
	int rc;
	struct space space;
};

struct distant {
	struct distant *next;
	char *mountpoint;
	pid_t pid; /* of the child that is asking; 0: none */
	int pipe;
	int64_t asked_at_ms;
	struct answer last;
	bool asked, answered, wanted;
};

int space_read(const char *mountpoint, struct space *out)
{
	struct statvfs st;
	if (statvfs(mountpoint, &st) < 0)
		return -errno;
	int64_t block = (int64_t)st.f_frsize;
	*out = (struct space){
		.size = (int64_t)st.f_blocks * block,
		.free = (int64_t)st.f_bfree * block,
		.avail = (int64_t)st.f_bavail * block,
		.files = (int64_t)st.f_files,
		.files_free = (int64_t)st.f_ffree,
	};
	return 0;
}

/* Without a child nothing has changed, and the next sweep tries again. */
static void ask(struct distant_set *set, struct distant *d, int64_t now_ms)
{
	int ends[2];
	if (set->children >= DISTANT_CHILDREN || pipe2(ends, O_CLOEXEC) < 0)
		return;
	pid_t pid = fork();
	if (pid == 0) {
		process_become_helper(ends[1], -1);
		struct answer answer = {0};
		answer.rc = space_read(d->mountpoint, &answer.space);
		fw_write(ends[1], &answer, sizeof answer);
		_exit(0);
	}
	fw_close(ends[1]);
	if (pid < 0) {
		fw_close(ends[0]);
		return;
	}
	d->asked = true;
	d->asked_at_ms = now_ms;
	d->pid = pid;
	d->pipe = ends[0];
	set->children++;
}

/* The pipe ends with the child: waiting for it takes no time. */
static void take(struct distant_set *set, struct distant *d)
{
	struct answer answer;
	d->answered = read(d->pipe, &answer, sizeof answer) == (ssize_t)sizeof answer;
	if (d->answered)
		d->last = answer;
	fw_close(d->pipe);
	waitpid(d->pid, NULL, 0);
	d->pid = 0;
	set->children--;
}

static void listen_to(struct distant_set *set, struct distant *d, int patience_ms)
{
	struct pollfd pipe = {.fd = d->pipe, .events = POLLIN};
	if (poll(&pipe, 1, patience_ms) > 0)
		take(set, d);
}

static struct distant *find(struct distant_set *set, const char *mountpoint)
{
	struct distant *d = set->first;
	while (d && strcmp(d->mountpoint, mountpoint) != 0)
		d = d->next;
	return d;
}

/* A mount asked for the first time is waited for, a little: so it is there in the
 * first sweep, and in --print. Where there are very many, they are asked over some
 * sweeps, and so spread over the minute for ever. */
static void ask_first(struct distant_set *set, struct distant *d, int64_t now_ms)
{
	if (set->first_asks == 0)
		return;
	set->first_asks--;
	ask(set, d, now_ms);
	int64_t began_ms = fw_mono_ms();
	if (d->pid)
		listen_to(set, d, set->patience_ms);
	int64_t waited_ms = fw_mono_ms() - began_ms;
	set->patience_ms = waited_ms < set->patience_ms ? set->patience_ms - (int)waited_ms : 0;
}

static struct distant *add(struct distant_set *set, const char *mountpoint)
{
	struct distant *d = fw_alloc(sizeof *d);
	d->mountpoint = fw_strdup(mountpoint);
	d->next = set->first;
	set->first = d;
	return d;
}

static void go_on(struct distant_set *set, struct distant *d, int64_t now_ms)
{
	int64_t waiting_ms = now_ms - d->asked_at_ms;
	if (d->pid)
		listen_to(set, d, 0);
	if (d->pid && waiting_ms >= KILL_AFTER_MS)
		kill(d->pid, SIGKILL);
	if (!d->pid && (waiting_ms >= ASK_EVERY_MS || waiting_ms < 0))
		ask(set, d, now_ms);
}

void distant_begin(struct distant_set *set)
{
	set->patience_ms = FIRST_PATIENCE_MS;
	set->first_asks = FIRST_ASKS_A_SWEEP;
	for (struct distant *d = set->first; d; d = d->next)
		d->wanted = false;
}

int distant_read(struct distant_set *set, const char *mountpoint, int64_t now_ms, struct space *out)
{
	struct distant *d = find(set, mountpoint);
	if (!d)
		d = add(set, mountpoint);
	d->wanted = true;
	if (d->asked)
		go_on(set, d, now_ms);
	else
		ask_first(set, d, now_ms);
	if (!d->asked || (!d->pid && now_ms - d->asked_at_ms > FORGOTTEN_AFTER_MS))
		return -EAGAIN;
	bool stuck = d->pid && now_ms - d->asked_at_ms >= STUCK_AFTER_MS;
	if (stuck || !d->answered)
		return -ETIMEDOUT;
	*out = d->last.space;
	return d->last.rc;
}

/* Of a mount that is gone. */
static void end(struct distant_set *set, struct distant *d)
{
	kill(d->pid, SIGKILL);
	listen_to(set, d, 0);
}

static void forget(struct distant *d)
{
	if (d->pid) {
		kill(d->pid, SIGKILL);
		waitpid(d->pid, NULL, WNOHANG);
		fw_close(d->pipe);
	}
	fw_free(d->mountpoint);
	fw_free(d);
}

/* One with a child that cannot die is kept, so that it can be waited for. */
void distant_end(struct distant_set *set)
{
	for (struct distant **at = &set->first; *at;) {
		struct distant *d = *at;
		if (!d->wanted && d->pid)
			end(set, d);
		if (d->wanted || d->pid) {
			at = &d->next;
			continue;
		}
		*at = d->next;
		forget(d);
	}
}

void distant_done(struct distant_set *set)
{
	while (set->first) {
		struct distant *d = set->first;
		set->first = d->next;
		forget(d);
	}
}
