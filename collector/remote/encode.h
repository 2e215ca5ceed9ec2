/* Requests of remote_write in the making: 1.0 or 2.0, from sweeps as they were followed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <fenwatch/buf.h>

#include "follow.h"

struct symbol_slot {
	const char *text; /* the store's, so it stays */
	uint32_t ref;
};

struct encoder {
	/* Which series go, by all their labels; NULL: every one. */
	bool (*takes)(const void *arg, const struct fw_label *labels, size_t n);
	const void *arg;
	bool is_2;
	const struct fw_label *external; /* put to each series that has none of the name */
	size_t n_external;               /* at most SEND_EXTERNAL */
	size_t n_samples;
	struct fw_buf series; /* of the message */
	struct fw_buf one;    /* a series */
	struct fw_buf symbols;
	struct symbol_slot *slots;
	size_t n_slots, n_symbols;
};

void encode_begin(struct encoder *encoder, bool is_2);
/* One series of them. What has ended gets one stale mark, and is absent from then on. */
void encode_column(struct encoder *encoder, const struct store_followed *sweeps, size_t column);
/* The whole message. */
void encode_end(struct encoder *encoder, struct fw_buf *out);
void encoder_done(struct encoder *encoder);
