/* For tests: a body of remote_write, received while one waits. */
#pragma once

#include "remote.h"

void receive_now(struct remote *remote, struct remote_write *write);
