/* What the feed `http` is told of a desk: which requests to make, and where the answers have
 * what is wanted. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/conf.h>
#include <fenwatch/err.h>

#include "feed.h"
#include "levels.h"

#define HTTP_HEADERS 16

enum encoding { ENCODING_JSON, ENCODING_FORM };

struct http_step {
	const char *method, *url;
	const struct fw_yaml *body;
};

/* What a desk is asked of a ticket, and which of its words mean what. */
struct http_poll {
	struct http_step ask;
	int64_t every_ms;
	const char *state; /* JSON pointer */
	const struct fw_yaml *accepted, *closed;
};

struct http {
	struct http_step open, update, close;
	struct http_poll poll;
	int encoding;
	const struct fw_yaml *headers;
	const char *ticket; /* JSON pointer */
	struct levels levels;
	const char *token_file, *ca_file;
};

extern const struct fw_option http_options[];
/* What the rows cannot know alone: that a {{hole}} has something to be filled with. */
int http_check(const void *config, struct fw_err *err);
bool http_step_uses(const struct http_step *step, const char *hole);
