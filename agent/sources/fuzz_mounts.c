/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of fstab and of mountinfo, and LVM's backup, without a machine around them. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "lvmbackup.h"
#include "mounts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_lines(struct fw_cursor text)
{
	struct fw_cursor line;
	while (fw_cut_line(&text, &line)) {
		struct fw_cursor again = line;
		struct fstab_line fstab;
		struct mount mount;
		if (fstab_cut(&line, &fstab))
			mount_place(fstab.mountpoint);
		if (mount_cut(&again, &mount) && mount.forced && !mount.readonly)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fw_cursor text = {(const char *)data, (const char *)data + size};
	struct lvm_group group;
	read_lines(text);
	if (lvm_backup_read(text, &group) && group.used > group.extents)
		abort();
	return 0;
}
