/* libcurl on the loop: it says which sockets to watch and when to be called. */
#pragma once

#include <curl/curl.h>
#include <uv.h>

#include <fenwatch/err.h>

/* One for the loop; each request is told by the `on_done` that is its CURLOPT_PRIVATE. */
struct web_done {
	void (*on_done)(struct web_done *done, CURLcode code);
};

int web_open(uv_loop_t *loop, struct fw_err *err);
void web_close(void);
int web_begin(CURL *easy);
int web_again(CURL *easy); /* from its on_done: the same once more */
void web_end(CURL *easy);  /* no on_done comes any more; the handle is gone */
