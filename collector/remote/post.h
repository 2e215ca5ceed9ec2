/* Requests to one receiver of remote_write, one after the other. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include <fenwatch/buf.h>
#include <fenwatch/err.h>

#include "send.h"

enum post_outcome {
	POST_TAKEN,
	POST_REFUSED, /* for good: it must not come again */
	POST_LATER,   /* no answer, or one that says so */
};

struct post {
	CURL *curl;
	struct curl_slist *headers, *connect_to;
	const atomic_bool *stopping; /* ends a request that is under way */
	/* ---- of the last request ---- */
	char why[256]; /* what was answered; the rest is cut off */
	size_t why_length;
	int64_t wait_ms; /* what the receiver asks for before it is tried again; 0: nothing */
};

/* post_close() also after a failure. */
int post_open(struct post *post, const struct send_receiver *receiver, const atomic_bool *stopping,
	struct fw_err *err);
enum post_outcome post_body(struct post *post, const struct fw_buf *body);
void post_close(struct post *post);
