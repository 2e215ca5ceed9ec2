/* A folder that a test has made: files in it, and all of it gone again. */
#pragma once

#include <stddef.h>

/* A file in `root`, with the folders above it; 0, or a negative errno. */
int test_put(const char *root, const char *path, const void *data, size_t size);

/* 0, or -1 with errno. */
int test_remove_tree(const char *path);
