/* The inventory of kind "patches", from what apt has.
 *
 * An item NAME:ARCHITECTURE for each package that is not at the version apt has for
 * it, and for each whose fix is installed but not at work before a restart:
 *
 *   installed, candidate   versions
 *   source, origin         of the candidate
 *   class                  security, bugfix (as well: a feature) or unknown
 *   needs                  reboot, where the fix is not done without one
 *   state                  pending, held, phased, or unfinished: installed, and the
 *                          reboot that it needs has not happened
 *   listed                 date (Unix seconds) of the newest Release file known here
 *                          that did not yet list the candidate; missing where the
 *                          first one read had it already
 *
 *   since                  the same of an earlier candidate that was never installed,
 *                          where it was for security or may have been
 *
 * And what tells how far this can be believed:
 *
 *   source/apt             state ok or unproven, why: old, unreadable or none; fetched,
 *                          in Unix seconds
 *   os                     id and version of the operating system
 *
 * `listed` is kept from the table of the read before, and for what is new since then
 * it is the date that the archive's Release file had at that read.
 */
#pragma once

#include "../source.h"
#include "apt.h"

struct aptfixes {
	const struct apt_summary *before; /* of the read before; NULL: there was none */
	uint64_t made_from;               /* as document_made_from() has it */
	bool reboot_flag;                 /* /run/reboot-required is there */
	const char *why;                  /* the lists prove nothing; NULL: they do */
	int64_t fetched_s;
	const struct apt_kernel *kernel; /* waits for a reboot; NULL: none */
};

void aptfixes_give(const struct apt *a, struct machine *m, const struct aptfixes *from);
