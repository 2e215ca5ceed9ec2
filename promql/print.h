/* Pieces of a printed tree, for those who lay it out in their own way. */
#pragma once

#include <stdint.h>

#include <fenwatch/buf.h>

#include "node.h"

void promql_put_duration(struct fw_buf *out, int64_t ms);               /* "1h30m"; not negative */
void promql_put_when(struct fw_buf *out, const struct node_when *when); /* " @ 5.000 offset 1m" */
void promql_put_subquery(struct fw_buf *out, const struct node *node);  /* "[1h:1m] offset 5m" */
void promql_put_operator(struct fw_buf *out, const struct node *node);  /* "+ on (a)" */
void promql_put_left(struct fw_buf *out, const struct node *node);      /* on a line */
void promql_put_aggregation(struct fw_buf *out, const struct node *node); /* "sum by (a) " */
