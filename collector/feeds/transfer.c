/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include <uv.h>

#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#include "feed.h"

/* libcurl says which sockets to watch and when to be called; we watch and call. */
static struct curl {
	CURLM *multi;
	uv_loop_t *loop;
	uv_timer_t timer;
	struct fw_owner owner;
	unsigned users;
} * curl;

struct watch {
	uv_poll_t poll;
	curl_socket_t fd;
};

/* ---- transfers ---- */

int transfer_init(struct transfer *transfer)
{
	assert(curl);
	*transfer = (struct transfer){.easy = curl_easy_init()};
	if (!transfer->easy)
		return -ENOMEM;
	curl_easy_setopt(transfer->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(transfer->easy, CURLOPT_NOSIGNAL, 1L);
	/* A resolver that hangs is left behind. */
	curl_easy_setopt(transfer->easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(transfer->easy, CURLOPT_TIMEOUT_MS, (long)TRANSFER_MS);
	curl_easy_setopt(transfer->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)TRANSFER_CONNECT_MS);
	curl_easy_setopt(transfer->easy, CURLOPT_ERRORBUFFER, transfer->error);
	curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
	return 0;
}

int transfer_start(struct transfer *transfer)
{
	return curl_multi_add_handle(curl->multi, transfer->easy) == CURLM_OK ? 0 : -ENOMEM;
}

void transfer_done(struct transfer *transfer)
{
	if (!transfer->easy)
		return;
	curl_multi_remove_handle(curl->multi, transfer->easy);
	curl_easy_cleanup(transfer->easy);
	transfer->easy = NULL;
}

static void finish(struct transfer *transfer, CURLcode code)
{
	if (code != CURLE_OK && !*transfer->error)
		snprintf(transfer->error, sizeof transfer->error, "%s", curl_easy_strerror(code));
	transfer->on_finished(transfer, code);
}

/* Finishing may start or cancel other transfers: the queue is asked anew each time. */
static void finish_all(void)
{
	int left;
	for (CURLMsg *m; curl && (m = curl_multi_info_read(curl->multi, &left));) {
		struct transfer *transfer;
		assert(m->msg == CURLMSG_DONE);
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
		finish(transfer, m->data.result);
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
	curl_multi_socket_action(curl->multi, watch->fd, mask, &running);
	finish_all();
}

static void on_due(uv_timer_t *timer)
{
	(void)timer;
	int running;
	curl_multi_socket_action(curl->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	finish_all();
}

static int on_timer_wanted(CURLM *multi, long timeout_ms, void *arg)
{
	(void)multi;
	struct curl *self = arg;
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

static struct watch *watch_new(struct curl *self, curl_socket_t fd)
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

static void on_curl_closed(struct fw_owner *owner)
{
	fw_free((char *)owner - offsetof(struct curl, owner));
}

int feed_curl_open(uv_loop_t *loop, struct fw_err *err)
{
	if (curl) {
		curl->users++;
		return 0;
	}
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return fw_fail(err, -ENOMEM, "libcurl does not start");
	CURLM *multi = curl_multi_init();
	if (!multi)
		return fw_fail(err, -ENOMEM, "libcurl does not start");
	curl = fw_alloc(sizeof *curl);
	curl->multi = multi;
	curl->loop = loop;
	curl->users = 1;
	fw_owner_init(&curl->owner, on_curl_closed);
	uv_timer_init(loop, &curl->timer);
	fw_owner_adopt(&curl->owner, &curl->timer);
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_watch_wanted);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, curl);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, curl);
	return 0;
}

void feed_curl_close(void)
{
	if (!curl || --curl->users > 0)
		return;
	curl_multi_cleanup(curl->multi);
	fw_owner_close(&curl->owner);
	curl = NULL;
}
