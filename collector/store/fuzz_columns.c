/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a block without groups. */
#include "fuzz_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_body(data, size, columns_open, NULL);
}
