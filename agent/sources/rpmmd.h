/* What a repository's files say, into a set.
 *
 * primary.xml (or yum's own form of it, an SQLite database) lists its packages,
 * updateinfo.xml its advisories. Both are of tens of megabytes and are read as a stream;
 * only what concerns an installed package is kept.
 */
#pragma once

#include "rpmset.h"

/* 0, or why it could not be read. */
int rpmmd_read_packages(struct rpm_set *set, struct machine *m, const struct rpm_repo *repo);
int rpmmd_read_advisories(struct rpm_set *set, struct machine *m, const struct rpm_repo *repo,
	const struct rpm_modules *modules);
int rpmmd_read_modules(const struct rpm_set *set, struct machine *m, const struct rpm_repo *repo,
	struct rpm_modules *modules);

/* The same of a stream. */
int rpmmd_parse_packages(struct rpm_set *set, const struct rpm_repo *repo, struct fw_unpack *u);
int rpmmd_parse_advisories(
	struct rpm_set *set, const struct rpm_modules *modules, struct fw_unpack *u);
