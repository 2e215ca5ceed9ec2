/* The order of version numbers, as Debian's and as RPM's tools have it.
 *
 * Both take a version with its epoch and its revision or release as it stands, and
 * give negative, zero or positive, as strcmp(). Any text has a place in the order.
 */
#pragma once

int fw_debversion_compare(const char *a, const char *b);
/* [EPOCH:]VERSION[-RELEASE]; a release that only one of them has does not count. */
int fw_rpmversion_compare(const char *a, const char *b);
