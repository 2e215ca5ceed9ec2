/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/text.h>

#include "number.h"
#include "query.h"

static void begin_value(struct json *j)
{
	if (j->after_value)
		fw_buf_putc(j->out, ',');
	j->after_value = true;
}

void json_open(struct json *j, char bracket)
{
	begin_value(j);
	fw_buf_putc(j->out, bracket);
	j->after_value = false;
}

void json_close(struct json *j, char bracket)
{
	fw_buf_putc(j->out, bracket);
	j->after_value = true;
}

/* How many bytes of `text` stand for themselves. */
static size_t plain_run(const char *text)
{
	const char *at = text;
	while (*at >= ' ' && *at < 0x7f && *at != '"' && *at != '\\' && *at != '<' && *at != '>' &&
		*at != '&')
		at++;
	return (size_t)(at - text);
}

static void write_char(struct fw_buf *out, unsigned char c)
{
	static const char special[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
	const char *known = strchr(special, c);
	if (known) {
		fw_buf_putc(out, '\\');
		fw_buf_putc(out, names[known - special]);
	} else {
		/* "<", ">" and "&" too, so that no answer can be taken for a page. */
		fw_buf_printf(out, "\\u%04x", c);
	}
}

/* Bytes of the character at `text`, 0 where there is none. */
static size_t character_length(const char *text)
{
	unsigned char c = (unsigned char)*text;
	size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	return strnlen(text, length) == length && fw_utf8_valid(text, length) ? length : 0;
}

static void write_text(struct json *j, const char *text)
{
	fw_buf_putc(j->out, '"');
	for (;;) {
		size_t run = plain_run(text);
		fw_buf_append(j->out, text, run);
		text += run;
		if (!*text)
			break;
		size_t length = character_length(text);
		if (length == 1)
			write_char(j->out, (unsigned char)*text);
		else if (length == 0)
			fw_buf_puts(j->out, "\xef\xbf\xbd");
		else
			fw_buf_append(j->out, text, length);
		text += length ? length : 1;
	}
	fw_buf_putc(j->out, '"');
}

void json_key(struct json *j, const char *name)
{
	begin_value(j);
	write_text(j, name);
	fw_buf_putc(j->out, ':');
	j->after_value = false;
}

void json_text(struct json *j, const char *text)
{
	if (!text) {
		json_none(j);
		return;
	}
	begin_value(j);
	write_text(j, text);
}

void json_int(struct json *j, int64_t value)
{
	begin_value(j);
	fw_buf_printf(j->out, "%" PRId64, value);
}

void json_number(struct json *j, double value)
{
	char text[400];
	if (isfinite(value))
		json_raw(j, promql_number(value, text, sizeof text));
	else
		json_none(j);
}

void json_bool(struct json *j, bool value)
{
	json_raw(j, value ? "true" : "false");
}

void json_none(struct json *j)
{
	json_raw(j, "null");
}

void json_raw(struct json *j, const char *text)
{
	begin_value(j);
	fw_buf_puts(j->out, text);
}

void json_time(struct json *j, int64_t wall_ms)
{
	char text[32];
	json_text(j, wall_ms ? fw_time_format(wall_ms, text, sizeof text) : NULL);
}

size_t json_seconds_text(int64_t wall_ms, char text[JSON_SECONDS_SIZE])
{
	char *end = text + JSON_SECONDS_SIZE, *at = end;
	uint64_t ms = wall_ms < 0 ? 0 - (uint64_t)wall_ms : (uint64_t)wall_ms;
	if (ms % 1000 != 0) {
		at = fw_digits(1000 + ms % 1000, at);
		*at = '.';
	}
	at = fw_digits(ms / 1000, at);
	if (wall_ms < 0)
		*--at = '-';
	memmove(text, at, (size_t)(end - at));
	return (size_t)(end - at);
}

void json_seconds(struct json *j, int64_t wall_ms)
{
	char text[JSON_SECONDS_SIZE];
	begin_value(j);
	fw_buf_append(j->out, text, json_seconds_text(wall_ms, text));
}

void json_put_text(struct json *j, const char *name, const char *text)
{
	json_key(j, name);
	json_text(j, text);
}

void json_put_int(struct json *j, const char *name, int64_t value)
{
	json_key(j, name);
	json_int(j, value);
}

void json_put_number(struct json *j, const char *name, double value)
{
	json_key(j, name);
	json_number(j, value);
}

void json_put_bool(struct json *j, const char *name, bool value)
{
	json_key(j, name);
	json_bool(j, value);
}

void json_put_time(struct json *j, const char *name, int64_t wall_ms)
{
	json_key(j, name);
	json_time(j, wall_ms);
}
