/* SPDX-License-Identifier: Apache-2.0 */
/* A stream of frames, cut as a reader does. What is cut is put again and must
 * give the same bytes: a frame has one form only. */
#include <stdlib.h>
#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/frame.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fw_buf again = {0};
	size_t at = 0;
	for (;;) {
		struct fw_frame frame;
		struct fw_err err;
		int used = fw_frame_cut(data + at, size - at, &frame, &err);
		if (used <= 0)
			break;
		fw_frame_put(&again, frame.type, frame.payload, frame.length);
		at += (size_t)used;
	}
	if (again.length != at || (at > 0 && memcmp(again.data, data, at) != 0))
		abort();
	fw_buf_done(&again);
	return 0;
}
