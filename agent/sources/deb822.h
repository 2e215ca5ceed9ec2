/* Files of paragraphs: dpkg's status, apt's lists, Release files.
 *
 * Read in a stream, since apt's lists have tens of megabytes: only the fields
 * asked for are kept, and only their first line. A line of any length is read
 * over in a buffer of fixed size. A value that does not fit counts as not there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define DEB822_BUFFER 16384

struct deb822;

struct deb822_field {
	const char *name;
	char *value;
	size_t size;
};

/* `fd` stays the caller's; `name` tells how it is packed (unpack.h). */
struct deb822 *deb822_open(int fd, const char *name);
void deb822_close(struct deb822 *r);
/* The next paragraph: fills the fields, "" for those it lacks. 1, 0 at the end, or a negative errno. */
int deb822_next(struct deb822 *r, const struct deb822_field *fields, size_t n);
/* The last paragraph has no empty line behind it: dpkg writes one behind each. */
bool deb822_is_cut(const struct deb822 *r);
