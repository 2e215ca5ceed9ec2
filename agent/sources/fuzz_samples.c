/* SPDX-License-Identifier: Apache-2.0 */
/* What a child hands back, which may have been led astray by what it read. */
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/buf.h>

#include "samples.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fw_buf packed = {0};
	struct fw_err err;
	fw_buf_append(&packed, data, size);
	struct sweep *s = sweep_new();
	sweep_begin(s, 0);
	size_t length;
	if (samples_check(sources[0], &packed, &length, &err) == 0)
		samples_add(sources[0], &packed, s);
	sweep_end(s);
	sweep_free(s);
	fw_buf_done(&packed);
	return 0;
}
