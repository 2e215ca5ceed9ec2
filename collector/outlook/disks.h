/* Made-up filesystems in a store: what the tests of this folder read. */
#pragma once

#include "testkit.h"

#define DISK_SIZE INT64_C(1000000)

/* A filesystem as it is so many days before now: bytes and inodes of DISK_SIZE in use. */
struct disk {
	const char *mountpoint, *device;
	double (*used)(double days_ago);
	double (*inodes)(double days_ago);
};

double disk_growing(double days_ago); /* fills in five days */
double disk_saw(double days_ago);     /* of three days, nearly to the top */
double disk_quiet(double days_ago);

/* Sweeps every five minutes, from so many days before now to so many. */
void disks_write(struct kit *kit, uint32_t host, const struct disk *disks, size_t n, int64_t now_ms,
	double from_days, double to_days);
