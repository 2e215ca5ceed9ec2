/* SPDX-License-Identifier: Apache-2.0 */
#include "chart.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <fenwatch/clock.h>

#define ROWS 12
#define LABEL_WIDTH 9 /* of a value beside the chart */
#define DOTS_ACROSS 2 /* of a character */
#define DOTS_DOWN 4
#define TIME_LABEL 24

struct canvas {
	const struct chart *chart;
	size_t columns;
	double low, high;      /* values at the lower and upper edge */
	unsigned char *dots;   /* a character each, row by row */
	unsigned char *owners; /* the series drawn last in it, from 1 */
};

/* ---- dots ---- */

static void put_dot(struct canvas *c, long x, long y, size_t series)
{
	static const unsigned char bits[DOTS_DOWN][DOTS_ACROSS] = {
		{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
	size_t cell = (size_t)(y / DOTS_DOWN) * c->columns + (size_t)(x / DOTS_ACROSS);
	c->dots[cell] |= bits[y % DOTS_DOWN][x % DOTS_ACROSS];
	c->owners[cell] = (unsigned char)(series + 1);
}

struct dot {
	long x, y;
};

static struct dot place(const struct canvas *c, const struct chart_point *point)
{
	const struct chart *chart = c->chart;
	double width = (double)(c->columns * DOTS_ACROSS - 1), height = ROWS * DOTS_DOWN - 1;
	double span = chart->to_s > chart->from_s ? chart->to_s - chart->from_s : 1;
	double x = (point->at_s - chart->from_s) / span;
	double y = (c->high - point->value) / (c->high - c->low);
	return (struct dot){
		lround(fmin(fmax(x, 0), 1) * width), lround(fmin(fmax(y, 0), 1) * height)};
}

static void put_line(struct canvas *c, struct dot from, struct dot to, size_t series)
{
	long across = labs(to.x - from.x), down = labs(to.y - from.y);
	long n = across > down ? across : down;
	for (long i = 0; i <= n; i++)
		put_dot(c, from.x + (n ? (to.x - from.x) * i / n : 0),
			from.y + (n ? (to.y - from.y) * i / n : 0), series);
}

static void draw(struct canvas *c, size_t i)
{
	const struct chart_series *series = &c->chart->series[i];
	const struct chart_point *before = NULL;
	struct dot last = {0, 0};
	for (size_t k = 0; k < series->n; k++) {
		const struct chart_point *point = &series->points[k];
		if (!isfinite(point->value)) {
			before = NULL;
			continue;
		}
		struct dot dot = place(c, point);
		bool joined = before && point->at_s - before->at_s <= 2 * c->chart->step_s;
		put_line(c, joined ? last : dot, dot, i);
		before = point;
		last = dot;
	}
}

/* ---- axes ---- */

/* Where no value is a number there is nothing to draw. */
static bool find_range(struct canvas *c)
{
	c->low = INFINITY;
	c->high = -INFINITY;
	for (size_t i = 0; i < c->chart->n_series; i++) {
		const struct chart_series *series = &c->chart->series[i];
		for (size_t k = 0; k < series->n; k++) {
			if (!isfinite(series->points[k].value))
				continue;
			c->low = fmin(c->low, series->points[k].value);
			c->high = fmax(c->high, series->points[k].value);
		}
	}
	if (c->low > c->high)
		return false;
	double span = c->high - c->low, least = fabs(c->high) * 1e-6;
	if (!isfinite(span) || span <= least) {
		double margin = c->high == 0 ? 1 : fabs(c->high) * 0.1;
		c->low = c->low / 2 - margin / 2 + c->low / 2;
		c->high += margin / 2;
	}
	return isfinite(c->high - c->low);
}

/* As short as it tells values on the axis apart: 1.25k, 300M. */
static const char *value_label(double value, char *text, size_t size)
{
	static const struct {
		double from;
		const char *suffix;
	} units[] = {{1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e4, "k"}};
	double magnitude = fabs(value);
	for (size_t i = 0; i < sizeof units / sizeof *units && magnitude < 1e18; i++) {
		if (magnitude < units[i].from)
			continue;
		double unit = units[i].from == 1e4 ? 1e3 : units[i].from;
		snprintf(text, size, "%.4g%s", value / unit, units[i].suffix);
		return text;
	}
	snprintf(text, size, "%.4g", value);
	return text;
}

static void write_row_label(struct screen *s, const struct canvas *c, size_t row)
{
	char label[32] = "";
	double down = (double)row / (ROWS - 1);
	bool labelled = row == 0 || row == ROWS - 1 || row == (ROWS - 1) / 2;
	if (labelled)
		value_label(c->high - (c->high - c->low) * down, label, sizeof label);
	screen_printf(s, "%*s %s", LABEL_WIDTH, label, labelled ? "┤" : "│");
}

static const char *time_label(double at_s, double span_s, char *text, size_t size)
{
	time_t at = (time_t)at_s;
	struct tm tm;
	const char *format = span_s > 86400 ? "%m-%d %H:%M" : span_s > 600 ? "%H:%M" : "%H:%M:%S";
	if (!gmtime_r(&at, &tm) || strftime(text, size, format, &tm) == 0)
		*text = '\0';
	return text;
}

/* The first time, the middle one where there is room, and the last, in UTC. */
static void write_times(struct screen *s, const struct canvas *c)
{
	const struct chart *chart = c->chart;
	double span = chart->to_s - chart->from_s;
	char first[TIME_LABEL], middle[TIME_LABEL], last[TIME_LABEL];
	time_label(chart->from_s, span, first, sizeof first);
	time_label(chart->from_s + span / 2, span, middle, sizeof middle);
	time_label(chart->to_s, span, last, sizeof last);
	if (strlen(first) + strlen(middle) + strlen(last) + 2 > c->columns)
		*middle = '\0';
	screen_printf(s, "%*s └", LABEL_WIDTH, "");
	for (size_t i = 0; i < c->columns; i++)
		fw_buf_puts(&s->out, "─");
	size_t room = c->columns - strlen(first) - strlen(middle) - strlen(last);
	screen_printf(s, "\n%*s  %s%*s%s%*s%s\n", LABEL_WIDTH, "", first, (int)(room / 2), "",
		middle, (int)(room - room / 2), "", last);
}

/* ---- the whole ---- */

static enum tone tone_of(size_t series)
{
	return (enum tone)(TONE_SERIES + series % CHART_SERIES);
}

static void write_rows(struct screen *s, const struct canvas *c)
{
	for (size_t row = 0; row < ROWS; row++) {
		write_row_label(s, c, row);
		const unsigned char *dots = c->dots + row * c->columns;
		size_t end = c->columns;
		while (end > 0 && !dots[end - 1])
			end--;
		for (size_t i = 0; i < end; i++) {
			const char character[] = {(char)0xe2, (char)(0xa0 | dots[i] >> 6),
				(char)(0x80 | (dots[i] & 0x3f)), '\0'};
			unsigned char owner = c->owners[row * c->columns + i];
			screen_put(s, owner ? tone_of(owner - 1u) : TONE_PLAIN,
				dots[i] ? character : " ");
		}
		fw_buf_putc(&s->out, '\n');
	}
}

static double newest(const struct chart_series *series)
{
	for (size_t k = series->n; k > 0; k--)
		if (isfinite(series->points[k - 1].value))
			return series->points[k - 1].value;
	return NAN;
}

static void write_names(struct screen *s, const struct chart *chart)
{
	char value[32];
	for (size_t i = 0; i < chart->n_series; i++) {
		double last = newest(&chart->series[i]);
		screen_put(s, tone_of(i), "━━");
		screen_printf(
			s, " %s  ", isnan(last) ? "-" : value_label(last, value, sizeof value));
		fw_buf_puts(&s->out, chart->series[i].name);
		fw_buf_putc(&s->out, '\n');
	}
}

bool chart_write(struct screen *s, const struct chart *chart)
{
	struct canvas c = {.chart = chart, .columns = s->width - LABEL_WIDTH - 3};
	if (!find_range(&c))
		return false;
	c.dots = fw_arena_alloc(&s->arena, ROWS * c.columns);
	c.owners = fw_arena_alloc(&s->arena, ROWS * c.columns);
	for (size_t i = 0; i < chart->n_series; i++)
		draw(&c, i);
	write_rows(s, &c);
	write_times(s, &c);
	write_names(s, chart);
	return true;
}
