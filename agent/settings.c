/* SPDX-License-Identifier: Apache-2.0 */
/* settings: magic u32 | version u32 | starts on trial u32 (0: proven) | length of
 * now u32 | length of good u32 | refused version u64 | now | good | CRC-32C u32.
 * `now` and `good` are Settings messages. */
#include "settings.h"

#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/crc.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>
#include <fenwatch/wire.h>

#include "record.h"

#define SETTINGS_MAGIC 0x53535746u /* "FWSS" */
#define SETTINGS_HEADER 28
#define SETTINGS_LIMIT (64u << 10)
#define SETTINGS_STARTS 2 /* that may fail */

struct settings {
	char *path;
	uint32_t starts; /* 0: proven; otherwise 1 + starts on trial */
	uint64_t refused;
	struct fw_buf now, good;
	struct fw_arena arena; /* of `parsed` */
	Fenwatch__Wire__Settings *parsed;
};

static void parse(struct settings *s)
{
	void *message;
	fw_arena_done(&s->arena);
	s->arena.limit = SETTINGS_LIMIT;
	s->parsed = NULL;
	if (s->now.length > 0 &&
		fw_wire_unpack(&fenwatch__wire__settings__descriptor, s->now.data, s->now.length,
			&s->arena, &message, NULL) >= 0)
		s->parsed = message;
}

static void save(const struct settings *s)
{
	uint8_t header[SETTINGS_HEADER], crc[4];
	struct fw_buf out = {0};
	put_u32(header, SETTINGS_MAGIC);
	put_u32(header + 4, 1);
	put_u32(header + 8, s->starts);
	put_u32(header + 12, (uint32_t)s->now.length);
	put_u32(header + 16, (uint32_t)s->good.length);
	put_u64(header + 20, s->refused);
	fw_buf_append(&out, header, sizeof header);
	fw_buf_append(&out, s->now.data, s->now.length);
	fw_buf_append(&out, s->good.data, s->good.length);
	put_u32(crc, fw_crc32c(0, out.data, out.length));
	fw_buf_append(&out, crc, sizeof crc);
	/* Not being able to keep them is no reason not to follow them. */
	fw_file_replace(s->path, out.data, out.length, 0600, NULL);
	fw_buf_done(&out);
}

static void take(struct settings *s, const struct fw_buf *text)
{
	const uint8_t *d = text->data;
	if (text->length < SETTINGS_HEADER + 4 || get_u32(d) != SETTINGS_MAGIC ||
		get_u32(d + 4) != 1 ||
		get_u32(d + text->length - 4) != fw_crc32c(0, d, text->length - 4))
		return;
	size_t now = get_u32(d + 12), good = get_u32(d + 16);
	if (now > SETTINGS_LIMIT || good > SETTINGS_LIMIT ||
		SETTINGS_HEADER + now + good + 4 != text->length)
		return;
	s->starts = get_u32(d + 8);
	s->refused = get_u64(d + 20);
	fw_buf_append(&s->now, d + SETTINGS_HEADER, now);
	fw_buf_append(&s->good, d + SETTINGS_HEADER + now, good);
}

static void revert(struct settings *s)
{
	s->refused = s->parsed ? s->parsed->version : 0;
	s->starts = 0;
	fw_buf_reset(&s->now);
	fw_buf_append(&s->now, s->good.data, s->good.length);
	parse(s);
}

struct settings *settings_open(const char *dir)
{
	struct settings *s = fw_alloc(sizeof *s);
	struct fw_buf text = {0};
	s->path = fw_format("%s/settings", dir);
	if (fw_file_read(s->path, 4 * SETTINGS_LIMIT, &text, NULL) >= 0)
		take(s, &text);
	fw_buf_done(&text);
	parse(s);
	if (s->starts > 0) {
		s->starts++;
		if (s->starts > 1 + SETTINGS_STARTS)
			revert(s);
		save(s);
	}
	return s;
}

void settings_close(struct settings *s)
{
	if (!s)
		return;
	fw_arena_done(&s->arena);
	fw_buf_done(&s->now);
	fw_buf_done(&s->good);
	fw_free(s->path);
	fw_free(s);
}

const Fenwatch__Wire__Settings *settings_now(const struct settings *s)
{
	return s->parsed;
}

bool settings_offer(struct settings *s, const Fenwatch__Wire__Settings *offered)
{
	size_t length = fenwatch__wire__settings__get_packed_size(offered);
	if (length > SETTINGS_LIMIT || offered->version == s->refused ||
		(s->parsed && s->parsed->version == offered->version))
		return false;
	if (s->starts == 0) {
		fw_buf_reset(&s->good);
		fw_buf_append(&s->good, s->now.data, s->now.length);
	}
	fw_buf_reset(&s->now);
	uint8_t *room = fw_buf_reserve(&s->now, length + 1);
	s->now.length += fenwatch__wire__settings__pack(offered, room);
	s->starts = 1;
	parse(s);
	save(s);
	return s->parsed != NULL;
}

void settings_prove(struct settings *s)
{
	if (s->starts == 0)
		return;
	s->starts = 0;
	save(s);
}

bool settings_on_trial(const struct settings *s)
{
	return s->starts > 0;
}
