/* The state of what filesystems lie on: mounts that are missing or do not answer, arrays,
 * pools, volumes and paths, a row each. */
#pragma once

#include "facts.h"
#include "json.h"

/* Every metric that this is told from, as a regular expression. */
#define STORAGE_METRICS                                                                  \
	"node_fstab_mount_status|node_filesystem_device_error|node_md_(state|degraded)|" \
	"fenwatch_md_disk_failed|node_zfs_zpool_state|fenwatch_btrfs_devices_missing|"   \
	"fenwatch_lvm_volume_(faulty|suspended)|node_dmmultipath_device_paths_failed"

void storage_write_rows(struct json *j, const struct facts *facts);
