/* What is given up once the capture is open: every capability, new programs, and every
 * socket but those to the agent. Nothing of it comes back.
 */
#pragma once

#include <fenwatch/err.h>

int sandbox_enter(struct fw_err *err);
