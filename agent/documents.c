/* SPDX-License-Identifier: Apache-2.0 */
#include "documents.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "answer.h"

#define MAGIC "fenwatch-items 1 "
#define KINDS_LIMIT 4 /* of one source */
#define FILE_LIMIT ((size_t)FW_ITEMS_RAW_LIMIT + 64)

struct document {
	const char *kind;
	uint64_t made_from;
	bool given, in_item;
	struct fw_item_writer writer;
};

struct documents {
	const char *folder;
	struct document documents[KINDS_LIMIT];
	size_t n;
};

/* A table as it lies on disk. */
struct kept {
	struct fw_buf file;
	uint64_t revision; /* 0: there is none */
	uint64_t made_from;
	const char *at, *end;
};

static char *path_of(const char *folder, const char *kind, const char *ending)
{
	return fw_format("%s/documents/%s%s", folder, kind, ending);
}

/* What cannot be read is as good as not there: the whole table is given again. */
static void kept_load(struct kept *kept, const char *folder, const char *kind)
{
	*kept = (struct kept){.revision = 0};
	if (!folder)
		return;
	char *path = path_of(folder, kind, "");
	struct fw_cursor c, line;
	uint64_t revision, made_from;
	int rc = fw_file_read(path, FILE_LIMIT, &kept->file, NULL);
	fw_free(path);
	if (rc < 0 || kept->file.length == 0)
		return;
	c.at = (const char *)kept->file.data;
	c.end = c.at + kept->file.length;
	if (c.end[-1] != '\n' || memchr(c.at, '\0', kept->file.length) || !fw_cut_line(&c, &line) ||
		!fw_cut_literal(&line, MAGIC) || !fw_cut_u64(&line, &revision) ||
		!fw_cut_u64(&line, &made_from) || line.at != line.end)
		return;
	kept->revision = revision;
	kept->made_from = made_from;
	kept->at = c.at;
	kept->end = c.end;
}

static bool is_whole_wanted(const char *folder, const char *kind)
{
	char *path = path_of(folder, kind, ".whole");
	int fd = fw_open(path, O_RDONLY, 0);
	fw_free(path);
	if (fd >= 0)
		fw_close(fd);
	return fd >= 0;
}

/* ---- what a source calls ---- */

struct documents *documents_new(const char *folder, const struct source *source)
{
	struct documents *d = fw_alloc(sizeof *d);
	d->folder = folder;
	for (const char *const *kind = source->documents; kind && *kind; kind++) {
		assert(d->n < KINDS_LIMIT && fw_document_kind_valid(*kind));
		d->documents[d->n].writer.text.limit = FW_ITEMS_RAW_LIMIT;
		d->documents[d->n++].kind = *kind;
	}
	return d;
}

void documents_free(struct documents *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n; i++)
		fw_buf_done(&d->documents[i].writer.text);
	fw_free(d);
}

struct document *document_begin(struct machine *m, const char *kind)
{
	if (!m->documents)
		return NULL;
	size_t i = 0;
	while (i < m->documents->n && strcmp(m->documents->documents[i].kind, kind) != 0)
		i++;
	assert(i < m->documents->n);
	struct document *d = &m->documents->documents[i];
	fw_buf_reset(&d->writer.text);
	d->in_item = false;
	d->given = true;
	return d;
}

static void end_item(struct document *d)
{
	if (d->in_item)
		fw_item_end(&d->writer);
	d->in_item = false;
}

void document_item(struct document *d, const char *key)
{
	if (!d)
		return;
	end_item(d);
	fw_item_begin(&d->writer, '+', key);
	d->in_item = true;
}

void document_field(struct document *d, const char *name, const char *value)
{
	if (d)
		fw_item_field(&d->writer, name, value);
}

void document_made_from(struct document *d, uint64_t made_from)
{
	if (d)
		d->made_from = made_from;
}

bool document_is_kept(const struct machine *m, const char *kind, uint64_t made_from)
{
	struct kept kept;
	if (!m->documents)
		return true;
	kept_load(&kept, m->documents->folder, kind);
	fw_buf_done(&kept.file);
	return kept.revision > 0 && kept.made_from == made_from &&
		!is_whole_wanted(m->documents->folder, kind);
}

int document_before(const struct machine *m, const char *kind,
	int (*each)(const struct fw_item *item, void *arg), void *arg)
{
	struct kept kept;
	struct fw_items items;
	struct fw_item item;
	kept_load(&kept, m->documents ? m->documents->folder : NULL, kind);
	int rc = kept.revision ? 0 : -ENOENT;
	if (rc == 0) {
		uint8_t *text = kept.file.data + (kept.at - (const char *)kept.file.data);
		fw_items_open(&items, text, (size_t)(kept.end - kept.at), true);
		while ((rc = fw_items_next(&items, &item, NULL)) > 0 &&
			(rc = each(&item, arg)) >= 0)
			;
	}
	fw_buf_done(&kept.file);
	return rc;
}

/* ---- comparing ---- */

/* The lines of a table, sorted by key. */
struct lines {
	const char **line;
	size_t n;
};

static int compare_lines(const void *a, const void *b)
{
	const char *left = *(const char *const *)a, *right = *(const char *const *)b;
	int order = fw_item_compare(left + 1, right + 1);
	return order ? order : (left > right) - (left < right);
}

static void lines_sort(struct lines *lines, const struct fw_buf *text)
{
	const char *at = (const char *)text->data, *end = at + text->length;
	size_t n = 0;
	for (const char *c = at; c < end; c++)
		n += *c == '\n';
	lines->line = fw_alloc_array(n + 1, sizeof *lines->line);
	for (; at < end; at = strchr(at, '\n') + 1)
		lines->line[lines->n++] = at;
	qsort(lines->line, lines->n, sizeof *lines->line, compare_lines);
	size_t kept = 0;
	for (size_t i = 0; i < lines->n; i++)
		if (i == 0 || fw_item_compare(lines->line[kept - 1] + 1, lines->line[i] + 1) != 0)
			lines->line[kept++] = lines->line[i];
	lines->n = kept;
}

static size_t line_length(const char *line)
{
	return (size_t)(strchr(line, '\n') + 1 - line);
}

static void put_line(struct fw_buf *out, const char *line)
{
	fw_buf_append(out, line, line_length(line));
}

static void put_gone(struct fw_buf *out, const char *line)
{
	fw_buf_putc(out, '-');
	fw_buf_append(out, line + 1, strcspn(line + 1, "\t\n"));
	fw_buf_putc(out, '\n');
}

/* Both are sorted: one pass. */
static void compare(const struct lines *lines, const struct kept *kept, struct fw_buf *out)
{
	const char *old = kept->at;
	for (size_t i = 0; i < lines->n; i++) {
		const char *line = lines->line[i];
		while (old < kept->end && fw_item_compare(old + 1, line + 1) < 0) {
			put_gone(out, old);
			old += line_length(old);
		}
		bool same_key = old < kept->end && fw_item_compare(old + 1, line + 1) == 0;
		size_t length = line_length(line);
		if (!same_key || line_length(old) != length || memcmp(old, line, length) != 0)
			fw_buf_append(out, line, length);
		if (same_key)
			old += line_length(old);
	}
	for (; old < kept->end; old += line_length(old))
		put_gone(out, old);
}

/* ---- the end of a read ---- */

static void put_news(struct fw_buf *out, const struct document_news *news)
{
	fw_buf_append(out, news->kind, strlen(news->kind) + 1);
	fw_buf_put_varint(out, news->revision);
	fw_buf_put_varint(out, news->whole);
	fw_buf_put_varint(out, news->raw_length);
	fw_buf_put_varint(out, news->length);
	fw_buf_append(out, news->body, news->length);
}

static int put_file(const struct documents *d, const struct document *document, const char *ending,
	uint64_t revision, const struct lines *lines, struct fw_err *err)
{
	if (!d->folder)
		return 0;
	struct fw_buf file = {0};
	fw_buf_printf(&file, MAGIC "%" PRIu64 " %" PRIu64 "\n", revision, document->made_from);
	for (size_t i = 0; i < lines->n; i++)
		put_line(&file, lines->line[i]);
	char *folder = fw_format("%s/documents", d->folder);
	char *path = path_of(d->folder, document->kind, ending);
	int rc = fw_mkdir_all(folder, 0700);
	if (rc < 0)
		fw_fail_sys(err, rc, "folder '%s'", folder);
	else
		rc = fw_file_replace(path, file.data, file.length, 0600, err);
	fw_free(path);
	fw_free(folder);
	fw_buf_done(&file);
	return rc;
}

/* `text`: what is handed on of the table. */
static int hand_on(const struct documents *d, const struct document *document,
	const struct lines *lines, const struct fw_buf *text, struct document_news *news,
	struct fw_buf *out, struct fw_err *err)
{
	struct fw_buf packed = {0};
	int rc = fw_items_pack(&packed, text->data, text->length, err);
	if (rc >= 0)
		rc = put_file(d, document, ".new", news->revision, lines, err);
	if (rc >= 0) {
		news->raw_length = (uint32_t)text->length;
		news->body = packed.data;
		news->length = packed.length;
		put_news(out, news);
	}
	fw_buf_done(&packed);
	return rc < 0 ? rc : 1;
}

/* What is handed on of a table: what differs, or all of it. False: nothing does. */
static bool find_news(const struct documents *d, const struct document *document,
	const struct lines *lines, const struct kept *kept, struct document_news *news,
	struct fw_buf *text)
{
	news->kind = document->kind;
	news->revision = kept->revision + 1;
	news->whole = !kept->revision || is_whole_wanted(d->folder, document->kind);
	if (kept->revision)
		compare(lines, kept, text);
	if (!news->whole && text->length == 0)
		return false;
	if (news->whole || text->length > document->writer.text.length / 2) {
		news->whole = true;
		fw_buf_reset(text);
		for (size_t i = 0; i < lines->n; i++)
			put_line(text, lines->line[i]);
	}
	return true;
}

/* 1 when there was something to hand on. */
static int finish_one(const struct documents *d, struct document *document, int64_t now_ms,
	struct fw_buf *out, struct fw_err *err)
{
	end_item(document);
	if (document->writer.text.overflowed)
		return fw_fail(err, -EFBIG, "the table is larger than 4 MiB");
	struct kept kept;
	struct lines lines = {.n = 0};
	struct fw_buf text = {0};
	struct document_news news;
	int rc = 0;
	kept_load(&kept, d->folder, document->kind);
	lines_sort(&lines, &document->writer.text);
	if (find_news(d, document, &lines, &kept, &news, &text)) {
		if (!kept.revision)
			news.revision = (uint64_t)(now_ms / 1000);
		rc = hand_on(d, document, &lines, &text, &news, out, err);
	} else if (kept.made_from != document->made_from) {
		/* The same table, made from something else. */
		rc = put_file(d, document, "", kept.revision, &lines, err);
	}
	fw_buf_done(&text);
	fw_buf_done(&kept.file);
	fw_free(lines.line);
	return rc;
}

void documents_finish(struct documents *d, int64_t now_ms, struct fw_buf *out)
{
	struct fw_buf all = {0};
	struct fw_err err = {.text = ""}, one;
	uint64_t n = 0;
	int rc = 0;
	for (size_t i = 0; i < d->n; i++) {
		struct document *document = &d->documents[i];
		int got = document->given ? finish_one(d, document, now_ms, &all, &one) : 0;
		if (got > 0)
			n++;
		if (got < 0) {
			rc = got;
			fw_fail(&err, rc, "%s: %s", document->kind, one.text);
		}
	}
	fw_buf_put_varint(out, fw_zigzag(rc));
	fw_buf_append(out, err.text, strlen(err.text) + 1);
	fw_buf_put_varint(out, n);
	fw_buf_append(out, all.data, all.length);
	fw_buf_done(&all);
}

void documents_print(struct documents *d, bool brief, struct fw_buf *out)
{
	for (size_t i = 0; i < d->n; i++) {
		struct document *document = &d->documents[i];
		struct lines lines = {.n = 0};
		if (!document->given)
			continue;
		end_item(document);
		lines_sort(&lines, &document->writer.text);
		fw_buf_printf(out, "# INVENTORY %s %zu items\n", document->kind, lines.n);
		for (size_t k = 0; k < lines.n && !brief; k++) {
			fw_buf_printf(out, "# INVENTORY %s ", document->kind);
			fw_buf_append(out, lines.line[k] + 1, line_length(lines.line[k]) - 1);
		}
		fw_free(lines.line);
	}
}

/* ---- in the agent ---- */

static const char *find_kind(const struct source *source, const char *kind)
{
	for (const char *const *own = source->documents; own && *own; own++)
		if (strcmp(*own, kind) == 0)
			return *own;
	return NULL;
}

static bool cut_news(struct reader *r, const struct source *source, struct document_news *out)
{
	const char *kind;
	uint64_t whole, raw_length, length;
	if (!cut_text(r, &kind) || !cut_number(r, &out->revision) || !cut_number(r, &whole) ||
		!cut_number(r, &raw_length) || raw_length > FW_ITEMS_RAW_LIMIT ||
		!cut_number(r, &length) || length > FW_ITEMS_PACKED_LIMIT ||
		!cut_bytes(r, (size_t)length, &out->body))
		return false;
	out->kind = find_kind(source, kind);
	out->whole = whole == 1;
	out->raw_length = (uint32_t)raw_length;
	out->length = (size_t)length;
	return out->kind && whole <= 1 && out->revision > 0;
}

int documents_check(
	const struct source *source, const uint8_t *data, size_t length, struct fw_err *err)
{
	struct reader r = {data, data + length};
	struct document_news news;
	const char *sentence;
	uint64_t n, i = 0;
	int rc;
	bool good = cut_answer(&r, &rc, &sentence, &n);
	while (good && i < n && cut_news(&r, source, &news))
		i++;
	if (!good || i < n || r.at != r.end)
		return fw_fail(err, -EBADMSG, "its inventory is not whole");
	return rc < 0 ? fw_fail(err, rc, "inventory: %s", sentence) : 0;
}

void documents_each(const struct source *source, const uint8_t *data, size_t length,
	void (*each)(const struct document_news *news, void *arg), void *arg)
{
	struct reader r = {data, data + length};
	struct document_news news;
	const char *sentence;
	uint64_t n = 0;
	int rc;
	if (!cut_answer(&r, &rc, &sentence, &n))
		return;
	for (uint64_t i = 0; i < n && cut_news(&r, source, &news); i++)
		each(&news, arg);
}

int documents_keep(const char *folder, const struct document_news *news, struct fw_err *err)
{
	char *fresh = path_of(folder, news->kind, ".new");
	char *kept = path_of(folder, news->kind, "");
	char *whole = path_of(folder, news->kind, ".whole");
	int rc = fw_rename(fresh, kept);
	if (rc < 0)
		fw_fail_sys(err, rc, "'%s' cannot be kept", kept);
	else if (news->whole)
		fw_unlink(whole);
	fw_free(fresh);
	fw_free(kept);
	fw_free(whole);
	return rc;
}

static int want_whole(const char *folder, const char *kind, struct fw_err *err)
{
	char *path = path_of(folder, kind, ".whole");
	int fd = fw_open(path, O_CREAT | O_WRONLY, 0600);
	int rc = fd < 0 && fd != -ENOENT ? fw_fail_sys(err, fd, "'%s'", path) : 0;
	if (fd >= 0)
		fw_close(fd);
	fw_free(path);
	return rc;
}

int documents_want_whole(const char *folder, const char *kind, struct fw_err *err)
{
	bool found = false;
	int rc = 0;
	for (size_t i = 0; sources[i]; i++) {
		for (const char *const *own = sources[i]->documents; own && *own; own++) {
			if (kind && strcmp(*own, kind) != 0)
				continue;
			found = true;
			int one = want_whole(folder, *own, err);
			rc = one < 0 ? one : rc;
		}
	}
	return found || !kind ? rc : fw_fail(err, -ENOENT, "no inventory of such a kind");
}
