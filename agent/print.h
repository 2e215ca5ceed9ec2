/* A sweep as Prometheus' text format, for --print. */
#pragma once

#include <fenwatch/buf.h>

#include "sweep.h"

/* Every name once, with its HELP and TYPE lines, in order of first appearance. */
void print_sweep(const struct sweep *s, struct fw_buf *out);
