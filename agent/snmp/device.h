/* A device that is read on a schedule of its own.
 *
 * Its reads lie on a grid of its interval, shifted by a number drawn from its name, so
 * that many devices spread evenly. A read walks its modules one after another and gives a
 * sweep, or fails as a whole and gives none: so a device that falls silent in the middle
 * is silent. One that has failed is asked less often, down to every fifth time. A read
 * that is not over when the next one is due fails. Nothing here waits for another device,
 * and of a read nothing is kept but which counters have wrapped: there may be thousands of devices.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include <fenwatch/buf.h>

#include "devices.h"
#include "sweep.h"

struct device;
struct probe;
struct probe_host;
struct wraps;

struct device_config {
	const struct device_settings *settings;
	bool once; /* now, and never again, for a person */
	/* As it was read until now, which ends with the call; NULL: it is new. */
	const struct device *before;
	/* Either a sweep, with what of it is not whole (NULL: all is), or why there is none. */
	void (*on_read)(struct device *d, struct sweep *sweep, const char *why, void *arg);
	/* A table of its inventory that has changed; false: it was not taken. */
	bool (*on_table)(struct device *d, const char *kind, const struct fw_buf *lines, void *arg);
	void (*on_end)(struct device *d, void *arg); /* of `once`: nothing more comes */
	void *arg;
};

struct device *device_new(uv_loop_t *loop, const struct device_config *config);
void device_free(struct device *d); /* the memory goes from the loop */
const struct device_settings *device_settings(const struct device *d);
const char *device_address(const struct device *d); /* where it was found; "": nowhere yet */
/* Whether this is not what it was told of last, as it is from now on; NULL: all is well. */
bool device_is_news(struct device *d, const char *state);

/* What its counters have wrapped, for who writes it down and reads it again. */
struct wraps *device_wraps(struct device *d);

/* What the agent is handed is the same host's, whether a device was read or has sent a trap. */
struct probe_host *device_host(struct probe *probe, const char *name);

/* How long until the next read, `now_ms` of the wall; pure. */
int64_t device_wait_ms(const char *name, int64_t every_ms, unsigned failures, int64_t now_ms);
