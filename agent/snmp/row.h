/* Rows of columns that were walked: found by their index, and as text. */
#pragma once

#include "walk.h"

#define ROW_TEXT_BYTES (4 * WALK_TEXT + OID_TEXT)

/* By the whole index. NULL: there is none. */
const struct row *row_same(const struct walked *column, const struct row *row);
/* By the whole index, or by how it begins: what belongs to a printer's supply may be
 * named by the printer's own number. NULL: there is none. */
const struct row *row_look_up(const struct walked *column, const struct row *row);
/* The first row whose index begins with that of `row` and goes on. */
const struct row *row_below(const struct walked *column, const struct row *row);
/* What may not travel is escaped by who takes it; a NUL would end it, and is written out. */
const char *row_text(const struct row *row, char text[ROW_TEXT_BYTES]);
