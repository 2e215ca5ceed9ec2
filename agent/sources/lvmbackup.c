/* SPDX-License-Identifier: Apache-2.0 */
#include "lvmbackup.h"

#include <string.h>

#define DEPTH_LIMIT 8
#define SECTORS_LIMIT (INT64_C(1) << 53) /* 4 EiB */

struct reader {
	char sections[DEPTH_LIMIT][LVM_NAME_BYTES];
	int depth;
	struct lvm_group *group;
	/* Of the segment being read. */
	int64_t segment_extents;
	bool on_disks;
};

static bool is_in(const struct reader *r, int level, const char *section)
{
	return r->depth > level && strcmp(r->sections[level], section) == 0;
}

static bool contains(struct fw_cursor line, const char *text)
{
	return memmem(line.at, (size_t)(line.end - line.at), text, strlen(text)) != NULL;
}

/* stripes = [ "pv0", 0 ]: on a disk, and not on another volume. Longer lists stand a line
 * each. */
static void note_stripe(struct reader *r, struct fw_cursor line)
{
	r->on_disks = r->on_disks || contains(line, "\"pv");
}

static void note_number(struct reader *r, const char *key, int64_t value)
{
	struct lvm_group *g = r->group;
	if (r->depth == 1 && strcmp(key, "extent_size") == 0)
		g->extent_sectors = value;
	else if (r->depth == 3 && is_in(r, 1, "physical_volumes") && strcmp(key, "pe_count") == 0)
		g->extents += value;
	else if (r->depth == 4 && is_in(r, 1, "logical_volumes") &&
		strcmp(key, "extent_count") == 0)
		r->segment_extents = value;
}

static void note_value(struct reader *r, const char *key, struct fw_cursor line)
{
	int64_t value;
	bool flags = strcmp(key, "flags") == 0 || strcmp(key, "status") == 0;
	if (r->depth == 3 && is_in(r, 1, "physical_volumes") && flags)
		r->group->missing += contains(line, "\"MISSING\"");
	else if (fw_cut_i64(&line, &value) && value >= 0 && value < SECTORS_LIMIT)
		note_number(r, key, value);
	else if (r->depth == 4 && is_in(r, 1, "logical_volumes"))
		note_stripe(r, line);
}

static bool enter(struct reader *r, const char *section)
{
	if (r->depth == DEPTH_LIMIT)
		return false;
	if (r->depth == 0)
		memcpy(r->group->name, section, LVM_NAME_BYTES);
	memcpy(r->sections[r->depth++], section, LVM_NAME_BYTES);
	r->segment_extents = 0;
	r->on_disks = false;
	return true;
}

static bool leave(struct reader *r)
{
	if (r->depth == 4 && r->on_disks)
		r->group->used += r->segment_extents;
	r->segment_extents = 0;
	r->on_disks = false;
	return r->depth-- > 0;
}

static bool read_line(struct reader *r, struct fw_cursor line)
{
	char key[LVM_NAME_BYTES] = "";
	fw_skip_blanks(&line);
	if (line.at == line.end || *line.at == '#')
		return true;
	if (*line.at == '}')
		return leave(r);
	if (*line.at == '"') {
		note_stripe(r, line);
		return true;
	}
	if (!cut_name(&line, '=', key, sizeof key))
		return true;
	fw_skip_blanks(&line);
	if (line.at < line.end && *line.at == '{')
		return enter(r, key);
	if (fw_cut_literal(&line, "="))
		fw_skip_blanks(&line);
	note_value(r, key, line);
	return true;
}

static bool is_possible(const struct lvm_group *g)
{
	return g->extent_sectors > 0 && g->used >= 0 && g->used <= g->extents &&
		g->extents <= SECTORS_LIMIT / g->extent_sectors;
}

bool lvm_backup_read(struct fw_cursor text, struct lvm_group *out)
{
	struct reader r = {.group = out};
	struct fw_cursor line;
	*out = (struct lvm_group){.name = ""};
	while (fw_cut_line(&text, &line))
		if (!read_line(&r, line))
			return false;
	return r.depth == 0 && is_possible(out);
}
