/* SPDX-License-Identifier: Apache-2.0 */
#include "deb822.h"

#include <string.h>

#include <fenwatch/mem.h>

#include <fenwatch/unpack.h>

struct deb822 {
	struct fw_unpack *from;
	size_t begin, end; /* what is unread in `bytes` */
	bool ended, cut;
	char bytes[DEB822_BUFFER];
};

struct deb822 *deb822_open(int fd, const char *name)
{
	struct deb822 *r = fw_alloc(sizeof *r);
	r->from = fw_unpack_new(fd, name);
	return r;
}

void deb822_close(struct deb822 *r)
{
	fw_unpack_free(r->from);
	fw_free(r);
}

static int fill(struct deb822 *r)
{
	memmove(r->bytes, r->bytes + r->begin, r->end - r->begin);
	r->end -= r->begin;
	r->begin = 0;
	ssize_t got = fw_unpack_read(r->from, r->bytes + r->end, sizeof r->bytes - r->end);
	if (got < 0)
		return (int)got;
	r->end += (size_t)got;
	r->ended = got == 0;
	return 0;
}

/* Goes on to behind the next newline, however far it is. */
static int skip_line(struct deb822 *r)
{
	for (;;) {
		const char *from = r->bytes + r->begin;
		const char *newline = memchr(from, '\n', r->end - r->begin);
		r->begin = newline ? (size_t)(newline + 1 - r->bytes) : r->end;
		if (newline || r->ended)
			return 0;
		int rc = fill(r);
		if (rc < 0)
			return rc;
	}
}

/* The next line, or its beginning where it is longer than the buffer. 1, 0 or a failure. */
static int next_line(struct deb822 *r, const char **line, size_t *length)
{
	const char *newline;
	while (!(newline = memchr(r->bytes + r->begin, '\n', r->end - r->begin)) && !r->ended &&
		r->end - r->begin < sizeof r->bytes) {
		int rc = fill(r);
		if (rc < 0)
			return rc;
	}
	*line = r->bytes + r->begin;
	*length = newline ? (size_t)(newline - *line) : r->end - r->begin;
	if (!newline && *length == 0)
		return 0;
	r->begin += *length + (newline != NULL);
	return 1;
}

static void keep(const char *line, size_t length, const struct deb822_field *field)
{
	size_t at = strlen(field->name) + 1;
	while (at < length && (line[at] == ' ' || line[at] == '\t'))
		at++;
	while (length > at && (line[length - 1] == ' ' || line[length - 1] == '\r'))
		length--;
	size_t n = length - at;
	if (n >= field->size || memchr(line + at, '\0', n))
		n = 0;
	memcpy(field->value, line + at, n);
	field->value[n] = '\0';
}

static void keep_if_wanted(
	const char *line, size_t length, const struct deb822_field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t name = strlen(fields[i].name);
		if (line[0] == fields[i].name[0] && length > name && line[name] == ':' &&
			memcmp(line, fields[i].name, name) == 0) {
			keep(line, length, &fields[i]);
			return;
		}
	}
}

bool deb822_is_cut(const struct deb822 *r)
{
	return r->cut;
}

int deb822_next(struct deb822 *r, const struct deb822_field *fields, size_t n)
{
	bool any = false;
	for (size_t i = 0; i < n; i++)
		fields[i].value[0] = '\0';
	for (;;) {
		const char *line;
		size_t length;
		int rc = next_line(r, &line, &length);
		if (rc < 0)
			return rc;
		if (rc == 0 || length == 0) {
			r->cut = rc == 0 && any;
			if (any || rc == 0)
				return any;
			continue;
		}
		any = true;
		keep_if_wanted(line, length, fields, n);
		/* A line that filled the buffer goes on. */
		if (length == sizeof r->bytes && (rc = skip_line(r)) < 0)
			return rc;
	}
}
