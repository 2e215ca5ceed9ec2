/* Arrays by number: of what has one, as hosts have in the collector's store. */
#pragma once

#include <stddef.h>

/* Of `*n` items it grows until it has one at `at`. What is new is zeroed. */
void *fw_array_reach(void *items, size_t *n, size_t at, size_t bytes);
