/* SPDX-License-Identifier: Apache-2.0 */
#include "atom.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/mem.h>
#include <fenwatch/utf8.h>

#include "alert.h"
#include "feed.h"

/* ---- XML ---- */

static bool is_allowed(uint32_t code)
{
	if (code < 0x20)
		return code == '\t' || code == '\n' || code == '\r';
	return code != 0xfffe && code != 0xffff;
}

static void put_code(struct fw_buf *out, uint32_t code)
{
	if (code == '&')
		fw_buf_puts(out, "&amp;");
	else if (code == '<')
		fw_buf_puts(out, "&lt;");
	else if (code == '>')
		fw_buf_puts(out, "&gt;");
	else if (code == '"')
		fw_buf_puts(out, "&quot;");
	else
		fw_utf8_put(out, is_allowed(code) ? code : 0xfffd);
}

static void put_text(struct fw_buf *out, const char *text)
{
	for (size_t left = strlen(text); left > 0;) {
		uint32_t code = 0xfffd;
		size_t bytes = fw_utf8_decode(text, left, &code);
		bytes = bytes ? bytes : 1;
		put_code(out, code);
		text += bytes;
		left -= bytes;
	}
}

static void put_element(struct fw_buf *out, const char *name, const char *text)
{
	fw_buf_printf(out, "<%s>", name);
	put_text(out, text);
	fw_buf_printf(out, "</%s>\n", name);
}

static void put_time(struct fw_buf *out, const char *name, int64_t at_ms)
{
	char text[32];
	put_element(out, name, fw_time_format(at_ms, text, sizeof text));
}

static void put_link(struct fw_buf *out, const char *rel, const char *url)
{
	fw_buf_printf(out, "<link rel=\"%s\" href=\"", rel);
	put_text(out, url);
	fw_buf_puts(out, "\"/>\n");
}

/* ---- entries ---- */

static void put_title(struct fw_buf *out, const struct alert_pulled *notice)
{
	const char *summary = notice_value(notice->annotations, notice->n_annotations, "summary");
	if (!*summary)
		summary = notice_value(notice->labels, notice->n_labels, "alertname");
	fw_buf_puts(out, notice->ends_ms ? "<title>over: " : "<title>");
	put_text(out, summary);
	fw_buf_puts(out, "</title>\n");
}

static void put_pairs(struct fw_buf *out, const struct notice_pair *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		put_text(out, items[i].name);
		fw_buf_puts(out, ": ");
		put_text(out, items[i].value);
		fw_buf_putc(out, '\n');
	}
}

static void put_entry(struct fw_buf *out, const struct alert_pulled *notice, const char *alerts)
{
	char starts[32];
	fw_buf_printf(out, "<entry>\n<id>urn:fenwatch:notice:%s:%s:%s</id>\n", notice->key,
		fw_time_format(notice->starts_ms, starts, sizeof starts),
		notice->ends_ms ? "resolved" : "firing");
	put_title(out, notice);
	put_time(out, "published", notice->starts_ms);
	put_time(out, "updated", notice->ends_ms ? notice->ends_ms : notice->starts_ms);
	put_link(out, "alternate", alerts);
	fw_buf_puts(out, "<category scheme=\"urn:fenwatch:severity\" term=\"");
	put_text(out, notice_value(notice->labels, notice->n_labels, "severity"));
	fw_buf_puts(out, "\"/>\n<content type=\"text\">");
	put_pairs(out, notice->annotations, notice->n_annotations);
	put_pairs(out, notice->labels, notice->n_labels);
	fw_buf_puts(out, "</content>\n</entry>\n");
}

static int64_t updated_ms(const struct alert_page *page)
{
	int64_t latest_ms = 0;
	for (size_t i = 0; i < page->n; i++)
		if (page->items[i].told_ms > latest_ms)
			latest_ms = page->items[i].told_ms;
	return latest_ms;
}

void atom_write(struct fw_buf *out, const char *feed, const struct alert_page *page,
	const struct atom_links *links)
{
	fw_buf_puts(out,
		"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
		"<feed xmlns=\"http://www.w3.org/2005/Atom\">\n<id>urn:fenwatch:feed:");
	put_text(out, page->estate);
	fw_buf_putc(out, ':');
	put_text(out, feed);
	fw_buf_puts(out, "</id>\n");
	put_element(out, "title", feed);
	put_time(out, "updated", updated_ms(page));
	fw_buf_puts(out, "<author><name>Fenwatch</name></author>\n");
	put_link(out, "self", links->self);
	put_link(out, "next", links->next);
	for (size_t i = 0; i < page->n; i++)
		put_entry(out, &page->items[i], links->alerts);
	fw_buf_puts(out, "</feed>\n");
}
