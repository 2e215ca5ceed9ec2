/* Documents and events, from the store's log to where they are kept: the inventory, and the
 * events.
 *
 * The store hands over what is durable on its writer's thread; it is copied,
 * carried to the main thread and filed once, known by agent, stream, lane and
 * number, and then released from the log. What SQLite does not take is tried again;
 * what was handed over and not released comes again after a restart.
 */
#pragma once

#include <uv.h>

#include <fenwatch/err.h>

struct events;
struct inventory;
struct records;
struct state;
struct store;
struct store_record;

int records_open(struct records **out, uv_loop_t *loop, struct state *state,
	struct inventory *inventory, struct events *events, struct fw_err *err);
/* From now on what is filed is released; NULL: the store is going. */
void records_set_store(struct records *records, struct store *store);
void records_take(struct records *records, const struct store_record *record); /* any thread */
/* Files what still waits. */
void records_close(struct records *records);
