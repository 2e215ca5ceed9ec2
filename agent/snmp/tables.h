/* What was walked for modules with documents becomes tables of inventory.
 *
 * Modules may add to one kind (neighbours by LLDP and by CDP): of two lines with one key the
 * first that was added counts. Whoever takes a table gets all its lines, sorted, as items.h
 * has them. A kind of which there is nothing is a table without lines. Pure.
 */
#pragma once

#include <fenwatch/buf.h>

#include "walk.h"

struct tables;

struct tables *tables_new(void);
void tables_free(struct tables *t);
/* `asked`: the address at which the device was asked, or "". */
void tables_add(struct tables *t, const struct walk *walk, const char *asked);
/* Each kind once; what goes past the limits of a document is left out. */
void tables_end(struct tables *t,
	void (*on_table)(const char *kind, const struct fw_buf *lines, void *arg), void *arg);
