/* remote_read: a Prometheus asks for series and gets them raw, as samples or as its own
 * chunks, so that it can use the ring as if it were its disk.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/buf.h>
#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#include "promql.h"

#define READ_QUERIES 32

struct remote_read {
	const uint8_t *body; /* snappy */
	size_t length;
	struct promql_data data;
	size_t max_samples;
	const bool *canceled;
	struct fw_arena *arena;
	/* out */
	struct fw_buf *out;
	const char *content_type;
	bool packed; /* with snappy, which a header has to say */
};

/* -EINVAL, -EBADMSG, -EMSGSIZE: what was asked is wrong, or too long; -E2BIG: it is too much; -ECANCELED. */
int remote_read(struct remote_read *read, struct fw_err *err);
