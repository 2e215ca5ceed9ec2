/* What feeds say of a notice, in the words that receivers share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <fenwatch/buf.h>

#include "feed.h"

enum severity {
	SEVERITY_CRITICAL,
	SEVERITY_MAJOR,
	SEVERITY_MINOR,
	SEVERITY_WARNING,
	SEVERITY_INFO,
	SEVERITIES
};
extern const char *const severity_names[SEVERITIES];

/* Annotations with what the register says of the host, as people read them; NULL-ended. */
extern const struct notice_line {
	const char *name, *title;
} notice_lines[];
#define PRIORITIES 5 /* P1 to P5 */

bool notice_is_over(const struct notice *notice);
/* By the label `severity`; a word that is none counts as a warning. */
enum severity notice_severity(const struct notice *notice);
/* From 0 for P1: the register's; of a notice that was not judged, that of its severity on a host
 * of no special tier. */
unsigned notice_priority(const struct notice *notice);
const char *notice_label(const struct notice *notice, const char *name); /* or "" */
const char *notice_annotation(const struct notice *notice, const char *name);
/* What it is in one line: the annotation, else the rule and the host. fw_free gives it back. */
char *notice_summary(const struct notice *notice);

/* Appends the register's lines, "Site: Hall" and so on. */
void notice_put_register(struct fw_buf *out, const struct notice *notice);
/* What a ticket says under its summary: the description and the register's lines, of which
 * nothing is cut that `most` characters can hold. fw_free gives it back. */
char *notice_details(const struct notice *notice, size_t most);

/* What has changed, for a note on a ticket: it was taken up, or has another priority, or other
 * words. fw_free gives it back. */
char *notice_news(const struct notice *notice);

/* How many bytes the first `most` characters take. */
size_t text_cut(const char *text, size_t most);
/* Appends the first `most` characters; what is no UTF-8 as '?', control characters as blanks. */
void text_put_line(struct fw_buf *out, const char *text, size_t most);
