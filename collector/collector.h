/* The collector's parts on one loop: opened in order, closed in reverse. */
#pragma once

#include "config.h"

/* Runs until SIGTERM or SIGINT; returns the exit status. SIGHUP reads `path` again,
 * for rules, feeds, the register and the API's certificate. The rules are taken out of `config`. */
int collector_run(struct config *config, const char *path);

enum { EXIT_DISK = 74 }; /* the store failed: nothing more was acknowledged */
