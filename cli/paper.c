/* SPDX-License-Identifier: Apache-2.0 */
#include "paper.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#define BAR_WIDTH 400.0
#define BAR_HEIGHT 18
#define LETTER_WIDTH 7 /* of the chart's 13 pixels, and a little over */

/* ---- CSV ---- */

void paper_field(struct screen *s, const char *text, char end)
{
	bool formula = strchr("=+-@", *text) && *text && strcmp(text, "-") != 0;
	fw_buf_putc(&s->out, '"');
	if (formula)
		fw_buf_putc(&s->out, '\'');
	for (; *text; text++) {
		if (*text == '"')
			fw_buf_putc(&s->out, '"');
		fw_buf_putc(&s->out, *text);
	}
	fw_buf_putc(&s->out, '"');
	fw_buf_putc(&s->out, end);
}

static void put_csv(struct table *t)
{
	struct screen *s = t->screen;
	for (size_t c = 0; c < t->n_columns; c++) {
		for (const char *letter = table_heading(t, c); *letter; letter++)
			fw_buf_putc(&s->out,
				*letter == ' ' ? '_' : (char)tolower((unsigned char)*letter));
		fw_buf_putc(&s->out, c + 1 < t->n_columns ? ',' : '\n');
	}
	for (size_t i = 0; i < t->n_cells; i++)
		paper_field(s, t->cells[i].text, (i + 1) % t->n_columns ? ',' : '\n');
}

/* ---- HTML ---- */

static void put_html(struct screen *s, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '&':
			fw_buf_puts(&s->out, "&amp;");
			break;
		case '<':
			fw_buf_puts(&s->out, "&lt;");
			break;
		case '>':
			fw_buf_puts(&s->out, "&gt;");
			break;
		case '"':
			fw_buf_puts(&s->out, "&quot;");
			break;
		default:
			fw_buf_putc(&s->out, *text);
		}
}

static void put_element(struct screen *s, const char *name, const char *text)
{
	screen_printf(s, "<%s>", name);
	put_html(s, text);
	screen_printf(s, "</%s>\n", name);
}

static const char style[] =
	"body{font:14px/1.4 sans-serif;margin:2em;color:#222}"
	"table{border-collapse:collapse;margin:1em 0}"
	"th,td{border-bottom:1px solid #ccc;padding:.2em .8em;text-align:left}"
	".n{text-align:right}.bad{color:#a00}.warning{color:#850}.good{color:#060}"
	"@media print{body{margin:0}}";

static const char *class_of(enum tone tone)
{
	return tone == TONE_BAD        ? "bad"
		: tone == TONE_WARNING ? "warning"
		: tone == TONE_GOOD    ? "good"
				       : "";
}

static void put_cell(const struct table *t, size_t i)
{
	struct screen *s = t->screen;
	const char *number = table_is_right(t, i % t->n_columns) ? "n " : "";
	if (i % t->n_columns == 0)
		fw_buf_puts(&s->out, "<tr>");
	screen_printf(s, "<td class=\"%s%s\">", number, class_of(t->cells[i].tone));
	put_html(s, t->cells[i].text);
	fw_buf_puts(&s->out, (i + 1) % t->n_columns ? "</td>" : "</td></tr>\n");
}

static void put_table(struct table *t, const char *caption)
{
	struct screen *s = t->screen;
	if (caption)
		put_element(s, "h2", caption);
	fw_buf_puts(&s->out, "<table>\n<tr>");
	for (size_t c = 0; c < t->n_columns; c++) {
		fw_buf_puts(&s->out, table_is_right(t, c) ? "<th class=\"n\">" : "<th>");
		put_html(s, table_heading(t, c));
		fw_buf_puts(&s->out, "</th>");
	}
	fw_buf_puts(&s->out, "</tr>\n");
	for (size_t i = 0; i < t->n_cells; i++)
		put_cell(t, i);
	fw_buf_puts(&s->out, t->n_cells ? "</table>\n" : "</table>\n<p>none</p>\n");
}

/* ---- bars ---- */

static double most_of(const struct paper_bar *bars, size_t n)
{
	double most = 1;
	for (size_t i = 0; i < n; i++)
		if (bars[i].good + bars[i].bad > most)
			most = bars[i].good + bars[i].bad;
	return most;
}

/* Where bars begin, so that the longest name has room beside them. */
static double left_of(const struct paper_bar *bars, size_t n)
{
	double left = 200;
	for (size_t i = 0; i < n; i++)
		left = fmax(left, LETTER_WIDTH * (double)screen_width(bars[i].name) + 10);
	return left;
}

static void put_bar(
	struct screen *s, const struct paper_bar *bar, size_t i, double left, double most)
{
	double good = bar->good / most * BAR_WIDTH, bad = bar->bad / most * BAR_WIDTH;
	size_t top = i * (BAR_HEIGHT + 6);
	screen_printf(s, "<text x=\"%.0f\" y=\"%zu\" text-anchor=\"end\">", left - 10, top + 14);
	put_html(s, bar->name);
	screen_printf(s,
		"</text><rect x=\"%.0f\" y=\"%zu\" width=\"%.1f\" height=\"%d\" fill=\"#5a8\"/>"
		"<rect x=\"%.1f\" y=\"%zu\" width=\"%.1f\" height=\"%d\" fill=\"#c54\"/>"
		"<text x=\"%.1f\" y=\"%zu\">%.0f</text>\n",
		left, top, good, BAR_HEIGHT, left + good, top, bad, BAR_HEIGHT,
		left + 6 + good + bad, top + 14, bar->good + bar->bad);
}

void paper_bars(struct screen *s, const char *caption, const struct paper_bar *bars, size_t n)
{
	if (s->form != FORM_HTML || n == 0)
		return;
	put_element(s, "h2", caption);
	double left = left_of(bars, n), most = most_of(bars, n);
	screen_printf(s,
		"<svg width=\"%.0f\" height=\"%zu\" font-size=\"13\" role=\"img\" aria-label=\"%s\">\n",
		left + BAR_WIDTH + 80, n * (BAR_HEIGHT + 6), caption);
	for (size_t i = 0; i < n; i++)
		put_bar(s, &bars[i], i, left, most);
	fw_buf_puts(&s->out, "</svg>\n");
}

/* ---- the whole ---- */

void paper_begin(struct screen *s, const char *title, const char *note)
{
	if (s->form == FORM_TEXT)
		screen_printf(s, "%s\n%s%s\n", title, note ? note : "", note ? "\n" : "");
	if (s->form != FORM_HTML)
		return;
	fw_buf_puts(&s->out,
		"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width\">\n");
	put_element(s, "title", title);
	screen_printf(s, "<style>%s</style></head><body>\n", style);
	put_element(s, "h1", title);
	if (note)
		put_element(s, "p", note);
}

void paper_table(struct table *t, enum paper_table kind, const char *caption)
{
	struct screen *s = t->screen;
	if (s->form == FORM_HTML) {
		put_table(t, caption);
	} else if (s->form == FORM_CSV) {
		if (kind == PAPER_EVIDENCE)
			put_csv(t);
	} else {
		if (caption)
			screen_printf(s, "%s\n", caption);
		table_print(t);
		if (t->n_cells == 0)
			fw_buf_puts(&s->out, "none\n");
	}
}

void paper_end(struct screen *s)
{
	if (s->form == FORM_HTML)
		fw_buf_puts(&s->out, "</body></html>\n");
}
