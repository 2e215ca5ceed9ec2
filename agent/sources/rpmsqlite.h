/* A repository's packages out of yum's own form of primary.xml. */
#pragma once

#include "rpmset.h"

/* Unpacks it into a file that has no name, since a database is read here and there; it is
 * read as memory that never changes, so that no lock is taken. */
int rpmsqlite_read(
	struct rpm_set *set, struct machine *m, const struct rpm_repo *repo, struct fw_unpack *u);
