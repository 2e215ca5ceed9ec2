/* How a program beside the agent hands over what it learns: sweeps of hosts, events, and
 * inventory.
 *
 *	struct probe_config config = {.program = "fenwatch-snmp 1.0", .on_durable = ...};
 *	probe_open(&probe, loop, &config, &err);
 *	struct probe_host *host = probe_host(probe, labels, 2);  // instance="sw1", job="snmp"
 *	probe_sweep(probe, host, &schema, cells, now_ms, 60000);  // whenever it was read
 *	n = probe_event(probe, NULL, "trap", fields, n_fields, now_ms);
 *	... on_durable(to): event n is on the agent's disk once `to` is n or more
 *
 * A sweep is all series of a host at one moment: what it does not mention has ended. It
 * goes out as a key, encoded at once, so that nothing of the caller's is kept. What is
 * not durable yet waits here, up to PROBE_QUEUE_BYTES, is sent again on the next
 * connection, and may so be stored twice after a crash of the agent, never be lost by
 * one. What the agent refuses, and hangs up for, is left out and counted: it does not keep what
 * stands behind it. While the agent is away the oldest sweeps make room for new ones and are counted;
 * an event or a document that finds no room is refused, so that its sender tries again.
 *
 * All on the loop's thread; completion is never synchronous.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <uv.h>

#include <fenwatch/buf.h>
#include <fenwatch/err.h>
#include <fenwatch/schema.h>

#define PROBE_SOCKET "/run/fenwatch-agent/probe.sock"
#define PROBE_QUEUE_BYTES (16u << 20)

struct probe;
struct probe_host;

struct probe_config {
	const char *socket;   /* NULL: PROBE_SOCKET */
	const char *program;  /* name and version, at most 64 bytes */
	uint64_t retry_ms;    /* between two attempts to reach the agent; 0: 2 s */
	uint64_t queue_bytes; /* 0: PROBE_QUEUE_BYTES */
	/* The agent has greeted; `instance` is what its own machine is called. Optional. */
	void (*on_ready)(const char *instance, void *arg);
	/* Everything up to number `to` is on the agent's disk, or further. Optional. */
	void (*on_durable)(uint64_t to, void *arg);
	/* The connection has ended, or could not be made: once each time it was there, and
	 * once at the start. Optional. */
	void (*on_lost)(const char *why, void *arg);
	void *arg;
};

int probe_open(
	struct probe **out, uv_loop_t *loop, const struct probe_config *config, struct fw_err *err);
/* The memory goes from the loop; no callback comes any more, and hosts are gone. */
void probe_close(struct probe *p);
bool probe_is_ready(const struct probe *p); /* the agent is there */

/* A host that this program watches, found by its labels or made; it lives as long as the
 * probe. `labels` are copied; instance and job must be among them, and job is not node. */
struct probe_host *probe_host(struct probe *p, const struct fw_label *labels, size_t n_labels);
/* The number of the sweep; 0: the schema has no columns, or is too large to travel. */
uint64_t probe_sweep(struct probe *p, struct probe_host *host, const struct fw_schema *schema,
	const int64_t *cells, int64_t at_ms, uint32_t interval_ms);
/* The number of the event; 0: there is no room for it, or it is over 64 KiB. `host` NULL:
 * the agent's own. Of `kind` a to z alone; what may not travel in a value is escaped. */
uint64_t probe_event(struct probe *p, struct probe_host *host, const char *kind,
	const struct fw_label *fields, size_t n_fields, int64_t at_ms);

/* A table of a host, whole: what it does not have has gone. Its lines are those of items.h, sorted
 * by their keys; `host` as above. The number of the document; 0: there is no room, or it is no
 * table that may travel. Say it when it has changed, and once after a start. */
uint64_t probe_document(struct probe *p, struct probe_host *host, const char *kind,
	const struct fw_buf *lines, int64_t at_ms);

struct probe_stat {
	uint64_t waiting, waiting_bytes; /* not durable yet */
	uint64_t dropped;                /* sweeps that had to make room */
	uint64_t refused;                /* what the agent would not have */
	uint64_t durable;                /* the highest number that is */
};
void probe_stat(const struct probe *p, struct probe_stat *out);

/* Whether root alone decides what a file says: it owns it, and nobody has one of the rights
 * `forbidden`. A service's own user is no better than others: who takes over the program must gain
 * nothing by its files. `own`: who runs this is a person, whose own file is as good. */
bool probe_file_is_roots(const struct stat *file, mode_t forbidden, bool own);
