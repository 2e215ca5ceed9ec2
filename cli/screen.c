/* SPDX-License-Identifier: Apache-2.0 */
#include "screen.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>
#include <fenwatch/text.h>

void screen_done(struct screen *s)
{
	fw_buf_done(&s->out);
	fw_arena_done(&s->arena);
}

void screen_printf(struct screen *s, const char *format, ...)
{
	char line[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	fw_buf_puts(&s->out, line);
}

void screen_put(struct screen *s, enum tone tone, const char *text)
{
	static const char *const colours[] = {
		[TONE_PLAIN] = "",
		[TONE_GOOD] = "\033[32m",
		[TONE_WARNING] = "\033[33m",
		[TONE_BAD] = "\033[1;31m",
		[TONE_HEADING] = "\033[1m",
		[TONE_SERIES] = "\033[36m",
		"\033[33m",
		"\033[35m",
		"\033[32m",
		"\033[34m",
		"\033[31m",
	};
	bool coloured = s->colour && tone != TONE_PLAIN;
	if (coloured)
		fw_buf_puts(&s->out, colours[tone]);
	fw_buf_puts(&s->out, text);
	if (coloured)
		fw_buf_puts(&s->out, "\033[0m");
}

/* ---- how wide a text is ---- */

/* The character at `*text`, which moves behind it. The text is valid UTF-8. */
static uint32_t next_character(const char **text)
{
	const unsigned char *at = (const unsigned char *)*text;
	unsigned more = *at < 0x80 ? 0 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;
	uint32_t code = more ? *at & (0x3fu >> more) : *at;
	for (unsigned i = 1; i <= more && (at[i] & 0xc0) == 0x80; i++) {
		code = code << 6 | (at[i] & 0x3f);
		*text += 1;
	}
	*text += 1;
	return code;
}

static const struct {
	uint32_t first, last;
	unsigned width;
} widths[] = {
	{0x0300, 0x036f, 0}, /* combining marks */
	{0x1100, 0x115f, 2}, /* Hangul */
	{0x200b, 0x200d, 0}, /* joiners */
	{0x2e80, 0xa4cf, 2}, /* CJK and its neighbours */
	{0xac00, 0xd7a3, 2},
	{0xf900, 0xfaff, 2},
	{0xfe00, 0xfe0f, 0}, /* variation selectors */
	{0xfe30, 0xfe6f, 2},
	{0xff00, 0xff60, 2},
	{0xffe0, 0xffe6, 2},
	{0x1f300, 0x1faff, 2}, /* pictures */
	{0x20000, 0x3fffd, 2},
};

static unsigned width_of(uint32_t code)
{
	for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
		if (code >= widths[i].first && code <= widths[i].last)
			return widths[i].width;
	return 1;
}

size_t screen_width(const char *text)
{
	size_t width = 0;
	while (*text)
		width += width_of(next_character(&text));
	return width;
}

/* At most `width` columns of it, with a mark where it was cut. */
static const char *cut(struct screen *s, const char *text, size_t width)
{
	if (screen_width(text) <= width)
		return text;
	size_t used = 0;
	const char *end = text;
	for (const char *next = text; *next; end = next) {
		used += width_of(next_character(&next));
		if (used + 1 > width)
			break;
	}
	return fw_arena_format(&s->arena, "%.*s~", (int)(end - text), text);
}

/* ---- values ---- */

const char *screen_text(struct screen *s, const char *text)
{
	if (!text || !*text)
		return "-";
	size_t size = strlen(text) * 8 + 1; /* "\u{2028}" is the longest escape of a character */
	return fw_escape(text, fw_arena_alloc(&s->arena, size), size);
}

const char *screen_member(struct screen *s, const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	if (json_is_boolean(value))
		return json_is_true(value) ? "yes" : "no";
	if (json_is_number(value))
		return screen_number(s, object, name);
	return screen_text(s, json_string_value(value));
}

const char *screen_key(struct screen *s, const json_t *object)
{
	return fw_arena_format(&s->arena, "%.12s", screen_member(s, object, "key"));
}

const char *screen_size(struct screen *s, const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	double bytes = json_number_value(value);
	char text[32];
	if (!json_is_number(value) || bytes < 0 || bytes > 1e18)
		return "-";
	return fw_arena_strdup(&s->arena, fw_format_size((uint64_t)bytes, text, sizeof text));
}

const char *screen_percent(struct screen *s, const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	if (!json_is_number(value))
		return "-";
	return fw_arena_format(&s->arena, "%.1f%%", json_number_value(value));
}

const char *screen_number(struct screen *s, const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	return json_is_number(value) ? fw_arena_format(&s->arena, "%.10g", json_number_value(value))
				     : "-";
}

static const char *one_unit(struct screen *s, double seconds)
{
	double n = fabs(seconds);
	if (n < 60)
		return fw_arena_format(&s->arena, "%.0fs", floor(n));
	if (n < 3600)
		return fw_arena_format(&s->arena, "%.0fm", floor(n / 60));
	if (n < 2 * 86400)
		return fw_arena_format(&s->arena, "%.0fh", floor(n / 3600));
	return fw_arena_format(&s->arena, "%.0fd", floor(n / 86400));
}

const char *screen_age(struct screen *s, const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	int64_t at_ms;
	if (!text || fw_time_parse(text, &at_ms) < 0)
		return "-";
	return one_unit(s, (double)(s->now_ms - at_ms) / 1000);
}

const char *screen_day(struct screen *s, const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	int64_t at_ms;
	if (!text || fw_time_parse(text, &at_ms) < 0)
		return "-";
	return screen_text(s, fw_arena_format(&s->arena, "%.10s", text));
}

bool screen_is_past(const struct screen *s, const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	int64_t at_ms;
	return text && fw_time_parse(text, &at_ms) == 0 && at_ms < s->now_ms;
}

const char *screen_seconds(struct screen *s, const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	return json_is_number(value) ? one_unit(s, json_number_value(value)) : "-";
}

/* ---- tables ---- */

#define NAME_WIDTH_LEAST 8

void table_init(struct table *t, struct screen *s, const char *const *headings)
{
	*t = (struct table){.screen = s};
	while (headings[t->n_columns] && t->n_columns < TABLE_COLUMNS) {
		t->headings[t->n_columns] = headings[t->n_columns];
		t->n_columns++;
	}
}

void table_put(struct table *t, enum tone tone, const char *text)
{
	if (t->n_cells == t->capacity) {
		size_t capacity = t->capacity ? t->capacity * 2 : 64;
		struct table_cell *cells =
			fw_arena_alloc(&t->screen->arena, capacity * sizeof *cells);
		for (size_t i = 0; i < t->n_cells; i++)
			cells[i] = t->cells[i];
		t->cells = cells;
		t->capacity = capacity;
	}
	t->cells[t->n_cells++] = (struct table_cell){text, tone};
}

bool table_is_right(const struct table *t, size_t column)
{
	return t->headings[column][0] == '>';
}

const char *table_heading(const struct table *t, size_t column)
{
	return t->headings[column] + table_is_right(t, column);
}

static void measure(const struct table *t, size_t widths_out[TABLE_COLUMNS])
{
	size_t total = 0;
	for (size_t c = 0; c < t->n_columns; c++)
		widths_out[c] = screen_width(table_heading(t, c));
	for (size_t i = 0; i < t->n_cells; i++) {
		size_t width = screen_width(t->cells[i].text), c = i % t->n_columns;
		if (width > widths_out[c])
			widths_out[c] = width;
	}
	for (size_t c = 0; c < t->n_columns; c++)
		total += widths_out[c] + (c > 0 ? 2 : 0);
	/* Cut only where that is enough: in a line that is broken all the same, a name is read whole. */
	size_t most = t->screen->width, over = most && total > most ? total - most : 0;
	if (widths_out[0] >= over + NAME_WIDTH_LEAST)
		widths_out[0] -= over;
}

static void print_cell(
	const struct table *t, size_t column, enum tone tone, const char *text, size_t width)
{
	struct fw_buf *out = &t->screen->out;
	bool is_last = column + 1 == t->n_columns;
	if (column == 0)
		text = cut(t->screen, text, width);
	size_t taken = screen_width(text), rest = width > taken ? width - taken : 0;
	if (column > 0)
		fw_buf_puts(out, "  ");
	for (size_t i = 0; table_is_right(t, column) && i < rest; i++)
		fw_buf_putc(out, ' ');
	screen_put(t->screen, tone, text);
	for (size_t i = 0; !table_is_right(t, column) && !is_last && i < rest; i++)
		fw_buf_putc(out, ' ');
	if (is_last)
		fw_buf_putc(out, '\n');
}

void table_print(struct table *t)
{
	size_t widths_now[TABLE_COLUMNS];
	measure(t, widths_now);
	for (size_t c = 0; c < t->n_columns; c++)
		print_cell(t, c, TONE_HEADING, table_heading(t, c), widths_now[c]);
	for (size_t i = 0; i < t->n_cells; i++)
		print_cell(t, i % t->n_columns, t->cells[i].tone, t->cells[i].text,
			widths_now[i % t->n_columns]);
}
