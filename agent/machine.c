/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#define FILE_LIMIT ((size_t)1 << 20)
#define CHUNK_BYTES ((size_t)4096)

int machine_open(struct machine *m, const char *root, struct fw_err *err)
{
	static const struct choices none;
	*m = (struct machine){
		.root_path = root, .recorded = strcmp(root, "/") != 0, .choices = &none};
	m->root = fw_open(root, O_PATH | O_DIRECTORY, 0);
	if (m->root < 0)
		return fw_fail_sys(err, m->root, "root '%s'", root);
	long ticks = m->recorded ? 100 : sysconf(_SC_CLK_TCK);
	m->clock_ticks = ticks > 0 ? (unsigned long)ticks : 100;
	return 0;
}

void machine_close(struct machine *m)
{
	if (m->root_path && m->root >= 0)
		fw_close(m->root);
	fw_buf_done(&m->text);
	*m = (struct machine){.root = -1};
}

const char *machine_path(const char *path)
{
	return path + strspn(path, "/");
}

/* Read to the end: the size that /proc and /sys give for a file is not its length. */
static int read_all(int fd, struct fw_buf *text)
{
	while (text->length < FILE_LIMIT) {
		size_t room = FILE_LIMIT - text->length;
		uint8_t *into = fw_buf_reserve(text, room < CHUNK_BYTES ? room : CHUNK_BYTES);
		size_t spare = text->capacity - text->length - 1;
		ssize_t got = fw_pread(fd, into, spare < room ? spare : room, text->length);
		if (got <= 0)
			return (int)got;
		text->length += (size_t)got;
	}
	return 0;
}

int machine_read(struct machine *m, const char *path, struct fw_cursor *c)
{
	int fd = fw_openat(m->root, path, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0)
		return fd;
	fw_buf_reset(&m->text);
	int rc = read_all(fd, &m->text);
	fw_close(fd);
	if (rc < 0)
		return rc;
	*fw_buf_reserve(&m->text, 1) = '\0';
	c->at = (const char *)m->text.data;
	c->end = c->at + m->text.length;
	return 0;
}

int machine_read_i64(struct machine *m, const char *path, int64_t *value)
{
	int fd = fw_openat(m->root, path, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0)
		return fd;
	char text[64];
	ssize_t got = fw_pread(fd, text, sizeof text, 0);
	fw_close(fd);
	if (got < 0)
		return (int)got;
	struct fw_cursor c = {text, text + got};
	return fw_cut_i64(&c, value) ? 0 : -EINVAL;
}

int machine_read_line(struct machine *m, const char *path, const char **line)
{
	struct fw_cursor c;
	int rc = machine_read(m, path, &c);
	if (rc < 0)
		return rc;
	char *text = (char *)m->text.data;
	text[strcspn(text, "\n")] = '\0';
	*line = text;
	return 0;
}

/* A checkout has files' contents but not their times: a recorded tree lists
 * those that matter in recorded/mtimes, "PATH SECONDS" a line. */
static int find_recorded_mtime(struct machine *m, const char *path, int64_t *mtime_ms)
{
	struct fw_cursor c, line;
	const char *word;
	size_t length;
	int64_t seconds;
	int rc = machine_read(m, "recorded/mtimes", &c);
	while (rc == 0 && fw_cut_line(&c, &line)) {
		if (!fw_cut_word(&line, &word, &length) || length != strlen(path) ||
			memcmp(word, path, length) != 0 || !fw_cut_i64(&line, &seconds))
			continue;
		*mtime_ms = seconds * 1000;
		return 0;
	}
	return -ENOENT;
}

int machine_stat(struct machine *m, const char *path, struct machine_file *out)
{
	struct stat st;
	if (fstatat(m->root, path, &st, 0) < 0)
		return -errno;
	out->size = (int64_t)st.st_size;
	out->mtime_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
	out->touched_ms = (int64_t)st.st_ctim.tv_sec * 1000 + st.st_ctim.tv_nsec / 1000000;
	if (m->recorded)
		out->touched_ms =
			find_recorded_mtime(m, path, &out->mtime_ms) == 0 ? out->mtime_ms : 0;
	return 0;
}

int machine_enter(struct machine *m, const char *path)
{
	int folder = fw_openat(m->root, path, O_PATH | O_DIRECTORY, 0);
	if (folder < 0)
		return folder;
	int root = m->root;
	m->root = folder;
	return root;
}

void machine_leave(struct machine *m, int root)
{
	fw_close(m->root);
	m->root = root;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names lie one after another in `text`, each ended by NUL. */
static unsigned read_names(DIR *folder, struct fw_buf *text)
{
	unsigned n = 0;
	const struct dirent *entry;
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		fw_buf_append(text, entry->d_name, strlen(entry->d_name) + 1);
		n++;
	}
	return n;
}

static int call_sorted(struct machine *m, const struct fw_buf *text, unsigned n,
	int (*each)(struct machine *, const char *, void *), void *arg)
{
	const char **names = fw_alloc_array(n, sizeof *names);
	const char *at = (const char *)text->data;
	for (unsigned i = 0; i < n; i++) {
		names[i] = at;
		at += strlen(at) + 1;
	}
	qsort(names, n, sizeof *names, compare_names);
	int rc = 0;
	for (unsigned i = 0; i < n && rc >= 0; i++)
		rc = each(m, names[i], arg);
	fw_free(names);
	return rc;
}

int machine_list(struct machine *m, const char *path,
	int (*each)(struct machine *m, const char *name, void *arg), void *arg)
{
	int fd = fw_openat(m->root, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	DIR *folder = fdopendir(fd);
	if (!folder) {
		fw_close(fd);
		return -ENOMEM;
	}
	struct fw_buf text = {0};
	unsigned n = read_names(folder, &text);
	closedir(folder);
	int rc = n ? call_sorted(m, &text, n, each, arg) : 0;
	fw_buf_done(&text);
	return rc < 0 ? rc : 0;
}
