/* SPDX-License-Identifier: Apache-2.0 */
#include "ini.h"

#include <string.h>
#include <strings.h>

#include <fenwatch/buf.h>

struct setting {
	char section[INI_NAME], name[INI_NAME];
	struct fw_buf value;
	ini_each *each;
	void *arg;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct fw_cursor trim(struct fw_cursor c)
{
	while (c.at < c.end && is_blank(*c.at))
		c.at++;
	while (c.at < c.end && is_blank(c.end[-1]))
		c.end--;
	return c;
}

static void copy(char out[INI_NAME], struct fw_cursor c)
{
	size_t length = (size_t)(c.end - c.at);
	length = length < INI_NAME ? length : INI_NAME - 1;
	memcpy(out, c.at, length);
	out[length] = '\0';
}

static void append(struct setting *s, struct fw_cursor c)
{
	size_t length = (size_t)(c.end - c.at);
	size_t room = INI_VALUE - s->value.length;
	fw_buf_append(&s->value, c.at, length < room ? length : room);
}

static void give(struct setting *s)
{
	if (s->name[0]) {
		fw_buf_putc(&s->value, '\0');
		s->each(s->section, s->name, (const char *)s->value.data, s->arg);
	}
	s->name[0] = '\0';
	fw_buf_reset(&s->value);
}

static void begin(struct setting *s, struct fw_cursor line)
{
	const char *sign = memchr(line.at, '=', (size_t)(line.end - line.at));
	if (!sign)
		sign = memchr(line.at, ':', (size_t)(line.end - line.at));
	if (!sign)
		return;
	copy(s->name, trim((struct fw_cursor){line.at, sign}));
	append(s, trim((struct fw_cursor){sign + 1, line.end}));
}

static void take_line(struct setting *s, struct fw_cursor line)
{
	static const char blank[] = " ";
	struct fw_cursor text = trim(line);
	if (text.at == text.end || *text.at == '#' || *text.at == ';')
		return;
	if (is_blank(*line.at) && s->name[0]) {
		append(s, (struct fw_cursor){blank, &blank[1]});
		append(s, text);
		return;
	}
	give(s);
	if (*text.at == '[' && text.end[-1] == ']')
		copy(s->section, (struct fw_cursor){text.at + 1, text.end - 1});
	else
		begin(s, text);
}

void ini_read(struct fw_cursor c, ini_each *each, void *arg)
{
	struct setting s = {.each = each, .arg = arg};
	struct fw_cursor line;
	while (fw_cut_line(&c, &line))
		take_line(&s, line);
	give(&s);
	fw_buf_done(&s.value);
}

bool ini_is_yes(const char *value)
{
	return strcmp(value, "1") == 0 || strcasecmp(value, "yes") == 0 ||
		strcasecmp(value, "true") == 0 || strcasecmp(value, "on") == 0;
}
