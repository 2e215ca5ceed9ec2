/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>
#include <fenwatch/mem.h>
#include <fenwatch/text.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool cut(struct fw_cursor *c, uint8_t how)
{
	uint64_t u;
	int64_t i;
	const char *word;
	size_t length;
	struct fw_cursor line;
	switch (how % 6) {
	case 0:
		return fw_cut_u64(c, &u);
	case 1:
		return fw_cut_i64(c, &i);
	case 2:
		return fw_cut_decimal(c, how / 6 % 20, &i);
	case 3:
		return fw_cut_word(c, &word, &length);
	case 4:
		return fw_cut_literal(c, "cpu");
	default:
		return fw_cut_line(c, &line);
	}
}

/* The promise of every reader: forward and true, or unmoved and false. */
static void read_all(const uint8_t *data, size_t size, uint8_t how)
{
	struct fw_cursor c = {(const char *)data, (const char *)data + size};
	while (c.at < c.end) {
		const char *before = c.at;
		bool moved = cut(&c, how);
		if (moved != (c.at > before) || c.at > c.end)
			abort();
		if (!moved)
			c.at++;
		how = (uint8_t)(how * 5 + 1);
	}
}

/* What can be written can be read back as the same. */
static void parse_all(const char *text)
{
	uint64_t u;
	int64_t ms, again;
	char shown[64];
	if (fw_parse_u64(text, &u) == 0 && fw_parse_size(text, &u) != 0)
		abort();
	if (fw_parse_duration(text, &ms) == 0 &&
		(fw_parse_duration(fw_format_duration(ms, shown, sizeof shown), &again) != 0 ||
			again != ms))
		abort();
	if (fw_time_parse(text, &ms) == 0)
		fw_time_format(ms, shown, 32);
	if (fw_parse_size(text, &u) == 0)
		fw_format_size(u, shown, sizeof shown);
}

static void escape(const char *text)
{
	char out[100];
	fw_escape(text, out, sizeof out);
	if (!fw_utf8_valid(out, strlen(out)) || strpbrk(out, "\n\r\x1b\x7f"))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const keys[] = {"interval", "listen", "data"};
	if (size == 0)
		return 0;
	read_all(data + 1, size - 1, data[0]);
	char *text = fw_strndup((const char *)data + 1, size - 1);
	parse_all(text);
	escape(text);
	fw_nearest(text, keys, 3);
	fw_free(text);
	return 0;
}
