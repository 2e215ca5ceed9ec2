/* SPDX-License-Identifier: Apache-2.0 */
#include "test_tree.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

int test_put(const char *root, const char *path, const void *data, size_t size)
{
	char *whole = fw_format("%s/%s", root, path);
	char *slash = strrchr(whole, '/');
	*slash = '\0';
	int rc = fw_mkdir_all(whole, 0700);
	*slash = '/';
	if (rc >= 0)
		rc = fw_file_replace(whole, data, size, 0600, NULL);
	fw_free(whole);
	return rc < 0 ? rc : 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

int test_remove_tree(const char *path)
{
	return nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}
