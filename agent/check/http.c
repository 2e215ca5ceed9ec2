/* SPDX-License-Identifier: Apache-2.0 */
/* http: a request is answered with a status, over TLS that is believed, with a body that is
 * as it should be. Of a peer's answer HEADER_LIMIT and BODY_LIMIT bytes are read: what
 * comes behind is not waited for, and the judgement is of what has been read. */
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <fenwatch/buf.h>
#include <fenwatch/file.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>
#include <fenwatch/text.h>

#include "certs.h"
#include "metrics.h"
#include "options.h"
#include "reach.h"
#include "shim.h"
#include "web.h"

#define HEADER_LIMIT (64u << 10)
#define BODY_LIMIT (1u << 20)
#define SECRET_LIMIT 4096

struct request {
	struct web_done done;
	struct check_run *run;
	CURL *easy;
	struct curl_slist *headers;
	struct fw_buf body;
	size_t header_bytes;
	bool any_address; /* of whichever version of IP */
	struct certs certs;
	char error[CURL_ERROR_SIZE];
};

static void request_free(struct request *r)
{
	if (r->easy)
		web_end(r->easy);
	curl_slist_free_all(r->headers);
	fw_buf_done(&r->body);
	fw_free(r);
}

/* ---- what comes ---- */

/* A text ends at a NUL, so a body's own become blanks. */
static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct request *r = arg;
	size_t length = size * n, room = BODY_LIMIT - r->body.length;
	for (size_t i = 0; i < length; i++)
		if (data[i] == '\0')
			data[i] = ' ';
	fw_buf_append(&r->body, data, length < room ? length : room);
	return length < room ? length : 0;
}

static bool is_same_part(CURLU *a, CURLU *b, CURLUPart part)
{
	char *x = NULL, *y = NULL;
	bool same = curl_url_get(a, part, &x, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		curl_url_get(b, part, &y, CURLU_DEFAULT_PORT) == CURLUE_OK && strcasecmp(x, y) == 0;
	curl_free(x);
	curl_free(y);
	return same;
}

/* Of the place that the answer points to, as seen from where it came from. What cannot be
 * read is another's. */
static bool leads_home(const struct request *r, const char *place)
{
	char *from = NULL;
	CURLU *home = curl_url(), *there = curl_url();
	curl_easy_getinfo(r->easy, CURLINFO_EFFECTIVE_URL, &from);
	bool same = home && there && from &&
		curl_url_set(home, CURLUPART_URL, r->run->spec->target, 0) == CURLUE_OK &&
		curl_url_set(there, CURLUPART_URL, from, 0) == CURLUE_OK &&
		curl_url_set(there, CURLUPART_URL, place, 0) == CURLUE_OK &&
		is_same_part(home, there, CURLUPART_SCHEME) &&
		is_same_part(home, there, CURLUPART_HOST) &&
		is_same_part(home, there, CURLUPART_PORT);
	curl_url_cleanup(home);
	curl_url_cleanup(there);
	return same;
}

/* The headers of a check are for its target: where a redirect leads elsewhere they stay. */
static void heed_redirect(struct request *r, const char *line, size_t length)
{
	static const char name[] = "location:";
	size_t at = sizeof name - 1;
	if (!r->headers || length < at || strncasecmp(line, name, at) != 0)
		return;
	while (at < length && (line[at] == ' ' || line[at] == '\t'))
		at++;
	while (length > at && strchr("\r\n \t", line[length - 1]))
		length--;
	char *place = fw_format("%.*s", (int)(length - at), line + at);
	if (!leads_home(r, place))
		curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, NULL);
	fw_free(place);
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
	struct request *r = arg;
	heed_redirect(r, data, size * n);
	r->header_bytes += size * n;
	return r->header_bytes > HEADER_LIMIT ? 0 : size * n;
}

static CURLcode on_tls(CURL *easy, void *tls, void *arg)
{
	struct request *r = arg;
	(void)easy;
	certs_watch(tls, &r->certs);
	return CURLE_OK;
}

/* ---- series ---- */

static int64_t time_of(CURL *easy, CURLINFO what)
{
	curl_off_t us = 0;
	curl_easy_getinfo(easy, what, &us);
	return us;
}

static int64_t between(int64_t from, int64_t to)
{
	return to > from ? to - from : 0;
}

static void add_phases(struct request *r)
{
	struct sweep *sweep = r->run->sweep;
	int64_t resolved = time_of(r->easy, CURLINFO_NAMELOOKUP_TIME_T);
	int64_t connected = time_of(r->easy, CURLINFO_CONNECT_TIME_T);
	int64_t shaken = time_of(r->easy, CURLINFO_APPCONNECT_TIME_T);
	int64_t sent = time_of(r->easy, CURLINFO_PRETRANSFER_TIME_T);
	int64_t first = time_of(r->easy, CURLINFO_STARTTRANSFER_TIME_T);
	int64_t all = time_of(r->easy, CURLINFO_TOTAL_TIME_T);
	check_add(sweep, PROBE_DNS_LOOKUP, resolved);
	check_add_phase(sweep, PROBE_HTTP_DURATION, "resolve", resolved);
	check_add_phase(sweep, PROBE_HTTP_DURATION, "connect", between(resolved, connected));
	check_add_phase(sweep, PROBE_HTTP_DURATION, "tls", between(connected, shaken));
	check_add_phase(sweep, PROBE_HTTP_DURATION, "processing", between(sent, first));
	check_add_phase(
		sweep, PROBE_HTTP_DURATION, "transfer", first > 0 ? between(first, all) : 0);
}

/* In tenths, as the metric is scaled. */
static int64_t version_of(CURL *easy)
{
	long version = 0;
	curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
	return version == CURL_HTTP_VERSION_1_0    ? 10
		: version == CURL_HTTP_VERSION_1_1 ? 11
		: version == CURL_HTTP_VERSION_2_0 ? 20
		: version == CURL_HTTP_VERSION_3   ? 30
						   : 0;
}

static void add_answer(struct request *r, long status)
{
	struct sweep *sweep = r->run->sweep;
	long redirects = 0;
	curl_off_t length = -1, modified = -1;
	const char *scheme = "", *ip = "";
	curl_easy_getinfo(r->easy, CURLINFO_REDIRECT_COUNT, &redirects);
	curl_easy_getinfo(r->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	curl_easy_getinfo(r->easy, CURLINFO_FILETIME_T, &modified);
	curl_easy_getinfo(r->easy, CURLINFO_SCHEME, &scheme);
	curl_easy_getinfo(r->easy, CURLINFO_PRIMARY_IP, &ip);
	check_add(sweep, PROBE_HTTP_STATUS, status);
	check_add(sweep, PROBE_HTTP_VERSION, version_of(r->easy));
	check_add(sweep, PROBE_HTTP_SSL, scheme && strcasecmp(scheme, "https") == 0);
	check_add(sweep, PROBE_HTTP_REDIRECTS, redirects);
	check_add(sweep, PROBE_HTTP_LENGTH, length);
	check_add(sweep, PROBE_HTTP_BODY, (int64_t)r->body.length);
	if (modified >= 0)
		check_add(sweep, PROBE_HTTP_MODIFIED, modified);
	struct sockaddr_storage address;
	if (ip &&
		(uv_ip4_addr(ip, 0, (struct sockaddr_in *)&address) == 0 ||
			uv_ip6_addr(ip, 0, (struct sockaddr_in6 *)&address) == 0))
		reach_tell(sweep, &address);
}

/* ---- the judgement ---- */

static bool status_is_well(const struct check_spec *spec, long status)
{
	uint64_t said = 0;
	for (size_t i = 0; i < sizeof spec->statuses / sizeof *spec->statuses; i++)
		said |= spec->statuses[i];
	if (!said)
		return status / 100 == 2;
	return status >= 100 && status < 600 && spec->statuses[status / 64] >> status % 64 & 1;
}

/* NULL: the body is as it should be. */
static const char *body_fault(const struct request *r)
{
	const struct check_spec *spec = r->run->spec;
	const char *text = r->body.data ? (const char *)r->body.data : "";
	int span[2];
	if (spec->matches && !shim_regex_search(spec->matches, text, 0, span, 1))
		return "the body does not match";
	if (spec->lacks && shim_regex_search(spec->lacks, text, 0, span, 1))
		return "the body matches what it must not";
	return NULL;
}

static void judge(struct request *r, long status, char *why, size_t size)
{
	const struct check_spec *spec = r->run->spec;
	const char *fault = body_fault(r);
	bool well = status_is_well(spec, status);
	if (spec->matches || spec->lacks)
		check_add(r->run->sweep, PROBE_REGEX_FAILED, well && fault);
	if (!well)
		snprintf(why, size, "the status is %ld", status);
	else
		snprintf(why, size, "%s", fault ? fault : "");
}

/* A name without an address of the version that is preferred has one of the other; of an
 * address of the other libcurl says that it cannot connect, without having tried. */
static bool takes_any_address(struct request *r, CURLcode code)
{
	const struct check_spec *spec = r->run->spec;
	long tried = 0;
	curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &tried);
	bool none = code == CURLE_COULDNT_RESOLVE_HOST || (code == CURLE_COULDNT_CONNECT && !tried);
	if (!none || !spec->fallback || spec->prefer == CHECK_ANY_IP || r->any_address)
		return false;
	r->any_address = true;
	r->header_bytes = 0;
	curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers);
	curl_easy_setopt(r->easy, CURLOPT_IPRESOLVE, (long)CURL_IPRESOLVE_WHATEVER);
	return web_again(r->easy) == 0;
}

static void on_request_done(struct web_done *done, CURLcode code)
{
	struct request *r = FW_CONTAINER(done, struct request, done);
	struct check_run *run = r->run;
	char why[CURL_ERROR_SIZE];
	long status = 0;
	if (takes_any_address(r, code))
		return;
	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	add_phases(r);
	add_answer(r, status);
	certs_add(&r->certs, run->sweep);
	bool cut = code == CURLE_WRITE_ERROR && r->body.length == BODY_LIMIT;
	if (code == CURLE_OK || cut)
		judge(r, status, why, sizeof why);
	else if (r->certs.seen && !r->certs.verified && run->spec->verify)
		snprintf(why, sizeof why, "%s", r->certs.why);
	else
		snprintf(why, sizeof why, "%s", r->error[0] ? r->error : curl_easy_strerror(code));
	request_free(r);
	check_finish(run, why[0] ? CHECK_CRITICAL : CHECK_OK, "%s", why);
}

/* ---- the request ---- */

/* A file's only line. */
static int read_secret(const char *path, struct fw_buf *out, struct fw_err *err)
{
	int rc = fw_file_read(path, SECRET_LIMIT, out, err);
	if (rc < 0)
		return rc;
	size_t length = out->data ? strcspn((const char *)out->data, "\r\n") : 0;
	if (length == 0)
		return fw_fail(err, -EINVAL, "'%s' is empty", path);
	out->data[length] = '\0';
	return 0;
}

static void wipe(struct fw_buf *secret)
{
	if (secret->data)
		explicit_bzero(secret->data, secret->capacity);
	fw_buf_done(secret);
}

/* Read anew each time, so that one that is renewed counts. */
static int set_secrets(struct request *r, struct fw_err *err)
{
	const struct check_spec *spec = r->run->spec;
	struct fw_buf secret = {0};
	int rc = 0;
	if (spec->user_file && (rc = read_secret(spec->user_file, &secret, err)) == 0) {
		curl_easy_setopt(r->easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
		curl_easy_setopt(r->easy, CURLOPT_USERPWD, (char *)secret.data);
	}
	wipe(&secret);
	if (rc == 0 && spec->token_file &&
		(rc = read_secret(spec->token_file, &secret, err)) == 0) {
		curl_easy_setopt(r->easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
		curl_easy_setopt(r->easy, CURLOPT_XOAUTH2_BEARER, (char *)secret.data);
	}
	wipe(&secret);
	return rc;
}

/* Nothing is kept from one reading to the next: each is a stranger's first visit. */
static void set_strangeness(CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* A resolver that hangs is left behind. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
}

static void set_request(struct request *r)
{
	const struct check_spec *spec = r->run->spec;
	CURL *easy = r->easy;
	curl_easy_setopt(easy, CURLOPT_URL, spec->target);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, spec->redirects > 0 ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)spec->redirects);
	if (strcmp(spec->method, "HEAD") == 0)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	else if (strcmp(spec->method, "GET") != 0)
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, spec->method);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "Fenwatch/" FW_VERSION);
	curl_easy_setopt(easy, CURLOPT_FILETIME, 1L);
	if (spec->prefer != CHECK_ANY_IP)
		curl_easy_setopt(easy, CURLOPT_IPRESOLVE,
			(long)(spec->prefer == CHECK_IP4 ? CURL_IPRESOLVE_V4 : CURL_IPRESOLVE_V6));
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, r->headers);
}

static void set_tls(struct request *r)
{
	const struct check_spec *spec = r->run->spec;
	r->certs.tolerant = !spec->verify;
	if (spec->ca)
		curl_easy_setopt(r->easy, CURLOPT_CAINFO, spec->ca);
	if (!spec->verify)
		curl_easy_setopt(r->easy, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(r->easy, CURLOPT_SSL_CTX_FUNCTION, on_tls);
	curl_easy_setopt(r->easy, CURLOPT_SSL_CTX_DATA, r);
}

static void set_ways_back(struct request *r)
{
	curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(r->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(r->easy, CURLOPT_HEADERDATA, r);
	curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, r->error);
	curl_easy_setopt(r->easy, CURLOPT_PRIVATE, &r->done);
}

static int take_headers(struct request *r, struct fw_err *err)
{
	const struct fw_text_list *list = &r->run->spec->headers;
	for (size_t i = 0; i < list->count; i++) {
		struct curl_slist *longer = curl_slist_append(r->headers, list->items[i]);
		if (!longer)
			return fw_fail(err, -ENOMEM, "no memory for a request");
		r->headers = longer;
	}
	return 0;
}

static int request_begin(struct request *r, struct fw_err *err)
{
	r->easy = curl_easy_init();
	if (!r->easy)
		return fw_fail(err, -ENOMEM, "no memory for a request");
	int rc = take_headers(r, err);
	if (rc < 0)
		return rc;
	set_strangeness(r->easy);
	set_request(r);
	set_tls(r);
	set_ways_back(r);
	rc = set_secrets(r, err);
	if (rc == 0 && web_begin(r->easy) < 0)
		rc = fw_fail(err, -ENOMEM, "no memory for a request");
	return rc;
}

static int start_http(struct check_run *run, struct fw_err *err)
{
	struct request *r = fw_alloc(sizeof *r);
	r->run = run;
	r->done.on_done = on_request_done;
	int rc = request_begin(r, err);
	if (rc < 0)
		request_free(r);
	else
		run->state = r;
	return rc;
}

/* What it got as far as is told, so that one sees where it stands still. */
static void cancel_http(struct check_run *run)
{
	struct request *r = run->state;
	add_phases(r);
	add_answer(r, 0);
	certs_add(&r->certs, run->sweep);
	request_free(r);
}

static int check_url(const char *url, struct fw_err *err)
{
	CURLU *parts = curl_url();
	char *user = NULL;
	int rc = 0;
	if (!parts || curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK ||
		(strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0))
		rc = fw_fail(err, -EINVAL, "target must be a URL, http:// or https://");
	else if (curl_url_get(parts, CURLUPART_USER, &user, 0) == CURLUE_OK)
		rc = fw_fail(
			err, -EINVAL, "target names a user: that belongs into a file, user_file");
	curl_free(user);
	curl_url_cleanup(parts);
	return rc;
}

static bool is_method(const char *text)
{
	size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	return length > 0 && length < 20 && text[length] == '\0';
}

static int prepare_http(struct check_spec *spec, struct fw_err *err)
{
	if (!is_method(spec->method))
		return fw_fail(err, -EINVAL, "'method' is a word like GET");
	if (spec->user_file && spec->token_file)
		return fw_fail(err, -EINVAL, "there are user_file and token_file; one is sent");
	for (size_t i = 0; i < spec->headers.count; i++)
		if (!fw_is_line(spec->headers.items[i], 1024))
			return fw_fail(err, -EINVAL, "a header is one line of at most 1024 bytes");
	return check_url(spec->target, err);
}

const struct check_kind check_http = {
	.name = "http",
	.help = "a request is answered as is wanted",
	.options = check_options_http,
	.prepare = prepare_http,
	.start = start_http,
	.cancel = cancel_http,
};
