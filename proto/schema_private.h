/* What reading and writing schemas share. */
#pragma once

#include <fenwatch/schema.h>

/* By name, then label by label: the order in which duplicates are neighbours. */
int schema_series_order(const struct fw_column *a, const struct fw_column *b);
