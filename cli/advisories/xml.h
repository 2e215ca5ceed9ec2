/* XML as the readers of this folder see it: elements as they open, texts as they close.
 *
 * expat parses. Document types are refused, so there are no entities to expand; depth
 * and the length of a text are limited. Names come without their namespace.
 */
#pragma once

#include "internal.h"

#define XML_DEPTH 32
#define XML_TEXT 4096 /* bytes of one element's text; what is longer is cut */

struct xml_form {
	const char *root;
	void *(*begin)(struct draft *d);
	int (*on_open)(
		void *state, const char *name, const char *const *attributes, struct fw_err *err);
	int (*on_close)(void *state, const char *name, const char *text, struct fw_err *err);
	int (*on_end)(void *state, struct fw_err *err); /* all of it was read */
	void (*done)(void *state);
};

extern const struct xml_form oval_form, updateinfo_form;

const char *xml_attribute(const char *const *attributes, const char *name); /* "" */
