/* SPDX-License-Identifier: Apache-2.0 */
#include "web.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#include "feed.h"
#include "transfer.h"

struct web_request {
	struct transfer transfer;
	struct curl_slist *headers;
	struct fw_buf answer;
	web_done *on_done;
	void *arg;
};

/* ---- requests ---- */

void web_cancel(struct web_request *request)
{
	transfer_done(&request->transfer);
	curl_slist_free_all(request->headers);
	fw_buf_done(&request->answer);
	fw_free(request);
}

/* What is over the limit ends the transfer: the status has been seen by then. */
static size_t on_answered(char *data, size_t size, size_t n, void *arg)
{
	struct web_request *request = arg;
	fw_buf_append(&request->answer, data, size * n);
	return request->answer.overflowed ? 0 : size * n;
}

static void on_finished(struct transfer *transfer, CURLcode code)
{
	struct web_request *request = FW_CONTAINER(transfer, struct web_request, transfer);
	struct web_answer answer = {
		.why = transfer->error,
		.body = request->answer.data ? (const char *)request->answer.data : "",
		.length = request->answer.length,
	};
	curl_off_t retry_after_s = 0;
	if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && request->answer.overflowed))
		curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &answer.status);
	curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
	answer.retry_after_ms = retry_after_s < WEB_RETRY_AFTER_MOST_MS / 1000
		? retry_after_s * 1000
		: WEB_RETRY_AFTER_MOST_MS;
	request->on_done(&answer, request->arg);
	web_cancel(request);
}

static void set_options(struct web_request *request, const struct web_call *call)
{
	CURL *easy = request->transfer.easy;
	curl_easy_setopt(easy, CURLOPT_URL, call->url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "Fenwatch/" FW_VERSION);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers);
	if (call->body) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(call->body));
		curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, call->body);
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
	if (call->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, call->ca_file);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answered);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
}

static bool take_headers(struct web_request *request, const char *const *headers)
{
	/* The body goes at once, without asking whether it may. */
	request->headers = curl_slist_append(NULL, "Expect:");
	bool whole = request->headers;
	for (; whole && *headers; headers++) {
		struct curl_slist *longer = curl_slist_append(request->headers, *headers);
		whole = longer;
		if (longer)
			request->headers = longer;
	}
	return whole;
}

int web_send(struct web_request **out, const struct web_call *call, web_done *on_done, void *arg)
{
	struct web_request *request = fw_alloc(sizeof *request);
	request->on_done = on_done;
	request->arg = arg;
	request->answer.limit = WEB_ANSWER_LIMIT;
	int rc = transfer_init(&request->transfer);
	request->transfer.on_finished = on_finished;
	if (rc == 0 && !take_headers(request, call->headers))
		rc = -ENOMEM;
	if (rc == 0) {
		set_options(request, call);
		rc = transfer_start(&request->transfer);
	}
	if (rc < 0)
		web_cancel(request);
	else
		*out = request;
	return rc;
}

/* ---- deliveries ---- */

void web_ask(struct delivery *delivery, const struct web_call *call, web_done *on_done)
{
	struct web_request *request = NULL;
	int rc = web_send(&request, call, on_done, delivery);
	delivery->state = request;
	if (rc < 0)
		feed_finish(delivery, TRY_LATER, fw_strerror(rc));
}

static bool is_temporary(long status)
{
	/* Who is not believed has a wrong or old password: people put that right. */
	return status == 401 || status == 403 || status == 408 || status == 429 ||
		status / 100 == 5;
}

/* Redirected, or a URL that is not there or takes no such request: a desk that is being replaced,
 * or the page that a proxy shows meanwhile. */
static bool is_astray(long status)
{
	return status / 100 == 3 || status == 404 || status == 405;
}

void web_finish(const struct web_answer *answer, void *arg)
{
	struct delivery *delivery = arg;
	char text[64];
	delivery->state = NULL;
	delivery->retry_after_ms = answer->retry_after_ms;
	snprintf(text, sizeof text, "the receiver answered %ld", answer->status);
	if (answer->status == 0)
		feed_finish(delivery, TRY_LATER, answer->why);
	else if (answer->status / 100 == 2)
		feed_finish(delivery, DELIVERED, text);
	else
		feed_finish(delivery,
			is_temporary(answer->status)        ? TRY_LATER
				: is_astray(answer->status) ? ASTRAY
							    : REFUSED,
			text);
}

void web_doubt(const struct web_answer *answer, struct delivery *delivery)
{
	if (answer->status / 100 != 2) {
		web_finish(answer, delivery);
		return;
	}
	delivery->state = NULL;
	feed_finish(delivery, TRY_LATER, "the answer is not the desk's: something else gave it");
}

void web_interrupt(struct delivery *delivery)
{
	if (delivery->state)
		web_cancel(delivery->state);
	delivery->state = NULL;
	feed_finish(delivery, TRY_LATER, "it was interrupted");
}

/* ---- URLs ---- */

int web_check_url(const char *url, struct fw_err *err)
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

int web_check_base(const char *url, struct fw_err *err)
{
	int rc = web_check_url(url, err);
	if (rc < 0)
		return fw_fail_in(err, rc, "url");
	if (url[strlen(url) - 1] == '/' || strpbrk(url, "?#"))
		return fw_fail(
			err, -EINVAL, "url: without a '/' at its end, a query or a fragment");
	return 0;
}
