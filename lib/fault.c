/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled only into builds with test seams.
 *
 * Armed faults stand in a short list. Each counts the calls of its operation
 * since it was armed, so that several can wait on one operation without
 * disturbing one another. A mutex guards the list: the collector's threads all
 * ask here.
 */
#include <fenwatch/fault.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fenwatch/text.h>

enum { MOST_FAULTS = 16, LAST_ERRNO = 133 };

struct armed {
	enum fw_op op;
	uint64_t nth, seen;
	int rc;
	bool forever, kill;
};

static struct {
	pthread_mutex_t lock;
	struct armed faults[MOST_FAULTS];
	size_t n_faults;
	uint64_t calls[FW_OP_COUNT];
	int64_t clock_shift_ms;
	const char *clock_file, *steady_file;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

static pthread_once_t environment_once = PTHREAD_ONCE_INIT;

static const char *const op_names[FW_OP_COUNT] = {
	[FW_OP_OPEN] = "open",
	[FW_OP_READ] = "read",
	[FW_OP_WRITE] = "write",
	[FW_OP_PWRITE] = "pwrite",
	[FW_OP_FSYNC] = "fsync",
	[FW_OP_FDATASYNC] = "fdatasync",
	[FW_OP_RENAME] = "rename",
	[FW_OP_UNLINK] = "unlink",
	[FW_OP_TRUNCATE] = "truncate",
	[FW_OP_FALLOCATE] = "fallocate",
	[FW_OP_ALLOC] = "alloc",
	[FW_OP_RECOGNISE] = "recognise",
};

/* A misspelt fault would be a test that cannot fail. */
static _Noreturn void refuse(const char *text)
{
	fprintf(stderr, "FENWATCH_FAULT: cannot read '%s'\n", text);
	_exit(2);
}

static void arm(const struct armed *fault)
{
	if (state.n_faults == MOST_FAULTS)
		refuse("more than 16 faults");
	state.faults[state.n_faults++] = *fault;
	state.calls[fault->op] = 0;
}

static bool cut_op(struct fw_cursor *c, enum fw_op *op)
{
	for (int i = 0; i < FW_OP_COUNT; i++) {
		struct fw_cursor rest = *c;
		if (fw_cut_literal(&rest, op_names[i]) && fw_cut_literal(&rest, ":")) {
			*op = (enum fw_op)i;
			*c = rest;
			return true;
		}
	}
	return false;
}

static bool cut_errno(struct fw_cursor *c, int *rc)
{
	for (int number = 1; number <= LAST_ERRNO; number++) {
		const char *name = strerrorname_np(number);
		struct fw_cursor rest = *c;
		if (name && fw_cut_literal(&rest, name) && rest.at == rest.end) {
			*rc = -number;
			*c = rest;
			return true;
		}
	}
	return false;
}

/* One fault of the list, as fault.h has it: OP:skip, OP:N[+]:ERRNO, kill:OP:N. */
static bool parse_fault(struct fw_cursor c, struct armed *fault)
{
	*fault = (struct armed){.kill = fw_cut_literal(&c, "kill:")};
	if (!cut_op(&c, &fault->op))
		return false;
	if (!fault->kill && fw_cut_literal(&c, "skip")) {
		*fault = (struct armed){.op = fault->op, .nth = 1, .rc = 1, .forever = true};
		return c.at == c.end;
	}
	if (!fw_cut_u64(&c, &fault->nth) || fault->nth == 0)
		return false;
	if (fault->kill)
		return c.at == c.end;
	fault->forever = fw_cut_literal(&c, "+");
	return fw_cut_literal(&c, ":") && cut_errno(&c, &fault->rc);
}

static void read_environment(void)
{
	state.clock_file = getenv("FENWATCH_CLOCK_FILE");
	state.steady_file = getenv("FENWATCH_STEADY_CLOCK_FILE");
	const char *text = getenv("FENWATCH_FAULT");
	while (text && *text) {
		size_t length = strcspn(text, ",");
		struct armed fault;
		if (!parse_fault((struct fw_cursor){text, text + length}, &fault))
			refuse(text);
		arm(&fault);
		text += length + (text[length] == ',');
	}
}

static void enter(void)
{
	pthread_once(&environment_once, read_environment);
	pthread_mutex_lock(&state.lock);
}

static void leave(void)
{
	pthread_mutex_unlock(&state.lock);
}

int fw_fault(enum fw_op op)
{
	int rc = 0;
	enter();
	state.calls[op]++;
	for (size_t i = 0; i < state.n_faults; i++) {
		struct armed *fault = &state.faults[i];
		if (fault->op != op)
			continue;
		fault->seen++;
		if (fault->seen != fault->nth && !(fault->forever && fault->seen > fault->nth))
			continue;
		if (fault->kill)
			kill(getpid(), SIGKILL);
		rc = fault->rc;
	}
	leave();
	return rc;
}

void fw_fault_arm(enum fw_op op, uint64_t nth, int rc, bool forever)
{
	enter();
	arm(&(struct armed){.op = op, .nth = nth, .rc = rc, .forever = forever});
	leave();
}

void fw_fault_clear(void)
{
	enter();
	state.n_faults = 0;
	state.clock_shift_ms = 0;
	memset(state.calls, 0, sizeof state.calls);
	leave();
}

uint64_t fw_fault_calls(enum fw_op op)
{
	enter();
	uint64_t calls = state.calls[op];
	leave();
	return calls;
}

void fw_fault_clock(int64_t wall_shift_ms)
{
	enter();
	state.clock_shift_ms = wall_shift_ms;
	leave();
}

/* A file that is missing or being rewritten shifts nothing. */
static int64_t shift_in(const char *path)
{
	char text[32];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t length = read(fd, text, sizeof text);
	close(fd);
	int64_t shift_ms = 0;
	if (length > 0)
		fw_cut_i64(&(struct fw_cursor){text, text + length}, &shift_ms);
	return shift_ms;
}

int64_t fw_fault_clock_shift(void)
{
	enter();
	int64_t shift_ms = state.clock_shift_ms;
	leave();
	return state.clock_file ? shift_ms + shift_in(state.clock_file) : shift_ms;
}

int64_t fw_fault_steady_shift(void)
{
	pthread_once(&environment_once, read_environment);
	return state.steady_file ? shift_in(state.steady_file) : 0;
}

uint64_t fw_fault_stride(uint64_t brief)
{
	const char *text = getenv("FENWATCH_FAULT_STRIDE");
	uint64_t stride;
	return text && fw_parse_u64(text, &stride) == 0 && stride ? stride : brief;
}
