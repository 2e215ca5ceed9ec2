/* Which hosts a caller may see: all, or of a supplier those that the register says it
 * looks after. Every answer that tells of hosts asks here, or hands the request's scope to
 * the query engine. What is not seen is answered as what is not there. */
#pragma once

#include <stdbool.h>

#include "request.h"

/* Main thread: who asks is this supplier, and the register stays as it is for it. */
void estate_enter(struct request *r, const char *supplier);
void estate_leave(struct request *r);
/* A host by its name, every job of it. Any thread. */
bool estate_sees(struct request *r, const char *name);
