/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/text.h>

enum status cli_fail(enum status status, const char *format, ...)
{
	va_list args;
	fputs("fenwatch: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return status;
}

static int on_json(const char *data, size_t length, void *arg)
{
	fw_buf_append(arg, data, length);
	return 0;
}

enum status cli_show(struct cli *cli, json_t *data,
	enum status (*render)(struct screen *screen, const json_t *data))
{
	enum status status = render(&cli->screen, data);
	if (cli->settings.json) {
		fw_buf_reset(&cli->screen.out);
		/* Only ASCII: nothing in it can harm a terminal. */
		json_dump_callback(data, on_json, &cli->screen.out,
			JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
		fw_buf_putc(&cli->screen.out, '\n');
	}
	json_decref(data);
	return status;
}

enum status cli_get(struct cli *cli, const char *path, const struct parameter *parameters,
	enum status (*render)(struct screen *screen, const json_t *data))
{
	enum status status = STATUS_NO_ANSWER;
	json_t *data = client_ask(cli, "GET", path, parameters, &status);
	return data ? cli_show(cli, data, render) : status;
}

static bool is_date(const char *text)
{
	static const char form[] = "dddd-dd-dd";
	if (strlen(text) != sizeof form - 1)
		return false;
	for (size_t i = 0; form[i]; i++)
		if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return false;
	return true;
}

bool cli_is_time(const char *text)
{
	char begin[32], *end;
	int64_t ms;
	if (is_date(text)) {
		snprintf(begin, sizeof begin, "%sT00:00:00Z", text);
		return fw_time_parse(begin, &ms) == 0;
	}
	if (*text == '-' && fw_parse_duration(text + 1, &ms) == 0)
		return true;
	strtod(text, &end);
	return fw_time_parse(text, &ms) == 0 || (*text && !*end);
}

/* The end of a day, or of today so far. */
static const char *end_of_day(struct cli *cli, const char *day)
{
	int64_t now_ms = cli->screen.now_ms, begin_ms, end_ms;
	char time[32];
	const char *begin = fw_arena_format(&cli->screen.arena, "%sT00:00:00Z", day);
	const char *end = fw_arena_format(&cli->screen.arena, "%sT23:59:59Z", day);
	if (fw_time_parse(begin, &begin_ms) < 0 || fw_time_parse(end, &end_ms) < 0 ||
		begin_ms > now_ms || end_ms <= now_ms)
		return end;
	return fw_arena_strdup(&cli->screen.arena, fw_time_format(now_ms, time, sizeof time));
}

/* `day`, where the text is one; of a duration back when that was; otherwise the text. */
static const char *moment(struct cli *cli, const char *text, const char *day)
{
	int64_t back_ms;
	char time[32];
	if (day)
		return day;
	if (!text || *text != '-' || fw_parse_duration(text + 1, &back_ms) < 0)
		return text;
	return fw_arena_strdup(&cli->screen.arena,
		fw_time_format(cli->screen.now_ms - back_ms, time, sizeof time));
}

const char *cli_time(struct cli *cli, const char *text)
{
	return moment(cli, text, text && is_date(text) ? end_of_day(cli, text) : NULL);
}

const char *cli_time_from(struct cli *cli, const char *text)
{
	const char *begin = text && is_date(text)
		? fw_arena_format(&cli->screen.arena, "%sT00:00:00Z", text)
		: NULL;
	return moment(cli, text, begin);
}
