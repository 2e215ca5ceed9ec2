/* The order of Debian's version numbers. */
#pragma once

/* Negative, zero or positive, as strcmp(). Any text has a place in the order. */
int debversion_compare(const char *a, const char *b);
