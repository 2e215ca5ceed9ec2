/* Reading devices for good, for the agent beside it.
 *
 * SIGHUP reads the file of devices anew. What is wrong with it is one sentence in the log, and all
 * stays as it was. Otherwise who stays is read when it was to be, a read that is under way begins
 * anew at once, and what was told is not told again.
 */
#pragma once

#include "devices.h"

/* Until SIGTERM. `settings`, which were read from `path`, are replaced by SIGHUP. */
int reader_run(struct devices *settings, const char *path, struct fw_err *err);
