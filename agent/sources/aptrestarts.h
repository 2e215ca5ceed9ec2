/* Which of dpkg's packages the replaced files belong to that are still run: their fixes
 * are installed and not at work before what runs them is restarted. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "../source.h"
#include "restarts.h"

struct aptrestart {
	const char *package, *arch; /* arch is "" where dpkg names its files without */
	const char *services;       /* units, and "sessions" for people's; "a.service b.service" */
	int64_t installed_s;        /* when the files were put there; 0: not known */
	bool in_init;               /* the first process runs one */
};

void aptrestarts_each(struct machine *m, const struct facts_libraries *replaced,
	void (*each)(const struct aptrestart *restart, void *arg), void *arg);
