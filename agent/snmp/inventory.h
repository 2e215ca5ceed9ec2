/* A device's tables, read between its sweeps.
 *
 * Now and then all modules with documents are walked, one after another. Who owns the device
 * asks what is to be asked next, whenever no sweep is waiting, so that a long table is read
 * in pieces and delays none. A table is told when all are there and it has changed, and once
 * after the start; one that was not taken is told again the next time. Pure.
 */
#pragma once

#include "devices.h"
#include "reading.h"
#include "tables.h"

struct told {
	const char *kind;
	uint8_t hash[32];
};

struct inventory {
	const struct device_settings *settings;
	/* False: it is to be told again. */
	bool (*on_table)(const char *kind, const struct fw_buf *lines, void *arg);
	void *arg;
	struct told told[FW_DOCUMENTS_LIMIT];
	size_t n_told;
	int64_t due_ms;
	/* of each module, as it was read last; NULL: not yet */
	struct reading_stat *stats;
	/* while it is read */
	struct tables *tables; /* NULL: it is not */
	unsigned module;
	int64_t began_ms; /* the module */
	struct walk walk;
};

void inventory_init(struct inventory *inv, const struct device_settings *settings);
/* Of the same device, as it was read until now: what was told, and where its modules are still
 * the same, when it is due and what they were like. */
void inventory_follow(struct inventory *inv, const struct inventory *before);
void inventory_done(struct inventory *inv);
/* What to ask, of the monotonic clock; NULL: nothing, or nothing any more. */
const struct asking *inventory_next(struct inventory *inv, int64_t now_ms, const char *asked);
void inventory_count(struct inventory *inv, uint64_t sent, uint64_t retried); /* packets */
void inventory_take(struct inventory *inv, const struct answer *answer);
/* It could not be read: it begins anew the next time. */
void inventory_fail(struct inventory *inv, const char *why, int64_t now_ms);
/* What its modules were like goes into a sweep. */
void inventory_add_stats(const struct inventory *inv, struct sweep *sweep);
