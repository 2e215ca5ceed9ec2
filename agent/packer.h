/* Sweeps become frames.
 *
 * Connected and within the window, sweeps go to the live lane: one batch for
 * every `batch` sweeps, as differences to the last sweep sent there; the first
 * of a connection and one every ten minutes is a key. Otherwise they are
 * gathered in a chain, kept encoded in memory and once a minute in the spool's
 * journal, which becomes one column-wise backlog frame when it has 60 sweeps or
 * the window opens again. Nothing here waits or knows the network.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/err.h>
#include <fenwatch/schema.h>

#define KEY_EVERY_MS 600000

struct spool;
struct packer;

/* Makes a frame of the chain that a crash left in the spool's journal. */
struct packer *packer_new(struct spool *spool, uint32_t batch, uint32_t interval_ms);
void packer_free(struct packer *p);
void packer_set_interval(struct packer *p, uint32_t interval_ms);
void packer_set_max_sweeps(struct packer *p, uint32_t max_sweeps); /* of one batch; 0: no opinion */

/* One sweep. `live`: the connection is up and its window open. */
void packer_sweep(struct packer *p, const struct fw_schema *schema, const int64_t *cells,
	int64_t at_ms, bool live);
/* A connection is up: what was gathered becomes a frame, the next live one a key. */
void packer_connected(struct packer *p);
/* The connection is gone: a batch begun for the live lane joins the chain. */
void packer_disconnected(struct packer *p);
/* All that is gathered becomes a frame, a batch begun for the live lane too. */
void packer_close_chain(struct packer *p);
/* Makes the chain durable as far as it goes. */
int packer_journal(struct packer *p, struct fw_err *err);
bool packer_is_journaled(const struct packer *p);
/* Live frames up to this number are durable; call before spool_ack(). */
void packer_acked(struct packer *p, uint64_t live_to);
/* The collector could not read the first live frame that waits: it is made anew
 * as a key, or, where nobody has its base, becomes a gap. */
void packer_need_key(struct packer *p, int64_t now_ms);
