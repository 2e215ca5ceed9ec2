/* zstd as the wire uses it: one frame that says its length, no dictionary.
 *
 * Packing takes under 300 kB of memory beside the result. Unpacking takes what
 * the length says, which the caller has met with a limit of its own, and a
 * window of at most 8 MiB.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/buf.h>
#include <fenwatch/err.h>

/* Appends; -ENOMEM. */
int squeeze(struct fw_buf *packed, const uint8_t *raw, size_t raw_length);
/* A frame that says exactly `raw_length`, and asks for no more memory than that. */
int squeeze_check(const uint8_t *packed, size_t length, size_t raw_length, struct fw_err *err);
int unsqueeze(
	const uint8_t *packed, size_t length, uint8_t *raw, size_t raw_length, struct fw_err *err);
