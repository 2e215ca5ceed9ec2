/* What udev has found out about a block device: "E:ID_MODEL=..." in /run/udev/data. */
#pragma once

#include "source.h"

struct udev_property {
	const char *name; /* "ID_MODEL" */
	char *value;      /* left alone where udev does not know it */
	size_t size;      /* of the value, which is cut there */
};

/* `device`: "8:0". */
void udev_read(struct machine *m, const char *device, const struct udev_property *wanted, size_t n);
