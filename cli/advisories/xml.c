/* SPDX-License-Identifier: Apache-2.0 */
#include "xml.h"

#include <errno.h>
#include <string.h>

#include <expat.h>

static const struct xml_form *const forms[] = {&oval_form, &updateinfo_form};

struct reading {
	XML_Parser parser;
	struct draft *draft;
	const struct xml_form *form; /* NULL before the root */
	void *state;
	unsigned depth;
	char text[XML_TEXT];
	size_t length;
	struct fw_err *err;
	int rc;
};

const char *xml_attribute(const char *const *attributes, const char *name)
{
	for (; *attributes; attributes += 2)
		if (strcmp(attributes[0], name) == 0)
			return attributes[1];
	return "";
}

static const char *plain(const char *name)
{
	const char *colon = strrchr(name, ':');
	return colon ? colon + 1 : name;
}

static void stop(struct reading *r, int rc)
{
	r->rc = rc;
	XML_StopParser(r->parser, XML_FALSE);
}

static void begin(struct reading *r, const char *root)
{
	for (size_t i = 0; !r->form && i < sizeof forms / sizeof *forms; i++)
		if (strcmp(forms[i]->root, root) == 0)
			r->form = forms[i];
	if (r->form)
		r->state = r->form->begin(r->draft);
	else
		stop(r,
			fw_fail(r->err, -EBADMSG, "'%.60s' is neither OVAL nor an updateinfo",
				root));
}

static void on_open(void *arg, const char *name, const char **attributes)
{
	struct reading *r = arg;
	r->length = 0;
	if (++r->depth > XML_DEPTH)
		stop(r, fw_fail(r->err, -EBADMSG, "its elements are nested too deeply"));
	else if (!r->form)
		begin(r, plain(name));
	if (r->rc < 0)
		return;
	int rc = r->form->on_open(r->state, plain(name), attributes, r->err);
	if (rc < 0)
		stop(r, rc);
}

static void on_text(void *arg, const char *text, int length)
{
	struct reading *r = arg;
	size_t room = XML_TEXT - 1 - r->length, n = (size_t)length < room ? (size_t)length : room;
	memcpy(r->text + r->length, text, n);
	r->length += n;
}

/* Without the blanks around it. */
static const char *text_of(struct reading *r)
{
	while (r->length > 0 && strchr(" \t\r\n", r->text[r->length - 1]))
		r->length--;
	r->text[r->length] = '\0';
	return r->text + strspn(r->text, " \t\r\n");
}

static void on_close(void *arg, const char *name)
{
	struct reading *r = arg;
	if (r->rc < 0)
		return;
	int rc = r->form->on_close(r->state, plain(name), text_of(r), r->err);
	r->length = 0;
	r->depth--;
	if (rc < 0)
		stop(r, rc);
}

static void on_doctype(
	void *arg, const char *name, const char *system, const char *public, int has_subset)
{
	struct reading *r = arg;
	(void)name;
	(void)system;
	(void)public;
	(void)has_subset;
	stop(r, fw_fail(r->err, -EBADMSG, "a document type is not accepted"));
}

static int fail_parsing(struct reading *r)
{
	if (r->rc < 0)
		return r->rc;
	return fw_fail(r->err, -EBADMSG, "line %lu: %s",
		(unsigned long)XML_GetCurrentLineNumber(r->parser),
		XML_ErrorString(XML_GetErrorCode(r->parser)));
}

static int parse(struct reading *r, struct input *in)
{
	while (input_peek(in) >= 0) {
		enum XML_Status status = XML_Parse(
			r->parser, (const char *)in->window + in->at, (int)(in->end - in->at), 0);
		in->at = in->end;
		if (status != XML_STATUS_OK)
			return fail_parsing(r);
	}
	if (in->rc < 0)
		return input_fail(in, r->err);
	if (XML_Parse(r->parser, "", 0, 1) != XML_STATUS_OK)
		return fail_parsing(r);
	return r->form->on_end(r->state, r->err);
}

int xml_read(struct input *in, struct draft *d, struct fw_err *err)
{
	struct reading *r = fw_alloc(sizeof *r);
	r->draft = d;
	r->err = err;
	r->parser = XML_ParserCreate(NULL);
	int rc = -ENOMEM;
	if (r->parser) {
		XML_SetUserData(r->parser, r);
		XML_SetElementHandler(r->parser, on_open, on_close);
		XML_SetCharacterDataHandler(r->parser, on_text);
		XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
		rc = parse(r, in);
		XML_ParserFree(r->parser);
	} else {
		fw_fail(err, rc, "out of memory");
	}
	if (r->state)
		r->form->done(r->state);
	fw_free(r);
	return rc;
}
