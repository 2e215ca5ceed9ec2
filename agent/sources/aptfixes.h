/* The inventory of kind "patches" (patches.h), from what apt has.
 *
 * What waits for a reboot is the kernel that is installed beside the running one, and what
 * /run/reboot-required.pkgs names; where the flag is there without that file, every fix that
 * was installed under our eyes. Others of Debian's packages do not say
 * so: they are done when they are installed and no process runs a file of theirs that
 * was replaced.
 */
#pragma once

#include "../source.h"
#include "apt.h"
#include "restarts.h"

struct aptfixes {
	const struct apt_summary *before; /* of the read before; NULL: there was none */
	uint64_t made_from;               /* as document_made_from() has it */
	bool reboot_flag;                 /* /run/reboot-required is there */
	const char *why;                  /* the lists prove nothing; NULL: they do */
	int64_t fetched_s;
	const char *oldest; /* "apt/ORIGIN" of the archive that makes them old; NULL: none */
	const struct apt_kernel *kernel;        /* waits for a reboot; NULL: none */
	int64_t kernel_s;                       /* since when; 0: nothing tells */
	const struct facts_libraries *replaced; /* files that are still run */
	const char *restarts_why;               /* those prove nothing; NULL: they do */
};

void aptfixes_give(const struct apt *a, struct machine *m, const struct aptfixes *from);
