/* SPDX-License-Identifier: Apache-2.0 */
#include <fenwatch/log.h>

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fenwatch/clock.h>
#include <fenwatch/utf8.h>

enum { LINE_BYTES = 2048 };

static struct {
	const char *program;
	enum fw_level most;
	bool journal;
} target = {.program = "fenwatch", .most = FW_INFO};

void fw_log_init(const char *program, enum fw_level most)
{
	target.program = program;
	target.most = most;
	target.journal = getenv("JOURNAL_STREAM") != NULL;
}

static const char *level_name(enum fw_level level)
{
	switch (level) {
	case FW_ERROR:
		return "error";
	case FW_WARNING:
		return "warning";
	case FW_NOTICE:
		return "notice";
	case FW_INFO:
		return "info";
	case FW_DEBUG:
		break;
	}
	return "debug";
}

static int put_prefix(enum fw_level level, char *line, size_t size)
{
	if (target.journal)
		return snprintf(line, size, "<%d>", (int)level);
	char now[32];
	return snprintf(line, size, "%s %s %s: ", fw_time_format(fw_wall_ms(), now, sizeof now),
		target.program, level_name(level));
}

void fw_log(enum fw_level level, const char *format, ...)
{
	if (level > target.most)
		return;
	char message[LINE_BYTES], line[LINE_BYTES + 128];
	va_list args;
	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	size_t used = (size_t)put_prefix(level, line, 128);
	if (used > 127)
		used = 127;
	fw_escape(message, line + used, sizeof line - used - 1);
	used += strlen(line + used);
	line[used++] = '\n';
	/* One write a line, so that lines of several threads do not mix. There is
	 * nobody to tell when standard error itself fails. */
	if (write(STDERR_FILENO, line, used) < 0)
		return;
}

/* What could move a cursor, end a line or turn text around. */
static bool is_harmful(uint32_t code)
{
	if (code < 0x20 || (code >= 0x7f && code <= 0x9f))
		return true;
	return code == 0x061c || code == 0x200e || code == 0x200f ||
		(code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
		code == 0xfeff;
}

/* One character of `text`, as it may be shown; returns the bytes it was made of. */
static size_t escape_one(const char *text, size_t length, char shown[16])
{
	uint32_t code;
	size_t n = fw_utf8_decode(text, length, &code);
	if (n == 0) {
		snprintf(shown, 16, "\\x%02x", (unsigned char)*text);
		return 1;
	}
	if (!is_harmful(code)) {
		memcpy(shown, text, n);
		shown[n] = '\0';
	} else {
		snprintf(shown, 16, code < 0x80 ? "\\x%02x" : "\\u{%04x}", (unsigned)code);
	}
	return n;
}

char *fw_escape(const char *text, char *out, size_t size)
{
	size_t length = strlen(text), used = 0;
	while (length > 0) {
		char shown[16];
		size_t n = escape_one(text, length, shown);
		size_t wide = strlen(shown);
		if (used + wide >= size)
			break;
		memcpy(out + used, shown, wide);
		used += wide;
		text += n;
		length -= n;
	}
	if (size > 0)
		out[used] = '\0';
	return out;
}
