/* Which of rpm's packages the replaced files belong to that are still run: their fixes are
 * installed and not at work before what runs them is restarted.
 *
 * `rpm -qf` tells, run as rpmquery.h says. A recorded machine has its answer in
 * recorded/rpm-qf, a line for each file of those packages: name, architecture and path with
 * tabs between them.
 */
#pragma once

#include "restarts.h"

struct rpmrestart {
	const char *package, *arch;
	const char *services; /* as restarts_name_services() writes them */
	bool in_init;         /* the first process runs one of its files */
};

int rpmrestarts_each(struct machine *m, const char *database,
	const struct facts_libraries *replaced,
	void (*each)(const struct rpmrestart *restart, void *arg), void *arg, struct fw_err *err);
