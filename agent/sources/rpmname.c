/* SPDX-License-Identifier: Apache-2.0 */
#include "rpmname.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void rpmname_write_evr(
	char *out, size_t size, const char *epoch, const char *version, const char *release)
{
	bool has_epoch = epoch[0] && strcmp(epoch, "0") != 0 && strcmp(epoch, "(none)") != 0;
	snprintf(out, size, "%s%s%s%s%s", has_epoch ? epoch : "", has_epoch ? ":" : "", version,
		release[0] ? "-" : "", release);
}

void rpmname_cut_source(char *source)
{
	for (int i = 0; i < 2; i++) {
		char *dash = strrchr(source, '-');
		if (dash)
			*dash = '\0';
	}
}
