/* SPDX-License-Identifier: Apache-2.0 */
#include "contents.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <fenwatch/crc.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#define NAME "contents"
#define LIST_LIMIT (4u << 20) /* three rings of 4,096 segments need a tenth */

enum { PIECE_BYTES = 1 << 20, LINE_LIMIT = 512, CRC_DIGITS = 8 };

/* ---- writing ---- */

void contents_add(struct fw_buf *list, const char *name, uint64_t bytes, uint32_t crc)
{
	char line[LINE_LIMIT];
	int length = snprintf(line, sizeof line, "%0*x %llu %s\n", CRC_DIGITS, crc,
		(unsigned long long)bytes, name);
	fw_buf_append(list, line, (size_t)length);
}

/* All of it, piece by piece. */
static int sum_up(int fd, uint64_t *bytes, uint32_t *crc)
{
	uint8_t *piece = fw_alloc(PIECE_BYTES);
	ssize_t got;
	*bytes = 0;
	*crc = 0;
	while ((got = fw_pread(fd, piece, PIECE_BYTES, *bytes)) > 0) {
		*crc = fw_crc32c(*crc, piece, (size_t)got);
		*bytes += (uint64_t)got;
	}
	fw_free(piece);
	return got < 0 ? (int)got : 0;
}

int contents_add_file(struct fw_buf *list, const char *folder, const char *name, struct fw_err *err)
{
	uint64_t bytes = 0;
	uint32_t crc = 0;
	char *path = fw_format("%s/%s", folder, name);
	int fd = fw_open(path, O_RDONLY, 0);
	int rc = fd < 0 ? fd : sum_up(fd, &bytes, &crc);
	if (fd >= 0)
		fw_close(fd);
	if (rc < 0)
		fw_fail_sys(err, rc, "cannot read '%s'", path);
	else
		contents_add(list, name, bytes, crc);
	fw_free(path);
	return rc;
}

int contents_write(struct fw_buf *list, const char *folder, struct fw_err *err)
{
	char *path = fw_format("%s/" NAME, folder);
	contents_add(list, NAME, list->length, fw_crc32c(0, list->data, list->length));
	int rc = fw_file_replace(path, list->data, list->length, 0600, err);
	fw_free(path);
	return rc;
}

/* ---- checking ---- */

struct entry {
	uint32_t crc;
	uint64_t bytes;
	const char *name;
};

/* Takes a line apart; it loses its newline. NULL: that is no line. Otherwise what is behind it. */
static char *take_line(char *line, struct entry *entry)
{
	char *end = strchr(line, '\n'), *at;
	if (!end)
		return NULL;
	*end = '\0';
	entry->crc = (uint32_t)strtoul(line, &at, 16);
	if (at != line + CRC_DIGITS || *at != ' ')
		return NULL;
	entry->bytes = strtoull(at + 1, &at, 10);
	if (*at != ' ')
		return NULL;
	entry->name = at + 1;
	return end + 1;
}

static int check_open(int fd, const struct entry *entry, struct fw_err *err)
{
	struct stat st;
	uint64_t bytes;
	uint32_t crc;
	if (fstat(fd, &st) < 0)
		return fw_fail_sys(
			err, -errno, "cannot look at the snapshot's file '%s'", entry->name);
	if ((uint64_t)st.st_size != entry->bytes)
		return fw_fail(err, -EBADMSG,
			"the snapshot's file '%s' has %llu bytes and had %llu", entry->name,
			(unsigned long long)st.st_size, (unsigned long long)entry->bytes);
	int rc = sum_up(fd, &bytes, &crc);
	if (rc < 0)
		return fw_fail_sys(err, rc, "cannot read the snapshot's file '%s'", entry->name);
	if (bytes != entry->bytes || crc != entry->crc)
		return fw_fail(err, -EBADMSG,
			"the snapshot's file '%s' is not as it was: its checksum is another",
			entry->name);
	return 0;
}

static int check_file(const char *folder, const struct entry *entry, struct fw_err *err)
{
	char *path = fw_format("%s/%s", folder, entry->name);
	int fd = fw_open(path, O_RDONLY, 0);
	fw_free(path);
	if (fd == -ENOENT)
		return fw_fail(err, -EBADMSG, "the snapshot's file '%s' is missing", entry->name);
	if (fd < 0)
		return fw_fail_sys(err, fd, "cannot open the snapshot's file '%s'", entry->name);
	int rc = check_open(fd, entry, err);
	fw_close(fd);
	return rc;
}

/* The line that ends the list must tell of the others. */
static bool is_whole(const struct fw_buf *list)
{
	const char *all = (const char *)list->data;
	size_t last = list->length > 0 ? list->length - 1 : 0;
	while (last > 0 && all[last - 1] != '\n')
		last--;
	struct fw_buf end = {0};
	contents_add(&end, NAME, last, fw_crc32c(0, all, last));
	bool same = last > 0 && end.length == list->length - last &&
		memcmp(end.data, all + last, end.length) == 0;
	fw_buf_done(&end);
	return same;
}

static int check_list(const char *folder, struct fw_buf *list, struct fw_err *err)
{
	struct entry entry = {.name = ""};
	if (!is_whole(list))
		return fw_fail(err, -EBADMSG,
			"the list of the snapshot's files, '%s/" NAME "', is not as it was",
			folder);
	int rc = 0;
	char *at = (char *)list->data;
	while (rc == 0 && (at = take_line(at, &entry)) && strcmp(entry.name, NAME) != 0)
		rc = check_file(folder, &entry, err);
	return rc;
}

int contents_check(const char *folder, struct fw_err *err)
{
	struct fw_buf list = {.limit = LIST_LIMIT};
	char *path = fw_format("%s/" NAME, folder);
	int rc = fw_file_read(path, LIST_LIMIT, &list, err);
	if (rc == 0)
		rc = check_list(folder, &list, err);
	fw_buf_done(&list);
	fw_free(path);
	return rc;
}
