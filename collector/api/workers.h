/* The threads that answer what reads the store.
 *
 * Requests wait in a queue with a bound before a few threads of their own, so
 * that a slow question delays neither the loop nor who else uses libuv's pool.
 * Whoever has been answered comes back on the loop's thread, in any order.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#include <fenwatch/err.h>

struct request;
struct workers;

struct workers_config {
	uv_loop_t *loop;
	unsigned threads;
	size_t queue;                         /* requests that may wait */
	bool (*work)(struct request *);       /* on one of the threads; false: answered later */
	void (*on_worked)(struct request *r); /* on the loop's */
};

int workers_open(struct workers **out, const struct workers_config *config, struct fw_err *err);
/* False when too many wait already. */
bool workers_put(struct workers *workers, struct request *request);
/* One that was to be answered later has been. Any thread. */
void workers_answered(struct workers *workers, struct request *request);
/* Once nothing waits and nothing runs; `on_closed` comes from the loop. */
void workers_close(struct workers *workers, void (*on_closed)(void *arg), void *arg);
