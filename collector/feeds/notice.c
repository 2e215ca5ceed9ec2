/* SPDX-License-Identifier: Apache-2.0 */
#include "notice.h"

#include <string.h>

#include <fenwatch/mem.h>
#include <fenwatch/utf8.h>

#define LINE_CHARACTERS 500
#define REGISTER_CHARACTERS 1000 /* no text of it is longer */

const char *const severity_names[SEVERITIES] = {"critical", "major", "minor", "warning", "info"};

const struct notice_line notice_lines[] = {
	{"priority", "Priority"},
	{"tier", "Tier"},
	{"site", "Site"},
	{"site_address", "Address"},
	{"site_telephone", "Telephone of the site"},
	{"service", "Service"},
	{"purpose", "Purpose"},
	{"owner", "Owner"},
	{"supplier", "Supplier"},
	{"contract", "Contract"},
	{"contract_ends", "Contract ends"},
	{"telephone", "Ring"},
	{"contact", "Contact"},
	{"contact_telephone", "Telephone of the contact"},
	{"contact_mail", "Mail of the contact"},
	{"rack", "Rack"},
	{"serial", "Serial number"},
	{"start", "To start it"},
	{"stop", "To stop it"},
	{NULL, NULL},
};

bool notice_is_over(const struct notice *notice)
{
	return strcmp(notice->status, "resolved") == 0;
}

const char *notice_label(const struct notice *notice, const char *name)
{
	return notice_value(notice->labels, notice->n_labels, name);
}

const char *notice_annotation(const struct notice *notice, const char *name)
{
	return notice_value(notice->annotations, notice->n_annotations, name);
}

enum severity notice_severity(const struct notice *notice)
{
	const char *said = notice_label(notice, "severity");
	for (size_t i = 0; i < SEVERITIES; i++)
		if (strcmp(said, severity_names[i]) == 0)
			return (enum severity)i;
	return SEVERITY_WARNING;
}

unsigned notice_priority(const struct notice *notice)
{
	static const unsigned usual[SEVERITIES] = {1, 1, 2, 2, 3};
	const char *said = notice->priority ? notice->priority : "";
	if (said[0] == 'P' && said[1] >= '1' && said[1] < '1' + PRIORITIES && !said[2])
		return (unsigned)(said[1] - '1');
	return usual[notice_severity(notice)];
}

char *notice_summary(const struct notice *notice)
{
	const char *summary = notice_annotation(notice, "summary");
	if (*summary)
		return fw_strdup(summary);
	const char *instance = notice_label(notice, "instance");
	return fw_format(
		"%s%s%s", instance, *instance ? ": " : "", notice_label(notice, "alertname"));
}

/* What is no UTF-8 counts as a character a byte. */
static size_t next_character(const char *text, uint32_t *code)
{
	size_t bytes = fw_utf8_decode(text, strlen(text), code);
	if (bytes == 0)
		*code = '?';
	return bytes ? bytes : 1;
}

size_t text_cut(const char *text, size_t most)
{
	size_t length = 0;
	uint32_t code;
	for (; text[length] && most > 0; most--)
		length += next_character(text + length, &code);
	return length;
}

void text_put_line(struct fw_buf *out, const char *text, size_t most)
{
	uint32_t code;
	for (; *text && most > 0; most--) {
		text += next_character(text, &code);
		bool control = code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 ||
			code == 0x2029;
		fw_utf8_put(out, control ? ' ' : code);
	}
}

void notice_put_register(struct fw_buf *out, const struct notice *notice)
{
	for (const struct notice_line *line = notice_lines; line->name; line++) {
		const char *value = notice_annotation(notice, line->name);
		if (!*value)
			continue;
		fw_buf_printf(out, "%s: ", line->title);
		text_put_line(out, value, REGISTER_CHARACTERS);
		fw_buf_putc(out, '\n');
	}
}

char *notice_details(const struct notice *notice, size_t most)
{
	struct fw_buf lines = {0};
	notice_put_register(&lines, notice);
	const char *text = lines.data ? (char *)lines.data : "";
	const char *description = notice_annotation(notice, "description");
	size_t left = most > lines.length + 2 ? most - lines.length - 2 : 0;
	size_t length = text_cut(description, left);
	char *details = fw_format("%.*s%s%.*s", (int)length, description,
		length > 0 && *text ? "\n\n" : "", (int)text_cut(text, most), text);
	fw_buf_done(&lines);
	return details;
}

char *notice_news(const struct notice *notice)
{
	struct fw_buf out = {0};
	const char *who = notice_annotation(notice, "acknowledged_by");
	const char *note = notice_annotation(notice, "acknowledgement");
	const char *silence = notice_annotation(notice, "silence_over");
	char *summary = notice_summary(notice);
	text_put_line(&out, summary, LINE_CHARACTERS);
	if (notice->priority)
		fw_buf_printf(&out, "\nPriority: %s", notice->priority);
	if (*who) {
		fw_buf_puts(&out, "\nTaken up by ");
		text_put_line(&out, who, LINE_CHARACTERS);
		fw_buf_puts(&out, *note ? ": " : "");
		text_put_line(&out, note, 2 * LINE_CHARACTERS);
	}
	if (*silence) {
		fw_buf_puts(&out, "\nIt still fires, and is silenced no longer: ");
		text_put_line(&out, silence, 2 * LINE_CHARACTERS);
	}
	fw_free(summary);
	return (char *)out.data;
}
