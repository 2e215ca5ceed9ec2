/* The collector's parts on one loop: opened in order, closed in reverse. */
#pragma once

#include "config.h"

/* Runs until SIGTERM or SIGINT; returns the exit status. */
int collector_run(const struct config *config);

enum { EXIT_DISK = 74 }; /* the store failed: nothing more was acknowledged */
