/* The command 'enrol': a join token becomes this machine's certificate. */
#pragma once

#include <fenwatch/err.h>

#include "config.h"

/* `collector` NULL: the first of the configuration. The token is read from
 * `token_file`, or from standard input where that is NULL; never from the command
 * line, where everybody could read it. */
int enrol(const struct config *config, const char *collector, const char *token_file,
	struct fw_err *err);
