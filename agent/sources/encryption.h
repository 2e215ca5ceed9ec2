/* Whether what lies on a block device is encrypted, as the kernel's device mapper says. */
#pragma once

#include "source.h"

/* `device`: a folder of the device below the root, such as "sys/dev/block/253:1". 1 when
 * every way from there down to a disk leads through dm-crypt, 0 when one does not; -ENOENT:
 * there is no such device. What a disk does by itself cannot be seen. */
int encryption_of(struct machine *m, const char *device);
