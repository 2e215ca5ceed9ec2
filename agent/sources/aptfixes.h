/* The inventory of kind "patches" (patches.h), from what apt has.
 *
 * What waits for a reboot is the kernel that is installed beside the running one, and on
 * Ubuntu what /run/reboot-required.pkgs names. Others of Debian's packages do not say
 * so, and are done when they are installed.
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
	int64_t kernel_s;                /* since when; 0: nothing tells */
};

void aptfixes_give(const struct apt *a, struct machine *m, const struct aptfixes *from);
