/* Arrays by number, of what has one, as hosts have in the collector's store; and by name. */
#pragma once

#include <stddef.h>

/* Of `*n` items it grows until it has one at `at`. What is new is zeroed. */
void *fw_array_reach(void *items, size_t *n, size_t at, size_t bytes);

/* Where the first of this name stands, or would, up to n. Each item begins with a pointer to
 * the name by which they are in order. */
size_t fw_array_place(const void *items, size_t n, size_t bytes, const char *name);
