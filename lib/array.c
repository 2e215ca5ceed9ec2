/* SPDX-License-Identifier: Apache-2.0 */
#include <fenwatch/array.h>

#include <string.h>

#include <fenwatch/mem.h>

void *fw_array_reach(void *items, size_t *n, size_t at, size_t bytes)
{
	if (at < *n)
		return items;
	size_t more = at + at / 2 + 16;
	void *grown = fw_alloc_array(more, bytes);
	if (items)
		memcpy(grown, items, *n * bytes);
	fw_free(items);
	*n = more;
	return grown;
}

static const char *name_at(const void *items, size_t at, size_t bytes)
{
	const char *name;
	memcpy(&name, (const char *)items + at * bytes, sizeof name);
	return name;
}

size_t fw_array_place(const void *items, size_t n, size_t bytes, const char *name)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(name_at(items, middle, bytes), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
