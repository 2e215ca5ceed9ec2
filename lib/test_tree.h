/* A folder that a test has made, and all that is in it, gone again. */
#pragma once

/* 0, or -1 with errno. */
int test_remove_tree(const char *path);
