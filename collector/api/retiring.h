/* Which hosts are retired: what the register and people say, for answers that leave them out. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct request;

/* Main thread, before retiring_has is asked. */
void retiring_prepare(struct request *r);
/* Whether a host was retired then. */
bool retiring_has(const struct request *r, const char *name, int64_t at_ms);
void retiring_leave(struct request *r);
