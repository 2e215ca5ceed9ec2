/* An agent that runs: its parts on one loop, shared by the files that join them.
 *
 * run.c opens and closes them, carries sweeps, documents and what programs beside it hand
 * over to the spool, and the spool to the disk; uplink_ops.c is what the uplink asks of them
 * and tells them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include <fenwatch/loop.h>

#include "agent.h"
#include "config.h"
#include "identity.h"

struct handover;
struct packer;
struct sampler;
struct settings;
struct source_plan;
struct spool;
struct uplink;
struct uplink_ops;

struct agent {
	const struct config *config;
	uv_loop_t loop;
	struct fw_owner owner;
	uv_timer_t flush, watchdog;
	uv_signal_t terminate, interrupt;

	struct machine machine;
	struct machine_id machine_id;
	struct identity identity;
	struct settings *settings;
	char *spool_dir;
	struct spool *spool;
	struct packer *packer;
	struct sampler *sampler;
	struct uplink *uplink;
	struct handover *handover; /* NULL: no socket for programs beside this one */
	struct source_plan *plans;
	int64_t renewal_asked_ms;
	unsigned sweeps; /* since the settings in force */
	bool write_failed, stopping;
	int64_t join_at_mono_ms; /* not tried again before */
	uint64_t too_many_bytes; /* ends because it had so many of its own */
	int lock;
};

/* What waits in memory goes to disk now, or in a while. */
void agent_write_out(struct agent *a);
void agent_flush_later(struct agent *a);
bool agent_all_is_written(const struct agent *a);
/* All of the inventory is sent anew, since a new stream has none of it. */
void agent_want_all_documents(struct agent *a);

extern const struct uplink_ops agent_uplink_ops; /* its `arg` is the agent */
