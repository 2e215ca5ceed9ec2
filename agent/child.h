/* A slow source, read in a child process that can be killed.
 *
 * From child_open() on, a child is forked at once and then every `every_s`. It
 * reads the source, hands its samples back through a pipe and ends; its pipe
 * closing is its death, however it came. What it read is kept and added to every
 * sweep until the next read went well; inventory goes on at once. A child that takes longer than the
 * source's `timeout_s` is killed, and while one cannot die (a disk that does not
 * answer) no second one is started. After a failure the next read follows
 * within a minute. The sampler never waits. Where the machine lacks what the source
 * is `only_with`, there is no child.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include <fenwatch/err.h>

#include "documents.h"
#include "source.h"
#include "sweep.h"

struct child;

/* What becomes of inventory that a child has read; without it, none is made. */
struct child_sink {
	void (*on_document)(const struct document_news *news, void *arg);
	void *arg;
};

/* The source's `open` and `read` run in the child, which then ends; `close` is
 * not needed there. `m` must outlive it. */
int child_open(struct child **out, uv_loop_t *loop, const struct source *source, unsigned every_s,
	const struct machine *m, const struct child_sink *sink, struct fw_err *err);

struct child_report {
	int rc;              /* of the last read; -EAGAIN before the first has ended */
	struct fw_err err;   /* why it failed */
	int64_t read_at_ms;  /* wall time of the samples; 0: there are none yet */
	int64_t duration_ms; /* of the last read */
	uint64_t cpu_us;     /* of all reads so far */
};

/* Adds the kept samples, and says how the last read went. */
void child_replay(const struct child *c, struct sweep *out, struct child_report *report);
void child_close(struct child *c); /* kills it; the memory goes from the loop */
