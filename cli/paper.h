/* Reports in the form that was asked for: tables as text, as CSV (RFC 4180), or as one page
 * of HTML that needs nothing beside itself, with bars. CSV has the one table that is the
 * evidence; the others are sums of it. */
#pragma once

#include "screen.h"

void paper_begin(struct screen *s, const char *title, const char *note); /* `note` may be NULL */
void paper_end(struct screen *s);

enum paper_table { PAPER_SUMS, PAPER_EVIDENCE };
/* In place of table_print. `caption` NULL: none. */
void paper_table(struct table *t, enum paper_table kind, const char *caption);

struct paper_bar {
	const char *name;
	double good, bad; /* counts */
};
/* HTML alone: a bar each, with its bad part apart. */
void paper_bars(struct screen *s, const char *caption, const struct paper_bar *bars, size_t n);

/* One field of CSV; what a spreadsheet would take for a formula is a text. */
void paper_field(struct screen *s, const char *text, char end);
