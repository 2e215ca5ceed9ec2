/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte says how the rest is packed. */
#include <stddef.h>
#include <stdint.h>

#include <sys/mman.h>

#include <fenwatch/file.h>

#include <fenwatch/unpack.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"x", "x.gz", "x.xz", "x.lz4", "x.zst", "x.bz2"};
	uint8_t out[4096];
	if (size == 0)
		return 0;
	int fd = memfd_create("fuzz", 0);
	fw_write(fd, data + 1, size - 1);
	struct fw_unpack *u = fw_unpack_new(fd, names[data[0] % 6]);
	for (int i = 0; i < 1000 && fw_unpack_read(u, out, sizeof out) > 0; i++)
		;
	fw_unpack_free(u);
	fw_close(fd);
	return 0;
}
