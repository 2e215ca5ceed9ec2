/* One thing sent by libcurl on the loop.
 *
 * Embedded in what it is for. No proxy from the environment, no signals; an end is awaited
 * for TRANSFER_MS in all. Between init and start the owner sets what libcurl
 * is to do; on_finished comes once, from the loop, and the owner then calls
 * transfer_done, which also cancels and takes half-made ones.
 */
#pragma once

#include <curl/curl.h>

#define TRANSFER_MS 30000
#define TRANSFER_CONNECT_MS 10000

struct transfer {
	CURL *easy;
	char error[CURL_ERROR_SIZE]; /* why it failed, a sentence */
	void (*on_finished)(struct transfer *transfer, CURLcode code);
};

int transfer_init(struct transfer *transfer);
int transfer_start(struct transfer *transfer);
void transfer_done(struct transfer *transfer);
