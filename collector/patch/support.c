/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/text.h>

#include "support_table.h"

#define DAY_S INT64_C(86400)

enum { ID, VERSION, NAME, RELEASE, FIRST_TIER, FIELDS = FIRST_TIER + PATCH_TIERS };

/* The first second after a day, so that its last second is still within. */
static int read_end(const char *day, int64_t *end_s)
{
	char moment[40];
	int64_t at_ms;
	*end_s = 0;
	if (!*day)
		return 0;
	snprintf(moment, sizeof moment, "%.16sT00:00:00Z", day);
	if (strlen(day) != strlen("2026-06-10") || fw_time_parse(moment, &at_ms) < 0)
		return -EINVAL;
	*end_s = at_ms / 1000 + DAY_S;
	return 0;
}

static int cut_fields(struct support *s, const struct fw_cursor *line, const char *fields[FIELDS])
{
	const char *at = line->at;
	for (size_t i = 0; i < FIELDS; i++) {
		const char *comma = memchr(at, ',', (size_t)(line->end - at));
		if (!comma != (i + 1 == FIELDS))
			return -EINVAL;
		const char *end = comma ? comma : line->end;
		fields[i] = fw_arena_strndup(&s->arena, at, (size_t)(end - at));
		at = end + (comma != NULL);
	}
	return *fields[ID] && *fields[VERSION] ? 0 : -EINVAL;
}

static int add_line(struct support *s, const struct fw_cursor *line)
{
	const char *fields[FIELDS];
	struct support_entry *entry = &s->entries[s->n];
	int rc = cut_fields(s, line, fields);
	if (rc < 0)
		return rc;
	*entry = (struct support_entry){
		fields[ID], fields[VERSION], fields[NAME], fields[RELEASE], {0}};
	for (size_t t = 0; rc == 0 && t < PATCH_TIERS; t++)
		rc = read_end(fields[FIRST_TIER + t], &entry->end_s[t]);
	if (rc == 0)
		s->n++;
	return rc;
}

static size_t count_lines(struct fw_cursor text)
{
	struct fw_cursor line;
	size_t n = 0;
	while (fw_cut_line(&text, &line))
		n++;
	return n;
}

int support_parse(struct support *out, const char *text, size_t length, struct fw_err *err)
{
	struct support s = {.n = 0};
	struct fw_cursor rest = {text, text + length}, line;
	s.entries = fw_arena_alloc(&s.arena, (count_lines(rest) + 1) * sizeof *s.entries);
	for (unsigned n = 1; fw_cut_line(&rest, &line); n++) {
		if (line.at == line.end || *line.at == '#' || add_line(&s, &line) == 0)
			continue;
		support_done(&s);
		return fw_fail(err, -EINVAL,
			"line %u: a line is ID,VERSION,NAME,RELEASE,MAINSTREAM,EXTENDED,ESU with "
			"days as 2026-06-10 or nothing",
			n);
	}
	*out = s;
	return 0;
}

static int parse_built_in(struct support *out, struct fw_err *err)
{
	struct fw_buf text = {0};
	for (size_t i = 0; i < sizeof support_lines / sizeof *support_lines; i++)
		fw_buf_printf(&text, "%s\n", support_lines[i]);
	int rc = support_parse(out, (const char *)text.data, text.length, err);
	fw_buf_done(&text);
	return rc;
}

int support_open(struct support *out, const char *path, struct fw_err *err)
{
	struct fw_buf text = {0};
	if (!path)
		return parse_built_in(out, err);
	int rc = fw_file_read(path, SUPPORT_FILE_LIMIT, &text, err);
	if (rc < 0)
		return rc;
	rc = support_parse(out, (const char *)text.data, text.length, err);
	fw_buf_done(&text);
	return rc < 0 ? fw_fail_in(err, rc, "'%s'", path) : 0;
}

void support_done(struct support *support)
{
	fw_arena_done(&support->arena);
	*support = (struct support){.n = 0};
}

static const struct support_entry *find_exact(
	const struct support *s, const char *id, const char *version, size_t length)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct support_entry *entry = &s->entries[i];
		if (strcmp(entry->id, id) == 0 && strlen(entry->version) == length &&
			memcmp(entry->version, version, length) == 0)
			return entry;
	}
	return NULL;
}

const struct support_entry *support_find(
	const struct support *support, const char *id, const char *version)
{
	const struct support_entry *entry = find_exact(support, id, version, strlen(version));
	return entry ? entry : find_exact(support, id, version, strcspn(version, "."));
}

int64_t support_end(const struct support_entry *entry, bool paid)
{
	int64_t end_s = 0;
	for (size_t t = 0; t < PATCH_TIERS; t++)
		if ((t != PATCH_ESU || paid) && entry->end_s[t] > end_s)
			end_s = entry->end_s[t];
	return end_s;
}
