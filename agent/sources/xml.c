/* SPDX-License-Identifier: Apache-2.0 */
#include "xml.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <expat.h>

#include <fenwatch/mem.h>

#define CHUNK 16384

struct reading {
	XML_Parser parser;
	const struct xml_reader *reader;
	void *arg;
	unsigned depth;
	size_t unheard; /* bytes since expat last told of anything */
	size_t length;
	int rc;
	char text[XML_TEXT];
};

static const char *without_prefix(const char *name)
{
	const char *colon = strchr(name, ':');
	return colon ? colon + 1 : name;
}

static void stop(struct reading *r, int rc)
{
	r->rc = rc;
	XML_StopParser(r->parser, XML_FALSE);
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct reading *r = arg;
	r->unheard = r->length = 0;
	if (++r->depth > XML_DEPTH)
		stop(r, -EBADMSG);
	else
		r->reader->on_start(without_prefix(name), (const char *const *)attributes, r->arg);
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
	struct reading *r = arg;
	r->text[r->length] = '\0';
	r->unheard = r->length = 0;
	r->depth--;
	r->reader->on_end(without_prefix(name), r->text, r->arg);
}

static void XMLCALL on_text(void *arg, const XML_Char *text, int length)
{
	struct reading *r = arg;
	size_t room = sizeof r->text - 1 - r->length;
	size_t taken = (size_t)length < room ? (size_t)length : room;
	memcpy(r->text + r->length, text, taken);
	r->length += taken;
	r->unheard = 0;
}

static void XMLCALL on_doctype(
	void *arg, const XML_Char *name, const XML_Char *system, const XML_Char *public, int subset)
{
	(void)name;
	(void)system;
	(void)public;
	(void)subset;
	stop(arg, -EBADMSG);
}

static int feed(struct reading *r, struct fw_unpack *u, bool *ended)
{
	void *room = XML_GetBuffer(r->parser, CHUNK);
	if (!room)
		return -ENOMEM;
	ssize_t got = fw_unpack_read(u, room, CHUNK);
	if (got < 0)
		return (int)got;
	*ended = got == 0;
	r->unheard += (size_t)got;
	enum XML_Status status = XML_ParseBuffer(r->parser, (int)got, *ended);
	if (r->rc < 0)
		return r->rc;
	if (status != XML_STATUS_OK)
		return XML_GetErrorCode(r->parser) == XML_ERROR_NO_MEMORY ? -ENOMEM : -EBADMSG;
	return r->unheard > XML_TAG_LIMIT ? -EFBIG : 0;
}

int xml_read(struct fw_unpack *u, const struct xml_reader *reader, void *arg)
{
	struct reading *r = fw_alloc(sizeof *r);
	*r = (struct reading){.parser = XML_ParserCreate(NULL), .reader = reader, .arg = arg};
	int rc = r->parser ? 0 : -ENOMEM;
	if (rc == 0) {
		XML_SetUserData(r->parser, r);
		XML_SetElementHandler(r->parser, on_start, on_end);
		XML_SetCharacterDataHandler(r->parser, on_text);
		XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
	}
	for (bool ended = false; rc == 0 && !ended;)
		rc = feed(r, u, &ended);
	XML_ParserFree(r->parser);
	fw_free(r);
	return rc;
}

const char *xml_attribute(const char *const *attributes, const char *name)
{
	for (; attributes[0]; attributes += 2)
		if (strcmp(without_prefix(attributes[0]), name) == 0)
			return attributes[1];
	return "";
}
