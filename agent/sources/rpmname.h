/* How rpm writes versions and the names of source packages. */
#pragma once

#include <stddef.h>

/* [EPOCH:]VERSION[-RELEASE]; an epoch of 0, "" or "(none)" is left out. */
void rpmname_write_evr(
	char *out, size_t size, const char *epoch, const char *version, const char *release);
/* "glibc-2.28-225.el8.src.rpm" becomes "glibc": what stands before the last two dashes. */
void rpmname_cut_source(char *source);
