/* Processes that may be thrown away.
 *
 * A helper is forked from the agent to read what may hang or need much memory;
 * it reports through a pipe and ends with _exit(). Programs that it runs die
 * with it.
 */
#pragma once

#include <sys/types.h>

#include <fenwatch/buf.h>

/* To be called first in a forked child. Descriptors other than the standard
 * three and these two are closed, so that no lock or socket of the agent lives
 * on in a child that cannot die; signals are as in a new program; it ends with
 * its parent and is the last to get CPU and disk. */
void process_become_helper(int keep, int keep_too);

/* fork() from a process that process_become_helper() has made one, where libuv's own handler would
 * close numbers that were its pipe's before and are somebody else's now. */
pid_t process_fork(void);

/* Runs `argv` (argv[0] is a path) with an environment of its own and appends
 * what it writes, at most `limit` bytes. Waits for its end: for helpers only.
 * Its exit status, or a negative errno. */
int process_output(const char *const *argv, size_t limit, struct fw_buf *out);
/* The same, as nobody where the agent is root, and with no way back. */
int process_output_as_nobody(const char *const *argv, size_t limit, struct fw_buf *out);
