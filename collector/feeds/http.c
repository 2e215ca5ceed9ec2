/* SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>
#include <uv.h>

#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#include "feed.h"

/* libcurl says which sockets to watch and when to be called; we watch and call. */
static struct http {
	CURLM *multi;
	uv_loop_t *loop;
	uv_timer_t timer;
	struct fw_owner owner;
	unsigned users;
} * http;

struct watch {
	uv_poll_t poll;
	curl_socket_t fd;
};

struct http_request {
	CURL *easy;
	struct curl_slist *headers;
	size_t answered;
	char error[CURL_ERROR_SIZE];
	http_done *on_done;
	void *arg;
};

/* ---- requests ---- */

static void request_free(struct http_request *request)
{
	curl_easy_cleanup(request->easy);
	curl_slist_free_all(request->headers);
	fw_free(request);
}

/* The status is what counts; the rest of the answer is let through up to a limit. */
static size_t on_answered(char *data, size_t size, size_t n, void *arg)
{
	(void)data;
	struct http_request *request = arg;
	request->answered += size * n;
	return request->answered <= HTTP_ANSWER_LIMIT ? size * n : 0;
}

static void set_options(
	struct http_request *request, const char *url, const char *body, size_t length)
{
	CURL *easy = request->easy;
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* a resolver that hangs is left behind */
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)HTTP_TIMEOUT_MS);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "Fenwatch/" FW_VERSION);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)length);
	curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answered);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->error);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
}

int http_post(struct http_request **out, const char *url, const char *const *headers,
	const char *body, size_t length, http_done *on_done, void *arg)
{
	assert(http);
	struct http_request *request = fw_alloc(sizeof *request);
	request->on_done = on_done;
	request->arg = arg;
	request->easy = curl_easy_init();
	bool whole = request->easy;
	for (; whole && *headers; headers++) {
		struct curl_slist *longer = curl_slist_append(request->headers, *headers);
		whole = longer;
		if (longer)
			request->headers = longer;
	}
	if (whole) {
		set_options(request, url, body, length);
		whole = curl_multi_add_handle(http->multi, request->easy) == CURLM_OK;
	}
	if (!whole) {
		request_free(request);
		return -ENOMEM;
	}
	*out = request;
	return 0;
}

void http_cancel(struct http_request *request)
{
	curl_multi_remove_handle(http->multi, request->easy);
	request_free(request);
}

static void finish(struct http_request *request, CURLcode code)
{
	long status = 0;
	char why[CURL_ERROR_SIZE];
	bool cut = request->answered > HTTP_ANSWER_LIMIT;
	if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && cut))
		curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
	snprintf(
		why, sizeof why, "%s", *request->error ? request->error : curl_easy_strerror(code));
	http_done *on_done = request->on_done;
	void *arg = request->arg;
	http_cancel(request);
	on_done(status, why, arg);
}

/* Finishing may start or cancel other requests: the queue is asked anew each time. */
static void finish_all(void)
{
	int left;
	for (CURLMsg *m; http && (m = curl_multi_info_read(http->multi, &left));) {
		struct http_request *request;
		assert(m->msg == CURLMSG_DONE);
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&request);
		finish(request, m->data.result);
	}
}

/* ---- the loop ---- */

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = poll->data;
	int mask = status < 0 ? CURL_CSELECT_ERR : 0, running;
	if (events & UV_READABLE)
		mask |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		mask |= CURL_CSELECT_OUT;
	curl_multi_socket_action(http->multi, watch->fd, mask, &running);
	finish_all();
}

static void on_due(uv_timer_t *timer)
{
	(void)timer;
	int running;
	curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	finish_all();
}

static int on_timer_wanted(CURLM *multi, long timeout_ms, void *arg)
{
	(void)multi;
	struct http *self = arg;
	if (timeout_ms < 0)
		uv_timer_stop(&self->timer);
	else if (!self->owner.closing)
		uv_timer_start(&self->timer, on_due, (uint64_t)timeout_ms, 0);
	return 0;
}

static void on_watch_closed(uv_handle_t *handle)
{
	fw_free(handle->data);
}

static struct watch *watch_new(struct http *self, curl_socket_t fd)
{
	struct watch *watch = fw_alloc(sizeof *watch);
	watch->fd = fd;
	if (uv_poll_init_socket(self->loop, &watch->poll, fd) < 0) {
		fw_free(watch);
		return NULL;
	}
	watch->poll.data = watch;
	curl_multi_assign(self->multi, fd, watch);
	return watch;
}

static int on_watch_wanted(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_socket)
{
	(void)easy;
	struct watch *watch = of_socket;
	if (what == CURL_POLL_REMOVE) {
		if (watch)
			uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
		return 0;
	}
	if (!watch)
		watch = watch_new(arg, fd);
	if (!watch)
		return -1;
	int events =
		(what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
	return uv_poll_start(&watch->poll, events, on_ready) < 0 ? -1 : 0;
}

static void on_http_closed(struct fw_owner *owner)
{
	fw_free((char *)owner - offsetof(struct http, owner));
}

int feed_http_open(uv_loop_t *loop, struct fw_err *err)
{
	if (http) {
		http->users++;
		return 0;
	}
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return fw_fail(err, -ENOMEM, "libcurl does not start");
	CURLM *multi = curl_multi_init();
	if (!multi)
		return fw_fail(err, -ENOMEM, "libcurl does not start");
	http = fw_alloc(sizeof *http);
	http->multi = multi;
	http->loop = loop;
	http->users = 1;
	fw_owner_init(&http->owner, on_http_closed);
	uv_timer_init(loop, &http->timer);
	fw_owner_adopt(&http->owner, &http->timer);
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_watch_wanted);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, http);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, http);
	return 0;
}

void feed_http_close(void)
{
	if (!http || --http->users > 0)
		return;
	curl_multi_cleanup(http->multi);
	fw_owner_close(&http->owner);
	http = NULL;
}

/* ---- URLs ---- */

int http_check_url(const char *url, struct fw_err *err)
{
	CURLU *parts = curl_url();
	char *scheme = NULL, *host = NULL;
	int rc = 0;
	if (!parts || curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK ||
		curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
		curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		rc = fw_fail(
			err, -EINVAL, "this is no URL; write it like https://desk.example/hook");
	else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		rc = fw_fail(err, -EINVAL, "a URL begins with https:// or http://, not %.20s://",
			scheme);
	else if (strlen(host) > 253)
		rc = fw_fail(err, -EINVAL, "the host's name is longer than 253 bytes");
	curl_free(scheme);
	curl_free(host);
	curl_url_cleanup(parts);
	return rc;
}
