/* SPDX-License-Identifier: Apache-2.0 */
#include "web.h"

#include <errno.h>
#include <stdbool.h>

#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

/* Of the loop's thread, like all of it. */
static struct web {
	CURLM *multi;
	uv_loop_t *loop;
	uv_timer_t timer;
	struct fw_owner owner;
} * web;

struct socket_watch {
	uv_poll_t poll;
	curl_socket_t fd;
};

/* What is done may begin and end others: the queue is asked anew each time. */
static void tell_done(void)
{
	int left;
	for (CURLMsg *m; web && (m = curl_multi_info_read(web->multi, &left));) {
		struct web_done *done;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&done);
		done->on_done(done, m->data.result);
	}
}

static void act(curl_socket_t fd, int mask)
{
	int running;
	curl_multi_socket_action(web->multi, fd, mask, &running);
	tell_done();
}

/* ---- sockets ---- */

static void on_socket_ready(uv_poll_t *poll, int status, int events)
{
	const struct socket_watch *watch = poll->data;
	int mask = status < 0 ? CURL_CSELECT_ERR : 0;
	mask |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
	mask |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
	act(watch->fd, mask);
}

static void on_socket_closed(uv_handle_t *handle)
{
	fw_free(handle->data);
}

static struct socket_watch *watch_socket(curl_socket_t fd)
{
	struct socket_watch *watch = fw_alloc(sizeof *watch);
	watch->fd = fd;
	if (uv_poll_init_socket(web->loop, &watch->poll, fd) < 0) {
		fw_free(watch);
		return NULL;
	}
	watch->poll.data = watch;
	curl_multi_assign(web->multi, fd, watch);
	return watch;
}

static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_socket)
{
	struct socket_watch *watch = of_socket;
	(void)easy;
	(void)arg;
	if (what == CURL_POLL_REMOVE) {
		if (watch)
			uv_close((uv_handle_t *)&watch->poll, on_socket_closed);
		return 0;
	}
	if (!watch)
		watch = watch_socket(fd);
	if (!watch)
		return -1;
	int events =
		(what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
	return uv_poll_start(&watch->poll, events, on_socket_ready) < 0 ? -1 : 0;
}

/* ---- the clock ---- */

static void on_due(uv_timer_t *timer)
{
	(void)timer;
	act(CURL_SOCKET_TIMEOUT, 0);
}

static int on_clock_wanted(CURLM *multi, long ms, void *arg)
{
	struct web *self = arg;
	(void)multi;
	if (ms < 0)
		uv_timer_stop(&self->timer);
	else if (!self->owner.closing)
		uv_timer_start(&self->timer, on_due, (uint64_t)ms, 0);
	return 0;
}

/* ---- the door ---- */

static void on_web_closed(struct fw_owner *owner)
{
	fw_free(FW_CONTAINER(owner, struct web, owner));
}

int web_open(uv_loop_t *loop, struct fw_err *err)
{
	CURLM *multi = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_multi_init() : NULL;
	if (!multi)
		return fw_fail(err, -ENOMEM, "libcurl does not start");
	web = fw_alloc(sizeof *web);
	web->multi = multi;
	web->loop = loop;
	fw_owner_init(&web->owner, on_web_closed);
	uv_timer_init(loop, &web->timer);
	fw_owner_adopt(&web->owner, &web->timer);
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_clock_wanted);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, web);
	return 0;
}

void web_close(void)
{
	struct web *was = web;
	if (!was)
		return;
	curl_multi_cleanup(was->multi);
	web = NULL;
	fw_owner_close(&was->owner);
}

int web_begin(CURL *easy)
{
	return curl_multi_add_handle(web->multi, easy) == CURLM_OK ? 0 : -ENOMEM;
}

int web_again(CURL *easy)
{
	curl_multi_remove_handle(web->multi, easy);
	return web_begin(easy);
}

void web_end(CURL *easy)
{
	curl_multi_remove_handle(web->multi, easy);
	curl_easy_cleanup(easy);
}
