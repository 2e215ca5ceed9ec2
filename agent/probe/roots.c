/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>
#include <unistd.h>

#include "probe.h"

bool probe_file_is_roots(const struct stat *file, mode_t forbidden, bool own)
{
	bool is_theirs = file->st_uid != 0 && !(own && file->st_uid == geteuid());
	return !is_theirs && !(file->st_mode & forbidden);
}
