/* The agent at work: connects sampler, packer, spool and uplink on one loop. */
#pragma once

#include <fenwatch/err.h>

#include "config.h"

/* Until SIGTERM or SIGINT; then everything is on disk. */
int run(const struct config *config, struct fw_err *err);
