/* Notices as an Atom feed (RFC 4287).
 *
 * What hosts and rules say goes in as text, escaped; characters that XML 1.0
 * forbids, and bytes that are no UTF-8, become U+FFFD.
 */
#pragma once

#include <fenwatch/buf.h>

struct alert_page;

struct atom_links {
	const char *self, *next, *alerts; /* URLs; `alerts`: what a notice links to */
};

void atom_write(struct fw_buf *out, const char *feed, const struct alert_page *page,
	const struct atom_links *links);
