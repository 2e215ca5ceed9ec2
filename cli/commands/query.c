/* SPDX-License-Identifier: Apache-2.0 */
/* query, range and series: Prometheus' answers, a line a series. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/text.h>

#include "chart.h"
#include "render.h"

/* name{label="value",...}, escaped for the terminal. */
static void write_labels(struct screen *s, const json_t *labels)
{
	const char *name, *comma = "";
	const json_t *value;
	const char *metric = json_string_value(json_object_get(labels, "__name__"));
	if (metric)
		fw_buf_puts(&s->out, screen_text(s, metric));
	fw_buf_putc(&s->out, '{');
	json_object_foreach((json_t *)(uintptr_t)labels, name, value)
	{
		if (strcmp(name, "__name__") == 0)
			continue;
		fw_buf_puts(&s->out, comma);
		fw_buf_puts(&s->out, screen_text(s, name));
		fw_buf_puts(&s->out, "=\"");
		if (json_string_length(value))
			fw_buf_puts(&s->out, screen_text(s, json_string_value(value)));
		fw_buf_putc(&s->out, '"');
		comma = ",";
	}
	fw_buf_putc(&s->out, '}');
}

static void write_value(struct screen *s, const json_t *point)
{
	fw_buf_puts(&s->out, screen_text(s, json_string_value(json_array_get(point, 1))));
	fw_buf_putc(&s->out, '\n');
}

static void write_points(struct screen *s, const json_t *points)
{
	size_t i;
	const json_t *point;
	char time[32];
	json_array_foreach(points, i, point)
	{
		double seconds = json_number_value(json_array_get(point, 0));
		if (seconds > -1e11 && seconds < 1e11)
			screen_printf(s, "  %s  ",
				fw_time_format(
					(int64_t)(seconds * 1000 + (seconds < 0 ? -0.5 : 0.5)),
					time, sizeof time));
		write_value(s, point);
	}
}

enum status render_result(struct screen *s, const json_t *data)
{
	const char *type = json_string_value(json_object_get(data, "resultType"));
	const json_t *result = json_object_get(data, "result"), *series;
	size_t i;
	if (type && (strcmp(type, "scalar") == 0 || strcmp(type, "string") == 0)) {
		write_value(s, result);
		return STATUS_WELL;
	}
	json_array_foreach(result, i, series)
	{
		const json_t *points = json_object_get(series, "values");
		write_labels(s, json_object_get(series, "metric"));
		if (points) {
			fw_buf_putc(&s->out, '\n');
			write_points(s, points);
		} else {
			fw_buf_putc(&s->out, ' ');
			write_value(s, json_object_get(series, "value"));
		}
	}
	return STATUS_WELL;
}

/* ---- over time ---- */

/* One that is no number, or no text of one, leaves a gap. */
static double number_of(const json_t *text)
{
	const char *digits = json_string_value(text);
	char *end;
	double value = digits ? strtod(digits, &end) : (double)NAN;
	return digits && end != digits && !*end ? value : (double)NAN;
}

static void read_points(
	struct screen *s, const json_t *values, struct chart_series *series, struct chart *chart)
{
	struct chart_point *points =
		fw_arena_alloc(&s->arena, (json_array_size(values) + 1) * sizeof *points);
	size_t i;
	const json_t *value;
	json_array_foreach(values, i, value)
	{
		double at_s = json_number_value(json_array_get(value, 0));
		if (!(at_s > -1e11 && at_s < 1e11))
			continue;
		struct chart_point *point = &points[series->n];
		*point = (struct chart_point){at_s, number_of(json_array_get(value, 1))};
		if (series->n > 0 && at_s > point[-1].at_s)
			chart->step_s = fmin(chart->step_s, at_s - point[-1].at_s);
		chart->from_s = fmin(chart->from_s, at_s);
		chart->to_s = fmax(chart->to_s, at_s);
		series->n++;
	}
	series->points = points;
}

static const char *name_of(struct screen *s, const json_t *labels)
{
	size_t before = s->out.length;
	write_labels(s, labels);
	char *name = fw_arena_strndup(
		&s->arena, (const char *)s->out.data + before, s->out.length - before);
	s->out.length = before;
	s->out.data[before] = '\0';
	return name;
}

static bool write_chart(struct screen *s, const json_t *result)
{
	struct chart_series series[CHART_SERIES] = {0};
	struct chart chart = {
		.series = series, .from_s = INFINITY, .to_s = -INFINITY, .step_s = INFINITY};
	size_t i, n = json_array_size(result);
	const json_t *item;
	json_array_foreach(result, i, item)
	{
		if (i == CHART_SERIES)
			break;
		series[i].name = name_of(s, json_object_get(item, "metric"));
		read_points(s, json_object_get(item, "values"), &series[i], &chart);
		chart.n_series++;
	}
	if (!chart_write(s, &chart))
		return false;
	if (n > CHART_SERIES)
		screen_printf(s, "%zu more series are not drawn: see --json, or ask for less\n",
			n - CHART_SERIES);
	return true;
}

enum status render_range(struct screen *s, const json_t *data)
{
	bool drawn = s->charts && s->width >= CHART_WIDTH_LEAST &&
		write_chart(s, json_object_get(data, "result"));
	return drawn ? STATUS_WELL : render_result(s, data);
}

enum status render_series(struct screen *s, const json_t *data)
{
	size_t i;
	const json_t *labels;
	json_array_foreach(data, i, labels)
	{
		write_labels(s, labels);
		fw_buf_putc(&s->out, '\n');
	}
	return STATUS_WELL;
}

/* Asked by a form, as selectors may be long. */
static enum status ask(struct cli *cli, const char *path, const struct parameter *parameters,
	enum status (*render)(struct screen *screen, const json_t *data))
{
	enum status status = STATUS_NO_ANSWER;
	json_t *data = client_ask(cli, "POST", path, parameters, &status);
	if (!data)
		return status;
	const json_t *result = json_object_get(data, "result");
	if (json_array_size(result ? result : data) == 0)
		cli_fail(STATUS_WELL, "no series has that");
	return cli_show(cli, data, render);
}

enum status command_query(struct cli *cli, char **args, int n_args)
{
	(void)n_args;
	const struct parameter parameters[] = {
		{"query", args[0]},
		{"time", cli_time(cli, cli->settings.at)},
		{0},
	};
	return ask(cli, "/api/v1/query", parameters, render_result);
}

enum status command_range(struct cli *cli, char **args, int n_args)
{
	(void)n_args;
	const struct settings *settings = &cli->settings;
	if (!settings->from || !settings->to || !settings->step)
		return cli_fail(
			STATUS_USAGE, "range needs --from TIME, --to TIME and --step DURATION");
	const struct parameter parameters[] = {
		{"query", args[0]},
		{"start", cli_time_from(cli, settings->from)},
		{"end", cli_time(cli, settings->to)},
		{"step", settings->step},
		{0},
	};
	return ask(cli, "/api/v1/query_range", parameters, render_range);
}

enum status command_series(struct cli *cli, char **args, int n_args)
{
	(void)n_args;
	const struct parameter parameters[] = {{"match[]", args[0]}, {0}};
	return ask(cli, "/api/v1/series", parameters, render_series);
}
