/* SPDX-License-Identifier: Apache-2.0 */
#include "post.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>
#include <fenwatch/secret.h>

#include "bodies.h"

#define CONNECT_MS 10000

/* ---- one request ---- */

static size_t on_answer(char *data, size_t size, size_t n, void *arg)
{
	struct post *post = arg;
	size_t room = sizeof post->why - 1 - post->why_length, length = size * n;
	size_t kept = length < room ? length : room;
	memcpy(post->why + post->why_length, data, kept);
	post->why_length += kept;
	post->why[post->why_length] = '\0';
	return length;
}

static int on_progress(
	void *arg, curl_off_t down, curl_off_t downed, curl_off_t up, curl_off_t upped)
{
	const struct post *post = arg;
	(void)down;
	(void)downed;
	(void)up;
	(void)upped;
	return *post->stopping;
}

static enum post_outcome outcome_of(long status)
{
	if (status / 100 == 2)
		return POST_TAKEN;
	return status == 0 || status == 429 || status / 100 == 5 ? POST_LATER : POST_REFUSED;
}

enum post_outcome post_body(struct post *post, const struct fw_buf *body)
{
	long status = 0;
	curl_off_t wait_s = 0;
	post->why_length = 0;
	post->why[0] = '\0';
	curl_easy_setopt(post->curl, CURLOPT_POSTFIELDS, body->data);
	curl_easy_setopt(post->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->length);
	CURLcode code = curl_easy_perform(post->curl);
	if (code == CURLE_OK) {
		curl_easy_getinfo(post->curl, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_getinfo(post->curl, CURLINFO_RETRY_AFTER, &wait_s);
	} else {
		snprintf(post->why, sizeof post->why, "%s", curl_easy_strerror(code));
	}
	post->wait_ms = wait_s > INT32_MAX ? (int64_t)INT32_MAX * 1000 : (int64_t)wait_s * 1000;
	return outcome_of(status);
}

/* ---- who we are, and who it is ---- */

static int set_authorization(struct post *post, const struct send_receiver *r, struct fw_err *err)
{
	struct fw_secret secret;
	if (!r->token_file && !r->user)
		return 0;
	int rc = fw_secret_read(&secret, r->user ? r->password_file : r->token_file, err);
	if (rc < 0)
		return rc;
	if (r->user) {
		curl_easy_setopt(post->curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
		curl_easy_setopt(post->curl, CURLOPT_USERNAME, r->user);
		curl_easy_setopt(post->curl, CURLOPT_PASSWORD, secret.text);
	} else {
		curl_easy_setopt(post->curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
		curl_easy_setopt(post->curl, CURLOPT_XOAUTH2_BEARER, secret.text);
	}
	fw_secret_wipe(&secret);
	return 0;
}

/* The certificate is checked against another name: it is asked for by that, where it is. */
static int set_server_name(struct post *post, const struct send_receiver *r, struct fw_err *err)
{
	const char *name = r->tls.server_name;
	CURLU *url = curl_url();
	char *host = NULL, *port = NULL, *whole = NULL, *to = NULL;
	if (url && !curl_url_set(url, CURLUPART_URL, r->url, 0) &&
		!curl_url_get(url, CURLUPART_HOST, &host, 0) &&
		!curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) &&
		!curl_url_set(url, CURLUPART_HOST, name, 0) &&
		!curl_url_get(url, CURLUPART_URL, &whole, 0))
		to = fw_format("%s:%s:%s:%s", name, port, host, port);
	post->connect_to = to ? curl_slist_append(NULL, to) : NULL;
	if (post->connect_to) {
		curl_easy_setopt(post->curl, CURLOPT_URL, whole);
		curl_easy_setopt(post->curl, CURLOPT_CONNECT_TO, post->connect_to);
	}
	fw_free(to);
	curl_free(host);
	curl_free(port);
	curl_free(whole);
	curl_url_cleanup(url);
	return post->connect_to ? 0 : fw_fail(err, -EINVAL, "no sensible URL or server name");
}

static int check_readable(const char *path, struct fw_err *err)
{
	int rc = path && access(path, R_OK) < 0 ? -errno : 0;
	return rc < 0 ? fw_fail_sys(err, rc, "cannot read '%s'", path) : 0;
}

static int set_tls(struct post *post, const struct send_receiver *r, struct fw_err *err)
{
	int rc = check_readable(r->tls.ca, err);
	if (rc >= 0)
		rc = check_readable(r->tls.cert, err);
	if (rc >= 0)
		rc = check_readable(r->tls.key, err);
	if (rc < 0)
		return rc;
	if (r->tls.ca)
		curl_easy_setopt(post->curl, CURLOPT_CAINFO, r->tls.ca);
	if (r->tls.cert) {
		curl_easy_setopt(post->curl, CURLOPT_SSLCERT, r->tls.cert);
		curl_easy_setopt(post->curl, CURLOPT_SSLKEY, r->tls.key);
	}
	return r->tls.server_name ? set_server_name(post, r, err) : 0;
}

/* ---- opening ---- */

static bool add_headers(struct post *post, const struct send_receiver *r)
{
	static const char *const lines[][4] = {
		{"Content-Type: application/x-protobuf", "X-Prometheus-Remote-Write-Version: 0.1.0",
			"Expect:"},
		{"Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request",
			"X-Prometheus-Remote-Write-Version: 2.0.0", "Expect:"},
	};
	const char *encoding =
		r->compression == BODY_ZSTD ? "Content-Encoding: zstd" : "Content-Encoding: snappy";
	struct curl_slist *all = curl_slist_append(NULL, encoding);
	for (size_t i = 0; all && lines[r->protocol == 2][i]; i++) {
		post->headers = all;
		all = curl_slist_append(all, lines[r->protocol == 2][i]);
	}
	return all;
}

int post_open(struct post *post, const struct send_receiver *receiver, const atomic_bool *stopping,
	struct fw_err *err)
{
	*post = (struct post){.curl = curl_easy_init(), .stopping = stopping};
	if (!post->curl || !add_headers(post, receiver))
		return fw_fail(err, -ENOMEM, "no memory");
	curl_easy_setopt(post->curl, CURLOPT_URL, receiver->url);
	curl_easy_setopt(post->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(post->curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(post->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(post->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(post->curl, CURLOPT_TIMEOUT_MS, (long)receiver->timeout_ms);
	curl_easy_setopt(post->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(post->curl, CURLOPT_USERAGENT, "Fenwatch/" FW_VERSION);
	curl_easy_setopt(post->curl, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(post->curl, CURLOPT_WRITEDATA, post);
	curl_easy_setopt(post->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(post->curl, CURLOPT_XFERINFODATA, post);
	curl_easy_setopt(post->curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(post->curl, CURLOPT_HTTPHEADER, post->headers);
	int rc = set_authorization(post, receiver, err);
	return rc < 0 ? rc : set_tls(post, receiver, err);
}

void post_close(struct post *post)
{
	curl_easy_cleanup(post->curl);
	curl_slist_free_all(post->headers);
	curl_slist_free_all(post->connect_to);
	*post = (struct post){0};
}
