/* SPDX-License-Identifier: Apache-2.0 */
/* dpkg's status, a Release file, preferences and a list of packages, each ended by a NUL. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include <fenwatch/file.h>

#include "apt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int cut_file(const uint8_t **data, size_t *size)
{
	const uint8_t *nul = memchr(*data, '\0', *size);
	size_t length = nul ? (size_t)(nul - *data) : *size;
	int fd = memfd_create("fuzz", 0);
	fw_write(fd, *data, length);
	*data += length + (nul != NULL);
	*size -= length + (nul != NULL);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int files[4];
	for (int i = 0; i < 4; i++)
		files[i] = cut_file(&data, &size);
	struct apt *a = apt_new();
	struct apt_archive archive;
	struct apt_summary summary;
	if (apt_read_status(a, files[0], NULL) == 0 && apt_read_release(files[1], &archive) == 0) {
		apt_read_preferences(a, files[2]);
		apt_read_list(a, files[3], "", &archive, NULL);
		apt_summarise(a, &summary);
		struct apt_kernel kernel;
		apt_has_newer_kernel(a, archive.codename, archive.suite, &kernel);
	}
	apt_free(a);
	for (int i = 0; i < 4; i++)
		fw_close(files[i]);
	return 0;
}
