/* SPDX-License-Identifier: Apache-2.0 */
/* Notices for who fetches them: the reader keeps the number of the last that it has. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <fenwatch/text.h>

#include "alert.h"
#include "atom.h"
#include "parts.h"

#define NOTICES_USUAL 100
#define NOTICES_MOST 1000

/* What is asked, and what there is. */
struct pulling {
	struct request *r;
	int64_t after; /* -1: the newest */
	uint64_t limit;
	bool atom;
	struct alert_page page;
};

static int read_after(const struct request *r, int64_t *after, struct fw_err *err)
{
	const char *text = params_get(&r->params, "after");
	uint64_t number;
	*after = -1;
	if (!text)
		return 0;
	if (fw_parse_u64(text, &number) < 0 || number > INT64_MAX)
		return fw_fail(err, -EINVAL, "after is the number of a notice, not '%.40s'", text);
	*after = (int64_t)number;
	return 0;
}

static int read_format(const struct request *r, bool *atom, struct fw_err *err)
{
	const char *text = params_get(&r->params, "format");
	*atom = text && strcmp(text, "atom") == 0;
	return text && !*atom && strcmp(text, "json") != 0
		? fw_fail(err, -EINVAL, "a format is json or atom, not '%.40s'", text)
		: 0;
}

static int read_question(struct pulling *p, struct fw_err *err)
{
	struct request *r = p->r;
	p->limit = NOTICES_USUAL;
	int rc = read_after(r, &p->after, err);
	if (rc == 0)
		rc = read_format(r, &p->atom, err);
	if (rc == 0)
		rc = params_count(&r->params, "limit", &p->limit, err);
	if (p->limit == 0 || p->limit > NOTICES_MOST)
		p->limit = NOTICES_MOST;
	return rc;
}

/* Relative, so that it holds behind any proxy. */
static const char *page_url(const struct pulling *p, int64_t after)
{
	struct request *r = p->r;
	const char *cursor = after < 0 ? "" : fw_arena_format(&r->arena, "&after=%" PRId64, after);
	return fw_arena_format(&r->arena, "?format=%s&limit=%" PRIu64 "%s",
		p->atom ? "atom" : "json", p->limit, cursor);
}

static void write_notice(struct json *j, const struct alert_pulled *notice)
{
	json_open(j, '{');
	json_put_int(j, "id", notice->id);
	json_put_text(j, "status", notice->ends_ms ? "resolved" : "firing");
	json_put_text(j, "key", notice->key);
	json_put_time(j, "starts", notice->starts_ms);
	json_put_time(j, "ends", notice->ends_ms);
	admin_write_pairs(j, "labels", notice->labels, notice->n_labels);
	admin_write_pairs(j, "annotations", notice->annotations, notice->n_annotations);
	json_close(j, '}');
}

static void answer_json(const struct pulling *p)
{
	struct json *j = request_begin(p->r);
	json_open(j, '{');
	json_put_text(j, "feed", p->r->path_value);
	json_key(j, "notices");
	json_open(j, '[');
	for (size_t i = 0; i < p->page.n; i++)
		write_notice(j, &p->page.items[i]);
	json_close(j, ']');
	json_put_int(j, "next", p->page.next);
	json_put_bool(j, "more", p->page.more);
	json_put_int(j, "kept_days", ALERT_NOTICES_KEPT_MS / (24 * 3600 * 1000));
	json_close(j, '}');
	request_end(p->r, NULL, 0);
}

static void answer_atom(const struct pulling *p)
{
	struct request *r = p->r;
	const struct atom_links links = {.self = page_url(p, p->after),
		.next = page_url(p, p->page.next),
		.alerts = "../alerts"};
	request_text(r, 200, "");
	r->content_type = "application/atom+xml; charset=utf-8";
	atom_write(&r->out, r->path_value, &p->page, &links);
}

static bool has_it(const struct request *r, const char *etag)
{
	const char *known = MHD_lookup_connection_value(
		r->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH);
	return known && strstr(known, etag + strlen("W/"));
}

/* Between the same first and last notice there are always the same. */
static void answer(const struct pulling *p)
{
	struct request *r = p->r;
	const char *etag = fw_arena_format(&r->arena, "W/\"%" PRId64 "-%zu-%" PRId64 "%s%s\"",
		p->page.n ? p->page.items[0].id : 0, p->page.n, p->page.next,
		p->page.more ? "+" : "", p->atom ? "a" : "j");
	if (has_it(r, etag))
		request_unchanged(r);
	else if (p->atom)
		answer_atom(p);
	else
		answer_json(p);
	request_header(r, MHD_HTTP_HEADER_ETAG, etag);
	request_header(r, MHD_HTTP_HEADER_LINK,
		fw_arena_format(&r->arena, "<%s>; rel=\"next\"", page_url(p, p->page.next)));
}

void pulling_page(struct request *r)
{
	struct pulling p = {.r = r};
	struct fw_err err;
	int rc = read_question(&p, &err);
	if (rc == 0)
		rc = alert_feed_pull(api_config(r->api)->alerts, r->path_value, p.after,
			(size_t)p.limit, &r->arena, &p.page, &err);
	if (rc < 0)
		admin_fail(r, rc, &err);
	else
		answer(&p);
}
