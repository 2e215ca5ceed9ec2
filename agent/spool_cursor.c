/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include <fenwatch/crc.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "spool_internal.h"

#define CURSOR_BYTES 140

char *spool_path(const struct spool *s, const char *name)
{
	return fw_format("%s/%s", s->dir, name);
}

int spool_cursor_write(struct spool *s, struct fw_err *err)
{
	uint8_t c[CURSOR_BYTES] = {0};
	if (s->config.look_only)
		return 0;
	put_u32(c, SPOOL_CURSOR_MAGIC);
	put_u32(c + 4, SPOOL_VERSION);
	put_u64(c + 8, s->stream);
	for (int lane = 0; lane < LANES; lane++) {
		uint8_t *at = c + 16 + 32 * lane;
		put_u64(at, s->lanes[lane].base);
		put_u64(at + 8, s->lanes[lane].acked);
		put_u64(at + 16, s->lanes[lane].made);
		put_u64(at + 24, s->lanes[lane].reserved);
	}
	put_u32(c + 80, s->chain_closed);
	put_u32(c + 84, s->next_schema);
	put_u64(c + 88, s->loss.from);
	put_u64(c + 96, s->loss.to);
	put_u64(c + 104, s->loss.sweeps);
	put_u32(c + 112, (uint32_t)s->loss.why);
	put_u32(c + 116, s->gathering.joined);
	put_u64(c + 120, s->dropped_frames);
	put_u64(c + 128, s->dropped_sweeps);
	put_u32(c + 136, fw_crc32c(0, c, 136));
	char *path = spool_path(s, "cursor");
	int rc = fw_file_replace(path, c, sizeof c, 0600, err);
	fw_free(path);
	return rc;
}

static bool cursor_take(struct spool *s, const uint8_t *c, size_t length)
{
	if (length != CURSOR_BYTES || get_u32(c) != SPOOL_CURSOR_MAGIC ||
		get_u32(c + 136) != fw_crc32c(0, c, 136) || get_u32(c + 112) >= LOSSES)
		return false;
	s->stream = get_u64(c + 8);
	for (int lane = 0; lane < LANES; lane++) {
		const uint8_t *at = c + 16 + 32 * lane;
		s->lanes[lane].base = get_u64(at);
		s->lanes[lane].acked = get_u64(at + 8);
		s->lanes[lane].made = get_u64(at + 16);
		s->lanes[lane].reserved = get_u64(at + 24);
	}
	s->chain_closed = get_u32(c + 80);
	s->next_schema = get_u32(c + 84);
	s->loss.from = get_u64(c + 88);
	s->loss.to = get_u64(c + 96);
	s->loss.sweeps = get_u64(c + 104);
	s->loss.why = (enum spool_loss)get_u32(c + 112);
	s->gathering.joined = get_u32(c + 116);
	s->dropped_frames = get_u64(c + 120);
	s->dropped_sweeps = get_u64(c + 128);
	return true;
}

int spool_cursor_load(struct spool *s, struct fw_err *err)
{
	struct fw_buf text = {0};
	char *path = spool_path(s, "cursor");
	int rc = fw_file_read(path, 4096, &text, err);
	fw_free(path);
	if (rc >= 0 && text.length >= 8 && get_u32(text.data) == SPOOL_CURSOR_MAGIC &&
		get_u32(text.data + 4) > SPOOL_VERSION)
		rc = fw_fail(err, -EPROTONOSUPPORT,
			"it was written by a newer agent (format %u); install that one or remove it",
			get_u32(text.data + 4));
	else if (rc >= 0)
		rc = cursor_take(s, text.data, text.length) ? 0 : 1;
	else if (rc == -ENOENT || rc == -EFBIG)
		rc = 1;
	fw_buf_done(&text);
	return rc;
}
