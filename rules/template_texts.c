/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus' functions for texts: cases, hosts, links and regular expressions. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "expand.h"
#include "shim.h"
#include "template_tree.h"

static int give_mapped(struct run *run, const char *text, int (*map)(int c), struct operand *out)
{
	struct fw_buf made = {0};
	for (const char *c = text; *c; c++)
		fw_buf_putc(&made, (unsigned char)*c < 0x80 ? (char)map(*c) : *c);
	return run_text(run, &made, out);
}

static int call_to_upper(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)n;
	return give_mapped(run, args->text, toupper, out);
}

static int call_to_lower(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)n;
	return give_mapped(run, args->text, tolower, out);
}

static int call_title(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct fw_buf made = {0};
	bool begins = true;
	(void)n;
	for (const char *c = args->text; *c; c++) {
		bool is_letter = isalnum((unsigned char)*c) || *c == '_' || *c == '\'' ||
			(unsigned char)*c >= 0x80;
		fw_buf_putc(&made, begins && (unsigned char)*c < 0x80 ? (char)toupper(*c) : *c);
		begins = !is_letter;
	}
	return run_text(run, &made, out);
}

/* "host:port", "[host]:port": where the host is, as Go's net.SplitHostPort has it. */
static bool split_host(const char *text, const char **host, size_t *length, const char **port)
{
	const char *colon = strrchr(text, ':');
	if (!colon)
		return false;
	*port = colon + 1;
	*host = text;
	*length = (size_t)(colon - text);
	if (*text == '[') {
		const char *end = strchr(text, ']');
		if (!end || end + 1 != colon)
			return false;
		*host = text + 1;
		*length = (size_t)(end - text) - 1;
	} else if (memchr(text, ':', *length)) {
		return false;
	}
	return !memchr(*host, '[', *length) && !memchr(*host, ']', *length) &&
		!strpbrk(*port, "[]");
}

static int call_strip_port(
	struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	const char *host = args->text, *port;
	size_t length = 0;
	(void)n;
	if (!split_host(args->text, &host, &length, &port))
		length = strlen(host = args->text);
	return run_copy(run, host, length, out);
}

static int call_strip_domain(
	struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	char address[64];
	struct in6_addr parsed;
	const char *host = args->text, *port = "";
	size_t length = 0;
	(void)n;
	if (!split_host(args->text, &host, &length, &port)) {
		length = strlen(host = args->text);
		port = "";
	}
	snprintf(address, sizeof address, "%.*s", (int)(length < 63 ? length : 63), host);
	if (inet_pton(AF_INET, address, &parsed) == 1 || inet_pton(AF_INET6, address, &parsed) == 1)
		return run_copy(run, args->text, strlen(args->text), out);
	const char *dot = memchr(host, '.', length);
	struct fw_buf made = {0};
	fw_buf_append(&made, host, dot ? (size_t)(dot - host) : length);
	if (*port)
		fw_buf_printf(&made, ":%s", port);
	return run_text(run, &made, out);
}

void template_escape_query(const char *text, struct fw_buf *out)
{
	for (const char *c = text; *c; c++)
		if (isalnum((unsigned char)*c) || strchr("-_.~", *c))
			fw_buf_putc(out, *c);
		else if (*c == ' ')
			fw_buf_putc(out, '+');
		else
			fw_buf_printf(out, "%%%02X", (unsigned char)*c);
}

static int give_link(struct run *run, const char *expr, int tab, struct operand *out)
{
	struct fw_buf made = {0};
	fw_buf_puts(&made, "/graph?g0.expr=");
	template_escape_query(expr, &made);
	fw_buf_printf(&made, "&g0.tab=%d", tab);
	return run_text(run, &made, out);
}

static int call_graph_link(
	struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)n;
	return give_link(run, args->text, 0, out);
}

static int call_table_link(
	struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)n;
	return give_link(run, args->text, 1, out);
}

static int call_external_url(
	struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	const char *url = run->data->external_url ? run->data->external_url : "";
	(void)args;
	(void)n;
	return run_copy(run, url, strlen(url), out);
}

static int call_path_prefix(
	struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	const char *url = run->data->external_url ? run->data->external_url : "";
	const char *host = strstr(url, "://"), *path = host ? strchr(host + 3, '/') : NULL;
	(void)args;
	(void)n;
	return run_copy(run, path ? path : "", path ? strlen(path) : 0, out);
}

static int call_safe_html(
	struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)run;
	(void)n;
	*out = args[0];
	return 0;
}

/* ---- regular expressions ---- */

static struct shim_regex *compile(struct run *run, const char *pattern)
{
	char why[128];
	struct shim_regex *regex = shim_regex_search_new(pattern, why, sizeof why);
	if (!regex)
		run_fail(run, "error parsing regexp: %s: `%s`", why, pattern);
	return regex;
}

static int call_match(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct shim_regex *regex = compile(run, args[0].text);
	int span[2];
	(void)n;
	if (!regex)
		return -EINVAL;
	*out = (struct operand){
		.kind = IS_BOOL, .truth = shim_regex_search(regex, args[1].text, 0, span, 1)};
	shim_regex_free(regex);
	return 0;
}

static void replace_all(
	const struct shim_regex *regex, const char *with, const char *text, struct fw_buf *out)
{
	int spans[2 * SHIM_GROUPS];
	size_t length = strlen(text), at = 0;
	int last = -1; /* the end of the match before: an empty one may not stand there */
	out->limit = TEMPLATE_TEXT_LIMIT;
	while (at <= length && shim_regex_search(regex, text, at, spans, SHIM_GROUPS)) {
		size_t from = (size_t)spans[0], to = (size_t)spans[1];
		fw_buf_append(out, text + at, from - at);
		if (to > from || spans[0] != last)
			promql_expand(regex, with, text, spans, out);
		last = spans[1];
		at = to;
		if (to > from)
			continue;
		do {
			if (at < length)
				fw_buf_putc(out, text[at]);
			at++;
		} while (at < length && ((unsigned char)text[at] & 0xc0) == 0x80);
	}
	if (at < length)
		fw_buf_append(out, text + at, length - at);
}

static int call_re_replace_all(
	struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct fw_buf made = {0};
	struct shim_regex *regex = compile(run, args[0].text);
	(void)n;
	if (!regex)
		return -EINVAL;
	replace_all(regex, args[1].text, args[2].text, &made);
	shim_regex_free(regex);
	return run_text(run, &made, out);
}

const struct template_function template_texts[] = {
	{"externalURL", "", 0, 0, call_external_url},
	{"graphLink", "s", 1, 1, call_graph_link},
	{"match", "ss", 2, 2, call_match},
	{"pathPrefix", "", 0, 0, call_path_prefix},
	{"reReplaceAll", "sss", 3, 3, call_re_replace_all},
	{"safeHtml", "s", 1, 1, call_safe_html},
	{"stripDomain", "s", 1, 1, call_strip_domain},
	{"stripPort", "s", 1, 1, call_strip_port},
	{"tableLink", "s", 1, 1, call_table_link},
	{"title", "s", 1, 1, call_title},
	{"toLower", "s", 1, 1, call_to_lower},
	{"toUpper", "s", 1, 1, call_to_upper},
	{0},
};
