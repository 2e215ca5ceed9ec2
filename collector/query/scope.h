/* Which hosts a question sees. */
#pragma once

#include <stddef.h>

#include "query.h"
#include "store.h"

/* Keeps the groups of hosts that the scope sees, in their order, and returns their number. */
size_t scope_keep(const struct query_scope *scope, struct store_group *groups, size_t n);
