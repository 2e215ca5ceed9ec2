/* SPDX-License-Identifier: Apache-2.0 */
#include "addresses.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>
#include <fenwatch/text.h>

#include "devices.h"

#define NAME_BYTES 256
#define FILE_BYTES ((size_t)ADDRESSES_MOST * (INET6_ADDRSTRLEN + NAME_BYTES))

struct address {
	char text[INET6_ADDRSTRLEN];
	char *name;
};

struct addresses {
	struct address *items; /* by text, then by name */
	size_t n, room;
	bool news;
};

struct addresses *addresses_new(void)
{
	return fw_alloc(sizeof(struct addresses));
}

static void forget_all(struct addresses *a)
{
	for (size_t i = 0; i < a->n; i++)
		fw_free(a->items[i].name);
	a->n = 0;
}

void addresses_free(struct addresses *a)
{
	if (!a)
		return;
	forget_all(a);
	fw_free(a->items);
	fw_free(a);
}

bool addresses_are_news(const struct addresses *a)
{
	return a->news;
}

/* ---- in order ---- */

static int compare(const struct address *item, const char *text, const char *name)
{
	int order = strcmp(item->text, text);
	return order ? order : strcmp(item->name, name);
}

/* The first that is not before these; up to `n`. */
static size_t place_of(const struct addresses *a, const char *text, const char *name)
{
	size_t low = 0, high = a->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare(&a->items[middle], text, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_address(const char *text)
{
	uint8_t bytes[16];
	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

void addresses_note(struct addresses *a, const char *name, const char *address)
{
	size_t at = place_of(a, address, name);
	if ((at < a->n && compare(&a->items[at], address, name) == 0) || a->n == ADDRESSES_MOST ||
		!is_address(address) || strlen(name) >= NAME_BYTES)
		return;
	if (a->n == a->room) {
		a->room = a->room ? 2 * a->room : 64;
		a->items = fw_realloc(a->items, a->room * sizeof *a->items);
	}
	memmove(a->items + at + 1, a->items + at, (a->n++ - at) * sizeof *a->items);
	snprintf(a->items[at].text, sizeof a->items[at].text, "%s", address);
	a->items[at].name = fw_strdup(name);
	a->news = true;
}

const char *addresses_find(const struct addresses *a, const char *address)
{
	size_t at = place_of(a, address, "");
	if (at == a->n || strcmp(a->items[at].text, address) != 0)
		return NULL;
	bool is_shared = at + 1 < a->n && strcmp(a->items[at + 1].text, address) == 0;
	return is_shared ? NULL : a->items[at].name;
}

/* ---- what a device has ---- */

/* The addresses among the keys of a table, which are cut off it. */
static size_t keys_of(const struct fw_buf *lines, char (*out)[INET6_ADDRSTRLEN], size_t most)
{
	struct fw_cursor rest = {(char *)lines->data, (char *)lines->data + lines->length}, line;
	size_t n = 0;
	while (n < most && fw_cut_line(&rest, &line)) {
		const char *at = line.at + (line.at < line.end);
		const char *end = memchr(at, '\t', (size_t)(line.end - at));
		size_t length = (size_t)((end ? end : line.end) - at);
		if (length == 0 || length >= INET6_ADDRSTRLEN)
			continue;
		memcpy(out[n], at, length);
		out[n][length] = '\0';
		n += strcspn(out[n], "\n") == length && is_address(out[n]);
	}
	return n;
}

static void drop(
	struct addresses *a, bool (*goes)(const struct address *, const void *arg), const void *arg)
{
	size_t to = 0;
	for (size_t i = 0; i < a->n; i++) {
		if (goes(&a->items[i], arg))
			fw_free(a->items[i].name);
		else
			a->items[to++] = a->items[i];
	}
	a->news |= to < a->n;
	a->n = to;
}

/* What one device has. */
struct own {
	const char *name;
	char addresses[ADDRESSES_OF_ONE][INET6_ADDRSTRLEN];
	size_t n;
};

static bool is_no_more(const struct address *item, const void *arg)
{
	const struct own *own = arg;
	if (strcmp(item->name, own->name) != 0)
		return false;
	for (size_t i = 0; i < own->n; i++)
		if (strcmp(item->text, own->addresses[i]) == 0)
			return false;
	return true;
}

static bool is_nobodys(const struct address *item, const void *arg)
{
	return !devices_find(arg, item->name);
}

void addresses_keep(struct addresses *a, const struct devices *devices)
{
	drop(a, is_nobodys, devices);
}

void addresses_take(
	struct addresses *a, const char *name, const char *found_at, const struct fw_buf *lines)
{
	struct own *own = fw_alloc(sizeof *own);
	own->name = name;
	if (is_address(found_at))
		snprintf(own->addresses[own->n++], sizeof *own->addresses, "%s", found_at);
	own->n += keys_of(lines, own->addresses + own->n, ADDRESSES_OF_ONE - own->n);
	drop(a, is_no_more, own);
	for (size_t i = 0; i < own->n; i++)
		addresses_note(a, name, own->addresses[i]);
	fw_free(own);
}

/* ---- the file ---- */

/* It may have been cut, or be somebody else's: what is no line of ours is left out. */
static void take_line(struct addresses *a, const struct fw_cursor *line)
{
	char text[INET6_ADDRSTRLEN], name[NAME_BYTES];
	const char *tab = memchr(line->at, '\t', (size_t)(line->end - line->at));
	if (!tab)
		return;
	size_t length = (size_t)(tab - line->at), rest = (size_t)(line->end - tab - 1);
	if (length >= sizeof text || rest == 0 || rest >= sizeof name)
		return;
	snprintf(text, sizeof text, "%.*s", (int)length, line->at);
	snprintf(name, sizeof name, "%.*s", (int)rest, tab + 1);
	addresses_note(a, name, text);
}

int addresses_load(
	struct addresses *a, const char *path, const struct devices *devices, struct fw_err *err)
{
	struct fw_buf text = {0};
	int rc = fw_file_read(path, FILE_BYTES, &text, err);
	if (rc < 0)
		return rc;
	struct fw_cursor rest = {(char *)text.data, (char *)text.data + text.length}, line;
	forget_all(a);
	while (fw_cut_line(&rest, &line))
		take_line(a, &line);
	a->news = false;
	if (devices)
		addresses_keep(a, devices);
	fw_buf_done(&text);
	return 0;
}

int addresses_save(struct addresses *a, const char *path, struct fw_err *err)
{
	struct fw_buf text = {0};
	for (size_t i = 0; i < a->n; i++)
		if (!strpbrk(a->items[i].name, "\t\n"))
			fw_buf_printf(&text, "%s\t%s\n", a->items[i].text, a->items[i].name);
	int rc = fw_file_replace(path, text.data, text.length, 0640, err);
	a->news = false; /* a disk that takes nothing is asked again with the next news */
	fw_buf_done(&text);
	return rc;
}
