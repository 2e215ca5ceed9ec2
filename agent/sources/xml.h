/* XML as machines write it: elements, attributes and short texts, read as a stream.
 *
 * Expat reads it. What no index needs is refused: a DOCTYPE, and with it every entity
 * of the file's own, nesting deeper than XML_DEPTH, a tag or comment of more than
 * XML_TAG_LIMIT. Names come without their prefix: "rpm:entry" is "entry".
 */
#pragma once

#include <fenwatch/unpack.h>

#define XML_DEPTH 24
#define XML_TAG_LIMIT ((size_t)256 << 10)
#define XML_TEXT 512 /* of a text; what is longer is cut there */

struct xml_reader {
	void (*on_start)(const char *name, const char *const *attributes, void *arg);
	/* `text`: what stood behind the tag that came last, so the element's own where it
	 * has no elements in it. */
	void (*on_end)(const char *name, const char *text, void *arg);
};

/* 0; -EBADMSG: it is no XML, or what is refused; -EFBIG; or why it could not be read. */
int xml_read(struct fw_unpack *u, const struct xml_reader *reader, void *arg);
/* "" where it is not there. */
const char *xml_attribute(const char *const *attributes, const char *name);
