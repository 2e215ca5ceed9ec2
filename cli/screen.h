/* What is printed: text that cannot harm a terminal, tables, and a little colour.
 *
 * Everything goes into a buffer that main writes at the end. Texts from elsewhere
 * pass screen_text, which escapes control characters; only screen.c writes any
 * itself, and those only on a terminal. Zero-initialised it is a pipe at time 0.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <fenwatch/buf.h>
#include <fenwatch/mem.h>

enum screen_form { FORM_TEXT, FORM_CSV, FORM_HTML };

struct screen {
	struct fw_buf out;
	struct fw_arena arena;
	bool colour;
	bool charts;           /* it shows braille */
	enum screen_form form; /* of reports */
	size_t width;          /* columns of the terminal; 0: no limit */
	int64_t now_ms;
};

/* From TONE_SERIES on: the colours of a chart's series. */
enum tone { TONE_PLAIN, TONE_GOOD, TONE_WARNING, TONE_BAD, TONE_HEADING, TONE_SERIES };

void screen_done(struct screen *s);
void screen_printf(struct screen *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void screen_put(struct screen *s, enum tone tone, const char *text);
size_t screen_width(const char *text); /* columns it takes */

/* ---- values, as texts in the screen's arena; "-" for what is not there ---- */

const char *screen_text(struct screen *s, const char *text);
const char *screen_member(struct screen *s, const json_t *object, const char *name);
const char *screen_size(struct screen *s, const json_t *object, const char *name);
const char *screen_percent(struct screen *s, const json_t *object, const char *name);
const char *screen_number(struct screen *s, const json_t *object, const char *name);
/* How long ago, or until, in one unit: "12s", "3h", "41d"; of a time, or of seconds. */
const char *screen_age(struct screen *s, const json_t *object, const char *name);
/* As much of an alert's key as commands need to be given it. */
const char *screen_key(struct screen *s, const json_t *object);
/* The day of a time, "2026-06-10"; and whether it has been. */
const char *screen_day(struct screen *s, const json_t *object, const char *name);
bool screen_is_past(const struct screen *s, const json_t *object, const char *name);
const char *screen_seconds(struct screen *s, const json_t *object, const char *name);

/* ---- tables ---- */

#define TABLE_COLUMNS 17

struct table {
	struct screen *screen;
	size_t n_columns;
	const char *headings[TABLE_COLUMNS]; /* with '>' in front where numbers stand right */
	struct table_cell {
		const char *text;
		enum tone tone;
	} * cells;
	size_t n_cells, capacity;
};

/* `headings` ends with NULL. */
void table_init(struct table *t, struct screen *s, const char *const *headings);
const char *table_heading(const struct table *t, size_t column); /* without its '>' */
bool table_is_right(const struct table *t, size_t column);
void table_put(struct table *t, enum tone tone, const char *text);
/* The first column is cut where the table then fits a narrow terminal. */
void table_print(struct table *t);
