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
