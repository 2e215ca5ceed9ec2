/* What the administrator keeps back: excludes, versionlock's list, zypper's locks.
 *
 * A pattern of yum's and dnf's stands for a package in any of the ways that one can be
 * written: by name, with its architecture, version or all of these. zypper's locks name
 * packages; one that asks for more than a name, or has a regular expression, is not
 * followed, so that what it holds counts as pending.
 */
#pragma once

#include <stdbool.h>

#include "../source.h"
#include "rpmrepos.h"

struct rpm_holds;

struct rpm_holds *rpmholds_read(
	struct machine *m, const struct rpm_repos *repos, uint64_t *fingerprint);
void rpmholds_free(struct rpm_holds *h);
/* Would this one, from this repository, not be installed? */
bool rpmholds_holds(const struct rpm_holds *h, const struct rpm_repo *repo, const char *name,
	const char *arch, const char *evr);
