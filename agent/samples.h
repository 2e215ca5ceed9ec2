/* Samples of one source as bytes, on their way out of a child.
 *
 * What the source answered (a return code, a sentence), how many samples there
 * are, and each sample: its metric's place in the source's table, mantissa and
 * labels. The child may have read hostile files, so samples_check() looks at
 * every byte before anything is used.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/buf.h>
#include <fenwatch/err.h>

#include "source.h"
#include "sweep.h"

void samples_pack(const struct source *source, const struct sweep *s, int rc,
	const struct fw_err *err, struct fw_buf *out);
/* What the source answered, its sentence in `err`, and how many bytes its samples
 * take; -EBADMSG when they are not whole, and `length` is left alone. */
int samples_check(const struct source *source, const struct fw_buf *packed, size_t *length,
	struct fw_err *err);
/* Adds all samples of bytes that have been checked. */
void samples_add(const struct source *source, const struct fw_buf *packed, struct sweep *out);
