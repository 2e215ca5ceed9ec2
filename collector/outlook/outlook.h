/* When filesystems fill, of every host, kept as series of that host:
 *
 *   fenwatch_filesystem_fills_timestamp_seconds{mountpoint,bound="earliest|likely|latest"}
 *   fenwatch_filesystem_fills_samples, _span_seconds {mountpoint}: what that rests on
 *   fenwatch_filesystem_inodes_gone_...: the same of inodes
 *
 * absent where the data carry no forecast, written once a minute where they do.
 * Every hour all hosts are gone through, two a second at most; the first time without
 * a pause, so that alerts of before the start go on; what was told before it is kept in
 * the collector's state. A host's history
 * is read on the pool when there is a forecast of it or one of its filesystems has
 * moved by half a percent since it was last read, and after six hours in any case;
 * other hosts cost a look at their newest values. Main thread.
 */
#pragma once

#include <stdint.h>

#include <uv.h>

#include <fenwatch/err.h>

struct outlook;
struct state;
struct store;

struct outlook_config {
	uv_loop_t *loop;
	struct state *state;
	struct store *store;
	/* The host has series that it did not have before, and they can be read. */
	void (*on_new_series)(uint32_t host, void *arg);
	void *arg;
};

int outlook_open(struct outlook **out, const struct outlook_config *config, struct fw_err *err);
int outlook_forget(struct outlook *outlook, uint32_t host, struct fw_err *err);
void outlook_close(struct outlook *outlook, void (*on_closed)(void *arg), void *arg);
